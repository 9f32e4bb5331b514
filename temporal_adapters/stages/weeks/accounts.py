"""Accounts that are left out of the whole study.

Takes the staged files, gives a table of users and reasons. Knows the query, not its rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset

from temporal_adapters.ground import resources
from temporal_adapters.stages.weeks.staged import Staged
from temporal_adapters.study.config import Weeks

NONE_EXCLUDED = pa.table({"user_id": pa.array([], pa.string()), "reason": pa.array([], pa.string())})


def account_parameters(settings: Weeks) -> dict[str, Any]:
    """Return the parameters of ``queries/weeks_accounts.sql``."""
    return {
        "min_posts": settings.min_user_posts,
        "max_posts_per_day": settings.automated.max_posts_per_day,
        "max_repost_share": settings.automated.max_repost_share,
    }


def judges_accounts(settings: Weeks) -> bool:
    """Return whether the study has any rule for accounts."""
    return account_parameters(settings) != account_parameters(Weeks())


def excluded_accounts(staged: Sequence[Staged], settings: Weeks, connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return `user_id` and `reason` of every account that the study's rules leave out."""
    if not judges_accounts(settings):
        return NONE_EXCLUDED
    paths = sorted({str(file.path) for file in staged})
    connection.register("staged", pyarrow.dataset.dataset(paths, format="ipc"))
    try:
        query = resources.text("queries", "weeks_accounts")
        return connection.sql(query, params=account_parameters(settings)).to_arrow_table().cast(NONE_EXCLUDED.schema)
    finally:
        connection.unregister("staged")
