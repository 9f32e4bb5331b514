"""Which layout a raw file has.

Takes a file's beginning, gives the name of its layout. Knows the tell-tale fields of every platform, not how to read
them.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from temporal_adapters.ground.errors import PanelError
from temporal_adapters.stages.panel.arrays import Lists, array_records
from temporal_adapters.stages.panel.files import read_blocks
from temporal_adapters.stages.panel.records import lines
from temporal_adapters.study.config.panel import COLUMNS, Panel

_N_LOOKED_AT = 50
_HEAD_CHARACTERS = 65_536
_LOOK_BYTES = 1 << 20
"""Bytes looked at to find out a layout."""

_DELIMITERS = (",", "\t", ";", "|")

PLAIN_LIST = Lists(re.compile(r"\["))
_ARCHIVE_START = re.compile(r"\s*window\.YTD\.\w+\.part\d+\s*=\s*\[")
_TELEGRAM_START = re.compile(r'"messages"\s*:\s*\[')
TELEGRAM_LISTS = Lists(_TELEGRAM_START, context=re.compile(r'"id"\s*:\s*(-?\d+)'))
_OUTBOX_START = re.compile(r'"orderedItems"\s*:\s*\[')
OUTBOX_LISTS = Lists(_OUTBOX_START)

Header = dict[str, tuple[str, ...]]

TABLES: dict[str, Header] = {
    "table": {name: (name,) for name in COLUMNS},
    "twarc-csv": {
        "post_id": ("id",),
        "user_id": ("author_id", "author.id"),
        "created_at": ("created_at",),
        "text": ("text",),
        "lang": ("lang",),
        "is_repost": ("referenced_tweets.retweeted.id",),
        "is_reply": ("referenced_tweets.replied_to.id",),
        "is_quote": ("referenced_tweets.quoted.id",),
        "client": ("source",),
    },
    "4cat": {
        "post_id": ("id",),
        "user_id": ("author_id", "author"),
        "created_at": ("unix_timestamp", "timestamp_unix", "timestamp"),
        "text": ("body",),
        "lang": ("language_guess", "lang", "language"),
        "is_repost": ("is_retweet",),
        "is_reply": ("is_reply",),
        "is_quote": ("is_quote_tweet",),
        "client": ("source",),
    },
}
"""Tables we know: our column -> the names it may have, the best first."""

_TOLD_BY: dict[str, frozenset[str]] = {
    "twarc-csv": frozenset({"id", "author_id", "conversation_id", "referenced_tweets.retweeted.id"}),
    "4cat": frozenset({"id", "thread_id", "author", "body", "timestamp"}),
}


def _has(*names: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda value: all(name in value for name in names)


def _is_twitter_v1(value: Mapping[str, Any]) -> bool:
    return (
        _has("created_at", "user")(value) and isinstance(value["user"], dict) and ("id_str" in value or "id" in value)
    )


def _is_twitter_v2(value: Mapping[str, Any]) -> bool:
    if "data" in value:
        return isinstance(value["data"], list | dict) and ("meta" in value or "includes" in value or _stream(value))
    return _has("id", "author_id", "text")(value)


def _stream(value: Mapping[str, Any]) -> bool:
    return isinstance(value["data"], dict) and "text" in value["data"]


def _is_bluesky(value: Mapping[str, Any]) -> bool:
    post = value.get("post")
    uri = value.get("uri", post.get("uri") if isinstance(post, dict) else None)
    return _has("did", "kind")(value) or (isinstance(uri, str) and uri.startswith("at://"))


def _is_mastodon(value: Mapping[str, Any]) -> bool:
    return _has("account", "content", "created_at")(value) and isinstance(value["account"], dict)


def _is_reddit(value: Mapping[str, Any]) -> bool:
    return _has("created_utc", "author")(value) and ("body" in value or "title" in value)


def _is_archive(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("tweet"), dict)


def _is_twitter_web(value: Mapping[str, Any]) -> bool:
    post = value.get("tweet", value)
    return isinstance(post, dict) and isinstance(post.get("legacy"), dict) and "full_text" in post["legacy"]


def _is_activity(value: Mapping[str, Any]) -> bool:
    return _has("actor", "object", "published")(value) and value.get("type") in ("Create", "Announce")


def _is_wrapped(value: Mapping[str, Any]) -> bool:
    return "item_id" in value and isinstance(value.get("data"), dict)


_PLATFORMS: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "twitter-web": _is_twitter_web,
    "twitter-v1": _is_twitter_v1,
    "twitter-v2": _is_twitter_v2,
    "bluesky": _is_bluesky,
    "mastodon": _is_mastodon,
    "reddit": _is_reddit,
    "twitter-archive": _is_archive,
    "activitypub": _is_activity,
}

QUERIES: dict[str, tuple[str, ...]] = {
    "twitter-web": ("panel_twitter_web", "panel_twitter_v1"),
    "activitypub": ("panel_activitypub", "panel_mastodon"),
    **{
        name: (f"panel_{name.replace('-', '_')}",)
        for name in ("twitter-v1", "twitter-v2", "twitter-archive", "bluesky", "mastodon", "reddit", "telegram")
    },
}
"""Layout -> the queries that turn its records into posts, one after the other."""


def detect(path: Path, settings: Panel) -> tuple[str, str]:
    """Return how a file is framed and what its layout is.

    Returns
    -------
    framing
        ``parquet``, ``csv``, ``lines`` (one JSON object per line), ``wrapped`` (the same, each post inside `data` as
        Zeeschuimer writes it), or ``lists`` (a JSON document with lists of posts).
    layout
        A name that `panel.format` allows.

    Raises
    ------
    PanelError
        If the file is empty or looks like nothing we know.
    """
    head = _head(path)
    if head.startswith("PAR1"):
        return "parquet", "table" if settings.format == "auto" else settings.format
    start = head.lstrip()[:1]
    if not start:
        raise PanelError(f"{path}: is empty")
    if _ARCHIVE_START.match(head):
        return "lists", "twitter-archive"
    if start == "{" and (settings.format == "telegram" or _is_telegram(head)):
        return "lists", "telegram"
    if start == "{" and settings.format in ("auto", "activitypub") and _OUTBOX_START.search(head):
        return "lists", "activitypub"
    if start not in "{[":
        return "csv", _table_layout(path, read_header(path, settings)[1], settings)
    return _json_layout(path, "lines" if start == "{" else "lists", settings)


def _head(path: Path) -> str:
    with path.open("rb") as file:
        if file.read(4) == b"PAR1":
            return "PAR1"
    block = next(read_blocks(path, _LOOK_BYTES), None)
    return block.data[:_HEAD_CHARACTERS].decode("utf-8", "replace") if block else ""


def _is_telegram(head: str) -> bool:
    begins = re.match(r'\s*\{\s*"(about|name|type|personal_information|chats)"', head)
    return begins is not None and (_TELEGRAM_START.search(head) is not None or '"personal_information"' in head[:200])


def _objects(path: Path, framing: str) -> Iterable[dict[str, Any]]:
    blocks = read_blocks(path, _LOOK_BYTES)
    stream = lines(blocks) if framing == "lines" else array_records(path, blocks, PLAIN_LIST)
    # A record may be longer than a block: look on until there is one.
    records = next((records for records in stream if records.table.num_rows), None)
    for line in records.table["line"][:_N_LOOKED_AT].to_pylist() if records else []:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            yield value


def _json_layout(path: Path, framing: str, settings: Panel) -> tuple[str, str]:
    objects = list(_objects(path, framing))
    platforms = sorted(
        {str(value.get("source_platform", "no named platform")) for value in objects if _is_wrapped(value)}
    )
    if platforms and framing == "lines":
        framing, objects = "wrapped", [value["data"] if _is_wrapped(value) else value for value in objects]
    if settings.format != "auto":
        return framing, settings.format
    for name, is_it in _PLATFORMS.items():
        if any(is_it(value) for value in objects):
            return framing, name
    keys = {key for value in objects for key in value}
    layout = _table_layout(path, sorted(keys), settings)
    if layout != "table" or settings.columns or "text" in keys:
        return framing, layout
    found = f"its records have the fields {', '.join(sorted(keys)[:12])}" if keys else "no record is a JSON object"
    if platforms:
        found = f"items of {', '.join(platforms)}, {found} inside `data`, to be named such as data.id"
    raise PanelError(
        f"{path}: holds JSON of no layout we know ({found}): set panel.format, or panel.columns for a table"
    )


def _table_layout(path: Path, header: Iterable[str], settings: Panel) -> str:
    if settings.format in TABLES:
        return settings.format
    if settings.format != "auto":
        raise PanelError(f"{path}: is a table, not {settings.format}: set panel.format to auto or table")
    names = set(header)
    known = (name for name, told_by in _TOLD_BY.items() if told_by <= names)
    return "table" if settings.columns else next(known, "table")


def read_header(path: Path, settings: Panel) -> tuple[str, list[str]]:
    """Return the delimiter of a CSV file and its column names.

    Without `panel.delimiter` the delimiter is the one under which the first line has most of the columns we look for.

    Raises
    ------
    PanelError
        If another delimiter than the one given finds more of them.
    """
    block = next(read_blocks(path, _LOOK_BYTES), None)
    text = block.data.decode("utf-8", "replace") if block else ""
    wanted = {theirs for table in TABLES.values() for names in table.values() for theirs in names}
    wanted |= set(settings.columns.values())
    given = settings.delimiter
    delimiters = dict.fromkeys((given, *_DELIMITERS) if given else _DELIMITERS)
    headers = {d: next(csv.reader(io.StringIO(text, newline=""), delimiter=d), []) for d in delimiters}
    known = {d: len(wanted & set(header)) for d, header in headers.items()}
    best = max(headers, key=lambda d: (known[d], len(headers[d])))
    if given and known[best] > known[given]:
        raise PanelError(
            f"{path}: panel.delimiter is {given!r}, but its first line has {known[best]} of the columns needed with "
            f"{best!r} and {known[given]} with {given!r}: set panel.delimiter to {best!r}, or leave it out"
        )
    return (given, headers[given]) if given else (best, headers[best])


def field_names(path: Path, in_lists: bool) -> list[str]:
    """Return the fields of the first JSON objects of a file, nested ones joined with dots."""
    found: dict[str, None] = {}
    for value in _objects(path, "lists" if in_lists else "lines"):
        _add_names(value, "", found)
    return list(found)


def _add_names(value: Mapping[str, Any], prefix: str, found: dict[str, None]) -> None:
    for key, inner in value.items():
        found[prefix + key] = None
        if isinstance(inner, dict):
            _add_names(inner, f"{prefix}{key}.", found)


def archive_lists(path: Path) -> Lists:
    """Return where the posts of a personal Twitter archive are, with the account's id from the file beside it.

    Raises
    ------
    PanelError
        If there is no ``account.js`` beside ``tweets.js``: posts do not say whose they are.
    """
    account = path.with_name("account.js")
    try:
        match = re.search(r'"accountId"\s*:\s*"(\d+)"', account.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        match = None
    if match is None:
        raise PanelError(f"{path}: needs account.js of the same archive beside it, which says whose posts these are")
    return Lists(re.compile(r"\["), constant=match[1])
