"""CSV files and workbooks to posts, columns called as the study or the layout says.

Takes a source, its dialect and the names of columns, gives chunks of posts. Knows no platform.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from temporal_adapters.ground.errors import PanelError
from temporal_adapters.stages.panel.dialect import Dialect, swallowed
from temporal_adapters.stages.panel.files import Block, Source
from temporal_adapters.stages.panel.naming import AUTO, Naming, are_names, assemble
from temporal_adapters.stages.panel.posts import Chunk
from temporal_adapters.stages.panel.records import as_text

_CSV_BLOCK_BYTES = 16 << 20
_SHEET_ROWS = 20_000


class _Stream(io.RawIOBase):
    """The decompressed content of a file as a readable stream that knows how far it is."""

    def __init__(self, blocks: Iterator[Block]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")
        self.consumed = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest, self.consumed = memoryview(block.data), block.consumed
        n = min(len(buffer), len(self._rest))
        buffer[:n] = self._rest[:n]
        self._rest = self._rest[n:]
        return n


def read_csv(source: Source, naming: Naming, dialect: Dialect) -> Iterator[Chunk]:
    """Yield the posts of a CSV file."""
    printable = dialect.named and are_names(dialect.header)
    columns = naming.columns(source.name, dialect.header, printable=printable or not dialect.named)
    needed = list(dict.fromkeys(part for parts in columns.values() for part in parts if part != AUTO))
    _refuse_twins(source.name, dialect.header, needed)
    bad_rows: list[str] = []
    stream = _Stream(source.blocks)
    row = 0
    for batch in _batches(source.name, stream, dialect, needed, bad_rows):
        cells, n_invalid = _texts(batch, needed, naming.layout, columns)
        arrays = {ours: [cells[part] for part in parts if part != AUTO] for ours, parts in columns.items()}
        table = assemble(arrays, row + 1, batch.num_rows, naming)
        row += batch.num_rows
        yield _chunk(table, stream.consumed, bad_rows, n_invalid, _n_swallowed(cells, columns, dialect))
        bad_rows.clear()
    if bad_rows:
        empty = assemble({}, row + 1, 0, naming)
        yield _chunk(empty, stream.consumed, bad_rows, 0, 0)


def _refuse_twins(name: str, header: Sequence[str], needed: Sequence[str]) -> None:
    twins = [column for column in needed if header.count(column) > 1]
    if twins:
        raise PanelError(
            f"{name}: has {header.count(twins[0])} columns called {twins[0]!r}: rename one, or set panel.header: false "
            "and the numbers of the columns under panel.columns"
        )


def _texts(batch: Any, needed: Sequence[str], layout: str, columns: Any) -> tuple[dict[str, pa.Array], int]:
    cells, n_invalid = {}, 0
    for name in needed:
        cells[name], n = as_text(batch[name])
        n_invalid += n
    if layout == "twarc-csv":
        # twarc-csv writes the two characters \\n for every line end.
        for name in columns["text"]:
            cells[name] = pc.replace_substring(cells[name], "\\n", "\n")
    return {name: values.cast(pa.string()) for name, values in cells.items()}, n_invalid


def _n_swallowed(cells: dict[str, pa.Array], columns: Any, dialect: Dialect) -> int:
    if not dialect.quote:
        return 0
    found = 0
    for name in columns.get("text", ()):
        broken = cells[name].filter(pc.fill_null(pc.match_substring(cells[name], "\n"), False))
        found += sum(swallowed(cell, dialect.delimiter, len(dialect.header)) for cell in broken.to_pylist())
    return found


def _batches(name: str, stream: _Stream, dialect: Dialect, columns: list[str], bad: list[str]) -> Iterator[Any]:
    def skip(row: Any) -> str:
        bad.append(f"row {row.number} has {row.actual_columns} fields, not {row.expected_columns}")
        return "skip"

    names = None if dialect.named else dialect.header
    try:
        reader = pyarrow.csv.open_csv(
            pa.PythonFile(stream, mode="r"),
            read_options=pyarrow.csv.ReadOptions(
                block_size=_CSV_BLOCK_BYTES, use_threads=False, skip_rows=dialect.skip, column_names=names
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=dialect.delimiter,
                quote_char=dialect.quote or False,
                double_quote=dialect.escape == "",
                escape_char=dialect.escape or False,
                newlines_in_values=dialect.quote != "",
                invalid_row_handler=skip,
                ignore_empty_lines=True,
            ),
            # Every column as bytes: a post whose text is NA or null stays a post, an id keeps its digits.
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.binary()), include_columns=columns, strings_can_be_null=False
            ),
        )
        yield from reader
    except (pa.ArrowException, pa.ArrowInvalid, KeyError) as error:
        # What the library says may quote the row.
        why = "a row is longer than 16 MB, or a quote is never closed" if "straddl" in str(error) else "its rows break"
        raise PanelError(
            f"{name}: cannot be read as CSV with the delimiter {dialect.delimiter!r} ({why}): set panel.delimiter, "
            "panel.quote or panel.escape"
        ) from None


def _chunk(posts: pa.Table, consumed: int, bad_rows: list[str], n_invalid: int, n_swallowed: int) -> Chunk:
    return Chunk(
        posts,
        consumed,
        lost={"bad_row": len(bad_rows)} if bad_rows else {},
        repaired={"invalid_utf8": n_invalid} if n_invalid else {},
        excerpt=functools.partial(_first_bad, bad_rows[0] if bad_rows else ""),
        doubtful={"swallowed_rows": n_swallowed} if n_swallowed else {},
    )


def _first_bad(first_bad: str, number: int) -> str:
    return first_bad if number <= 0 else ""


# --- workbooks --------------------------------------------------------------------------------------------------------


def read_sheet(source: Source, rows: Iterator[tuple[Any, ...]], header: list[str], naming: Naming) -> Iterator[Chunk]:
    """Yield the posts of the first sheet of a workbook."""
    columns = naming.columns(source.name, header, printable=are_names(header))
    places = {name: header.index(name) for parts in columns.values() for name in parts if name != AUTO}
    first, size = 1, source.path.stat().st_size
    while batch := [row for _, row in zip(range(_SHEET_ROWS), rows, strict=False)]:
        cells = {
            name: pa.array([_cell(row[place] if place < len(row) else None) for row in batch], pa.string())
            for name, place in places.items()
        }
        arrays = {ours: [cells[part] for part in parts if part != AUTO] for ours, parts in columns.items()}
        yield Chunk(assemble(arrays, first, len(batch), naming), size)
        first += len(batch)


def open_sheet(source: Source, named: bool) -> tuple[Iterator[tuple[Any, ...]], list[str]]:
    """Return the rows of the first sheet of a workbook and its header (numbers where it has none).

    Raises
    ------
    PanelError
        If the workbook is damaged, empty or protected.
    """
    import warnings

    import openpyxl

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(source.file, read_only=True, data_only=True)
    except Exception as error:  # openpyxl raises errors of a dozen kinds on damaged files
        raise PanelError(
            f"{source.name}: cannot be read as a workbook ({type(error).__name__}): save it as CSV"
        ) from None
    rows = iter(book.worksheets[0].iter_rows(values_only=True)) if book.worksheets else iter(())
    first = next(rows, None)
    if first is None:
        raise PanelError(f"{source.name}: its first sheet is empty: put the posts on the first sheet")
    if not named:
        import itertools

        return itertools.chain([first], rows), [str(n + 1) for n in range(len(first))]
    return rows, [_cell(cell) or "" for cell in first]


def _cell(value: Any) -> str | None:
    """Return a cell as text; numbers keep what the workbook holds of them, times their form."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)
