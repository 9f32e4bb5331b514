"""From a series on the model's own scale to levels with intervals: what a researcher can do who knows some weeks.

Takes arrays of weekly values, gives predictions and prediction intervals for weeks that were left out. Knows no option,
file or model.

Per option, the known values are regressed on the series,

    y_t = a + b x_t + e_t + s_t,

with e_t what the instrument misses and s_t the sampling error of the known values (0 for a truth, SE of a survey). The
interval is for a + b x_t + e_t, the true value of a week: the variance v of the residuals holds s_t as well, so the
mean squared SE is taken off. As v is estimated from n weeks, it is averaged over its posterior f s^2 / chi^2 with f
degrees of freedom, cut off below the mean SE^2, which it cannot undercut: without survey error this is the usual
interval by Student's t, and with a survey as noisy as the residuals it does not shrink to nothing.

What the instrument misses in one week it often misses in the next. Residuals with autocorrelation p (lag 1, its bias in
short series corrected: Marriott and Pope 1954) make the level of n weeks worth n / l with l = (1 + p) / (1 - p), and
the slope n / k with k = (1 + p q) / (1 - p q), q being the autocorrelation of x (Bartlett 1935); so f = n - l - k
instead of n - 2, and both count in the uncertainty of the line. On 29 and 60 simulated weeks with AR(1) residuals, p
from 0 to .8, intervals of 90 % then cover .90 to .91, and .86 to .90 without.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import stats
from scipy.special import ndtr

from temporal_adapters.engines.significance import Array
from temporal_adapters.ground.errors import ValidityError

MIN_WEEKS = 4
"""Weeks below which no line is fitted: two coefficients and a variance need more."""

_MAX_PERSISTENCE = 0.6
"""Largest autocorrelation that is believed: estimates from some 25 weeks scatter, and above it a few of them would
widen intervals more than they make up for."""

_N_VARIANCES = 100
"""Quantiles by which the posterior of the residual variance is averaged; twice as many change widths by 2 in 1,000."""


@dataclass(frozen=True)
class Line:
    """A line fitted by least squares.

    Attributes
    ----------
    slope
        b; 0 where x does not vary.
    mean_x, mean_y
        Means of the weeks fitted.
    spread_x
        Sum of squares of x about its mean.
    variance
        Residual sum of squares over its degrees of freedom.
    n
        Weeks fitted.
    level_weeks, slope_weeks
        l and k: how many neighbouring weeks tell as much of the level and of the slope as one independent week.
    """

    slope: float
    mean_x: float
    mean_y: float
    spread_x: float
    variance: float
    n: int
    level_weeks: float = 1.0
    slope_weeks: float = 1.0

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the variance, at least 1."""
        return max(self.n - self.level_weeks - self.slope_weeks, 1.0)

    def at(self, x: Array) -> Array:
        """Return a + b x."""
        return np.asarray(self.mean_y + self.slope * (x - self.mean_x))

    def leverage(self, x: Array) -> Array:
        """Return the variance of the fitted line at x, in units of the residual variance."""
        far = (x - self.mean_x) ** 2 / self.spread_x if self.spread_x > 0 else np.zeros_like(x)
        return np.asarray(self.level_weeks / self.n + self.slope_weeks * far)


def fit(x: Array, y: Array, weeks: Array | None = None) -> Line:
    """Return the line through the weeks (x, y).

    Parameters
    ----------
    x, y
        Series and known values.
    weeks
        Number of each week on the calendar, rising; without it residuals count as independent.

    Raises
    ------
    ValidityError
        If there are fewer than `MIN_WEEKS` weeks.
    """
    n = len(x)
    if n < MIN_WEEKS:
        raise ValidityError(f"a calibration needs at least {MIN_WEEKS} weeks with a known value, there are {n}")
    away_x, away_y = x - x.mean(), y - y.mean()
    spread = float(away_x @ away_x)
    slope = float(away_x @ away_y) / spread if spread > 0 else 0.0
    rest = away_y - slope * away_x
    p, q = (0.0, 0.0) if weeks is None else (_persistence(rest, weeks), _persistence(away_x, weeks))
    line = Line(slope, float(x.mean()), float(y.mean()), spread, 0.0, n, (1 + p) / (1 - p), (1 + p * q) / (1 - p * q))
    return replace(line, variance=float(rest @ rest) / line.freedom)


def _persistence(away: Array, weeks: Array) -> float:
    """Return the autocorrelation of neighbouring weeks, its bias corrected, between 0 and `_MAX_PERSISTENCE`."""
    neighbours, n = np.diff(weeks) == 1, len(away)
    square = float(away @ away) / n
    if square <= 0 or neighbours.sum() < MIN_WEEKS:
        return 0.0
    found = float((away[1:] * away[:-1])[neighbours].mean()) / square
    return float(np.clip((n * found + 1) / (n - 3), 0.0, _MAX_PERSISTENCE))


def half_width(line: Line, x: Array, noise: float = 0.0, confidence: float = 0.9) -> Array:
    """Return half the width of the interval for the true value at each x.

    Parameters
    ----------
    line
        The calibration.
    x
        Values of the series in the weeks asked for.
    noise
        Mean squared standard error of the values that the line was fitted to; 0 for a truth.
    confidence
        Probability that the interval shall hold the true value.
    """
    leverage, freedom = line.leverage(x), line.freedom
    if noise <= 0:
        return np.asarray(stats.t.ppf(0.5 + confidence / 2, freedom) * np.sqrt(line.variance * (1 + leverage)))
    steps = (np.arange(_N_VARIANCES) + 0.5) / _N_VARIANCES
    total = freedom * line.variance
    chi2 = stats.chi2.ppf(steps * stats.chi2.cdf(total / noise, freedom), freedom)
    variance = np.maximum(total / np.maximum(chi2, np.finfo(float).tiny), noise) if total > 0 else np.full(1, noise)
    sd = np.sqrt(variance - noise + variance * leverage[:, None])
    low, high = np.zeros(len(x)), sd.max(axis=1) * 12 + np.finfo(float).tiny
    for _ in range(32):
        middle = (low + high) / 2
        inside = (2 * ndtr(middle[:, None] / np.maximum(sd, np.finfo(float).tiny)) - 1).mean(axis=1)
        low, high = np.where(inside < confidence, middle, low), np.where(inside < confidence, high, middle)
    return np.asarray(high)


@dataclass(frozen=True)
class Calibrated:
    """Levels of weeks, each from a calibration that did not see it.

    Attributes
    ----------
    level, low, high
        Prediction and interval, one per week.
    slope
        Slope of the line that gave it: what a unit of the series is worth.
    """

    level: Array
    low: Array
    high: Array
    slope: Array


def leave_blocks_out(
    weeks: Array, x: Array, y: Array, noise: float = 0.0, block_weeks: int = 4, confidence: float = 0.9
) -> Calibrated:
    """Calibrate every block of weeks by the weeks outside it.

    Parameters
    ----------
    weeks
        Number of each week on the calendar, rising; a block is `block_weeks` of the calendar, so gaps shorten it.
    x, y
        The series and the known values, one per week, none missing.
    noise
        Mean squared standard error of `y`.
    block_weeks
        Weeks of a block: neighbours of a left-out week know it partly, so single weeks would be too easy.
    confidence
        Of the intervals.

    Raises
    ------
    ValidityError
        If too few weeks are left outside a block.
    """
    blocks = (weeks - weeks[0]).astype(int) // block_weeks
    level, half, slope = (np.zeros(len(x)) for _ in range(3))
    for block in np.unique(blocks):
        out = blocks == block
        line = fit(x[~out], y[~out], weeks[~out])
        level[out], slope[out] = line.at(x[out]), line.slope
        half[out] = half_width(line, x[out], noise, confidence)
    return Calibrated(level, level - half, level + half, slope)
