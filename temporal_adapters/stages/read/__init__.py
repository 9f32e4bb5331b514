"""The reader: what the frozen base says to each question after each post, summed up by week.

Takes weekly corpora and questionnaires, gives ``readings/<label>/`` and a SERIES in ``read/``. Knows no adapter.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
