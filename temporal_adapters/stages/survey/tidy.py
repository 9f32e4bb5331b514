"""Tidy survey files: one row per wave, question and option.

Takes a CSV with the columns date, question, option, value and, if there are any, n, se and end (last day of fieldwork);
gives observations. Knows no week.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages.survey import values
from temporal_adapters.stages.survey.observations import COLUMNS, Observations

NEEDED = ("date", "question", "option", "value")
OPTIONAL = ("n", "se", "end")


def read_text(path: Path) -> pl.DataFrame:
    """Return a CSV with every column as text, empty cells as empty strings.

    Raises
    ------
    SurveyError
        If the file is missing, empty, not UTF-8, or has rows of different lengths.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file, strict=True) if row]
    except FileNotFoundError:
        raise SurveyError(f"{path}: there is no such survey file") from None
    except (csv.Error, OSError, UnicodeDecodeError) as error:
        raise SurveyError(f"{path}: cannot be read as a CSV in UTF-8 ({error})") from None
    if not rows:
        raise SurveyError(f"{path}: the file is empty")
    header = [name.strip() for name in rows[0]]
    if len(set(header)) < len(header):
        raise SurveyError(f"{path}: a column name appears twice in {', '.join(header)}")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise SurveyError(f"{path}: row {number} has {len(row)} cells, the header has {len(header)}")
    cells = {name: [row[place] for row in rows[1:]] for place, name in enumerate(header)}
    return pl.DataFrame(cells, schema=dict.fromkeys(header, pl.String))


def read(path: Path, columns: Mapping[str, str], unit: str, date_format: str | None) -> Observations:
    """Read one tidy file.

    Raises
    ------
    SurveyError
        Naming the column or the cell.
    """
    frame = read_text(path)
    names = {ours: columns.get(ours, ours) for ours in (*NEEDED, *OPTIONAL)}
    for ours in NEEDED:
        if names[ours] not in frame.columns:
            raise SurveyError(
                f"{path} lacks the column {names[ours]!r} (it has {', '.join(frame.columns)}):"
                f" name it in survey.columns, such as {{{ours}: ...}}"
            )
    if frame.height == 0:
        raise SurveyError(f"{path}: there are no rows below the header")
    column = {ours: frame[theirs].to_list() for ours, theirs in names.items() if theirs in frame.columns}
    start = values.parse_dates(column["date"], f"{path}: {names['date']}", date_format)
    end = values.parse_dates(column["end"], f"{path}: {names['end']}", date_format) if "end" in column else start
    shares, step = values.parse_shares(column["value"], f"{path}: {names['value']}", unit)
    n = [
        values.parse_count(cell, f"{path}: {names['n']} in row {row}") for row, cell in _rows(column, "n", frame.height)
    ]
    se = [
        values.parse_number(cell, f"{path}: {names['se']} in row {r}") for r, cell in _rows(column, "se", frame.height)
    ]
    found = {
        "wave": [""] * frame.height,
        "start": start,
        "end": end,
        "item": _labels(column["question"], path, names["question"]),
        "option": _labels(column["option"], path, names["option"]),
        "value": shares,
        "se": [None if value is None else value * _scale(column["value"], unit) for value in se],
        "n": n,
    }
    return Observations(pl.DataFrame(found, schema=COLUMNS), is_mean=unit == "mean", rounding=step)


def _rows(column: Mapping[str, list[str | None]], name: str, height: int) -> list[tuple[int, str | None]]:
    return list(enumerate(column.get(name, [None] * height), start=2))


def _scale(cells: list[str | None], unit: str) -> float:
    percent = unit == "percent" or any(cell is not None and cell.strip().endswith("%") for cell in cells)
    return 0.01 if percent and unit != "mean" else 1.0


def _labels(cells: list[str | None], path: Path, name: str) -> list[str]:
    for row, cell in enumerate(cells, start=2):
        if cell is None or not cell.strip():
            raise SurveyError(f"{path}: {name} is empty in row {row}")
    return [str(cell).strip() for cell in cells]
