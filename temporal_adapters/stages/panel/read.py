"""One raw file to posts: its layout found out, or as the study says; its times read; its posts examined.

Takes a path and the settings of `panel`, gives chunks of posts. Knows which reader reads which layout.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from temporal_adapters.ground import resources
from temporal_adapters.ground.errors import PanelError
from temporal_adapters.stages.panel.columnar import read_columns
from temporal_adapters.stages.panel.delimited import open_sheet, read_csv, read_sheet
from temporal_adapters.stages.panel.examine import Examination
from temporal_adapters.stages.panel.files import Source, open_sources
from temporal_adapters.stages.panel.flat import flat_reader
from temporal_adapters.stages.panel.framing import document_records, page_records
from temporal_adapters.stages.panel.json import platform_query, read_json, run_query
from temporal_adapters.stages.panel.layouts import Layout, field_names, layout_of
from temporal_adapters.stages.panel.naming import Naming
from temporal_adapters.stages.panel.originals import account_of, originals
from temporal_adapters.stages.panel.posts import POSTS, Chunk
from temporal_adapters.stages.panel.records import Records, lines
from temporal_adapters.stages.panel.times import Times
from temporal_adapters.study.config import REQUIRED, Panel

_PREFIX_BYTES = 1 << 20


@dataclass(frozen=True)
class Part:
    """Some posts of a file, and which of its parts they are from.

    Attributes
    ----------
    name
        The file, or the member of an archive.
    layout
        How it is read.
    chunk
        The posts.
    """

    name: str
    layout: Layout
    chunk: Chunk


def connect(threads: int, memory_limit: str) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB connection that takes nothing from the machine's own settings: its time zone is UTC."""
    connection = duckdb.connect(config={"threads": threads, "memory_limit": memory_limit})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    return connection


def detect(path: Path, settings: Panel) -> tuple[str, str]:
    """Return how a file is framed and what its layout is called (of an archive: its first member's).

    Raises
    ------
    PanelError
        If the file is empty or looks like nothing we know.
    """
    for source in open_sources(path, settings):
        layout = layout_of(source, settings)
        return layout.framing, layout.platform.name
    raise PanelError(f"{path}: holds no file of posts")


def read_posts(
    path: Path, settings: Panel, connection: duckdb.DuckDBPyConnection, day_zone: str | None = None
) -> Iterator[Chunk]:
    """Yield the posts of one file in its order.

    Parameters
    ----------
    path
        The file.
    settings
        The study's section `panel`.
    connection
        Where to run queries.
    day_zone
        Zone in which a day without a time begins (the study's); None for that of the times.

    Raises
    ------
    PanelError
        If the file is damaged, lacks a column or is of no known layout.
    """
    for part in read_parts(path, settings, connection, day_zone):
        yield part.chunk


def read_parts(
    path: Path,
    settings: Panel,
    connection: duckdb.DuckDBPyConnection,
    day_zone: str | None = None,
) -> Iterator[Part]:
    """Yield the posts of one file as `read_posts` does, with the part of the file and the layout that they are from."""
    empty = True
    for source in open_sources(path, settings):
        empty = False
        layout = layout_of(source, settings)
        zone = settings.source_timezone or layout.platform.zone
        times = Times(zone, day_zone, settings.date_format)
        examination = Examination(pa.array(list(settings.missing)))
        for chunk in _raw(source, layout, settings, connection):
            yield Part(source.name, layout, _finished(chunk, times, examination, connection))
    if empty:
        raise PanelError(f"{path}: holds no file of posts")


def _raw(source: Source, layout: Layout, settings: Panel, connection: duckdb.DuckDBPyConnection) -> Iterator[Chunk]:
    platform = layout.platform
    if layout.framing == "csv" and layout.dialect is not None:
        yield from read_csv(source, _naming(source, layout, settings, layout.dialect.header), layout.dialect)
    elif layout.framing == "xlsx":
        rows, header = open_sheet(source, settings.header)
        yield from read_sheet(source, rows, header, _naming(source, layout, settings, header))
    elif layout.framing in ("parquet", "arrow"):
        yield from read_columns(source, _naming(source, layout, settings, ()))
    else:
        stream = _records(source, layout)
        if platform.queries:
            _refuse_columns(source.name, layout, settings)
            posts_of = platform_query(connection, platform.queries, originals(source.path))
        else:
            posts_of = flat_reader(
                source.name, _naming(source, layout, settings, layout.fields), layout.fields, connection
            )
        if layout.framing == "wrapped":
            posts_of = _unwrapping(posts_of, connection)
        yield from read_json(stream, posts_of)


def _refuse_columns(name: str, layout: Layout, settings: Panel) -> None:
    if settings.columns:
        missing = ", ".join(ours for ours in REQUIRED if ours not in settings.columns)
        raise PanelError(
            f"{name}: panel.columns names some columns, but the layout {layout.platform.name} has its own: name "
            f"{missing} as well and set panel.format: table, or leave panel.columns out"
        )


def _unwrapping(
    posts_of: Callable[[pa.Table], pa.Table], connection: duckdb.DuckDBPyConnection
) -> Callable[[pa.Table], pa.Table]:
    query = resources.text("queries", "panel_wrapped")
    return lambda records: posts_of(run_query(connection, query, records, {}))


def _records(source: Source, layout: Layout) -> Iterator[Records]:
    if layout.framing in ("lines", "wrapped"):
        stream = lines(source.blocks)
    elif layout.framing == "pages":
        stream = page_records(source.blocks, layout.ways)
    else:
        stream = document_records(source.name, source.blocks, layout.ways, layout.platform.context)
    if layout.platform.name != "twitter-archive":
        return stream
    account = account_of(source.path)
    return (
        replace(records, table=records.table.set_column(2, "context", pa.repeat(account, records.table.num_rows)))
        for records in stream
    )


def _naming(source: Source, layout: Layout, settings: Panel, found: object) -> Naming:
    platform = layout.platform
    names = list(found) if isinstance(found, list | tuple) else []
    prefix = ""
    if "auto" in settings.named("post_id"):
        digest = hashlib.blake2b(source.head or source.path.read_bytes()[:_PREFIX_BYTES], digest_size=8)
        prefix = digest.hexdigest()
    label = platform.label
    return Naming(platform.name, platform.header(names), settings, label, platform.zone, prefix)


def _finished(chunk: Chunk, times: Times, examination: Examination, connection: duckdb.DuckDBPyConnection) -> Chunk:
    """Return a chunk with its times read and its posts examined."""
    posts = chunk.posts
    created = posts["created"].combine_chunks()
    moments = posts["moment_us"].combine_chunks()
    problem = posts["problem"].combine_chunks()
    before = times.n_rounded
    if created.null_count < len(created) or moments.null_count:
        read, wrong = times.moments(created, connection)
        given = pc.is_valid(created)  # a record without any time may be no post at all
        wrong = pc.if_else(pc.and_(given, pc.is_null(moments)), wrong, pa.scalar(None, pa.string()))
        moments, problem = pc.coalesce(moments, read), pc.coalesce(problem, wrong)
    else:
        moments, wrong = times.plausible(moments)
        problem = pc.coalesce(problem, wrong)
    posts = examination.look(posts, chunk.repaired.get("escapes", 0))
    columns = {name: posts[name] for name in POSTS.names if name not in ("created_us", "problem")}
    made = pa.table({**columns, "created_us": moments, "problem": problem}).select(POSTS.names).cast(POSTS)
    noted = {**examination.noted, "rounded_time": times.n_rounded - before}
    return replace(
        chunk,
        posts=made,
        repaired=_sum(chunk.repaired, examination.repaired),
        doubtful=_sum(chunk.doubtful, examination.doubtful),
        noted={kind: n for kind, n in noted.items() if n},
        hint=examination.hint,
        excerpt=functools.partial(
            _excerpt, chunk, posts.select(["number", "created"]), made.select(["number", "problem"]), times
        ),
    )


def _sum(first: object, second: object) -> dict[str, int]:
    from collections import Counter

    return {kind: n for kind, n in (Counter(first) + Counter(second)).items() if n}  # type: ignore[call-overload]


def _excerpt(chunk: Chunk, created: pa.Table, problems: pa.Table, times: Times, number: int) -> str:
    """Return what may be said of a record: its time if that is the problem, else its length."""
    at = pc.equal(created["number"], number)
    found = created.filter(at)["created"]
    problem = problems.filter(at)["problem"][0].as_py() if len(found) else "none"
    if problem in ("bad_date", "no_zone", None):
        return times.remark(found[0].as_py(), problem)
    return chunk.excerpt(number)


__all__ = ["Part", "connect", "detect", "field_names", "read_parts", "read_posts"]
