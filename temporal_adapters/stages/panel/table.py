"""Tables of posts (CSV, Parquet, JSON lines with flat fields) to posts, columns called as the study says.

Takes a file and a map of column names, gives chunks of posts. Knows no platform.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from temporal_adapters.ground import resources
from temporal_adapters.ground.errors import PanelError
from temporal_adapters.stages.panel.arrays import Lists
from temporal_adapters.stages.panel.files import Block, read_blocks
from temporal_adapters.stages.panel.json import as_posts, read_json, run_query, without_nul
from temporal_adapters.stages.panel.layouts import field_names, read_header
from temporal_adapters.stages.panel.posts import Chunk
from temporal_adapters.stages.panel.records import as_text
from temporal_adapters.study.config.panel import COLUMNS, Panel

FLAGS = ("is_repost", "is_reply", "is_quote")
REQUIRED = ("post_id", "user_id", "created_at", "text")

_BATCH_ROWS = 131_072
_CSV_BLOCK_BYTES = 16 << 20


@dataclass(frozen=True)
class Naming:
    """How the columns of a table are called.

    Attributes
    ----------
    layout
        Name of the layout.
    known
        Our column -> the names it may have in this layout.
    given
        Our column -> the name that the study gives; wins over `known`.
    zone
        Zone of times that carry none; 4CAT writes UTC.
    """

    layout: str
    known: Mapping[str, tuple[str, ...]]
    given: Mapping[str, str]
    zone: str | None

    @property
    def zone_or_default(self) -> str | None:
        """The zone of times that carry none, if it is known."""
        return self.zone or ("UTC" if self.layout == "4cat" else None)

    def columns(self, path: Path, found: Sequence[str]) -> dict[str, str]:
        """Return our column -> the file's, for those that the file has.

        Raises
        ------
        PanelError
            If the file lacks a required column, or one that the study names.
        """
        chosen: dict[str, str] = {}
        for ours in COLUMNS:
            names = (self.given[ours],) if ours in self.given else self.known.get(ours, ())
            theirs = next((name for name in names if name in found), None)
            if theirs is not None:
                chosen[ours] = theirs
            elif ours in REQUIRED or ours in self.given:
                raise PanelError(
                    f"{path}: has no column {names[0]!r} for {ours} (it has: {', '.join(found) or 'none'}): "
                    f"write `{ours}: <its name>` under panel.columns"
                )
        return chosen


# --- Parquet ----------------------------------------------------------------------------------------------------------


def read_parquet(path: Path, naming: Naming, connection: duckdb.DuckDBPyConnection) -> Iterator[Chunk]:
    """Yield the posts of a Parquet file, some row groups at a time."""
    try:
        file = pyarrow.parquet.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise PanelError(f"{path}: is no readable Parquet file ({error})") from None
    columns, zone = naming.columns(path, file.schema_arrow.names), naming.zone_or_default
    _refuse_float_ids(path, file.schema_arrow, columns)
    size, n_rows, row = path.stat().st_size, max(file.metadata.num_rows, 1), 0
    # Threads per column cost more than twice the processor time; other files and the cleaning keep the cores busy.
    batches = file.iter_batches(_BATCH_ROWS, columns=list(columns.values()), use_threads=False)
    while (batch := _next_batch(path, batches)) is not None:
        decoded = {ours: _decoded(batch[theirs]) for ours, theirs in columns.items()}
        table = _records(path, {ours: values for ours, (values, _) in decoded.items()}, row, zone)
        row += batch.num_rows
        n_invalid = sum(n for _, n in decoded.values())
        repaired = {"invalid_utf8": n_invalid} if n_invalid else {}
        yield _chunk(table, connection, zone, size * row // n_rows, repaired=repaired)


def _next_batch(path: Path, batches: Iterator[Any]) -> Any:
    try:
        return next(batches, None)
    except (OSError, pa.ArrowException) as error:
        raise PanelError(f"{path}: the Parquet file is damaged ({error})") from None


def _refuse_float_ids(path: Path, schema: pa.Schema, columns: Mapping[str, str]) -> None:
    for ours in ("post_id", "user_id"):
        kind = schema.field(columns[ours]).type
        if pa.types.is_floating(kind):
            raise PanelError(
                f"{path}: the column {columns[ours]!r} holds ids as {kind}, which cannot hold ids beyond 2^53: "
                "write the file again with ids as text or 64-bit integers"
            )


def _records(path: Path, columns: Mapping[str, pa.Array], row: int, zone: str | None) -> pa.Table:
    n_rows = len(next(iter(columns.values())))
    arrays: dict[str, Any] = {"number": pa.array(np.arange(row + 1, row + n_rows + 1, dtype=np.int64))}
    created = columns["created_at"]
    arrays["moment_us"] = _moments(path, created, zone)
    for ours in COLUMNS:
        if ours in FLAGS:
            arrays[ours] = _flags(columns.get(ours), n_rows)
        elif ours not in columns or (ours == "created_at" and pa.types.is_temporal(created.type)):
            arrays[ours] = pa.nulls(n_rows, pa.string())
        else:
            arrays[ours] = _strings(columns[ours])
    arrays["broken"] = pa.repeat(False, n_rows)
    return pa.table(arrays)


def _decoded(values: pa.Array) -> tuple[pa.Array, int]:
    """Return a column of a Parquet file, bytes as text, and how many of its values were no UTF-8.

    Nobody checks what is written as text: R and old versions of Spark store bytes of other encodings.
    """
    types = pa.types
    if types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if types.is_string(values.type) or types.is_large_string(values.type):
        try:
            values.validate(full=True)
        except pa.ArrowInvalid:
            return as_text(values.cast(pa.large_binary()))
    if types.is_binary(values.type) or types.is_large_binary(values.type):
        return as_text(values)
    return values, 0


def _strings(values: pa.Array) -> pa.Array:
    is_text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
    return values if is_text else values.cast(pa.string())


def _flags(values: pa.Array | None, n_rows: int) -> pa.Array:
    """Return a flag as booleans where the table holds them (or lacks the column), else as text for the query."""
    if values is None:
        return pa.repeat(False, n_rows)
    return values.fill_null(False) if pa.types.is_boolean(values.type) else _strings(values)


def _moments(path: Path, created: pa.Array, zone: str | None) -> pa.Array:
    """Return times as microseconds since 1970 in UTC; nulls where the column holds no times."""
    if not pa.types.is_timestamp(created.type):
        return pa.nulls(len(created), pa.int64())
    moments = created.cast(pa.timestamp("us", created.type.tz), safe=False)
    if created.type.tz is None:
        if zone is None:
            raise PanelError(
                f"{path}: the times in the column for created_at carry no time zone: set panel.source_timezone, "
                "for example UTC"
            )
        # A local time that summer time skips or repeats is read as the later and the earlier moment.
        moments = pc.assume_timezone(moments, zone, ambiguous="earliest", nonexistent="latest")
    return moments.cast(pa.int64())


# --- CSV --------------------------------------------------------------------------------------------------------------


class _Stream(io.RawIOBase):
    """The decompressed content of a file as a readable stream that knows how far it is."""

    def __init__(self, blocks: Iterator[Block]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")
        self.consumed = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest, self.consumed = memoryview(block.data), block.consumed
        n = min(len(buffer), len(self._rest))
        buffer[:n] = self._rest[:n]
        self._rest = self._rest[n:]
        return n


def read_csv(path: Path, naming: Naming, settings: Panel, connection: duckdb.DuckDBPyConnection) -> Iterator[Chunk]:
    """Yield the posts of a CSV file; the delimiter is the one under which the header has our columns."""
    delimiter, header = read_header(path, settings)
    columns, zone = naming.columns(path, header), naming.zone_or_default
    bad_rows: list[str] = []
    stream = _Stream(read_blocks(path))
    row = 0
    for batch in _csv_batches(path, stream, delimiter, list(columns.values()), bad_rows):
        lost = {"bad_row": len(bad_rows)} if bad_rows else {}
        first_bad, n_invalid = (bad_rows[0] if bad_rows else ""), 0
        bad_rows.clear()
        arrays = {}
        for ours, theirs in columns.items():
            arrays[ours], n = as_text(batch[theirs])
            n_invalid += n
        if naming.layout == "twarc-csv":
            # twarc-csv writes the two characters \\n for every line end.
            arrays["text"] = pc.replace_substring(arrays["text"], "\\n", "\n")
        table = _records(path, arrays, row, zone)
        row += batch.num_rows
        repaired = {"invalid_utf8": n_invalid} if n_invalid else {}
        yield _chunk(table, connection, zone, stream.consumed, lost, repaired, first_bad)
    if bad_rows:
        empty = _records(path, {ours: pa.array([], pa.string()) for ours in columns}, row, zone)
        yield _chunk(empty, connection, zone, stream.consumed, {"bad_row": len(bad_rows)}, {}, bad_rows[0])


def _csv_batches(path: Path, stream: _Stream, delimiter: str, columns: list[str], bad: list[str]) -> Iterator[Any]:
    def skip(row: Any) -> str:
        bad.append(f"row {row.number} has {row.actual_columns} fields, not {row.expected_columns}")
        return "skip"

    try:
        reader = pyarrow.csv.open_csv(
            pa.PythonFile(stream, mode="r"),
            read_options=pyarrow.csv.ReadOptions(block_size=_CSV_BLOCK_BYTES, use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=skip, ignore_empty_lines=True
            ),
            # Every column as bytes: a post whose text is NA or null stays a post, an id keeps its digits.
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.binary()), include_columns=columns, strings_can_be_null=False
            ),
        )
        yield from reader
    except pa.ArrowInvalid as error:
        raise PanelError(f"{path}: cannot be read as CSV with the delimiter {delimiter!r} ({error})") from None


# --- flat JSON lines --------------------------------------------------------------------------------------------------


def read_flat(
    path: Path, naming: Naming, connection: duckdb.DuckDBPyConnection, lists: Lists | None
) -> Iterator[Chunk]:
    """Yield the posts of JSON objects with one field per column; nested fields are named with dots."""
    flat, table = resources.text("queries", "panel_flat"), resources.text("queries", "panel_table")
    zone = naming.zone_or_default
    columns = naming.columns(path, field_names(path, lists is not None))
    paths = ["$" + "".join(f'."{part}"' for part in columns.get(ours, "(none)").split(".")) for ours in COLUMNS]

    def posts_of(records: pa.Table) -> pa.Table:
        rows = run_query(connection, flat, records, {"paths": paths})
        return as_posts(run_query(connection, table, rows, {"zone": zone or ""}))

    yield from read_json(path, posts_of, lists)


# --- both -------------------------------------------------------------------------------------------------------------


def _chunk(
    records: pa.Table,
    connection: duckdb.DuckDBPyConnection,
    zone: str | None,
    consumed: int,
    lost: Mapping[str, int] | None = None,
    repaired: Mapping[str, int] | None = None,
    first_bad: str = "",
) -> Chunk:
    posts = _typed(records)
    if posts is None:
        posts = as_posts(run_query(connection, resources.text("queries", "panel_table"), records, {"zone": zone or ""}))
    posts, n_nul = without_nul(posts)
    repairs = {**(repaired or {}), **({"nul": n_nul} if n_nul else {})}
    return Chunk(posts, consumed, lost or {}, repairs, functools.partial(_excerpt, records, first_bad))


def _typed(records: pa.Table) -> pa.Table | None:
    """Return `POSTS` where nothing has to be parsed: times are times and flags are booleans."""
    flags = [records[name] for name in FLAGS]
    if records["moment_us"].null_count or any(not pa.types.is_boolean(flag.type) for flag in flags):
        return None
    n_rows = records.num_rows
    columns = {
        **{name: records[name] for name in ("number", "post_id", "user_id", "text", "lang", "client")},
        "created_us": records["moment_us"],
        "is_repost": flags[0],
        "is_reply": flags[1],
        "is_quote": flags[2],
        "platform": pa.repeat("table", n_rows),
        "problem": pa.nulls(n_rows, pa.string()),
    }
    return as_posts(pa.table(columns))


def _excerpt(records: pa.Table, first_bad: str, number: int) -> str:
    if number <= 0:
        return first_bad
    found = records.filter(pc.equal(records["number"], number))["created_at"]
    return f"created_at {found[0].as_py()!r}" if len(found) else ""
