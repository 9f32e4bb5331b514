"""The native file format: one YAML 1.2 file per questionnaire.

Takes a path, gives a `Questionnaire` or `QuestionnaireError` with file:line. Knows no model.

    questionnaire: britains-mood          # names its folder of log-probs
    title, language, source               # for people
    choices:                              # shared lists of options; an option is a text, or:
      moods:
        - {text: Happy, name: ..., code: ..., value: ..., role: substantive | nonresponse | exclusive,
           pinned: false, aliases: [cheerful], survey: ...}
    items:
      - item: britains-mood               # name in ANSWERS and SERIES
        type: select_one | select_multiple | scale
        choices: moods                    # or options: [...]
        survey: ...                       # name of the question in the survey tracker; the item's without it
        cases: [as-written, lower]        # letter cases that count as the same answer
        orders: as-written | all | cyclic | reversed
        wordings:
          - {wording: survey, text: ..., prefix: I felt, delimiter: " ", listing: none | lines | letters | numbers,
             ask: whole | each, yes: [Yes, yes], no: [No, no], chat: false, system: "", premise: ..., content_free: []}

`records` says what every key means.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field

from temporal_adapters.ground.errors import ConfigError, QuestionnaireError
from temporal_adapters.study.config import Section, line_of, read_yaml
from temporal_adapters.study.config.document import validate
from temporal_adapters.study.questionnaire.records import (
    Ask,
    Case,
    Item,
    ItemType,
    Listing,
    Option,
    Order,
    Questionnaire,
    Role,
    Wording,
)
from temporal_adapters.study.questionnaire.rules import Problem, problems


class _Part(Section):
    model_config = ConfigDict(coerce_numbers_to_str=True)


class OptionEntry(_Part):
    """One answer option as written; `Option` says what the fields mean."""

    text: str
    name: str | None = None
    code: str | None = None
    value: float | None = None
    role: Role = "substantive"
    pinned: bool = False
    aliases: tuple[str, ...] = ()
    survey: str | None = None

    def record(self) -> Option:
        """Return the option; its name is its text, and its name in the survey its name, unless given."""
        name = self.name or self.text
        more = self.model_dump(exclude={"name", "survey"})
        return Option(name=name, survey=self.survey or name, **more)


def _from_text(value: Any) -> Any:
    return {"text": value} if isinstance(value, str | int | float) and not isinstance(value, bool) else value


Entry = Annotated[OptionEntry, BeforeValidator(_from_text)]


class WordingEntry(_Part):
    """One wording as written; `Wording` says what the fields mean."""

    wording: str
    text: str = ""
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

    def record(self) -> Wording:
        """Return the wording."""
        return Wording(name=self.wording, **self.model_dump(exclude={"wording"}))


class ItemEntry(_Part):
    """One item as written: its options in place or as the name of a shared list."""

    item: str
    type: ItemType
    title: str = ""
    language: str | None = None
    survey: str | None = None
    domain: str = ""
    choices: str | None = None
    options: tuple[Entry, ...] = ()
    cases: tuple[Case, ...] = Field(("as-written",), min_length=1)
    orders: Order = "as-written"
    wordings: tuple[WordingEntry, ...] = Field(min_length=1)

    def record(self, entries: Iterable[OptionEntry], language: str) -> Item:
        """Return the item with the options of `entries`."""
        return Item(
            name=self.item,
            type=self.type,
            options=tuple(entry.record() for entry in entries),
            wordings=tuple(entry.record() for entry in self.wordings),
            title=self.title or self.item,
            language=self.language or language,
            survey_question=self.survey or self.item,
            cases=self.cases,
            orders=self.orders,
            domain=self.domain,
        )


class FileEntry(_Part):
    """A whole file."""

    questionnaire: str
    title: str = ""
    language: str = "en"
    source: str = ""
    choices: dict[str, tuple[Entry, ...]] = Field(default_factory=dict)
    items: tuple[ItemEntry, ...] = Field(min_length=1)


def load_native(path: Path, methods: Iterable[str] = ()) -> Questionnaire:
    """Read a YAML file and check its rules (see `files.load`)."""
    try:
        document = read_yaml(path)
        entry = validate(FileEntry, document, path)
    except ConfigError as error:
        raise QuestionnaireError(str(error)) from None
    questionnaire = _assemble(entry, document, path)
    for problem in problems(questionnaire, methods):
        line = line_of(document, _location(entry, problem))
        raise QuestionnaireError(f"{path}:{line}: {problem.sentence}" if line else f"{path}: {problem.sentence}")
    return questionnaire


def _assemble(entry: FileEntry, document: Any, path: Path) -> Questionnaire:
    items = []
    for index, item in enumerate(entry.items):
        place = f"{path}:{line_of(document, ['items', index, 'item'])}"
        if (item.choices is None) == (not item.options):
            raise QuestionnaireError(
                f"{place}: item {item.item!r} needs either `choices` (the name of a list) or `options`"
            )
        if item.choices is not None and item.choices not in entry.choices:
            known = ", ".join(entry.choices) or "none"
            raise QuestionnaireError(f"{place}: there is no list of choices {item.choices!r} (there are: {known})")
        items.append(item.record(item.options or entry.choices[str(item.choices)], entry.language))
    return Questionnaire(entry.questionnaire, tuple(items), entry.title, entry.language, entry.source)


def _location(entry: FileEntry, problem: Problem) -> list[Any]:
    if problem.item is None:
        return ["questionnaire"]
    item = entry.items[problem.item]
    if problem.wording is not None:
        return ["items", problem.item, "wordings", problem.wording]
    if problem.option is None:
        return ["items", problem.item]
    if item.choices is not None:
        return ["choices", item.choices, problem.option]
    return ["items", problem.item, "options", problem.option]
