"""Autoregressions of many short series at once, with gaps.

Takes arrays of weekly values (missing weeks are NaN), gives fitted orders, coefficients and residuals, and draws from
the fitted processes. Knows no week, question or file.

A row of a regression is used only if the week and all its lags are present: a gap drops rows, it never shifts them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from temporal_adapters.ground.errors import CorrelateError

Array = NDArray[np.float64]
Criterion = Literal["bic", "aic"]
NoiseT = TypeVar("NoiseT", NDArray[np.float32], NDArray[np.float64])

MAX_ORDER = 4
"""Longest memory considered, in weeks: methods with 30-150 weeks cannot support more."""

SHORT_SERIES = 25
"""Weeks below which the order is fixed at 1 (an information criterion chooses noise there)."""

MIN_ROWS = 8
"""Rows below which an autoregression is refused."""

_DIFFUSE = 1e9
_UNDETERMINED = 1e3
"""Variance of what precedes the first week, and the variance of a prediction from which on it rests on that."""

_NEAR_UNIT_ROOT = 0.999
"""Largest modulus to which a non-stationary estimate is pulled back, so that its process can be drawn."""


@dataclass(frozen=True)
class Fit:
    """Autoregressions of `m` series.

    Attributes
    ----------
    order
        (m,) orders.
    coefficients
        (m, highest order); zero beyond a series' own order.
    constant
        (m,) constants, for series in units of their standard deviation.
    residuals
        (m, n); NaN where a row is not usable. In units of each series' standard deviation.
    n_rows
        (m,) usable rows.
    """

    order: NDArray[np.int64]
    coefficients: Array
    constant: Array
    residuals: Array
    n_rows: NDArray[np.int64]

    def of(self, rows: NDArray[np.int64]) -> Fit:
        """Return the autoregressions of some rows, in that order."""
        order, n_rows = self.order[rows], self.n_rows[rows]
        return Fit(order, self.coefficients[rows], self.constant[rows], self.residuals[rows], n_rows)


def standardise(series: Array) -> Array:
    """Return each row with mean 0 and standard deviation 1 over its present weeks."""
    mean = np.nanmean(series, axis=-1, keepdims=True)
    spread = np.nanstd(series, axis=-1, keepdims=True)
    if not np.all(spread > 0):
        raise CorrelateError("a constant series has no autoregression: exclude it")
    return np.asarray((series - mean) / spread)


def order_limits(series: Array) -> NDArray[np.int64]:
    """Return the highest order each series may have: min(4, n // 8), 1 below 25 weeks, fewer where gaps leave no rows.

    Raises
    ------
    CorrelateError
        If a series has fewer than `MIN_ROWS` pairs of consecutive weeks.
    """
    n = np.isfinite(series).sum(axis=-1)
    limit = np.where(n < SHORT_SERIES, 1, np.minimum(MAX_ORDER, n // 8))
    for order in range(MAX_ORDER, 0, -1):
        too_few = _usable(series, order).sum(axis=-1) < MIN_ROWS + order
        limit = np.where(too_few, np.minimum(limit, order - 1), limit)
    if np.any(limit < 1):
        worst = int(_usable(series, 1).sum(axis=-1).min())
        raise CorrelateError(
            f"a series has {worst} pairs of consecutive weeks, at least {MIN_ROWS + 1} are needed to model its memory"
        )
    return np.asarray(limit, dtype=np.int64)


def choose_order(series: Array, criterion: Criterion, limit: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the order from 1 to `limit` with the smallest criterion, all orders compared on the same rows."""
    scaled = standardise(series)
    best = np.full(len(series), np.inf)
    order = np.ones(len(series), dtype=np.int64)
    for top in np.unique(limit):
        here = limit == top
        rows = _usable(scaled[here], int(top))
        n = rows.sum(axis=-1)
        for candidate in range(1, int(top) + 1):
            residuals = _regress(scaled[here], candidate, rows)[1]
            variance = np.nansum(residuals**2, axis=-1) / n
            penalty = np.log(n) if criterion == "bic" else 2.0
            value = n * np.log(np.maximum(variance, 1e-300)) + penalty * (candidate + 1)
            better = value < best[here]
            best[here] = np.where(better, value, best[here])
            order[here] = np.where(better, candidate, order[here])
    return order


def fit(series: Array, order: NDArray[np.int64]) -> Fit:
    """Fit each row of `series` (m, n) by least squares with a constant, at its own order."""
    scaled = standardise(series)
    width = max(int(order.max()), 1)
    coefficients, constant = np.zeros((len(series), width)), np.zeros(len(series))
    residuals = np.full(series.shape, np.nan)
    for value in np.unique(order):
        here = order == value
        found, left = _regress(scaled[here], int(value), _usable(scaled[here], int(value)))
        coefficients[here, : int(value)], constant[here] = found[:, 1:], found[:, 0]
        residuals[here] = left
    return Fit(order, coefficients, constant, residuals, np.isfinite(residuals).sum(axis=-1))


def innovations(series: Array, fitted: Fit) -> Array:
    """Return what each week adds to everything seen before it, in units of a one-week prediction's error.

    Predictions over missing weeks by the exact Kalman filter of the autoregression (diffuse start), each divided by the
    root of its own variance relative to a prediction from complete weeks (Jones 1980). Where no week is missing they
    are the residuals.

    Parameters
    ----------
    series
        (m, n) in units of their standard deviation about the mean, NaN where missing.
    fitted
        Autoregressions of the m series.

    Returns
    -------
    (m, n), NaN in missing weeks and while the past does not determine a prediction.
    """
    m, n = series.shape
    step = _companion(fitted.coefficients)
    width = step.shape[-1]
    state, spread = np.zeros((m, width)), np.tile(_DIFFUSE * np.eye(width), (m, 1, 1))
    found = np.full((m, n), np.nan)
    for week in range(n):
        state = np.matmul(step, state[..., None])[..., 0]
        state[:, 0] += fitted.constant
        spread = step @ spread @ step.swapaxes(1, 2)
        spread[:, 0, 0] += 1.0
        variance, seen = spread[:, 0, 0], np.isfinite(series[:, week])
        error = np.where(seen, series[:, week] - state[:, 0], 0.0)
        found[:, week] = np.where(seen & (variance < _UNDETERMINED), error / np.sqrt(variance), np.nan)
        gain = np.where(seen[:, None], spread[..., 0] / variance[:, None], 0.0)
        state = state + gain * error[:, None]
        spread = spread - gain[..., None] * spread[:, None, 0]
    return found


def ljung_box(residuals: Array, order: NDArray[np.int64]) -> Array:
    """Return the Ljung-Box p-value of each row of residuals, lags up to max(order + 2, min(10, n // 5)).

    Reference: Ljung and Box 1978; degrees of freedom are lags minus order. Pairs across gaps are left out.
    """
    n = np.isfinite(residuals).sum(axis=-1)
    n_lags = np.maximum(order + 2, np.minimum(10, n // 5))
    filled = np.nan_to_num(residuals - np.nanmean(residuals, axis=-1, keepdims=True))
    total = (filled**2).sum(axis=-1)
    statistic = np.zeros(len(residuals))
    for lag in range(1, int(n_lags.max()) + 1):
        r = (filled[:, lag:] * filled[:, :-lag]).sum(axis=-1) / total
        statistic += np.where(lag <= n_lags, r**2 / np.maximum(n - lag, 1), 0.0)
    return np.asarray(stats.chi2.sf(n * (n + 2) * statistic, n_lags - order))


def correct_bias(fitted: Fit) -> Array:
    """Return the coefficients after removing the small-sample bias of least squares, kept stationary.

    Reference: Kilian 1998, with Pope's (1990) closed form of the bias instead of a first bootstrap; the correction is
    shrunk in steps of 1 % until the process is stationary. An estimate that is itself not stationary is not corrected
    but pulled back to a largest root of 0.999, because a null process that cannot be drawn is of no use.
    """
    corrected = np.zeros_like(fitted.coefficients)
    for value in np.unique(fitted.order):
        here = np.flatnonzero(fitted.order == value)
        given = _pull_back(fitted.coefficients[here, : int(value)])
        step = _pope_bias(given) / fitted.n_rows[here, None]
        strength = np.ones(len(here))
        moved = given + step
        while np.any(wild := _largest_root(moved) >= 1.0):
            strength = np.where(wild, np.maximum(strength - 0.01, 0.0), strength)
            moved = given + strength[:, None] * step
        corrected[here, : int(value)] = moved
    return corrected


def draw(coefficients: Array, n: int, noise: NoiseT) -> NoiseT:
    """Turn standard normal `noise` (m, n, draws) into draws of the stationary processes, in place; returns it.

    The first weeks come from the exact stationary distribution (Levinson recursion), so there is no burn-in.
    """
    width = coefficients.shape[1]
    steps, variances = _levinson(coefficients)
    steps = [step.astype(noise.dtype) for step in steps]
    scales = [np.sqrt(variance).astype(noise.dtype) for variance in variances]
    for week in range(n):
        here = steps[min(week, width)]
        noise[:, week] *= scales[min(week, width)][:, None]
        for lag in range(min(week, width)):
            if np.any(here[:, lag]):
                noise[:, week] += here[:, lag, None] * noise[:, week - 1 - lag]
    return noise


def _usable(series: Array, order: int) -> NDArray[np.bool_]:
    present = np.isfinite(series)
    rows = present.copy()
    for lag in range(1, order + 1):
        rows[..., lag:] &= present[..., :-lag]
        rows[..., :lag] = False
    return rows


def _regress(series: Array, order: int, rows: NDArray[np.bool_]) -> tuple[Array, Array]:
    design = np.zeros((*series.shape, order + 1))
    design[..., 0] = 1.0
    filled = np.nan_to_num(series)
    for lag in range(1, order + 1):
        design[:, lag:, lag] = filled[:, :-lag]
    design *= rows[..., None]
    gram = np.matmul(design.swapaxes(1, 2), design)
    moment = np.matmul(design.swapaxes(1, 2), filled[..., None])[..., 0]
    coefficients = np.matmul(np.linalg.pinv(gram, hermitian=True), moment[..., None])[..., 0]
    residuals = filled - np.matmul(design, coefficients[..., None])[..., 0]
    return coefficients, np.where(rows, residuals, np.nan)


def _companion(coefficients: Array) -> Array:
    m, order = coefficients.shape
    matrix = np.zeros((m, order, order))
    matrix[:, 0] = coefficients
    matrix[:, range(1, order), range(order - 1)] = 1.0
    return matrix


def _largest_root(coefficients: Array) -> Array:
    return np.asarray(np.abs(np.linalg.eigvals(_companion(coefficients))).max(axis=-1))


def _pull_back(coefficients: Array) -> Array:
    root = _largest_root(coefficients)
    factor = np.where(root >= _NEAR_UNIT_ROOT, _NEAR_UNIT_ROOT / np.maximum(root, 1e-12), 1.0)
    return np.asarray(coefficients * factor[:, None] ** np.arange(1, coefficients.shape[1] + 1))


def _pope_bias(coefficients: Array) -> Array:
    """Return -n times the bias of least squares with a constant (Pope 1990, mean-corrected case)."""
    matrix = _companion(coefficients)
    m, order, _ = matrix.shape
    turned = matrix.swapaxes(1, 2).astype(complex)
    one = np.eye(order)
    noise = np.zeros((m, order, order))
    noise[:, 0, 0] = 1.0
    kron: Any = np.einsum("mij,mkl->mikjl", matrix, matrix).reshape(m, order**2, order**2)
    spread = np.linalg.solve(np.eye(order**2) - kron, noise.reshape(m, -1, 1)).reshape(m, order, order)
    roots = np.linalg.eigvals(matrix)
    total = np.linalg.inv(one - turned) + turned @ np.linalg.inv(one - turned @ turned)
    for index in range(order):
        root = roots[:, index, None, None]
        total = total + root * np.linalg.inv(one - root * turned)
    return np.asarray((noise @ total @ np.linalg.inv(spread))[:, 0].real)


def _levinson(coefficients: Array) -> tuple[list[Array], list[Array]]:
    """Return, for 0, 1, ... order past weeks, the best predictor's coefficients and its error variance (noise 1)."""
    m, width = coefficients.shape
    steps = [coefficients]
    variances = [np.ones(m)]
    for order in range(width, 0, -1):
        here = steps[0][:, :order]
        partial = here[:, order - 1]
        shorter = np.zeros((m, width))
        scale = 1.0 - partial**2
        shorter[:, : order - 1] = (here[:, : order - 1] + partial[:, None] * here[:, : order - 1][:, ::-1]) / scale[
            :, None
        ]
        steps.insert(0, shorter)
        variances.insert(0, variances[0] / scale)
    return steps, variances
