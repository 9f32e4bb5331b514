"""Where the variance of answers comes from: weeks, seeds, wordings, and their interactions.

Takes a complete table of answers (weeks, seeds, wordings), gives variance components. Knows no file.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from temporal_adapters.engines.significance import Array
from temporal_adapters.ground.errors import ValidityError


@dataclass(frozen=True)
class Components:
    """Variance components of a fully crossed random design without replication.

    Attributes
    ----------
    variance
        Effect -> estimate, such as ``week``, ``week:wording``; the interaction of all factors is what is left.
        Negative estimates are kept: they say that the component is not distinguishable from 0.
    n
        Factor -> number of levels.
    """

    variance: Mapping[str, float]
    n: Mapping[str, int]

    def reliability(self, n: Mapping[str, int] | None = None) -> float:
        """Return the share of week variance in the mean over `n` levels of the other factors, for correlations.

        Only interactions with the week count as error: a constant level of a seed or wording moves no correlation.
        """
        sizes = {**self.n, **(n or {})}
        signal = max(self.variance["week"], 0.0)
        error = sum(
            max(value, 0.0) / np.prod([sizes[factor] for factor in name.split(":") if factor != "week"])
            for name, value in self.variance.items()
            if name.startswith("week:")
        )
        return float(signal / (signal + error)) if signal + error > 0 else 0.0


def components(table: Array, factors: tuple[str, ...] = ("week", "seed", "wording")) -> Components:
    """Estimate variance components by equating mean squares with their expectations.

    Parameters
    ----------
    table
        One axis per factor, complete. Factors with one level are dropped.
    factors
        Names of the axes; ``week`` comes first.

    Raises
    ------
    ValidityError
        If a value is missing, or nothing but weeks is left.
    """
    if not np.isfinite(table).all():
        raise ValidityError("variance components need an answer for every week, seed and wording")
    kept = tuple(place for place in range(table.ndim) if table.shape[place] > 1)
    names = tuple(factors[place] for place in kept)
    if len(names) < 2 or names[0] != "week":
        raise ValidityError("variance components need at least 2 weeks and 2 seeds or wordings")
    table = table.reshape([table.shape[place] for place in kept])
    squares = _mean_squares(table, names)
    variance: dict[str, float] = {}
    for size in range(len(names), 0, -1):
        for effect in itertools.combinations(names, size):
            over = [other for other in _effects(names) if set(effect) < set(other)]
            above = sum(_outside(other, table.shape, names) * variance[":".join(other)] for other in over)
            variance[":".join(effect)] = (squares[effect] - above) / _outside(effect, table.shape, names)
    ordered = {":".join(effect): variance[":".join(effect)] for effect in _effects(names)}
    return Components(ordered, dict(zip(names, table.shape, strict=True)))


def _effects(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [effect for size in range(1, len(names) + 1) for effect in itertools.combinations(names, size)]


def _outside(effect: tuple[str, ...], shape: tuple[int, ...], names: tuple[str, ...]) -> float:
    return float(np.prod([size for name, size in zip(names, shape, strict=True) if name not in effect] or [1]))


def _mean_squares(table: Array, names: tuple[str, ...]) -> dict[tuple[str, ...], float]:
    found = {}
    for effect in _effects(names):
        contrast = np.zeros_like(table)
        for size in range(len(effect) + 1):
            for part in itertools.combinations(effect, size):
                axes = tuple(place for place, name in enumerate(names) if name not in part)
                contrast = contrast + (-1) ** (len(effect) - size) * table.mean(axis=axes, keepdims=True)
        freedom = np.prod([table.shape[names.index(name)] - 1 for name in effect])
        found[effect] = float((contrast**2).sum() / freedom)
    return found
