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
from temporal_adapters.engines.significance.autoregression import Array
from temporal_adapters.engines.significance.pairs import pearson, shifted
from temporal_adapters.engines.significance.whitening import Whitened, beside, missing_inside, reordered, whiten

DRAWS = 9999
"""Null draws unless others are asked for: the smallest p is then .0001."""


def signed_ranks(residuals: Array) -> Array:
    """Return sign(u - median) times the rank of |u - median| over n, centred, per row; NaN stays NaN."""
    present = np.isfinite(residuals)
    away = residuals - np.nanmedian(residuals, axis=-1, keepdims=True)
    ranks = stats.rankdata(np.where(present, np.abs(away), np.inf), axis=-1)
    signed = np.where(present, np.sign(away) * ranks, np.nan) / present.sum(axis=-1, keepdims=True)
    return np.asarray(signed - np.nanmean(signed, axis=-1, keepdims=True))


def products(first: Array, second: Array, lags: Sequence[int]) -> Array:
    """Return e[..., l, t] = first[..., l, t] * second[..., l, t + lags[l]], NaN where either is missing."""
    return np.stack([a * b for a, b in _meetings(first, second, lags)], axis=-2)


def _meetings(first: Array, second: Array, lags: Sequence[int]) -> list[tuple[Array, Array]]:
    """Return both sides at every lag, the second moved to the weeks of the first; one row serves all lags."""
    shape = (*first.shape[:-2], len(lags), first.shape[-1])
    first, second = np.broadcast_to(first, shape), np.broadcast_to(second, shape)
    return [(first[..., place, :], shifted(second[..., place, :], lag)) for place, lag in enumerate(lags)]


@dataclass(frozen=True)
class Heaviest:
    """How much one week carries.

    Attributes
    ----------
    week
        (m, lags) index of the week whose product speaks most for the statistic's sign.
    share
        (m, lags) its share of the sum of absolute products, 0-1.
    p_without
        (m, lags) p-value without that week, same signs.
    """

    week: NDArray[np.int64]
    share: Array
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
    terms
        (m, lags, n) products of the signed ranks of what each week adds, NaN where a week has none.
    statistic
        (m, lags) self-normalised sums T; positive where changes go the same way.
    draws, seed, own_signs
        How null draws are made.
    """

    lags: tuple[int, ...]
    white: tuple[Whitened, Whitened]
    terms: Array
    statistic: Array
    draws: int
    seed: tuple[int, ...]
    own_signs: bool

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
        moved = _meetings(*_ranks(*self.white, lags), lags)
        r = np.stack([pearson(first, second) for first, second in moved], axis=-1)
        n = np.stack([np.isfinite(first * second).sum(axis=-1) for first, second in moved], axis=-1)
        return r, np.asarray(n, dtype=np.int64)

    @cached_property
    def heaviest(self) -> Heaviest:
        """The week that speaks most for each statistic, and the p-value without it."""
        week, share, rest = flips.heaviest(self.terms)
        return Heaviest(week, share, self._p_of(rest))

    def p_at_order(self, shift: int) -> Array:
        """Return the p-values (m, lags) with both autoregressions longer by `shift` (or shorter), same signs."""
        first, second = (reordered(side, shift) for side in self.white)
        return self._p_of(products(*_ranks(first, second, self.lags), self.lags))

    def _p_of(self, terms: Array) -> Array:
        return flips.p_values(flips.statistic(terms), self.null(terms))


def changes(
    x: Array,
    y: Array,
    lags: Sequence[int] = (0,),
    *,
    draws: int = DRAWS,
    seed: int | Sequence[int] = 0,
    own_signs: bool = False,
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
    sides = (np.atleast_2d(np.asarray(x, dtype=np.float64)), np.atleast_2d(np.asarray(y, dtype=np.float64)))
    white = (whiten(sides[0]), whiten(sides[1]))
    how = (draws, (seed,) if isinstance(seed, int) else tuple(seed), own_signs)
    terms = products(*_ranks(*white, lags), lags)
    return Changes(tuple(lags), white, terms, flips.statistic(terms), *how)


def _ranks(first: Whitened, second: Whitened, lags: Sequence[int]) -> tuple[Array, Array]:
    """Return the signed ranks of both sides, (m, lags, n) and each in its own weeks; (m, 1, n) without gaps."""
    a, b = np.broadcast_arrays(*(signed_ranks(side) for side in _residuals(first, second, lags)))
    return a, b


def _residuals(first: Whitened, second: Whitened, lags: Sequence[int]) -> tuple[Array, Array]:
    """Return what each week adds: over a gap of either side, what it adds to the last week that both have."""
    if not any(missing_inside(np.isfinite(side.series)).any() for side in (first, second)):
        return first.residuals[:, None], second.residuals[:, None]
    met = np.stack([np.isfinite(shifted(second.series, lag)) for lag in lags], axis=-2)
    meets = np.stack([np.isfinite(shifted(first.series, -lag)) for lag in lags], axis=-2)
    return beside(first, met), beside(second, meets)
