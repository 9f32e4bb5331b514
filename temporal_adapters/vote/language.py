"""Language models that predict votes: as they are, with examples in the prompt, or fine-tuned.

Takes a resident base and tasks, gives class probabilities. Knows no files.

All folds and conditions of an experiment share one base: their adapters are trained side by side by the training engine
and answer side by side. The loss is on the label alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from temporal_adapters.engines.model import Adapter, Base
from temporal_adapters.ground.progress import Listener, silent
from temporal_adapters.stages.tokens import IGNORED, Blocks
from temporal_adapters.stages.train import Fitted, Job, Recipe, fit
from temporal_adapters.study.config import LanguageModel
from temporal_adapters.vote.folds import Task
from temporal_adapters.vote.prompts import Prompt, Writer
from temporal_adapters.vote.reading import Ids, Reading, check_length, read, sample
from temporal_adapters.vote.tokenise import Labels, Tokeniser

if TYPE_CHECKING:
    import polars as pl

_GROUP = 8
"""Folds trained and published together: what a kill may lose, and enough rows to fill a device."""

_LENGTH_STEP = 8
"""Blocks are padded to a multiple of this many tokens."""


@dataclass(frozen=True)
class Prediction:
    """What one model said in one task.

    Attributes
    ----------
    task
        The task.
    reading
        Probabilities for the test part.
    facts
        What the manifest keeps.
    adapter
        The fine-tuned adapter.
    """

    task: Task
    reading: Reading
    facts: dict[str, Any]
    adapter: Adapter | None = None


def writer(model: LanguageModel, task: Task) -> Writer:
    """Return who writes the prompts of a task for a model."""
    return Writer(task.mapping, model.prompt, task.items, task.case.condition.mask_party_names, task.seed)


def prompts(model: LanguageModel, task: Task, part: pl.DataFrame, examples: bool = False) -> list[Prompt]:
    """Return the prompts of the respondents in `part`, with examples of the training part before each if asked."""
    asked, rows = writer(model, task), list(part.iter_rows(named=True))
    found = [asked.prompt(row) for row in rows]
    if not examples:
        return found
    shown = list(task.train.iter_rows(named=True))
    rng = np.random.default_rng([task.seed, task.fold])
    draws = [rng.choice(len(shown), min(model.shots, len(shown)), replace=False) for _ in rows]
    return [asked.with_examples(prompt, [shown[k] for k in draw]) for prompt, draw in zip(found, draws, strict=True)]


class Predictor:
    """One language model of an experiment on its resident base.

    Parameters
    ----------
    model
        What the experiment says.
    base
        The resident base.
    listener
        Hears of the training's progress.
    """

    def __init__(self, model: LanguageModel, base: Base, listener: Listener = silent) -> None:
        self.model, self.base, self.listener = model, base, listener
        self.tokeniser = Tokeniser(base.tokenizer)
        self._said_before: dict[tuple[Ids, tuple[Ids, ...], str], tuple[Any, Any]] = {}

    def predict(self, tasks: Sequence[Task], all_tasks: Sequence[Task] | None = None) -> Iterator[Prediction]:
        """Yield a prediction for each task.

        Parameters
        ----------
        tasks
            What is to be done.
        all_tasks
            All tasks of the experiment, done or not: the length of blocks follows from them, so that a resumed
            experiment computes in the same shapes as an undisturbed one.
        """
        if self.model.mode != "fine-tuned":
            for task in tasks:
                yield self._answer(task, None, {})
            return
        length = max(self._longest(task) for task in all_tasks or tasks)
        check_length(self.base, length)
        group = self.model.stacked or _GROUP
        for at in range(0, len(tasks), group):
            yield from self._fine_tune(tasks[at : at + group], -(-length // _LENGTH_STEP) * _LENGTH_STEP)

    def _labels(self, task: Task) -> Labels:
        asked = writer(self.model, task)
        return self.tokeniser.labels(asked.labels, asked.prompt(task.test.row(0, named=True)))

    def _contexts(self, task: Task, part: Any, examples: bool = False) -> list[Ids]:
        return self.tokeniser.contexts(prompts(self.model, task, part, examples))

    def _longest(self, task: Task) -> int:
        labels = self._labels(task)
        return max(map(len, self._contexts(task, task.train))) + max(map(len, labels.ids))

    def _fine_tune(self, tasks: Sequence[Task], length: int) -> Iterator[Prediction]:
        jobs = [
            Job(
                f"{task.case.name}/fold-{task.fold}",
                self._blocks(task, length),
                task.seed,
                f"{task.case.name}/fold-{task.fold}",
            )
            for task in tasks
        ]
        together, how = self.model.stacked, Recipe.of(self.model.train, "document")
        fitted: dict[str, Fitted] = {}
        for done in fit(self.base, jobs, how, together=together, listener=self.listener):
            fitted[done.job.name] = done
        found = [fitted[job.name] for job in jobs]
        yield from self._answer_together(tasks, found)

    def _blocks(self, task: Task, length: int) -> Blocks:
        """Return one block per training respondent, with the loss on the label alone."""
        labels, truth = self._labels(task), task.truth
        contexts = self._contexts(task, task.train)
        shape = (len(contexts), length)
        ids, wanted = np.zeros(shape, np.int32), np.full(shape, IGNORED, np.int32)
        documents = np.zeros(shape, np.int32)
        for row, context in enumerate(contexts):
            label = labels.ids[truth[row]]
            stop = len(context) + len(label)
            ids[row, :stop] = (*context, *label)
            wanted[row, len(context) : stop] = label
            documents[row, stop:] = 1
        return Blocks(ids, wanted, documents)

    def _answer_together(self, tasks: Sequence[Task], fitted: Sequence[Fitted]) -> Iterator[Prediction]:
        facts = [
            {"n_steps": one.n_steps, "n_tokens": one.n_tokens, "first_loss": one.losses[0], "last_loss": one.losses[-1]}
            for one in fitted
        ]
        labels = [self._labels(task) for task in tasks]
        alike = all(one.ids == labels[0].ids for one in labels)
        if self.model.prompt.answers == "samples" or not alike:
            for task, one, fact in zip(tasks, fitted, facts, strict=True):
                yield self._answer(task, one.adapter, fact)
            return
        scoring = labels[0].scoring(self.model.prompt.scoring)
        contexts = [self._contexts(task, task.test) for task in tasks]
        adapters = [one.adapter for one in fitted]
        readings = read(self.base, adapters, contexts, labels[0].ids, scoring, self.model.rows)
        for task, reading, fact, adapter in zip(tasks, readings, facts, adapters, strict=True):
            yield Prediction(task, reading, {**fact, **_said(reading, scoring, labels[0], self.model)}, adapter)

    def _answer(self, task: Task, adapter: Adapter | None, facts: dict[str, Any]) -> Prediction:
        labels = self._labels(task)
        contexts = self._contexts(task, task.test, examples=self.model.mode == "few-shot")
        style = self.model.prompt
        if style.answers == "samples":
            reading = sample(
                self.base,
                adapter,
                contexts,
                labels.words,
                self._decode,
                samples=style.samples,
                temperature=style.temperature,
                max_tokens=max(map(len, labels.ids)) + 2,
                seed=task.seed,
                rows=self.model.rows,
            )
            return Prediction(task, reading, {**facts, "answers": "samples", **_mass(reading)}, adapter)
        scoring = labels.scoring(style.scoring)
        if adapter is None:
            reading = self._base_says(contexts, labels, scoring)
        else:
            reading = read(self.base, [adapter], [contexts], labels.ids, scoring, self.model.rows)[0]
        return Prediction(task, reading, {**facts, **_said(reading, scoring, labels, self.model)}, adapter)

    def _base_says(self, contexts: Sequence[Ids], labels: Labels, scoring: Literal["first", "sequence"]) -> Reading:
        """Return what the base itself says; the same prompt in another fold or condition is not asked again."""
        keys = [(context, labels.ids, scoring) for context in contexts]
        new = [key for key in dict.fromkeys(keys) if key not in self._said_before]
        if new:
            found = read(self.base, [], [[key[0] for key in new]], labels.ids, scoring, self.model.rows)[0]
            self._said_before.update(zip(new, zip(found.probabilities, found.mass, strict=True), strict=True))
        rows, mass = zip(*(self._said_before[key] for key in keys), strict=True)
        return Reading(np.stack(rows), np.array(mass))

    def _decode(self, ids: list[int]) -> str:
        return str(self.base.tokenizer.decode(ids, skip_special_tokens=True))


def _mass(reading: Reading) -> dict[str, Any]:
    silent_rows = int((reading.probabilities.sum(axis=1) == 0).sum())
    return {
        "mass_mean": round(float(reading.mass.mean()), 6),
        "mass_min": round(float(reading.mass.min()), 6),
        "n_without_label": silent_rows,
    }


def _said(reading: Reading, scoring: str, labels: Labels, model: LanguageModel) -> dict[str, Any]:
    why = labels.collision if scoring == "sequence" and model.prompt.scoring == "auto" else None
    return {"answers": "probabilities", "scoring": scoring, "scoring_because": why, **_mass(reading)}
