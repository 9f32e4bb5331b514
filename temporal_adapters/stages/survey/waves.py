"""Respondents to waves: weighted shares per question, option and wave with design-based errors.

Takes files of respondents (`.sav`, `.zsav`, `.por`, `.dta`, CSV, Parquet), gives observations. Knows no week.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages.survey import fieldwork, respondents
from temporal_adapters.stages.survey.design import Array, Design, Estimate
from temporal_adapters.stages.survey.fieldwork import Fielded
from temporal_adapters.stages.survey.keep import kept
from temporal_adapters.stages.survey.observations import COLUMNS, MAPPED, Observations
from temporal_adapters.stages.survey.respondents import SUFFIXES, Respondents, parquet_columns, parquet_table
from temporal_adapters.stages.survey.ticks import number_of, spelled, ticked
from temporal_adapters.stages.survey.weights import WEIGHT, with_weights
from temporal_adapters.study.config import Survey
from temporal_adapters.study.questionnaire import nonresponse

__all__ = [
    "SUFFIXES", "Polled", "Question", "has_variables", "load", "parquet_columns", "parquet_table", "read", "single",
]  # fmt: skip

Variables = Mapping[str, str | Mapping[str, str]]
"""Question -> variable with one code per answer, or question -> {option: variable that says where it was ticked}."""


def has_variables(header: Sequence[str], settings: Survey) -> bool:
    """Say whether a table's columns are the variables that the study names for its questions."""
    single = [variable for variable in settings.variables.values() if isinstance(variable, str)]
    return bool(single) and set(single) <= set(header)


def read(path: Path, settings: Survey) -> Observations:
    """Read the waves of one file.

    Raises
    ------
    SurveyError
        Naming the file and the variable.
    """
    return load(path, settings).observed(settings)


def load(path: Path, settings: Survey) -> Polled:
    """Read the respondents of one file who count, their waves and what they were asked.

    Raises
    ------
    SurveyError
        Naming the file and the variable.
    """
    own = settings.wave_of(path)
    variables = {**settings.variables, **(own.variables if own else {})}
    if not variables:
        raise SurveyError(f"{path}: name the questions in survey.variables, such as {{mood: q1}}")
    people = respondents.load(path, settings.encoding, settings.delimiter)
    for variable in settings.split_variables():
        people.column(variable, "survey.split")
    if settings.keep:
        people = people.only(kept(people.columns, settings.keep, people.where, people.labels))
    people, weight_notes = with_weights(people, (own.weight if own else None) or settings.weight, settings)
    found, notes = fieldwork.waves(people, path, settings)
    codes = own.codes if own else {}
    asked = [_question(people, name, variable, settings, codes.get(name, {})) for name, variable in variables.items()]
    return Polled(people, found, asked, (*people.notes, *weight_notes, *notes))


@dataclass(frozen=True)
class Polled:
    """The respondents of one file, the waves they belong to and the questions they were asked."""

    people: Respondents
    waves: Sequence[Fielded]
    asked: Sequence[Question]
    notes: tuple[str, ...]

    def observed(self, settings: Survey, member: Array | None = None, group: str = "") -> Observations:
        """Return the weighted shares of every wave.

        Parameters
        ----------
        settings
            Design of the sample.
        member
            Who counts, booleans of shape (n_respondents,): a domain of the sample, whose design stays whole.
        group
            How messages name those who count.
        """
        rows, mapped = [], []
        for wave in self.waves:
            for question in self.asked:
                answers, gave = question.of(self.people, wave, settings, member)
                rows += answers
                mapped += gave
        if not rows:
            names = ", ".join(question.name for question in self.asked)
            raise SurveyError(f"{self.people.where}: nobody{group and f' of {group}'} answered {names}")
        return Observations(
            pl.DataFrame(rows, schema=COLUMNS, orient="row"),
            rounding=0.0,
            notes=(*self.notes, *(note for question in self.asked for note in question.notes)),
            mapped=pl.DataFrame(mapped, schema=MAPPED, orient="row"),
        )


@dataclass(frozen=True)
class Question:
    """A question of one file: its options with the codes that mean them, and the codes that mean no answer."""

    name: str
    variables: Mapping[str, str]
    """Option -> variable; one variable for all options where one code is given per answer."""
    codes: Mapping[str, frozenset[Any]]
    missing: Mapping[str, frozenset[Any]]
    notes: tuple[str, ...]

    def of(
        self, people: Respondents, wave: Fielded, settings: Survey, member: Array | None = None
    ) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """Return rows of `COLUMNS` and of `MAPPED` for one wave; none where nobody answered."""
        columns = {name: [people.columns[name][row] for row in wave.rows] for name in set(self.variables.values())}
        answered = [_answered(columns[name], self.missing[name]) for name in dict.fromkeys(self.variables.values())]
        valid = np.any(answered, axis=0)
        if member is not None:
            valid &= member[list(wave.rows)]
        weights = np.array([people.columns[WEIGHT][row] for row in wave.rows], dtype=float)
        if not valid.any() or not (weights * valid).sum() > 0:
            return [], []
        design = Design(weights, *(_labels_of(people, name, wave) for name in (settings.strata, settings.clusters)))
        rows, mapped = [], []
        for option, variable in self.variables.items():
            ticked = np.array([value in self.codes[option] for value in columns[variable]]) & valid
            found: Estimate = design.share(ticked, valid)
            rows.append(
                (wave.name, wave.start, wave.end, None, self.name, option, found.share, found.se, found.n, None)
            )
        for variable, column in columns.items():
            mapped += list(self._mapped(people, wave, variable, column))
        return rows, mapped

    def _mapped(
        self, people: Respondents, wave: Fielded, variable: str, column: Sequence[Any]
    ) -> Iterator[tuple[Any, ...]]:
        labels = people.labels_of(variable)
        meaning = {
            code: option for option, codes in self.codes.items() if self.variables[option] == variable for code in codes
        }
        there = [value for value in column if value is not None]
        for code in sorted(set(there), key=lambda v: (isinstance(v, str), v)):
            yield wave.name, self.name, variable, spelled(code), labels.get(code), meaning.get(code), there.count(code)


def _labels_of(people: Respondents, name: str | None, wave: Fielded) -> Array | None:
    if name is None:
        return None
    column = people.column(name, "survey.strata or survey.clusters")
    return np.array([str(column[row]) for row in wave.rows])


def _answered(column: Sequence[Any], missing: frozenset[Any]) -> Array:
    return np.array([value is not None and value not in missing for value in column], dtype=bool)


def _question(
    people: Respondents, name: str, variable: str | Mapping[str, str], settings: Survey, renamed: Mapping[str, str]
) -> Question:
    return (
        single(people, name, variable, settings, renamed)
        if isinstance(variable, str)
        else _multiple(people, name, variable, settings)
    )


def _missing(people: Respondents, variable: str, settings: Survey) -> dict[Any, str]:
    """Return code -> why it is no answer, for one variable."""
    column, labels = people.column(variable, "survey.variables"), people.labels_of(variable)
    answers = {spelled(code) for code in settings.answer_codes}
    codes = {spelled(code) for code in settings.missing_codes}
    said = nonresponse.kinds(labels)
    found = {}
    for code in {*(value for value in column if value is not None), *labels}:
        if spelled(code) in answers:
            continue
        text = nonresponse.kind(code) if isinstance(code, str) and code not in labels else None
        kind = said.get(code) or text
        if people.is_declared(variable, code):
            found[code] = "declared missing"
        elif spelled(code) in codes:
            found[code] = "survey.missing_codes"
        elif kind in ("refused", "missing") or (kind == "dont_know" and settings.dont_know == "missing"):
            found[code] = "its label says so"
    return found


def single(people: Respondents, name: str, variable: str, settings: Survey, renamed: Mapping[str, str]) -> Question:
    """Return a variable with one code per respondent as options, codes that are no answer left out.

    Raises
    ------
    SurveyError
        If there is no such variable, nobody has a value, or a code is no option and not declared missing.
    """
    column, labels = people.column(variable, "survey.variables"), people.labels_of(variable)
    variable = (
        variable
        if variable in people.columns
        else next(c for c in people.columns if c.casefold() == variable.casefold())
    )
    missing = _missing(people, variable, settings)
    counts: dict[Any, int] = {}
    for value in column:
        if value is not None:
            counts[value] = counts.get(value, 0) + 1
    codes = [
        code for code in labels if code not in missing and (code in counts or nonresponse.kind(labels[code]) is None)
    ]
    codes += sorted(
        (code for code in counts if code not in codes and code not in missing), key=lambda v: (isinstance(v, str), v)
    )
    _refuse_unknown(people, variable, [code for code in codes if code not in labels], counts, settings, renamed)
    options: dict[str, set[Any]] = {}
    for code in codes:
        label = str(labels.get(code, spelled(code)))
        options.setdefault(renamed.get(spelled(code), renamed.get(label, label)), set()).add(code)
    if not options:
        raise SurveyError(f"{people.where}: nobody answered {variable}")
    return Question(
        name,
        dict.fromkeys(options, variable),
        {option: frozenset(codes_) for option, codes_ in options.items()},
        {variable: frozenset(missing)},
        _missing_notes(people, variable, missing, counts),
    )


_MOST_ANSWERS = 50
"""Different values without labels beyond which a variable is no question with answers (an age, an income)."""


def _refuse_unknown(
    people: Respondents,
    variable: str,
    bare: Sequence[Any],
    counts: Mapping[Any, int],
    settings: Survey,
    renamed: Mapping[str, str],
) -> None:
    """Refuse codes without a label outside the labelled ones: 99 beside 1 to 5 is no answer, 3 between 0 and 10 is."""
    if len(bare) > _MOST_ANSWERS:
        raise SurveyError(f"{people.where}: {variable} holds {len(bare)} values without labels: is it a question?")
    known = {spelled(code) for code in settings.answer_codes} | set(renamed)
    labels = people.labels_of(variable)
    numbers = [n for code in labels if nonresponse.kind(labels[code]) is None and (n := number_of(code)) is not None]
    odd = [
        code
        for code in bare
        if numbers and spelled(code) not in known and not min(numbers) <= (number_of(code) or 0.0) <= max(numbers)
    ]
    if odd:
        raise SurveyError(
            f"{people.where}: {variable} holds {spelled(odd[0])} ({counts[odd[0]]} respondents), which has no label"
            " and is not declared missing: name it in survey.missing_codes or in survey.answer_codes"
        )


def _missing_notes(
    people: Respondents, variable: str, missing: Mapping[Any, str], counts: Mapping[Any, int]
) -> tuple[str, ...]:
    labels = people.labels_of(variable)
    left = [
        f"{spelled(code)}{f' {labels[code]!r}' if code in labels else ''} ({counts[code]}, {why})"
        for code, why in missing.items()
        if counts.get(code)
    ]
    return (f"{people.where}: {variable}: no answer, left out of the base: {', '.join(left)}",) if left else ()


def _multiple(people: Respondents, name: str, variables: Mapping[str, str], settings: Survey) -> Question:
    yes, missing = {}, {}
    for option, variable in variables.items():
        column = people.column(variable, "survey.variables")
        left_out = frozenset(_missing(people, variable, settings))
        yes[option] = ticked(people, variable, [v for v in column if v is not None and v not in left_out], settings)
        missing[variable] = left_out
    return Question(name, dict(variables), yes, missing, ())
