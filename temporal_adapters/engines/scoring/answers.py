"""Scores to answers: shares, centred log-ratios and masses, one row per option, in the columns of ANSWERS.

Takes form scores and the questionnaire, gives rows. Knows no model and no file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from temporal_adapters.engines.scoring.methods import METHODS, Method
from temporal_adapters.engines.scoring.moments import moments, ordinal_distance
from temporal_adapters.engines.scoring.orders import (
    Array,
    Scores,
    debias,
    permutation,
    position_prior,
    position_shares,
    positions,
)
from temporal_adapters.engines.scoring.question import Question, clr, softmax
from temporal_adapters.engines.scoring.records import FormScore
from temporal_adapters.study.questionnaire import Item, Questionnaire


@dataclass(frozen=True)
class Source:
    """Whose answers these are.

    Attributes
    ----------
    adapter
        `base`, or ``2023-W14/seed-42``.
    week
        First day of the adapter's week; None for the base.
    seed
        Seed; None for the base.
    """

    adapter: str
    week: date | None = None
    seed: int | None = None


Place = tuple[str, str, str]
"""Item, wording and order."""

ALL_ORDERS = "all"
"""Order of an answer that is a mean over orders."""


def questions(rows: Iterable[FormScore], base: Mapping[Place, Question] | None = None) -> dict[Place, Question]:
    """Return the form scores of one adapter by item, wording and order.

    Contexts that do not depend on the order (premise, content-free) are given to every order of their wording.
    """
    grouped: dict[Place, list[FormScore]] = {}
    shared: dict[tuple[str, str], list[FormScore]] = {}
    for row in rows:
        if row.context == "premise" or row.context.startswith("content-free-"):
            shared.setdefault((row.item, row.wording), []).append(row)
        else:
            grouped.setdefault((row.item, row.wording, row.order), []).append(row)
    found = base or {}
    return {
        place: Question(members + shared.get(place[:2], []), found.get(place)) for place, members in grouped.items()
    }


class Reference:
    """The base model's answers, scored once and compared with every adapter's.

    Parameters
    ----------
    rows
        Form scores of the base.
    questionnaire
        The questionnaire they answer.
    """

    def __init__(self, rows: Iterable[FormScore], questionnaire: Questionnaire) -> None:
        self.questionnaire = questionnaire
        own = questions(rows)
        self.questions = {place: Question(question.rows, question) for place, question in own.items()}
        self._scores: dict[str, dict[Place, Scores]] = {}
        self._priors: dict[int, Array] = {}

    def scores(self, method: str) -> dict[Place, Scores]:
        """Return the base's scores by one method (the base contrast of the base with itself is 0)."""
        if method not in self._scores:
            self._scores[method] = score_all(self.questions, method, self)
        return self._scores[method]

    def shares(self, method: str, place: Place, temperature: float) -> dict[str, float]:
        """Return the base's shares of the substantive options, made like those of every adapter."""
        return normalise(self.questionnaire.item(place[0]), self.scores(method)[place], temperature)[0]

    def prior(self, n_positions: int) -> Array:
        """Return the base's prior over `n_positions` positions, from all items that list so many in several orders."""
        if n_positions not in self._priors:
            found = []
            for (item, wording), by_order in _by_wording(_each(self.questions, METHODS["label"])).items():
                places = _positions(self.questionnaire.item(item), wording)
                if len(by_order) > 1 and len(next(iter(places.values()))) == n_positions:
                    found.append((by_order, places))
            self._priors[n_positions] = position_prior(found)
        return self._priors[n_positions]


def score_all(asked: Mapping[Place, Question], method: str, reference: Reference) -> dict[Place, Scores]:
    """Return the scores of all questions that `method` fits.

    Parameters
    ----------
    asked
        Questions of one model.
    method
        Name in `METHODS`.
    reference
        The base, for the position prior.
    """
    how = METHODS[method]
    scores = _each(asked, how)
    if how.orders == "each":
        return scores
    found: dict[Place, Scores] = {}
    for (name, wording), by_order in _by_wording(scores).items():
        item = reference.questionnaire.item(name)
        if len(by_order) < 2:
            continue
        if how.orders == "mean":
            found[name, wording, ALL_ORDERS] = permutation(by_order, item.options)
            continue
        for order, names in _positions(item, wording).items():
            found[name, wording, order] = debias(by_order[order], names, reference.prior(len(names)))
    return found


def _each(asked: Mapping[Place, Question], how: Method) -> dict[Place, Scores]:
    fits = {place: q for place, q in asked.items() if all(q.contexts(kind) for kind in how.contexts)}
    return {place: how.score(question) for place, question in fits.items()}


def _by_wording(scores: Mapping[Place, Scores]) -> dict[tuple[str, str], dict[str, Scores]]:
    found: dict[tuple[str, str], dict[str, Scores]] = {}
    for (item, wording, order), one in scores.items():
        found.setdefault((item, wording), {})[order] = one
    return found


def _positions(item: Item, wording: str) -> dict[str, list[str]]:
    return positions(item, next(one for one in item.wordings if one.name == wording))


def answer_rows(
    source: Source, rows: Iterable[FormScore], reference: Reference, methods: Sequence[str], temperature: float = 1.0
) -> Iterator[dict[str, Any]]:
    """Yield the rows of ANSWERS of one model.

    Parameters
    ----------
    source
        Whose answers these are.
    rows
        Its form scores.
    reference
        The base's answers to the same questionnaire.
    methods
        Scoring methods; each is applied to the wordings it fits.
    temperature
        T of share = softmax(s / T) over options.
    """
    asked = questions(rows, reference.questions)
    for method in methods:
        under_base = reference.scores(method)
        for place, scores in score_all(asked, method, reference).items():
            yield from _rows(source, place, method, scores, under_base[place], reference.questionnaire, temperature)


def _rows(
    source: Source,
    place: Place,
    method: str,
    scores: Scores,
    under_base: Scores,
    questionnaire: Questionnaire,
    temperature: float,
) -> Iterator[dict[str, Any]]:
    item = questionnaire.item(place[0])
    shares, ratios = normalise(item, scores, temperature)
    masses = mass_by_role(item, scores)
    alone = METHODS[method].alone
    for option in item.options:
        if option.name not in scores:
            continue
        score = scores[option.name]
        yield {
            "week": source.week,
            "seed": source.seed,
            "adapter": source.adapter,
            "item": place[0],
            "wording": place[1],
            "order": place[2],
            "method": method,
            "option": option.name,
            "role": option.role,
            "code": option.code,
            "value": option.value,
            "logprob": score.logprob,
            "n_tokens": score.n_tokens,
            "share": shares.get(option.name),
            "clr": ratios.get(option.name),
            "base_logprob": under_base[option.name].logprob,
            "mass_valid": score.mass if alone else masses[0],
            "mass_nonresponse": 0.0 if alone else masses[1],
        }


def normalise(item: Item, scores: Scores, temperature: float = 1.0) -> tuple[dict[str, float], dict[str, float]]:
    """Return share and clr of every substantive option; a method that brings its own shares keeps them."""
    names = [option.name for option in item.options if option.role == "substantive" and option.name in scores]
    own = {name: (scores[name].share, scores[name].clr) for name in names}
    if all(share is not None for share, _ in own.values()):
        return ({name: float(one[0] or 0.0) for name, one in own.items()},
                {name: float(one[1] or 0.0) for name, one in own.items()})  # fmt: skip
    values = [scores[name].logprob for name in names]
    return dict(zip(names, softmax(values, temperature), strict=True)), dict(zip(names, clr(values), strict=True))


def mass_by_role(item: Item, scores: Scores) -> tuple[float | None, float | None]:
    """Return the mass of valid answers (substantive and exclusive) and of nonresponse."""
    if any(score.mass is None for score in scores.values()):
        return None, None
    found = [0.0, 0.0]
    for option in item.options:
        if option.name in scores:
            found[option.role == "nonresponse"] += scores[option.name].mass or 0.0
    return found[0], found[1]


def scale_rows(
    records: Sequence[Mapping[str, Any]], reference: Reference, temperature: float = 1.0
) -> Iterator[dict[str, Any]]:
    """Yield one row per scale question from the ANSWERS rows of one model: moments, and the distance to the base.

    Columns beside those that name the answer: mean, variance, top_minus_bottom, and `base_distance`, the earth mover's
    distance to the base's shares by the same method at the same `temperature` as the records', in units of the scale.
    Nonresponse never enters.
    """
    grouped: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for record in records:
        if record["role"] == "substantive" and reference.questionnaire.item(record["item"]).type == "scale":
            grouped.setdefault(tuple(record[name] for name in _NAMES), []).append(record)
    for names, members in grouped.items():
        values, shares = [row["value"] for row in members], [row["share"] for row in members]
        found = moments(values, shares)
        first = members[0]
        under_base = reference.shares(first["method"], (first["item"], first["wording"], first["order"]), temperature)
        base = [under_base[row["option"]] for row in members]
        yield {
            **dict(zip(_NAMES, names, strict=True)),
            "mean": found.mean,
            "variance": found.variance,
            "top_minus_bottom": found.top_minus_bottom,
            "base_distance": ordinal_distance(values, shares, base),
        }


_NAMES = ("week", "seed", "adapter", "item", "wording", "order", "method")


def position_rows(source: Source, rows: Iterable[FormScore], reference: Reference) -> Iterator[dict[str, Any]]:
    """Yield the mean share of every position, for every wording that was asked in several orders.

    Columns: week, seed, adapter, item, wording, method (`label` or `sequence`), position (from 1), share, n_orders.
    """
    asked = questions(rows)
    for method in ("label", "sequence"):
        for (item, wording), by_order in _by_wording(_each(asked, METHODS[method])).items():
            if len(by_order) < 2:
                continue
            places = _positions(reference.questionnaire.item(item), wording)
            for position, share in enumerate(position_shares(by_order, places), start=1):
                yield {
                    "week": source.week,
                    "seed": source.seed,
                    "adapter": source.adapter,
                    "item": item,
                    "wording": wording,
                    "method": method,
                    "position": position,
                    "share": float(share),
                    "n_orders": len(by_order),
                }
