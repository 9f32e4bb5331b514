"""Which framing and which layout a file has.

Takes the beginning of a file and the study's settings, gives how its records lie and what they are. Knows the platforms
by their records (`platforms`), not how to read them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from temporal_adapters.ground.errors import PanelError
from temporal_adapters.stages.panel.dialect import Dialect, dialect_of
from temporal_adapters.stages.panel.files import Source
from temporal_adapters.stages.panel.framing import ELEMENTS, VALUES, Way, beginning, parse_way, reach
from temporal_adapters.stages.panel.naming import are_names
from temporal_adapters.stages.panel.platforms import BY_NAME, PLATFORMS, Platform
from temporal_adapters.study.config import REQUIRED, Panel

_N_LOOKED_AT = 50
_DEPTH = 6
_CHAT = re.compile(
    r"\s*\ufeff?\u200e?(\[\d{1,4}[./-]\d{1,2}[./-]\d{2,4},? \d"
    r"|\d{1,2}[./-]\d{1,2}[./-]\d{2,4},? \d{1,2}:\d\d.{0,12} - )"
)

Framing = Literal["parquet", "arrow", "xlsx", "csv", "lines", "wrapped", "pages", "document"]


@dataclass(frozen=True)
class Layout:
    """How a source is read.

    Attributes
    ----------
    framing
        ``parquet``, ``arrow``, ``xlsx``, ``csv``, ``lines`` (one JSON object per line), ``wrapped`` (the same, each
        post inside `data` as Zeeschuimer writes it), ``pages`` (one JSON document with posts per line) or ``document``
        (JSON documents of any framing).
    platform
        What its records are.
    ways
        Where the records lie in a document.
    dialect
        How a CSV file is written.
    fields
        Fields of its first records, nested ones joined with dots.
    """

    framing: Framing
    platform: Platform
    ways: tuple[Way, ...] = ()
    dialect: Dialect | None = None
    fields: tuple[str, ...] = ()


def layout_of(source: Source, settings: Panel) -> Layout:
    """Return the layout of a source.

    Raises
    ------
    PanelError
        If it is empty or looks like nothing we know.
    """
    if source.kind != "text":
        return Layout(source.kind, BY_NAME["table" if settings.format == "auto" else settings.format])
    text = source.head.decode("utf-8", "replace")
    start = text.lstrip("\ufeff \t\r\n\x1e")[:1]
    if not start:
        raise PanelError(f"{source.name}: is empty")
    if _CHAT.match(text):
        return _csv_layout(source, text, settings)
    if start in "{[" or re.match(r"\s*(window\.[\w.$]+|var\s+\w+)\s*=\s*[\[{]", text):
        return _json_layout(source.name, text, settings)
    return _csv_layout(source, text, settings)


def _csv_layout(source: Source, text: str, settings: Panel) -> Layout:
    if _CHAT.match(text) and not settings.columns:
        raise PanelError(
            f"{source.name}: is a chat as a messenger exports it as text (WhatsApp), which holds neither ids nor a "
            "zone: write it as a table of time, author and text, and set panel.columns with `post_id: auto`"
        )
    wanted = {name for platform in PLATFORMS for name in _names(platform)}
    dialect = dialect_of(source.name, source.head, settings, wanted)
    names = set(dialect.header)
    if settings.format != "auto":
        platform = BY_NAME[settings.format]
        if not platform.told_by and platform.name != "table":
            raise PanelError(f"{source.name}: is a table, not {settings.format}: set panel.format to auto or table")
        return Layout("csv", platform, dialect=dialect)
    if len(dialect.header) < 2 and not are_names(dialect.header):
        raise PanelError(f"{source.name}: is neither JSON nor a table: its first line is no header and no record")
    return Layout("csv", _table(names, settings), dialect=dialect)


def _names(platform: Platform) -> Iterable[str]:
    for choices in platform.columns.values():
        for choice in choices:
            yield from (choice,) if isinstance(choice, str) else choice


def _table(names: set[str], settings: Panel) -> Platform:
    """Return which table has these columns; a study that names the columns needed has its own."""
    if set(settings.columns) >= set(REQUIRED):
        return BY_NAME["table"]
    known = (platform for platform in PLATFORMS if any(told_by <= names for told_by in platform.told_by))
    return next(known, BY_NAME["table"])


# --- JSON -------------------------------------------------------------------------------------------------------------


def _json_layout(name: str, text: str, settings: Panel) -> Layout:
    framing, values = _framing(text)
    is_post = _recogniser(settings)
    ways = (parse_way(settings.inner),) if settings.inner else _ways(values, is_post)
    if not ways:
        raise PanelError(_unknown(name, values, settings))
    records = [record for value in values for record in reach(value, ways) if isinstance(record, dict)][:_N_LOOKED_AT]
    if framing == "lines":
        named = set(settings.columns) >= set(REQUIRED)
        wrapped = not named and any(_is_wrapped(value) for value in values)
        framing = "wrapped" if wrapped else "lines" if ways == ((),) else "pages"
        records = [record["data"] if _is_wrapped(record) else record for record in records] if wrapped else records
        ways = ((),) if wrapped else ways
    platform = _platform(name, records, settings, values)
    if framing == "pages" and platform.context:
        framing = "document"  # what a list's records share stands beside it, in their document
    fields = () if platform.queries else tuple(field_names(records))
    return Layout(framing, platform, ways, fields=fields)


def _framing(text: str) -> tuple[Framing, list[Any]]:
    """Return how JSON is framed, and the values that a file begins with."""
    if text.lstrip("\ufeff \t\r\n")[:1] == "{":
        lines = text.lstrip("\ufeff").split("\n")
        whole = lines[:-1] if len(lines) > 1 else lines
        parsed = [_parsed(line) for line in whole[:_N_LOOKED_AT] if line.strip(" \t\r,")]
        objects = [value for value in parsed if isinstance(value, dict)]
        if (
            objects
            and (len(objects) > 1 or len(parsed) == 1 or not text.strip().startswith("{\n"))
            and ((2 * len(objects) > len(parsed) and isinstance(parsed[0], dict)) or len(objects) > 2)
        ):
            return "lines", objects
    return "document", beginning(text)


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _recogniser(settings: Panel) -> Callable[[Mapping[str, Any]], bool]:
    """Return what tells a record: the fields that the study names, the platform that it names, or any that we know."""
    if set(settings.columns) >= set(REQUIRED):
        wanted = [name for ours in ("created_at", "text") for name in settings.named(ours) if isinstance(name, str)]
        return lambda value: all(_there(value, name) for name in wanted)
    if settings.format not in ("auto", "table"):
        platform = BY_NAME[settings.format]
        if platform.queries or platform.columns:
            return lambda value: platform.is_post(value) or _is_row(value, platform)
    return lambda value: any(platform.is_post(value) or _is_row(value, platform) for platform in PLATFORMS)


def _there(value: Any, name: str) -> bool:
    for step in name.split("."):
        if isinstance(value, list):
            if not step.isdigit() or int(step) >= len(value):
                return False
            value = value[int(step)]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            return False
    return True


def _is_row(value: Mapping[str, Any], platform: Platform) -> bool:
    """Return whether an object is a row of a table that the platform's exporter writes."""
    if any(told_by <= value.keys() for told_by in platform.told_by):
        return True
    return platform.name == "table" and all(name in value for name in REQUIRED)


def _ways(values: Sequence[Any], is_post: Callable[[Mapping[str, Any]], bool]) -> tuple[Way, ...]:
    """Return where the records lie in the values that a file begins with; empty if nowhere."""
    found: dict[Way, None] = {}
    for value in values[:_N_LOOKED_AT]:
        found.update(dict.fromkeys(_search(value, is_post, _DEPTH)))
        if _is_wrapped(value):
            found[()] = None
    ways = tuple(found)
    return ((),) if () in ways else ways


def _search(value: Any, is_post: Callable[[Mapping[str, Any]], bool], depth: int) -> list[Way]:
    if isinstance(value, dict):
        if is_post(value):
            return [()]
        inner = {
            key: _search(field, is_post, depth - 1)
            for key, field in value.items()
            if depth and isinstance(field, dict | list)
        }
        objects = [key for key, field in value.items() if isinstance(field, dict)]
        posts = [key for key in objects if inner.get(key) == [()]]
        if posts and len(posts) == len(objects) and (len(posts) > 1 or posts[0].isdigit()):
            return [(VALUES,)]
        return [(key, *way) for key, ways in inner.items() for way in ways]
    if isinstance(value, list) and depth:
        ways = [way for element in value[:20] for way in _search(element, is_post, depth - 1)]
        return [(ELEMENTS, *way) for way in dict.fromkeys(ways)]
    return []


def _is_wrapped(value: Any) -> bool:
    return isinstance(value, dict) and "item_id" in value and isinstance(value.get("data"), dict)


def _platform(name: str, records: Sequence[Mapping[str, Any]], settings: Panel, values: Sequence[Any]) -> Platform:
    if set(settings.columns) >= set(REQUIRED) and settings.format in ("auto", "table"):
        return BY_NAME["table"]
    if settings.format != "auto":
        return BY_NAME[settings.format]
    votes = Counter(
        next((p.name for p in PLATFORMS if p.is_post(record)), None) or _table(set(record), settings).name
        for record in records
    )
    votes.pop("table", None) if len(votes) > 1 else None
    if not votes:
        raise PanelError(_unknown(name, values, settings))
    found = BY_NAME[votes.most_common(1)[0][0]]
    fields = field_names(records)
    if found.name == "table" and not settings.columns and not set(REQUIRED) <= set(fields):
        raise PanelError(_unknown(name, values, settings))
    return found


def _unknown(name: str, values: Sequence[Any], settings: Panel) -> str:
    objects = [value for value in values if isinstance(value, dict)]
    wrapped = sorted({str(value.get("source_platform")) for value in objects if _is_wrapped(value)} - {"None"})
    keys = sorted({key for value in objects for key in (value["data"] if _is_wrapped(value) else value)})
    if settings.columns and set(settings.columns) >= set(REQUIRED):
        named = ", ".join(str(theirs) for ours in ("created_at", "text") for theirs in settings.named(ours))
        return (
            f"{name}: no record has the fields that panel.columns names for time and text ({named}): set panel.inner "
            "to where the records lie, such as data.videos[*]"
        )
    if keys and are_names(keys):
        found = f"its records have the fields {', '.join(keys[:12])}"
    else:
        found = f"its records have {len(keys)} fields" if keys else "no record is a JSON object"
    if wrapped:
        found = f"items of {', '.join(wrapped)}, {found} inside `data`, to be named such as data.id"
    return (
        f"{name}: holds JSON of no layout we know ({found}): set panel.format, panel.inner where records "
        "lie deeper, or panel.columns for a table"
    )


def field_names(records: Iterable[Any]) -> list[str]:
    """Return the fields of JSON objects, nested ones joined with dots, those in lists by their place."""
    found: dict[str, None] = {}
    for value in records:
        _add_names(value, "", found)
    return list(found)


def _add_names(value: Any, prefix: str, found: dict[str, None]) -> None:
    items = value.items() if isinstance(value, dict) else enumerate(value[:20]) if isinstance(value, list) else ()
    for key, inner in items:
        found[f"{prefix}{key}"] = None
        if isinstance(inner, dict | list):
            _add_names(inner, f"{prefix}{key}.", found)
