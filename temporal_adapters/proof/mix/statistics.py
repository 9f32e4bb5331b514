"""How well answers follow the share of a label: rank, correlation, slope, monotonicity, calibration.

Takes arrays, gives numbers. Knows no table and no file.

`shares` are ascending, shape (n_shares,); a `grid` of answers has the shape (n_seeds, n_shares). Seeds are independent
repetitions of the whole experiment, so every interval is one over seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

Array = NDArray[np.float64]

LEVEL = 0.95
"""Level of intervals."""


def spearman(x: Array, y: Array) -> float | None:
    """Return Spearman's rank correlation (ties share their mean rank); None where one of the two is constant."""
    return pearson(stats.rankdata(x), stats.rankdata(y))


def pearson(x: Array, y: Array) -> float | None:
    """Return Pearson's correlation; None where one of the two is constant."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(np.corrcoef(x, y)[0, 1])


def slope(x: Array, y: Array) -> float:
    """Return the least-squares slope of `y` on `x`."""
    away = x - x.mean()
    return float(away @ y / (away @ away))


def moving_steps(curve: Array, direction: int) -> float:
    """Return the share of neighbouring steps of a curve that go in `direction` (1 up, -1 down)."""
    return float(np.mean(np.diff(curve) * direction > 0))


def isotonic_violation(curve: Array, direction: int) -> float | None:
    """Return the share of a curve's variance that no curve monotone in `direction` explains; None if it is constant.

    0 for a monotone curve, 1 for one that only goes the other way. The best monotone curve is the isotonic regression
    (pool adjacent violators; Barlow et al. 1972).
    """
    total = float(((curve - curve.mean()) ** 2).sum())
    if total == 0:
        return None
    fitted = optimize.isotonic_regression(curve, increasing=direction > 0).x
    return float(((curve - fitted) ** 2).sum()) / total


def mean_interval(values: Array, level: float = LEVEL) -> tuple[float, float] | None:
    """Return Student's interval of a mean over independent seeds; None for a single one."""
    n = len(values)
    if n < 2:
        return None
    half = float(stats.t.ppf((1 + level) / 2, n - 1)) * float(values.std(ddof=1)) / math.sqrt(n)
    return float(values.mean()) - half, float(values.mean()) + half


def response(shares: Array, grid: Array, direction: int = 1) -> dict[str, Any]:
    """Return how one option's answers follow the share.

    Parameters
    ----------
    shares
        Shares of the label.
    grid
        Answers, one row per seed.
    direction
        1 for an option that should rise with the share, -1 for one that should fall; steps and violations count this
        way. Correlations and slopes keep their sign.

    Returns
    -------
    spearman, pearson, slope, steps, violation
        Each with ``mean`` over seeds, ``seeds`` (one value per seed; None where a curve is constant, which counts as 0
        in the means of correlations and as 1 in that of violations) and ``curve`` (of the mean curve over seeds).
    slope_interval
        95 % over seeds, or None with a single one.
    mean
        Answer at every share, mean over seeds.
    at_lowest, at_highest
        The first and the last of them.
    """
    measures: dict[str, tuple[Callable[[Array], float | None], float]] = {
        "spearman": (lambda curve: spearman(shares, curve), 0.0),
        "pearson": (lambda curve: pearson(shares, curve), 0.0),
        "slope": (lambda curve: slope(shares, curve), 0.0),
        "steps": (lambda curve: moving_steps(curve, direction), 0.0),
        "violation": (lambda curve: isotonic_violation(curve, direction), 1.0),
    }
    found: dict[str, Any] = {}
    for name, (measure, if_constant) in measures.items():
        values = [measure(curve) for curve in grid]
        mean = float(np.mean([if_constant if value is None else value for value in values]))
        found[name] = {"mean": mean, "seeds": values, "curve": measure(grid.mean(axis=0))}
    found["slope_interval"] = mean_interval(np.array(found["slope"]["seeds"]))
    found["mean"] = grid.mean(axis=0).tolist()
    found["at_lowest"], found["at_highest"] = found["mean"][0], found["mean"][-1]
    return found


def calibration(shares: Array, grid: Array) -> dict[str, Any]:
    """Return how well the share can be read off the answers after a linear calibration on the other shares.

    For every share left out, a line share = a + b answer is fitted by least squares to all seeds of the others, and the
    left-out shares of all seeds are predicted from their answers. The shares at the ends are extrapolated.

    Returns
    -------
    rmse, bias
        Of the predictions, in units of the share.
    rmse_guess
        The same without any answer: every left-out share is guessed as the mean of the others.
    predicted
        Shape (n_seeds, n_shares).
    """
    truth = np.broadcast_to(shares, grid.shape)
    predicted, guessed = np.empty_like(grid), np.empty_like(grid)
    for left_out in range(len(shares)):
        others = np.arange(len(shares)) != left_out
        x, y = grid[:, others].ravel(), truth[:, others].ravel()
        b = 0.0 if np.ptp(x) == 0 else slope(x, y)
        predicted[:, left_out] = y.mean() + b * (grid[:, left_out] - x.mean())
        guessed[:, left_out] = y.mean()
    return {
        "rmse": _rmse(predicted - truth),
        "bias": float((predicted - truth).mean()),
        "rmse_guess": _rmse(guessed - truth),
        "predicted": predicted,
    }


def raw_error(shares: Array, grid: Array) -> float:
    """Return the mean of |answer - share|: how far the answers are from being shares without any calibration."""
    return float(np.abs(grid - shares).mean())


def _rmse(errors: Array) -> float:
    return math.sqrt(float((errors**2).mean()))
