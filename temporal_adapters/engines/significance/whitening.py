"""Prewhitening: what a weekly series adds to what its own past foretells.

Takes arrays of weekly values (NaN where missing), gives residuals of autoregressions. Knows no test.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from temporal_adapters.engines.significance import autoregression
from temporal_adapters.engines.significance.autoregression import Array

LEFTOVER_ALPHA = 0.05
"""Ljung-Box p below which residuals count as still autocorrelated and the order is raised by one."""


@dataclass(frozen=True)
class Whitened:
    """Prewhitened series.

    Attributes
    ----------
    series
        (m, n) weekly values as given, NaN where missing.
    fitted
        Autoregressions finally used.
    leftover_p
        (m,) Ljung-Box p-value of their residuals.
    raised
        (m,) whether the order was raised by one because residuals of the chosen order failed.
    """

    series: Array
    fitted: autoregression.Fit
    leftover_p: Array
    raised: NDArray[np.bool_]

    @property
    def order(self) -> NDArray[np.int64]:
        """(m,) autoregressive orders used."""
        return self.fitted.order

    @property
    def residuals(self) -> Array:
        """(m, n) residuals from complete weeks only, NaN beside a missing one."""
        return self.fitted.residuals


def whiten(series: Array) -> Whitened:
    """Prewhiten each row of `series` (m, n; NaN where missing) by AR(p), p by BIC, raised by one where Ljung-Box fails.

    Below 25 weeks the order is 1 and stays 1. Of series that are AR(0) or AR(1), 2 to 5 % are raised by chance.

    Raises
    ------
    CorrelateError
        If a series is constant or has too few pairs of consecutive weeks.
    """
    order = autoregression.choose_order(series, "bic", autoregression.order_limits(series))
    fitted = autoregression.fit(series, order)
    long = np.isfinite(series).sum(axis=-1) >= autoregression.SHORT_SERIES
    raised = (autoregression.ljung_box(fitted.residuals, order) < LEFTOVER_ALPHA) & long
    return _at_order(series, order + raised, raised)


def reordered(white: Whitened, shift: int) -> Whitened:
    """Prewhiten again at orders longer by `shift` (or shorter, never below 0): how much hangs on the order."""
    return _at_order(white.series, np.maximum(white.order + shift, 0), white.raised)


def _at_order(series: Array, order: NDArray[np.int64], raised: NDArray[np.bool_]) -> Whitened:
    fitted = autoregression.fit(series, order)
    leftover = autoregression.ljung_box(fitted.residuals, order)
    return Whitened(series, fitted, leftover, raised)


def beside(white: Whitened, other: NDArray[np.bool_]) -> Array:
    """Return residuals that use only weeks which the other series has as well.

    A week that one series lacks takes the same step from both: what each then adds is an innovation over the same
    weeks, and the two stay comparable. Before the other series begins and after it ends nothing is taken away.

    Parameters
    ----------
    white
        (m, n) series.
    other
        (m, lags, n) whether the series beside it has a value, lags applied.

    Returns
    -------
    (m, lags, n); rows without a gap hold the residuals of the regression.
    """
    shape = np.broadcast_shapes(other.shape, white.series[:, None].shape)
    known = np.broadcast_to(autoregression.standardise(white.series)[:, None], shape)
    known = np.where(missing_inside(other), np.nan, known)
    found = np.array(np.broadcast_to(white.residuals[:, None], shape))
    gaps = missing_inside(np.isfinite(known)).any(axis=-1)
    if gaps.any():
        row = np.broadcast_to(np.arange(len(white.series))[:, None], gaps.shape)[gaps]
        found[gaps] = autoregression.innovations(known[gaps], white.fitted.of(row))
    return found


def missing_inside(present: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which weeks (...) are missing between the first and the last present one."""
    before = np.logical_or.accumulate(present, axis=-1)
    after = np.logical_or.accumulate(present[..., ::-1], axis=-1)[..., ::-1]
    return np.asarray(before & after & ~present)
