"""Folds and conditions: who is learned from, who is predicted, and what a model may see.

Takes respondents and an experiment's conditions, gives tasks: a training part, a whole test part, the visible items.
Knows no model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from temporal_adapters.ground.errors import VoteError
from temporal_adapters.study.config import Condition, Item, SurveyMapping
from temporal_adapters.vote.respondents import Respondents

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Case:
    """One condition, with the families (each party, each fraction) spelled out.

    Attributes
    ----------
    name
        Name in tables and folders, such as ``without-spd`` or ``fraction-5``.
    condition
        As given in the experiment.
    left_out
        Class whose identifiers are left out of the training part.
    fraction
        Stratified fraction of the training part.
    period
        Election that is predicted; the others are learned from.
    share
        Stratified share of that election's own training part that is learned from, too.
    """

    name: str
    condition: Condition
    left_out: str | None = None
    fraction: float | None = None
    period: str | None = None
    share: float = 0.0


@dataclass(frozen=True)
class Task:
    """What one model has to do: learn from `train`, predict `test`.

    Attributes
    ----------
    mapping, case
        The survey, the condition.
    fold, seed
        Number of the fold (counting on over repetitions); seed of everything random in it.
    items
        The items that models see.
    train, test
        Frames as in `Respondents`; `test` is the whole fold. Items with ``when_missing: impute`` are filled in.
    """

    mapping: SurveyMapping
    case: Case
    fold: int
    seed: int
    items: tuple[Item, ...]
    train: pl.DataFrame
    test: pl.DataFrame

    @property
    def truth(self) -> NDArray[np.int64]:
        """Return the class indices of the training part."""
        return class_indices(self.train, self.mapping)

    @property
    def own_party_item(self) -> Item | None:
        """Return the own-party item if the survey has one and the condition shows it."""
        own = self.mapping.own_party
        return next((item for item in self.items if own is not None and item.name == own.item), None)

    def own_party(self, frame: pl.DataFrame) -> NDArray[np.int64]:
        """Return each respondent's own party as a class index, -1 for none or unknown."""
        own = self.mapping.own_party
        if own is None:
            raise VoteError(f"the mapping {self.mapping.survey!r} names no own-party item (`own_party`)")
        place = {code: self.mapping.labels.index(label) for code, label in own.labels.items()}
        return np.array([place.get(code, -1) for code in frame[own.item].to_list()], dtype=np.int64)


def class_indices(frame: pl.DataFrame, mapping: SurveyMapping) -> NDArray[np.int64]:
    """Return the votes as class indices, shape (n,)."""
    place = {name: index for index, name in enumerate(mapping.labels)}
    return np.array([place[vote] for vote in frame["vote"].to_list()], dtype=np.int64)


def expand(conditions: Sequence[Condition], mapping: SurveyMapping) -> list[Case]:
    """Return the cases of an experiment, families spelled out.

    Raises
    ------
    VoteError
        If a condition names an item, a code or a class that the mapping does not have.
    """
    cases: list[Case] = []
    for condition in conditions:
        _check(condition, mapping)
        shares = condition.test_shares if condition.test_period is not None else (0.0,)
        for party, fraction, period, share in product(
            _parties(condition, mapping), condition.fractions or (None,), _tested(condition, mapping), shares
        ):
            name = condition.name
            if condition.leave_out_party == "each":
                name += f"-{slug(str(party))}"
            if len(condition.fractions) > 1:
                name += f"-{100 * (fraction or 1):g}"
            if condition.test_period == "each":
                name += f"-{slug(str(period))}"
            if len(shares) > 1:
                name += f"-plus-{100 * share:g}"
            cases.append(Case(name, condition, party, fraction, period, share))
    names = [case.name for case in cases]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise VoteError(f"two conditions are called {doubled!r} once their families are spelled out: rename one")
    return cases


def slug(text: str) -> str:
    """Return `text` as it may stand in a folder name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _parties(condition: Condition, mapping: SurveyMapping) -> Sequence[str | None]:
    if condition.leave_out_party is None or mapping.own_party is None:
        return (None,)
    if condition.leave_out_party != "each":
        return (condition.leave_out_party,)
    named = set(mapping.own_party.labels.values())
    return [name for name in mapping.labels if name in named]


def _tested(condition: Condition, mapping: SurveyMapping) -> Sequence[str | None]:
    if condition.test_period != "each" or mapping.period is None:
        return (condition.test_period,)
    return mapping.period.codes


def _check(condition: Condition, mapping: SurveyMapping) -> None:
    place = f"condition {condition.name!r}"
    names = [item.name for item in mapping.items]
    for name in (*condition.without_items, *(only.item for only in condition.only)):
        if name not in names:
            raise VoteError(f"{place}: the mapping {mapping.survey!r} has no item {name!r} (it has {', '.join(names)})")
    for only in condition.only:
        known = mapping.item(only.item).answers
        wrong = next((code for code in only.codes if known and code not in known), None)
        if wrong is not None:
            raise VoteError(f"{place}: the item {only.item!r} has no code {wrong} (it has {', '.join(known)})")
    if (condition.leave_out_party or condition.mask_party_names) and mapping.own_party is None:
        raise VoteError(f"{place}: needs `own_party` in the mapping {mapping.survey!r}")
    if condition.test_period is not None:
        if mapping.period is None:
            raise VoteError(f"{place}: `test_period` needs `period` in the mapping {mapping.survey!r}")
        if condition.test_period not in ("each", *mapping.period.codes):
            periods = ", ".join(mapping.period.codes)
            raise VoteError(f"{place}: there is no period {condition.test_period!r} (choose each, {periods})")
    parties = list(dict.fromkeys(mapping.own_party.labels.values())) if mapping.own_party is not None else []
    if condition.leave_out_party not in (None, "each", *parties):
        raise VoteError(
            f"{place}: nobody can identify with {condition.leave_out_party!r} (choose each, {', '.join(parties)})"
        )
    if condition.mask_party_names and mapping.own_party is not None:
        bare = [
            label.name
            for label in mapping.target.labels
            if label.masked is None and label.name in mapping.own_party.labels.values()
        ]
        if bare:
            raise VoteError(f"{place}: the class {bare[0]!r} has no `masked` words in the mapping {mapping.survey!r}")


def splits(
    respondents: Respondents, folds: int, seeds: Sequence[int]
) -> Iterator[tuple[int, int, NDArray[np.int64], NDArray[np.int64]]]:
    """Yield fold number, seed, training rows, test rows: stratified and shuffled, repeated once per seed.

    The assignment is scikit-learn's ``StratifiedKFold(folds, shuffle=True, random_state=seed)`` on the votes, which the
    published study uses with seed 24.

    Raises
    ------
    VoteError
        If a class has fewer respondents than there are folds.
    """
    from sklearn.model_selection import StratifiedKFold

    votes = respondents.frame["vote"].to_list()
    for name in respondents.mapping.labels:
        n = votes.count(name)
        if n < folds:
            raise VoteError(
                f"the class {name!r} has {n} respondents, fewer than {folds} folds: it would be absent from a "
                "fold; merge it with another class in the mapping, or lower `folds`"
            )
    for repetition, seed in enumerate(seeds):
        parts = StratifiedKFold(folds, shuffle=True, random_state=seed).split(np.zeros(len(votes)), votes)
        for number, (train, test) in enumerate(parts):
            yield repetition * folds + number, seed, train.astype(np.int64), test.astype(np.int64)


def make_task(
    respondents: Respondents, case: Case, fold: int, seed: int, train: NDArray[np.int64], test: NDArray[np.int64]
) -> Task:
    """Return the task of one case and fold: masks cut the training part only.

    Raises
    ------
    VoteError
        If the masks leave fewer than two classes to learn from.
    """
    mapping = respondents.mapping
    learned, asked = _elections(respondents.frame, case, seed, mapping, train, test)
    part = _masked(learned, case, mapping)
    part = _subset(part, case.fraction, seed, mapping)
    if part["vote"].n_unique() < 2:
        raise VoteError(
            f"condition {case.name!r}, fold {fold}: the training part has {part.height} respondents of "
            f"{part['vote'].n_unique()} classes, at least 2 classes are needed"
        )
    items = tuple(item for item in mapping.items if item.name not in case.condition.without_items)
    part, whole = _fill(part, asked, items, mapping)
    return Task(mapping, case, fold, seed, items, part, whole)


def _elections(
    frame: pl.DataFrame,
    case: Case,
    seed: int,
    mapping: SurveyMapping,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return who is learned from and who is predicted: all of the other elections, and one fold of this one."""
    import polars as pl

    if case.period is None:
        return frame[train], frame[test]
    mine = pl.col("period") == case.period
    learned = frame.filter(~mine)
    if case.share:
        learned = pl.concat([learned, _subset(frame[train].filter(mine), case.share, seed, mapping)])
    return learned, frame[test].filter(mine)


def _masked(frame: pl.DataFrame, case: Case, mapping: SurveyMapping) -> pl.DataFrame:
    import polars as pl

    if case.left_out is not None and mapping.own_party is not None:
        codes = [code for code, label in mapping.own_party.labels.items() if label == case.left_out]
        frame = frame.filter(~pl.col(mapping.own_party.item).is_in(codes))
    for only in case.condition.only:
        frame = frame.filter(pl.col(only.item).is_in(only.codes))
    return frame


def _subset(frame: pl.DataFrame, fraction: float | None, seed: int, mapping: SurveyMapping) -> pl.DataFrame:
    """Return a stratified fraction, at least one respondent per class; smaller fractions are part of larger ones."""
    if fraction is None or fraction == 1:
        return frame
    rng = np.random.default_rng([seed, 0])
    votes = np.array(frame["vote"].to_list())
    chosen: list[int] = []
    for name in mapping.labels:
        rows = rng.permutation(np.flatnonzero(votes == name))
        chosen.extend(rows[: max(round(fraction * len(rows)), min(1, len(rows)))].tolist())
    return frame[sorted(chosen)]


def _fill(
    train: pl.DataFrame, test: pl.DataFrame, items: Sequence[Item], mapping: SurveyMapping
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Fill in missing answers of items with ``when_missing: impute``: the training part's mode, or median on scales."""
    import polars as pl

    for item in items:
        if item.when_missing != "impute":
            continue
        valid = [code for code in train[item.name].to_list() if not mapping.no_answer(item, code)]
        if not valid:
            raise VoteError(f"the item {item.name!r} has no valid answer in the training part: it cannot be imputed")
        typical = _typical(item, valid)
        filled = [
            frame.with_columns(
                pl.Series(
                    item.name,
                    [typical if mapping.no_answer(item, code) else code for code in frame[item.name].to_list()],
                    dtype=pl.String,
                )
            )
            for frame in (train, test)
        ]
        train, test = filled
    return train, test


def _typical(item: Item, valid: list[str]) -> str:
    if item.kind == "nominal":
        return max(sorted(set(valid)), key=valid.count)
    order = list(item.answers) if item.kind == "ordinal" else sorted(set(valid), key=float)
    ranked = sorted(valid, key=order.index)
    return ranked[len(ranked) // 2]
