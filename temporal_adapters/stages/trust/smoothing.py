"""The survey's level with its known sampling error removed as far as possible: for plots only.

Takes weekly values with standard errors, gives a smoothed level with its standard error. Never an input of a test.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from temporal_adapters.engines.significance import Array
from temporal_adapters.ground.errors import ValidityError


@dataclass(frozen=True)
class Smoothed:
    """A local level: value and standard error of every week, gaps included, and the variance of its weekly steps."""

    level: Array
    se: Array
    step_variance: float


def local_level(values: Array, errors: Array) -> Smoothed:
    """Smooth a random walk observed with known error variances (Kalman filter and smoother, exact diffuse start).

    The variance of the steps is estimated by maximum likelihood; missing weeks are predicted.

    Raises
    ------
    ValidityError
        If a value comes without a positive standard error, or there are fewer than 3 values.
    """
    present = np.isfinite(values)
    if present.sum() < 3:
        raise ValidityError(f"{int(present.sum())} values are too few to smooth")
    if not np.all(np.isfinite(errors[present]) & (errors[present] > 0)):
        raise ValidityError("every survey value needs a positive standard error to be smoothed")
    noise = np.where(present, errors, 1.0) ** 2
    scale = float(np.nanvar(values)) + float(noise[present].mean())
    found = optimize.minimize_scalar(
        lambda log_step: -likelihood(values, noise, math.exp(log_step)),
        bounds=(math.log(scale * 1e-8), math.log(scale * 10)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    step = math.exp(float(found.x))
    level, variance = _smooth(values, noise, step)
    return Smoothed(level, np.sqrt(variance), step)


def likelihood(values: Array, noise: Array, step: float) -> float:
    """Return the diffuse log-likelihood of the local level with known observation variances `noise`."""
    total, mean, variance, started = 0.0, 0.0, 0.0, False
    for value, error in zip(values, noise, strict=True):
        if started:
            variance += step
        if not np.isfinite(value):
            continue
        if not started:
            mean, variance, started = float(value), float(error), True
            continue
        spread = variance + error
        total += -0.5 * (math.log(2 * math.pi * spread) + (value - mean) ** 2 / spread)
        mean, variance = mean + variance / spread * (value - mean), variance * error / spread
    return total


def _smooth(values: Array, noise: Array, step: float) -> tuple[Array, Array]:
    """Return the posterior of the levels by solving their (tridiagonal) joint normal equations."""
    n = len(values)
    present = np.isfinite(values)
    precision = np.zeros((n, n))
    week = np.arange(n)
    precision[week, week] = np.where(present, 1 / noise, 0.0)
    precision[week[:-1], week[:-1]] += 1 / step
    precision[week[1:], week[1:]] += 1 / step
    precision[week[:-1], week[1:]] -= 1 / step
    precision[week[1:], week[:-1]] -= 1 / step
    covariance = np.linalg.inv(precision)
    level = covariance @ np.where(present, np.nan_to_num(values) / noise, 0.0)
    return np.asarray(level, dtype=np.float64), np.array(np.diag(covariance), dtype=np.float64)
