"""Answers to weekly series.

Takes an `ANSWERS` table, gives a `SERIES` table pooled over wordings, orders and seeds, and the spread of what was
pooled. Knows no survey and no test.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
