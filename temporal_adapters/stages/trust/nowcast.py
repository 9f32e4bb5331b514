"""Does the model's series help to predict the survey's next value beyond the survey's own past?

Takes two weekly series, gives forecast comparisons. Knows no file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from temporal_adapters.engines.significance import Array
from temporal_adapters.ground.errors import ValidityError

_FIRST_SHARE = 0.5
"""Share of the rows that the first forecast may learn from."""


@dataclass(frozen=True)
class Comparison:
    """Two forecasts of the same weeks.

    Attributes
    ----------
    statistic, p
        Test statistic and one-sided p-value that the larger model predicts better.
    gain
        Share of the smaller model's squared error that the larger one saves; negative if it is worse.
    n
        Forecasts compared.
    """

    statistic: float
    p: float
    gain: float
    n: int


@dataclass(frozen=True)
class Nowcast:
    """The gain of adding the model's series to the survey's own autoregression.

    Attributes
    ----------
    clark_west, diebold_mariano
        Clark and West (2007), which allows for nested models; Diebold and Mariano (1995) with Harvey, Leybourne and
        Newbold's (1997) small-sample correction, which is conservative for nested models.
    without_largest
        Clark and West without the week that speaks most for the larger model.
    """

    clark_west: Comparison
    diebold_mariano: Comparison
    without_largest: Comparison


def forecasts(model: Array, survey: Array, order: int = 1) -> tuple[Array, Array, Array]:
    """Return actual values and one-step forecasts of the survey by its own past, and with the model's same week.

    Both are least squares fits on all earlier rows (expanding window, at least half of the rows). A row needs the week
    and its `order` predecessors of the survey, and the week of the model.
    """
    rows = [
        week
        for week in range(order, len(survey))
        if np.isfinite(survey[week - order : week + 1]).all() and np.isfinite(model[week])
    ]
    first = max(int(len(rows) * _FIRST_SHARE), order + 6)
    if len(rows) - first < 6:
        raise ValidityError(f"{len(rows)} usable weeks are too few for out-of-sample forecasts")
    past = np.array([[1.0, *(survey[week - lag] for lag in range(1, order + 1))] for week in rows])
    wide = np.column_stack([past, model[rows]])
    target = survey[rows]
    found = []
    for design in (past, wide):
        fits = [np.linalg.lstsq(design[:row], target[:row], rcond=None)[0] for row in range(first, len(rows))]
        found.append(np.array([design[first + i] @ fit for i, fit in enumerate(fits)]))
    return target[first:], found[0], found[1]


def clark_west(actual: Array, small: Array, large: Array) -> Comparison:
    """Compare nested one-step forecasts (Clark and West 2007): t of e1^2 - (e2^2 - (f1 - f2)^2), one-sided normal."""
    terms = (actual - small) ** 2 - ((actual - large) ** 2 - (small - large) ** 2)
    return _compare(terms, actual, small, large, correction=1.0, normal=True)


def diebold_mariano(actual: Array, small: Array, large: Array) -> Comparison:
    """Compare one-step squared errors (Diebold and Mariano 1995; Harvey, Leybourne and Newbold 1997), one-sided t."""
    n = len(actual)
    terms = (actual - small) ** 2 - (actual - large) ** 2
    return _compare(terms, actual, small, large, correction=math.sqrt((n - 1) / n), normal=False)


def _compare(terms: Array, actual: Array, small: Array, large: Array, correction: float, normal: bool) -> Comparison:
    n = len(terms)
    spread = float(terms.std(ddof=1 if normal else 0))
    if spread <= 0:
        raise ValidityError("two forecasts that never differ cannot be compared")
    t = correction * float(terms.mean()) / (spread / math.sqrt(n))
    p = float(stats.norm.sf(t) if normal else stats.t.sf(t, n - 1))
    errors = [float(((actual - forecast) ** 2).mean()) for forecast in (small, large)]
    return Comparison(t, p, 1 - errors[1] / errors[0], n)


def gain(model: Array, survey: Array, order: int = 1) -> Nowcast:
    """Return the gain of the model's series over the survey's own AR(`order`), with and without the largest week.

    Raises
    ------
    ValidityError
        If too few weeks can be predicted.
    """
    actual, small, large = forecasts(model, survey, order)
    terms = (actual - small) ** 2 - ((actual - large) ** 2 - (small - large) ** 2)
    rest = np.delete(np.arange(len(actual)), int(np.argmax(terms)))
    return Nowcast(
        clark_west(actual, small, large),
        diebold_mariano(actual, small, large),
        clark_west(actual[rest], small[rest], large[rest]),
    )
