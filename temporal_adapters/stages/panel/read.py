"""One raw file to posts: its layout found out, or as the study says.

Takes a path and the settings of `panel`, gives chunks of posts. Knows which reader reads which layout.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb

from temporal_adapters.stages.panel.json import platform_query, read_json
from temporal_adapters.stages.panel.layouts import (
    OUTBOX_LISTS,
    PLAIN_LIST,
    QUERIES,
    TABLES,
    TELEGRAM_LISTS,
    archive_lists,
    detect,
)
from temporal_adapters.stages.panel.posts import Chunk
from temporal_adapters.stages.panel.table import Naming, read_csv, read_flat, read_parquet
from temporal_adapters.study.config.panel import Panel


def connect(threads: int, memory_limit: str) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB connection that takes nothing from the machine's own settings: its time zone is UTC."""
    connection = duckdb.connect(config={"threads": threads, "memory_limit": memory_limit})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    return connection


def read_posts(path: Path, settings: Panel, connection: duckdb.DuckDBPyConnection) -> Iterator[Chunk]:
    """Yield the posts of one file in its order.

    Raises
    ------
    PanelError
        If the file is damaged, lacks a column or is of no known layout.
    """
    framing, layout = detect(path, settings)
    if layout in TABLES:
        naming = Naming(layout, TABLES[layout], settings.columns, settings.source_timezone)
        if framing == "parquet":
            yield from read_parquet(path, naming, connection)
        elif framing == "csv":
            yield from read_csv(path, naming, settings, connection)
        else:
            yield from read_flat(path, naming, connection, PLAIN_LIST if framing == "lists" else None)
        return
    lists = None
    if framing == "lists":
        lists = {"telegram": TELEGRAM_LISTS, "activitypub": OUTBOX_LISTS}.get(layout, PLAIN_LIST)
        lists = archive_lists(path) if layout == "twitter-archive" else lists
    queries = ("panel_wrapped", *QUERIES[layout]) if framing == "wrapped" else QUERIES[layout]
    yield from read_json(path, platform_query(connection, queries), lists)
