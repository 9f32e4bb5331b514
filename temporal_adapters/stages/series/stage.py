"""The stage `series`: answers on disk (and other sources handed in) to `series/`.

Takes a study and its run folder, gives `series.parquet` (SERIES), `seeds.parquet` and `wordings.parquet` (one alone),
`spread.parquet` (SPREAD), `cells.parquet` (answers before pooling) and `settings.parquet` (SERIES of every other way of
extracting). Knows the files of a survey only as inputs whose digests count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temporal_adapters.ground.errors import SeriesError, SurveyError
from temporal_adapters.study import questionnaire
from temporal_adapters.study.artifacts import (
    ANSWERS_FILE,
    CELLS_FILE,
    SERIES_FILE,
    SETTINGS_FILE,
    SPREAD_FILE,
    Expected,
    Manifest,
    RunFolder,
    digest_file,
    load_table,
    make,
    read_corpora,
    read_manifest,
)
from temporal_adapters.study.config import Study, scientific

if TYPE_CHECKING:
    import polars as pl

STAGE = "series"
VERSION = 5

Others = Callable[[], Sequence["pl.DataFrame"]]
"""Gives further SERIES tables (the survey's) when they are needed."""


def expected(study: Study, run: RunFolder) -> list[Expected]:
    """Return what this stage would publish today; nothing while the answers are missing."""
    answers = read_manifest(run.answers)
    if answers is None or ANSWERS_FILE not in answers.outputs:
        return []
    inputs = {ANSWERS_FILE: str(answers.outputs[ANSWERS_FILE]["sha256"]), **_survey_digests(study)}
    return [Expected(run.series, STAGE, VERSION, _config(study), inputs)]


def build(study: Study, run: RunFolder, others: Others = list) -> Manifest:
    """Pool the answers, add the series of other sources, publish both.

    Raises
    ------
    SeriesError
        If the answers are missing or incomplete, or another source calls itself `adapters`.
    """
    plans = expected(study, run)
    if not plans:
        raise SeriesError(f"{run.answers_table} does not exist: run `ta probe` first")
    return make(plans[0], lambda folder: _write(study, run, list(others()), folder))


def _config(study: Study) -> dict[str, Any]:
    method = study.series.method or study.probe.methods[0]
    found: dict[str, Any] = {"series": {**scientific(study.series), "method": method}}
    names = ("first_weekday", "waves", "window_days", "include_wave_day", "window", "shift_days")
    found["weeks"] = {name: value for name, value in scientific(study.weeks).items() if name in names}
    found["train"] = {"seeds": list(study.train.seeds)}
    if study.survey is not None:
        settings = scientific(study.survey)
        found["survey"] = {name: value for name, value in settings.items() if name != "paths"}
        found["links"] = _links(study)
    return found


def _survey_digests(study: Study) -> dict[str, str]:
    if study.survey is None:
        return {}
    try:
        paths = study.survey.files()
    except SurveyError:
        return {"survey": "missing"}
    found = {f"survey {place}: {path.name}": digest_file(path) for place, path in enumerate(paths, start=1)}
    for path in study.correlate.baselines:
        found[f"baseline {path.name}"] = digest_file(path) if path.is_file() else "missing"
    return found


def _links(study: Study) -> dict[str, str]:
    """Return item / option -> the survey's names they are linked to: a changed link changes the series."""
    found = {}
    for reference in study.probe.questionnaires:
        for item in questionnaire.load(reference).items:
            for option in item.options:
                found[f"{item.name} / {option.name}"] = f"{item.survey_question} / {option.survey}"
    return found


def _write(study: Study, run: RunFolder, others: Sequence[pl.DataFrame], folder: Path) -> Mapping[str, Any]:
    import polars as pl

    from temporal_adapters.ground import tables
    from temporal_adapters.stages.series.grid import require_complete
    from temporal_adapters.stages.series.pool import pool
    from temporal_adapters.stages.series.settings import settings

    answers = tables.check(load_table(run.answers_table), tables.ANSWERS, ANSWERS_FILE)
    method = study.series.method or study.probe.methods[0]
    pooled = pool(answers, study.series.scale, method, study.series.wordings)
    if not study.series.allow_missing:
        asked = answers.filter(pl.col("method") == method, pl.col("week").is_not_null())
        weeks = [corpus.start for corpus in read_corpora(run) if corpus.n_posts >= study.weeks.min_posts]
        require_complete(asked, weeks, study.train.seeds)
    spreads = [pooled.spread]
    if study.series.scale != "share":
        spreads.append(pool(answers, "share", method, study.series.wordings).spread)
    for table in others:
        if tables.ADAPTERS in table["source"].to_list():
            name = tables.ADAPTERS
            raise SeriesError(f"survey.source must not be {name!r} (nor a baseline's file): the adapters are")
    series = pl.concat([pooled.series, *others])
    tables.check(series, tables.SERIES, SERIES_FILE).write_parquet(folder / SERIES_FILE)
    pooled.seeds.write_parquet(folder / "seeds.parquet")
    pooled.wordings.write_parquet(folder / "wordings.parquet")
    pooled.cells.write_parquet(folder / CELLS_FILE)
    settings(answers).write_parquet(folder / SETTINGS_FILE)
    pl.concat(spreads).sort("scale", "item", "option", "week").write_parquet(folder / SPREAD_FILE)
    return {
        "scale": study.series.scale,
        "method": method,
        "weeks": pooled.series["week"].n_unique(),
        "options": pooled.series.select("item", "option").n_unique(),
        "sources": series["source"].unique().sort().to_list(),
    }
