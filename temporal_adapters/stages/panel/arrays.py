"""JSON documents that hold their records in lists, cut into records as they stream in.

Takes blocks of bytes and where the lists begin, gives Arrow tables with one record per row. Knows no platform.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from temporal_adapters.ground.errors import PanelError
from temporal_adapters.stages.panel.files import Block
from temporal_adapters.stages.panel.records import MAX_RECORD_BYTES, Records

_GAP = re.compile(r"[\s,]*")
_BATCH = 20_000
_KEEP_CHARACTERS = 65_536
"""Characters before a list that are kept to read its context from."""


@dataclass(frozen=True)
class Lists:
    """Where the lists of records are, and what belongs to each.

    Attributes
    ----------
    begins
        Matches up to and including the bracket that opens a list.
    context
        Matches, in the text before a list, what all its records share (group 1); the last match counts.
    constant
        What all records of the file share, without `context`.
    """

    begins: re.Pattern[str]
    context: re.Pattern[str] | None = None
    constant: str = ""

    def context_of(self, before: str) -> str:
        """Return what the records of a list share, from the text before it."""
        found = self.context.findall(before) if self.context else []
        return str(found[-1]) if found else self.constant


class _Text:
    """The file's text, of which only the part not yet read is kept."""

    def __init__(self, blocks: Iterator[Block]) -> None:
        self._blocks = blocks
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.text, self.position, self.consumed, self.ended = "", 0, 0, False

    def more(self) -> bool:
        """Read another block; False at the end of the file."""
        block = next(self._blocks, None)
        if block is None:
            self.ended = True
            return False
        self.text = self.text[self.position :] + self._decoder.decode(block.data)
        self.position, self.consumed = 0, block.consumed
        return True


def array_records(path: Path, blocks: Iterator[Block], lists: Lists) -> Iterator[Records]:
    """Yield the elements of all lists of a JSON document.

    Raises
    ------
    PanelError
        If the document holds no such list, breaks inside one or ends before it is closed.
    """
    source, number, found_any = _Text(blocks), 0, False
    while (context := _enter(source, lists)) is not None:
        found_any = True
        waiting: list[str] = []
        while (element := _element(path, source, number)) is not None:
            waiting.append(element)
            number += 1
            if len(waiting) >= _BATCH:
                yield _records(waiting, number, context, source.consumed)
                waiting = []
        yield _records(waiting, number, context, source.consumed)
    if not found_any:
        raise PanelError(f"{path}: holds no list of posts where its layout has one")


def _enter(source: _Text, lists: Lists) -> str | None:
    while True:
        match = lists.begins.search(source.text, source.position)
        if match is not None:
            context = lists.context_of(source.text[source.position : match.end()])
            source.position = match.end()
            return context
        source.position = max(source.position, len(source.text) - _KEEP_CHARACTERS)
        if not source.more():
            return None


def _element(path: Path, source: _Text, number: int) -> str | None:
    """Return the JSON text of the next element, or None at the end of the list."""
    decoder = json.JSONDecoder()
    while True:
        gap = _GAP.match(source.text, source.position)
        start = gap.end() if gap else source.position
        if source.text.startswith("]", start):
            source.position = start + 1
            return None
        try:
            _, end = decoder.raw_decode(source.text, start)
        except json.JSONDecodeError as error:
            if len(source.text) - start > 2 * MAX_RECORD_BYTES:
                raise PanelError(f"{path}: the JSON breaks at post {number + 1} ({error.msg})") from None
            if not source.more():
                raise PanelError(
                    f"{path}: the JSON breaks or ends at post {number + 1}, before its list is closed ({error.msg}): "
                    "export or fetch the file again"
                ) from None
            continue
        source.position = end
        return source.text[start:end]


def _records(texts: list[str], number: int, context: str, consumed: int) -> Records:
    numbers = pa.array(range(number - len(texts) + 1, number + 1), pa.int64())
    # Decoding with "replace" leaves no surrogate in the text: escapes such as \\ud83d are still escapes here.
    table = {"number": numbers, "line": pa.array(texts, pa.large_string()), "context": pa.repeat(context, len(texts))}
    return Records(pa.table(table), consumed)
