"""Is the model's correlation with the survey larger than a baseline's?

Takes three correlations that share the survey, gives a test of their difference. Knows no series' meaning.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from temporal_adapters.engines.significance import Array, effective, pearson
from temporal_adapters.ground.errors import ValidityError


@dataclass(frozen=True)
class Contrast:
    """Difference of two correlations with the same survey.

    Attributes
    ----------
    difference
        r(model, survey) - r(baseline, survey).
    t, p
        Williams' t and its two-sided p-value.
    ci_low, ci_high
        Zou's (2007) interval of the difference.
    n
        Effective weeks used.
    """

    difference: float
    t: float
    p: float
    ci_low: float
    ci_high: float
    n: float


def compare(r_model: float, r_baseline: float, r_between: float, n: float, confidence: float = 0.95) -> Contrast:
    """Compare two overlapping dependent correlations (Williams 1959, as recommended by Steiger 1980).

    Raises
    ------
    ValidityError
        If fewer than 4 (effective) weeks are there.
    """
    if n <= 4:
        raise ValidityError(f"{n:.1f} effective weeks are too few to compare two correlations")
    determinant = 1 - r_model**2 - r_baseline**2 - r_between**2 + 2 * r_model * r_baseline * r_between
    mean = (r_model + r_baseline) / 2
    below = 2 * determinant * (n - 1) / (n - 3) + mean**2 * (1 - r_between) ** 3
    t = (r_model - r_baseline) * math.sqrt((n - 1) * (1 + r_between) / max(below, 1e-300))
    low, high = _zou(r_model, r_baseline, r_between, n, confidence)
    return Contrast(r_model - r_baseline, t, float(2 * stats.t.sf(abs(t), n - 3)), low, high, n)


def _zou(first: float, second: float, between: float, n: float, confidence: float) -> tuple[float, float]:
    limits = [effective.fisher_interval(np.array(r), np.array(n), confidence) for r in (first, second)]
    (low_1, high_1), (low_2, high_2) = ((float(low), float(high)) for low, high in limits)
    shared = (between - first * second / 2) * (1 - first**2 - second**2 - between**2) + between**3
    r = shared / max((1 - first**2) * (1 - second**2), 1e-300)
    down = (first - low_1) ** 2 + (high_2 - second) ** 2 - 2 * r * (first - low_1) * (high_2 - second)
    up = (high_1 - first) ** 2 + (second - low_2) ** 2 - 2 * r * (high_1 - first) * (second - low_2)
    difference = first - second
    return difference - math.sqrt(max(down, 0.0)), difference + math.sqrt(max(up, 0.0))


def contrast(model: Array, baseline: Array, survey: Array) -> Contrast:
    """Compare two series' correlations with the survey on the weeks all three have, with effective weeks."""
    every = np.isfinite(model) & np.isfinite(baseline) & np.isfinite(survey)
    sides = [np.where(every, side, np.nan)[None] for side in (model, baseline, survey)]
    pairs = ((0, 2), (1, 2), (0, 1))
    r = [float(pearson(sides[a], sides[b])[0]) for a, b in pairs]
    n = min(float(effective.effective_weeks(sides[a], sides[b])[0]) for a, b in pairs[:2])
    return compare(r[0], r[1], r[2], n)
