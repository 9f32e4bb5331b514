"""Model series against survey series: lags, intervals, tests, verdicts.

Takes a `SERIES` table with both sources, gives `LAGS` and everything a reviewer asks for beside it. Knows no adapter
and no survey file. Lag in weeks, positive = the model leads.
"""

from temporal_adapters.stages.correlate.analysis import analyse
from temporal_adapters.stages.correlate.pairs import Pairs, align
from temporal_adapters.stages.correlate.plan import accept, freeze
from temporal_adapters.stages.correlate.plan import read as read_plan
from temporal_adapters.stages.correlate.records import Analysis, Result, Test, Verdict
from temporal_adapters.stages.correlate.stage import expected, run

__all__ = [
    "Analysis",
    "Pairs",
    "Result",
    "Test",
    "Verdict",
    "accept",
    "align",
    "analyse",
    "expected",
    "freeze",
    "read_plan",
    "run",
]
