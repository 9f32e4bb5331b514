"""Respondents as numbers, for the models of the tabular kind.

Takes a task, gives matrices. Knows no model. Everything is learned from the training part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from temporal_adapters.study.config import Item, SurveyMapping

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from temporal_adapters.vote.folds import Task

    Floats = NDArray[np.float64]

Encoding = Literal["one-hot", "ordinal"]


@dataclass(frozen=True)
class Columns:
    """How one item becomes columns.

    Attributes
    ----------
    item
        The item.
    categories
        Codes with a column each; empty for a scale.
    center, scale
        Mean and standard deviation of a scale in the training part.
    low, high
        Lowest and highest value of a scale in the training part: beyond them a slope would be guesswork.
    flagged
        Whether a scale has a further column that is 1 where the answer is missing.
    """

    item: Item
    categories: tuple[str, ...] = ()
    center: float = 0.0
    scale: float = 1.0
    low: float = -np.inf
    high: float = np.inf
    flagged: bool = False

    @property
    def names(self) -> list[str]:
        """Return what each column says."""
        if self.categories or self.item.kind == "nominal":
            return [f"{self.item.name} = {category}" for category in self.categories]
        return [self.item.name, *([f"{self.item.name} is missing"] if self.flagged else [])]


def encode(task: Task, encoding: Encoding, without: tuple[str, ...] = ()) -> tuple[Floats, Floats]:
    """Return the training and the test matrix.

    Parameters
    ----------
    task
        The task.
    encoding
        ``one-hot``: every code of every item, numbers and missing codes too, is a 0/1 column; a code that the training
        part lacks is all zeros (as in the published studies). ``ordinal``: scales and numbers are standardised columns,
        cut at the training part's range, a missing answer is the mean plus a 0/1 column; nominal items stay 0/1
        columns.
    without
        Items to leave out.
    """
    return describe(task, encoding, without)[1:]


def describe(task: Task, encoding: Encoding, without: tuple[str, ...] = ()) -> tuple[list[str], Floats, Floats]:
    """Return the names of the columns, the training and the test matrix of `encode`."""
    items = [item for item in task.items if item.name not in without]
    plan = [_plan(item, task.train[item.name].to_list(), encoding, task.mapping) for item in items]
    names = [name for columns in plan for name in columns.names]
    return names, _matrix(plan, task.train, task.mapping), _matrix(plan, task.test, task.mapping)


def _plan(item: Item, codes: list[str], encoding: Encoding, mapping: SurveyMapping) -> Columns:
    if encoding == "one-hot" or item.kind == "nominal":
        seen = sorted(set(codes))
        if item.when_missing == "omit":
            seen = [code for code in seen if not mapping.no_answer(item, code)]
        return Columns(item, tuple(seen))
    values = _scale(item, codes, mapping)
    known = values[~np.isnan(values)]
    flagged = item.when_missing == "category" and len(known) < len(values)
    if not len(known) or known.std() == 0:
        return Columns(item, (), float(known.mean()) if len(known) else 0.0, 1.0, flagged=flagged)
    return Columns(item, (), float(known.mean()), float(known.std()), float(known.min()), float(known.max()), flagged)


def _scale(item: Item, codes: list[str], mapping: SurveyMapping) -> Floats:
    """Return places on a scale (the rank of the answer, or the number), NaN where the answer is missing."""
    rank = {code: float(place) for place, code in enumerate(item.answers)}
    known: dict[str, float] = {}
    for code in set(codes):
        if mapping.no_answer(item, code):
            known[code] = float("nan")
        else:
            known[code] = rank[code] if item.kind == "ordinal" else float(code)
    return np.array([known[code] for code in codes])


def _matrix(plan: list[Columns], frame: pl.DataFrame, mapping: SurveyMapping) -> Floats:
    blocks: list[Floats] = [np.zeros((frame.height, 0))]
    for columns in plan:
        codes = frame[columns.item.name].to_list()
        if columns.categories or columns.item.kind == "nominal":
            blocks.append(
                np.array(
                    [[code == category for category in columns.categories] for code in codes], dtype=float
                ).reshape(len(codes), -1)
            )
            continue
        values = _scale(columns.item, codes, mapping)
        gone = np.isnan(values)
        values = np.clip(values, columns.low, columns.high)
        blocks.append(np.where(gone, 0.0, (values - columns.center) / columns.scale)[:, None])
        if columns.flagged:
            blocks.append(gone.astype(float)[:, None])
    return np.concatenate(blocks, axis=1)
