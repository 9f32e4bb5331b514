"""What a questionnaire must obey, whatever file it came from.

Takes records, gives problems with the place in the questionnaire. Knows no file and no tokenizer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from temporal_adapters.study.questionnaire.records import Item, Option, Questionnaire, Wording

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")

SEPARATING_METHODS: frozenset[str] = frozenset({"sequence+end", "trie", "label", "inclusion", "inclusion-label"})
"""Methods under which one option may be the beginning of another."""

MAX_ALL_ORDERS = 5
"""Options up to which all K! orders are asked: 120 prompts per wording."""

_NONRESPONSE = re.compile(
    r"(i )?(don.?t|do not) know|not sure|unsure|prefer not to (say|answer)|no (answer|opinion)|can.?t say|refused?"
    r"|wei(ß|ss) (ich )?nicht|keine (angabe|meinung)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Problem:
    """A broken rule.

    Attributes
    ----------
    sentence
        What is wrong and what to change.
    item, option, wording
        Index of the item, and of the option or wording in it, that breaks the rule; None where it is the whole.
    """

    sentence: str
    item: int | None = None
    option: int | None = None
    wording: int | None = None


def problems(questionnaire: Questionnaire, methods: Iterable[str] = ()) -> list[Problem]:
    """Return every broken rule, in the order of the file.

    Parameters
    ----------
    questionnaire
        What to check.
    methods
        Scoring methods it will be used with: under most of them no option may be the beginning of another.
    """
    found: list[Problem] = []
    if not NAME.fullmatch(questionnaire.name):
        found.append(
            Problem(f"{questionnaire.name!r} cannot name a folder: use letters, digits, '.', '_', '+' and '-'")
        )
    if not questionnaire.items:
        found.append(Problem("there is no item"))
    for index in _repeated([item.name for item in questionnaire.items]):
        found.append(Problem(f"the item name {questionnaire.items[index].name!r} is used twice", index))
    blind = sorted(set(methods) - SEPARATING_METHODS)
    for index, item in enumerate(questionnaire.items):
        for rule in (_options, _texts, _roles, _scale, _pinned, _orders, _wordings):
            found.extend(Problem(p.sentence, index, p.option, p.wording) for p in rule(item))
        if blind and any(wording.ask == "whole" for wording in item.wordings):
            found.extend(Problem(p.sentence, index, p.option) for p in _prefixes(item, blind))
    return found


def reads_like_nonresponse(text: str) -> bool:
    """Say whether an option's text is one of the usual English or German ways not to answer."""
    return _NONRESPONSE.fullmatch(text.strip()) is not None


def _repeated(names: Sequence[str]) -> Iterator[int]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield index
        seen.add(name)


def _options(item: Item) -> Iterator[Problem]:
    if sum(option.role == "substantive" for option in item.options) < 2:
        yield Problem(f"item {item.name!r} needs at least two substantive options")
    for index in _repeated([option.name for option in item.options]):
        yield Problem(f"item {item.name!r} has two options named {item.options[index].name!r}", option=index)
    for index in _repeated([option.code or f"no code {n}" for n, option in enumerate(item.options)]):
        yield Problem(f"item {item.name!r} gives two options the code {item.options[index].code!r}", option=index)


def _texts(item: Item) -> Iterator[Problem]:
    owner: dict[str, str] = {}
    for index, option in enumerate(item.options):
        for text in (option.text, *option.aliases):
            if not text.strip() or text != text.strip():
                yield Problem(f"{text!r} of option {option.name!r} is empty or has spaces around it", option=index)
            other = owner.setdefault(" ".join(text.casefold().split()), option.name)
            if other != option.name:
                yield Problem(f"item {item.name!r}: the options {other!r} and {option.name!r} share the text {text!r}"
                              "; every text may mean one option only", option=index)  # fmt: skip


def _roles(item: Item) -> Iterator[Problem]:
    for index, option in enumerate(item.options):
        if option.role == "nonresponse" and option.value is not None:
            yield Problem(
                f"option {option.name!r} is a nonresponse and has the value {option.value:g}: remove the value, a "
                "nonresponse has no place on a scale", option=index)  # fmt: skip
        if option.role == "exclusive" and item.type != "select_multiple":
            yield Problem(
                f"option {option.name!r} is `exclusive`, which only a select_multiple item can have", option=index
            )


def _scale(item: Item) -> Iterator[Problem]:
    if item.type != "scale":
        return
    values: list[float] = []
    for index, option in enumerate(item.options):
        if option.role == "nonresponse":
            if any(later.role == "substantive" for later in item.options[index:]):
                yield Problem(
                    f"option {option.name!r} is a nonresponse inside a scale: move it to the end", option=index
                )
        elif reads_like_nonresponse(option.text):
            yield Problem(f"option {option.name!r} reads like a nonresponse inside a scale: give it `role: nonresponse`"
                          " and no value", option=index)  # fmt: skip
        elif option.value is None:
            yield Problem(f"option {option.name!r} of the scale {item.name!r} needs a value", option=index)
        else:
            values.append(option.value)
    if values != sorted(set(values)) and values != sorted(set(values), reverse=True):
        listed = ", ".join(f"{value:g}" for value in values)
        yield Problem(
            f"the values of the scale {item.name!r} must rise or fall steadily in the order printed, found {listed}"
        )
    if item.orders not in ("as-written", "reversed"):
        yield Problem(
            f"the scale {item.name!r} cannot be shuffled (orders: {item.orders}): allowed are as-written and reversed"
        )


def _pinned(item: Item) -> Iterator[Problem]:
    for index, option in enumerate(item.options):
        if option.pinned and not all(is_fixed(later) for later in item.options[index:]):
            yield Problem(
                f"option {option.name!r} is pinned but stands before options that are not: move it to the end",
                option=index,
            )


def _orders(item: Item) -> Iterator[Problem]:
    free = [option for option in item.options if not is_fixed(option)]
    if item.orders == "all" and len(free) > MAX_ALL_ORDERS:
        yield Problem(f"item {item.name!r} has {len(free)} options, all orders go up to {MAX_ALL_ORDERS}: use cyclic")
    if item.orders != "as-written" and all(wording.listing == "none" for wording in item.wordings):
        yield Problem(
            f"item {item.name!r} asks several orders but no wording lists the options: set `listing` or remove `orders`"
        )


def is_fixed(option: Option) -> bool:
    """Say whether `option` keeps its place at the end in every order."""
    return option.pinned or option.role != "substantive"


def _wordings(item: Item) -> Iterator[Problem]:
    if not item.wordings:
        yield Problem(f"item {item.name!r} has no wording")
    for index in _repeated([wording.name for wording in item.wordings]):
        yield Problem(f"item {item.name!r} has two wordings named {item.wordings[index].name!r}", wording=index)
    for index, wording in enumerate(item.wordings):
        for sentence in _wording(item, wording):
            yield Problem(f"wording {wording.name!r} of item {item.name!r} {sentence}", wording=index)


def _wording(item: Item, wording: Wording) -> Iterator[str]:
    if not (wording.text.strip() or wording.prefix.strip()):
        yield "asks nothing: it needs a text or a prefix"
    if wording.ask == "each":
        if item.type != "select_multiple":
            yield f"asks each option, which only a select_multiple item can do (this is a {item.type})"
        if "{option}" not in wording.text + wording.prefix:
            yield "asks each option: its text needs the placeholder {option}"
        if wording.listing != "none":
            yield "asks each option and lists them all: remove `listing`"
        if shared := set(wording.yes) & set(wording.no):
            yield f"has {sorted(shared)[0]!r} for both yes and no"
    elif "{option}" in wording.text + wording.prefix:
        yield "holds {option} but does not ask each option: set `ask: each`"
    if "{options}" in wording.text and wording.listing == "none":
        yield "holds {options} but lists none: set `listing` to lines, letters or numbers"
    if wording.system and not wording.chat:
        yield "has a system message but no chat: set `chat: true`"


def _prefixes(item: Item, methods: Sequence[str]) -> Iterator[Problem]:
    forms = [(form, index) for index, option in enumerate(item.options) for form in item.forms(option)]
    for short, first in forms:
        for long, second in forms:
            if first == second:
                continue  # of two forms of one option the longer is left out when it is asked
            if len(long) > len(short) and long.startswith(short) and not long[len(short)].isalpha():
                yield Problem(
                    f"item {item.name!r}: {short!r} is the beginning of {long!r}, which {' and '.join(methods)} cannot "
                    "tell apart: use sequence+end or trie, or other texts", option=max(first, second))  # fmt: skip
