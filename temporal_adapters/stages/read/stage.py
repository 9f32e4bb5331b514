"""The stage `read`: every week's posts to ``readings/<label>/``, all weeks to a SERIES in ``read/``.

Takes a study with a section `read` and its weeks, gives published folders; a week that is done is left alone. Knows
neither adapters nor survey.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temporal_adapters.ground.errors import ReadError
from temporal_adapters.ground.progress import Listener, Tick, silent
from temporal_adapters.study import questionnaire
from temporal_adapters.study.artifacts import (
    Expected,
    Manifest,
    RunFolder,
    WeekCorpus,
    digest_json,
    make,
    read_corpora,
    read_manifest,
)
from temporal_adapters.study.config import Study, scientific

if TYPE_CHECKING:
    import polars as pl

    from temporal_adapters.engines.model import Base
    from temporal_adapters.stages.read.posts import Question
    from temporal_adapters.study.config.read import Read

STAGE, VERSION = "read", 1
SOURCE = "reader"
BASELINE_FILE = f"{SOURCE}.csv"
"""The series as `correlate.baselines` takes it: the file's name is the source's."""
POSTS_FILE, SERIES_FILE, WORDINGS_FILE = "posts.parquet", "series.parquet", "wordings.parquet"


def settings_of(study: Study) -> Read:
    """Return the section `read`.

    Raises
    ------
    ReadError
        If the study has none.
    """
    if study.read is None:
        raise ReadError("the study has no section `read`: add one, such as `read: {max_posts: 500}`")
    return study.read


def expected_weeks(study: Study, run: RunFolder) -> list[tuple[WeekCorpus, Expected]]:
    """Return every week with posts and the folder of its readings."""
    from temporal_adapters.engines.model import digest_base, precision

    section = scientific(settings_of(study))
    mine = {name: section[name] for name in ("template", "wordings", "max_posts", "post_tokens")}
    items = [item for name in study.probe.questionnaires for item in questionnaire.load(name).items]
    model = {name: value for name, value in scientific(study.model).items() if name not in ("base", "revision")}
    config = {
        "read": mine,
        "questionnaire": {item.name: digest_json(asdict(item)) for item in items},
        "model": {**model, "dtype": precision(study.model)},
    }
    base = digest_base(study.model)
    return [
        (corpus, Expected(run.reading(corpus.label), STAGE, VERSION, config, {"base": base, "corpus": corpus.sha256}))
        for corpus in read_corpora(run)
        if corpus.n_posts
    ]


def expected(study: Study, run: RunFolder) -> list[Expected]:
    """Return the folder of the series that this stage would publish today; nothing while the weeks are not built."""
    if study.read is None or read_manifest(run.weeks) is None:
        return []
    keys = {corpus.label: one.key for corpus, one in expected_weeks(study, run)}
    section = scientific(study.read)
    config = {"scale": study.series.scale, **{name: section[name] for name in ("user_weight", "resamples")}}
    return [Expected(run.read, STAGE, VERSION, config, keys)]


def build(study: Study, run: RunFolder, *, listener: Listener = silent) -> Manifest:
    """Read every post that is not read yet, and publish the series.

    Raises
    ------
    ReadError, ProbeError, ModelError
        With one sentence; finished weeks are kept.
    """
    settings, weeks = settings_of(study), expected_weeks(study, run)
    if not weeks:
        raise ReadError(f"{run.weeks} holds no week with posts: look at panel and weeks in the study file")
    if study.series.scale == "base":
        raise ReadError(
            "series.scale: `base` compares adapters with the base, the reader is the base: use clr or share"
        )
    todo = [(corpus, one) for corpus, one in weeks if one.state != "done"]
    if todo:
        _read(study, settings, todo, listener)
    (whole,) = expected(study, run)
    return make(whole, lambda folder: _pool(study, settings, weeks, folder))


def _read(study: Study, settings: Read, todo: Sequence[tuple[WeekCorpus, Expected]], listener: Listener) -> None:
    from temporal_adapters.engines.model import load_base
    from temporal_adapters.stages.read.posts import questions

    base = load_base(study.model)
    asked = questions(
        [questionnaire.load(name) for name in study.probe.questionnaires], base.tokenizer, settings.wordings
    )
    sizes = [min(corpus.n_posts, settings.max_posts or corpus.n_posts) for corpus, _ in todo]
    done = 0
    for (corpus, one), size in zip(todo, sizes, strict=True):

        def told(n: int, before: int = done, label: str = corpus.label) -> None:
            listener(Tick(STAGE, before + n, sum(sizes), "posts", label))

        make(one, functools.partial(_write_week, study, settings, base, asked, corpus, told))
        done += size


def _write_week(
    study: Study, settings: Read, base: Base, asked: Sequence[Question], corpus: WeekCorpus, told: Any, folder: Path
) -> dict[str, Any]:
    import polars as pl

    from temporal_adapters.stages.read.posts import cells, masses

    posts = sample(corpus, settings)
    nodes = 1 if study.probe.layout == "rows" else study.probe.tree_tokens
    found, n_cut = masses(base, posts["text"].to_list(), asked, settings, max_nodes=nodes, told=told)
    columns = cells(asked)
    named = {f"{number}": found[:, number] for number in range(len(columns))}
    posts.select("post_id", "user_id").with_columns(**{name: pl.Series(v) for name, v in named.items()}).write_parquet(
        folder / POSTS_FILE
    )
    return {"columns": [list(cell) for cell in columns], "n_posts": posts.height, "n_cut": n_cut}


def sample(corpus: WeekCorpus, settings: Read) -> pl.DataFrame:
    """Return post_id, user_id and text of a week's posts that are read: all, or the first by a hash of their ids."""
    import polars as pl

    posts = pl.read_parquet(corpus.path, columns=["post_id", "user_id", "text"])
    if settings.max_posts is None or posts.height <= settings.max_posts:
        return posts
    keys = [hashlib.md5(f"read/{post}".encode(), usedforsecurity=False).hexdigest() for post in posts["post_id"]]
    return posts.with_columns(pl.Series("key", keys)).sort("key").head(settings.max_posts).drop("key")


def _pool(
    study: Study, settings: Read, weeks: Sequence[tuple[WeekCorpus, Expected]], folder: Path
) -> Mapping[str, Any]:
    import polars as pl

    from temporal_adapters.ground import tables
    from temporal_adapters.stages.read.weekly import pooled

    rows, by_wording, n_cut, n_posts = [], [], 0, 0
    for number, (corpus, one) in enumerate(weeks):
        manifest, posts = read_manifest(one.folder), pl.read_parquet(one.folder / POSTS_FILE)
        if manifest is None:
            raise ReadError(f"{one.folder} was changed while it was read: run `ta read` again")
        columns = [(item, wording, option) for item, wording, option in manifest.facts["columns"]]
        masses = posts.drop("post_id", "user_id").to_numpy()
        n_cut, n_posts = n_cut + manifest.facts["n_cut"], n_posts + posts.height
        whole, wordings = pooled(
            masses,
            posts["user_id"].to_list(),
            columns,
            study.series.scale,
            user_weight=settings.user_weight,
            resamples=settings.resamples,
            seed=number,
        )
        rows += [{"source": SOURCE, "week": corpus.start, **row} for row in whole]
        by_wording += [{"week": corpus.start, **row} for row in wordings]
    series = pl.DataFrame(rows).select(list(tables.SERIES.columns)).sort("item", "option", "week")
    tables.check(series, tables.SERIES).write_parquet(folder / SERIES_FILE)
    series.rename({"week": "date", "item": "question"}).drop("source").write_csv(folder / BASELINE_FILE)
    pl.DataFrame(by_wording).sort("item", "option", "wording", "week").write_parquet(folder / WORDINGS_FILE)
    return {"n_posts": n_posts, "n_cut": n_cut, "weeks": len(weeks), "scale": study.series.scale}
