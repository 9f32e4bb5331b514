"""Do series return to a level? Two classic tests with opposite null hypotheses, printed beside a verdict.

Takes arrays of weekly values, gives statistics and p-values by statsmodels. Decides nothing; knows no week and no file.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from temporal_adapters.engines.significance import autoregression
from temporal_adapters.engines.significance.autoregression import Array


@dataclass(frozen=True)
class Stationarity:
    """Both tests of one series, on its longest run of weeks without a gap.

    Attributes
    ----------
    adf, adf_p
        Augmented Dickey-Fuller with a constant: a small p speaks against a unit root (Dickey and Fuller 1979, p by
        MacKinnon 1994). Lagged differences by BIC of the series' autoregression.
    kpss, kpss_p
        KPSS around a level: a small p speaks against stationarity (Kwiatkowski et al. 1992; tabulated between .01 and
        .10, beyond that the nearest of them). Bartlett window of 4 (n / 100)^(1/4) lags.
    n
        Weeks of the run; without 12 there is no test and all figures are NaN.
    """

    adf: float
    adf_p: float
    kpss: float
    kpss_p: float
    n: int


LEAST_WEEKS = 12
"""Weeks in a row below which neither test says anything."""


def stationarity(series: Array) -> Stationarity:
    """Test one weekly series (n,), NaN where missing."""
    run = longest_run(series)
    if len(run) < LEAST_WEEKS or np.ptp(run) == 0:
        return Stationarity(float("nan"), float("nan"), float("nan"), float("nan"), len(run))
    from statsmodels.tsa.stattools import adfuller, kpss

    order = autoregression.choose_order(run[None], "bic", autoregression.order_limits(run[None]))
    with warnings.catch_warnings():  # p-values at the ends of the KPSS table; a return type that is to change
        warnings.simplefilter("ignore")
        unit_root = adfuller(run, maxlag=int(order[0]) - 1, regression="c", autolag=None)
        level = kpss(run, regression="c", nlags=int(4 * (len(run) / 100) ** 0.25))
    return Stationarity(float(unit_root[0]), float(unit_root[1]), float(level[0]), float(level[1]), len(run))


def longest_run(series: Array) -> Array:
    """Return the longest run of weeks without a gap; the first of equal ones."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.isfinite(series).astype(np.int8), [0]])))
    starts, stops = edges[::2], edges[1::2]
    if not len(starts):
        return series[:0]
    best = int(np.argmax(stops - starts))
    return series[starts[best] : stops[best]]
