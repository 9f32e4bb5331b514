"""Tracker downloads in YouGov's layout: one column per wave, one row per answer, one sheet per demographic split.

Takes an xlsx or CSV file, gives observations. Knows no week.

    | Question text   | 2023-04-03 | 2023-04-10 | ...   the question, then the waves' fieldwork (a day or "a - b")
    | Happy           | 45%        | 46%        |       percentages: text with %, cells formatted as %, or 45
    | Don't know      | 6%         | 5%         |
    | Unweighted base | 1948       | 2011       |       respondents
    | Base            | 1948       | 2011       |       weighted respondents, not used
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages.survey import values
from temporal_adapters.stages.survey.observations import COLUMNS, Observations

_UNWEIGHTED = re.compile(r"(unweighted\s+(base|sample|n)|sample\s+size|unweighted)", re.IGNORECASE)
_WEIGHTED = re.compile(r"(weighted\s+)?(base|total|sample)", re.IGNORECASE)
_BETWEEN = r"(?:\s*[–—]\s*|\s+-\s+|\s+to\s+|-(?=\d{1,2}\s+[A-Za-z]))"
_RANGE = re.compile(rf"(.*?\d(?:\s*[A-Za-z]+(?:\s+\d{{4}})?)?){_BETWEEN}(\d.*)")
_SUPPRESSED = frozenset({"-", "*", "–", "<1%"})
"""Cells that publishers leave without a number: too few respondents or below half a percent. They become missing."""


@dataclass(frozen=True)
class Sheet:
    """One sheet as text: its name and its rows."""

    name: str
    rows: Sequence[Sequence[str]]


def is_tracker(path: Path) -> bool:
    """Say whether a CSV or xlsx file has the layout: days along its first row."""
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        return True
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = next(csv.reader(file), [])
    return len(header) > 2 and all(_looks_like_day(cell) for cell in header[1:] if cell.strip())


def _looks_like_day(cell: str) -> bool:
    text = _RANGE.sub(r"\2", cell.strip())
    try:
        values.parse_dates([text], "")
    except SurveyError as error:
        return "may be" in str(error)
    return True


def read(path: Path, split: str, question: str | None, unit: str, date_format: str | None) -> Observations:
    """Read one split of a tracker.

    Parameters
    ----------
    path
        xlsx or CSV file.
    split
        Sheet of the split; a CSV has only one.
    question
        Name of the question; the text in the first cell, or the file's name where that is empty, without it.
    unit, date_format
        As in the section `survey`.

    Raises
    ------
    SurveyError
        If there is no such sheet, a wave has no day or appears twice, or a cell is no percentage.
    """
    sheet = _pick(_sheets(path), split, path)
    where = f"{path}: sheet {sheet.name!r}" if sheet.name else str(path)
    if len(sheet.rows) < 2 or len(sheet.rows[0]) < 2:
        raise SurveyError(f"{where} holds no waves: the first row must hold the question and one day per wave")
    header, *body = sheet.rows
    waves = _waves(header[1:], where, date_format)
    answers = [row for row in body if row and row[0].strip() and not _is_base(row[0])]
    doubled = {row[0].strip() for row in answers if sum(other[0].strip() == row[0].strip() for other in answers) > 1}
    if doubled:
        raise SurveyError(f"{where}: the answer {sorted(doubled)[0]!r} has two rows")
    if not answers:
        raise SurveyError(f"{where} has no row with an answer")
    bases = _bases(body, len(waves), where)
    name = question or header[0].strip() or path.stem
    return _observations(name, waves, answers, bases, where, unit)


def _is_base(label: str) -> bool:
    return bool(_UNWEIGHTED.fullmatch(label.strip()) or _WEIGHTED.fullmatch(label.strip()))


def _sheets(path: Path) -> list[Sheet]:
    if path.suffix.lower() not in (".xlsx", ".xlsm"):
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                return [Sheet("", list(csv.reader(file, strict=True)))]
        except (csv.Error, OSError, UnicodeDecodeError) as error:
            raise SurveyError(f"{path}: cannot be read as a CSV in UTF-8 ({error})") from None
    import zipfile

    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = openpyxl.load_workbook(path, data_only=True)
    except (InvalidFileException, OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise SurveyError(f"{path}: cannot be read as an xlsx file ({error})") from None
    try:
        return [
            Sheet(page.title, [[_text(cell) for cell in row] for row in page.iter_rows()]) for page in book.worksheets
        ]
    finally:
        book.close()


def _text(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int | float) and "%" in str(cell.number_format):
        return f"{round(value * 100, 10):.10g}%"
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _pick(sheets: Sequence[Sheet], split: str, path: Path) -> Sheet:
    if len(sheets) == 1:
        return sheets[0]
    for sheet in sheets:
        if sheet.name.strip().casefold() == split.strip().casefold():
            return sheet
    names = ", ".join(sheet.name for sheet in sheets)
    raise SurveyError(f"{path} has no sheet {split!r} (it has {names}): set survey.split")


def _waves(cells: Sequence[str], where: str, date_format: str | None) -> list[tuple[int, date, date]]:
    filled = [(column, cell.strip()) for column, cell in enumerate(cells, start=1) if cell.strip()]
    if not filled:
        raise SurveyError(f"{where} has no day in its first row")
    parts = [_RANGE.fullmatch(cell) for _, cell in filled]
    lasts = [part[2] if part else cell for part, (_, cell) in zip(parts, filled, strict=True)]
    firsts = [_completed(part[1], part[2]) if part else cell for part, (_, cell) in zip(parts, filled, strict=True)]
    ends = values.parse_dates(lasts, f"{where}: first row", date_format)
    starts = values.parse_dates(firsts, f"{where}: first row", date_format)
    if len(set(zip(starts, ends, strict=True))) < len(filled):
        twice = next(end for end in ends if ends.count(end) > 1)
        raise SurveyError(f"{where}: the wave of {twice} has two columns")
    return [(column, start, end) for (column, _), start, end in zip(filled, starts, ends, strict=True)]


def _completed(first: str, last: str) -> str:
    """Return the first day of ``7 - 10 April 2023`` or ``30 March - 2 April 2023`` with the month and year it lacks."""
    words, end = first.split(), last.split()
    return " ".join([*words, *end[len(words) :]]) if len(words) < len(end) else first


def _bases(body: Sequence[Sequence[str]], n_waves: int, where: str) -> Sequence[str]:
    rows = [row for row in body if row and _UNWEIGHTED.fullmatch(row[0].strip())]
    if len(rows) > 1:
        raise SurveyError(f"{where} has {len(rows)} rows of unweighted bases, it may have one")
    return rows[0] if rows else [""] * (n_waves + 1)


def _observations(
    name: str,
    waves: Sequence[tuple[int, date, date]],
    answers: Sequence[Sequence[str]],
    bases: Sequence[str],
    where: str,
    unit: str,
) -> Observations:
    cells = [[row[column].strip() if column < len(row) else "" for column, _, _ in waves] for row in answers]
    flat = [cell for row in cells for cell in row]
    n_suppressed = sum(cell in _SUPPRESSED for cell in flat)
    flat = ["" if cell in _SUPPRESSED else cell for cell in flat]
    shares, step = values.parse_shares(flat, where, _unit(flat, unit))
    n = [values.parse_count(_cell(bases, column), f"{where}: unweighted base") for column, _, _ in waves]
    count = len(answers)
    frame = pl.DataFrame(
        {
            "wave": [""] * len(flat),
            "start": [start for _ in answers for _, start, _ in waves],
            "end": [end for _ in answers for _, _, end in waves],
            "item": [name] * len(flat),
            "option": [row[0].strip() for row in answers for _ in waves],
            "value": shares,
            "se": [None] * len(flat),
            "n": n * count,
        },
        schema=COLUMNS,
    )
    notes = [f"{where}: {n_suppressed} cells without a number (-, *) are missing"] if n_suppressed else []
    if all(value is None for value in n):
        notes.append(f"{where}: no unweighted base, so no standard errors")
    return Observations(frame, is_mean=unit == "mean", rounding=step, notes=tuple(notes))


def _cell(row: Sequence[str], column: int) -> str:
    return row[column] if column < len(row) else ""


def _unit(cells: Sequence[str], unit: str) -> str:
    """Return `percent` for a tracker whose plain numbers exceed 1: its values are percentages by definition."""
    if unit != "auto" or any(cell.endswith("%") for cell in cells):
        return unit
    numbers = [values.parse_number(cell, "") for cell in cells]
    return "percent" if any(number is not None and number > 1 for number in numbers) else "share"
