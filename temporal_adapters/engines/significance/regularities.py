"""Signs of how a weekly series was made: values held over several weeks, and rolling means.

Takes one series of weekly values, gives numbers of weeks. Knows no test and no file.
"""

from __future__ import annotations

import numpy as np

from temporal_adapters.engines.significance import effective
from temporal_adapters.engines.significance.autoregression import Array

LEAST_STEPS = 3
ON_RHYTHM = 0.8
"""Changes of value, and the share of the steps between them that must fit one rhythm, before values count as held."""

SHORTEST_MEAN, LONGEST_MEAN = 3, 13
"""Weeks of the rolling means looked for; a mean of two weeks is not told from an autoregression."""

_APART, _UNDONE = -0.05, -0.33
"""Autocorrelation of changes with their neighbours above which, and w weeks apart below which, a mean is named."""


def held_weeks(series: Array) -> int:
    """Return over how many weeks each value is repeated, 1 where values are not held.

    Values that stay exactly equal and change on a rhythm, as monthly figures carried through their weeks do. Rounded
    values also repeat, but at no rhythm.
    """
    moves = np.flatnonzero(np.diff(series[np.isfinite(series)]) != 0)
    steps = np.diff(moves)
    if len(steps) < LEAST_STEPS:
        return 1
    usual = int(np.bincount(steps).argmax())
    return usual if (steps % usual == 0).mean() >= ON_RHYTHM else 1


def mean_weeks(series: Array) -> int:
    """Return the window of a rolling mean that the series looks like, in weeks; 1 where it looks like none.

    The change of a mean over w weeks is one week against the week w before: changes do not turn back the week after
    and are undone after w weeks. Those of an autoregression of order 1 turn back at once.
    """
    changes = np.diff(series)
    if np.isfinite(changes).sum() < 3 * LONGEST_MEAN or np.nanstd(changes) == 0:
        return 1
    r = effective.autocorrelation(changes[None], LONGEST_MEAN)[0]
    window = int(np.nanargmin(r[SHORTEST_MEAN - 1 :])) + SHORTEST_MEAN
    undone = float(r[window - 1]) < min(_UNDONE, -2.5 / np.sqrt(len(changes)))
    return window if undone and float(r[0]) > _APART else 1
