"""The aggregates that a paper's data section needs, without any text or id.

Takes a run folder with weeks, gives numbers. Knows no raw file.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from temporal_adapters.ground import resources
from temporal_adapters.ground.errors import ArtifactError
from temporal_adapters.stages import panel
from temporal_adapters.study.artifacts import RunFolder, read_corpora, read_manifest

_QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)


def describe(run: RunFolder) -> dict[str, Any]:
    """Return counts, activity, attrition, overlap, languages and drops of the weekly corpora.

    Returns
    -------
    dict
        ``posts``, ``users``, ``weeks``, ``gaps``, ``records``, ``dropped`` (reason -> posts), ``cleaned`` (rule ->
        posts), ``languages`` (tag -> share), ``posts_per_user`` and ``weeks_per_user`` (quantile -> value),
        ``posts_of_top_percent`` (share of posts by the most active 1 % of users), and ``by_week``: one entry per week
        with label, posts, users, ``new`` (users never seen before), ``still_active`` (share of the first week's users),
        ``overlap`` (share of the previous week's users seen again; null for the first).

    Raises
    ------
    ArtifactError
        If the weeks have not been built.
    """
    corpora = read_corpora(run)
    manifest = read_manifest(run.weeks)
    if manifest is None:
        raise ArtifactError(f"{run.weeks} does not exist: run `ta build-weeks` first")
    activity = _activity([str(corpus.path) for corpus in corpora])
    by_user = activity.group_by("user_id").agg(pl.col("n_posts").sum(), pl.col("week").n_unique().alias("n_weeks"))
    languages = (
        activity.group_by(pl.col("lang").fill_null("und"))
        .agg(pl.col("n_posts").sum())
        .sort("n_posts", "lang", descending=[True, False])
    )
    n_posts = int(activity["n_posts"].sum())
    return {
        "posts": n_posts,
        "users": by_user.height,
        "weeks": len(corpora),
        "gaps": manifest.facts["gaps"],
        "records": manifest.facts["n_records"],
        "dropped": manifest.facts["dropped"],
        "cleaned": manifest.facts["cleaned"],
        "repaired": manifest.facts["repaired"],
        "languages": {row["lang"]: round(row["n_posts"] / n_posts, 6) for row in languages.to_dicts()},
        "posts_per_user": _quantiles(by_user["n_posts"]),
        "weeks_per_user": _quantiles(by_user["n_weeks"]),
        "posts_of_top_percent": _top_share(by_user["n_posts"]),
        "by_week": _by_week(activity),
    }


def _activity(paths: list[str]) -> pl.DataFrame:
    with panel.connect(1, "1GB") as connection:
        connection.register("corpus", connection.from_parquet(paths, filename=True))
        return pl.DataFrame(connection.sql(resources.text("queries", "weeks_activity")).to_arrow_table())


def _quantiles(values: pl.Series) -> dict[str, float]:
    return {f"{q:g}": float(values.quantile(q, "nearest") or 0.0) for q in _QUANTILES}


def _top_share(n_posts: pl.Series) -> float:
    top = n_posts.sort(descending=True).head(max(1, round(len(n_posts) / 100)))
    return round(float(top.sum()) / float(n_posts.sum()), 6)


def _by_week(activity: pl.DataFrame) -> list[dict[str, Any]]:
    seen: set[str] = set()
    first: set[str] = set()
    before: set[str] = set()
    rows = []
    for (week,), part in activity.sort("week").group_by("week", maintain_order=True):
        users = set(part["user_id"].to_list())
        first = first or users
        overlap = round(len(users & before) / len(before), 6) if before else None
        rows.append(
            {
                "week": week,
                "posts": int(part["n_posts"].sum()),
                "users": len(users),
                "new": len(users - seen),
                "still_active": round(len(users & first) / len(first), 6),
                "overlap": overlap,
            }
        )
        seen |= users
        before = users
    return rows
