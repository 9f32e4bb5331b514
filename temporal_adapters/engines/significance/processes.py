"""Pairs of made-up series with a known relation: what error rates and power are measured on.

Takes a name, sizes and a seed, gives arrays. Knows no test.

Every function returns two (m, n) arrays: m independent worlds of n weeks. In the null processes the two series are
independent of each other apart from what the name says they share.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from temporal_adapters.engines.significance import autoregression
from temporal_adapters.engines.significance.autoregression import Array

Pair = tuple[Array, Array]


def ar1(noise: Array, phi: float) -> Array:
    """Return stationary AR(1) rows driven by `noise` (m, n) of unit variance."""
    coefficients = np.full((len(noise), 1), phi)
    return autoregression.draw(coefficients, noise.shape[1], noise[..., None].copy())[..., 0]


def correlated(rng: np.random.Generator, m: int, n: int, phi: tuple[float, float], r: float, lag: int = 0) -> Pair:
    """Return AR(1) pairs whose innovations are correlated by `r`, the first leading by `lag` weeks.

    With equal persistence `r` is also the correlation of the levels.
    """
    reach = abs(lag)
    first = rng.standard_normal((m, n + reach))
    other = rng.standard_normal((m, n + reach))
    second = r * first + np.sqrt(1 - r**2) * other
    x, y = ar1(first, phi[0]), ar1(second, phi[1])
    start_x, start_y = max(lag, 0), max(-lag, 0)
    return x[:, start_x : start_x + n], y[:, start_y : start_y + n]


def independent(rng: np.random.Generator, m: int, n: int, phi: float) -> Pair:
    """Return independent AR(1) pairs of equal persistence."""
    return correlated(rng, m, n, (phi, phi), 0.0)


def random_walks(rng: np.random.Generator, m: int, n: int) -> Pair:
    """Return independent Gaussian random walks."""
    return np.cumsum(rng.standard_normal((m, n)), axis=1), np.cumsum(rng.standard_normal((m, n)), axis=1)


def heavy_tails(rng: np.random.Generator, m: int, n: int, phi: float = 0.5) -> Pair:
    """Return AR(1) pairs driven by uncorrelated bivariate t shocks with 3 degrees of freedom.

    Large shocks come in the same weeks, in unrelated directions.
    """
    scale = 1.0 / np.sqrt(rng.chisquare(3, (m, n)) / 3)
    return ar1(rng.standard_normal((m, n)) * scale, phi), ar1(rng.standard_normal((m, n)) * scale, phi)


def volatility_bursts(rng: np.random.Generator, m: int, n: int, phi: float = 0.5) -> Pair:
    """Return AR(1) pairs whose shocks are four times larger in one common burst of a fifth of the weeks."""
    length = n // 5
    start = rng.integers(0, n - length + 1, (m, 1))
    week = np.arange(n)
    scale = np.where((week >= start) & (week < start + length), 4.0, 1.0)
    return ar1(rng.standard_normal((m, n)) * scale, phi), ar1(rng.standard_normal((m, n)) * scale, phi)


def common_trend(rng: np.random.Generator, m: int, n: int, phi: float = 0.5, rise: float = 2.0) -> Pair:
    """Return independent AR(1) pairs on the same line, which rises by `rise` standard deviations of the series."""
    line = np.linspace(0.0, rise, n) / np.sqrt(1 - phi**2)
    x, y = independent(rng, m, n, phi)
    return x + line, y + line


def common_step(rng: np.random.Generator, m: int, n: int, phi: float = 0.5, height: float = 2.0) -> Pair:
    """Return independent AR(1) pairs that step up by `height` standard deviations in one week of the middle half."""
    week = rng.integers(n // 4, 3 * n // 4, (m, 1))
    step = np.where(np.arange(n) >= week, height, 0.0) / np.sqrt(1 - phi**2)
    x, y = independent(rng, m, n, phi)
    return x + step, y + step


SHARED: dict[str, Callable[[np.random.Generator, int, int], Pair]] = {
    "random walks": random_walks,
    "heavy-tailed common shocks": heavy_tails,
    "common volatility bursts": volatility_bursts,
    "common trend": common_trend,
    "common trend, 4 SD": partial(common_trend, rise=4.0),
    "common step": common_step,
    "common step, 4 SD": partial(common_step, height=4.0),
}
"""Null processes that share something which is not week-to-week movement."""
