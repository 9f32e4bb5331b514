"""A grid with a header: columns of text by name, with the rows of the file they stand in.

Takes a grid, gives a `Table`. Knows no meaning of any column.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages.survey import days
from temporal_adapters.stages.survey.cells import Grid, letter
from temporal_adapters.stages.survey.values import Place

SEARCHED = 40
"""Rows in which a header is looked for below titles."""


@dataclass(frozen=True)
class Table:
    """Rows below a header.

    Attributes
    ----------
    where
        How messages name the file.
    columns
        Name -> cells.
    numbers
        Row of the file (from 1) of every row.
    letters
        Name -> letters of its column; empty for CSV files.
    notes
        What was noticed while reading.
    """

    where: str
    columns: Mapping[str, Sequence[str]]
    numbers: Sequence[int]
    letters: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        """Rows."""
        return len(self.numbers)

    def place(self, name: str) -> Place:
        """Return how cells of a column are named: ``row 5``, or ``cell C5`` in a sheet."""
        if name in self.letters:
            return lambda index: f"cell {self.letters[name]}{self.numbers[index]}"
        return lambda index: f"row {self.numbers[index]}"

    def only(self, wanted: Sequence[bool]) -> Table:
        """Return the rows where `wanted` holds."""
        columns = {
            name: [cell for cell, keep in zip(cells, wanted, strict=True) if keep]
            for name, cells in self.columns.items()
        }
        return replace(self, columns=columns, numbers=[n for n, k in zip(self.numbers, wanted, strict=True) if k])


def table(grid: Grid, known: Collection[str] = ()) -> Table:
    """Return a grid below its header: the first row that holds two of the `known` names, else the first that is filled.

    Raises
    ------
    SurveyError
        If the grid is empty, a name appears twice, or a row of a CSV has more or fewer cells than the header.
    """
    top = header_row(grid, known)
    names = grid.rows[top]
    used = [at for at, name in enumerate(names) if name]
    doubled = next((names[at] for at in used if sum(names[other] == names[at] for other in used) > 1), None)
    if doubled is not None:
        raise SurveyError(f"{grid.where}: a column name appears twice in row {top + 1}: {doubled!r}")
    rows = [(number, row) for number, row in enumerate(grid.rows[top + 1 :], start=top + 2) if any(row)]
    rows, footers = _without_footers(rows, len(used))
    for number, row in rows:
        if grid.widths and grid.widths[number - 1] != grid.widths[top]:
            wrong, right = grid.widths[number - 1], grid.widths[top]
            raise SurveyError(f"{grid.where}: row {number} has {wrong} cells, the header has {right}")
        stray = next((at for at, cell in enumerate(row) if cell and at not in used), None)
        if stray is not None:
            place = grid.place(number - 1, stray)
            raise SurveyError(f"{grid.where}: {row[stray]!r} in {place} stands below no column name")
    columns = {names[at]: [row[at] for _, row in rows] for at in used}
    letters = {names[at]: letter(at) for at in used} if grid.letters else {}
    said = (f"{grid.where}: {len(footers)} rows below the table are no rows of it ({footers[0]!r})",) if footers else ()
    return Table(grid.where, columns, [number for number, _ in rows], letters, (*grid.notes, *said))


_Rows = list[tuple[int, tuple[str, ...]]]


def _without_footers(rows: _Rows, n_columns: int) -> tuple[_Rows, list[str]]:
    """Return the rows without the last ones that hold a single text, such as a source, and those texts."""
    footers: list[str] = []
    while rows and n_columns > 2 and sum(map(bool, rows[-1][1])) == 1 and rows[-1][1][0]:
        footers.insert(0, rows[-1][1][0])
        rows = rows[:-1]
    return rows, footers


def header_row(grid: Grid, known: Collection[str] = ()) -> int:
    """Return the row (from 0) of the header."""
    filled = [at for at, row in enumerate(grid.rows) if any(row)]
    if not filled:
        raise SurveyError(f"{grid.where}: the file is empty")
    wanted = {name.casefold() for name in known}
    for at in filled[:SEARCHED]:
        if sum(cell.casefold() in wanted for cell in grid.rows[at]) >= 2:
            return at
    return _above_days(grid, filled) or filled[0]


def _above_days(grid: Grid, filled: Sequence[int]) -> int | None:
    """Return the filled row above the first two days that stand below each other in one of the first columns."""
    for column in range(min(3, len(grid.rows[0]))):
        for before, at, after in zip(filled, filled[1:], filled[2:], strict=False):
            is_day = [days.looks_like_time(grid.rows[row][column]) for row in (before, at, after)]
            if is_day == [False, True, True]:
                return before
    return None
