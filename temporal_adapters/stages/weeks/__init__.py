"""Split the panel into weekly corpora.

Takes a study and its raw files, gives ``runs/<study>/weeks/``: one Parquet file per week and a manifest. Knows no later
stage.

    A  `split`    one raw file at a time: read, clean, find the week, put down by week      -> runs/<study>/panel/
    B  `reduce`   one week at a time: repeated ids, duplicates, caps, order                 -> runs/<study>/weeks/
"""

from temporal_adapters.stages.weeks.build import VERSION, build, expected, preview
from temporal_adapters.stages.weeks.describe import describe

__all__ = ["VERSION", "build", "describe", "expected", "preview"]
