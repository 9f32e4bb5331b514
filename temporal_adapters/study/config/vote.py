"""Survey mappings: how the columns of one survey file become respondents with words and votes.

Takes a YAML file (or the name of a shipped survey), gives a frozen `SurveyMapping`. Knows no file format and no model.

A *code* is what the file holds, as text: ``1`` (also for 1.0), ``-98``, ``.`` for system-missing, ``.a`` for Stata's
extended missing values, or a word where a CSV file holds words.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from temporal_adapters.ground import resources
from temporal_adapters.ground.errors import ConfigError
from temporal_adapters.study.config.base import Section
from temporal_adapters.study.config.document import read_yaml, validate
from temporal_adapters.study.config.vote_columns import (
    SYSTEM_MISSING,
    Code,
    Column,
    Filter,
    Item,
    Missing,
    Target,
    Words,
)

RESERVED = ("respondent_id", "vote", "weight", "excluded", "period")
"""Columns of the table of respondents that no item may be called."""


class OwnParty(Section):
    """The item that says which party a respondent identifies with."""

    item: str
    """Name of the item."""

    labels: dict[str, str] = Field(min_length=1)
    """Code of the item -> class of that party; codes of no party are left out."""


class Period(Column):
    """Which election, or wave, a respondent belongs to."""

    codes: tuple[Code, ...] = Field(min_length=2)
    """Codes of the elections, in the order of time."""


class PromptTexts(Section):
    """Words of the prompt around the items."""

    instruction: Words
    """What the model shall do; `{labels}` becomes the list of labels."""

    answer: Words = "Vote:"
    """Last line of a prompt made of `item: answer` lines; the label follows."""

    story: Words
    """Last words of running text; the label follows."""

    unknown: Words = "no answer"
    """Words for a missing code without words of its own."""


class SurveyMapping(Section):
    """How one survey file is read."""

    survey: str
    """Name of the survey."""

    title: str = ""
    """Citation of the data, where to get them, which version the mapping was written for."""

    languages: tuple[str, ...] = ("en",)
    """Languages of the wordings; the first is the default."""

    id: str | None = None
    """Column of respondent ids; without it the number of the row in the file, from 1, also where filters drop rows."""

    weight: Column | None = None
    """Column of survey weights; without it every respondent counts 1."""

    missing: Missing = Missing()
    """Missing codes of all items and of the target."""

    filters: tuple[Filter, ...] = ()
    """Respondents to keep; all must hold."""

    period: Period | None = None
    """Elections in one file, so that one can be predicted from the others."""

    target: Target
    """What is predicted."""

    items: tuple[Item, ...] = Field(min_length=1)
    """What is known."""

    own_party: OwnParty | None = None
    """Party identification; models and conditions that need it say so where it is missing."""

    subgroups: tuple[str, ...] = ()
    """Items whose answers split the table of errors by subgroup."""

    prompt: PromptTexts
    """Words around the items."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the names of the classes."""
        return tuple(label.name for label in self.target.labels)

    def item(self, name: str) -> Item:
        """Return the item called `name`."""
        return next(item for item in self.items if item.name == name)

    def is_missing(self, item: Item, code: str) -> bool:
        """Return whether `code` means that there is no answer to `item`."""
        return code not in item.answers and (item.missing or self.missing).holds(code)

    def no_answer(self, item: Item, value: str) -> bool:
        """Return whether `value`, as it stands in a table of respondents, means that there is no answer to `item`.

        Missingness was decided on the file's code; a number that happens to equal a missing code is a number.
        """
        return value.startswith(SYSTEM_MISSING) if item.kind == "numeric" else self.is_missing(item, value)

    def missing_words(self, item: Item, value: str) -> Words:
        """Return the words of a `value` for which `no_answer` holds."""
        known = item.missing_answers
        return known.get(value, known.get(value.removeprefix(SYSTEM_MISSING), self.prompt.unknown))

    def words(self, words: Words, language: str) -> str:
        """Return `words` in `language`."""
        return words if isinstance(words, str) else words[language]

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        names = [item.name for item in self.items]
        _refuse_doubled("the item", names)
        _refuse_doubled("the reserved name", [*RESERVED, *names])
        _refuse_doubled("the label", self.labels)
        _refuse_doubled("the target's code", [code for label in self.target.labels for code in label.codes])
        _refuse_unknown("subgroups", self.subgroups, names)
        if self.target.turnout is not None:
            _refuse_unknown("target.turnout.label", [self.target.turnout.label], self.labels)
        for rule in self.target.known:
            _refuse_unknown("target.known.never", rule.never, self.labels)
        if self.own_party is not None:
            _refuse_unknown("own_party.item", [self.own_party.item], names)
            _refuse_unknown("own_party.labels", self.own_party.labels.values(), self.labels)
            known = self.item(self.own_party.item).answers
            _refuse_unknown("own_party.labels", self.own_party.labels, known)
        _check_languages(self.model_dump(), self.languages, "")
        return self


def _refuse_doubled(what: str, names: Any) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{what} {name!r} appears twice")
        seen.add(name)


def _refuse_unknown(where: str, names: Any, known: Any) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{where} names {name!r}, which is none of {', '.join(map(str, known))}")


def _check_languages(node: Any, languages: tuple[str, ...], where: str) -> None:
    """Refuse words that lack one of the languages: a dict that has any language as key is words."""
    if isinstance(node, Mapping):
        if any(language in node for language in languages):
            lacking = [language for language in languages if language not in node]
            if lacking:
                raise ValueError(f"{where.lstrip('.')} has no words in {lacking[0]!r}")
        for key, value in node.items():
            _check_languages(value, languages, f"{where}.{key}")
    elif isinstance(node, list | tuple):
        for value in node:
            name = value.get("name", "") if isinstance(value, Mapping) else ""
            _check_languages(value, languages, f"{where}.{name}" if name else where)


def load_mapping(reference: str | Path) -> SurveyMapping:
    """Read a survey mapping by path, or by the name of a shipped one such as ``gles2017-post``.

    Raises
    ------
    ConfigError
        With file:line, the bad value, what is allowed and the nearest known key.
    """
    path = Path(reference)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            shipped = ", ".join(resources.names("surveys"))
            raise ConfigError(f"{path}: there is no such mapping file (shipped: {shipped})")
    else:
        path = resources.path("surveys", str(reference))
    return validate(SurveyMapping, read_yaml(path), path)
