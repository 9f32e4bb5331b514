"""How often a correlation would be found: by formula and by simulation.

Takes weeks, correlation, persistence, reliabilities, lags and questions; gives power. Knows no week and no file.

Observed series are true series plus independent noise. Reliability is the true share of a series' variance, so that the
observed correlation is r times the root of both reliabilities.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg, optimize, stats

from temporal_adapters.engines.significance import processes
from temporal_adapters.engines.significance.autoregression import Array
from temporal_adapters.engines.significance.changes import changes
from temporal_adapters.engines.significance.levels import levels
from temporal_adapters.ground.errors import CorrelateError

_CHUNK = 100
_NULL_DRAWS = 999
_MOST_MISSING = 0.7


def least_weeks(lag: int, missing: float) -> int:
    """Return the weeks below which a design is refused: those that leave 12 pairs."""
    return math.ceil(12 / (1 - missing)) + abs(lag)


@dataclass(frozen=True)
class Design:
    """One study in numbers.

    Attributes
    ----------
    weeks
        Shared weeks.
    r
        Correlation of the true series (and of their innovations).
    persistence
        First-order autocorrelation of the true series, model and survey alike.
    reliability_model, reliability_survey
        True share of the variance of each observed series, above 0 to 1.
    n_lags, n_questions
        Size of the family that is tested together.
    alpha
        Family-wise error rate.
    lag
        Weeks by which the model leads, chosen before looking; so many weeks have no partner.
    missing
        Share of the weeks in which one of the two series has no value, 0 to below .7, spread at random.
    """

    weeks: int
    r: float
    persistence: float = 0.7
    reliability_model: float = 1.0
    reliability_survey: float = 1.0
    n_lags: int = 1
    n_questions: int = 1
    alpha: float = 0.05
    lag: int = 0
    missing: float = 0.0

    def __post_init__(self) -> None:
        """Refuse designs that do not exist."""
        if not 0 <= self.missing < _MOST_MISSING:
            raise CorrelateError(f"the share of missing weeks must lie from 0 to below {_MOST_MISSING:g}")
        if self.pairs < 12:
            at = f" at lag {self.lag}" if self.lag else ""
            at += f" with {self.missing:.0%} missing" if self.missing else ""
            least = least_weeks(self.lag, self.missing)
            raise CorrelateError(f"{self.weeks} weeks{at} are too few, at least {least} are needed")
        if not -1 < self.r < 1 or not -1 < self.persistence < 1:
            raise CorrelateError("r and persistence must lie between -1 and 1")
        if not 0 < self.reliability_model <= 1 or not 0 < self.reliability_survey <= 1:
            raise CorrelateError("reliabilities must lie above 0 and up to 1")

    @property
    def pairs(self) -> int:
        """Pairs of weeks at the lag that both series have."""
        return round((self.weeks - abs(self.lag)) * (1 - self.missing))

    @property
    def family(self) -> int:
        """Number of tests in the family."""
        return self.n_lags * self.n_questions


def analytic(design: Design) -> dict[str, float]:
    """Return the approximate power of tests D and L.

    D: the self-normalised sum of rank products of the observed series' innovations, normal with the mean and variance
    that normal series imply. L: Fisher's z of the observed levels with their effective weeks. Critical values are
    Sidak's for the family. Both ignore the sampling of the autoregressions themselves; simulated power lies within 0.1
    (see the tests), for L at a persistence of .9 within 0.2.
    """
    critical = float(stats.norm.isf((1 - (1 - design.alpha) ** (1 / design.family)) / 2))
    return {"dynamics": _power_of_changes(design, critical), "level": _power_of_levels(design, critical)}


def _power_of_changes(design: Design, critical: float) -> float:
    r = _innovation_correlation(design)
    rank_r = 6 / np.pi * np.arcsin(r / 2)
    square = 1 + _SQUARED_RANKS * r**2
    weeks = design.pairs - 2
    centre, spread = np.sqrt(weeks / square) * rank_r, np.sqrt(1 - rank_r**2 / square)
    return float(stats.norm.sf((critical - centre) / spread) + stats.norm.cdf((-critical - centre) / spread))


def _power_of_levels(design: Design, critical: float) -> float:
    r, weeks = _seen_levels(design)
    centre = np.arctanh(r) * np.sqrt(weeks)
    return float(stats.norm.sf(critical - centre) + stats.norm.cdf(-critical - centre))


_SQUARED_RANKS = 0.4
"""Growth with r^2 of the mean squared product of two centred ranks, relative to independence, for normal series."""


def _seen_levels(design: Design) -> tuple[float, float]:
    """Return the correlation to expect of two observed series' levels, and how many independent weeks they are worth.

    Both count what centring takes away: a slow signal moves little within few weeks, noise all it can. Effective weeks
    are 1 / var(r) of unrelated series, tr(X) tr(Y) / tr(X Y) with X and Y their centred covariances, which is what
    Pyper and Peterman (1998) approximate.
    """
    n = design.pairs
    # Weeks that are left lie 1 / (1 - missing) apart on average.
    signal = linalg.toeplitz(np.sign(design.persistence) ** np.arange(n) * _kept(design) ** np.arange(n))
    sides = [
        reliability * signal + (1 - reliability) * np.eye(n)
        for reliability in (design.reliability_model, design.reliability_survey)
    ]
    x, y, shared = (matrix - matrix.mean(axis=0) for matrix in (*sides, signal))
    product = float(np.trace(x) * np.trace(y))
    shown = design.r * np.sqrt(design.reliability_model * design.reliability_survey)
    return float(shown * np.trace(shared) / np.sqrt(product)), product / float((x * y.T).sum())


def _kept(design: Design) -> float:
    return float(abs(design.persistence) ** (1 / (1 - design.missing)))


def _innovation_correlation(design: Design) -> float:
    """Return the correlation of the one-step innovations of two observed series.

    An AR(1) observed with noise is an ARMA(1,1); with coefficient theta of its moving average the innovations are
    sums over past shocks and noise, of which only the shocks are shared by the two series.
    """
    phi = design.persistence
    thetas, variances = zip(
        *(_arma(phi, rel) for rel in (design.reliability_model, design.reliability_survey)), strict=True
    )
    shared = 1.0 / (1.0 - thetas[0] * thetas[1])
    return float(design.r * shared * (1 - phi**2) / np.sqrt(variances[0] * variances[1]))


def _arma(phi: float, reliability: float) -> tuple[float, float]:
    """Return theta and the innovation variance of AR(1) of variance 1 plus noise with this reliability."""
    shock, noise = 1 - phi**2, 1 / reliability - 1
    zero = shock + (1 + phi**2) * noise
    one = -phi * noise
    if abs(one) < 1e-12:
        return 0.0, zero
    theta = (zero - np.sqrt(zero**2 - 4 * one**2)) / (2 * one)
    return float(-theta), float(one / theta)


def simulated(design: Design, worlds: int = 1000, seed: int = 1) -> dict[str, float]:
    """Return the power of tests D and L for the first question, by drawing worlds.

    One question has the relation, the others none; the family is all questions and lags. `dynamics` and `level` count
    worlds in which the related pair at the design's lag is found with the family-wise critical value; `both` counts
    verdicts "tracks".
    """
    rng = np.random.default_rng(seed)
    first = design.lag - design.n_lags // 2
    lags = tuple(range(first, first + design.n_lags))
    place, least = lags.index(design.lag), _share(design.alpha, design.n_questions)
    found = {"dynamics": 0, "level": 0, "both": 0}
    for start in range(0, worlds, _CHUNK):
        size = min(_CHUNK, worlds - start)
        x, y = _observed(rng, size, design)
        d = changes(x, y, lags, draws=_NULL_DRAWS, seed=[seed, start]).p_over_lags[:, place] <= least
        level = levels(x, y, lags, draws=_NULL_DRAWS, seed=[seed, start, 1], joint=False).p_over_lags[:, place] <= least
        for name, hits in (("dynamics", d), ("level", level), ("both", d & level)):
            found[name] += int(hits.sum())
    return {name: count / worlds for name, count in found.items()}


def _observed(rng: np.random.Generator, size: int, design: Design) -> tuple[Array, Array]:
    phi = (design.persistence, design.persistence)
    x, y = processes.correlated(rng, size, design.weeks, phi, design.r, design.lag)
    spread = 1 / np.sqrt(1 - design.persistence**2)
    noisy = []
    for side, reliability in ((x, design.reliability_model), (y, design.reliability_survey)):
        noisy.append(side + rng.standard_normal(side.shape) * spread * np.sqrt(1 / reliability - 1))
    if design.missing:
        noisy[1][rng.random(noisy[1].shape) < design.missing] = np.nan
    return noisy[0], noisy[1]


def _share(alpha: float, n_questions: int) -> float:
    """Return the error rate of one question such that independent questions together keep `alpha` (Sidak)."""
    return float(1 - (1 - alpha) ** (1 / n_questions))


def detectable(design: Design, power: float = 0.8, test: str = "dynamics") -> float | None:
    """Return the smallest true correlation found with `power` by the formula; None if not even .999 is."""
    if analytic(replace(design, r=0.999))[test] < power:
        return None
    return float(optimize.brentq(lambda r: analytic(replace(design, r=r))[test] - power, 0.0, 0.999, xtol=1e-4))
