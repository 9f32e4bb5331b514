"""Waves to weeks: which week a wave belongs to, and the sampling error of its values.

Takes observations, gives a `SERIES` table with one row per question, option and week; a week without a wave has no row.
Knows no file format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from temporal_adapters.ground import tables
from temporal_adapters.ground.dates import Weekday, week_start
from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages.survey import houses
from temporal_adapters.stages.survey.observations import Observations

Array = npt.NDArray[Any]

Day = Literal["start", "middle", "end", "published"]

_WAVE = ["wave", "house", "item", "option", "start", "end"]


def to_weeks(
    observed: Observations,
    source: str,
    *,
    first_weekday: Weekday = "monday",
    windows: Mapping[date, date] | None = None,
    fieldwork_date: Day = "middle",
    same_week: Literal["refuse", "mean", "first", "last"] = "refuse",
    design_effect: float = 1.0,
    rounding: float | None = None,
    house_effects: Literal["none", "centred", "model"] = "none",
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
        Day of the fieldwork that decides the week; `middle` is the earlier one of two middle days, `published` the day
        of publication, or the file's only day where it names no other.
    same_week
        `refuse` two waves in one week, or take their `mean` weighted by n; where one of them has no n all weigh alike,
        where one has no standard error the mean has none. Waves whose fieldwork overlaps share respondents: with
        interviews spread evenly over their days, the errors of two of d1 and d2 days with d in common correlate by
        d / sqrt(d1 d2), which enters the error of the mean, and n counts every day once. `first` and `last` keep one.
    design_effect
        Factor on p (1 - p) / n where the file gives no standard error.
    rounding
        Step of published shares; the one seen in the file without it.
    house_effects
        What to do about pollsters (see `houses`).

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
    days = [deciding_day(row, fieldwork_date) for row in frame.select("start", "end", "published").iter_rows()]
    weeks = pl.Series("week", [_week(day, first_weekday, windows) for day in days], dtype=pl.Date)
    frame = frame.with_columns(weeks)
    _refuse_empty(frame)
    frame = _with_errors(frame, observed, design_effect, rounding).drop_nulls("value")
    if not frame.height:
        raise SurveyError("the survey holds no value: see what was left out with `ta survey check`, or the files")
    if house_effects == "centred":
        frame = houses.centred(frame)
    frame = houses.modelled(frame) if house_effects == "model" else _one_per_week(frame, same_week)
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


def deciding_day(days: tuple[date, date, date | None], which: Day) -> date:
    """Return the day of a wave (first and last of fieldwork, publication) that decides its week."""
    start, end, published = days
    if end < start:
        raise SurveyError(f"a wave's fieldwork ends on {end}, before it begins on {start}")
    if which == "published":
        if published is None and start != end:
            raise SurveyError(
                f"the wave of {start} to {end} has days of fieldwork and none of publication: set survey.fieldwork_date"
                " to start, middle or end, or name the column in survey.columns: {published: ...}"
            )
        return published or end
    return {"start": start, "end": end, "middle": start + (end - start) // 2}[which]


def without_small_bases(observed: Observations, least: int) -> Observations:
    """Return the waves without values of fewer than `least` respondents, and say how many there were.

    Raises
    ------
    SurveyError
        If nothing is left.
    """
    small = (pl.col("n") < least).fill_null(False)
    dropped = observed.frame.filter(small & pl.col("value").is_not_null())
    if not dropped.height:
        return replace(observed, frame=observed.frame.filter(~small)) if dropped.height else observed
    frame = observed.frame.filter(~small)
    lowest = dropped["n"].min()
    said = (
        f"{dropped.height} of {observed.frame.height} values rest on fewer than survey.min_base {least} respondents"
        f" (the fewest {lowest!s}, in the wave of {dropped.sort('n')['start'][0]!s})"
    )
    if not frame.drop_nulls("value").height:
        raise SurveyError(f"{said}: none is left; set survey.min_base lower if that is meant")
    return replace(observed, frame=frame, notes=(*observed.notes, f"{said}: left out"))


def overlaps(observed: Observations) -> str | None:
    """Return a sentence where the fieldwork of waves that follow each other overlaps, None where none does."""
    spans = observed.frame.select("start", "end").unique().sort("start", "end").rows()
    n_over = sum(later[0] <= earlier[1] for earlier, later in pairwise(spans))
    if not n_over or observed.frame["house"].null_count() < observed.frame.height:
        return None
    return (
        f"{n_over} of {len(spans)} waves overlap the one before: they share respondents; within a week survey.same_week"
        " mean puts that into the standard error, first or last keeps one wave a week"
    )


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
    return frame.filter(*[pl.col(name).eq_missing(pl.lit(row[name])) for name in _WAVE]).height


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
            " set survey.same_week to mean, first or last if that is meant"
        )
    if same_week in ("first", "last"):
        ordered = frame.sort("start", "end", maintain_order=True, descending=same_week == "last")
        return ordered.unique(key, keep="first", maintain_order=True)
    found = [_mean(part) for _, part in frame.group_by(key, maintain_order=True)]
    return pl.DataFrame(found, schema={name: frame.schema[name] for name in (*key, "value", "se", "n")}, orient="row")


def _mean(part: pl.DataFrame) -> tuple[Any, ...]:
    """Return item, option, week, value, se and n of the waves of one week."""
    key = part.select("item", "option", "week").row(0)
    if part.height == 1:
        return (*key, *part.select("value", "se", "n").row(0))
    known = part["n"].null_count() == 0
    n = part["n"].to_numpy().astype(float) if known else np.ones(part.height)
    weights = n / n.sum()
    value = float(weights @ part["value"].to_numpy())
    lengths, common = _days_in_common(part)
    se = None
    if part["se"].null_count() == 0:
        scaled = weights * part["se"].to_numpy()
        se = float(np.sqrt(scaled @ (common / np.sqrt(np.outer(lengths, lengths))) @ scaled))
    return (*key, value, se, round(_distinct(part, n)) if known else None)


def _days_in_common(part: pl.DataFrame) -> tuple[Array, Array]:
    """Return the days of every wave, and those that each two have in common; other houses share none."""
    start, end = (part[name].to_physical().to_numpy() for name in ("start", "end"))
    shared = np.minimum.outer(end, end) - np.maximum.outer(start, start) + 1.0
    houses = np.array([str(house) if house is not None else "" for house in part["house"]])
    apart = houses[:, None] != houses[None, :]
    names = part["wave"].to_numpy()
    apart |= (names[:, None] != names[None, :]) & (houses != "")[:, None]
    common = np.where(apart, 0.0, np.clip(shared, 0.0, None))
    lengths = (end - start + 1).astype(float)
    np.fill_diagonal(common, lengths)
    return lengths, common


def _distinct(part: pl.DataFrame, n: Array) -> float:
    """Return respondents with every day counted once per house and poll: the mean of the waves that cover it."""
    total = 0.0
    for _, group in part.with_columns(pl.Series("_n", n)).group_by("house", "wave", maintain_order=True):
        per_day: dict[int, list[float]] = {}
        for start, end, size in group.select(pl.col("start", "end").to_physical(), "_n").iter_rows():
            for day in range(start, end + 1):
                per_day.setdefault(day, []).append(size / (end - start + 1))
        total += sum(sum(sizes) / len(sizes) for sizes in per_day.values())
    return total
