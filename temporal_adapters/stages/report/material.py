"""Everything that a report shows, gathered from one run folder.

Takes a study and its run folder, gives `Material`: tables and records. Knows no figure and no page. The only module of
the report that reads tables and documents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path, PurePath
from typing import Any

import polars as pl

from temporal_adapters.ground.dates import WEEK, week_label
from temporal_adapters.ground.errors import ReportError
from temporal_adapters.ground.tables import ADAPTERS, ANSWERS, LAGS, SERIES, check
from temporal_adapters.stages.report.readings import is_current
from temporal_adapters.stages.series import SPREAD
from temporal_adapters.study import questionnaire
from temporal_adapters.study.artifacts import (
    RECOVERY_FILE,
    SERIES_FILE,
    Coverage,
    Manifest,
    Mixed,
    Recovery,
    Results,
    RunFolder,
    Trust,
    Validated,
    digest_json,
    load_table,
    read_manifest,
)
from temporal_adapters.study.config import Study, recipe, scientific


@dataclass(frozen=True)
class Stale:
    """Stands for a document about other series, or about another recipe, than the study has now."""


@dataclass(frozen=True)
class Material:
    """What the page and the figures are made from.

    Attributes
    ----------
    study
        The study file.
    weeks
        week (first day), label, n_posts, n_users; one row per week of the axis, gaps with nulls.
    answers, series, lags
        The tables of the same name; empty where the study has none.
    spread
        Ranges of seeds and wordings around the adapters' series (`temporal_adapters.stages.series.SPREAD`).
    reader
        The reader's series; `Stale` where it is of other posts, another base or scale; None without one.
    results
        What `ta correlate` found; None without a survey.
    trust
        Figures of trust per option; None where they were not computed.
    questions, order
        Item -> title, and (item, option) in the order of the questionnaires.
    dropped
        Reason -> posts dropped when the weeks were built.
    breaks
        Labels of the weeks at which the panel's volume breaks.
    coverage
        How many of the posts asked for are there; `Stale` where the panel is another now; None where not counted.
    recovery
        Answers against a known truth; None without one.
    validation
        What `ta validate` found; `Stale` where it is about earlier series; None where it was not run.
    mixing
        What `ta mix` found; `Stale` where the study trains or asks otherwise now; None where it was not run.
    votes
        Vote experiment -> its main figures: condition, model, n, figure, value and intervals.
    proof
        Losses of each week's posts under its adapter, its neighbours and the base; None where not measured.
    manifests
        Stage -> manifest of its folder, in the order of the line.
    adapters
        Manifests of the adapters by week and seed, such as ``2023-W14/seed-42``.
    """

    study: Study
    weeks: pl.DataFrame
    answers: pl.DataFrame
    series: pl.DataFrame
    lags: pl.DataFrame
    spread: pl.DataFrame = field(default_factory=SPREAD.empty)
    reader: pl.DataFrame | Stale | None = None
    results: Results | None = None
    trust: Trust | None = None
    questions: Mapping[str, str] = field(default_factory=dict)
    order: Sequence[tuple[str, str]] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    breaks: Sequence[str] = ()
    coverage: Coverage | Stale | None = None
    recovery: Recovery | None = None
    validation: Validated | Stale | None = None
    mixing: Mixed | Stale | None = None
    votes: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    proof: pl.DataFrame | None = None
    manifests: Mapping[str, Manifest] = field(default_factory=dict)
    adapters: Mapping[str, Manifest] = field(default_factory=dict)

    @property
    def labels(self) -> list[str]:
        """Labels of the weeks of the axis."""
        return list(self.weeks["label"])

    @property
    def base_name(self) -> str:
        """Name of the base model; of a folder only the last part, so that a report can be passed on."""
        base = self.study.model.base
        is_hub_name = base.count("/") <= 1 and not base.startswith(("/", ".", "~"))
        return base if is_hub_name else PurePath(base).name

    @property
    def survey(self) -> str | None:
        """Name of the survey, None where the study has none."""
        return self.study.survey.source if self.study.survey else None

    def options(self) -> list[tuple[str, str]]:
        """Return (item, option) of the adapters' series in the questionnaire's order, unknown ones last."""
        rows = self.series.filter(pl.col("source") == ADAPTERS).select("item", "option").unique(maintain_order=True)
        places = {name: place for place, name in enumerate(self.order)}
        return sorted(((row[0], row[1]) for row in rows.iter_rows()), key=lambda name: places.get(name, len(places)))


def inputs(study: Study, run: RunFolder) -> dict[str, str]:
    """Return the digests of everything that `gather` reads; the seconds in `recovery.json` do not count."""
    found = {}
    for folder in _folders(run):
        manifest = read_manifest(folder)
        if manifest is not None:
            found[folder.name] = digest_json([manifest.key, manifest.outputs])
    for name, folder in _vote_reports(study, run).items():
        manifest = read_manifest(folder)
        found[f"vote {name}"] = manifest.key if manifest is not None else ""
    known = Recovery.read(run)
    if known is not None:
        found[RECOVERY_FILE] = digest_json({name: value for name, value in known.values().items() if name != "seconds"})
    validation = read_manifest(run.validated)
    if validation is not None:
        found["validation"] = digest_json([validation.key, validation.outputs])
    mixing = read_manifest(run.mixed)
    if mixing is not None:
        found["mixing"] = digest_json([mixing.key, mixing.outputs, recipe(study), sorted(_bases(study, run))])
    reading = read_manifest(run.read) if study.read is not None else None
    if reading is not None:
        is_shown = is_current(study, run, reading, _bases(study, run))
        found["read"] = digest_json([reading.key, reading.outputs, is_shown])
    counted = Coverage.read(run)
    if counted is not None:
        found["coverage"] = digest_json([counted.values(), counted.is_of(scientific(study.panel))])
    return found


def _folders(run: RunFolder) -> tuple[Path, ...]:
    return run.weeks, run.answers, run.proof, run.series, run.lags, run.trust


def gather(study: Study, run: RunFolder) -> Material:
    """Read everything a report shows.

    Raises
    ------
    ReportError
        If the series do not exist yet.
    """
    series_manifest = read_manifest(run.series)
    if series_manifest is None:
        raise ReportError(f"{run.series} does not exist: run `ta run` (or `ta correlate`) before `ta report`")
    series = _table(run.series_table, SERIES)
    manifests = {folder.name: read_manifest(folder) for folder in _folders(run)}
    weeks_manifest = manifests["weeks"]
    facts = weeks_manifest.facts if weeks_manifest else {}
    items = [item for name in study.probe.questionnaires for item in questionnaire.load(name).items]
    return Material(
        study=study,
        weeks=_axis(facts.get("weeks", []), series),
        answers=_table(run.answers_table, ANSWERS),
        series=series,
        lags=_table(run.lags_table, LAGS),
        spread=_table(run.spread_table, SPREAD).filter(pl.col("scale") == study.series.scale),
        reader=_reader(study, run),
        results=Results.read(run),
        trust=Trust.read(run),
        questions={item.name: item.title or item.name for item in items},
        order=[(item.name, option.name) for item in items for option in item.options],
        dropped=facts.get("dropped", {}),
        breaks=facts.get("breaks", ()),
        coverage=_coverage(study, run),
        recovery=Recovery.read(run),
        validation=_validation(run, series_manifest),
        mixing=_mixing(study, run),
        votes={name: pl.read_csv(folder / "figures.csv") for name, folder in _vote_reports(study, run).items()},
        proof=_proof(run),
        manifests={name: manifest for name, manifest in manifests.items() if manifest is not None},
        adapters=_adapters(run),
    )


def _proof(run: RunFolder) -> pl.DataFrame | None:
    path = run.proof / "losses.parquet"
    return pl.read_parquet(path) if path.is_file() else None


def _reader(study: Study, run: RunFolder) -> pl.DataFrame | Stale | None:
    manifest = read_manifest(run.read) if study.read is not None else None
    if manifest is None:
        return None
    return _table(run.read / SERIES_FILE, SERIES) if is_current(study, run, manifest, _bases(study, run)) else Stale()


def _coverage(study: Study, run: RunFolder) -> Coverage | Stale | None:
    found = Coverage.read(run)
    return found if found is None or found.is_of(scientific(study.panel)) else Stale()


def _vote_reports(study: Study, run: RunFolder) -> dict[str, Path]:
    found = {name: run.beside(name).report for name in study.report.vote}
    for name, folder in found.items():
        if not (folder / "figures.csv").is_file():
            raise ReportError(
                f"report.vote names {name!r}, but {folder} has no figures.csv: run `ta vote report` first"
            )
    return found


def _table(path: Path, schema: Any) -> pl.DataFrame:
    return check(load_table(path), schema, str(path)) if path.is_file() else schema.empty()


def _validation(run: RunFolder, series: Manifest) -> Validated | Stale | None:
    manifest = read_manifest(run.validated)
    if manifest is None:
        return None
    if manifest.inputs.get("series") != series.outputs[SERIES_FILE]["sha256"]:
        return Stale()
    return Validated.read(run)


def _mixing(study: Study, run: RunFolder) -> Mixed | Stale | None:
    found = Mixed.read(run)
    if found is None:
        return None
    # A base that is made from the weeks keeps its name when it is made anew.
    is_same = found.recipe == recipe(study) and _bases(study, run) <= {found.base_digest}
    return found if is_same else Stale()


def _bases(study: Study, run: RunFolder) -> set[str]:
    """Return the digests of the bases that were asked the study's questionnaires."""
    asked = (run.logprobs(questionnaire.load(name).name, "base") for name in study.probe.questionnaires)
    manifests = [read_manifest(folder) for folder in asked]
    return {manifest.inputs["base"] for manifest in manifests if manifest is not None and "base" in manifest.inputs}


def _adapters(run: RunFolder) -> dict[str, Manifest]:
    found = {}
    for path in sorted(run.adapters.glob("*/seed-*/manifest.json")):
        name = path.parent.relative_to(run.adapters).as_posix()
        manifest = read_manifest(path.parent) if "." not in path.parent.name else None
        if manifest is not None:
            found[name] = manifest
    return found


def _axis(weeks: list[dict[str, Any]], series: pl.DataFrame) -> pl.DataFrame:
    """Return one row per week from the first to the last of the panel and the adapters' series, gaps included."""
    known = {date.fromisoformat(week["start"]): week for week in weeks}
    asked = series.filter(pl.col("source") == ADAPTERS)["week"].to_list()
    days = sorted({*known, *asked})
    if not days:
        raise ReportError("the series hold no week of the adapters: run `ta probe` and `ta correlate` again")
    axis = [days[0] + WEEK * step for step in range((days[-1] - days[0]) // WEEK + 1)]
    rows = [known.get(day, {}) for day in axis]
    return pl.DataFrame(
        {
            "week": axis,
            "label": [week_label(day) for day in axis],
            "n_posts": [row.get("n_posts") for row in rows],
            "n_users": [row.get("n_users") for row in rows],
        },
        schema={"week": pl.Date, "label": pl.String, "n_posts": pl.Int64, "n_users": pl.Int64},
    )
