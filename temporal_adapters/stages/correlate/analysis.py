"""The analysis of one study: correlations at every lag, tests at the lags that were fixed, verdicts.

Takes aligned pairs and settings, gives results. Knows no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from temporal_adapters.engines.significance import (
    MIN_ROWS,
    Array,
    Changes,
    alternates,
    effective,
    mean_weeks,
    pearson,
    share_left,
    shifted,
)
from temporal_adapters.engines.significance.stationarity import stationarity
from temporal_adapters.ground.errors import CorrelateError
from temporal_adapters.stages.correlate.calendar import regressors
from temporal_adapters.stages.correlate.pairs import Pairs, require_moving
from temporal_adapters.stages.correlate.records import Analysis, Result, verdict
from temporal_adapters.stages.correlate.rhythm import on_rhythm
from temporal_adapters.stages.correlate.sentences import lag_words
from temporal_adapters.stages.correlate.testing import changes_of, levels_of, tests, without, without_calendar
from temporal_adapters.study.config import Correlate

ALTERNATE_DRAWS = 1999
"""Null draws of an alternate test, at most: they are shown, not decided by."""


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
    require_moving(pairs)
    lags = sorted({*settings.lags, *settings.shown_lags})
    adjust = regressors(pairs.weeks, settings.adjust)
    pairs = without(pairs, adjust)
    moved = changes_of(pairs, settings.lags, settings, adjust)
    shown = _describe(pairs, lags, moved, settings, adjust)
    results = _test(pairs, settings.lags, moved, shown, settings, adjust)
    return Analysis(tuple(results), _facts(pairs, settings, moved))


def _analyse_waves(pairs: Pairs, settings: Correlate) -> Analysis:
    """Analyse a survey with several weeks between its waves: one row per option and lag, one step per wave."""
    waves = on_rhythm(pairs, settings.every_weeks, settings.lags)
    adjust = regressors(waves.pairs.weeks, settings.adjust)
    aligned = without(waves.pairs, adjust)
    moved = changes_of(aligned, [0], settings, adjust)
    results = _test(aligned, [0], moved, _describe(aligned, [0], moved, settings, adjust), settings, adjust)
    results = [replace(result, lag=lag) for result, lag in zip(results, waves.lags, strict=True)]
    shown = sorted(set(settings.shown_lags) - set(settings.lags))
    if shown:
        beside = on_rhythm(pairs, settings.every_weeks, shown)
        rest = without(beside.pairs, adjust)
        other = _describe(rest, [0], changes_of(rest, [0], settings, adjust), settings, adjust)
        results += [replace(result, lag=lag) for result, lag in zip(other, beside.lags, strict=True)]
    results.sort(key=lambda result: (result.item, result.option, result.lag))
    facts = _facts(pairs, settings, moved)
    return Analysis(tuple(results), {**facts, "n_waves": pairs.n_shared, "n_waves_left_out": waves.n_left_out})


def _facts(pairs: Pairs, settings: Correlate, moved: Changes) -> dict[str, Any]:
    critical = moved.critical(settings.alpha / 2)
    weeks = float(np.median(moved.correlation(moved.lags)[1]))
    return {
        "n_weeks": pairs.n_shared,
        "n_options": len(pairs.names),
        "lags_tested": list(settings.lags),
        "family_size": len(pairs.names) * len(settings.lags),
        "draws": settings.draws,
        "seed": settings.seed,
        "alpha": settings.alpha,
        "adjust": list(settings.adjust_names),
        "critical_t": critical,
        "detectable_r": effective.detectable_r(weeks, critical),
    }


def _describe(pairs: Pairs, lags: Sequence[int], moved: Changes, settings: Correlate, adjust: Array) -> list[Result]:
    """Return every option at every lag, not tested: options outermost, lags in the order given."""
    survey = np.stack([shifted(pairs.survey, lag) for lag in lags], axis=1)
    model = np.broadcast_to(pairs.model[:, None, :], survey.shape)
    r, n_pairs = pearson(model, survey), (np.isfinite(model) & np.isfinite(survey)).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):  # a shown lag may have no pair: null in the tables
        n_effective = effective.effective_weeks(model, survey) * share_left(n_pairs, adjust)
        low, high = effective.fisher_interval(r, n_effective, settings.confidence)
    changes_r, changes_n = moved.correlation(lags)
    n_left = changes_n * share_left(changes_n, adjust)
    changes_interval = effective.rank_interval(changes_r, n_left, settings.confidence)
    excluded = effective.excluded_r(changes_r, n_left, settings.confidence)
    return [
        Result(
            *pairs.names[row],
            lag=lag,
            r=float(r[row, index]),
            n_pairs=int(n_pairs[row, index]),
            n_effective=float(n_effective[row, index]),
            ci_low=float(low[row, index]),
            ci_high=float(high[row, index]),
            changes_r=float(changes_r[row, index]),
            changes_n=int(changes_n[row, index]),
            changes_ci_low=float(changes_interval[0][row, index]),
            changes_ci_high=float(changes_interval[1][row, index]),
            changes_excluded=float(excluded[row, index]),
            dynamics=None,
            level=None,
            verdict="not tested",
        )
        for row in range(len(pairs.names))
        for index, lag in enumerate(lags)
    ]


def _test(
    pairs: Pairs, lags: Sequence[int], moved: Changes, shown: Sequence[Result], settings: Correlate, adjust: Array
) -> list[Result]:
    """Return the results with both tests and everything beside them where a lag is tested."""
    tested = [result for result in shown if result.lag in lags]
    _require_testable(tested, settings)
    level = levels_of(pairs, lags, settings, adjust)
    by_changes = tests(moved.statistic, moved.p, moved.p_family, settings)
    by_levels = tests(level.r, level.p, level.p_family, settings)
    beside = without_calendar(pairs, lags, settings, adjust)
    own = _details(pairs, moved, moved.critical(settings.alpha / 2))
    details = [{**one, **other} for one, other in zip(own, beside, strict=True)]
    n_shown = len(shown) // len(pairs.names)
    found = []
    for index, result in enumerate(shown):
        row = index // n_shown
        if result.lag in lags:
            place = row * len(lags) + list(lags).index(result.lag)
            x, y = pairs.model[row], shifted(pairs.survey[row], result.lag)
            both = by_changes[place], by_levels[place]
            result = replace(
                result,
                dynamics=both[0],
                level=both[1],
                verdict=verdict(*both, settings.alpha),
                details=details[place],
                alternates=_alternates(x, y, settings),
                not_valid_here=_invalid(x, y),
            )
        found.append(result)
    return found


def _require_testable(tested: Sequence[Result], settings: Correlate) -> None:
    """Refuse a tested lag at which an option has too few pairs or does not vary."""
    for result in tested:
        place = f"{result.item} / {result.option}, {lag_words(result.lag)}"
        if result.n_pairs < settings.min_weeks or result.changes_n < MIN_ROWS:
            raise CorrelateError(
                f"{place}: {result.n_pairs} pairs of weeks and {result.changes_n} of changes,"
                f" {settings.min_weeks} and {MIN_ROWS} are needed:"
                " test a smaller lag, or exclude the option with correlate.exclude"
            )
        if not np.isfinite(result.r):
            raise CorrelateError(f"{place}: a series is constant in the weeks that meet at this lag; exclude it")


def _details(pairs: Pairs, moved: Changes, critical: float) -> list[dict[str, Any]]:
    """Return what stands beside test D, one entry per option and lag, lags innermost."""
    heavy, five = moved.heaviest(1), moved.heaviest(5)
    shorter, longer = moved.p_at_order(-1), moved.p_at_order(1)
    roots = [[asdict(stationarity(series)) for series in side] for side in (pairs.model, pairs.survey)]
    means = [[mean_weeks(series) for series in side.series] for side in moved.white]
    model, survey = moved.white
    pairs_left = moved.left * np.isfinite(moved.terms).sum(axis=-1)
    whitened = np.minimum(model.order, survey.order) > 1  # one order less of 1 is no prewhitening at all
    return [
        {
            "order_model": int(model.order[row]),
            "order_survey": int(survey.order[row]),
            "order_raised": bool(model.raised[row] or survey.raised[row]),
            "ljung_box_model": float(model.leftover_p[row]),
            "ljung_box_survey": float(survey.leftover_p[row]),
            "p_order_minus_1": float(shorter[row, column]) if whitened[row] else None,
            "p_order_plus_1": float(longer[row, column]),
            "detectable_r": effective.detectable_r(float(pairs_left[row, column]), critical),
            "mean_weeks_model": means[0][row],
            "mean_weeks_survey": means[1][row],
            "heaviest_week": pairs.weeks[int(heavy.weeks[row, column, 0])].isoformat(),
            "heaviest_week_share": float(heavy.share[row, column]),
            "r_without_heaviest_week": float(heavy.r_without[row, column]),
            "p_without_heaviest_week": float(heavy.p_without[row, column]),
            "heaviest_five_share": float(five.share[row, column]),
            "r_without_heaviest_five": float(five.r_without[row, column]),
            "p_without_heaviest_five": float(five.p_without[row, column]),
            "stationarity_model": roots[0][row],
            "stationarity_survey": roots[1][row],
        }
        for row in range(len(pairs.names))
        for column in range(len(moved.lags))
    ]


def _alternates(x: Array, y: Array, settings: Correlate) -> dict[str, alternates.Alternate]:
    draws = min(settings.draws, ALTERNATE_DRAWS)
    return {name: alternates.alternate(name, x, y, draws, settings.seed) for name in settings.alternates}


def _invalid(x: Array, y: Array) -> dict[str, float]:
    smooth = [(side[2:] + side[1:-1] + side[:-2]) / 3 for side in (x, y)]
    found = {"pearson_p": _pearson_p(x, y), "pearson_p_of_3_week_means": _pearson_p(smooth[0], smooth[1])}
    found["white_noise_band_95"] = 1.96 / float(np.sqrt((np.isfinite(x) & np.isfinite(y)).sum()))
    return found


def _pearson_p(x: Array, y: Array) -> float:
    n = float((np.isfinite(x) & np.isfinite(y)).sum())
    return float(effective.t_test(pearson(x, y), np.array(n)))
