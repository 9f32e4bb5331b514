"""Which settings a model of the tabular kind gets: those that predict best within its training part.

Takes a task and candidates, gives the best one. Knows no model: how one predicts is handed in.

A bar that nobody tuned is no bar: at 5 % of the respondents a penalty of 1 costs a conditional logit a sixth of its
macro F1. The test part is never looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from temporal_adapters.ground.errors import VoteError
from temporal_adapters.vote.folds import class_indices
from temporal_adapters.vote.metrics import log_loss

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from temporal_adapters.vote.folds import Task

Settings = Mapping[str, Any]
Predict = Callable[["Task", Settings], "NDArray[np.float64]"]

FOLDS = 3
"""Inner folds."""

_LEAST = 1e-3
"""Probability below which the inner log-loss counts no further: a class that an inner fold lacks says nothing."""


def choose(task: Task, candidates: Sequence[Settings], predict: Predict) -> Settings:
    """Return the candidate of the lowest mean log-loss over inner folds of the training part; the first of equals.

    Parameters
    ----------
    task
        Whose training part is divided, each class alike.
    candidates
        Settings, such as ``{"penalty": 10.0}``.
    predict
        Fits on a task's training part and returns class probabilities of its test part, shape (n_test, n_classes).
    """
    if len(candidates) == 1:
        return candidates[0]
    parts = list(_inner(task))
    if len(parts) < 2:
        return candidates[0]
    losses = [_loss(parts, one, predict) for one in candidates]
    return candidates[int(np.argmin(losses))]


def _loss(parts: Sequence[Task], settings: Settings, predict: Predict) -> float:
    total, n = 0.0, 0
    for part in parts:
        try:
            found = np.maximum(predict(part, settings), _LEAST)
        except VoteError:  # a penalty too small for this part, or one class only
            return float("inf")
        total += log_loss(class_indices(part.test, part.mapping), found) * part.test.height
        n += part.test.height
    return total / n


def _inner(task: Task) -> list[Task]:
    """Return tasks that divide the training part into `FOLDS` parts, the members of each class spread over all."""
    truth = task.truth
    rng = np.random.default_rng([task.seed, task.fold, 7])
    place = np.empty(len(truth), dtype=np.int64)
    for label in np.unique(truth):
        members = rng.permutation(np.flatnonzero(truth == label))
        place[members] = (np.arange(len(members)) + rng.integers(FOLDS)) % FOLDS
    held = [np.flatnonzero(place == fold) for fold in range(FOLDS) if (place == fold).any()]
    return [
        replace(task, train=task.train[np.setdiff1d(np.arange(len(truth)), rows)], test=task.train[rows])
        for rows in held
    ]
