"""Answers to weekly series.

Takes an `ANSWERS` table, gives a `SERIES` table pooled over wordings, orders and seeds, and the spread of what was
pooled. Knows no survey and no test.
"""

from temporal_adapters.stages.series.grid import require_complete
from temporal_adapters.stages.series.pool import SPREAD, Pooled, Scale, pool
from temporal_adapters.stages.series.stage import build, expected

__all__ = ["SPREAD", "Pooled", "Scale", "build", "expected", "pool", "require_complete"]
