"""`VOTES` as arrays, with the bootstrap draws that all tables share.

Takes `VOTES`, gives arrays per condition and model. Knows no table of results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from temporal_adapters.ground.errors import VoteError
from temporal_adapters.vote import inference, metrics

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Votes:
    """`VOTES` of one condition and model as arrays, rows ordered by fold and respondent.

    Attributes
    ----------
    respondent
        Row number in the sorted list of all respondents, shape (n,).
    fold, truth, predicted, probabilities, weights
        As in `metrics`; `predicted` is n_classes where there is no answer.
    """

    respondent: NDArray[np.int64]
    fold: NDArray[np.int64]
    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    weights: NDArray[np.float64] | None


def arrays(part: pl.DataFrame, labels: Sequence[str], ids: dict[str, int], weighted: bool) -> Votes:
    """Return `VOTES` of one condition and model as arrays; `ids` gives each respondent a number."""
    part = part.sort("fold", "respondent_id")
    place = {name: index for index, name in enumerate(labels)}
    probabilities = part.select([f"p_{name}" for name in labels]).to_numpy()
    return Votes(
        respondent=np.array([ids[one] for one in part["respondent_id"].to_list()]),
        fold=part["fold"].to_numpy(),
        truth=np.array([place[vote] for vote in part["vote"].to_list()]),
        predicted=np.array([place.get(vote, len(labels)) for vote in part["predicted"].to_list()]),
        probabilities=probabilities,
        weights=part["weight"].to_numpy() if weighted else None,
    )


def as_parts(votes: pl.DataFrame, labels: Sequence[str], weighted: bool) -> dict[str, dict[str, Votes]]:
    """Return condition -> model -> votes, in order of appearance."""
    ids = {one: row for row, one in enumerate(sorted(votes["respondent_id"].unique().to_list()))}
    found: dict[str, dict[str, Votes]] = {}
    for (condition, model), part in votes.group_by("condition", "model", maintain_order=True):
        found.setdefault(str(condition), {})[str(model)] = arrays(part, labels, ids, weighted)
    return found


Drawn = dict[str, tuple[Any, Any]]


def draw(models: dict[str, Votes], n_classes: int, draws: int) -> Drawn:
    """Return model -> (confusion matrix, its draws); everybody is drawn alike for all models."""
    first = next(iter(models.values()))
    for name, one in models.items():
        if not np.array_equal(one.respondent, first.respondent):
            raise VoteError(
                f"the model {name!r} was tested on other respondents than {next(iter(models))!r}: run `ta vote "
                "run` again"
            )
    matrices, drawn = inference.bootstrap_matrices(
        first.respondent, first.truth, [one.predicted for one in models.values()], n_classes, first.weights, draws=draws
    )
    return dict(zip(models, zip(matrices, drawn, strict=True), strict=True))


def accuracies(matrices: Any) -> Any:
    """Return the share of correct predictions of many confusion matrices."""
    return np.trace(matrices, axis1=-2, axis2=-1) / matrices.sum(axis=(-2, -1))


INTERVALS: dict[str, Any] = {"accuracy": accuracies, "macro_f1": metrics.macro_f1}
"""Figures with a bootstrap interval: name -> function of (many) confusion matrices."""
