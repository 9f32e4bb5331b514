"""Other tests of the same question, by name: never a substitute for D and L, never silently.

Takes two aligned series (one pair, lag already applied, NaN where missing), gives an `Alternate`. Knows no
week and no file.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from temporal_adapters.engines.significance import autoregression, effective
from temporal_adapters.engines.significance.autoregression import Array
from temporal_adapters.engines.significance.pairs import pearson
from temporal_adapters.ground.errors import CorrelateError

BOOTSTRAP_WEEKS = 150
"""Weeks below which the block bootstrap's interval is refused: its coverage is too low on shorter series."""


@dataclass(frozen=True)
class Alternate:
    """One alternate test.

    Attributes
    ----------
    estimate
        The statistic: a correlation, except for `adl-hc3` (the F statistic).
    p
        Two-sided p-value; None where the method gives an interval only, or cannot be used.
    ci_low, ci_high
        95 % interval where the method gives one.
    n
        Weeks used.
    note
        Why there is no p-value, or what to know.
    """

    estimate: float | None
    p: float | None
    ci_low: float | None = None
    ci_high: float | None = None
    n: int = 0
    note: str = ""


def prewhitened_spearman(x: Array, y: Array, draws: int, seed: int) -> Alternate:
    """Spearman's rho of the residuals of both autoregressions, t approximation."""
    residuals = [autoregression.fit(side[None], _order(side)).residuals[0] for side in (x, y)]
    both = np.isfinite(residuals[0]) & np.isfinite(residuals[1])
    rho, p = stats.spearmanr(residuals[0][both], residuals[1][both])
    return Alternate(float(rho), float(p), n=int(both.sum()), note="no protection against common shocks")


def phase_randomisation(x: Array, y: Array, draws: int, seed: int) -> Alternate:
    """Pearson's r against surrogates of x with its spectrum and random phases (Ebisuzaki 1997); no missing weeks."""
    both = np.isfinite(x) & np.isfinite(y)
    first, last = int(np.argmax(both)), len(both) - int(np.argmax(both[::-1]))
    if not both[first:last].all():
        return Alternate(None, None, n=int(both.sum()), note="not possible with missing weeks")
    x, y = x[first:last], y[first:last]
    n = len(x)
    spectrum = np.fft.rfft(x - x.mean())
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, (draws, len(spectrum)))
    turned = np.abs(spectrum) * np.exp(1j * phases)
    if n % 2 == 0:  # the Nyquist term is real: its surrogate keeps the variance by a factor of root 2 (Ebisuzaki 1997)
        turned[:, -1] = np.sqrt(2) * np.abs(spectrum[-1]) * np.cos(phases[:, -1])
    surrogates = np.fft.irfft(turned, n)
    r = float(pearson(x, y))
    drawn = np.abs(pearson(surrogates, np.broadcast_to(y, surrogates.shape)))
    p = (1 + int((drawn >= abs(r) - 1e-12).sum())) / (draws + 1)
    return Alternate(r, p, n=n, note="too liberal under common volatility and heavy tails")


def adl_hc3(x: Array, y: Array, draws: int, seed: int) -> Alternate:
    """Joint F test of x_t and x_{t-1} in y_t = c + a y_{t-1} + b x_t + d x_{t-1}, HC3 covariance."""
    rows = np.isfinite(x[1:]) & np.isfinite(x[:-1]) & np.isfinite(y[1:]) & np.isfinite(y[:-1])
    n = int(rows.sum())
    if n < autoregression.MIN_ROWS:
        return Alternate(None, None, n=n, note="too few consecutive weeks")
    sides = [(side - np.nanmean(side)) / np.nanstd(side) for side in (x, y)]
    design = np.column_stack([np.ones(n), sides[1][:-1][rows], sides[0][1:][rows], sides[0][:-1][rows]])
    from statsmodels.regression.linear_model import OLS

    fitted = OLS(sides[1][1:][rows], design).fit(cov_type="HC3", use_t=True)
    tested = fitted.f_test(np.eye(4)[2:])
    return Alternate(float(tested.fvalue), float(tested.pvalue), n=n, note="estimate is F with 2 degrees of freedom")


def effective_n_t(x: Array, y: Array, draws: int, seed: int) -> Alternate:
    """Pearson's r with a t test on the effective number of weeks (Pyper and Peterman 1998)."""
    r, n = pearson(x[None], y[None]), effective.effective_weeks(x[None], y[None])
    low, high = effective.fisher_interval(r, n)
    p = float(effective.t_test(r, n)[0])
    weeks = int((np.isfinite(x) & np.isfinite(y)).sum())
    known = p if math.isfinite(p) else None
    return Alternate(float(r[0]), known, float(low[0]), float(high[0]), weeks, f"{n[0]:.1f} effective weeks")


def block_bootstrap(x: Array, y: Array, draws: int, seed: int) -> Alternate:
    """Percentile interval of Pearson's r by the circular block bootstrap of pairs; an interval only."""
    both = np.isfinite(x) & np.isfinite(y)
    x, y = x[both], y[both]
    n = len(x)
    if n < BOOTSTRAP_WEEKS:
        return Alternate(None, None, n=n, note=f"needs {BOOTSTRAP_WEEKS} weeks")
    if not both[int(np.argmax(both)) : len(both) - int(np.argmax(both[::-1]))].all():
        return Alternate(None, None, n=n, note="not possible with missing weeks")
    length = max(math.ceil(max(block_length(x), block_length(y))), 1)
    starts = np.random.default_rng(seed).integers(0, n, (draws, math.ceil(n / length)))
    weeks = ((starts[..., None] + np.arange(length)) % n).reshape(draws, -1)[:, :n]
    low, high = np.quantile(pearson(x[weeks], y[weeks]), [0.025, 0.975])
    note = f"interval only, blocks of {length} weeks"
    return Alternate(float(pearson(x, y)), None, float(low), float(high), n, note)


def block_length(series: Array) -> float:
    """Return the optimal block length of the circular bootstrap (Politis and White 2004, corrected 2009)."""
    return length_at(series, bandwidth(series))


def bandwidth(series: Array) -> int:
    """Return the lag after which autocorrelations are negligible, at least 1 (Politis and White 2004, section 3.2).

    The smallest m such that the max(5, log10 n) autocorrelations after m lie within 2 sqrt(log10 n / n). (The library
    arch scales autocorrelations by their overlapping parts and may stop at another m.)
    """
    n = len(series)
    n_checked = max(5, int(math.log10(n)))
    covariance = _covariances(series)
    small = np.abs(covariance[1:] / covariance[0]) < 2 * math.sqrt(math.log10(n) / n)
    runs = [lag for lag in range(len(small) - n_checked + 1) if small[lag : lag + n_checked].all()]
    return max(runs[0], 1) if runs else len(small)


def length_at(series: Array, lag_window: int) -> float:
    """Return the block length that a bandwidth implies, with the flat-top lag window of twice that width."""
    n = len(series)
    covariance = _covariances(series)
    window = min(2 * lag_window, len(covariance) - 1)
    lag = np.arange(1, window + 1)
    taper = np.clip(2 * (1 - lag / window), 0, 1)
    spread = covariance[0] + 2 * (taper * covariance[1 : window + 1]).sum()
    curvature = 2 * (taper * lag * covariance[1 : window + 1]).sum()
    length = (2 * curvature**2 / (4 / 3 * spread**2)) ** (1 / 3) * n ** (1 / 3)
    return float(min(length, math.ceil(min(3 * math.sqrt(n), n / 3))))


def _covariances(series: Array) -> Array:
    n = len(series)
    away = series - series.mean()
    longest = min(math.ceil(math.sqrt(n)) + max(5, int(math.log10(n))), n - 1)
    return np.array([away[lag:] @ away[: n - lag] / n for lag in range(longest + 1)])


def _order(series: Array) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return autoregression.choose_order(series[None], "bic", autoregression.order_limits(series[None]))


ALTERNATES: dict[str, Callable[[Array, Array, int, int], Alternate]] = {
    "prewhitened-spearman": prewhitened_spearman,
    "phase-randomisation": phase_randomisation,
    "adl-hc3": adl_hc3,
    "effective-n-t": effective_n_t,
    "block-bootstrap": block_bootstrap,
}
"""Alternate tests by name."""


def alternate(name: str, x: Array, y: Array, draws: int = 1999, seed: int = 0) -> Alternate:
    """Run one alternate test by name.

    Raises
    ------
    CorrelateError
        If there is no test of that name.
    """
    if name not in ALTERNATES:
        raise CorrelateError(f"there is no test {name!r} (there are: {', '.join(ALTERNATES)})")
    return ALTERNATES[name](x, y, draws, seed)
