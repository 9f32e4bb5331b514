"""Readers of other programs' questionnaires, one module per format.

Each takes a path and a language, gives `asked.Asked` questions and what was left out with its reason. They know
nothing of models, prompts and scales of ours.
"""
