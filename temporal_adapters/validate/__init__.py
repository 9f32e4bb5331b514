"""How good the instrument is: the same study with changed settings, measured against what is known.

Takes a study, its run folder and a truth, gives variants and tables of recovery. Knows no command.
"""
