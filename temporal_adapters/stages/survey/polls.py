"""Lists of polls: one row per poll and answer (or one column per answer), averaged per week later.

Takes a CSV in the style of FiveThirtyEight's lists, gives observations. Knows no week.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages.survey import values
from temporal_adapters.stages.survey.observations import COLUMNS, Observations
from temporal_adapters.stages.survey.tidy import read_text

NAMES: dict[str, tuple[str, ...]] = {
    "start": ("start_date", "startdate", "start"),
    "end": ("end_date", "enddate", "end"),
    "n": ("sample_size", "samplesize", "n"),
    "poll": ("poll_id", "question_id", "pollster"),
    "option": ("answer", "candidate_name", "choice", "party", "option"),
    "value": ("pct", "percent", "value"),
    "question": ("question", "subject"),
}
"""Our names and those found in published lists; `survey.columns` goes first."""


def is_polls(header: list[str]) -> bool:
    """Say whether a CSV's header is one of a list of polls."""
    return bool({"pollster", "poll_id"} & set(header)) and bool({"start_date", "startdate", "end_date"} & set(header))


def read(
    path: Path,
    columns: Mapping[str, str],
    options: Mapping[str, str],
    question: str | None,
    keep: Mapping[str, str],
    date_format: str | None,
) -> Observations:
    """Read a list of polls.

    Parameters
    ----------
    path
        CSV file.
    columns
        Our column name (`NAMES`) -> theirs.
    options
        Option -> column for lists with one column per answer; empty for one row per answer.
    question
        Name of the question where no column gives it; the file's name without it.
    keep
        Column -> value of the rows that count, such as population: lv.
    date_format
        How days are written, where that is ambiguous.

    Raises
    ------
    SurveyError
        If a column is missing or nothing is left after `keep`.
    """
    frame = read_text(path)
    for column, value in keep.items():
        if column not in frame.columns:
            raise SurveyError(f"{path} has no column {column!r} to keep rows by (it has {', '.join(frame.columns)})")
        frame = frame.filter(pl.col(column) == value)
    if not frame.height:
        raise SurveyError(f"{path}: no row is left where {', '.join(f'{c} is {v}' for c, v in keep.items()) or 'any'}")
    named = {ours: _find(frame, ours, columns) for ours in NAMES}
    for ours in ("start", "end", *(() if options else ("option", "value"))):
        if named[ours] is None:
            raise SurveyError(
                f"{path} lacks a column for {ours!r} (it has {', '.join(frame.columns)}): set survey.columns"
            )
    parts = options or {"": str(named["value"])}
    return Observations(
        pl.concat([_part(frame, path, named, option, name, question, date_format) for option, name in parts.items()]),
        rounding=None,
    )


def _find(frame: pl.DataFrame, ours: str, columns: Mapping[str, str]) -> str | None:
    if ours in columns:
        return columns[ours] if columns[ours] in frame.columns else None
    return next((name for name in NAMES[ours] if name in frame.columns), None)


def _part(
    frame: pl.DataFrame,
    path: Path,
    named: Mapping[str, str | None],
    option: str,
    value: str,
    question: str | None,
    date_format: str | None,
) -> pl.DataFrame:
    if value not in frame.columns:
        raise SurveyError(f"{path} lacks the column {value!r} (it has {', '.join(frame.columns)})")
    start, end = (
        values.parse_dates(frame[str(named[side])].to_list(), f"{path}: {named[side]}", date_format)
        for side in ("start", "end")
    )
    shares, _ = values.parse_shares(frame[value].to_list(), f"{path}: {value}", "percent")
    n = _column(frame, named["n"])
    return pl.DataFrame(
        {
            "wave": _column(frame, named["poll"]),
            "start": start,
            "end": end,
            "item": [question or path.stem] * frame.height if named["question"] is None else frame[named["question"]],
            "option": [option] * frame.height if option else frame[str(named["option"])],
            "value": shares,
            "se": [None] * frame.height,
            "n": [values.parse_count(cell, f"{path}: {named['n']}") for cell in n],
        },
        schema=COLUMNS,
    )


def _column(frame: pl.DataFrame, name: str | None) -> list[str]:
    return [""] * frame.height if name is None else frame[name].to_list()
