"""Split the panel into weekly corpora.

Takes a study and its raw files, gives ``runs/<study>/weeks/``: one Parquet file per week and a manifest. Knows no later
stage.

    A  `split`    one raw file at a time: read, clean, find the week, put down by week      -> runs/<study>/panel/
    B  `reduce`   one week at a time: repeated ids, duplicates, caps, order                 -> runs/<study>/weeks/
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
