"""Streams of bytes cut into JSON records, every damage counted.

Takes blocks of bytes, gives Arrow tables with one record per row. Knows no platform.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from temporal_adapters.stages.panel.files import Block

MAX_RECORD_BYTES = 16 << 20
"""Longest record that is read; what is longer is no post."""

_SHORT_BYTES = 16
"""Lines up to this long are looked at for being blank; no post is that short."""

_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\.", re.DOTALL)


@dataclass
class Records:
    """Records of one block.

    Attributes
    ----------
    table
        Columns `number` (line of the file or place in its lists, from 1), `line` (the record's JSON text) and
        `context` (what a list's records share, such as the chat's id; empty for lines).
    consumed
        Bytes of the file on disk read so far.
    n_lines
        Lines read, blank ones included.
    n_too_long
        Records left out because they are longer than `MAX_RECORD_BYTES`.
    n_invalid_utf8
        Records in which bytes that are not UTF-8 were replaced by U+FFFD.
    """

    table: pa.Table
    consumed: int
    n_lines: int = 0
    n_too_long: int = 0
    n_invalid_utf8: int = 0


def lines(blocks: Iterator[Block], max_bytes: int = MAX_RECORD_BYTES) -> Iterator[Records]:
    """Yield one record per line that is not blank, block by block."""
    rest, first, skipping, consumed = b"", 1, False, 0
    for block in blocks:
        consumed = block.consumed
        data = rest + block.data if rest else block.data
        n_too_long = 0
        if skipping:
            end = data.find(b"\n")
            if end < 0:
                continue
            data, skipping, first = data[end + 1 :], False, first + 1
        end = data.rfind(b"\n") + 1
        rest, data = data[end:], data[:end]
        if len(rest) > max_bytes:
            rest, skipping, n_too_long = b"", True, 1
        records = _split(data, first, consumed, max_bytes)
        records.n_too_long += n_too_long
        first += records.n_lines
        yield records
    if rest:
        yield _split(rest, first, consumed, max_bytes)


def _split(data: bytes, first: int, consumed: int, max_bytes: int) -> Records:
    """Cut `data` at its line ends without copying it."""
    if data and not data.endswith(b"\n"):
        data += b"\n"
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == 10)
    offsets = np.concatenate(([0], ends + 1)).astype(np.int64)
    text = pa.Array.from_buffers(pa.large_binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(data)])
    numbers = pa.array(np.arange(first, first + len(ends), dtype=np.int64))
    table = pa.table({"number": numbers, "line": text})
    lengths = np.diff(offsets)
    too_long = lengths > max_bytes
    wanted = ~too_long
    short = np.flatnonzero(lengths <= _SHORT_BYTES)
    if len(short):
        wanted[[i for i in short if not data[offsets[i] : offsets[i + 1]].strip()]] = False
    if not wanted.all():
        table = table.filter(pa.array(wanted))
    strings, n_invalid = as_text(table["line"].combine_chunks())
    table = table.set_column(1, "line", strings).append_column("context", pa.repeat("", table.num_rows))
    return Records(table, consumed, len(ends), int(too_long.sum()), n_invalid)


def as_text(values: pa.Array) -> tuple[pa.Array, int]:
    """Return binary values as text, and how many needed U+FFFD in place of bytes that are not UTF-8."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    try:
        return values.cast(pa.large_string()), 0
    except pa.ArrowInvalid:
        texts, n_invalid = [], 0
        for value in values.to_pylist():
            text = None if value is None else value.decode("utf-8", "replace")
            n_invalid += text is not None and text.encode() != value
            texts.append(text)
        return pa.array(texts, pa.large_string()), n_invalid


def repair(record: str) -> str:
    """Return a record without NUL characters and with lone surrogates replaced by U+FFFD.

    A parser that meets them refuses the record (DuckDB) or silently writes U+0000 (Polars); the rest of the post is
    sound, so it is kept and counted.
    """
    out: list[str] = []
    position, text = 0, record.replace("\0", "")
    while (match := _ESCAPE.search(text, position)) is not None:
        out.append(text[position : match.start()])
        position = match.end()
        code = int(match[1], 16) if match[1] else 0
        if 0xD800 <= code < 0xDC00:
            low = _ESCAPE.match(text, position)
            if low is not None and low[1] and 0xDC00 <= int(low[1], 16) < 0xE000:
                out.append(match[0] + low[0])
                position = low.end()
            else:
                out.append("\\ufffd")
        else:
            out.append("\\ufffd" if 0xDC00 <= code < 0xE000 else match[0])
    return "".join(out) + text[position:]
