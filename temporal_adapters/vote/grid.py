"""The grid of an experiment: one cell per condition, model and fold, and the votes of all of them.

Takes an experiment, a mapping and a run folder, gives cells and `VOTES`. Computes no votes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temporal_adapters.ground.errors import VoteError
from temporal_adapters.study.artifacts import Expected, read_manifest
from temporal_adapters.study.config import Baseline, Experiment, LanguageModel, SurveyMapping, scientific
from temporal_adapters.vote import baselines
from temporal_adapters.vote.folds import Case, Task, expand

if TYPE_CHECKING:
    import polars as pl

VERSION = 2
STAGE = "vote"
NO_ANSWER = "(none)"
"""`predicted` where a model gave no answer."""

AnyModel = Baseline | LanguageModel


@dataclass(frozen=True)
class Cell:
    """One condition, model and fold.

    Attributes
    ----------
    case, model, fold, seed
        Which.
    folder
        Where its votes lie.
    """

    case: Case
    model: AnyModel
    fold: int
    seed: int
    folder: Path

    @property
    def name(self) -> str:
        """Return condition, model and fold as a path."""
        return f"{self.case.name}/{self.model.name}/fold-{self.fold}"


def cells(experiment: Experiment, mapping: SurveyMapping, root: Path) -> tuple[list[Cell], tuple[str, ...]]:
    """Return all cells of an experiment, and ``condition/model`` of those that a condition rules out."""
    found: list[Cell] = []
    hidden: list[str] = []
    for case in expand(experiment.conditions, mapping):
        models: list[AnyModel] = [*experiment.baselines, *experiment.language_models]
        for model in models:
            if (
                isinstance(model, Baseline)
                and not _shows_own_party(case, mapping)
                and model.model in baselines.NEED_OWN_PARTY
            ):
                hidden.append(f"{case.name}/{model.name}")
                continue
            for fold, seed in enumerate(seed for seed in experiment.seeds for _ in range(experiment.folds)):
                found.append(Cell(case, model, fold, seed, root / "votes" / case.name / model.name / f"fold-{fold}"))
    return found, tuple(hidden)


def _shows_own_party(case: Case, mapping: SurveyMapping) -> bool:
    return mapping.own_party is not None and mapping.own_party.item not in case.condition.without_items


def cell_config(cell: Cell, experiment: Experiment, mapping: SurveyMapping) -> dict[str, Any]:
    """Return the settings that a cell depends on: what it sees, and nothing that only a page shows."""
    return {
        "mapping": _seen(mapping, cell.model),
        "condition": {
            **scientific(cell.case.condition),
            "left_out": cell.case.left_out,
            "fraction": cell.case.fraction,
            "period": cell.case.period,
            "share": cell.case.share,
        },
        "model": scientific(cell.model),
        "folds": experiment.folds,
        "fold": cell.fold,
        "seed": cell.seed,
    }


_WORDS = {"question": True, "sentence": True, "sentences": True, "missing_answers": True}


def _seen(mapping: SurveyMapping, model: AnyModel) -> dict[str, Any]:
    """Return what a model sees of a mapping: no title, no subgroups of a report; a tabular model sees no prompt."""
    unseen: dict[str, Any] = {"title": True, "subgroups": True, "filters": {"__all__": {"why"}}}
    if isinstance(model, Baseline):
        unseen |= {"prompt": True, "languages": True, "items": {"__all__": _WORDS}}
    return mapping.model_dump(mode="json", exclude=unseen)


def expected(cell: Cell, experiment: Experiment, mapping: SurveyMapping, inputs: dict[str, str]) -> Expected:
    """Return what the cell's folder holds once it is computed; `inputs`: survey (and base) -> digest."""
    return Expected(cell.folder, STAGE, VERSION, cell_config(cell, experiment, mapping), inputs)


def votes_table(cell: Cell, probabilities: Any, task: Task) -> pl.DataFrame:
    """Return `VOTES` of one cell; `predicted` is ``(none)`` where a model gave no answer."""
    import polars as pl

    from temporal_adapters.ground.tables import VOTES, check
    from temporal_adapters.vote.metrics import most_probable

    names = [*task.mapping.labels, NO_ANSWER]
    frame = task.test.select("respondent_id", "vote", "weight").with_columns(
        pl.lit(cell.fold, pl.Int64).alias("fold"),
        pl.lit(cell.model.name).alias("model"),
        pl.lit(cell.case.name).alias("condition"),
        pl.Series("predicted", [names[k] for k in most_probable(probabilities)], dtype=pl.String),
    )
    shares = [
        pl.Series(f"p_{name}", probabilities[:, k], dtype=pl.Float64) for k, name in enumerate(task.mapping.labels)
    ]
    return check(frame.select(*VOTES.columns).with_columns(shares), VOTES)


def collect(experiment: Experiment, mapping: SurveyMapping, root: Path) -> pl.DataFrame:
    """Return `VOTES` of all cells.

    Raises
    ------
    VoteError
        If cells are missing, computed under other settings, or from different survey files.
    """
    import polars as pl

    wanted, _ = cells(experiment, mapping, root)
    missing, stale, surveys = [], [], set()
    for cell in wanted:
        manifest = read_manifest(cell.folder)
        if manifest is None:
            missing.append(cell.name)
        elif manifest.version != VERSION or dict(manifest.config) != cell_config(cell, experiment, mapping):
            stale.append(cell.name)
        else:
            surveys.add(manifest.inputs["survey"])
    for names, what in ((missing, "missing"), (stale, "of other settings")):
        if names:
            raise VoteError(
                f"{root}: {len(names)} of {len(wanted)} folds are {what} (first {names[0]}): run `ta vote run` first"
            )
    if len(surveys) > 1:
        raise VoteError(
            f"{root}: the folds were computed on {len(surveys)} different survey files: run `ta vote run` again"
        )
    return pl.concat([pl.read_parquet(cell.folder / "votes.parquet") for cell in wanted])


def label_mass(experiment: Experiment, mapping: SurveyMapping, root: Path) -> pl.DataFrame:
    """Return condition, model, mass_mean, mass_min, n_without_label of the language models; empty without any.

    The mass is the probability of all labels together before it was renormalised to 1 (of sampled answers: the share
    that began with a label); `n_without_label` counts respondents without one.
    """
    import polars as pl

    rows = []
    for cell in cells(experiment, mapping, root)[0]:
        manifest = read_manifest(cell.folder)
        if manifest is not None and "mass_mean" in manifest.facts:
            facts = {name: manifest.facts[name] for name in ("mass_mean", "mass_min", "n_without_label")}
            rows.append({"condition": cell.case.name, "model": cell.model.name, **facts})
    if not rows:
        return pl.DataFrame()
    return (
        pl.DataFrame(rows)
        .group_by("condition", "model", maintain_order=True)
        .agg(pl.col("mass_mean").mean(), pl.col("mass_min").min(), pl.col("n_without_label").sum())
    )


def training_sizes(experiment: Experiment, mapping: SurveyMapping, root: Path) -> dict[str, float]:
    """Return condition -> mean number of respondents learned from, over folds."""
    found: dict[str, list[int]] = {}
    for cell in cells(experiment, mapping, root)[0]:
        manifest = read_manifest(cell.folder)
        if manifest is not None:
            found.setdefault(cell.case.name, []).append(int(manifest.facts["n_train"]))
    return {name: sum(sizes) / len(sizes) for name, sizes in found.items()}
