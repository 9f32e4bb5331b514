"""Weekly corpora dealt out anew: halves of the users or of the posts, and posts that have lost their week.

Takes the finished weeks of a study, gives the `weeks/` folder of a variant. Knows no model.

All posts of a study are held in memory once: 50 million posts of 100 bytes take about 8 GB.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from temporal_adapters.ground.errors import ValidityError
from temporal_adapters.study.artifacts import (
    Expected,
    RunFolder,
    WeekCorpus,
    load_table,
    make,
    read_corpora,
    week_entry,
    weeks_facts,
)

if TYPE_CHECKING:
    import polars as pl

Split = Literal["users", "posts"]

STAGE = "weeks"
VERSION = 1
_ID = {"users": "user_id", "posts": "post_id"}


def half(run: RunFolder, folder: Path, by: Split, side: int, seed: int) -> None:
    """Publish the weeks of one half of a study's users, or of its posts; a finished folder is left alone.

    Parameters
    ----------
    run
        The study's run folder.
    folder
        The ``weeks/`` to write.
    by
        Whether every user, or every post, goes to one of the halves; by a keyed hash of the id, so that a user is in
        the same half in every week.
    side, seed
        0 or 1; key of the hash.

    Raises
    ------
    ValidityError
        If a week has no post in this half.
    """
    corpora = read_corpora(run)
    config = {"dealt": "half", "by": by, "side": side, "seed": seed}
    frames = ((corpus, _side(corpus, by, side, seed)) for corpus in corpora)
    _publish(folder, corpora, config, frames)


def shuffle(run: RunFolder, folder: Path, seed: int) -> None:
    """Publish weeks of the study's sizes whose posts are drawn from all its weeks, each post once.

    What is left between such weeks is the noise of sampling and of training: posts of a user are spread over all weeks,
    and nothing that is written in one of them belongs to a date.
    """
    corpora = read_corpora(run)
    _publish(folder, corpora, {"dealt": "shuffle", "seed": seed}, _shuffled(corpora, seed))


def in_half(ids: Iterable[str], side: int, seed: int) -> list[bool]:
    """Say of every id whether it is on this side (0 or 1)."""
    key = f"half-{seed}".encode()
    return [bool(hashlib.blake2b(one.encode(), digest_size=1, key=key).digest()[0] % 2 == side) for one in ids]


def _side(corpus: WeekCorpus, by: Split, side: int, seed: int) -> pl.DataFrame:
    import polars as pl

    posts = load_table(corpus.path)
    kept = posts.filter(pl.Series(in_half(posts[_ID[by]].to_list(), side, seed), dtype=pl.Boolean))
    if kept.is_empty():
        raise ValidityError(f"{corpus.label}: no post is left in half {side + 1} of the {by}: raise weeks.min_posts")
    return kept


def _shuffled(corpora: list[WeekCorpus], seed: int) -> Iterable[tuple[WeekCorpus, pl.DataFrame]]:
    import numpy as np
    import polars as pl

    posts = pl.concat([load_table(corpus.path) for corpus in corpora])
    order = np.random.default_rng([seed, len(posts)]).permutation(len(posts))
    start = 0
    for corpus in corpora:
        yield corpus, posts[order[start : start + corpus.n_posts]].sort("post_id")
        start += corpus.n_posts


def _publish(
    folder: Path,
    corpora: list[WeekCorpus],
    config: Mapping[str, Any],
    frames: Iterable[tuple[WeekCorpus, pl.DataFrame]],
) -> None:
    def write(target: Path) -> dict[str, Any]:
        weeks: list[dict[str, Any]] = []
        for corpus, posts in frames:
            posts.write_parquet(target / f"{corpus.label}.parquet", compression="zstd")
            weeks.append(week_entry(corpus.label, corpus.start, corpus.end, posts.height, posts["user_id"].n_unique()))
        return weeks_facts(weeks)

    make(Expected(folder, STAGE, VERSION, config, {corpus.path.name: corpus.sha256 for corpus in corpora}), write)
