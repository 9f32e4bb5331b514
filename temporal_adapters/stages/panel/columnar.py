"""Parquet and Arrow files to posts, columns called as the study or the layout says; nested fields with dots.

Takes a source and the names of columns, gives chunks of posts. Knows no platform.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from temporal_adapters.ground.errors import PanelError
from temporal_adapters.stages.panel.files import Source
from temporal_adapters.stages.panel.naming import AUTO, FLAGS, Naming, assemble
from temporal_adapters.stages.panel.posts import Chunk
from temporal_adapters.stages.panel.records import as_text
from temporal_adapters.stages.panel.times import in_zone

_BATCH_ROWS = 131_072


def read_columns(source: Source, naming: Naming) -> Iterator[Chunk]:
    """Yield the posts of a Parquet or Arrow file, some row groups at a time."""
    schema, batches, n_rows = _parquet(source, naming) if source.kind == "parquet" else _arrow(source)
    columns = naming.columns(source.name, schema.names)
    for ours, parts in columns.items():
        for part in parts:
            if part != AUTO:
                _refuse(source.name, ours, part, _field(source.name, schema, ours, part))
    size, row = source.path.stat().st_size, 0
    while (batch := _next(source.name, batches)) is not None:
        cells, n_invalid = _cells(source.name, batch, columns, naming.zone_or_default)
        table = assemble(cells, row + 1, batch.num_rows, naming)
        row += batch.num_rows
        repaired = {"invalid_utf8": n_invalid} if n_invalid else {}
        yield Chunk(table, size * row // max(n_rows, 1), repaired=repaired)


def _parquet(source: Source, naming: Naming) -> tuple[pa.Schema, Iterator[Any], int]:
    try:
        file = pyarrow.parquet.ParquetFile(source.file)
    except (OSError, pa.ArrowException) as error:
        raise PanelError(
            f"{source.name}: is no readable Parquet file ({type(error).__name__}): write it again"
        ) from None
    schema = file.schema_arrow
    found = naming.columns(source.name, schema.names)
    roots = sorted({part if part in schema.names else part.split(".")[0] for parts in found.values() for part in parts})
    wanted = [root for root in roots if root != AUTO]
    # Threads per column cost more than twice the processor time; other files and the cleaning keep the cores busy.
    return schema, file.iter_batches(_BATCH_ROWS, columns=wanted, use_threads=False), file.metadata.num_rows


def _arrow(source: Source) -> tuple[pa.Schema, Iterator[Any], int]:
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(source.file)))
    except (OSError, pa.ArrowException) as error:
        raise PanelError(f"{source.name}: is no readable Arrow file ({type(error).__name__})") from None
    n_batches = reader.num_record_batches
    return reader.schema, (reader.get_batch(n) for n in range(n_batches)), max(n_batches, 1) * _BATCH_ROWS


def _next(name: str, batches: Iterator[Any]) -> Any:
    try:
        return next(batches, None)
    except (OSError, pa.ArrowException) as error:
        raise PanelError(f"{name}: the file is damaged ({type(error).__name__}): write it again") from None


def _field(name: str, schema: pa.Schema, ours: str, part: str) -> pa.DataType:
    """Return the type of a column, or of a field inside one (`user.id`, `langs.0`)."""
    root, *inner = [part] if part in schema.names else part.split(".")
    kind = schema.field(root).type
    for step in inner:
        if _is_list(kind) and step.isdigit():
            kind = kind.value_type
        elif pa.types.is_struct(kind) and kind.get_field_index(step) >= 0:
            kind = kind.field(step).type
        else:
            raise PanelError(f"{name}: has no column {part!r} for {ours}: {root!r} is {kind}")
    return kind


def _refuse(name: str, ours: str, part: str, kind: pa.DataType) -> None:
    if ours in ("post_id", "user_id") and pa.types.is_floating(kind):
        raise PanelError(
            f"{name}: the column {part!r} holds ids as {kind}, which cannot hold ids beyond 2^53: "
            "write the file again with ids as text or 64-bit integers"
        )
    listed, nested = _is_list(kind), pa.types.is_struct(kind)
    if ours in FLAGS or (ours == "lang" and listed) or not (listed or nested or pa.types.is_map(kind)):
        return
    inner = "0" if listed else kind.field(0).name if nested else "<field>"
    what = "lists" if listed else "groups of fields"
    raise PanelError(f"{name}: the column {part!r} holds {what}: write `{ours}: {part}.{inner}` under panel.columns")


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _cells(name: str, batch: Any, columns: Any, zone: str | None) -> tuple[dict[str, list[pa.Array]], int]:
    cells: dict[str, list[pa.Array]] = {}
    n_invalid = 0
    for ours, parts in columns.items():
        cells[ours] = []
        for part in parts:
            if part == AUTO:
                continue
            values, n = _decoded(_reached(batch, part))
            n_invalid += n
            cells[ours].append(_cell(name, ours, values, zone, alone=len(parts) == 1))
    return cells, n_invalid


def _reached(batch: Any, part: str) -> pa.Array:
    root, *inner = [part] if part in batch.schema.names else part.split(".")
    values = batch[root]
    for step in inner:
        if _is_list(values.type):
            place = int(step)
            longer = pc.greater(pc.fill_null(pc.list_value_length(values), 0), place)
            empty = pa.scalar(None, values.type)
            values = pc.list_element(pc.if_else(longer, values, pa.scalar([None] * (place + 1), values.type)), place)
            del empty
        else:
            values = pc.struct_field(values, step)
    return values


def _decoded(values: pa.Array) -> tuple[pa.Array, int]:
    """Return a column, bytes as text, and how many of its values were no UTF-8.

    Nobody checks what is written as text: R and old versions of Spark store bytes of other encodings.
    """
    types = pa.types
    if types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if types.is_string(values.type) or types.is_large_string(values.type) or types.is_string_view(values.type):
        if types.is_string_view(values.type):
            values = values.cast(pa.large_string())
        try:
            values.validate(full=True)
        except pa.ArrowInvalid:
            return as_text(values.cast(pa.large_binary()))
    if types.is_binary(values.type) or types.is_large_binary(values.type) or types.is_fixed_size_binary(values.type):
        return as_text(values.cast(pa.large_binary()))
    return values, 0


def _cell(name: str, ours: str, values: pa.Array, zone: str | None, alone: bool) -> pa.Array:
    kind = values.type
    if ours == "created_at" and pa.types.is_timestamp(kind):
        moments = _moments(name, values, zone)
        return moments if alone else values.cast(pa.string())
    if ours in FLAGS and pa.types.is_boolean(kind):
        return values
    if _is_list(kind):
        return _listed(values, flag=ours in FLAGS)
    if pa.types.is_struct(kind) or pa.types.is_map(kind):
        return pc.is_valid(values)
    if pa.types.is_floating(kind):
        return _floats(values)
    return values if pa.types.is_string(kind) else values.cast(pa.string())


def _listed(values: pa.Array, flag: bool) -> pa.Array:
    """Return lists as a flag (anything in them is yes) or as their parts, separated by spaces."""
    if flag:
        return pc.greater(pc.fill_null(pc.list_value_length(values), 0), 0)
    texts = [None if parts is None else " ".join(str(part) for part in parts if part) for parts in values.to_pylist()]
    return pa.array(texts, pa.string())


def _floats(values: pa.Array) -> pa.Array:
    """Return numbers of seconds or days without the exponent that a float is printed with."""
    texts = [None if x is None or np.isnan(x) else f"{x:.6f}".rstrip("0").rstrip(".") for x in values.to_pylist()]
    return pa.array(texts, pa.string())


def _moments(name: str, created: pa.Array, zone: str | None) -> pa.Array:
    """Return times as microseconds since 1970 in UTC."""
    moments = created.cast(pa.timestamp("us", created.type.tz), safe=False).cast(pa.int64())
    if created.type.tz is not None:
        return moments
    if zone is None:
        raise PanelError(
            f"{name}: the times in the column for created_at carry no time zone: set panel.source_timezone, "
            "for example UTC"
        )
    return in_zone(moments, zone)
