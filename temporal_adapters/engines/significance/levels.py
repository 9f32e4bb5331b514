"""Test L: do the levels of two series move together beyond what their persistence produces?

Takes arrays of weekly values, gives correlations and p-values. Knows no week, question or file.

The null draws both series independently of each other from their own autoregressions (order by AIC up to 4, bias
corrected after Kilian 1998, Gaussian innovations), with the same missing weeks, and correlates them
at the same lags. Within one side the innovations keep the correlation between questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from temporal_adapters.engines.significance import autoregression, flips, multiplicity
from temporal_adapters.engines.significance.adjusting import adjusted, out_of_draws
from temporal_adapters.engines.significance.autoregression import Array
from temporal_adapters.engines.significance.flips import DRAWS
from temporal_adapters.engines.significance.pairs import correlations, pearson

Draws = NDArray[np.float32]
"""Null draws: single precision is far finer than their sampling error and halves the time."""

DRAWS_AT_ONCE = 500
"""Draws held in memory together: 150 weeks x 40 questions x 500 stay within the processor's cache hierarchy."""


@dataclass(frozen=True)
class Levels:
    """Test L of m pairs of series at some lags.

    Attributes
    ----------
    lags
        Lags in weeks, positive = the first series leads.
    r
        (m, lags) Pearson's r of the levels.
    drawn
        (draws, m, lags) null draws of |r|.
    """

    lags: tuple[int, ...]
    r: Array
    drawn: Array

    @cached_property
    def p(self) -> Array:
        """(m, lags) p-value of every pair and lag alone."""
        return flips.p_values(self.r, self.drawn)

    @cached_property
    def p_over_lags(self) -> Array:
        """(m, lags) p-values of pairs that are no family: each |r| against the largest of its own pair's lags."""
        return flips.p_values(self.r, self.drawn.max(axis=-1)[..., None])

    @cached_property
    def p_family(self) -> Array:
        """(m, lags) family-wise p-values over all pairs and lags: step-down maxima of studentised Fisher z."""
        flat = self.drawn.reshape(len(self.drawn), -1)
        return multiplicity.max_t(*multiplicity.studentised(self.r.ravel(), flat)).reshape(self.r.shape)


def levels(
    x: Array,
    y: Array,
    lags: Sequence[int] = (0,),
    *,
    draws: int = DRAWS,
    seed: int | Sequence[int] = 0,
    joint: bool = True,
    adjust: Array | None = None,
) -> Levels:
    """Test whether the levels of two weekly series move together beyond what persistence produces (test L).

    Parameters
    ----------
    x, y
        (n,) or (m, n) weekly values on one grid of weeks, NaN where missing; row i of one meets row i of the other,
        a single row meets all.
    lags
        Lags in weeks, fixed before looking; positive = `x` leads.
    draws, seed
        Null draws and their seed.
    joint
        Keep the correlation of innovations between rows of one side (questions of one study); off for rows that are
        independent worlds.
    adjust
        (q, n) weekly regressors that are taken out of both series, and of every null draw.

    Returns
    -------
    Levels
        With m = 1 for single series.

    Raises
    ------
    CorrelateError
        If a series is constant or has too few pairs of consecutive weeks.

    Examples
    --------
    >>> import numpy as np
    >>> walks = np.cumsum(np.random.default_rng(3).standard_normal((2, 60)), axis=1)
    >>> found = levels(walks[0], walks[1], draws=499)
    >>> bool(abs(found.r[0, 0]) < 1), bool(0 < found.p[0, 0] <= 1)
    (True, True)
    """
    sides = [adjusted(np.atleast_2d(np.asarray(side, dtype=np.float64)), adjust) for side in (x, y)]
    first, second = np.broadcast_arrays(*sides)
    drawn = null(first, second, lags, draws, seed, joint, adjust)
    return Levels(tuple(lags), correlations(first, second, lags), drawn)


def null_process(series: Array) -> Array:
    """Return the bias-corrected autoregressive coefficients of each row, order by AIC."""
    order = autoregression.choose_order(series, "aic", autoregression.order_limits(series))
    return autoregression.correct_bias(autoregression.fit(series, order))


def mixing(series: Array) -> Array:
    """Return a matrix that gives independent noise the correlation of the rows' innovations (m, m).

    Correlations come from the weeks each pair of rows shares; the matrix is made positive semi-definite by dropping
    negative eigenvalues.
    """
    order = autoregression.choose_order(series, "aic", autoregression.order_limits(series))
    residuals = autoregression.fit(series, order).residuals
    r = np.nan_to_num(pearson(residuals[:, None, :], residuals[None, :, :]))
    np.fill_diagonal(r, 1.0)
    values, vectors = np.linalg.eigh((r + r.T) / 2)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(root / np.sqrt((root**2).sum(axis=1, keepdims=True)))


def null(
    first: Array,
    second: Array,
    lags: Sequence[int],
    draws: int,
    seed: int | Sequence[int],
    joint: bool = True,
    adjust: Array | None = None,
) -> Array:
    """Return |r| at every lag under independence: (draws, m, lags).

    Parameters
    ----------
    first, second
        (m, n) weekly values, NaN where missing; row i of one is correlated with row i of the other.
    lags
        Weeks by which the first series leads.
    draws, seed
        Number of draws and their seed.
    joint
        Keep the correlation of innovations between rows of one side (questions of one study); off for rows that are
        independent worlds.
    adjust
        (q, n) regressors taken out of every draw; the series given are without them already.
    """
    rng = np.random.default_rng(seed)
    processes = [null_process(series) for series in (first, second)]
    mixers = [mixing(series) if joint and len(series) > 1 else None for series in (first, second)]
    parts = []
    for start in range(0, draws, DRAWS_AT_ONCE):
        size = min(DRAWS_AT_ONCE, draws - start)
        sides = [
            _draw_side(rng, series, process, mixer, size, adjust)
            for series, process, mixer in zip((first, second), processes, mixers, strict=True)
        ]
        parts.append(np.abs(_lagged_correlations(sides[0], sides[1], lags)))
    return np.concatenate(parts)


def _draw_side(
    rng: np.random.Generator,
    series: Array,
    process: Array,
    mixer: Array | None,
    draws: int,
    adjust: Array | None,
) -> Draws:
    noise = rng.standard_normal((*series.shape, draws), dtype=np.float32)
    if mixer is not None:
        noise = np.tensordot(mixer.astype(np.float32), noise, axes=1)
    drawn = autoregression.draw(process, series.shape[1], noise)
    # Near a unit root a draw lies far from 0: single precision would lose its movement in the sums of squares.
    drawn -= drawn[:, :1].copy()
    out_of_draws(drawn, adjust, np.isfinite(series))
    drawn[~np.isfinite(series)] = np.nan
    return drawn


def _lagged_correlations(first: Draws, second: Draws, lags: Sequence[int]) -> Array:
    m, n, draws = first.shape
    found = np.empty((draws, m, len(lags)))
    present_first, present_second = (np.asarray(np.isfinite(side).all(axis=-1)) for side in (first, second))
    for row in range(m):
        for index, lag in enumerate(lags):
            weeks = np.arange(max(0, -lag), min(n, n - lag))
            weeks = weeks[present_first[row, weeks] & present_second[row, weeks + lag]]
            found[:, row, index] = _columnwise(_rows(first[row], weeks), _rows(second[row], weeks + lag))
    return found


def _rows(values: Draws, weeks: NDArray[np.int64]) -> Draws:
    """Return rows of `values`; a view where the weeks are consecutive."""
    if len(weeks) and weeks[-1] - weeks[0] + 1 == len(weeks):
        return values[weeks[0] : weeks[-1] + 1]
    return values[weeks]


def _columnwise(a: Draws, b: Draws) -> Draws:
    n = max(len(a), 1)
    mean_a, mean_b = a.sum(axis=0) / n, b.sum(axis=0) / n
    cross = np.einsum("td,td->d", a, b) - n * mean_a * mean_b
    r: Draws = np.clip(cross / (_deviation(a, mean_a) * _deviation(b, mean_b)), -1.0, 1.0)
    return r


def _deviation(a: Draws, mean: Draws) -> Draws:
    """Return the root of the sum of squares about the mean; where rounding leaves nothing of it infinite, so r = 0."""
    whole = np.einsum("td,td->d", a, a)
    square = whole - len(a) * mean**2
    moving = square > 8 * np.finfo(a.dtype).eps * whole
    return np.sqrt(np.where(moving, square, np.inf))
