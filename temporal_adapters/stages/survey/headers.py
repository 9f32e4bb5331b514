"""Where the waves of a tracker's sheet stand: one row of days, or one for each question below the other.

Takes a grid, gives rows. Knows no value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages.survey import days
from temporal_adapters.stages.survey.cells import Grid
from temporal_adapters.stages.survey.table import SEARCHED

FIELDWORK = re.compile(r"(field\s?work|interview(s|ing)?|feldzeit|befragungszeitraum)\b.*", re.IGNORECASE)
"""Names of a row with the days of interviews."""

_SHARE_OF_TIMES = 0.6
"""Share of the filled cells of a row from which it is the row of waves; the others are then shown as mistakes."""


@dataclass(frozen=True)
class Header:
    """Where the waves stand.

    Attributes
    ----------
    row
        Row of the days, from 0.
    texts
        Column -> its day as text, years of the row above added.
    is_serial
        The days are day numbers of a spreadsheet.
    """

    row: int
    texts: dict[int, str]
    is_serial: bool = False


def find_header(grid: Grid, date_format: str | None = None) -> Header | None:
    """Return the row of waves of a grid, None where no row holds days beside each other."""
    for row in range(min(len(grid.rows), SEARCHED)):
        cells = {column: cell for column, cell in enumerate(grid.rows[row]) if column and cell}
        if not cells:
            continue
        if are_times(list(cells.values()), date_format):
            return Header(row, cells)
        if grid.letters and len(cells) > 1 and days.are_serial(list(cells.values())):
            return Header(row, cells, is_serial=True)
        if row and (above := _above(grid, row, cells)) and are_times(list(above.values()), date_format):
            return Header(row, above)
    return None


def are_times(cells: Sequence[str], date_format: str | None) -> bool:
    """Say whether cells beside each other are waves: all of them days, or most of two or more."""
    n_times = sum(_is_time(cell, date_format) for cell in cells)
    return n_times == len(cells) or (n_times >= 2 and n_times >= _SHARE_OF_TIMES * len(cells))


def _is_time(cell: str, date_format: str | None) -> bool:
    if date_format is None:
        return days.looks_like_time(cell)
    try:
        days.spans([cell], "", lambda _: "", date_format)
    except SurveyError:
        return False
    return True


def _above(grid: Grid, row: int, cells: dict[int, str]) -> dict[int, str]:
    """Return the cells of a row with what stands above each: years or months, once per stretch of columns."""
    found, current = {}, ""
    for column in range(1, len(grid.rows[row])):
        current = grid.rows[row - 1][column] or current
        if column in cells:
            found[column] = f"{cells[column]} {current}"
    return found if current else {}


def blocks(grid: Grid, date_format: str | None) -> list[tuple[Grid, Header]]:
    """Return the questions that stand below each other in a sheet, each as a sheet of its own with the same rows."""
    first = find_header(grid, date_format)
    if first is None:
        return []
    tops = [first]
    for row in range(first.row + 1, len(grid.rows)):
        cells = {column: grid.rows[row][column] for column in first.texts}
        label = next((cell for cell in reversed(grid.rows[row][: min(first.texts)]) if cell), "")
        if all(cells.values()) and not FIELDWORK.fullmatch(label) and are_times(list(cells.values()), date_format):
            tops.append(Header(row, cells))
    ends = [header.row for header in tops[1:]] + [len(grid.rows)]
    blank = ("",) * len(grid.rows[0])
    found = []
    for at, (header, end) in enumerate(zip(tops, ends, strict=True)):
        start = tops[at - 1].row + 1 if at else 0
        rows = [row if start <= number < end else blank for number, row in enumerate(grid.rows)]
        if at:
            rows[start : header.row] = [blank] * (header.row - start)
        found.append((replace(grid, rows=tuple(rows)), header))
    return found
