"""Questionnaire > item > wording, and answer options, as frozen records.

Takes nothing, gives dataclasses. Knows no file format, no tokenizer and no model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["substantive", "nonresponse", "exclusive"]
ItemType = Literal["select_one", "select_multiple", "scale"]
Listing = Literal["none", "lines", "letters", "numbers"]
Ask = Literal["whole", "each"]
Case = Literal["as-written", "lower", "capital", "upper"]
Order = Literal["as-written", "all", "cyclic", "reversed"]

ITEM_TYPES: tuple[str, ...] = get_args(ItemType)


@dataclass(frozen=True)
class Option:
    """One answer option.

    Attributes
    ----------
    name
        Name in every table (`ANSWERS.option`, `SERIES.option`).
    text
        What is printed and scored.
    code
        Code in the survey's data file, if any.
    value
        Position on a scale, if any; a nonresponse option never has one.
    role
        `substantive`; `nonresponse` (don't know, prefer not to say); `exclusive` (none of these: a valid answer that
        excludes all others).
    pinned
        Stays in its place, after all others, when options change their order.
    aliases
        Further texts that mean the same answer; their probabilities are added.
    survey
        Name of the option in the survey tracker it is compared with.
    """

    name: str
    text: str
    code: str | None = None
    value: float | None = None
    role: Role = "substantive"
    pinned: bool = False
    aliases: tuple[str, ...] = ()
    survey: str = ""


@dataclass(frozen=True)
class Wording:
    """One way of asking an item.

    Attributes
    ----------
    name
        Name in every table (`ANSWERS.wording`).
    text
        The question. `{options}` is where listed options go (after the text without it); `{option}` is the option
        when `ask` is `each`.
    prefix
        Beginning of the answer, such as `I felt`.
    delimiter
        What stands between the prompt and an option, normally one space.
    listing
        How options are listed in the prompt: `none`, `lines` (one text per line), `letters` (A. text), `numbers`.
    ask
        `whole`: the options themselves are scored after one prompt; `each`: one prompt per option, where `yes` and
        `no` are scored (inclusion, for several answers that may all apply).
    yes, no
        Surface forms of the answers when `ask` is `each`.
    chat
        Put the question through the tokenizer's chat template as the user's turn; the prefix opens the answer.
    system
        System message when `chat` is true.
    premise
        Domain premise of the method `pmi-dc`: a prompt that asks nothing.
    content_free
        Prompts without content of the method `contextual`.
    """

    name: str
    text: str
    prefix: str = ""
    delimiter: str = " "
    listing: Listing = "none"
    ask: Ask = "whole"
    yes: tuple[str, ...] = ("Yes", "yes")
    no: tuple[str, ...] = ("No", "no")
    chat: bool = False
    system: str = ""
    premise: str | None = None
    content_free: tuple[str, ...] = ()


@dataclass(frozen=True)
class Item:
    """One question.

    Attributes
    ----------
    name
        Name in every table (`ANSWERS.item`, `SERIES.item`).
    type
        `select_one`, `select_multiple` (several may apply) or `scale` (ordered, with values).
    options
        Answer options in the order they are printed.
    wordings
        Ways of asking.
    title
        The question in short, for figures.
    language
        BCP 47 tag.
    survey_question
        Name of the question in the survey tracker.
    cases
        Letter cases of every option text and alias that count as the same answer.
    orders
        Which orders of the listed options are asked: `as-written`, `all` (K!), `cyclic` (K), `reversed` (both ways).
    domain
        What the item is about, for figures and groups.
    """

    name: str
    type: ItemType
    options: tuple[Option, ...]
    wordings: tuple[Wording, ...]
    title: str = ""
    language: str = "en"
    survey_question: str = ""
    cases: tuple[Case, ...] = ("as-written",)
    orders: Order = "as-written"
    domain: str = ""

    def option(self, name: str) -> Option:
        """Return the option called `name`; KeyError without one."""
        for option in self.options:
            if option.name == name:
                return option
        raise KeyError(name)

    def forms(self, option: Option) -> tuple[str, ...]:
        """Return all surface forms of `option`: its text, then its aliases, each in every case, no form twice."""
        spelled = [spell(text, case) for text in (option.text, *option.aliases) for case in self.cases]
        return tuple(dict.fromkeys(spelled))


@dataclass(frozen=True)
class Questionnaire:
    """A list of items.

    Attributes
    ----------
    name
        Names the folder of its log-probs.
    items
        Items, in order.
    title, language, source
        For people: what it is, its language, whose wording.
    """

    name: str
    items: tuple[Item, ...]
    title: str = ""
    language: str = "en"
    source: str = ""

    def item(self, name: str) -> Item:
        """Return the item called `name`; KeyError without one."""
        for item in self.items:
            if item.name == name:
                return item
        raise KeyError(name)


def spell(text: str, case: Case) -> str:
    """Return `text` in a letter case; `capital` raises the first letter only."""
    if case == "lower":
        return text.lower()
    if case == "upper":
        return text.upper()
    if case == "capital":
        return text[:1].upper() + text[1:]
    return text
