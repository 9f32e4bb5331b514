"""Survey mappings: how the columns of one survey file become respondents with words and votes.

Takes a YAML file (or the name of a shipped survey), gives a frozen `SurveyMapping`. Knows no file format and no model.

A *code* is what the file holds, as text: ``1`` (also for 1.0), ``-98``, ``.`` for system-missing, ``.a`` for Stata's
extended missing values, or a word where a CSV file holds words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from temporal_adapters.ground import resources
from temporal_adapters.ground.errors import ConfigError
from temporal_adapters.study.config.base import Section
from temporal_adapters.study.config.document import read_yaml, validate

SYSTEM_MISSING = "."
"""Code of an empty cell."""

RESERVED = ("respondent_id", "vote", "weight", "excluded", "period")
"""Columns of the table of respondents that no item may be called."""

_WHOLE = re.compile(r"-?\d+\.0+")


def code_text(value: Any) -> str:
    """Return a cell as a code: whole numbers without decimals, an empty cell as ``.``, Stata's ``a`` as ``.a``."""
    if value is None or value != value:
        return SYSTEM_MISSING
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    text = str(value).strip()
    return (text.partition(".")[0] if _WHOLE.fullmatch(text) else text) or SYSTEM_MISSING


Code = Annotated[str, BeforeValidator(code_text)]
Words = str | dict[str, str]
"""Words in the survey's only language, or language -> words."""


class Column(Section):
    """One column of the file, by its name or, where names differ between versions of a file, by its variable label."""

    variable: str | None = None
    """Name of the column."""

    variable_label: str | None = None
    """Variable label of the column (letter case and the spelling of umlauts do not matter)."""

    @model_validator(mode="after")
    def _names_one_column(self) -> Self:
        if (self.variable is None) == (self.variable_label is None):
            raise ValueError("give either `variable` (the column's name) or `variable_label`")
        return self

    @property
    def column(self) -> str:
        """Return what names the column, for messages."""
        return self.variable if self.variable is not None else f"label {self.variable_label!r}"


class Missing(Section):
    """Which codes mean that there is no answer."""

    negative: bool = False
    """Every negative number is missing, unless the target uses it."""

    codes: tuple[Code, ...] = ()
    """Further missing codes."""

    def holds(self, code: str) -> bool:
        """Return whether `code` is missing."""
        if code.startswith(SYSTEM_MISSING) or code in self.codes:
            return True
        return self.negative and code.startswith("-") and code[1:].replace(".", "", 1).isdigit()


class Filter(Column):
    """Respondents to keep."""

    keep: tuple[Code, ...] = Field(min_length=1)
    """Codes of the respondents to keep."""

    why: str = ""
    """The reason, printed by `ta vote check`."""


class Label(Section):
    """One class to predict."""

    name: str
    """Name of the class in tables; also its words unless `text` is given."""

    codes: tuple[Code, ...] = ()
    """Codes of the target that mean this class."""

    text: Words | None = None
    """The label that a language model answers with."""

    masked: Words | None = None
    """Neutral words for this party in the items under the condition `mask_party_names`."""


class Turnout(Column):
    """How respondents who did not vote are known."""

    codes: tuple[Code, ...] = Field(min_length=1)
    """Codes that mean: did not vote."""

    label: str
    """The class of these respondents."""


class Known(Column):
    """What the file says of respondents whose vote is missing: they were certainly not of some classes."""

    codes: tuple[Code, ...] = Field(min_length=1)
    """Codes of the column for which it is known."""

    never: tuple[str, ...] = Field(min_length=1)
    """Classes that these respondents are not."""


class Target(Column):
    """The vote."""

    labels: tuple[Label, ...] = Field(min_length=2)
    """The classes, in the order of tables and prompts."""

    turnout: Turnout | None = None
    """Rule for respondents without a vote code of their own."""

    drop: tuple[Code, ...] = ()
    """Codes of respondents who are neither a class nor to be imputed, such as invalid votes."""

    known: tuple[Known, ...] = ()
    """What is known of missing votes, such as {variable: q17, codes: [1], never: [Non-voter]}: not imputed."""


class Override(Column):
    """Another column that decides the code of an item."""

    codes: tuple[Code, ...] = Field(min_length=1)
    """Codes of that column for which the item becomes `becomes`."""

    becomes: Code
    """The item's code then."""


class Item(Column):
    """One thing known about a respondent."""

    name: str
    """Name of the item in tables and experiments."""

    kind: Literal["nominal", "ordinal", "numeric"]
    """Ordinal: `answers` are listed from low to high; numeric: the code is the value."""

    question: Words
    """What stands before the colon of an `item: answer` line."""

    answers: dict[Code, Words] = Field(default_factory=dict)
    """Code -> words; for numeric items only codes with words of their own."""

    recode: dict[Code, Code] = Field(default_factory=dict)
    """Code in the file -> code in `answers`, applied first."""

    overrides: tuple[Override, ...] = ()
    """Columns that decide the code instead; the last that applies wins."""

    subtract_from: float | None = None
    """Numeric only: the value is this number minus the code (year of birth to age)."""

    minimum: float | None = None
    """Numeric only: lowest value allowed after `subtract_from`."""

    maximum: float | None = None
    """Numeric only: highest value allowed after `subtract_from`."""

    labelled: tuple[Code, ...] = ()
    """Numeric only: codes that have a value label in the file, or that it declares missing, and are numbers all the
    same (the labelled ends of a scale)."""

    missing: Missing | None = None
    """Missing codes of this item, where they differ from the survey's."""

    when_missing: Literal["category", "omit", "impute"] = "category"
    """A missing answer is a category of its own, left out of the prompt, or filled in from the training part."""

    missing_answers: dict[Code, Words] = Field(default_factory=dict)
    """Missing code -> words (``don't know`` and ``no answer`` are not the same)."""

    sentence: Words | None = None
    """First-person sentence with `{answer}`, for running text; an empty one leaves the item out there."""

    sentences: dict[Code, Words] = Field(default_factory=dict)
    """Code -> sentence, where one pattern does not fit all answers; an empty sentence leaves the item out."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind != "numeric" and not self.answers:
            raise ValueError(f"the {self.kind} item {self.name!r} needs `answers` (code: words)")
        if self.kind != "numeric" and (self.subtract_from, self.minimum, self.maximum) != (None, None, None):
            raise ValueError(
                f"`subtract_from`, `minimum` and `maximum` fit numeric items, {self.name!r} is {self.kind}"
            )
        targets = [*self.recode.values(), *(override.becomes for override in self.overrides)]
        lost = sorted(code for code in targets if self.kind != "numeric" and code not in self.answers)
        if lost:
            raise ValueError(
                f"`recode` or `overrides` of {self.name!r} leads to {lost[0]!r}, which `answers` does not have"
            )
        if self.labelled and self.kind != "numeric":
            raise ValueError(f"`labelled` fits numeric items, {self.name!r} is {self.kind}: use `answers`")
        _refuse_alike(self.name, self.answers)
        unknown = sorted(code for code in self.sentences if self.kind != "numeric" and code not in self.answers)
        if unknown:
            raise ValueError(f"`sentences` of {self.name!r} has the code {unknown[0]!r}, which `answers` does not have")
        return self


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


def _refuse_alike(item: str, answers: Mapping[str, Words]) -> None:
    """Refuse answers without words, and two answers that read the same."""
    seen: dict[tuple[str, str], str] = {}
    for code, words in answers.items():
        for language, text in (words if isinstance(words, dict) else {"": words}).items():
            if not text.strip():
                raise ValueError(f"the answer {code} of {item!r} has empty words: say what it means")
            before = seen.setdefault((language, " ".join(text.casefold().split())), code)
            if before != code:
                raise ValueError(
                    f"the answers {before} and {code} of {item!r} have the same words {text!r}: a model cannot tell"
                    " them apart; give one of them other words, or make them one by `recode`"
                )


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
