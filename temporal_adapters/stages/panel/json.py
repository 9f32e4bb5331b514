"""JSON records to posts, by one query per platform.

Takes records and the name of a query, gives chunks of posts. Knows the damages of records, not what they mean.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from temporal_adapters.ground import resources
from temporal_adapters.stages.panel.posts import RAW, Chunk
from temporal_adapters.stages.panel.records import Records, repair


def platform_query(
    connection: duckdb.DuckDBPyConnection, queries: Sequence[str], originals: pa.Table
) -> Callable[[pa.Table], pa.Table]:
    """Return a function from `records` (number, line, context) to `RAW`.

    Parameters
    ----------
    connection
        Where to run the queries.
    queries
        Names in ``queries/``; all but the last give `records` again, in a form that the next one knows.
    originals
        Whole texts that lie beside the file (see `sides.ORIGINALS`).
    """
    *before, last = [resources.text("queries", query) for query in queries]
    connection.register("originals", originals)

    def posts_of(records: pa.Table) -> pa.Table:
        for text in before:
            records = run_query(connection, text, records, {})
        return as_raw(run_query(connection, last, records, {}))

    return posts_of


def read_json(stream: Iterator[Records], posts_of: Callable[[pa.Table], pa.Table]) -> Iterator[Chunk]:
    """Yield the posts of JSON records.

    Parameters
    ----------
    stream
        The records, stretch by stretch.
    posts_of
        Turns `records` (number, line, context) into `RAW`.
    """
    for records in stream:
        yield _chunk(records, posts_of)


def _chunk(records: Records, posts_of: Callable[[pa.Table], pa.Table]) -> Chunk:
    posts = posts_of(records.table)
    broken = pc.fill_null(pc.equal(posts["problem"], "not_json"), False)
    n_escapes = 0
    if pc.any(broken).as_py():
        retried = posts_of(_repaired(records.table, posts.filter(broken)["number"]))
        n_escapes = retried["problem"].to_pylist().count(None)
        posts = pa.concat_tables([posts.filter(pc.invert(broken)), retried])
    posts, n_nul = without_nul(posts)
    repaired = {"escapes": n_escapes, "invalid_utf8": records.n_invalid_utf8, "nul": n_nul}
    return Chunk(
        posts,
        records.consumed,
        lost={"too_long": records.n_too_long} if records.n_too_long else {},
        repaired={kind: n for kind, n in repaired.items() if n},
        excerpt=functools.partial(_excerpt, records.table),
    )


def run_query(
    connection: duckdb.DuckDBPyConnection, query: str, records: pa.Table, parameters: Mapping[str, Any]
) -> pa.Table:
    """Return the result of a query on the relation `records`."""
    connection.register("records", records)
    try:
        return connection.sql(query, params=dict(parameters)).to_arrow_table()
    finally:
        connection.unregister("records")


def as_raw(result: pa.Table) -> pa.Table:
    """Return a query's result in exactly the columns and types of `RAW`."""
    if "moment_us" not in result.column_names:
        result = result.append_column("moment_us", pa.nulls(result.num_rows, pa.int64()))
    return result.select(RAW.names).cast(RAW)


def without_nul(posts: pa.Table) -> tuple[pa.Table, int]:
    """Return posts without the character U+0000 in their text, and how many had it."""
    if not any(_may_hold_nul(chunk) for chunk in posts["text"].chunks):
        return posts, 0
    with_nul = pc.sum(pc.match_substring(posts["text"], "\0")).as_py() or 0
    if with_nul:
        position = posts.schema.get_field_index("text")
        posts = posts.set_column(position, "text", pc.replace_substring(posts["text"], "\0", ""))
    return posts, with_nul


def _may_hold_nul(texts: pa.StringArray) -> bool:
    """Look for a zero byte in the memory of the texts, which is ten times faster than looking into each."""
    content = texts.buffers()[2]
    return content is not None and content.size > 0 and not np.frombuffer(content, np.uint8).all()


def _repaired(records: pa.Table, numbers: pa.ChunkedArray) -> pa.Table:
    found = records.filter(pc.is_in(records["number"], value_set=numbers.combine_chunks()))
    texts = [repair(line) for line in found["line"].to_pylist()]
    return found.set_column(1, "line", pa.array(texts, pa.large_string()))


def _excerpt(records: pa.Table, number: int) -> str:
    found = records.filter(pc.equal(records["number"], number))["line"]
    return f"{len(str(found[0]))} characters" if len(found) else ""
