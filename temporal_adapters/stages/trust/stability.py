"""Does the relation hold all the time: rolling, without blocks, by halves, and under smoothing.

Takes two aligned weekly series, gives correlations by part of the period. Views for looking, never a test.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from temporal_adapters.engines.significance import Array, effective, pearson
from temporal_adapters.ground.errors import ValidityError


@dataclass(frozen=True)
class Part:
    """Correlation in one part of the period: weeks `first` to `last` (indices, both included), or without them."""

    first: int
    last: int
    r: float
    ci_low: float
    ci_high: float
    n: int


@dataclass(frozen=True)
class Stability:
    """The same correlation over parts of the period.

    Attributes
    ----------
    rolling
        Windows of `window` weeks.
    left_out
        The whole period without one block of weeks after the other.
    halves
        First and second half.
    smoothed
        Weeks of a centred mean -> r after smoothing both series: how much of r is only smoothing.
    """

    window: int
    rolling: tuple[Part, ...]
    left_out: tuple[Part, ...]
    halves: tuple[Part, ...]
    smoothed: dict[int, float]


def stability(
    x: Array, y: Array, window: int = 20, n_blocks: int = 5, smooth: tuple[int, ...] = (1, 3, 5)
) -> Stability:
    """Return the correlation of x and y (aligned, NaN where missing) over parts of the period.

    Raises
    ------
    ValidityError
        If the series are shorter than the window.
    """
    n = len(x)
    if n < window or window < 8:
        raise ValidityError(f"windows of {window} weeks (at least 8) do not fit into {n} weeks")
    rolling = tuple(_part(x, y, first, first + window - 1) for first in range(n - window + 1))
    edges = np.linspace(0, n, n_blocks + 1).astype(int)
    left_out = tuple(_without(x, y, int(a), int(b) - 1) for a, b in itertools.pairwise(edges))
    halves = (_part(x, y, 0, n // 2 - 1), _part(x, y, n // 2, n - 1))
    return Stability(window, rolling, left_out, halves, {weeks: smoothed_r(x, y, weeks) for weeks in smooth})


def smoothed_r(x: Array, y: Array, weeks: int) -> float:
    """Return r after a centred mean over `weeks` present weeks of both series."""
    return float(pearson(_smooth(x, weeks), _smooth(y, weeks)))


def _smooth(series: Array, weeks: int) -> Array:
    half = weeks // 2
    padded = np.pad(series, half, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    n = np.isfinite(windows).sum(axis=1)
    mean = np.nansum(windows, axis=1) / np.maximum(n, 1)
    return np.where(np.isfinite(series), mean, np.nan)


def _part(x: Array, y: Array, first: int, last: int) -> Part:
    inside = slice(first, last + 1)
    return _correlate(x[inside], y[inside], first, last)


def _without(x: Array, y: Array, first: int, last: int) -> Part:
    a, b = x.copy(), y.copy()
    a[first : last + 1] = np.nan
    b[first : last + 1] = np.nan
    return _correlate(a, b, first, last)


def _correlate(x: Array, y: Array, first: int, last: int) -> Part:
    n = int((np.isfinite(x) & np.isfinite(y)).sum())
    r = pearson(x[None], y[None])
    if n < 4 or not np.isfinite(r[0]):
        return Part(first, last, float("nan"), -1.0, 1.0, n)
    low, high = effective.fisher_interval(r, effective.effective_weeks(x[None], y[None]))
    return Part(first, last, float(r[0]), float(low[0]), float(high[0]), n)
