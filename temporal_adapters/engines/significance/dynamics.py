"""Test D: do the week-to-week changes of two series move together?

Takes arrays of weekly values, gives statistics and p-values. Knows no week, question or file.

Both series are prewhitened by autoregressions, their residuals become centred signed ranks a and b, and for lag k
(positive = the first series, the model, leads) the products e_t = a_t b_{t+k} are summed and divided by the root of
their sum of squares (self-normalised as in Dalla, Giraitis and Phillips 2022). The null distribution flips the sign of
whole weeks of the first series, the same signs for every lag, question and setting, so that maxima over a family keep
the family's dependence. Deviation from Dalla et al.: ranks instead of raw products (one week can carry most of the
evidence otherwise) and random signs instead of the normal limit (n is 30 to 150).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from temporal_adapters.engines.significance import autoregression
from temporal_adapters.engines.significance.autoregression import Array

LEFTOVER_ALPHA = 0.05
"""Ljung-Box p below which residuals count as still autocorrelated and the order is raised by one."""

_TIE = 1e-9
"""Statistics closer than this are equal: sums of the same products in another order."""


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


def whiten(series: Array, shift: int = 0) -> Whitened:
    """Prewhiten each row of `series` (m, n) by AR(p), p by BIC, raised by one where Ljung-Box fails.

    Parameters
    ----------
    series
        Weekly values, NaN where missing.
    shift
        Added to the order finally chosen (sensitivity: -1 or 1); never below 0 or above what the rows allow plus one.
    """
    limit = autoregression.order_limits(series)
    order = autoregression.choose_order(series, "bic", limit)
    fitted = autoregression.fit(series, order)
    leftover = autoregression.ljung_box(fitted.residuals, order)
    raised = leftover < LEFTOVER_ALPHA
    order = np.maximum(order + raised + shift, 0)
    fitted = autoregression.fit(series, order)
    return Whitened(fitted.residuals, order, autoregression.ljung_box(fitted.residuals, order), raised)


def signed_ranks(residuals: Array) -> Array:
    """Return sign(u - median) times the rank of |u - median| over n, centred, per row; NaN stays NaN."""
    present = np.isfinite(residuals)
    away = residuals - np.nanmedian(residuals, axis=-1, keepdims=True)
    ranks = stats.rankdata(np.where(present, np.abs(away), np.inf), axis=-1)
    signed = np.where(present, np.sign(away) * ranks, np.nan) / present.sum(axis=-1, keepdims=True)
    return np.asarray(signed - np.nanmean(signed, axis=-1, keepdims=True))


def products(first: Array, second: Array, lags: Sequence[int]) -> Array:
    """Return e[..., l, t] = first[..., t] * second[..., t + lags[l]], NaN where either is missing."""
    n = first.shape[-1]
    found = np.full((*first.shape[:-1], len(lags), n), np.nan)
    for index, lag in enumerate(lags):
        start, stop = max(0, -lag), min(n, n - lag)
        if start < stop:
            found[..., index, start:stop] = first[..., start:stop] * second[..., start + lag : stop + lag]
    return found


def statistic(terms: Array) -> Array:
    """Return the self-normalised sum of `terms` over the last axis (NaN counts as absent)."""
    filled = np.nan_to_num(terms)
    return np.asarray(filled.sum(axis=-1) / np.maximum(np.sqrt((filled**2).sum(axis=-1)), 1e-300))


def signs(draws: int, n: int, seed: int | Sequence[int]) -> Array:
    """Return (draws, n) random signs, one per draw and week, shared by everything that is tested."""
    bits = np.random.default_rng(seed).integers(0, 2, (draws, n), dtype=np.int8)
    return np.asarray(bits * 2.0 - 1.0)


def null(terms: Array, sign_rows: Array) -> Array:
    """Return |T| under every row of signs: (draws, ...) for terms (..., n), in one matrix product."""
    filled = np.nan_to_num(terms).reshape(-1, terms.shape[-1])
    length = np.maximum(np.sqrt((filled**2).sum(axis=-1, keepdims=True)), 1e-300)
    drawn = np.abs(sign_rows @ (filled / length).T)
    return np.asarray(drawn.reshape(len(sign_rows), *terms.shape[:-1]))


def p_values(observed: Array, drawn: Array) -> Array:
    """Return (1 + number of draws at least as large) / (draws + 1) for |observed| (...) and drawn (draws, ...).

    A statistic that does not exist (NaN) has no p-value.
    """
    p = (1.0 + (drawn >= np.abs(observed) - _TIE).sum(axis=0)) / (len(drawn) + 1.0)
    return np.asarray(np.where(np.isnan(observed), np.nan, p))


@dataclass(frozen=True)
class Heaviest:
    """How much one week carries.

    Attributes
    ----------
    week
        (...) index of the week whose product speaks most for the statistic's sign.
    share
        (...) its share of the sum of absolute products, 0-1.
    p_without
        (...) p-value without that week, same signs.
    """

    week: NDArray[np.int64]
    share: Array
    p_without: Array


def heaviest(terms: Array, sign_rows: Array) -> Heaviest:
    """Find the heaviest week of each statistic and test again without it."""
    filled = np.nan_to_num(terms)
    direction = np.where(statistic(terms) < 0, -1.0, 1.0)[..., None]
    week = np.argmax(filled * direction, axis=-1)
    weight = np.take_along_axis(filled * direction, week[..., None], axis=-1)[..., 0]
    rest = filled.copy()
    np.put_along_axis(rest, week[..., None], 0.0, axis=-1)
    share = weight / np.maximum(np.abs(filled).sum(axis=-1), 1e-300)
    return Heaviest(week, share, p_values(statistic(rest), null(rest, sign_rows)))


def rank_correlation(first: Array, second: Array, lags: Sequence[int]) -> tuple[Array, NDArray[np.int64]]:
    """Return the correlation of signed ranks at each lag over the pairs there are, and the number of pairs."""
    both = np.isfinite(products(first, second, lags))
    r = np.full(both.shape[:-1], np.nan)
    for index, lag in enumerate(lags):
        moved = np.full(second.shape, np.nan)
        start, stop = max(0, -lag), min(second.shape[-1], second.shape[-1] - lag)
        if start < stop:
            moved[..., start:stop] = second[..., start + lag : stop + lag]
        r[..., index] = pearson(first, moved)
    return r, np.asarray(both.sum(axis=-1))


def pearson(first: Array, second: Array) -> Array:
    """Return Pearson's r over the last axis and the pairs present; NaN where a side is constant."""
    both = np.isfinite(first) & np.isfinite(second)
    n = np.maximum(both.sum(axis=-1, keepdims=True), 1)
    a = np.where(both, first, 0.0)
    b = np.where(both, second, 0.0)
    a = np.where(both, a - a.sum(axis=-1, keepdims=True) / n, 0.0)
    b = np.where(both, b - b.sum(axis=-1, keepdims=True) / n, 0.0)
    scale = np.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.clip(np.where(scale > 0, (a * b).sum(axis=-1) / scale, np.nan), -1.0, 1.0))
