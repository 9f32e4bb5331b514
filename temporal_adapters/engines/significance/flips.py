"""Random signs: the null distribution of a self-normalised sum of weekly products.

Takes products of two series' weekly values, gives statistics, null draws and p-values. Knows no series.

The sum of products over the root of their sum of squares is self-normalised as in Dalla, Giraitis and Phillips (2022).
The null flips the sign of whole weeks, the same signs for everything that is tested together, so that maxima over a
family keep the family's dependence.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from temporal_adapters.engines.significance.autoregression import Array

_TIE = 1e-9
"""Statistics closer than this are equal: sums of the same products in another order."""

DRAWS = 9999
"""Null draws unless others are asked for: the smallest p is then .0001."""


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
