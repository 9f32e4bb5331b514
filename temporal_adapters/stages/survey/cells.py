"""Tables of text as people hold them, CSV in any dialect or xlsx, with places that a person can find.

Takes a path, gives grids of stripped text. Knows no layout and no number.
"""

from __future__ import annotations

import codecs
import csv
import functools
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.ground.workbooks import open_workbook

SHEETS = (".xlsx", ".xlsm")
OTHER_WORKBOOKS = (".xls", ".xlsb", ".ods", ".numbers")
DELIMITERS = (",", ";", "\t", "|")
_TYPOGRAPHIC = frozenset("‘’“”–—…€£§°%·•«»´¿¡\u00a0")
_RUN = re.compile(r"[^\x00-\x7f]{3,}")


@dataclass(frozen=True)
class Grid:
    """One sheet or CSV file.

    Attributes
    ----------
    where
        How messages name it: the path, and the sheet where there are several.
    name
        Name of the sheet; empty for a CSV.
    rows
        Cells as text without spaces around, every row equally long; blank rows are kept, so that row 1 is the first.
    notes
        What had to be told from the bytes.
    widths
        Cells that every row of a CSV has in the file; empty for a sheet.
    letters
        Places are named by letters (a sheet), not by the header's names.
    epoch
        Day 0 of a sheet's day numbers.
    """

    where: str
    name: str
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    widths: tuple[int, ...] = ()
    letters: bool = False
    epoch: date = date(1899, 12, 30)

    def place(self, row: int, column: int) -> str:
        """Return where a cell is, as a spreadsheet shows it (``B4``); both count from 0 here."""
        return f"cell {letter(column)}{row + 1}"


def letter(column: int) -> str:
    """Return a spreadsheet's letters of a column (from 0): A, Z, AA."""
    letters, left = "", column + 1
    while left:
        left, rest = divmod(left - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def grids(path: Path, encoding: str | None = None, delimiter: str | None = None) -> tuple[Grid, ...]:
    """Read every sheet of a file; a file that did not change is parsed once.

    Raises
    ------
    SurveyError
        If the file is missing, empty, in an encoding that cannot be told, or no workbook.
    """
    try:
        state = path.stat()
    except OSError:
        raise SurveyError(f"{path}: there is no such survey file") from None
    return _grids(path, state.st_mtime_ns, state.st_size, encoding, delimiter)


@functools.lru_cache(maxsize=8)
def _grids(path: Path, changed: int, size: int, encoding: str | None, delimiter: str | None) -> tuple[Grid, ...]:
    if path.suffix.lower() in SHEETS:
        return _workbook(path)
    if path.suffix.lower() in OTHER_WORKBOOKS:
        raise SurveyError(f"{path}: workbooks of this kind are not read: save it as .xlsx")
    text, notes = _decoded(path, encoding)
    return (_table(path, text, delimiter, notes),)


def _decoded(path: Path, encoding: str | None) -> tuple[str, tuple[str, ...]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SurveyError(f"{path}: cannot be read ({error.strerror or error})") from None
    if encoding is not None:
        try:
            return data.decode(encoding).removeprefix("\ufeff"), ()
        except LookupError:
            raise SurveyError(f"{path}: survey.encoding {encoding!r} is no encoding that Python knows") from None
        except UnicodeDecodeError as error:
            raise SurveyError(f"{path}: is not written in survey.encoding {encoding} (byte {error.start})") from None
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _wide(path, data)
    if b"\0" in data[:4096]:
        raise SurveyError(f"{path}: cannot be read as a CSV in UTF-8 (it holds bytes that no text has)")
    try:
        return data.decode("utf-8-sig"), ()
    except UnicodeDecodeError:
        return _western(path, data), (f"{path}: read as cp1252 (Western European); survey.encoding sets another",)


def _wide(path: Path, data: bytes) -> tuple[str, tuple[str, ...]]:
    try:
        return data.decode("utf-16"), (f"{path}: read as UTF-16",)
    except UnicodeDecodeError:
        raise SurveyError(f"{path}: begins like UTF-16 but is not: set survey.encoding") from None


def _western(path: Path, data: bytes) -> str:
    """Return cp1252 text where every letter beyond ASCII is a Western one between others: Cyrillic has runs of them."""
    refused = SurveyError(
        f"{path}: is not UTF-8, and its encoding cannot be told: set survey.encoding (such as cp1250 or mac_roman)"
    )
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        raise refused from None
    foreign = {sign for sign in text if ord(sign) > 127}
    if _RUN.search(text) or any(not ("À" <= sign <= "ÿ") and sign not in _TYPOGRAPHIC for sign in foreign):
        raise refused
    return text


def _table(path: Path, text: str, delimiter: str | None, notes: tuple[str, ...]) -> Grid:
    first, _, rest = text.partition("\n")
    if re.fullmatch(r'"?sep=(.)"?\s*', first):
        delimiter, text = delimiter or first.strip().strip('"')[4:], "\n" + rest
    if not text.strip():
        raise SurveyError(f"{path}: the file is empty")
    sign = delimiter or _delimiter(text)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True))
    except csv.Error as error:
        raise SurveyError(f"{path}: cannot be read as a CSV ({error})") from None
    width = max(len(row) for row in rows)
    return Grid(str(path), "", _squared(rows, width), notes, tuple(len(row) for row in rows))


def _delimiter(text: str) -> str:
    """Return the delimiter under which most rows have the same number of cells, of those the one with most cells."""
    sample = "\n".join(text.splitlines()[:200])
    best, chosen = (0, 0), ","
    for sign in DELIMITERS:
        try:
            widths = Counter(len(row) for row in csv.reader(io.StringIO(sample, newline=""), delimiter=sign) if row)
        except csv.Error:
            continue
        width, times = max(((w, t) for w, t in widths.items() if w > 1), key=lambda pair: pair[1], default=(1, 0))
        if (times, width) > best:
            best, chosen = (times, width), sign
    return chosen


def _squared(rows: Sequence[Sequence[str]], width: int) -> tuple[tuple[str, ...], ...]:
    return tuple((*(cell.strip() for cell in row), *[""] * (width - len(row))) for row in rows)


def _workbook(path: Path) -> tuple[Grid, ...]:
    book = open_workbook(path, lambda what: SurveyError(f"{path}: {what}"))
    try:
        pages = [page for page in book.worksheets if page.sheet_state == "visible"] or book.worksheets
        return tuple(_sheet(path, page, book.epoch.date()) for page in pages)
    finally:
        book.close()


def _sheet(path: Path, page: Any, epoch: date) -> Grid:
    rows = [[_text(cell) for cell in row] for row in page.iter_rows()]
    for area in page.merged_cells.ranges:
        _filled(rows, area)
    width = max((len(row) for row in rows), default=0)
    return Grid(f"{path}: sheet {page.title!r}", page.title, _squared(rows, width), letters=True, epoch=epoch)


def _filled(rows: list[list[str]], area: Any) -> None:
    """Give every cell of a merged area its text: a year above its weeks, a question beside its answers."""
    text = rows[area.min_row - 1][area.min_col - 1]
    for row in range(area.min_row - 1, min(area.max_row, len(rows))):
        for column in range(area.min_col - 1, min(area.max_col, len(rows[row]))):
            rows[row][column] = text


def _text(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float) and "%" in str(cell.number_format):
        return f"{round(value * 100, 10):.10g}%"
    return f"{value:.12g}" if isinstance(value, float) else str(value)
