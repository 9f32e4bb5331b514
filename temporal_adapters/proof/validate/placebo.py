"""Placebos of a real study: series made as the real one is, that should not be related to the survey.

Takes a finished study, gives ``validate/placebos/placebos.parquet`` in the SERIES schema with the sources
``placebo-<kind>-<number>``. Knows no statistic: `temporal_adapters.stages.trust` ranks the real series among them.

    shuffled        adapters trained on posts that were dealt out anew to weeks of the same sizes: sampling and training
    questionnaire   the same adapters asked something that has nothing to do with the survey
    permuted        the real series with its week labels permuted: costs nothing, and has no persistence left
    base            the base without an adapter, asked the same: one answer for all weeks, which does not vary

The fifth kind, the real series out of time, is made where it is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from temporal_adapters import line
from temporal_adapters.ground.errors import ValidityError
from temporal_adapters.ground.progress import Listener, silent
from temporal_adapters.proof.validate import dealing
from temporal_adapters.proof.validate.variants import OTHERS, Variant, answer, variant
from temporal_adapters.proof.validate.world import IN_PROCESS
from temporal_adapters.stages.trust import placebo_series
from temporal_adapters.study.artifacts import (
    ANSWERS_FILE,
    SERIES_FILE,
    Expected,
    Manifest,
    digest_file,
    load_table,
    make,
    read_corpora,
    read_manifest,
)
from temporal_adapters.study.config import scientific

if TYPE_CHECKING:
    import polars as pl

    from temporal_adapters.study.artifacts import RunFolder
    from temporal_adapters.study.config import Study

STAGE, VERSION = "placebo", 1
_PERMUTED_STREAM, _SHUFFLED_STREAM = 1, 1000
"""Streams of the section's seed; every shuffle has one of its own."""


def build(study: Study, run: RunFolder, listener: Listener = silent) -> Manifest:
    """Make the placebos of a finished study; what is complete is skipped, what was interrupted goes on.

    Parameters
    ----------
    study, run
        A study with a survey, finished up to its series; its section `placebo` says which placebos.
    listener
        Hears of the training and asking.

    Raises
    ------
    ValidityError
        If the study has no survey or no series, or its adapters, answers or series are not those of today's settings.
    """
    if study.survey is None:
        raise ValidityError(f"the study {study.study!r} has no survey that a placebo could be compared with")
    if read_manifest(run.series) is None:
        raise ValidityError(f"{run.series} does not exist: run `ta run` (or `ta series`) first")
    _require_current(study, run)
    made = dict(_answered(study, run, listener))
    wanted = _expected(study, run, made)

    def write(folder: Path) -> Mapping[str, Any]:
        table = _table(study, run, {name: read for name, (_, read) in made.items()})
        table.write_parquet(folder / placebo_series.FILE)
        return _counts(table)

    return make(wanted, write)


def _require_current(study: Study, run: RunFolder) -> None:
    """Raise unless the real series is made as its placebos will be: with today's settings, base and weeks."""
    from temporal_adapters import line

    for stage, one in line.unfinished(study, run, "train", "series"):
        gap = stage == "train" and study.series.allow_missing and one.state != "stale"
        if not gap:
            why = f"of other settings or inputs ({one.reasons()[0]})" if one.state == "stale" else "missing"
            raise ValidityError(
                f"{one.folder} is {why}, so placebos would not be made as the real series was: run `ta run` first"
            )


def _answered(study: Study, run: RunFolder, listener: Listener) -> Iterator[tuple[str, tuple[Variant, pl.DataFrame]]]:
    """Yield source -> variant and its series, trained and asked as far as it was not."""
    for number in range(1, study.placebo.shuffles + 1):
        one = variant(study, run, f"shuffled-{number}", own_weeks=True, own_seeds=OTHERS + number)
        dealing.shuffle(run, one.run.weeks, _SHUFFLED_STREAM * study.placebo.seed + number)
        yield placebo_series.source_of("shuffled", number), (one, answer(one, listener))
    if study.placebo.questionnaire is not None:
        one = _irrelevant(study, run, study.placebo.questionnaire)
        asked = line.adapters_series(line.Work(one.study, one.run, IN_PROCESS, listener), since="probe")
        yield placebo_series.source_of(placebo_series.QUESTIONNAIRE, 1), (one, asked)


def _irrelevant(study: Study, run: RunFolder, questionnaire: str) -> Variant:
    """Return the same adapters with another questionnaire, asked as the study pools its answers."""
    method = study.series.method or study.probe.methods[0]
    changes = {
        "probe.questionnaires": (questionnaire,),
        "probe.methods": (method,),
        "series.method": method,
        "series.wordings": (),
    }
    one = variant(study, run, "placebo-questionnaire", changes)
    return replace(one, run=replace(one.run, trained=run.root))


def _expected(study: Study, run: RunFolder, made: dict[str, tuple[Variant, pl.DataFrame]]) -> Expected:
    inputs = {
        SERIES_FILE: digest_file(run.series_table),
        ANSWERS_FILE: digest_file(run.answers_table),
    }
    inputs |= {source: digest_file(one.run.series_table) for source, (one, _) in made.items()}
    config = {"placebo": scientific(study.placebo), "series": scientific(study.series)}
    return Expected(run.placebos, STAGE, VERSION, config, inputs)


def _table(study: Study, run: RunFolder, made: dict[str, pl.DataFrame]) -> pl.DataFrame:
    import polars as pl

    from temporal_adapters.ground import tables

    series = load_table(run.series_table).filter(pl.col("source") == tables.ADAPTERS)
    frames = [frame.with_columns(pl.lit(source).alias("source")) for source, frame in made.items()]
    frames += permuted(series, study.placebo.permutations, study.placebo.seed)
    frames.append(_base(study, run))
    columns = list(tables.SERIES.columns)
    return tables.check(pl.concat([frame.select(columns) for frame in frames]), tables.SERIES, placebo_series.FILE)


def permuted(series: pl.DataFrame, draws: int, seed: int) -> list[pl.DataFrame]:
    """Return the adapters' series with the labels of the weeks permuted: whole weeks move, with all their options."""
    import polars as pl

    weeks = series["week"].unique().sort()
    rng = np.random.default_rng([seed, _PERMUTED_STREAM])
    found = []
    for number in range(1, draws + 1):
        labels = pl.DataFrame({"week": weeks, "label": weeks[rng.permutation(len(weeks))]})
        moved = series.join(labels, on="week").drop("week").rename({"label": "week"})
        name = placebo_series.source_of("permuted", number)
        found.append(moved.with_columns(pl.lit(name).alias("source")).sort("item", "option", "week"))
    return found


def _base(study: Study, run: RunFolder) -> pl.DataFrame:
    """Return what the base without an adapter answers, as a series that says the same in every week."""
    import polars as pl

    from temporal_adapters.stages.series import pool

    answers = load_table(run.answers_table)
    method = study.series.method or study.probe.methods[0]
    base = answers.filter(pl.col("adapter") == "base")
    days = [corpus.start for corpus in read_corpora(run)]
    weeks = pl.DataFrame({"week": days}, schema={"week": pl.Date})
    asked = base.drop("week", "seed", "adapter").join(
        weeks.with_columns(seed=pl.lit(0, pl.Int64), adapter=pl.format("{}/base", "week")), how="cross"
    )
    both = pl.concat([base, asked.select(base.columns)])
    pooled = pool(both, study.series.scale, method, study.series.wordings).series
    name = placebo_series.source_of("base", 1)
    return pooled.with_columns(pl.lit(name).alias("source"), pl.lit(None, pl.Float64).alias("se"))


def _counts(table: pl.DataFrame) -> dict[str, Any]:
    sources = table.select("source", "item", "option").unique()["source"].to_list()
    kinds = [placebo_series.kind_of(source) for source in sources]
    return {"n_series": {kind: kinds.count(kind) for kind in sorted(set(kinds))}}
