"""What may be said about differences between models, and shares from imputed data.

Takes arrays, gives estimates, intervals and p-values. Knows no survey and no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from temporal_adapters.ground.errors import VoteError
from temporal_adapters.vote.metrics import f1_by_class

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

DRAWS = 2000
"""Bootstrap draws: the 2.5 % point of an interval then rests on 50 draws."""

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A figure with its percentile interval.

    Attributes
    ----------
    value
        The figure on the data.
    low, high
        Interval at `LEVEL`.
    p
        Two-sided p-value of "no difference", for differences only.
    """

    value: float
    low: float
    high: float
    p: float | None = None


def bootstrap_matrices(
    respondent: Indices,
    truth: Indices,
    predicted: Sequence[Indices],
    n_classes: int,
    weights: Floats | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[list[Floats], list[Floats]]:
    """Return each model's confusion matrix and its bootstrap draws, the same respondents drawn for every model.

    Parameters
    ----------
    respondent
        shape (n,): whose row this is. With repeated folds somebody has several rows: people are drawn, not rows.
    truth, predicted
        Class indices, shape (n,); one array of predictions per model, where `n_classes` is no answer.
    n_classes, weights
        Number of classes; survey weights, shape (n,).
    draws, seed
        Number of draws; the seed of the draws.

    Returns
    -------
    matrices, drawn
        Per model shape (n_classes, n_classes + 1) as `metrics.confusion`, and (draws, n_classes, n_classes + 1).
    """
    people, row_person = np.unique(respondent, return_inverse=True)
    mass = np.ones(len(truth)) if weights is None else weights
    rng = np.random.default_rng(seed)
    cells = [truth * (n_classes + 1) + model for model in predicted]
    shape = (n_classes, n_classes + 1)
    size = n_classes * (n_classes + 1)
    drawn = [np.empty((draws, size)) for _ in predicted]
    for draw in range(draws):
        times = np.bincount(rng.integers(0, len(people), len(people)), minlength=len(people))[row_person]
        for model, cell in enumerate(cells):
            drawn[model][draw] = np.bincount(cell, weights=mass * times, minlength=size)
    matrices = [np.bincount(cell, weights=mass, minlength=size).astype(float).reshape(shape) for cell in cells]
    return matrices, [found.reshape(draws, *shape) for found in drawn]


def interval(value: float, drawn: Floats) -> Estimate:
    """Return a figure with the percentile interval of its bootstrap draws."""
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, float(low), float(high))


def difference(first: float, second: float, first_drawn: Floats, second_drawn: Floats) -> Estimate:
    """Return first - second with its paired percentile interval and p-value.

    p = (1 + number of draws whose difference is at least as far from the observed one as that is from 0) / (draws + 1):
    the bootstrap distribution shifted to "no difference" (Efron and Tibshirani 1993, chapter 16).
    """
    value = first - second
    drawn = first_drawn - second_drawn
    p = (1 + int((np.abs(drawn - value) >= abs(value) - 1e-12).sum())) / (len(drawn) + 1)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, float(low), float(high), min(p, 1.0))


def class_intervals(matrix: Floats, drawn: Floats) -> list[Estimate]:
    """Return every class's F1 with its interval."""
    values, spread = f1_by_class(matrix), f1_by_class(drawn)
    return [interval(float(values[k]), spread[:, k]) for k in range(len(values))]


def corrected_t(differences: Sequence[float], n_train: float, n_test: float) -> tuple[float, float]:
    """Return t and the two-sided p of Nadeau and Bengio's (2003) corrected resampled t-test.

    t = mean / sqrt((1/k + n_test/n_train) s^2), k - 1 degrees of freedom: folds share training data, so the naive
    variance of k differences is too small.

    Parameters
    ----------
    differences
        One difference per fold (and repetition).
    n_train, n_test
        Mean sizes of the training and the test parts.
    """
    from scipy import stats

    k = len(differences)
    if k < 2:
        raise VoteError("the corrected t-test needs the differences of at least 2 folds")
    spread = float(np.var(differences, ddof=1))
    mean = float(np.mean(differences))
    if spread == 0:
        return (0.0, 1.0) if mean == 0 else (float(np.sign(mean)) * float("inf"), 0.0)
    t = mean / np.sqrt((1 / k + n_test / n_train) * spread)
    return float(t), float(2 * stats.t.sf(abs(t), k - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's (1979) step-down adjusted p-values, in the order given."""
    if not len(p_values):
        return []
    from statsmodels.stats.multitest import multipletests

    return [float(value) for value in multipletests(p_values, method="holm")[1]]


@dataclass(frozen=True)
class Pooled:
    """One estimate pooled over completed data sets.

    Attributes
    ----------
    value
        Mean of the estimates.
    variance
        Total variance T = within + (1 + 1/m) between.
    within, between
        Mean of the variances; variance of the estimates.
    df
        Degrees of freedom (Rubin 1987, or Barnard and Rubin 1999 where the complete data's are given).
    low, high
        Interval at `LEVEL`.
    missing_information
        Share of the variance that is due to the missing values, lambda = (1 + 1/m) between / T.
    """

    value: float
    variance: float
    within: float
    between: float
    df: float
    low: float
    high: float
    missing_information: float


def rubin(estimates: Sequence[float], variances: Sequence[float], df_complete: float | None = None) -> Pooled:
    """Return estimates from m completed data sets pooled by Rubin's (1987) rules.

    Parameters
    ----------
    estimates, variances
        One estimate and its sampling variance per completed data set, at least two.
    df_complete
        Degrees of freedom if nothing were missing; with it Barnard and Rubin's (1999) small-sample df.
    """
    from scipy import stats

    m = len(estimates)
    if m < 2 or len(variances) != m:
        raise VoteError("Rubin's rules need the estimates and variances of at least 2 completed data sets")
    within, between = float(np.mean(variances)), float(np.var(estimates, ddof=1))
    extra = (1 + 1 / m) * between
    total = within + extra
    share = extra / total if total else 0.0
    df = (m - 1) / share**2 if share else float("inf")
    if df_complete is not None:
        observed = (df_complete + 1) / (df_complete + 3) * df_complete * (1 - share)
        df = observed if df == float("inf") else df * observed / (df + observed)
    value = float(np.mean(estimates))
    half = float(stats.t.ppf((1 + LEVEL) / 2, df)) * total**0.5 if total else 0.0
    return Pooled(value, total, within, between, df, value - half, value + half, share)


def pool_shares(completed: Sequence[Indices], n_classes: int, weights: Floats | None = None) -> list[Pooled]:
    """Return each class's share pooled over completed data sets.

    The sampling variance of a weighted share is that of the ratio mean, sum w^2 (y - share)^2 / (sum w)^2, times
    n / (n - 1): weights as given, no strata and no clusters. The interval is Wilson's (1927) for multiply imputed data
    (Lott and Reiter 2020): it stays within 0 and 1, and small classes are covered, too.
    """
    n = len(completed[0])
    kish = float(n) if weights is None else float(weights.sum() ** 2 / (weights**2).sum())
    pooled = []
    for k in range(n_classes):
        values, variances = zip(*(_share(classes == k, weights) for classes in completed), strict=True)
        pooled.append(_wilson(rubin(values, variances, n - 1), kish))
    return pooled


def _wilson(pooled: Pooled, n_effective: float) -> Pooled:
    """Return a pooled share with Wilson's interval; n is the one at which its variance would be the pooled one."""
    from scipy import stats

    share = pooled.value
    n = share * (1 - share) / pooled.variance if pooled.variance > 0 else n_effective
    ratio = float(stats.t.ppf((1 + LEVEL) / 2, pooled.df)) ** 2 / n
    middle = (share + ratio / 2) / (1 + ratio)
    half = (ratio * (share * (1 - share) + ratio / 4)) ** 0.5 / (1 + ratio)
    return replace(pooled, low=max(0.0, middle - half), high=min(1.0, middle + half))


def _share(hit: NDArray[np.bool_], weights: Floats | None) -> tuple[float, float]:
    mass = np.ones(len(hit)) if weights is None else weights
    total = float(mass.sum())
    share = float(mass[hit].sum() / total)
    n = int((mass > 0).sum())
    variance = float((mass**2 * (hit - share) ** 2).sum() / total**2) * n / max(n - 1, 1)
    return share, variance
