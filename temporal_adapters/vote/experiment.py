"""Experiments: conditions x models x folds on one survey file, resumable per fold.

Takes an experiment, a mapping and a survey file, gives one folder of `VOTES` per condition, model and fold, and the
table of all of them. Knows no figure.

    runs/<experiment>/respondents/respondents.parquet      id, vote, weight, own party, subgroups
    runs/<experiment>/votes/<condition>/<model>/fold-<k>/votes.parquet
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temporal_adapters.ground.progress import Listener, Tick, silent
from temporal_adapters.study.artifacts import Expected, digest_file, make
from temporal_adapters.study.config import AdaptedModel, Baseline, Experiment, LanguageModel, SurveyMapping
from temporal_adapters.vote import baselines
from temporal_adapters.vote.files import SurveyFile
from temporal_adapters.vote.folds import Task, make_task, splits
from temporal_adapters.vote.grid import STAGE, VERSION, Cell, cells, expected, votes_table
from temporal_adapters.vote.respondents import Respondents, load

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from temporal_adapters.engines.model import Base
    from temporal_adapters.vote.language import Prediction


@dataclass(frozen=True)
class Outcome:
    """What a run did.

    Attributes
    ----------
    done, skipped, hidden
        Cells computed now; complete before; left out because the condition hides the own-party item the model needs.
    stale
        Cells that were complete under other settings, with the reasons; they were computed again.
    """

    done: int
    skipped: int
    hidden: tuple[str, ...]
    stale: dict[str, list[str]] = field(default_factory=dict)


class Run:
    """One experiment at work on one survey file.

    Parameters
    ----------
    experiment, mapping, survey
        What to compute on what.
    root
        Folder of the experiment, ``runs/<experiment>``.
    listener
        Hears of progress.

    Raises
    ------
    VoteError
        If the file does not fit the mapping, or the folds cannot be made.
    """

    def __init__(
        self,
        experiment: Experiment,
        mapping: SurveyMapping,
        survey: SurveyFile,
        root: Path,
        listener: Listener = silent,
    ) -> None:
        self.experiment, self.mapping, self.root, self.listener = experiment, mapping, root, listener
        self.respondents = load(survey, mapping).voters()
        self.digest = digest_file(survey.path)
        self.rows: dict[int, tuple[NDArray[Any], NDArray[Any]]] = {}
        for fold, _, train, test in splits(self.respondents, experiment.folds, experiment.seeds):
            self.rows[fold] = (train, test)
        self.cells, self.hidden = cells(experiment, mapping, root)

    def plan(self) -> Outcome:
        """Return what `run` would do."""
        todo = [cell for cell in self.cells if self.expected(cell).state != "done"]
        stale = {cell.name: reasons for cell in todo if (reasons := self.expected(cell).reasons())}
        return Outcome(len(todo), len(self.cells) - len(todo), self.hidden, stale)

    def run(self) -> Outcome:
        """Compute what is missing or stale; every finished fold is kept."""
        outcome = self.plan()
        write_respondents(self.respondents, self.root, self.digest)
        todo = [cell for cell in self.cells if self.expected(cell).state != "done"]
        self._done, self._total = 0, len(todo)
        for cell in todo:
            if isinstance(cell.model, Baseline):
                task = self.task(cell)
                self._publish(cell, baselines.predict(cell.model, task), task)
        for model in sorted(self.experiment.language_models, key=lambda one: one.base.model_dump_json()):
            mine = [cell for cell in todo if cell.model == model]
            if mine:
                self._run_language_model(model, mine)
        return outcome

    def expected(self, cell: Cell) -> Expected:
        """Return what the cell's folder should hold under today's settings and inputs."""
        base = {} if isinstance(cell.model, Baseline) else {"base": _base_digest(cell.model)}
        return expected(cell, self.experiment, self.mapping, {"survey": self.digest, **base})

    def task(self, cell: Cell) -> Task:
        """Return the task of a cell."""
        return make_task(self.respondents, cell.case, cell.fold, cell.seed, *self.rows[cell.fold])

    def _run_language_model(self, model: LanguageModel, todo: Sequence[Cell]) -> None:
        from temporal_adapters.vote.language import Predictor

        base = _resident(model)
        if model.mode == "fine-tuned":
            _check_base(model, base)
        every = [self.task(cell) for cell in self.cells if cell.model == model]
        tasks = {(task.case.name, task.fold): task for task in every}
        wanted = {(cell.case.name, cell.fold): cell for cell in todo}
        predictor = Predictor(model, base, self.listener)
        for prediction in predictor.predict([tasks[place] for place in wanted], every):
            cell = wanted[prediction.task.case.name, prediction.task.fold]
            self._publish_language(cell, prediction, model, str(base.device))

    def _publish_language(self, cell: Cell, prediction: Prediction, model: LanguageModel, device: str) -> None:
        from temporal_adapters.engines.model import write_adapter

        def write(folder: Path) -> dict[str, Any]:
            self._write(folder, cell, prediction.reading.probabilities, prediction.task)
            if model.keep_adapters and prediction.adapter is not None:
                write_adapter(folder / "adapter", prediction.adapter, base=model.base.base)
            return {**_counts(prediction.task), **prediction.facts}

        make(self.expected(cell), write, device=device)
        self._tell(cell)

    def _publish(self, cell: Cell, probabilities: Any, task: Task) -> None:
        def write(folder: Path) -> dict[str, Any]:
            self._write(folder, cell, probabilities, task)
            return _counts(task)

        make(self.expected(cell), write)
        self._tell(cell)

    def _write(self, folder: Path, cell: Cell, probabilities: Any, task: Task) -> None:
        votes_table(cell, probabilities, task).write_parquet(folder / "votes.parquet")

    def _tell(self, cell: Cell) -> None:
        self._done += 1
        self.listener(Tick(STAGE, self._done, self._total, "folds", cell.name))


def _counts(task: Task) -> dict[str, Any]:
    seen = set(task.train["vote"].to_list())
    return {
        "n_train": task.train.height,
        "n_test": task.test.height,
        "absent_classes": [name for name in task.mapping.labels if name not in seen],
    }


_bases: dict[str, Any] = {}


def _check_base(model: LanguageModel, base: Base) -> None:
    from temporal_adapters.stages.base import Wanted, ensure
    from temporal_adapters.stages.train import Recipe

    how = Recipe.of(model.train, "document")
    # Prompts that are too long are refused by the predictor, which knows them; answers are read one by one.
    ensure(model.base, Wanted(shape=how.shape, kernels=how.kernels, layout="rows"), base)


def _resident(model: LanguageModel) -> Any:
    """Return the base of `model`; the one before it leaves the memory first."""
    from temporal_adapters.vote.base import load_adapted

    key = model.base.model_dump_json()
    if key not in _bases:
        _bases.clear()
        gc.collect()
        _bases[key] = load_adapted(model.base)
    return _bases[key]


def _base_digest(model: LanguageModel) -> str:
    return _digest(model.base.model_dump_json())


@functools.lru_cache(maxsize=8)
def _digest(settings: str) -> str:
    from temporal_adapters.vote.base import digest_adapted

    return digest_adapted(AdaptedModel.model_validate_json(settings))


def write_respondents(respondents: Respondents, root: Path, digest: str) -> None:
    """Publish who the respondents are: respondent_id, vote, weight, own_party (class or null), group_<item> columns."""
    import polars as pl

    mapping = respondents.mapping
    config = {"mapping": mapping.model_dump(mode="json")}
    wanted = Expected(root / "respondents", "respondents", VERSION, config, {"survey": digest})
    if wanted.state == "done":
        return
    frame = respondents.frame.select("respondent_id", "vote", "weight")
    if mapping.own_party is not None:
        own = mapping.own_party
        parties = [own.labels.get(code) for code in respondents.frame[own.item].to_list()]
        frame = frame.with_columns(pl.Series("own_party", parties, dtype=pl.String))
    for name in mapping.subgroups:
        frame = frame.with_columns(pl.Series(f"group_{name}", list(_groups(respondents, name)), dtype=pl.String))
    make(wanted, lambda folder: frame.write_parquet(folder / "respondents.parquet"))


def _groups(respondents: Respondents, name: str) -> Iterator[str]:
    mapping = respondents.mapping
    item = mapping.item(name)
    for code in respondents.frame[name].to_list():
        if mapping.no_answer(item, code):
            yield "(missing)"
        else:
            yield mapping.words(item.answers.get(code, code), mapping.languages[0])
