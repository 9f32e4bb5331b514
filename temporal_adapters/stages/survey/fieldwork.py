"""Which wave a respondent belongs to: by the day of the interview, by a variable, or by the file.

Takes respondents, gives waves as rows of respondents with first and last day. Knows no question.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from temporal_adapters.ground.dates import Weekday, week_start
from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages.survey import days
from temporal_adapters.stages.survey.days import Span
from temporal_adapters.stages.survey.respondents import Respondents
from temporal_adapters.stages.survey.ticks import spelled
from temporal_adapters.study.config import Survey, Wave

_DAY = re.compile(r"(?<!\d)(\d{4})[-_.]?(\d{2})[-_.]?(\d{2})(?!\d)")
_COMPACT = re.compile(r"(19|20)\d{6}")
_SHOWN = 8


@dataclass(frozen=True)
class Fielded:
    """One wave.

    Attributes
    ----------
    name
        Name of the wave.
    start, end
        First and last day of its fieldwork.
    rows
        Indices of its respondents.
    """

    name: str
    start: date
    end: date
    rows: tuple[int, ...]


def waves(
    people: Respondents, path: Path, settings: Survey, first_weekday: Weekday = "monday"
) -> tuple[list[Fielded], list[str]]:
    """Return the waves of one file, and what was left out.

    Raises
    ------
    SurveyError
        If no day is known, or the days of one wave span more than `survey.wave_days`.
    """
    own = settings.wave_of(path)
    spans, name = _days(people, settings)
    if settings.wave_by not in (None, "date") and own is None:
        return _by_variable(people, spans, settings)
    if own is not None and own.date is not None:
        return [Fielded(path.stem, own.date, own.end or own.date, tuple(range(people.height)))], []
    if spans is None:
        day = _of_name(path, own)
        return [Fielded(path.stem, day, day, tuple(range(people.height)))], []
    known = [(row, span) for row, span in enumerate(spans) if span is not None]
    notes = _undated(people, len(known), name)
    if settings.wave_by == "date":
        return _windows(path, known, settings.wave_days, first_weekday), notes
    return [_one(people, path, known, settings, name)], notes


def _undated(people: Respondents, n_known: int, name: str) -> list[str]:
    if n_known == 0:
        raise SurveyError(f"{people.where}: {name} holds no day")
    lost = people.height - n_known
    return (
        [f"{people.where}: {lost} of {people.height} respondents without a day in {name} are left out"] if lost else []
    )


def _one(people: Respondents, path: Path, known: Sequence[tuple[int, Span]], settings: Survey, name: str) -> Fielded:
    start, end = min(span.start for _, span in known), max(span.end for _, span in known)
    if (end - start).days + 1 > settings.wave_days:
        raise SurveyError(
            f"{people.where}: {name} goes from {start} to {end} ({(end - start).days + 1} days), more than one wave of"
            f" survey.wave_days {settings.wave_days}: set survey.wave_by to date (one wave per {settings.wave_days}"
            " days) or to the variable that tells waves apart, or raise wave_days"
        )
    return Fielded(path.stem, start, end, tuple(row for row, _ in known))


def _windows(path: Path, known: Sequence[tuple[int, Span]], n_days: int, first_weekday: Weekday) -> list[Fielded]:
    """Return one wave per stretch of `n_days`, the first of them beginning with a week of the study."""
    anchor = week_start(min(span.start for _, span in known), first_weekday)
    groups: dict[int, list[tuple[int, Span]]] = {}
    for row, span in known:
        middle = span.start + (span.end - span.start) // 2
        groups.setdefault((middle - anchor).days // n_days, []).append((row, span))
    found = []
    for number, members in sorted(groups.items()):
        opens = anchor + timedelta(days=number * n_days)
        start, end = min(span.start for _, span in members), max(span.end for _, span in members)
        found.append(Fielded(f"{path.stem} {opens}", start, end, tuple(row for row, _ in members)))
    return found


def _by_variable(
    people: Respondents, spans: Sequence[Span | None] | None, settings: Survey
) -> tuple[list[Fielded], list[str]]:
    variable = str(settings.wave_by)
    column = people.column(variable, "survey.wave_by")
    labels = people.labels_of(variable)
    groups: dict[Any, list[int]] = {}
    for row, value in enumerate(column):
        if value is not None:
            groups.setdefault(value, []).append(row)
    if not groups:
        raise SurveyError(f"{people.where}: {variable} (survey.wave_by) holds no value")
    lost = people.height - sum(map(len, groups.values()))
    notes = [f"{people.where}: {lost} respondents without a wave in {variable} are left out"] if lost else []
    found = []
    for value in sorted(groups, key=lambda v: (isinstance(v, str), v)):
        name = spelled(value)
        start, end = _span_of(people, name, groups[value], spans, labels.get(value), settings, notes)
        found.append(Fielded(name, start, end, tuple(groups[value])))
    return found, notes


def _span_of(
    people: Respondents,
    name: str,
    rows: Sequence[int],
    spans: Sequence[Span | None] | None,
    label: str | None,
    settings: Survey,
    notes: list[str],
) -> tuple[date, date]:
    if name in settings.wave_dates or label in settings.wave_dates:
        day = settings.wave_dates[name if name in settings.wave_dates else str(label)]
        return day, day
    for text in (label, name):
        if spans is None and text and (span := days.read(text)) is not None:
            return span.start, span.end
    if spans is None and (span := _compact(name)) is not None:
        return span.start, span.end
    if spans is None:
        raise SurveyError(
            f"{people.where}: the wave {name!r} of {settings.wave_by} has no day: list it in survey.wave_dates, such as"
            f' {{"{name}": 2023-04-03}}, or name the variable with the day of the interview in survey.columns'
        )
    known = [span for row in rows if (span := spans[row]) is not None]
    if not known:
        raise SurveyError(f"{people.where}: no respondent of the wave {name!r} has a day")
    start, end = min(span.start for span in known), max(span.end for span in known)
    if (end - start).days + 1 > settings.wave_days:
        notes.append(f"{people.where}: the wave {name} spans {start} to {end}, more than survey.wave_days")
    return start, end


def _days(people: Respondents, settings: Survey) -> tuple[list[Span | None] | None, str]:
    """Return the day (or month, or week) of every respondent, and the variables it came from; None without any."""
    columns = settings.columns
    if "date" in columns:
        name = columns["date"]
        return _column_days(people, name, settings.date_format), name
    if {"year", "month"} <= set(columns):
        parts = ["year", "month", *(["day"] if "day" in columns else [])]
    elif {"year", "week"} <= set(columns):
        parts = ["year", "week"]
    else:
        return None, ""
    names = [columns[part] for part in parts]
    read = [people.column(name, "survey.columns") for name in names]
    return [
        _composed(people, parts, names, row, values) for row, values in enumerate(zip(*read, strict=True))
    ], " and ".join(names)


def _composed(
    people: Respondents, parts: Sequence[str], names: Sequence[str], row: int, values: Sequence[Any]
) -> Span | None:
    if any(value is None or people.is_declared(name, value) for name, value in zip(names, values, strict=True)):
        return None
    try:
        year, second, *day = (int(float(value)) for value in values)
        if parts[1] == "week":
            start = date.fromisocalendar(year, second, 1)
            return Span(start, start + timedelta(days=6), "week")
        if day:
            return Span(date(year, second, day[0]), date(year, second, day[0]))
        return Span(date(year, second, 1), days.month_end(year, second), "month")
    except (ValueError, OverflowError):
        shown = ", ".join(f"{name} {value!r}" for name, value in zip(names, values, strict=True))
        raise SurveyError(f"{people.where}: {shown} of respondent {row + 1} is no {parts[-1]}") from None


def _column_days(people: Respondents, name: str, date_format: str | None) -> list[Span | None]:
    column = people.column(name, "survey.columns: date")
    texts: dict[str, list[int]] = {}
    found: list[Span | None] = [None] * people.height
    for row, value in enumerate(column):
        if value is None or people.is_declared(name, value):
            continue
        if isinstance(value, date):
            found[row] = Span(value, value)
        else:
            texts.setdefault(spelled(value), []).append(row)
    distinct = list(texts)
    if distinct:
        spans = days.spans(
            distinct, f"{people.where}: {name}", lambda i: f"respondent {texts[distinct[i]][0] + 1}", date_format
        )
        for text, span in zip(distinct, spans, strict=True):
            for row in texts[text]:
                found[row] = span
    return found


def _compact(text: str) -> Span | None:
    if not _COMPACT.fullmatch(text):
        return None
    try:
        day = date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None
    return Span(day, day)


def _of_name(path: Path, own: Wave | None) -> date:
    found = _DAY.search(path.stem)
    if found is None:
        raise SurveyError(
            f"{path}: its name holds no day (such as 2023-04-03); rename it, list it in survey.waves with its date, or"
            " name the variable with the interview's day in survey.columns: {date: ...}"
        )
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        raise SurveyError(f"{path}: {found[0]!r} in its name is not a day") from None
