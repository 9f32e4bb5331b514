"""Model series against survey series: lags, intervals, tests, verdicts.

Takes a `SERIES` table with both sources, gives `LAGS` and everything a reviewer asks for beside it. Knows no adapter
and no survey file. Lag in weeks, positive = the model leads.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
