"""Labelled posts of a world's language: what people in a known mood write.

Takes the knobs of the section `simulate`, gives a table of texts with the mood of their authors. Knows no weeks and
no users: it stands in for the labelled corpora on which other people's instruments are tested.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from temporal_adapters.ground.errors import SimulateError
from temporal_adapters.study.config import Simulate
from temporal_adapters.worlds.language import MOODS, PLAIN_CLAUSES, sentence
from temporal_adapters.worlds.posts import decorate, telling_post

if TYPE_CHECKING:
    import polars as pl

VERSION = 1
"""Raised when the same knobs give other posts."""

KNOBS = (
    "seed", "mood_share", "negation_share", "irony_share", "synonym_steepness",
    "mention_share", "hashtag_share", "url_share",
)  # fmt: skip
"""Settings of a world that its labelled posts depend on."""


def posts_of(world: Simulate, n_per_label: Mapping[str, int] | int) -> pl.DataFrame:
    """Return posts in the language of `world` with the mood of their authors, label by label.

    Parameters
    ----------
    world
        Its knobs (`KNOBS`) count, nothing else of it: equal ones give equal posts. Of the posts, the share `mood_share`
        tells the mood; the others are talk that no word gives away.
    n_per_label
        Posts of each label, or of every mood of the world; more posts of a label go on where fewer ended, and labels
        are independent.

    Returns
    -------
    Columns text and label (a key of `MOODS`), one row per post.

    Raises
    ------
    SimulateError
        If a label is no mood of the world.
    """
    import polars as pl

    wanted = n_per_label if isinstance(n_per_label, Mapping) else dict.fromkeys(MOODS, n_per_label)
    for label in wanted:
        _require_mood(label)
    rows = [(post, label) for label, n_posts in wanted.items() for post in _posts(world, label, n_posts)]
    return pl.DataFrame(rows, schema={"text": pl.String, "label": pl.String}, orient="row")


def write_labelled(world: Simulate, n_per_label: Mapping[str, int] | int, path: Path) -> int:
    """Write labelled posts as CSV with the columns text and label; return how many."""
    table = posts_of(world, n_per_label)
    try:
        table.write_csv(path)
    except OSError as error:
        raise SimulateError(f"{path} cannot be written: {error.strerror or error}") from None
    return table.height


def _posts(world: Simulate, mood: str, n_posts: int) -> list[str]:
    # A stream per label: the posts of one mood stay as they are whatever is asked for beside it.
    rng = Random(f"labelled-{world.seed}-{mood}")
    return [decorate(world, rng, _words(world, rng, mood)) for _ in range(n_posts)]


def _words(world: Simulate, rng: Random, mood: str) -> str:
    if rng.random() >= world.mood_share:
        return sentence(rng, PLAIN_CLAUSES)
    return telling_post(world, rng, mood)


def _require_mood(label: str) -> None:
    if label not in MOODS:
        near = difflib.get_close_matches(label.capitalize(), MOODS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise SimulateError(f"{label!r} is no mood of the simulated world (it knows {', '.join(MOODS)}){hint}")
