"""Columns of a survey file as a mapping names them: codes, what is missing, classes, items.

Takes parts of a mapping file, gives frozen records. `config.vote` puts them together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from temporal_adapters.study.config.base import Section

SYSTEM_MISSING = "."
"""Code of an empty cell."""

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
