"""Stage B: one week alone, without its repeats, in order.

Takes the staged rows of one week, gives its corpus as a Parquet file and counts. Knows no other week, so that memory
is bounded by the largest week and weeks can be spread over threads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from temporal_adapters.ground import resources
from temporal_adapters.stages.weeks.identity import ONE_DATE_EACH, staged_week
from temporal_adapters.stages.weeks.near import near_duplicates
from temporal_adapters.stages.weeks.staged import Staged, writing
from temporal_adapters.study.config import Weeks

CORPUS = pa.schema(
    [
        ("post_id", pa.string()),
        ("user_id", pa.string()),
        ("created_at", pa.timestamp("us", "UTC")),
        ("text", pa.string()),
        ("lang", pa.string()),
        ("is_repost", pa.bool_()),
        ("is_reply", pa.bool_()),
        ("platform", pa.string()),
    ]
)
"""The schema `tables.PANEL` as Arrow."""

ROW_GROUP = 1 << 20
"""Posts per row group of a corpus."""


@dataclass(frozen=True)
class Whole:
    """What only all weeks together tell.

    Attributes
    ----------
    excluded
        Accounts to leave out: `user_id`, `reason`.
    dates
        Week -> the date that counts for those of its ids that have several: `post_id`, `created_us`.
    """

    excluded: pa.Table
    dates: Mapping[int, pa.Table]


@dataclass(frozen=True)
class Reduced:
    """What is left of one week.

    Attributes
    ----------
    n_posts, n_users
        Counts of the corpus.
    dropped
        Reason -> posts.
    users
        The users of the corpus.
    """

    n_posts: int
    n_users: int
    dropped: dict[str, int]
    users: pa.Array


def reduce_week(
    week: int, staged: Sequence[Staged], study: Whole, settings: Weeks, connection: duckdb.DuckDBPyConnection
) -> tuple[pa.Table, Reduced]:
    """Return the corpus of one week and what was dropped from it.

    Parameters
    ----------
    week
        See `Window.number`.
    staged
        The staged files.
    study
        What only all weeks together tell.
    settings
        The study's `weeks`.
    connection
        Where to run ``queries/weeks_reduce.sql``.

    Returns
    -------
    corpus
        The columns of `CORPUS`, ordered by time and id.
    reduced
        Counts.
    """
    posts = staged_week(week, staged)
    wanted, counts = np.ones(posts.height, bool), {}
    dates = study.dates.get(week, ONE_DATE_EACH)
    rows = np.flatnonzero(_touchable(posts, study.excluded, dates, settings))
    if len(rows):
        judged = _judge(posts, rows, week, study.excluded, dates, settings, connection)
        gone = judged.filter(pc.is_valid(judged["dropped"]))
        wanted[gone["row"].to_numpy()] = False
        counts = {entry["values"]: entry["counts"] for entry in gone["dropped"].value_counts().to_pylist()}
    corpus, n_near = ordered_corpus(posts if wanted.all() else posts.filter(pl.Series(wanted)), settings)
    counts = {**counts, "near_duplicate": n_near} if n_near else counts
    users = corpus["user_id"].unique()
    return corpus, Reduced(corpus.num_rows, len(users), counts, users)


def ordered_corpus(posts: pl.DataFrame, settings: Weeks) -> tuple[pa.Table, int]:
    """Return the kept posts of a week in the columns of `CORPUS`, ordered by time and id, without near-duplicates.

    Returns
    -------
    corpus
        The corpus.
    n_near
        Near-duplicates left out.
    """
    posts = posts.sort("created_us", "post_id")
    if settings.near_duplicates is None:
        return _as_corpus(posts), 0
    copies = near_duplicates(posts["text"].to_list(), settings.near_duplicates)
    return _as_corpus(posts.filter(pl.Series(~copies))), int(copies.sum())


def reduce_parameters(settings: Weeks) -> dict[str, Any]:
    """Return the parameters of ``queries/weeks_reduce.sql``."""
    return {
        "duplicates": settings.duplicates == "drop",
        "cap": settings.cap_per_user or 0,
        "seed": str(settings.cap_seed),
    }


def _judge(
    posts: pl.DataFrame,
    rows: npt.NDArray[np.int64],
    week: int,
    excluded: pa.Table,
    dates: pa.Table,
    settings: Weeks,
    connection: duckdb.DuckDBPyConnection,
) -> pa.Table:
    """Return the query's verdict on the rows that any of its rules could touch: windows over all rows cost much."""
    some = _as_arrow(posts[rows])
    some = some.append_column("row", pa.array(rows.astype(np.int64)))
    connection.register("staged", some.append_column("week", pa.array(np.full(len(rows), week, np.int32))))
    connection.register("excluded", excluded)
    connection.register("dates", dates)
    try:
        query = resources.text("queries", "weeks_reduce")
        return connection.sql(query, params=reduce_parameters(settings)).to_arrow_table().select(["row", "dropped"])
    finally:
        for name in ("staged", "excluded", "dates"):
            connection.unregister(name)


def _touchable(posts: pl.DataFrame, excluded: pa.Table, dates: pa.Table, settings: Weeks) -> npt.NDArray[np.bool_]:
    """Return, per row, whether it may share an id, or a user and text, with another, or its user or id stands out.

    Equal hashes only select rows for the query, so neither a collision nor another version's hash can change a result.
    """
    user = posts["user_id"].hash()
    found = posts["post_id"].hash().is_duplicated()
    if settings.duplicates == "drop":
        found |= (user ^ posts["text"].hash(1)).is_duplicated()
    if settings.cap_per_user:
        n_by_user = pl.select(user.alias("user")).select(pl.len().over("user")).to_series()
        found |= n_by_user > settings.cap_per_user
    for name, known in (("user_id", excluded), ("post_id", dates)):
        if known.num_rows:
            found |= posts[name].is_in(pl.Series(known[name]).implode())
    return found.to_numpy()


def _as_corpus(kept: pl.DataFrame) -> pa.Table:
    moments = pl.col("created_us").cast(pl.Datetime("us", "UTC")).alias("created_at")
    return _as_arrow(kept.with_columns(moments).select(CORPUS.names)).cast(CORPUS)


def _as_arrow(posts: pl.DataFrame) -> pa.Table:
    # In pieces of one row group: more than 2 GB of text would not fit into one array of `pa.string`.
    pieces = posts.iter_slices(ROW_GROUP) if posts.height else iter([posts])
    return pa.concat_tables([piece.to_arrow(compat_level=pl.CompatLevel.oldest()) for piece in pieces])


def write_corpus(corpus: pa.Table, path: Path) -> None:
    """Write a corpus as Parquet, the same bytes for the same rows.

    Ids and texts hardly repeat: trying a dictionary for them only costs time.
    """
    with writing(path):
        pyarrow.parquet.write_table(
            corpus, path, compression="snappy", use_dictionary=["user_id", "lang", "platform"], row_group_size=ROW_GROUP
        )


def read_users(path: Path) -> pa.Array:
    """Return the users of a written corpus."""
    return pyarrow.parquet.read_table(path, columns=["user_id"])["user_id"].unique()
