"""One survey section of a study to a weekly series, whatever the layout of its files.

Takes the settings, gives a `SERIES` table and notes. Knows the layouts only by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import polars as pl

from temporal_adapters.ground.dates import Weekday
from temporal_adapters.stages.survey import polls, tidy, tracker, waves
from temporal_adapters.stages.survey.observations import Observations
from temporal_adapters.stages.survey.weekly import to_weeks
from temporal_adapters.study.config.survey import Survey


def read_observations(settings: Survey) -> Observations:
    """Read all files of the section into one table of waves."""
    parts = [_read_file(path, settings) for path in settings.files()]
    steps = [part.rounding for part in parts if part.rounding is not None]
    return Observations(
        pl.concat([part.frame for part in parts]),
        is_mean=parts[0].is_mean,
        rounding=max(steps) if steps else None,
        notes=tuple(note for part in parts for note in part.notes),
    )


def read(
    settings: Survey, first_weekday: Weekday = "monday", windows: Mapping[date, date] | None = None
) -> pl.DataFrame:
    """Return the survey as a SERIES table in its own names (see `to_weeks` for `windows`).

    Raises
    ------
    SurveyError
        One sentence naming the file, the cell or the wave that is wrong.
    """
    return to_weeks(
        read_observations(settings),
        settings.source,
        first_weekday=first_weekday,
        windows=windows,
        fieldwork_date=settings.fieldwork_date,
        same_week="mean" if _has_polls(settings) else settings.same_week,
        design_effect=settings.design_effect,
        rounding=settings.rounding,
    )


def _has_polls(settings: Survey) -> bool:
    return any(layout(path, settings) == "polls" for path in settings.files())


def layout(path: Path, settings: Survey) -> str:
    """Return the layout of a file: the one the study names, or the one it looks like."""
    if settings.format != "auto":
        return settings.format
    if path.suffix.lower() in waves.SUFFIXES:
        return "waves"
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        return "yougov"
    header = tidy.read_text(path).columns
    if polls.is_polls(header):
        return "polls"
    needed = {settings.columns.get(name, name) for name in tidy.NEEDED}
    return "yougov" if not needed & set(header) and tracker.is_tracker(path) else "tidy"


def _read_file(path: Path, settings: Survey) -> Observations:
    kind = layout(path, settings)
    if kind == "yougov":
        return tracker.read(path, settings.split, settings.question, settings.unit, settings.date_format)
    if kind == "waves":
        day = settings.columns.get("date")
        return waves.read(path, settings.variables, settings.weight, day, settings.missing_codes)
    if kind == "polls":
        options = _wide_options(settings)
        question = settings.question or next(iter(settings.variables), None)
        return polls.read(path, settings.columns, options, question, settings.keep, settings.date_format)
    return tidy.read(path, settings.columns, settings.unit, settings.date_format)


def _wide_options(settings: Survey) -> Mapping[str, str]:
    wide = [columns for columns in settings.variables.values() if not isinstance(columns, str)]
    return wide[0] if wide else {}
