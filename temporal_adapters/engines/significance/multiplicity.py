"""Many tests at once: family-wise maxima and false discovery rates.

Takes statistics, null draws and p-values, gives adjusted p-values. Knows no test.
"""

from __future__ import annotations

import numpy as np

from temporal_adapters.engines.significance.autoregression import Array

_TIE = 1e-9
_ALMOST_ONE = 1.0 - 1e-12


def max_t(observed: Array, drawn: Array, step_down: bool = True) -> Array:
    """Return family-wise p-values by the distribution of the largest |statistic| (Westfall and Young 1993).

    Parameters
    ----------
    observed
        (family,) statistics.
    drawn
        (draws, family) statistics under the null, drawn jointly.
    step_down
        Compare the i-th largest with the maximum over those not larger; single step otherwise. The smallest adjusted
        p-value is the same.
    """
    size = np.abs(observed)
    order = np.argsort(-size, kind="stable")
    drawn = np.abs(drawn)[:, order]
    running = drawn.max(axis=1, keepdims=True)
    peaks = np.maximum.accumulate(drawn[:, ::-1], axis=1)[:, ::-1] if step_down else running
    counted = (peaks >= size[order] - _TIE).sum(axis=0)
    adjusted = np.maximum.accumulate((1.0 + counted) / (len(drawn) + 1.0)) if len(order) else np.zeros(0)
    result = np.empty(len(order))
    result[order] = adjusted
    return result


def studentised(observed: Array, drawn: Array) -> tuple[Array, Array]:
    """Bring correlations whose null distributions have different widths to one scale, for maxima over a family.

    Fisher's z over its standard deviation among the draws, so that a persistent series does not decide for all others.
    (Replacing every draw by its own rank would do the same, but needs far more draws than the family has members.)

    Parameters
    ----------
    observed, drawn
        (family,) and (draws, family) correlations.

    Returns
    -------
    tuple
        Absolute statistics, observed and drawn, comparable between members.
    """
    z = np.abs(np.arctanh(np.clip(drawn, -_ALMOST_ONE, _ALMOST_ONE)))
    width = np.maximum(np.sqrt((z**2).mean(axis=0)), 1e-300)
    return np.abs(np.arctanh(np.clip(observed, -_ALMOST_ONE, _ALMOST_ONE))) / width, z / width


def benjamini_hochberg(p: Array) -> Array:
    """Return q-values that bound the false discovery rate under positive dependence (Benjamini and Hochberg 1995)."""
    return _false_discovery(p, "fdr_bh")


def benjamini_yekutieli(p: Array) -> Array:
    """Return q-values that bound the false discovery rate under any dependence (Benjamini and Yekutieli 2001)."""
    return _false_discovery(p, "fdr_by")


def _false_discovery(p: Array, method: str) -> Array:
    if not len(p):
        return p
    from statsmodels.stats.multitest import multipletests

    return np.asarray(multipletests(p, method=method)[1], dtype=np.float64)
