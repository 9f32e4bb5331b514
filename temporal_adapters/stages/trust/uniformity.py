"""Are the p-values of unrelated series uniform, as those of an honest test are?

Takes pairs of series that should not be related, gives their p-values by tests D and L and Kolmogorov and Smirnov's
distance from the uniform distribution. Knows not where the series come from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from temporal_adapters.engines.significance import Array, changes, pearson
from temporal_adapters.engines.significance.levels import levels
from temporal_adapters.ground.errors import ValidityError

LEAST_PAIRS = 10
"""Pairs below which no distribution is compared."""

_SIGN_STREAM, _LEVEL_STREAM, _STEP_STREAM = 1, 2, 3


@dataclass(frozen=True)
class Uniform:
    """Kolmogorov and Smirnov's test of p-values against the uniform distribution.

    Attributes
    ----------
    distance, p
        Largest distance of the distribution functions, and the two-sided p-value of such a distance.
    n
        p-values compared.
    """

    distance: float
    p: float
    n: int


@dataclass(frozen=True)
class Unrelated:
    """Pairs of series that should not be related.

    Attributes
    ----------
    r
        (m,) Pearson's r of the levels.
    p_changes, p_levels
        (m,) p-values by tests D and L, each alone.
    changes, levels
        Whether they are uniform.
    mean_r, mean_r_se
        Mean of r, and its standard error if the pairs are independent.
    """

    r: Array
    p_changes: Array
    p_levels: Array
    changes: Uniform
    levels: Uniform
    mean_r: float
    mean_r_se: float


def unrelated(first: Array, second: Array, draws: int = 999, seed: int = 1) -> Unrelated:
    """Test pairs of series row by row and compare the p-values with the uniform distribution.

    Parameters
    ----------
    first, second
        (m, n) weekly values, the lag applied, NaN where missing; row i of one belongs to row i of the other. Rows must
        be independent of each other for p and standard error to mean anything: of a world with many options take one.
        Where `second` repeats a series, its rows are independent only for given series.
    draws, seed
        Null draws of every test, and their seed. Every row has signs of its own.

    Raises
    ------
    ValidityError
        If there are fewer than 10 pairs, or a series does not vary.
    """
    if first.shape != second.shape or len(first) < LEAST_PAIRS:
        raise ValidityError(f"{len(first)} pairs of series are too few to see a distribution: {LEAST_PAIRS} are needed")
    r = pearson(first, second)
    if not np.isfinite(r).all():
        raise ValidityError(f"pair {int(np.argmin(np.isfinite(r)))} has a series that does not vary")
    by_changes, by_levels = p_values(first, second, draws, seed)
    return Unrelated(
        r=r,
        p_changes=by_changes,
        p_levels=by_levels,
        changes=uniform(by_changes, draws, seed),
        levels=uniform(by_levels, draws, seed),
        mean_r=float(r.mean()),
        mean_r_se=float(r.std(ddof=1) / np.sqrt(len(r))),
    )


def p_values(first: Array, second: Array, draws: int, seed: int) -> tuple[Array, Array]:
    """Return every row's p-values by tests D and L; common signs would make the rows' p-values dependent."""
    moved = changes(first, second, draws=draws, seed=[seed, _SIGN_STREAM], own_signs=True)
    return moved.p[:, 0], levels(first, second, draws=draws, seed=[seed, _LEVEL_STREAM], joint=False).p[:, 0]


def uniform(p: Array, draws: int, seed: int = 1) -> Uniform:
    """Compare p-values (1 + k) / (draws + 1) with the uniform distribution.

    Such p-values are discrete; each is spread evenly over its step of 1 / (draws + 1), below it, which makes those of
    an exact test exactly uniform, so that the ordinary Kolmogorov-Smirnov test applies.
    """
    rng = np.random.default_rng([seed, _STEP_STREAM])
    found = stats.kstest(p - rng.uniform(0.0, 1.0, len(p)) / (draws + 1), "uniform")
    return Uniform(float(found.statistic), float(found.pvalue), len(p))
