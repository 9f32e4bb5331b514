"""How many independent weeks two autocorrelated series are worth, and intervals that respect it.

Takes arrays of weekly values, gives effective sample sizes, intervals and p-values. Knows no week, question or file.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from temporal_adapters.engines.significance.autoregression import Array

MIN_EFFECTIVE = 3.0
"""Effective weeks at or below which Fisher's interval does not exist: it is then -1 to 1."""


def autocorrelation(series: Array, n_lags: int) -> Array:
    """Return the autocorrelations at lags 1..n_lags of each row, scaled by the pairs there are.

    The mean product over present pairs over the mean square: without gaps the usual estimate times n / (n - j). NaN
    where no two values lie so far apart.
    """
    found, n_pairs = _products(series, n_lags)
    return np.where(n_pairs > 0, found, np.nan)


def _products(series: Array, n_lags: int) -> tuple[Array, Array]:
    """Return autocorrelations, 0 where there is no pair, and the numbers of pairs."""
    away = series - np.nanmean(series, axis=-1, keepdims=True)
    variance = np.nanmean(away**2, axis=-1)
    found, n_pairs = np.zeros((2, *series.shape[:-1], n_lags))
    for lag in range(1, n_lags + 1):
        pair = away[..., lag:] * away[..., :-lag]
        n = n_pairs[..., lag - 1] = np.isfinite(pair).sum(axis=-1)
        with np.errstate(invalid="ignore"):  # a constant series has none
            found[..., lag - 1] = np.nansum(pair, axis=-1) / np.maximum(n, 1) / variance
    return found, n_pairs


def effective_weeks(first: Array, second: Array) -> Array:
    """Return the effective number of pairs of aligned series (rows over the last axis, NaN where missing).

    1 / n_eff = (1 / n) (1 + 2 sum_{j <= n / 5} (1 - j / n) r_first(j) r_second(j)), at most n.
    Reference: Pyper and Peterman 1998.
    """
    both = np.isfinite(first) & np.isfinite(second)
    n = both.sum(axis=-1)
    n_lags = int(n.max()) // 5
    first, second = np.where(both, first, np.nan), np.where(both, second, np.nan)
    lag = np.arange(1, n_lags + 1)
    weight = np.where(lag <= n[..., None] // 5, 1.0 - lag / n[..., None], 0.0)
    shared = (weight * _products(first, n_lags)[0] * _products(second, n_lags)[0]).sum(axis=-1)
    return np.asarray(n / np.maximum(1.0 + 2.0 * shared, 1.0))


def fisher_interval(r: Array, n_effective: Array, confidence: float = 0.95) -> tuple[Array, Array]:
    """Return the confidence limits of r by Fisher's z with `n_effective` pairs; -1 to 1 where too few are left."""
    half = stats.norm.ppf(0.5 + confidence / 2) / np.sqrt(np.maximum(n_effective - MIN_EFFECTIVE, 1e-12))
    z = np.arctanh(np.clip(r, -1 + 1e-15, 1 - 1e-15))
    blind = n_effective <= MIN_EFFECTIVE
    low = np.where(blind, -1.0, np.tanh(z - half))
    high = np.where(blind, 1.0, np.tanh(z + half))
    return low, high


def rank_interval(r: Array, n: Array, confidence: float = 0.95) -> tuple[Array, Array]:
    """Return the confidence limits of a rank correlation of n pairs without memory (Bonett and Wright 2000).

    Fisher's z with variance (1 + r^2 / 2) / (n - 3), as ranks need; -1 to 1 where too few pairs are left.
    """
    half = stats.norm.ppf(0.5 + confidence / 2) * np.sqrt((1 + r**2 / 2) / np.maximum(n - MIN_EFFECTIVE, 1e-12))
    z = np.arctanh(np.clip(r, -1 + 1e-15, 1 - 1e-15))
    blind = np.asarray(n) <= MIN_EFFECTIVE
    return np.where(blind, -1.0, np.tanh(z - half)), np.where(blind, 1.0, np.tanh(z + half))


def excluded_r(r: Array, n: Array, confidence: float = 0.95) -> Array:
    """Return the smallest |r| that two one-sided tests exclude, each at 1 - confidence (Schuirmann 1987).

    The larger end of the interval with 2 confidence - 1: a correlation of that size or more, of either sign, is not
    compatible with the data.
    """
    low, high = rank_interval(r, n, 2 * confidence - 1)
    return np.maximum(np.abs(low), np.abs(high))


def t_test(r: Array, n_effective: Array) -> Array:
    """Return the two-sided p-value of r from t with n_eff - 2 degrees of freedom; NaN at or below 2 effective weeks."""
    freedom = np.asarray(n_effective) - 2.0
    with np.errstate(invalid="ignore", divide="ignore"):
        t = r * np.sqrt(freedom / np.maximum(1.0 - np.asarray(r) ** 2, 1e-300))
        return np.asarray(np.where(freedom > 0, 2.0 * stats.t.sf(np.abs(t), freedom), np.nan))


def detectable_r(n: float, critical_z: float, power: float = 0.8) -> float:
    """Return the smallest |r| that a test with critical value `critical_z` finds with this power, from n pairs."""
    if n <= MIN_EFFECTIVE:
        return 1.0
    return float(np.tanh((critical_z + stats.norm.ppf(power)) / np.sqrt(n - MIN_EFFECTIVE)))
