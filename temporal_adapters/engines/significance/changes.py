"""Test D: do the week-to-week changes of two series move together?

Takes arrays of weekly values, gives statistics and p-values. Knows no week, question or file.

Both series are prewhitened by autoregressions, their residuals become centred signed ranks a and b, and for lag k
(positive = the first series, the model, leads) the products e_t = a_t b_{t+k} are summed and divided by the root of
their sum of squares (`flips`). The null distribution flips the sign of whole weeks of the first series, the same signs
for every lag, question and setting. Deviation from Dalla, Giraitis and Phillips (2022): ranks instead of raw products
(one week can carry most of the evidence otherwise) and random signs instead of the normal limit (n is 30 to 150).

A missing week takes its own pair only: what the next week adds is measured against the last week that both series
have, by the Kalman filter of each autoregression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from temporal_adapters.engines.significance import flips, multiplicity
from temporal_adapters.engines.significance.adjusting import adjusted, share_left
from temporal_adapters.engines.significance.autoregression import Array
from temporal_adapters.engines.significance.flips import DRAWS
from temporal_adapters.engines.significance.pairs import pearson, shifted
from temporal_adapters.engines.significance.whitening import Whitened, beside, missing_inside, reordered, whiten


def signed_ranks(residuals: Array) -> Array:
    """Return sign(u - median) times the rank of |u - median| over n, centred, per row; NaN stays NaN."""
    present = np.isfinite(residuals)
    away = residuals - np.nanmedian(residuals, axis=-1, keepdims=True)
    ranks = stats.rankdata(np.where(present, np.abs(away), np.inf), axis=-1)
    signed = np.where(present, np.sign(away) * ranks, np.nan) / present.sum(axis=-1, keepdims=True)
    return np.asarray(signed - np.nanmean(signed, axis=-1, keepdims=True))


def met(first: Array, second: Array, lags: Sequence[int]) -> tuple[Array, Array]:
    """Return both sides (m, lags, n) in the weeks of the first: at lag l its week t meets week t + l of the second.

    Sides are (m, lags, n), or (m, 1, n) where one row serves all lags.
    """
    shape = (*first.shape[:-2], len(lags), first.shape[-1])
    first, second = np.broadcast_to(first, shape), np.broadcast_to(second, shape)
    moved = [shifted(second[..., place, :], lag) for place, lag in enumerate(lags)]
    return first, np.stack(moved, axis=-2)


@dataclass(frozen=True)
class Heaviest:
    """How much a few weeks carry.

    Attributes
    ----------
    weeks
        (m, lags, k) weeks whose products of what they add, not of its ranks, speak most for the statistic's sign.
    share
        (m, lags) their share of the sum of all such products' absolute values, 0-1.
    r_without, p_without
        (m, lags) correlation of signed ranks and p-value without these weeks, same signs.
    """

    weeks: NDArray[np.int64]
    share: Array
    r_without: Array
    p_without: Array


@dataclass(frozen=True)
class Changes:
    """Test D of m pairs of series at some lags; null draws are made when a p-value is first asked for.

    Attributes
    ----------
    lags
        Lags in weeks, positive = the first series leads.
    white
        Both sides, prewhitened.
    added
        Both sides' (m, lags, n) of what each week adds, the second side moved to the weeks of the first; NaN where a
        week has none.
    ranks
        Their signed ranks.
    statistic
        (m, lags) self-normalised sums T; positive where changes go the same way.
    left
        (m, lags) share of the products that what was adjusted for has left.
    draws, seed, own_signs
        How null draws are made.
    """

    lags: tuple[int, ...]
    white: tuple[Whitened, Whitened]
    added: tuple[Array, Array]
    ranks: tuple[Array, Array]
    statistic: Array
    left: Array
    draws: int
    seed: tuple[int, ...]
    own_signs: bool

    @cached_property
    def terms(self) -> Array:
        """(m, lags, n) products of the signed ranks, NaN where a week has none."""
        return self.ranks[0] * self.ranks[1]

    @cached_property
    def signs(self) -> Array:
        """(draws, n) random signs."""
        return flips.signs(self.draws, self.terms.shape[-1], self.seed)

    def null(self, terms: Array) -> Array:
        """Return |T| of such terms (m, lags, n) under the null, (draws, m, lags), by the same signs every time."""
        if not self.own_signs:
            return flips.null(terms, self.signs)
        rows = range(len(terms))
        parts = [flips.null(terms[row], flips.signs(self.draws, terms.shape[-1], [*self.seed, row])) for row in rows]
        return np.stack(parts, axis=1)

    @cached_property
    def drawn(self) -> Array:
        """(draws, m, lags) null draws of |T|."""
        return self.null(self.terms)

    @cached_property
    def p(self) -> Array:
        """(m, lags) p-value of every pair and lag alone."""
        return flips.p_values(self.statistic, self.drawn)

    @cached_property
    def p_over_lags(self) -> Array:
        """(m, lags) p-values of pairs that are no family: each |T| against the largest of its own pair's lags."""
        return flips.p_values(self.statistic, self.drawn.max(axis=-1)[..., None])

    @cached_property
    def p_family(self) -> Array:
        """(m, lags) family-wise p-values over all pairs and lags: step-down maxima (Westfall and Young 1993)."""
        flat = multiplicity.max_t(self.statistic.ravel(), self.drawn.reshape(len(self.drawn), -1))
        return flat.reshape(self.statistic.shape)

    def critical(self, alpha: float) -> float:
        """Return the |T| that the largest of the family exceeds by chance with probability `alpha`."""
        return float(np.quantile(self.drawn.reshape(len(self.drawn), -1).max(axis=1), 1 - alpha))

    def correlation(self, lags: Sequence[int]) -> tuple[Array, NDArray[np.int64]]:
        """Return r of the signed ranks at these lags (m, lags), and the pairs of weeks behind each."""
        a, b = _ranks(_added(*self.white, lags), lags)
        return pearson(a, b), np.asarray(np.isfinite(a * b).sum(axis=-1), dtype=np.int64)

    def heaviest(self, count: int = 1) -> Heaviest:
        """Return the weeks that speak most for each statistic by raw products, and what is left without them.

        By ranks no week can carry much; by raw products one week of a crisis can carry most.
        """
        raw = np.nan_to_num((self.added[0] - _mean(self.added[0])) * (self.added[1] - _mean(self.added[1])))
        toward = raw * np.where(self.statistic < 0, -1.0, 1.0)[..., None]
        weeks = np.argsort(-toward, axis=-1, kind="stable")[..., :count]
        share = np.take_along_axis(toward, weeks, axis=-1).sum(axis=-1) / np.maximum(np.abs(raw).sum(axis=-1), 1e-300)
        first, terms = self.ranks[0].copy(), self.terms.copy()
        for side in (first, terms):
            np.put_along_axis(side, weeks, np.nan, axis=-1)
        return Heaviest(weeks, share, pearson(first, self.ranks[1]), self._p_of(terms))

    def p_at_order(self, shift: int) -> Array:
        """Return the p-values (m, lags) with both autoregressions longer by `shift` (or shorter), same signs."""
        first, second = (reordered(side, shift) for side in self.white)
        a, b = _ranks(_added(first, second, self.lags), self.lags)
        return self._p_of(a * b)

    def _p_of(self, terms: Array) -> Array:
        return flips.p_values(flips.statistic(terms) * np.sqrt(self.left), self.null(terms))


def changes(
    x: Array,
    y: Array,
    lags: Sequence[int] = (0,),
    *,
    draws: int = DRAWS,
    seed: int | Sequence[int] = 0,
    own_signs: bool = False,
    adjust: Array | None = None,
) -> Changes:
    """Test whether the changes of two weekly series move together (test D).

    Parameters
    ----------
    x, y
        (n,) or (m, n) weekly values on one grid of weeks, NaN where missing; row i of one meets row i of the other,
        a single row meets all.
    lags
        Lags in weeks, fixed before looking; positive = `x` leads.
    draws, seed
        Null draws and their seed.
    own_signs
        Give every row signs of its own, from `seed` and its number: for rows that are independent worlds. Common signs
        keep the dependence of rows that are a family.

    adjust
        (q, n) weekly regressors that are taken out of both series first, such as those of a calendar.

    Returns
    -------
    Changes
        With m = 1 for single series.

    Raises
    ------
    CorrelateError
        If a series is constant or has too few pairs of consecutive weeks.

    Examples
    --------
    >>> import numpy as np
    >>> shared = np.random.default_rng(1).standard_normal(60)
    >>> noise = np.random.default_rng(2).standard_normal((2, 60))
    >>> found = changes(np.cumsum(shared + noise[0]), np.cumsum(shared + noise[1]), draws=999)
    >>> found.p.shape, bool(found.p[0, 0] < 0.01)
    ((1, 1), True)
    """
    sides = [adjusted(np.atleast_2d(np.asarray(side, dtype=np.float64)), adjust) for side in (x, y)]
    white = (whiten(sides[0]), whiten(sides[1]))
    how = (draws, (seed,) if isinstance(seed, int) else tuple(seed), own_signs)
    added = _added(*white, lags)
    ranks = _ranks(added, lags)
    terms = ranks[0] * ranks[1]
    left = share_left(np.isfinite(terms).sum(axis=-1), adjust)
    t = flips.statistic(terms) * np.sqrt(left)
    return Changes(tuple(lags), white, met(*added, lags), ranks, t, left, *how)


def _mean(values: Array) -> Array:
    return np.asarray(np.nanmean(values, axis=-1, keepdims=True))


def _ranks(added: tuple[Array, Array], lags: Sequence[int]) -> tuple[Array, Array]:
    """Return the signed ranks of both sides (m, lags, n), the second moved to the weeks of the first."""
    a, b = np.broadcast_arrays(*(signed_ranks(side) for side in added))
    return met(a, b, lags)


def _added(first: Whitened, second: Whitened, lags: Sequence[int]) -> tuple[Array, Array]:
    """Return what each week adds to the last that both sides have, each side in its own weeks; (m, 1, n) without gaps.

    Where the week before is there on both sides that is the residual of the regression.
    """
    if not any(missing_inside(np.isfinite(side.series)).any() for side in (first, second)):
        return first.residuals[:, None], second.residuals[:, None]
    meets_first = np.stack([np.isfinite(shifted(second.series, lag)) for lag in lags], axis=-2)
    meets_second = np.stack([np.isfinite(shifted(first.series, -lag)) for lag in lags], axis=-2)
    return beside(first, meets_first), beside(second, meets_second)
