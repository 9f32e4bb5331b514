"""Pairs of weekly series: one moved against the other, and Pearson's r over the weeks both have.

Takes arrays of weekly values (NaN where missing), gives arrays. Knows no test, week, question or file.

Lag k is positive where the first series leads: the first at week t meets the second at week t + k.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from temporal_adapters.engines.significance.autoregression import Array


def shifted(series: Array, lag: int) -> Array:
    """Return the series with s[t + lag] at place t, NaN where there is none."""
    n = series.shape[-1]
    moved = np.full(series.shape, np.nan)
    start, stop = max(0, -lag), min(n, n - lag)
    if start < stop:
        moved[..., start:stop] = series[..., start + lag : stop + lag]
    return moved


def pearson(first: Array, second: Array) -> Array:
    """Return Pearson's r over the last axis and the pairs present; NaN where a side is constant."""
    both = np.isfinite(first) & np.isfinite(second)
    n = np.maximum(both.sum(axis=-1, keepdims=True), 1)
    a = np.where(both, first, 0.0)
    b = np.where(both, second, 0.0)
    a = np.where(both, a - a.sum(axis=-1, keepdims=True) / n, 0.0)
    b = np.where(both, b - b.sum(axis=-1, keepdims=True) / n, 0.0)
    scale = np.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.clip(np.where(scale > 0, (a * b).sum(axis=-1) / scale, np.nan), -1.0, 1.0))


def correlations(first: Array, second: Array, lags: Sequence[int]) -> Array:
    """Return r[..., l] = corr(first[t], second[t + lags[l]]) over the pairs there are."""
    return np.stack([pearson(first, shifted(second, lag)) for lag in lags], axis=-1)


LEAST_CHANGES = 3
"""Changes below which a correlation of changes says nothing: two always lie on a line."""


def r_of_differences(first: Array, second: Array, weeks: NDArray[np.int64]) -> float:
    """Return Pearson's r of the changes from week to week; NaN with fewer than 3, or where a side never changes.

    Plain differences describe two series; unlike test D's changes they have no null of their own. A change over a gap
    is one of several weeks: it is left out.

    Parameters
    ----------
    first, second
        (n,) values in the order of their weeks, NaN where missing.
    weeks
        (n,) numbers of the weeks, ascending; neighbours are one apart.
    """
    change_of = [np.where(np.diff(weeks) == 1, np.diff(side), np.nan) for side in (first, second)]
    if np.isfinite(change_of[0] * change_of[1]).sum() < LEAST_CHANGES:
        return float("nan")
    return float(pearson(*change_of))
