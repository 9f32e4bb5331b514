"""The reader: what the frozen base says to each question after each post, summed up by week.

Takes weekly corpora and questionnaires, gives ``readings/<label>/`` and a SERIES in ``read/``. Knows no adapter.
"""
