"""Survey trackers to weekly series.

Takes survey files of several layouts, gives a `SERIES` table in the survey's own names and what was noticed. Knows
nothing of adapters; questionnaires only to link names.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
