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
    residuals
        (m, n), NaN where there is none.
    order
        (m,) autoregressive order used.
    leftover_p
        (m,) Ljung-Box p-value of the residuals finally used.
    raised
        (m,) whether the order was raised by one because residuals of the chosen order failed.
    """

    residuals: Array
    order: NDArray[np.int64]
    leftover_p: Array
    raised: NDArray[np.bool_]


def whiten(series: Array) -> Whitened:
    """Prewhiten each row of `series` (m, n; NaN where missing) by AR(p), p by BIC, raised by one where Ljung-Box fails.

    Raises
    ------
    CorrelateError
        If a series is constant or has too few pairs of consecutive weeks.
    """
    order = autoregression.choose_order(series, "bic", autoregression.order_limits(series))
    fitted = autoregression.fit(series, order)
    raised = autoregression.ljung_box(fitted.residuals, order) < LEFTOVER_ALPHA
    return _at_order(series, order + raised, raised)


def reordered(series: Array, white: Whitened, shift: int) -> Whitened:
    """Prewhiten again at orders longer by `shift` (or shorter, never below 0): how much hangs on the order."""
    return _at_order(series, np.maximum(white.order + shift, 0), white.raised)


def _at_order(series: Array, order: NDArray[np.int64], raised: NDArray[np.bool_]) -> Whitened:
    fitted = autoregression.fit(series, order)
    return Whitened(fitted.residuals, order, autoregression.ljung_box(fitted.residuals, order), raised)
