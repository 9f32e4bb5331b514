"""Tables of a finished experiment.

Takes `VOTES` and the table of respondents, gives tidy tables. Knows no file and no figure.

Figures are taken over all out-of-fold predictions of a condition; `sd_folds` is their spread over folds. Intervals come
from a bootstrap over respondents, the same draws for all models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from temporal_adapters.vote import breakdowns, inference, metrics
from temporal_adapters.vote.arrays import INTERVALS, Drawn, Votes, as_parts, draw
from temporal_adapters.vote.published import PUBLISHED, published_table

if TYPE_CHECKING:
    from temporal_adapters.vote.folds import Case


def all_tables(
    votes: pl.DataFrame,
    respondents: pl.DataFrame,
    cases: Sequence[Case],
    labels: Sequence[str],
    *,
    weighted: bool = False,
    published: str | None = None,
    draws: int = inference.DRAWS,
    tabular: Sequence[str] = (),
    n_train: Mapping[str, float] | None = None,
) -> dict[str, pl.DataFrame]:
    """Return every table by name; see this module and `breakdowns` for their columns.

    Parameters
    ----------
    votes
        `VOTES`, from `grid.collect`.
    respondents
        From ``respondents/respondents.parquet``.
    cases
        Conditions, from `folds.expand`.
    labels
        Classes in order.
    weighted
        Use the survey weights.
    published
        A key of `PUBLISHED` to show as reference.
    draws
        Bootstrap draws.
    tabular
        Names of the tabular models: the best of them is the bar for the others.
    n_train
        Condition -> mean size of the training parts; without it all respondents but the test part.
    """
    parts = as_parts(votes, labels, weighted)
    drawn = {condition: draw(models, len(labels), draws) for condition, models in parts.items()}
    tables = {
        "figures": figures(parts, drawn),
        "per_fold": per_fold(parts),
        "f1": f1(parts, drawn, labels, published),
        "bar": bar(parts, drawn, tabular, n_train),
        "comparisons": comparisons(parts, drawn, n_train or {}),
        "shares": breakdowns.shares(parts, labels),
        "confusion": breakdowns.confusion(parts, labels),
        "calibration": breakdowns.calibration(parts),
        "left_out": breakdowns.left_out(parts, drawn, respondents, cases, votes),
        "fractions": breakdowns.fractions(parts, drawn, cases),
        "subgroups": breakdowns.subgroups(votes, respondents, weighted),
    }
    if published is not None:
        tables["published"] = published_table(published)
    return {name: table for name, table in tables.items() if table.height}


def figures(parts: dict[str, dict[str, Votes]], drawn: dict[str, Drawn]) -> pl.DataFrame:
    """Return condition, model, figure, value, low, high (accuracy and macro F1 only), sd_folds, n."""
    rows = []
    for condition, models in parts.items():
        for model, one in models.items():
            values = metrics.all_figures(one.truth, one.probabilities, one.weights)
            spread = _over_folds(one)
            for figure, value in values.items():
                row = {
                    "condition": condition,
                    "model": model,
                    "figure": figure,
                    "value": value,
                    "low": None,
                    "high": None,
                }
                if figure in INTERVALS:
                    estimate = inference.interval(value, INTERVALS[figure](drawn[condition][model][1]))
                    row.update(low=estimate.low, high=estimate.high)
                rows.append({**row, "sd_folds": spread[figure], "n": len(np.unique(one.respondent))})
    return pl.DataFrame(rows, schema_overrides={"low": pl.Float64, "high": pl.Float64})


def per_fold(parts: dict[str, dict[str, Votes]]) -> pl.DataFrame:
    """Return condition, model, figure (tvd_argmax, tvd_mean, ece), pooled, mean_folds, floor_pooled, floor_folds.

    A floor is what the figure comes to by chance alone under a right model, in all respondents or in one fold: pooled
    folds hide errors that cancel out, and small folds show errors that are none.
    """
    rows = []
    for condition, models in parts.items():
        for model, one in models.items():
            pooled = metrics.all_figures(one.truth, one.probabilities, one.weights)
            chance = metrics.floors(one.truth, one.probabilities, one.weights)
            folds = list(_by_fold(one))
            chances = [metrics.floors(*part) for part in _parts_of_folds(one)]
            for figure, floor in chance.items():
                rows.append(
                    {
                        "condition": condition,
                        "model": model,
                        "figure": figure,
                        "pooled": pooled[figure],
                        "mean_folds": float(np.mean([fold[figure] for fold in folds])),
                        "floor_pooled": floor,
                        "floor_folds": float(np.mean([fold[figure] for fold in chances])),
                    }
                )
    return pl.DataFrame(rows)


def _by_fold(one: Votes) -> Iterator[dict[str, float]]:
    yield from (metrics.all_figures(*part) for part in _parts_of_folds(one))


def _parts_of_folds(one: Votes) -> Iterator[tuple[Any, Any, Any]]:
    """Yield truth, probabilities and weights of each fold."""
    for fold in np.unique(one.fold):
        rows = one.fold == fold
        yield one.truth[rows], one.probabilities[rows], one.weights[rows] if one.weights is not None else None


def _over_folds(one: Votes) -> dict[str, float]:
    found = list(_by_fold(one))
    return {
        figure: float(np.std([fold[figure] for fold in found], ddof=1)) if len(found) > 1 else float("nan")
        for figure in found[0]
    }


def f1(
    parts: dict[str, dict[str, Votes]], drawn: dict[str, Drawn], labels: Sequence[str], published: str | None = None
) -> pl.DataFrame:
    """Return condition, model, label, f1, low, high, support (respondents who truly belong to the class)."""
    rows = []
    for condition, models in drawn.items():
        for model, (matrix, spread) in models.items():
            for k, estimate in enumerate(inference.class_intervals(matrix, spread)):
                support = float(matrix[k].sum())
                rows.append(
                    {
                        "condition": condition,
                        "model": model,
                        "label": labels[k],
                        "f1": estimate.value,
                        "low": estimate.low,
                        "high": estimate.high,
                        "support": support,
                    }
                )
    if published is not None:
        entry = PUBLISHED[published]
        known = {label: value for label, value in entry["f1"].items() if label in labels}
        rows += [
            {
                "condition": "published",
                "model": entry["model"],
                "label": label,
                "f1": value,
                "low": None,
                "high": None,
                "support": None,
            }
            for label, value in known.items()
        ]
    return pl.DataFrame(rows, infer_schema_length=None)


def bar(
    parts: dict[str, dict[str, Votes]],
    drawn: dict[str, Drawn],
    tabular: Sequence[str],
    n_train: Mapping[str, float] | None = None,
) -> pl.DataFrame:
    """Return condition, figure, model, bar, difference (model - bar), low, high, p, q, p_t, q_t, verdict.

    One row per language model; `bar` is the best tabular model. It is chosen on the same data, in its own favour: a
    model that clears it does so against the strongest of them. q and q_t are Holm-adjusted over the models of the
    condition and figure. A verdict needs both: the bootstrap over respondents alone does not know that another training
    sample or seed would have given another model, the corrected t-test over folds and seeds does.
    """
    rows: list[dict[str, Any]] = []
    for condition, models in parts.items():
        simple = [name for name in models if name in tabular]
        others = [name for name in models if name not in tabular]
        if not simple or not others:
            continue
        for figure, compute in INTERVALS.items():
            value = {name: float(compute(drawn[condition][name][0])) for name in models}
            best = max(simple, key=lambda name: value[name])
            family: list[dict[str, Any]] = []
            for name in others:
                size = (n_train or {}).get(condition)
                row = _compare(condition, figure, name, best, models, drawn[condition], size)
                family.append({"model": row.pop("first"), "bar": row.pop("second"), **row})
            _adjust(family)
            rows += [{**row, "verdict": _verdict(row["difference"], max(row["q"], row["q_t"]))} for row in family]
    return pl.DataFrame(rows)


def _verdict(difference: float, q: float) -> str:
    if q >= 1 - inference.LEVEL:
        return "no difference shown"
    return "beats the best tabular model" if difference > 0 else "falls short of the best tabular model"


def comparisons(
    parts: dict[str, dict[str, Votes]], drawn: dict[str, Drawn], n_train: Mapping[str, float] | None = None
) -> pl.DataFrame:
    """Return condition, figure, first, second, difference (first - second), low, high, p, q, t, p_t, q_t.

    p from the paired bootstrap over respondents, p_t from the corrected resampled t-test over folds; q and q_t are
    Holm-adjusted over all pairs of the condition and figure.
    """
    rows: list[dict[str, Any]] = []
    for condition, models in parts.items():
        if len(models) < 2:
            continue
        for figure in INTERVALS:
            family = [
                _compare(condition, figure, first, second, models, drawn[condition], (n_train or {}).get(condition))
                for first, second in combinations(models, 2)
            ]
            _adjust(family)
            rows += family
    return pl.DataFrame(rows)


def _adjust(family: list[dict[str, Any]]) -> None:
    for column, adjusted in (("p", "q"), ("p_t", "q_t")):
        for row, value in zip(family, inference.holm([row[column] for row in family]), strict=True):
            row[adjusted] = value


def _compare(
    condition: str,
    figure: str,
    first: str,
    second: str,
    models: dict[str, Votes],
    drawn: Drawn,
    n_train: float | None,
) -> dict[str, Any]:
    compute = INTERVALS[figure]
    (matrix_1, draws_1), (matrix_2, draws_2) = drawn[first], drawn[second]
    estimate = inference.difference(
        float(compute(matrix_1)), float(compute(matrix_2)), compute(draws_1), compute(draws_2)
    )
    differences = [
        one[figure] - other[figure]
        for one, other in zip(_by_fold(models[first]), _by_fold(models[second]), strict=True)
    ]
    n_test = len(models[first].fold) / len(differences)
    size = n_train if n_train is not None else len(np.unique(models[first].respondent)) - n_test
    t, p_t = inference.corrected_t(differences, size, n_test)
    return {
        "condition": condition, "figure": figure, "first": first, "second": second, "difference": estimate.value,
        "low": estimate.low, "high": estimate.high, "p": estimate.p, "q": None, "t": t, "p_t": p_t, "q_t": None,
    }  # fmt: skip
