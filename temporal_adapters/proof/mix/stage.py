"""The mixing experiment from labelled posts to its results; what is complete is skipped.

Takes a study and its run folder, gives ``mix/curve/``: the curves, their statistics, figures. Knows no command.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from temporal_adapters import line
from temporal_adapters.engines.model import digest_base
from temporal_adapters.ground.errors import MixError
from temporal_adapters.ground.progress import Listener, silent
from temporal_adapters.proof.mix import draw
from temporal_adapters.proof.mix.curve import Question, curve, find_question
from temporal_adapters.proof.mix.grid import Experiment, experiment, models, require_steps
from temporal_adapters.stages import probe, train
from temporal_adapters.study.artifacts import (
    ANSWERS_FILE,
    MIX_CURVE,
    Expected,
    Mixed,
    RunFolder,
    load_table,
    make,
    read_manifest,
)
from temporal_adapters.study.config import Study, recipe, scientific

if TYPE_CHECKING:
    from temporal_adapters.scale import Engine

STAGE, VERSION = "mix-curve", 1
TABLE = "curve.parquet"

_FIGURE_SETTINGS = ("figures", "width_cm", "dpi")


def run(study: Study, run: RunFolder, *, engine: Engine | None = None, listener: Listener = silent) -> Mixed:
    """Run the experiment and return its summary, the content of `mix.json`.

    Parameters
    ----------
    study, run
        The study and its run folder; everything is written below ``mix/`` of it.
    engine
        Where training runs; None: on this machine, with as many workers as pay.
    listener
        Hears of progress in training and asking.

    Raises
    ------
    MixError
        If the labelled posts or the settings do not allow it.
    TemporalAdaptersError
        Whatever training and asking raise; finished adapters are kept.
    """
    found = experiment(study, run)
    question = find_question(probe.load_questionnaires(found.study), found.settings)
    draw.build(found.study, found.run, found.settings)
    todo = [item for item in train.items(found.study, found.run) if not item.is_done]
    if todo:
        line.check_questions(found.study)
        train.prepare_tokens(found.study, found.run, todo, listener)
        require_steps(found, todo)
        line.train(line.Work(found.study, found.run, engine, listener))
    probe.run(found.study, found.run, targets=models(found), listener=listener)
    wanted = expected(found)
    make(wanted, lambda folder: _write(found, question, folder))
    return read_summary(run)


def read_summary(run: RunFolder) -> Mixed:
    """Return the summary of a finished experiment.

    Raises
    ------
    MixError
        If there is none.
    """
    found = Mixed.read(run)
    if found is None:
        raise MixError(f"{run.mixed / Mixed.FILE} does not exist: run `ta mix` first")
    return found


def expected(found: Experiment) -> Expected:
    """Return the folder of the results."""
    answers = read_manifest(found.run.answers)
    if answers is None:
        raise MixError(f"{found.run.answers} does not exist: run `ta mix` first")
    question = find_question(probe.load_questionnaires(found.study), found.settings)
    config = {
        "mix": {"item": question.item, "low_option": question.low, "high_option": question.high},
        "report": {name: value for name, value in scientific(found.study.report).items() if name in _FIGURE_SETTINGS},
        "recipe": recipe(found.study),
        "mixes": draw.expected(found.study, found.run, found.settings).key,
    }
    inputs = {ANSWERS_FILE: answers.outputs[ANSWERS_FILE]["sha256"], "base": digest_base(found.study.model)}
    return Expected(found.run.root / MIX_CURVE, STAGE, VERSION, config, inputs)


def _write(found: Experiment, question: Question, folder: Path) -> None:

    from temporal_adapters.proof.mix.figures import write_figures
    from temporal_adapters.proof.mix.summary import summarise

    answers, asked = load_table(found.run.answers_table), recipe(found.study)
    table = curve(answers, question, asked["series"]["method"], found.mixtures, asked["series"]["wordings"])
    weeks = read_manifest(found.run.weeks)
    origin = weeks.facts["origin"] if weeks is not None else ""
    settings = found.settings
    summary = Mixed(
        **summarise(table, question),
        recipe=asked,
        base_digest=digest_base(found.study.model),
        label_low=settings.low,
        label_high=settings.high,
        n_posts=settings.n_posts,
        nested=settings.nested,
        origin=Path(origin).name,
    )
    table.write_parquet(folder / TABLE)
    summary.write(folder)
    write_figures(table, summary, folder, found.study.report)


@dataclass(frozen=True)
class Plan:
    """What the experiment will take.

    Attributes
    ----------
    n_mixes, n_models
        Corpora, and models that are asked.
    training
        Of the adapters.
    """

    n_mixes: int
    n_models: int
    training: train.Estimate

    def sentences(self) -> list[str]:
        """Return the plan as lines for people."""
        lines = [f"mixes:    {self.n_mixes}", *self.training.sentences()]
        return [*lines, f"answers:  {self.n_models} models to ask (the base, adapters, checkpoints)"]


def plan(study: Study, run: RunFolder, gpu: str) -> Plan:
    """Return what the experiment will take on `gpu`, and change nothing.

    Raises
    ------
    MixError
        If it cannot be run.
    """
    found = experiment(study, run)
    find_question(probe.load_questionnaires(found.study), found.settings)
    line.check_questions(found.study)
    with tempfile.TemporaryDirectory() as folder:
        drawn = RunFolder(Path(folder))
        draw.build(found.study, drawn, found.settings)
        wanted = train.items(found.study, RunFolder(found.run.root, drawn.root))
        training = train.estimate(found.study, found.run, wanted, gpu)
    return Plan(len(found.mixtures), found.n_models, training)
