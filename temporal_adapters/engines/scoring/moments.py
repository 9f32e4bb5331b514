"""Scales as numbers: mean, variance, top minus bottom, and the distance between two answers.

Takes shares over ordered options with values, gives moments. Pure arithmetic; nonresponse never enters.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Moments:
    """An answer distribution on a scale.

    Attributes
    ----------
    mean, variance
        E = sum of value times share, and the variance around it.
    top_minus_bottom
        Share of the two highest values minus share of the two lowest (one and one on scales of three or fewer points).
    """

    mean: float
    variance: float
    top_minus_bottom: float


def moments(values: Sequence[float], shares: Sequence[float]) -> Moments:
    """Return the moments of a distribution.

    Parameters
    ----------
    values
        Values of the substantive options.
    shares
        Their shares; sum to 1.
    """
    mean = math.fsum(value * share for value, share in zip(values, shares, strict=True))
    variance = math.fsum(share * (value - mean) ** 2 for value, share in zip(values, shares, strict=True))
    ranked = [share for _, share in sorted(zip(values, shares, strict=True))]
    reach = 2 if len(ranked) > 3 else 1
    return Moments(mean, variance, math.fsum(ranked[-reach:]) - math.fsum(ranked[:reach]))


def ordinal_distance(values: Sequence[float], one: Sequence[float], other: Sequence[float]) -> float:
    """Return the earth mover's distance between two distributions on the same scale, in units of its values.

    The sum over neighbouring values of their gap times the absolute difference of the cumulative shares.
    """
    ranked = sorted(zip(values, one, other, strict=True))
    total, ahead = 0.0, 0.0
    for (value, a, b), (upper, _, _) in itertools.pairwise(ranked):
        ahead += a - b
        total += abs(ahead) * (upper - value)
    return total
