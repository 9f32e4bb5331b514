"""How well a series recovers a known truth, option by option: movement, order, timing, level and intervals.

Takes a SERIES table of one item and a table of the truth, gives figures per option and their means. Knows no model.

| figure | what it says |
|---|---|
| `r`, `r_changes` | Pearson with the truth, of the levels and of the changes from week to week |
| `spearman`, `kendall` | rank agreement over weeks |
| `lag`, `lag_error` | lag in weeks of the highest cross-correlation with the truth (0 is right), and its distance |
| `rmse` | error of the levels after a calibration that did not see the week, percentage points |
| `coverage` | share of weeks whose true value lies in the calibrated interval |
| `rmse_survey`, `coverage_survey` | the same after calibration by the survey, against what it estimates; null without |
| `coverage_naive` | the same with the series' own standard error (seeds and wordings only) as the only error |
| `rank_options` | Spearman over options within a week, mean over weeks: does it know which mood is more frequent? |

Means over options count an option whose series never changes as r = 0; its own r is null.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from temporal_adapters.engines.significance import Array, r_of_differences
from temporal_adapters.ground.errors import ValidityError
from temporal_adapters.proof.validate.calibration import MIN_WEEKS, Calibrated, leave_blocks_out

CORRELATIONS = ("r", "r_changes", "spearman", "kendall")
FIGURES = (*CORRELATIONS, "lag_error", "rmse", "coverage", "rmse_survey", "coverage_survey", "coverage_naive")
"""Figures per option, in order; `mean` and `spread` of each are over options."""

_ROUNDING = 1e-9
"""Difference of two shares that is none."""


@dataclass(frozen=True)
class Rules:
    """How recovery is measured.

    Attributes
    ----------
    block_weeks
        Calendar weeks left out together.
    confidence
        Of the intervals.
    max_lag
        Largest lag searched, in weeks.
    """

    block_weeks: int = 4
    confidence: float = 0.9
    max_lag: int = 4


def known_weeks(truth: pl.DataFrame, survey: pl.DataFrame | None) -> pl.DataFrame:
    """Return what is known of every week and option.

    Parameters
    ----------
    truth
        `truth.parquet` of a world: week, option, mood, survey (what the survey estimates).
    survey
        SERIES of the survey, one item; None without a survey.

    Returns
    -------
    week, option, mood, survey_truth, survey (as fielded, null without), survey_se
    """
    known = truth.select("week", "option", "mood", survey_truth="survey")
    if survey is None:
        return known.with_columns(survey=pl.lit(None, pl.Float64), survey_se=pl.lit(None, pl.Float64))
    fielded = survey.select("week", "option", survey="value", survey_se="se")
    return known.join(fielded, on=["week", "option"], how="left")


def measure(series: pl.DataFrame, known: pl.DataFrame, rules: Rules = Rules()) -> dict[str, Any]:
    """Measure the recovery of a truth by a series.

    Parameters
    ----------
    series
        week, option, value and se (null where the method has none) of one item.
    known
        What `known_weeks` gives.
    rules
        How.

    Returns
    -------
    ``mean`` and ``spread`` (standard deviation over options) of every figure, `rank_options`, ``n_weeks``, ``options``:
    option -> figures.

    Raises
    ------
    ValidityError
        If series and truth share too few weeks for a calibration.
    """
    joined = series.select("week", "option", "value", "se").drop_nulls("value").join(known, on=["week", "option"])
    joined = joined.sort("option", "week")
    options = {str(keys[0]): _option(rows, rules) for keys, rows in joined.group_by("option", maintain_order=True)}
    if not options:
        raise ValidityError("the series and the truth share no week and option")
    mean, spread = {}, {}
    for name in FIGURES:
        found = [one[name] for one in options.values()]
        values = [0.0 if value is None else value for value in found] if name in CORRELATIONS else found
        mean[name] = None if None in values else _rounded(float(np.mean(values)))
        spread[name] = None if None in values or len(values) < 2 else _rounded(float(np.std(values, ddof=1)))
    mean["rank_options"], spread["rank_options"] = _rank_within(joined)
    n_weeks = min(one["n_weeks"] for one in options.values())
    return {"mean": mean, "spread": spread, "n_weeks": n_weeks, "options": options}


def _option(rows: pl.DataFrame, rules: Rules) -> dict[str, Any]:
    first = rows["week"].min()
    numbers = rows.select((pl.col("week") - first).dt.total_days() // 7).to_series().to_numpy()
    weeks, x, y = numbers.astype(float), rows["value"].to_numpy(), rows["mood"].to_numpy()
    r_changes = r_of_differences(x, y, numbers)
    one: dict[str, Any] = {
        "r": correlation(x, y),
        "r_changes": _rounded(r_changes) if math.isfinite(r_changes) else None,
        "spearman": correlation(stats.rankdata(x), stats.rankdata(y)),
        "kendall": _kendall(x, y),
        "n_weeks": len(x),
    }
    lag = best_lag(weeks, x, y, rules.max_lag)
    one |= {"lag": lag, "lag_error": None if lag is None else abs(lag)}
    try:
        return one | _levels(rows, weeks, x, y, rules)
    except ValidityError as error:
        raise ValidityError(f"{rows['option'][0]}: {error}") from None


def _levels(rows: pl.DataFrame, weeks: Array, x: Array, y: Array, rules: Rules) -> dict[str, Any]:
    se = rows["se"].to_numpy()
    by_truth = leave_blocks_out(weeks, x, y, 0.0, rules.block_weeks, rules.confidence)
    found: dict[str, Any] = {"rmse": _rmse(by_truth, y), "coverage": _coverage(by_truth, y)}
    found["coverage_naive"] = _naive(by_truth, se, y, rules.confidence)
    by_survey = _by_survey(rows, weeks, x, rules)
    if by_survey is None:
        return found | {"rmse_survey": None, "coverage_survey": None}
    aim = rows.drop_nulls(["survey", "survey_se"])["survey_truth"].to_numpy()
    return found | {"rmse_survey": _rmse(by_survey, aim), "coverage_survey": _coverage(by_survey, aim)}


def _by_survey(rows: pl.DataFrame, weeks: Array, x: Array, rules: Rules) -> Calibrated | None:
    """Return the levels calibrated by the survey in the weeks with a wave; None without a survey or with few waves."""
    fielded = rows.drop_nulls(["survey", "survey_se"])
    at = np.isin(rows["week"].to_numpy(), fielded["week"].to_numpy())
    if at.sum() < MIN_WEEKS + rules.block_weeks:
        return None
    noise = float((fielded["survey_se"].to_numpy() ** 2).mean())
    return leave_blocks_out(weeks[at], x[at], fielded["survey"].to_numpy(), noise, rules.block_weeks, rules.confidence)


def _rmse(found: Calibrated, truth: Array) -> float:
    return _rounded(float(100 * np.sqrt(((found.level - truth) ** 2).mean())))


def _coverage(found: Calibrated, truth: Array) -> float:
    # A series that is the truth has intervals of width 0: what rounding leaves must not count against it.
    return _rounded(float(((found.low - _ROUNDING <= truth) & (truth <= found.high + _ROUNDING)).mean()))


def _naive(found: Calibrated, se: Array, truth: Array, confidence: float) -> float | None:
    if not np.isfinite(se).all():
        return None
    half = stats.norm.ppf(0.5 + confidence / 2) * np.abs(found.slope) * se
    return _rounded(float((np.abs(found.level - truth) <= half).mean()))


def correlation(x: Array, y: Array) -> float | None:
    """Return Pearson's r; None where a series does not vary, or there are fewer than 3 pairs."""
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return _rounded(float(np.corrcoef(x, y)[0, 1]))


def _kendall(x: Array, y: Array) -> float | None:
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return _rounded(float(stats.kendalltau(x, y).statistic))


def best_lag(weeks: Array, x: Array, y: Array, max_lag: int) -> int | None:
    """Return the lag k at which x_t and y_{t+k} correlate highest, positive = x leads; None where x or y is constant.

    Pairs are made on the calendar: a gap takes its pairs away and shifts nothing. Of equal lags the smallest counts.
    """
    calendar = {int(week): place for place, week in enumerate(weeks)}
    found: list[tuple[float, int]] = []
    for lag in sorted(range(-max_lag, max_lag + 1), key=abs):
        pairs = [(place, calendar[week + lag]) for week, place in calendar.items() if week + lag in calendar]
        r = correlation(x[[a for a, _ in pairs]], y[[b for _, b in pairs]]) if pairs else None
        if r is not None:
            found.append((r, lag))
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _rank_within(joined: pl.DataFrame) -> tuple[float | None, float | None]:
    """Return mean and standard deviation over weeks of Spearman's r over the options of a week."""
    rank: Callable[[pl.DataFrame, str], Array] = lambda rows, name: stats.rankdata(rows[name].to_numpy())  # noqa: E731
    weeks = [rows for _, rows in joined.group_by("week", maintain_order=True) if rows.height > 2]
    found = [correlation(rank(rows, "value"), rank(rows, "mood")) or 0.0 for rows in weeks]
    if not found:
        return None, None
    return _rounded(float(np.mean(found))), _rounded(float(np.std(found, ddof=1))) if len(found) > 1 else None


def _rounded(value: float) -> float:
    return round(value, 4)
