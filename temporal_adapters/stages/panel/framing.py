"""JSON documents of any framing, cut into records as they stream in.

Takes blocks of bytes and where the records lie (`Way`), gives Arrow tables with one record per row. Knows no platform.

A document is a value; a file is one or more of them, with nothing, white space, commas or JavaScript's `name =` between
them. Records are reached step by step: a key, every element of a list (``[*]``), every value of an object (``*``).
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from temporal_adapters.ground.errors import PanelError
from temporal_adapters.stages.panel.files import Block
from temporal_adapters.stages.panel.records import MAX_RECORD_BYTES, Records, lines

Way = tuple[str, ...]
"""Steps to a record: keys, ``[*]`` and ``*``; empty for a record that is a whole document."""

ELEMENTS, VALUES = "[*]", "*"

_BETWEEN = re.compile(r"[\s,;\x1e\x00]*(?:(?:var\s+|window\.)[\w.$]+\s*=\s*)?")
_SPACE = re.compile(r"\s*")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_BATCH = 20_000
_DEEPEST = 200
_TOO_DEEP = '{"too deep'
"""What stands for a record nested beyond any sense: no JSON, so that it counts as one corrupt record."""


def parse_way(text: str) -> Way:
    """Return the steps of ``data.videos[*]``, ``*`` and the like."""
    steps: list[str] = []
    for part in text.split("."):
        key = part.removesuffix(ELEMENTS)
        steps += ([key] if key else []) + ([ELEMENTS] if part.endswith(ELEMENTS) else [])
    return tuple(steps)


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

    def skip(self, pattern: re.Pattern[str]) -> str:
        """Pass over what `pattern` matches and return the character behind it; '' at the end of the file."""
        while True:
            match = pattern.match(self.text, self.position)
            end = match.end() if match else self.position
            if end < len(self.text) or not self.more():
                self.position = end
                return self.text[end : end + 1]


class _Reader:
    """Walks through documents and yields the text of every record with what its list shares."""

    def __init__(self, name: str, blocks: Iterator[Block], context: str) -> None:
        self._name, self._context_key = name, context
        self.source = _Text(blocks)
        self.number = 0

    def documents(self, ways: Sequence[Way]) -> Iterator[tuple[str, str]]:
        while self.source.skip(_BETWEEN):
            yield from self._value(ways, "")

    def _value(self, ways: Sequence[Way], context: str) -> Iterator[tuple[str, str]]:
        first = self.source.skip(_SPACE)
        steps = {way[0] for way in ways if way}
        if first == "[" and ELEMENTS in steps:
            yield from self._elements([way[1:] for way in ways if way and way[0] == ELEMENTS], context)
        elif first == "{" and steps - {ELEMENTS}:
            yield from self._fields(ways, context)
        else:
            text, _ = self._whole()
            self.number += 1
            yield text, context

    def _elements(self, ways: Sequence[Way], context: str) -> Iterator[tuple[str, str]]:
        self.source.position += 1
        while (sign := self.source.skip(re.compile(r"[\s,]*"))) != "]":
            if not sign:
                self._broken("ends before its list is closed")
            yield from self._value(ways, context)
        self.source.position += 1

    def _fields(self, ways: Sequence[Way], context: str) -> Iterator[tuple[str, str]]:
        self.source.position += 1
        reached = False
        while (sign := self.source.skip(re.compile(r"[\s,]*"))) != "}":
            if sign != '"':
                self._broken("ends before its object is closed" if not sign else "expecting a property name")
            key = self._whole()[1]
            if self.source.skip(_SPACE) != ":":
                self._broken("expecting ':'")
            self.source.position += 1
            inner = [way[1:] for way in ways if way and way[0] in (key, VALUES)]
            first = self.source.skip(_SPACE)
            if inner and (first in "[{"):
                reached = True
                yield from self._value(inner, context)
                continue
            value = self._whole()[1]
            if key == self._context_key and isinstance(value, str | int):
                context = str(value)
        self.source.position += 1
        if not reached:
            self.number += 1
            yield "{}", context

    def _whole(self) -> tuple[str, Any]:
        """Return the text and the value of the next JSON value."""
        decoder, source = json.JSONDecoder(), self.source
        while True:
            try:
                value, end = decoder.raw_decode(source.text, source.position)
                if end < len(source.text) or not source.more():
                    text = source.text[source.position : end]
                    source.position = end
                    return text, value
            except json.JSONDecodeError as error:
                if len(source.text) - source.position > 2 * MAX_RECORD_BYTES or not source.more():
                    self._broken(error.msg)
            except RecursionError:
                self._pass_over()
                return _TOO_DEEP, None

    def _pass_over(self) -> None:
        """Pass over a value that is nested too deep to be parsed."""
        depth, position = 0, self.source.position
        while True:
            for match in _TOKEN.finditer(self.source.text, position):
                depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match[0], 0)
                position = match.end()
                if depth == 0:
                    self.source.position = position
                    return
            offset = position - self.source.position
            if offset > 4 * MAX_RECORD_BYTES or not self.source.more():
                self._broken("nested too deep")
            position = self.source.position + offset

    def _broken(self, why: str) -> None:
        raise PanelError(
            f"{self._name}: the JSON breaks or ends at post {self.number + 1}, before its list is closed ({why}): "
            "export or fetch the file again"
        )


def document_records(name: str, blocks: Iterator[Block], ways: Sequence[Way], context: str = "") -> Iterator[Records]:
    """Yield the records of JSON documents.

    Parameters
    ----------
    name
        What messages call the file.
    blocks
        Its content.
    ways
        Where the records lie.
    context
        Key beside a list whose value all its records share, such as a chat's `id`.

    Raises
    ------
    PanelError
        If a document breaks or ends too early.
    """
    reader = _Reader(name, blocks, context)
    texts: list[str] = []
    contexts: list[str] = []
    n_too_long = 0
    for text, shared in reader.documents(ways):
        if len(text) > MAX_RECORD_BYTES:
            n_too_long += 1
            continue
        texts.append(text)
        contexts.append(shared)
        if len(texts) >= _BATCH:
            yield _records(texts, contexts, reader, n_too_long)
            texts, contexts, n_too_long = [], [], 0
    yield _records(texts, contexts, reader, n_too_long)


def _records(texts: list[str], contexts: list[str], reader: _Reader, n_too_long: int) -> Records:
    numbers = pa.array(range(reader.number - len(texts) + 1, reader.number + 1), pa.int64())
    # Decoding with "replace" leaves no surrogate in the text: escapes such as \\ud83d are still escapes here.
    table = {"number": numbers, "line": pa.array(texts, pa.large_string()), "context": pa.array(contexts, pa.string())}
    n_invalid = sum("\ufffd" in text for text in texts)
    return Records(pa.table(table), reader.source.consumed, n_too_long=n_too_long, n_invalid_utf8=n_invalid)


def page_records(blocks: Iterator[Block], ways: Sequence[Way]) -> Iterator[Records]:
    """Yield the records of files with one document per line; a line that is no JSON is one corrupt record."""
    number = 0
    for records in lines(blocks):
        texts = [text for line in records.table["line"].to_pylist() for text in _expanded(line, ways)]
        numbers = pa.array(range(number + 1, number + len(texts) + 1), pa.int64())
        number += len(texts)
        table = pa.table(
            {"number": numbers, "line": pa.array(texts, pa.large_string()), "context": pa.repeat("", len(texts))}
        )
        yield Records(table, records.consumed, records.n_lines, records.n_too_long, records.n_invalid_utf8)


def _expanded(line: str, ways: Sequence[Way]) -> list[str]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return [line]
    found = [json.dumps(record) for record in reach(value, ways)]
    return found or [line]


def reach(value: Any, ways: Sequence[Way]) -> Iterator[Any]:
    """Yield the records that `ways` lead to."""
    if any(not way for way in ways):
        yield value
        return
    if isinstance(value, list):
        inner = [way[1:] for way in ways if way[0] == ELEMENTS]
        for element in value if inner else ():
            yield from reach(element, inner)
    elif isinstance(value, dict):
        for key, field in value.items():
            inner = [way[1:] for way in ways if way[0] in (key, VALUES)]
            if inner and isinstance(field, dict | list):
                yield from reach(field, inner)


def beginning(text: str) -> list[Any]:
    """Return the values at the beginning of a JSON text, the last one closed where the text was cut."""
    found: list[Any] = []
    decoder, position = json.JSONDecoder(), 0
    while len(found) < 50:
        match = _BETWEEN.match(text, position)
        position = match.end() if match else position
        if position >= len(text):
            break
        try:
            value, position = decoder.raw_decode(text, position)
        except json.JSONDecodeError:
            closed = _closed(text[position:])
            return found if closed is None else [*found, closed]
        except RecursionError:
            closed = _closed(text[position : _too_deep(text, position)])
            return found if closed is None else [*found, closed]
        found.append(value)
    return found


def _too_deep(text: str, position: int) -> int:
    """Return where brackets begin that are nested deeper than any post."""
    depth = 0
    for match in _TOKEN.finditer(text, position):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match[0], 0)
        if depth > _DEEPEST:
            return match.start()
    return len(text)


def _closed(text: str) -> Any:
    """Return the value of a JSON text that was cut: everything up to its last whole element."""
    stack: list[str] = []
    cut: list[tuple[int, str]] = []
    for match in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[\]{},]', text):
        sign = match[0]
        if sign in "[{":
            stack.append("]" if sign == "[" else "}")
        elif sign in "]}":
            if not stack or stack.pop() != sign:
                return None
            cut.append((match.end(), "".join(reversed(stack))))
        elif sign == ",":
            cut.append((match.start(), "".join(reversed(stack))))
        if not stack or len(stack) > _DEEPEST:
            return None
    for end, closing in reversed(cut[-2 * _DEEPEST :]):
        try:
            return json.loads(text[:end] + closing)
        except ValueError:
            continue
    return None
