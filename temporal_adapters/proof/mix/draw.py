"""Mixes: corpora in which the share of a label is known, in the place of weeks.

Takes labelled posts, gives ``weeks/`` of a run folder of its own: one corpus per share and seed. Knows no model.

A mix of share x holds n posts, the nearest whole number to x n of them with the label `high`, drawn without
replacement. Seed and share alone fix what is drawn from given posts, and the file that holds it: further shares or
seeds change no mix. Seeds draw independently. Mixes of one seed do, too, as weeks do, unless `nested` is set: then a
mix of a larger share keeps all posts of `high` that a smaller one has, and drops as many of `low`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

from temporal_adapters.proof.mix import posts as labelled
from temporal_adapters.proof.mix.posts import Labelled, Posts
from temporal_adapters.study.artifacts import Expected, RunFolder, make, week_entry, weeks_facts
from temporal_adapters.study.config import Mix, Study, scientific

STAGE, VERSION = "mix", 2

_FIRST = date(2000, 1, 3)
"""First day of the first mix, and the day of all posts: the stages know corpora by weeks, and a mix has no time."""


@dataclass(frozen=True)
class Mixture:
    """One mix.

    Attributes
    ----------
    label
        Names its corpus and its folders, such as ``share-0.3-seed-1``.
    asked
        Share of `high` as asked for.
    share
        Share of `high` that it has: `asked` to the nearest post.
    seed
        Seed of the draw.
    n_high, n_low
        Posts of each label.
    start
        First day of the week in whose place it stands; moves with the number of mixes before it, so no corpus holds it.
    """

    label: str
    asked: float
    share: float
    seed: int
    n_high: int
    n_low: int
    start: date


def mixtures(settings: Mix) -> list[Mixture]:
    """Return all mixes, seed by seed, shares ascending."""
    found: list[Mixture] = []
    for seed in settings.seeds:
        for share in settings.shares:
            n_high = settings.n_high(share)
            start = _FIRST + timedelta(weeks=len(found))
            exact = n_high / settings.n_posts
            label = f"share-{share:g}-seed-{seed}"
            found.append(Mixture(label, share, exact, seed, n_high, settings.n_posts - n_high, start))
    return found


def draw(mixture: Mixture, posts: Labelled, nested: bool) -> Posts:
    """Return the posts of a mix in a random order."""
    stream = f"mix-{mixture.seed}" if nested else f"mix-{mixture.seed}-{mixture.asked:g}"
    n = mixture.n_high + mixture.n_low
    chosen = []
    for name, kept, n_wanted in (("low", posts.low, mixture.n_low), ("high", posts.high, mixture.n_high)):
        order = Random(f"{stream}-{name}").sample(range(len(kept)), min(n, len(kept)))
        chosen += [kept[place] for place in order[:n_wanted]]
    Random(f"mix-{mixture.seed}-{mixture.asked:g}-order").shuffle(chosen)
    return chosen


def expected(study: Study, run: RunFolder, settings: Mix) -> Expected:
    """Return the folder of the mixes, ``weeks/`` of `run`."""
    from temporal_adapters.stages import weeks as cleaning

    names = ("low", "high", "shares", "seeds", "n_posts", "nested", "text_column", "label_column", "encoding")
    science = scientific(settings)
    weeks = scientific(study.weeks)
    config: dict[str, Any] = {
        "mix": {name: science[name] for name in names},
        "weeks": {name: weeks[name] for name in ("clean", "redact", "min_characters")},
        "cleaning": cleaning.VERSION,
    }
    return Expected(run.weeks, STAGE, VERSION, config, {"posts": labelled.digest(study, settings)})


def build(study: Study, run: RunFolder, settings: Mix) -> None:
    """Draw and write all mixes; they are left as they are if nothing changed.

    Raises
    ------
    MixError
        If the labelled posts cannot be read or are too few.
    """
    wanted = expected(study, run, settings)

    def write(folder: Path) -> dict[str, Any]:
        posts = labelled.read(study, settings)
        entries = list(_write(folder, posts, settings))
        return weeks_facts(
            entries, origin=posts.origin, n_low=len(posts.low), n_high=len(posts.high), n_empty=posts.n_empty
        )

    make(wanted, write)


def _write(folder: Path, posts: Labelled, settings: Mix) -> Iterator[dict[str, Any]]:
    """Write one corpus per mix; yield its entry in the manifest."""
    import polars as pl

    from temporal_adapters.ground.tables import PANEL, check

    for mixture in mixtures(settings):
        chosen = draw(mixture, posts, settings.nested)
        ids = [post_id for post_id, _ in chosen]
        known = pl.DataFrame({"post_id": ids, "user_id": ids, "text": [text for _, text in chosen]})
        fixed = {"created_at": _FIRST, "lang": None, "is_repost": False, "is_reply": False}
        corpus = known.with_columns(
            *(pl.lit(value).cast(PANEL.columns[name]).alias(name) for name, value in fixed.items()),
            platform=pl.lit("labelled"),
        ).select(list(PANEL.columns))
        check(corpus, PANEL, mixture.label).write_parquet(folder / f"{mixture.label}.parquet")
        end = mixture.start + timedelta(days=6)
        more = {"share": mixture.share, "seed": mixture.seed, "n_high": mixture.n_high}
        yield week_entry(mixture.label, mixture.start, end, len(chosen), len(chosen), **more)
