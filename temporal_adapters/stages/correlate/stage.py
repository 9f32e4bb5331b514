"""The stage `correlate`: `series/` to `lags/`.

Takes a study and its run folder, gives `lags/lags.parquet` (LAGS), `results.csv`, `results.json` and `sentences.txt`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from temporal_adapters.ground.errors import CorrelateError
from temporal_adapters.stages.correlate import plan
from temporal_adapters.study.artifacts import (
    LAGS_FILE,
    PLAN_FILE,
    SENTENCES_FILE,
    SERIES_FILE,
    Expected,
    Manifest,
    RunFolder,
    digest_file,
    load_table,
    make,
    read_manifest,
)
from temporal_adapters.study.config import Study, scientific

STAGE = "correlate"
VERSION = 3


def expected(study: Study, run: RunFolder) -> list[Expected]:
    """Return what this stage would publish today; nothing while the series are missing or there is no survey."""
    series = read_manifest(run.series)
    if study.survey is None or series is None or SERIES_FILE not in series.outputs:
        return []
    settings = study.correlate
    decided = scientific(settings) | ({"adjust": list(settings.adjust_names)} if settings.adjust else {})
    config = {"correlate": decided, "survey": {"source": study.survey.source}}
    inputs = {SERIES_FILE: str(series.outputs[SERIES_FILE]["sha256"])}
    for path in settings.adjust_files:
        inputs[f"adjust {path.name}"] = digest_file(path) if path.is_file() else "missing"
    if run.plan.is_file():
        inputs[PLAN_FILE] = digest_file(run.plan)
    return [Expected(run.lags, STAGE, VERSION, config, inputs)]


def run(study: Study, run: RunFolder) -> Manifest:
    """Correlate the study's series with its survey and publish everything.

    Raises
    ------
    CorrelateError
        If the study has no survey, the series are missing, or they cannot be correlated.
    """
    if study.survey is None:
        raise CorrelateError("the study has no section `survey`: there is nothing to correlate with")
    if not expected(study, run):
        raise CorrelateError(f"{run.series_table} does not exist: run `ta series` first")
    planned = plan.require_planned(study, run)
    plan.pin(study, run)
    due = expected(study, run)[0]
    return make(due, lambda folder: _write(study, run, folder, planned))


def _write(study: Study, run: RunFolder, folder: Path, planned: Sequence[plan.Deviation]) -> dict[str, Any]:

    from temporal_adapters.ground import tables
    from temporal_adapters.stages.correlate.analysis import analyse
    from temporal_adapters.stages.correlate.lags import document, lags_table, results_table
    from temporal_adapters.stages.correlate.pairs import align

    settings = study.correlate
    path = run.series_table
    series = tables.check(load_table(path), tables.SERIES, str(path))
    source = study.survey.source if study.survey else ""
    reach = (*settings.lags, *settings.shown_lags)
    pairs = align(
        series,
        tables.ADAPTERS,
        source,
        lags=reach,
        exclude=settings.exclude,
        min_weeks=settings.min_weeks,
        every_weeks=settings.every_weeks,
    )
    analysis = analyse(pairs, settings)
    frozen = plan.read_plan(run)
    written = replace(
        document(analysis, settings.confidence),
        plan={"created": frozen["created"], "key": frozen["key"]} if frozen else None,
        deviations=[asdict(entry) for entry in planned],
    )
    lags_table(analysis).write_parquet(folder / LAGS_FILE)
    tables.write_csv(results_table(analysis), folder / "results.csv")
    written.write(folder)
    sentences = [entry["sentence"] for entry in written.results if entry["dynamics"] is not None]
    (folder / SENTENCES_FILE).write_text(
        "\n".join([written.headline, _planned_line(frozen, planned), *sentences]) + "\n", encoding="utf-8"
    )
    verdicts = [result.verdict for result in analysis.tested]
    return {**analysis.facts, "verdicts": {name: verdicts.count(name) for name in sorted(set(verdicts))}}


def _planned_line(frozen: Mapping[str, Any], planned: Sequence[plan.Deviation]) -> str:
    if not frozen:
        return "The analysis was not frozen before looking (ta plan)."
    if not planned:
        return f"The analysis is the one frozen on {frozen['created']}."
    listed = "; ".join(f"{entry.what} ({entry.reason})" for entry in planned)
    return f"The analysis was frozen on {frozen['created']} and deviates from the plan in: {listed}."
