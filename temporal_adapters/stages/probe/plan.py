"""What is asked: a questionnaire under one tokenizer as a list of asks, each a context and an answer in token ids.

Takes a questionnaire, an encoder and the scoring methods, gives asks. Knows no model weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from temporal_adapters.engines.scoring import (
    CONTENT_FREE,
    INCLUSION,
    LABEL,
    LEGACY,
    METHODS,
    PREMISE,
    PROMPT,
    UNSEPARATED,
)
from temporal_adapters.ground.errors import ProbeError
from temporal_adapters.stages.probe.encode import Encoded, Encoder
from temporal_adapters.stages.probe.tree import Path
from temporal_adapters.study.questionnaire import (
    AS_WRITTEN,
    Item,
    Option,
    Prompt,
    Questionnaire,
    Wording,
    bare,
    labels,
    option_orders,
)
from temporal_adapters.study.questionnaire.prompts import render


@dataclass(frozen=True)
class Ask:
    """One surface form after one context.

    Attributes
    ----------
    item, wording, order, option
        Names, as in ANSWERS.
    context
        Kind of context; content-free ones are numbered.
    form
        The surface form that is scored.
    answer
        `yes` or `no` under an inclusion context, otherwise empty.
    encoded
        Token ids.
    barred
        Tokens after the answer that do not end it, because another form of the same question goes on with them.
    """

    item: str
    wording: str
    order: str
    context: str
    option: str
    form: str
    answer: str
    encoded: Encoded
    barred: tuple[int, ...] = ()

    @property
    def path(self) -> Path:
        """The token path to score."""
        return Path(self.encoded.context, self.encoded.answer, self.barred)

    @property
    def group(self) -> tuple[str, ...]:
        """What competes with this ask: same item, wording, order and context (and option, for inclusion)."""
        alone = self.option if self.context == INCLUSION else ""
        return (self.item, self.wording, self.order, self.context, alone)


def plan(questionnaire: Questionnaire, encoder: Encoder, methods: Sequence[str]) -> list[Ask]:
    """Return everything to score for `methods`, in the order of the questionnaire.

    Under methods that count whatever begins with a form, a longer form of the same option is left out (`repeated` names
    it): its mass is counted already.

    Raises
    ------
    ProbeError
        If a prompt and a form cannot be split into tokens, if two options have the same tokens, if one option's tokens
        begin another's under a method that cannot tell them apart, or if a method fits no wording.
    """
    asks = _all(questionnaire, encoder, methods)
    _check_methods(questionnaire, asks, methods)
    if "first" in methods:
        _check_first_tokens(asks)
    counted = {id(long) for _, long in _counted(asks, methods)}
    return _bar([ask for ask in asks if id(ask) not in counted], methods)


def repeated(questionnaire: Questionnaire, encoder: Encoder, methods: Sequence[str]) -> list[str]:
    """Return a sentence for each form that `plan` leaves out because a shorter form of its option begins it."""
    found = _counted(_all(questionnaire, encoder, methods), methods)
    return list(
        dict.fromkeys(
            f"{questionnaire.name}: item {long.item!r}: {long.form!r} is left out, its probability is counted in"
            f" {short.form!r}, with which it begins"
            for short, long in found
        )
    )


def _all(questionnaire: Questionnaire, encoder: Encoder, methods: Sequence[str]) -> list[Ask]:
    kinds = {kind for method in methods for kind in METHODS[method].contexts}
    return [
        ask for item in questionnaire.items for wording in item.wordings for ask in _asks(item, wording, encoder, kinds)
    ]


def _counted(asks: Sequence[Ask], methods: Sequence[str]) -> list[tuple[Ask, Ask]]:
    """Return pairs (shorter, longer) of forms of one option where no method tells them apart."""
    groups: dict[tuple[tuple[str, ...], str, str], dict[tuple[int, ...], Ask]] = {}
    for ask in asks:
        ids = ask.encoded.context + ask.encoded.answer
        groups.setdefault((ask.group, ask.option, ask.answer), {}).setdefault(ids, ask)
    found = []
    for members in groups.values():
        for ids, ask in members.items():
            ends = range(len(ask.encoded.context) + 1, len(ids))
            short = next((members[ids[:end]] for end in ends if ids[:end] in members), None)
            if short is not None and _all_blind(ask, methods):
                found.append((short, ask))
    return found


def _all_blind(ask: Ask, methods: Sequence[str]) -> bool:
    kind = ask.context.rpartition("-")[0] if ask.context.startswith(CONTENT_FREE) else ask.context
    return all(method in UNSEPARATED for method in methods if kind in METHODS[method].contexts)


def _asks(item: Item, wording: Wording, encoder: Encoder, kinds: set[str]) -> Iterator[Ask]:
    if wording.ask == "each":
        if INCLUSION in kinds:
            yield from _inclusion(item, wording, encoder)
        return
    for order, options in option_orders(item, wording).items():
        if PROMPT in kinds:
            yield from _forms(item, wording, order, PROMPT, render(item, wording, options), encoder)
        if LABEL in kinds and wording.listing in ("letters", "numbers"):
            yield from _labels(item, wording, order, options, encoder)
    if PREMISE in kinds and wording.premise is not None:
        yield from _forms(item, wording, AS_WRITTEN, PREMISE, bare(wording.premise, wording), encoder)
    if CONTENT_FREE in kinds:
        for number, text in enumerate(wording.content_free):
            name = f"{CONTENT_FREE}-{number}"
            yield from _forms(item, wording, AS_WRITTEN, name, bare(text, wording), encoder)


def _forms(item: Item, wording: Wording, order: str, context: str, prompt: Prompt, encoder: Encoder) -> Iterator[Ask]:
    for option in item.options:
        for form in item.forms(option):
            encoded = _encode(item, wording, prompt, form, encoder)
            yield Ask(item.name, wording.name, order, context, option.name, form, "", encoded)


def _labels(item: Item, wording: Wording, order: str, options: Sequence[Option], encoder: Encoder) -> Iterator[Ask]:
    prompt = render(item, wording, options)
    glued = replace(prompt, delimiter="")
    for label, option in zip(labels(wording, len(options)), options, strict=True):
        for form, variant in ((f" {label}", replace(prompt, delimiter=" ")), (label, glued)):
            encoded = _encode(item, wording, variant, label, encoder)
            yield Ask(item.name, wording.name, order, LABEL, option.name, form, "", encoded)


def _inclusion(item: Item, wording: Wording, encoder: Encoder) -> Iterator[Ask]:
    for option in item.options:
        if option.role != "substantive":
            continue
        prompt = render(item, wording, option=option)
        for answer, forms in (("yes", wording.yes), ("no", wording.no)):
            for form in forms:
                encoded = _encode(item, wording, prompt, form, encoder)
                yield Ask(item.name, wording.name, AS_WRITTEN, INCLUSION, option.name, form, answer, encoded)


def _encode(item: Item, wording: Wording, prompt: Prompt, form: str, encoder: Encoder) -> Encoded:
    try:
        return encoder.encode(prompt, form)
    except ProbeError as error:
        raise ProbeError(f"item {item.name!r}, wording {wording.name!r}: {error}") from None


def _check_methods(questionnaire: Questionnaire, asks: Sequence[Ask], methods: Iterable[str]) -> None:
    kinds = {ask.context.rpartition("-")[0] if ask.context.startswith(CONTENT_FREE) else ask.context for ask in asks}
    has_orders = any(ask.context == LABEL and ask.order != AS_WRITTEN for ask in asks)
    for method in methods:
        if METHODS[method].orders != "each" and not has_orders:
            raise ProbeError(
                f"the method {method!r} fits no wording of {questionnaire.name!r}: it needs {METHODS[method].needs}"
            )
        for kind in METHODS[method].contexts:
            if kind not in kinds and kind not in LEGACY:
                raise ProbeError(
                    f"the method {method!r} fits no wording of {questionnaire.name!r}: it needs {METHODS[method].needs}"
                )


def _check_first_tokens(asks: Sequence[Ask]) -> None:
    owner: dict[tuple[tuple[str, ...], int], Ask] = {}
    for ask in asks:
        known = owner.setdefault((ask.group, ask.encoded.answer[0]), ask)
        if ask.context == PROMPT and known.option != ask.option:
            raise ProbeError(
                f"item {ask.item!r}, wording {ask.wording!r}: the options {known.option!r} and {ask.option!r} share a"
                " first token, which `first` cannot tell apart: use sequence"
            )


def _bar(asks: list[Ask], methods: Sequence[str]) -> list[Ask]:
    """Return the asks with the tokens by which other forms go on; drop repetitions, refuse what is ambiguous."""
    groups: dict[tuple[str, ...], dict[tuple[int, ...], Ask]] = {}
    for ask in asks:
        ids = ask.encoded.context + ask.encoded.answer
        known = groups.setdefault(ask.group, {}).setdefault(ids, ask)
        if (known.option, known.answer) != (ask.option, ask.answer):
            raise ProbeError(
                f"item {ask.item!r}, wording {ask.wording!r}: {known.form!r} and {ask.form!r} have the same tokens"
            )
    longer: dict[tuple[tuple[str, ...], tuple[int, ...]], set[int]] = {}
    for group, members in groups.items():
        for ids, ask in members.items():
            for end in range(len(ask.encoded.context) + 1, len(ids)):
                if ids[:end] in members:
                    _refuse(members[ids[:end]], ask, methods)
                    longer.setdefault((group, ids[:end]), set()).add(ids[end])
    return [_barred(ask, longer) for members in groups.values() for ask in members.values()]


def _barred(ask: Ask, longer: dict[tuple[tuple[str, ...], tuple[int, ...]], set[int]]) -> Ask:
    tokens = longer.get((ask.group, ask.encoded.context + ask.encoded.answer))
    return replace(ask, barred=tuple(sorted(tokens))) if tokens else ask


def _refuse(short: Ask, long: Ask, methods: Sequence[str]) -> None:
    blind = [method for method in methods if method in UNSEPARATED and METHODS[method].contexts[0] == short.context]
    if blind:
        raise ProbeError(
            f"item {short.item!r}, wording {short.wording!r}: the tokens of {short.form!r} are the beginning of those "
            f"of {long.form!r}, which {' and '.join(blind)} cannot tell apart: use sequence+end or trie"
        )
