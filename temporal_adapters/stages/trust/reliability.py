"""How much of a series is signal: sampling error, agreement between seeds, and what they do to a correlation.

Takes values with standard errors or raters' ratings, gives reliabilities and corrected correlations. Knows no week.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from temporal_adapters.engines.significance import Array, effective
from temporal_adapters.ground.errors import ValidityError


def sampling_reliability(values: Array, errors: Array) -> float:
    """Return 1 - mean squared standard error / variance of `values`, between 0 and 1.

    Raises
    ------
    ValidityError
        If there are fewer than three values with an error, or the values do not vary.
    """
    both = np.isfinite(values) & np.isfinite(errors)
    if both.sum() < 3:
        raise ValidityError(f"{int(both.sum())} values have a standard error, reliability needs at least 3")
    variance = float(values[both].var(ddof=1))
    if variance <= 0:
        raise ValidityError("a constant series has no reliability")
    return float(np.clip(1 - (errors[both] ** 2).mean() / variance, 0.0, 1.0))


@dataclass(frozen=True)
class Agreement:
    """Seeds as raters of weeks.

    Attributes
    ----------
    single, average
        ICC(A,1) and ICC(A,k): absolute agreement of one seed, and of the mean of all k (McGraw and Wong 1996).
    single_low, single_high
        95 % interval of ICC(A,1).
    consistency
        ICC(C,1): agreement after removing every seed's own level, which is what a correlation needs.
    n_weeks, n_raters
        Size of the table.
    raters_for_90
        Seeds whose mean reaches a consistency of .9 (Spearman-Brown); None where no number does.
    """

    single: float
    average: float
    single_low: float
    single_high: float
    consistency: float
    n_weeks: int
    n_raters: int
    raters_for_90: int | None


def agreement(ratings: Array) -> Agreement:
    """Return the intraclass correlations of `ratings` (weeks, raters); weeks with a missing rating are left out.

    Raises
    ------
    ValidityError
        If fewer than 3 weeks or 2 raters are left.
    """
    table = ratings[np.isfinite(ratings).all(axis=1)]
    n, k = table.shape
    if n < 3 or k < 2:
        raise ValidityError(f"agreement needs at least 3 weeks rated by 2 seeds, there are {n} weeks and {k} seeds")
    rows, columns, error = mean_squares(table)
    if rows <= 0 or error <= 0:
        raise ValidityError("ratings without variance between weeks or within them have no agreement")
    single = (rows - error) / (rows + (k - 1) * error + k * (columns - error) / n)
    average = (rows - error) / (rows + (columns - error) / n)
    low, high = _interval(rows, columns, error, n, k, single)
    consistency = (rows - error) / (rows + (k - 1) * error)
    return Agreement(single, average, low, high, consistency, n, k, spearman_brown_raters(consistency, 0.9))


def mean_squares(table: Array) -> tuple[float, float, float]:
    """Return the mean squares of rows, columns and residual of a two-way table without replication."""
    n, k = table.shape
    grand = table.mean()
    rows = k * ((table.mean(axis=1) - grand) ** 2).sum() / (n - 1)
    columns = n * ((table.mean(axis=0) - grand) ** 2).sum() / (k - 1)
    residual = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0, keepdims=True) + grand
    return float(rows), float(columns), float((residual**2).sum() / ((n - 1) * (k - 1)))


def _interval(rows: float, columns: float, error: float, n: int, k: int, single: float) -> tuple[float, float]:
    """Return the 95 % interval of ICC(A,1) (McGraw and Wong 1996, table 7)."""
    a = k * single / (n * (1 - single)) if single < 1 else math.inf
    b = 1 + k * single * (n - 1) / (n * (1 - single)) if single < 1 else math.inf
    if not math.isfinite(a):
        return 1.0, 1.0
    freedom = (a * columns + b * error) ** 2 / ((a * columns) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1)))
    upper, lower = stats.f.ppf(0.975, n - 1, freedom), stats.f.ppf(0.975, freedom, n - 1)
    rest = k * columns + (k * n - k - n) * error
    low = n * (rows - upper * error) / (upper * rest + n * rows)
    high = n * (lower * rows - error) / (rest + n * lower * rows)
    return float(low), float(high)


def spearman_brown(reliability: float, times: float) -> float:
    """Return the reliability of the mean of `times` as many raters."""
    return times * reliability / (1 + (times - 1) * reliability)


def spearman_brown_raters(single: float, wanted: float) -> int | None:
    """Return how many raters of reliability `single` reach `wanted`; None if one is worth nothing."""
    if single <= 0:
        return None
    return max(1, math.ceil(wanted * (1 - single) / (single * (1 - wanted)) - 1e-9))


@dataclass(frozen=True)
class Corrected:
    """A correlation freed of measurement error.

    Attributes
    ----------
    ceiling
        Largest |r| that two series of these reliabilities can show: the root of their product.
    r, ci_low, ci_high
        r over the ceiling, and its interval; beyond 1 where the data say so.
    """

    ceiling: float
    r: float
    ci_low: float
    ci_high: float


def disattenuate(
    r: float, n_effective: float, reliability_x: float, reliability_y: float, n: int, confidence: float = 0.95
) -> Corrected:
    """Return r corrected for attenuation with an interval that counts the uncertainty of both reliabilities.

    Delta method: the squared error of r over the ceiling (Fisher's on `n_effective` pairs), plus the square of the
    corrected r times a quarter of the squared relative errors of the reliabilities, each taken as 1 - F with F the
    ratio of two variances over n weeks. Spearman 1904; the treatment of reliabilities as estimates follows Charles 2005
    in spirit, with our own variances.

    Raises
    ------
    ValidityError
        If a reliability is 0: nothing can be corrected then.
    """
    if reliability_x <= 0 or reliability_y <= 0:
        raise ValidityError("a series whose variance is all error has no correlation to correct")
    ceiling = math.sqrt(reliability_x * reliability_y)
    corrected = r / ceiling
    freedom = max(n_effective - effective.MIN_EFFECTIVE, 1e-9)
    variance = ((1 - r**2) / ceiling) ** 2 / freedom
    for reliability in (reliability_x, reliability_y):
        variance += corrected**2 * 0.25 * 2 * ((1 - reliability) / reliability) ** 2 / max(n - 1, 1)
    half = stats.norm.ppf(0.5 + confidence / 2) * math.sqrt(variance)
    return Corrected(ceiling, corrected, corrected - half, corrected + half)
