"""Counts of the posts that were asked for, kept with the run for its report.

Takes what `coverage` found, gives ``panel/coverage.json``. Knows no id.
"""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from temporal_adapters.study.artifacts import Coverage, RunFolder, digest_json
from temporal_adapters.study.config import Study, scientific

_QUANTILES = (0.1, 0.5, 0.9)


def keep_coverage(study: Study, run: RunFolder, found: pl.DataFrame) -> Coverage:
    """Write the counts of one look for posts into a run folder, and return them.

    Parameters
    ----------
    study, run
        The study and its run folder.
    found
        What `coverage` returned: post_id, user_id, week, found.
    """
    weeks = found.group_by("week").agg(pl.len().alias("asked"), pl.col("found").sum())
    users = found.drop_nulls("user_id").group_by("user_id").agg(pl.col("found").mean())["found"]
    counts = Coverage(
        panel=digest_json(scientific(study.panel)),
        counted=datetime.now(UTC).date().isoformat(),
        asked=found.height,
        found=int(found["found"].sum()),
        weeks=weeks.sort("week", nulls_last=True).with_columns(pl.col("week").cast(pl.String)).to_dicts(),
        users=users.len(),
        users_without=int((users == 0).sum()),
        shares={f"{q:g}": users.quantile(q, "nearest") for q in _QUANTILES} if users.len() else {},
    )
    run.panel.mkdir(parents=True, exist_ok=True)
    counts.write(run.panel)
    return counts
