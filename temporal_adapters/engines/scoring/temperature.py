"""One temperature for the options, fitted without the wave it is used on.

Takes log-scores and survey shares by wave, gives temperatures. Pure arithmetic.

The temperature works on options, share = softmax(s / T), never on tokens: a temperature on tokens changes the ranking
of options of different length.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from temporal_adapters.ground.errors import ScoringError

Array = npt.NDArray[np.float64]

LOWEST, HIGHEST = 0.05, 20.0
"""Range in which a temperature is looked for."""


def fit_temperature(scores: Array, shares: Array) -> float:
    """Return the temperature under which softmax(scores / T) is closest to the shares, by summed cross-entropy.

    Parameters
    ----------
    scores
        ``(n_waves, n_options)`` log-scores of the model.
    shares
        ``(n_waves, n_options)`` survey shares; rows sum to 1.

    Notes
    -----
    Cross-entropy is convex in 1/T, so a golden-section search over log T finds the minimum.
    """
    low, high, ratio = math.log(LOWEST), math.log(HIGHEST), (math.sqrt(5) - 1) / 2
    while high - low > 1e-7:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if _cross_entropy(scores, shares, math.exp(left)) < _cross_entropy(scores, shares, math.exp(right)):
            high = right
        else:
            low = left
    return math.exp((low + high) / 2)


def leave_one_wave_out(scores: Array, shares: Array) -> Array:
    """Return ``(n_waves,)``: for each wave the temperature fitted on all the others.

    Raises
    ------
    ScoringError
        With fewer than two waves, or different shapes.
    """
    if scores.shape != shares.shape or len(scores) < 2:
        raise ScoringError(f"a temperature needs two waves or more with equal options, found {scores.shape} scores")
    waves = np.arange(len(scores))
    return np.array([fit_temperature(scores[waves != wave], shares[waves != wave]) for wave in waves])


def _cross_entropy(scores: Array, shares: Array, temperature: float) -> float:
    scaled = scores / temperature
    top = scaled.max(axis=1, keepdims=True)
    log_p = scaled - top - np.log(np.exp(scaled - top).sum(axis=1, keepdims=True))
    return float(-(shares * log_p).sum())
