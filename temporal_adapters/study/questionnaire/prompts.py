"""An item, a wording and an order of the options, rendered as text.

Takes records, gives the question and the beginning of the answer as text. Knows no tokenizer: chat templates and
beginning-of-text tokens come later.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from temporal_adapters.study.questionnaire.records import Item, Option, Wording
from temporal_adapters.study.questionnaire.rules import is_fixed

AS_WRITTEN = "as-written"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Prompt:
    """A rendered question.

    Attributes
    ----------
    question
        The question with its listed options: the user's turn of a chat.
    prefix
        Beginning of the answer: the opening of the assistant's turn of a chat.
    system
        System message of a chat.
    chat
        Whether the chat template is used.
    delimiter
        What stands between the prompt and an option.
    """

    question: str
    prefix: str
    system: str
    chat: bool
    delimiter: str

    @property
    def plain(self) -> str:
        """The prompt as one text, for prompts that are no chat."""
        glue = " " if self.question and self.prefix and not self.question[-1].isspace() else ""
        return self.question + glue + self.prefix


def option_orders(item: Item, wording: Wording) -> dict[str, tuple[Option, ...]]:
    """Return name of the order -> options in that order.

    Options that are pinned or not substantive keep their place at the end. Without listed options the order cannot
    matter, and only the written one is asked. A name other than ``as-written`` gives the positions: ``2-0-1`` lists
    the third option first.
    """
    free = [index for index, option in enumerate(item.options) if not is_fixed(option)]
    fixed = [index for index, option in enumerate(item.options) if is_fixed(option)]
    kind = AS_WRITTEN if wording.listing == "none" else item.orders
    found: dict[str, tuple[Option, ...]] = {}
    for order in _arrangements(free, kind):
        name = AS_WRITTEN if order == free else "-".join(str(index) for index in order)
        found[name] = tuple(item.options[index] for index in [*order, *fixed])
    return found


def _arrangements(free: list[int], kind: str) -> list[list[int]]:
    if kind == "all":
        return [list(order) for order in itertools.permutations(free)]
    if kind == "cyclic":
        return [free[shift:] + free[:shift] for shift in range(len(free))]
    if kind == "reversed":
        return [free, free[::-1]]
    return [free]


def labels(wording: Wording, n_options: int) -> tuple[str, ...]:
    """Return the labels under which options are listed: letters, numbers, or none at all."""
    if wording.listing == "letters":
        return tuple(LETTERS[:n_options])
    if wording.listing == "numbers":
        return tuple(str(number + 1) for number in range(n_options))
    return ()


def render(item: Item, wording: Wording, order: Sequence[Option] | None = None, option: Option | None = None) -> Prompt:
    """Render one prompt.

    Parameters
    ----------
    item, wording
        What is asked and how.
    order
        The options as they are listed; as written without it.
    option
        The option that a wording with ``ask: each`` asks about.
    """
    question = _with_options(wording, item.options if order is None else order)
    prefix = wording.prefix
    if option is not None:
        question, prefix = (text.replace("{option}", option.text) for text in (question, prefix))
    return Prompt(question, prefix, wording.system, wording.chat, wording.delimiter)


def bare(text: str, wording: Wording) -> Prompt:
    """Render a text that asks nothing (a premise, a content-free prompt) the way `wording` asks its question."""
    return Prompt(text, "", wording.system, wording.chat, wording.delimiter)


def _with_options(wording: Wording, order: Sequence[Option]) -> str:
    if wording.listing == "none":
        return wording.text
    marks = labels(wording, len(order)) or [""] * len(order)
    lines = [f"{mark}. {option.text}" if mark else option.text for mark, option in zip(marks, order, strict=True)]
    listed = "\n".join(lines)
    if "{options}" in wording.text:
        return wording.text.replace("{options}", listed)
    return f"{wording.text}\n{listed}\n"
