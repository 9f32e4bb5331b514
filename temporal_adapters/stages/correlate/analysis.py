"""The analysis of one study: correlations at every lag, tests at the lags that were fixed, verdicts.

Takes aligned pairs and settings, gives results. Knows no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from temporal_adapters.engines.significance import alternates, dynamics, effective, level, multiplicity
from temporal_adapters.engines.significance.autoregression import MIN_ROWS, Array
from temporal_adapters.engines.significance.stationarity import stationarity
from temporal_adapters.ground.errors import CorrelateError
from temporal_adapters.stages.correlate.pairs import Pairs
from temporal_adapters.stages.correlate.records import Analysis, Result, Test, verdict
from temporal_adapters.stages.correlate.rhythm import on_rhythm
from temporal_adapters.stages.correlate.sentences import lag_words
from temporal_adapters.study.config.correlate import Correlate

ALTERNATE_DRAWS = 1999
"""Null draws of an alternate test, at most: they are shown, not decided by."""

LEVEL_STREAM = 1
SIGN_STREAM = 2
"""Streams of random numbers derived from the study's seed."""


def analyse(pairs: Pairs, settings: Correlate) -> Analysis:
    """Correlate every option at every lag and test the lags of the settings.

    Parameters
    ----------
    pairs
        Aligned series.
    settings
        Lags, error rate, number and seed of draws.
    """
    if settings.every_weeks > 1:
        return _analyse_waves(pairs, settings)
    lags = sorted({*settings.lags, *settings.shown_lags})
    tested = [lags.index(lag) for lag in settings.lags]
    work = _Work(pairs, lags, settings)
    changes = work.test_dynamics(tested)
    levels = work.test_level(tested)
    results = tuple(
        work.result(row, index, changes.get((row, index)), levels.get((row, index)))
        for row in range(len(pairs.names))
        for index in range(len(lags))
    )
    return Analysis(results, _facts(pairs, settings, work, tested))


def _analyse_waves(pairs: Pairs, settings: Correlate) -> Analysis:
    """Analyse a survey with several weeks between its waves: one row per option and lag, one step per wave."""
    waves = on_rhythm(pairs, settings.every_weeks, settings.lags)
    work = _Work(waves.pairs, [0], settings)
    changes, levels = work.test_dynamics([0]), work.test_level([0])
    rows = range(len(waves.lags))
    results = [replace(work.result(row, 0, changes[row, 0], levels[row, 0]), lag=waves.lags[row]) for row in rows]
    shown = sorted(set(settings.shown_lags) - set(settings.lags))
    if shown:
        beside = on_rhythm(pairs, settings.every_weeks, shown)
        other = _Work(beside.pairs, [0], settings)
        rows = range(len(beside.lags))
        results += [replace(other.result(row, 0, None, None), lag=beside.lags[row]) for row in rows]
    results.sort(key=lambda result: (result.item, result.option, result.lag))
    facts = _facts(pairs, settings, work, [0])
    return Analysis(tuple(results), {**facts, "n_waves": pairs.n_shared, "n_waves_left_out": waves.n_left_out})


def _facts(pairs: Pairs, settings: Correlate, work: _Work, tested: Sequence[int]) -> dict[str, Any]:
    return {
        "n_weeks": pairs.n_shared,
        "n_options": len(pairs.names),
        "lags_tested": list(settings.lags),
        "family_size": len(pairs.names) * len(settings.lags),
        "draws": settings.draws,
        "seed": settings.seed,
        "alpha": settings.alpha,
        "critical_t": work.critical_t,
        "detectable_r": effective.detectable_r(float(np.median(work.changes_n[:, tested])), work.critical_t),
    }


class _Work:
    """Everything that is computed once for all options."""

    def __init__(self, pairs: Pairs, lags: Sequence[int], settings: Correlate) -> None:
        self.pairs, self.lags, self.settings = pairs, lags, settings
        moved = np.stack([level.shifted(pairs.survey, lag) for lag in lags], axis=1)
        here = np.broadcast_to(pairs.model[:, None, :], moved.shape)
        self.r = dynamics.pearson(here, moved)
        self.n_pairs = (np.isfinite(here) & np.isfinite(moved)).sum(axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):  # a shown lag may have no pair: null in the tables
            self.n_effective = effective.effective_weeks(here, moved)
            self.interval = effective.fisher_interval(self.r, self.n_effective, settings.confidence)
        self.white = (dynamics.whiten(pairs.model), dynamics.whiten(pairs.survey))
        self.ranks = (dynamics.signed_ranks(self.white[0].residuals), dynamics.signed_ranks(self.white[1].residuals))
        self.changes_r, self.changes_n = dynamics.rank_correlation(*self.ranks, lags)
        n = self.changes_n.astype(np.float64)
        self.changes_interval = effective.fisher_interval(self.changes_r, n, settings.confidence)
        self.signs = dynamics.signs(settings.draws, len(pairs.weeks), [settings.seed, SIGN_STREAM])
        self.critical_t = float("nan")
        self.details: dict[tuple[int, int], dict[str, Any]] = {}

    def require(self, tested: Sequence[int]) -> None:
        """Refuse a tested lag at which an option has too few pairs or does not vary."""
        for row, name in enumerate(self.pairs.names):
            for index in tested:
                place = f"{' / '.join(name)}, {lag_words(self.lags[index])}"
                n, n_changes = int(self.n_pairs[row, index]), int(self.changes_n[row, index])
                if n < self.settings.min_weeks or n_changes < MIN_ROWS:
                    needed = f"{self.settings.min_weeks} and {MIN_ROWS} are needed"
                    raise CorrelateError(
                        f"{place}: {n} pairs of weeks and {n_changes} of changes, {needed}:"
                        " test a smaller lag, or exclude the option with correlate.exclude"
                    )
                if not np.isfinite(self.r[row, index]):
                    raise CorrelateError(
                        f"{place}: a series is constant in the weeks that meet at this lag; exclude it"
                    )

    def test_dynamics(self, tested: Sequence[int]) -> dict[tuple[int, int], Test]:
        self.require(tested)
        lags = [self.lags[index] for index in tested]
        terms = dynamics.products(*self.ranks, lags)
        observed = dynamics.statistic(terms)
        drawn = dynamics.null(terms, self.signs)
        flat = drawn.reshape(len(drawn), -1)
        self.critical_t = float(np.quantile(flat.max(axis=1), 1 - self.settings.alpha))
        own = dynamics.p_values(observed, drawn).ravel()
        family = multiplicity.max_t(observed.ravel(), flat)
        self._explain(tested, terms, lags)
        return self._tests(tested, observed.ravel(), own, family)

    def test_level(self, tested: Sequence[int]) -> dict[tuple[int, int], Test]:
        lags = [self.lags[index] for index in tested]
        seed = [self.settings.seed, LEVEL_STREAM]
        drawn = level.null(self.pairs.model, self.pairs.survey, lags, self.settings.draws, seed)
        observed = self.r[:, tested].ravel()
        flat = drawn.reshape(len(drawn), -1)
        own = dynamics.p_values(observed, flat)
        family = multiplicity.max_t(*multiplicity.studentised(observed, flat))
        return self._tests(tested, observed, own, family)

    def _tests(self, tested: Sequence[int], value: Array, own: Array, family: Array) -> dict[tuple[int, int], Test]:
        q, q_by = multiplicity.benjamini_hochberg(own), multiplicity.benjamini_yekutieli(own)
        if self.settings.fdr == "by":
            q = q_by
        found = {}
        for place in range(len(own)):
            row, column = divmod(place, len(tested))
            numbers = (float(array[place]) for array in (value, own, family, q, q_by))
            found[row, tested[column]] = Test(*numbers)
        return found

    def _explain(self, tested: Sequence[int], terms: Array, lags: Sequence[int]) -> None:
        heavy = dynamics.heaviest(terms, self.signs)
        roots = [[asdict(stationarity(series)) for series in side] for side in (self.pairs.model, self.pairs.survey)]
        other = {shift: self._shifted_p(shift, lags) for shift in (-1, 1)}
        for row in range(terms.shape[0]):
            for column, index in enumerate(tested):
                self.details[row, index] = {
                    "order_model": int(self.white[0].order[row]),
                    "order_survey": int(self.white[1].order[row]),
                    "order_raised": bool(self.white[0].raised[row] or self.white[1].raised[row]),
                    "ljung_box_model": float(self.white[0].leftover_p[row]),
                    "ljung_box_survey": float(self.white[1].leftover_p[row]),
                    "p_order_minus_1": float(other[-1][row, column]),
                    "p_order_plus_1": float(other[1][row, column]),
                    "heaviest_week": self.pairs.weeks[int(heavy.week[row, column])].isoformat(),
                    "heaviest_week_share": float(heavy.share[row, column]),
                    "p_without_heaviest_week": float(heavy.p_without[row, column]),
                    "stationarity_model": roots[0][row],
                    "stationarity_survey": roots[1][row],
                }

    def _shifted_p(self, shift: int, lags: Sequence[int]) -> Array:
        ranks = [
            dynamics.signed_ranks(dynamics.whiten(side, shift).residuals)
            for side in (self.pairs.model, self.pairs.survey)
        ]
        terms = dynamics.products(ranks[0], ranks[1], lags)
        return dynamics.p_values(dynamics.statistic(terms), dynamics.null(terms, self.signs))

    def result(self, row: int, index: int, changes: Test | None, levels: Test | None) -> Result:
        item, option = self.pairs.names[row]
        r, n = float(self.r[row, index]), int(self.n_pairs[row, index])
        return Result(
            item=item,
            option=option,
            lag=self.lags[index],
            r=r,
            n_pairs=n,
            n_effective=float(self.n_effective[row, index]),
            ci_low=float(self.interval[0][row, index]),
            ci_high=float(self.interval[1][row, index]),
            changes_r=float(self.changes_r[row, index]),
            changes_n=int(self.changes_n[row, index]),
            changes_ci_low=float(self.changes_interval[0][row, index]),
            changes_ci_high=float(self.changes_interval[1][row, index]),
            dynamics=changes,
            level=levels,
            verdict=verdict(changes, levels, self.settings.alpha),
            details=self.details.get((row, index), {}),
            alternates={} if changes is None else self.alternates(row, self.lags[index]),
            not_valid_here={} if changes is None else self.invalid(row, self.lags[index]),
        )

    def alternates(self, row: int, lag: int) -> dict[str, alternates.Alternate]:
        x, y = self.pairs.model[row], level.shifted(self.pairs.survey[row], lag)
        draws, seed = min(self.settings.draws, ALTERNATE_DRAWS), self.settings.seed
        return {name: alternates.alternate(name, x, y, draws, seed) for name in self.settings.alternates}

    def invalid(self, row: int, lag: int) -> dict[str, float]:
        x, y = self.pairs.model[row], level.shifted(self.pairs.survey[row], lag)
        smooth = [(side[2:] + side[1:-1] + side[:-2]) / 3 for side in (x, y)]
        found = {"pearson_p": _pearson_p(x, y), "pearson_p_of_3_week_means": _pearson_p(smooth[0], smooth[1])}
        found["white_noise_band_95"] = 1.96 / float(np.sqrt((np.isfinite(x) & np.isfinite(y)).sum()))
        return found


def _pearson_p(x: Array, y: Array) -> float:
    n = float((np.isfinite(x) & np.isfinite(y)).sum())
    return float(effective.t_test(dynamics.pearson(x, y), np.array(n)))
