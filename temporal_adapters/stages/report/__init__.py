"""Report: one folder that shows what a study found, how sure it is, and how it was made.

Takes the tables of a finished run, gives `report/` with `index.html`, `figures/`, `tables/` and `methods.md`. Computes
no statistic: what it shows was written by the stages before it.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
