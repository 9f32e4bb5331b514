"""How a CSV file is written: its delimiter, its quotes, where its rows begin.

Takes the beginning of a file and the study's settings, gives a dialect. Knows no column but the names it looks for.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from temporal_adapters.ground.errors import PanelError
from temporal_adapters.study.config import Panel

_DELIMITERS = (",", "\t", ";", "|")
_ROWS = 400
"""Rows that a dialect is judged by."""


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written.

    Attributes
    ----------
    delimiter
        The character between fields.
    quote
        The character around fields; empty if quotes mean nothing.
    escape
        The character before a quote inside a field; empty if quotes are doubled.
    skip
        Rows before the first.
    header
        The first row, or the numbers of the columns.
    named
        Whether the first row names the columns.
    """

    delimiter: str
    quote: str
    escape: str
    skip: int
    header: list[str]
    named: bool


def dialect_of(name: str, head: bytes, settings: Panel, wanted: Iterable[str]) -> Dialect:
    """Return the dialect of a CSV file.

    Parameters
    ----------
    name
        What messages call the file.
    head
        Its first bytes.
    settings
        The study's; what they say is not looked for.
    wanted
        Names of columns that any layout knows.

    Raises
    ------
    PanelError
        If another delimiter than the one given finds more of them.
    """
    text, whole = head.decode("utf-8", "replace"), len(head) < 1 << 20
    said, skip = _said(text)
    if skip:
        text = text.split("\n", 1)[-1]
    known = set(wanted) | {str(name) for ours in settings.columns for name in settings.named(ours)}
    delimiter = _delimiter(name, text, settings, said, known)
    quote, escape = _quoting(text, whole, delimiter, settings)
    header = next(_rows(text, delimiter, quote, escape), [])
    if not settings.header:
        return Dialect(delimiter, quote, escape, skip, [str(n + 1) for n in range(len(header))], False)
    return Dialect(delimiter, quote, escape, skip, header, True)


def _said(text: str) -> tuple[str | None, int]:
    """Return the delimiter that a first line such as `sep=;` gives (for Excel), and how many lines that takes."""
    first = text.split("\n", 1)[0].strip().strip('"')
    return (first[4:5] or "\t", 1) if first.lower().startswith("sep=") and len(first) <= 6 else (None, 0)


def _delimiter(name: str, text: str, settings: Panel, said: str | None, wanted: set[str]) -> str:
    given = settings.delimiter or said
    tried = dict.fromkeys((given, *_DELIMITERS) if given else _DELIMITERS)
    headers = {d: next(_rows(text, d, '"', ""), []) for d in tried}
    known = {d: len(wanted & set(header)) for d, header in headers.items()}
    if not settings.header or not any(known.values()):
        second = {d: _steadiness(text, d) for d in tried}
        return given or max(headers, key=lambda d: (known[d], second[d], len(headers[d])))
    best = max(headers, key=lambda d: (known[d], len(headers[d])))
    if given and known[best] > known[given]:
        raise PanelError(
            f"{name}: panel.delimiter is {given!r}, but its first line has {known[best]} of the columns needed with "
            f"{best!r} and {known[given]} with {given!r}: set panel.delimiter to {best!r}, or leave it out"
        )
    return given or best


def _steadiness(text: str, delimiter: str) -> int:
    counts = [len(row) for _, row in zip(range(50), _rows(text, delimiter, '"', ""), strict=False)]
    return counts.count(counts[0]) if counts and counts[0] > 1 else 0


def _quoting(text: str, whole: bool, delimiter: str, settings: Panel) -> tuple[str, str]:
    """Return quote and escape under which the rows at the beginning of the file are most regular."""
    given = settings.quote
    if given is not None and settings.escape is not None:
        return given, settings.escape
    if given is not None:
        tried = [(given, "")] + ([(given, "\\")] if given else [])
    elif settings.escape is not None:
        tried = [('"', settings.escape)]
    else:
        tried = [('"', ""), *([('"', "\\")] if '\\"' in text else []), ("", "")]
        if '"' not in text and text.count("'") > 2 * text.count("\n"):
            tried.append(("'", ""))
    faults = {way: _faults(text, whole, delimiter, *way) for way in tried}
    return min(tried, key=lambda way: (faults[way], tried.index(way)))


def _faults(text: str, whole: bool, delimiter: str, quote: str, escape: str) -> int:
    """Count rows that a way of quoting makes irregular: wrong width, stray quotes, whole rows inside a field."""
    rows = [row for _, row in zip(range(_ROWS), _rows(text, delimiter, quote, escape), strict=False)]
    if not whole and len(rows) > 2 and len(rows) < _ROWS:
        rows.pop()  # cut in the middle
    if not rows:
        return 0
    width = len(rows[0])
    found = 0
    for row in rows:
        found += row != [] and len(row) != width
        for cell in row:
            found += swallowed(cell, delimiter, width)
            if quote == "":
                found += len(cell) > 1 and cell[0] == cell[-1] == '"'
            elif quote in cell:
                # Read with the wrong escape, a field keeps the signs of the right one.
                found += cell.endswith(quote) and cell.count(quote) % 2 == 1 and escape == ""
                found += escape == "" and "\\" + quote in cell
                found += escape != "" and quote + quote in cell
            elif escape == "":
                found += cell.endswith("\\") and len(row) != width
    return found


def swallowed(cell: str, delimiter: str, width: int) -> int:
    """Count the lines inside a field that look like whole rows."""
    if "\n" not in cell or width < 3:
        return 0
    return sum(line.count(delimiter) >= width - 2 for line in cell.split("\n")[1:])


def _rows(text: str, delimiter: str, quote: str, escape: str) -> Iterator[list[str]]:
    csv.field_size_limit(1 << 24)
    options: dict[str, object] = {"delimiter": delimiter, "doublequote": escape == "", "strict": False}
    options |= {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE, "quotechar": None}
    options |= {"escapechar": escape} if escape else {}
    source = io.StringIO(text.replace("\0", ""), newline="")
    reader = csv.reader(source, **options)  # type: ignore[arg-type]
    while True:
        try:
            row = next(reader, None)
        except csv.Error:
            return
        if row is None:
            return
        yield row
