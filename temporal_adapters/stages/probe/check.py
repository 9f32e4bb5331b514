"""What a survey methodologist should know about a questionnaire under one base model, before trusting a number.

Takes a questionnaire and a base, gives findings. Knows no adapters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from temporal_adapters.engines.scoring import LABEL, METHODS, PROMPT, Question, mass_by_role, questions
from temporal_adapters.ground.errors import ProbeError
from temporal_adapters.stages.probe.encode import Encoder
from temporal_adapters.stages.probe.plan import Ask, plan, repeated
from temporal_adapters.study.questionnaire import SEPARATING_METHODS, Item, Questionnaire

if TYPE_CHECKING:
    from temporal_adapters.engines.model import Base

LOW_MASS = 0.1
"""Probability on all options of a question below which its shares describe a corner of what the model would say."""

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing to know.

    Attributes
    ----------
    level
        `error`: no number can be given; `warning`: a number would mislead; `note`: good to know.
    place
        Item and wording.
    sentence
        What, and what to change.
    """

    level: Level
    place: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.level}: {self.place}: {self.sentence}"


def check_tokens(questionnaire: Questionnaire, tokenizer: Any, methods: Sequence[str]) -> list[Finding]:
    """Return what the tokenizer does to the questionnaire: merges over the split, shared first tokens, long labels."""
    encoder, found = Encoder(tokenizer), []
    for item in questionnaire.items:
        for wording in item.wordings:
            place = f"{item.name} / {wording.name}"
            alone = Questionnaire(questionnaire.name, (_only(item, wording.name),))
            kind = "inclusion" if wording.ask == "each" else "label" if wording.listing in _LABELLED else "trie"
            try:
                asks = plan(alone, encoder, sorted({kind, *(["trie"] if wording.ask == "whole" else [])}))
            except ProbeError as error:
                found.append(Finding("error", place, str(error).split(": ", 1)[-1]))
                continue
            found.extend(_about(place, asks, methods))
    return found


_LABELLED = ("letters", "numbers")


def _only(item: Item, wording: str) -> Item:
    from dataclasses import replace

    return replace(item, wordings=tuple(one for one in item.wordings if one.name == wording))


def _about(place: str, asks: Sequence[Ask], methods: Sequence[str]) -> Iterator[Finding]:
    first: dict[int, dict[str, None]] = {}
    for ask in asks:
        if ask.context == PROMPT:
            first.setdefault(ask.encoded.answer[0], {})[ask.option] = None
        if ask.context == LABEL and len(ask.encoded.answer) > 1 and ask.order == "as-written":
            yield Finding("note", place, f"the label {ask.form!r} is {len(ask.encoded.answer)} tokens, not one")
    shared = [list(options) for options in first.values() if len(options) > 1]
    if shared:
        listed = "; ".join(" and ".join(options) for options in shared)
        level: Level = "error" if "first" in methods else "note"
        yield Finding(level, place, f"these options share a first token, `first` cannot tell them apart: {listed}")
    blind = sorted(set(methods) - SEPARATING_METHODS)
    for ask in asks:
        if ask.barred and ask.context == PROMPT:
            yield Finding(*_begins(place, ask, asks, blind))


def _begins(place: str, short: Ask, asks: Sequence[Ask], blind: Sequence[str]) -> tuple[Level, str, str]:
    """Return what it means that `short` begins other forms: of other options, or of its own."""
    ids = short.encoded.context + short.encoded.answer
    longer = [
        ask
        for ask in asks
        if ask.group == short.group and (ask.encoded.context + ask.encoded.answer)[: len(ids)] == ids
    ]
    if {ask.option for ask in longer} == {short.option}:
        listed = " and ".join(repr(ask.form) for ask in longer if ask is not short)
        return "note", place, f"{short.form!r} begins {listed} of the same option, counted once"
    level: Level = "error" if blind else "note"
    return level, place, f"{short.form!r} is the beginning of another option: use sequence+end or trie"


def require_separable(questionnaires: Sequence[Questionnaire], tokenizer: Any, methods: Sequence[str]) -> list[str]:
    """Return sentences about forms that are left out (`plan.repeated`), before anything is trained for the questions.

    Raises
    ------
    ProbeError
        If the options of a questionnaire cannot be put into this tokenizer's tokens, or told apart under a method.
    """
    encoder, found = Encoder(tokenizer), []
    for one in questionnaires:
        plan(one, encoder, methods)
        found += repeated(one, encoder, methods)
    return found


def check_mass(questionnaire: Questionnaire, base: Base) -> list[Finding]:
    """Return, per item and wording, how much of its probability the base puts on the options at all."""
    from temporal_adapters.stages.probe.forward import Engine
    from temporal_adapters.stages.probe.shards import form_score

    found = []
    for method in ("sequence", "label", "inclusion"):
        try:
            asks = plan(questionnaire, Encoder(base.tokenizer), [method])
        except ProbeError:
            continue  # the method fits no wording, or `check_tokens` has said what is wrong
        scores = Engine(base.model, [ask.path for ask in asks]).score([])[0]
        rows = [form_score(ask, score) for ask, score in zip(asks, scores, strict=True)]
        for (name, wording, order), question in questions(rows).items():
            if order == "as-written" and question.contexts(METHODS[method].contexts[0]):
                item = questionnaire.item(name)
                found.append(_mass(f"{name} / {wording}", method, _total(item, method, question)))
    return found


def _total(item: Item, method: str, question: Question) -> float:
    """Return the mass of all options; their mean where every option is a question of its own."""
    by_option = METHODS[method].score(question)
    total = sum(mass or 0.0 for mass in mass_by_role(item, by_option))
    return total / len(by_option) if METHODS[method].alone else total


def _mass(place: str, method: str, mass: float) -> Finding:
    sentence = f"the base puts {mass:.2%} of its probability on the options ({method})"
    if mass < LOW_MASS:
        return Finding("warning", place, f"{sentence}: shares describe a corner of what it would say")
    return Finding("note", place, sentence)
