"""What a calendar or another series explains, taken out of weekly series before they are tested.

Takes arrays of weekly values and of regressors, gives what least squares leaves. Knows no calendar and no test.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from temporal_adapters.engines.significance.autoregression import Array
from temporal_adapters.ground.errors import CorrelateError

LEAST_LEFT = 8
"""Weeks that must be left per series after as many as there are regressors are spent."""


def adjusted(series: Array, regressors: Array | None) -> Array:
    """Return each row less its least squares fit on the regressors and a constant, its own mean kept.

    Parameters
    ----------
    series
        (m, n) weekly values, NaN where missing: those weeks take no part.
    regressors
        (q, n) finite values; None takes nothing out.

    Raises
    ------
    CorrelateError
        If a series has too few weeks for so many regressors.
    """
    if regressors is None or not len(regressors):
        return series
    found = series.copy()
    patterns, which = np.unique(np.isfinite(series), axis=0, return_inverse=True)
    for number, weeks in enumerate(patterns):
        basis = orthonormal(regressors[:, weeks])
        if weeks.sum() < basis.shape[1] + LEAST_LEFT:
            raise CorrelateError(
                f"{int(weeks.sum())} weeks are too few to take {basis.shape[1]} regressors out of a series"
                f" ({basis.shape[1] + LEAST_LEFT} are needed): shorten correlate.adjust"
            )
        place = np.ix_(np.flatnonzero(which.ravel() == number), np.flatnonzero(weeks))
        found[place] = series[place] - (series[place] @ basis) @ basis.T
    return found


def orthonormal(regressors: Array) -> Array:
    """Return (n, rank) orthonormal columns that span the regressors (q, n) about their means."""
    away = regressors - regressors.mean(axis=1, keepdims=True)
    scale = np.sqrt((away**2).sum(axis=1, keepdims=True))
    vectors, values, _ = np.linalg.svd((away / np.where(scale > 0, scale, 1.0)).T, full_matrices=False)
    return np.asarray(vectors[:, values > 1e-9])


def share_left(n: NDArray[np.int64], regressors: Array | None) -> Array:
    """Return the share of independent products among n that regressors leave: |T| is multiplied by its root.

    Both series lose the same directions, so that the sum of their products varies like that of n - q products while
    the sum of squares does not notice.
    """
    q = 0 if regressors is None or not len(regressors) else orthonormal(regressors).shape[1]
    return np.asarray(np.maximum(n - q, 0) / np.maximum(n, 1))


def out_of_draws(drawn: NDArray[np.float32], regressors: Array | None, present: NDArray[np.bool_]) -> None:
    """Take the regressors out of null draws (m, n, draws) in place, in the weeks each series has (m, n)."""
    if regressors is None or not len(regressors):
        return
    for row, weeks in enumerate(present):
        basis = orthonormal(regressors[:, weeks]).astype(np.float32)
        values = drawn[row, weeks] - drawn[row, weeks].mean(axis=0)
        drawn[row, weeks] = values - basis @ (basis.T @ values)
