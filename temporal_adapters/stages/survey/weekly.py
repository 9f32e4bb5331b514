"""Waves to weeks: which week a wave belongs to, and the sampling error of its values.

Takes observations, gives a `SERIES` table with one row per question, option and week; a week without a wave has no row.
Knows no file format.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Literal

import polars as pl

from temporal_adapters.ground import tables
from temporal_adapters.ground.dates import Weekday, week_start
from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages.survey.observations import Observations

Day = Literal["start", "middle", "end"]

_WAVE = ["wave", "item", "option", "start", "end"]


def to_weeks(
    observed: Observations,
    source: str,
    *,
    first_weekday: Weekday = "monday",
    windows: Mapping[date, date] | None = None,
    fieldwork_date: Day = "middle",
    same_week: Literal["refuse", "mean"] = "refuse",
    design_effect: float = 1.0,
    rounding: float | None = None,
) -> pl.DataFrame:
    """Return one value per question, option and week.

    Parameters
    ----------
    observed
        Waves.
    source
        Name of the survey in the table.
    first_weekday
        First day of a week, as in the study's posts.
    windows
        Where weeks are windows before waves: day of a wave -> first day of its window, which is the week's key. None
        where weeks are calendar weeks.
    fieldwork_date
        Day of the fieldwork that decides the week; `middle` is the earlier one of two middle days.
    same_week
        `refuse` two waves in one week, or take their `mean` weighted by n; where one of them has no n all weigh alike,
        where one has no standard error the mean has none.
    design_effect
        Factor on p (1 - p) / n where the file gives no standard error.
    rounding
        Step of published shares; the one seen in the file without it.

    Returns
    -------
    polars.DataFrame
        SERIES; `se` is the root of design_effect * p (1 - p) / n + rounding^2 / 12, null where n is unknown.

    Raises
    ------
    SurveyError
        If a wave appears twice, if two waves fall into one week and that is refused, or if an option has no value.
    """
    frame = _refuse_doubled(observed.frame)
    days = [_day(start, end, fieldwork_date) for start, end in frame.select("start", "end").iter_rows()]
    weeks = pl.Series("week", [_week(day, first_weekday, windows) for day in days], dtype=pl.Date)
    frame = frame.with_columns(weeks)
    _refuse_empty(frame)
    frame = _with_errors(frame, observed, design_effect, rounding).drop_nulls("value")
    frame = _one_per_week(frame, same_week)
    frame = frame.with_columns(pl.lit(source).alias("source")).select(list(tables.SERIES.columns))
    return tables.check(frame.sort("item", "option", "week"), tables.SERIES)


def _week(day: date, first_weekday: Weekday, windows: Mapping[date, date] | None) -> date:
    if windows is None:
        return week_start(day, first_weekday)
    if day not in windows:
        raise SurveyError(
            f"the survey's wave of {day} has no window of posts (weeks.waves has {_some(windows)}):"
            " add it to weeks.waves, or set survey.fieldwork_date to the day the waves are named by"
        )
    return windows[day]


def _some(windows: Mapping[date, date]) -> str:
    days = sorted(windows)
    return f"{len(days)} waves from {days[0]} to {days[-1]}" if days else "none"


def _day(start: date, end: date, which: Day) -> date:
    if end < start:
        raise SurveyError(f"a wave's fieldwork ends on {end}, before it begins on {start}")
    return {"start": start, "end": end, "middle": start + (end - start) // 2}[which]


def _refuse_doubled(frame: pl.DataFrame) -> pl.DataFrame:
    doubled = frame.filter(frame.select(_WAVE).is_duplicated())
    if doubled.height:
        row = doubled.row(0, named=True)
        raise SurveyError(
            f"the wave of {row['start']} appears {_times(doubled, row)} times for {row['item']} / {row['option']}:"
            " keep one row per wave, question and option"
        )
    return frame


def _times(frame: pl.DataFrame, row: dict[str, object]) -> int:
    return frame.filter(*[pl.col(name) == row[name] for name in _WAVE]).height


def _refuse_empty(frame: pl.DataFrame) -> None:
    present = frame.group_by("item", "option", maintain_order=True).agg(pl.col("value").count())
    empty = present.filter(pl.col("value") == 0)
    if empty.height:
        row = empty.row(0, named=True)
        raise SurveyError(f"{row['item']} / {row['option']} has no value in any wave: remove the option from the file")


def _with_errors(frame: pl.DataFrame, seen: Observations, design_effect: float, rounding: float | None) -> pl.DataFrame:
    if seen.is_mean:
        return frame
    step = rounding if rounding is not None else (seen.rounding or 0.0)
    share = pl.col("value")
    sampling = design_effect * share * (1 - share) / pl.col("n")
    return frame.with_columns(pl.coalesce("se", (sampling + step**2 / 12).sqrt()).alias("se"))


def _one_per_week(frame: pl.DataFrame, same_week: str) -> pl.DataFrame:
    key = ["item", "option", "week"]
    doubled = frame.filter(frame.select(key).is_duplicated()).sort("item", "option", "start")
    if not doubled.height:
        return frame
    row = doubled.row(0, named=True)
    if same_week == "refuse":
        days = doubled.filter(pl.col("week") == row["week"])["start"].unique().sort().to_list()[:2]
        raise SurveyError(
            f"the waves of {days[0]} and {days[-1]} fall into the same week of {row['week']}:"
            " set survey.same_week to mean if that is meant"
        )
    known = pl.col("n").null_count() == 0
    weight = pl.when(known).then(pl.col("n").cast(pl.Float64)).otherwise(1.0)
    error = (pl.col("se") * weight).pow(2).sum().sqrt() / weight.sum()
    return frame.group_by(key, maintain_order=True).agg(
        ((pl.col("value") * weight).sum() / weight.sum()).alias("value"),
        pl.when(pl.col("se").null_count() == 0).then(error).alias("se"),
        pl.when(known).then(pl.col("n").sum()).alias("n"),
    )
