"""One id is one post, also where raw files give it several dates.

Takes the staged files, gives the date that counts for every id that has more than one, under each week that holds the
id. Knows the query, not its rule.

Ids are compared by a hash of eight bytes, and only rows whose hash occurs with two dates go into the query: grouping
the ids of a whole panel would not fit into the memory that the limit allows. Equal hashes of different ids only send a
few rows too many. Those rows are held whole and all at once: few in a panel from one source, the whole panel where two
sources give the same posts with times of another precision.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from temporal_adapters.ground import resources
from temporal_adapters.stages.weeks.memory import flush_bytes
from temporal_adapters.stages.weeks.split import SplitSettings
from temporal_adapters.stages.weeks.staged import STAGED, Staged
from temporal_adapters.stages.weeks.windows import microseconds

ONE_DATE_EACH = pa.schema(
    [("post_id", pa.string()), ("created_us", pa.int64()), ("user_id", pa.string()), ("beginning", pa.string())]
).empty_table()


def dates_that_count(
    staged: Sequence[Staged], settings: SplitSettings, connection: duckdb.DuckDBPyConnection
) -> dict[int, pa.Table]:
    """Return, per week, `post_id` and `created_us` of its ids that occur with different dates, here or elsewhere.

    Hashes are compared in as many passes over the ids as `memory_limit` asks for. The limit does not bound the rows of
    the ids found: they are in memory with their texts, those of all weeks.
    """
    weeks, begins = sorted({week for file in staged for week in file.weeks}), _begins(settings)
    n_passes = 1 + 8 * sum(sum(file.rows.values()) for file in staged) // flush_bytes(settings.memory_limit)
    several = np.unique(np.concatenate([_in_several(weeks, staged, begins, n_passes, at) for at in range(n_passes)]))
    if not len(several):
        return {}
    found = [posts.filter(pl.Series(np.isin(_hashes(posts), several))) for posts in _each(weeks, staged)]
    connection.register("staged", pl.concat(found).to_arrow())
    try:
        dates = pl.DataFrame(connection.sql(resources.text("queries", "weeks_dates")).to_arrow_table())
    finally:
        connection.unregister("staged")
    return _by_week(dates, {week: posts["post_id"] for week, posts in zip(weeks, found, strict=True)})


def _by_week(dates: pl.DataFrame, ids: Mapping[int, pl.Series]) -> dict[int, pa.Table]:
    """Return the rows of `dates` under each week that holds their id: other weeks do not depend on them."""
    held = pl.concat([own.to_frame().with_columns(week=pl.lit(week)) for week, own in ids.items()]).unique()
    parts = held.join(dates, on="post_id").sort("week", "post_id").partition_by("week")
    columns = ONE_DATE_EACH.schema.names
    return {part["week"][0]: part.select(columns).to_arrow().cast(ONE_DATE_EACH.schema) for part in parts}


def _begins(settings: SplitSettings) -> dict[int, int]:
    """Return window -> the moment from which its posts are in no earlier window; overlapping windows share the rest."""
    zone, day = settings.weeks.timezone, timedelta(days=1)
    return {later.number: microseconds(earlier.end + day, zone) for earlier, later in pairwise(settings.waves)}


def _in_several(
    weeks: Sequence[int], staged: Sequence[Staged], begins: Mapping[int, int], n_passes: int, at: int
) -> npt.NDArray[np.uint64]:
    """Return the hashes that occur with more than one date, of those that leave the remainder `at`."""
    pieces = []
    for week, posts in zip(weeks, _each(weeks, staged, ["post_id", "created_us"]), strict=True):
        own = posts.select(pl.col("post_id").hash(), "created_us")
        if week in begins:
            own = own.filter(pl.col("created_us") >= begins[week])
        if n_passes > 1:
            own = own.filter(pl.col("post_id") % n_passes == at)
        if own["post_id"].is_duplicated().any():
            own = own.unique()
        pieces.append(own["post_id"].to_numpy())
    everywhere = np.concatenate(pieces) if pieces else np.empty(0, np.uint64)
    pieces.clear()
    everywhere.sort()
    return everywhere[1:][everywhere[1:] == everywhere[:-1]]


def _each(
    weeks: Sequence[int], staged: Sequence[Staged], columns: Sequence[str] | None = None
) -> Iterator[pl.DataFrame]:
    return (staged_week(week, staged, columns) for week in weeks)


def staged_week(week: int, staged: Sequence[Staged], columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Return the staged rows of one week; their texts and ids stay where they are, in the mapped files."""
    table = pa.Table.from_batches([batch for file in staged for batch in file.read(week)], STAGED)
    return pl.DataFrame(pl.from_arrow(table if columns is None else table.select(columns), rechunk=False))


def _hashes(posts: pl.DataFrame) -> npt.NDArray[np.uint64]:
    return posts["post_id"].hash().to_numpy()
