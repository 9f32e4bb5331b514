"""Waves of respondents: SPSS and Stata files to weighted shares with design-based errors.

Takes `.sav`, `.zsav` and `.dta` files, gives observations. Knows no week.

One file is one wave. Shares are weighted; the standard error is the root of deff p (1 - p) / n with Kish's approximate
design effect deff = n sum(w^2) / sum(w)^2 over the respondents who answered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages.survey import values
from temporal_adapters.stages.survey.observations import COLUMNS, Observations

SUFFIXES = (".sav", ".zsav", ".dta")
_ENCODINGS = (None, "utf-8", "cp1252")
_DAY = re.compile(r"(\d{4})[-_.]?(\d{2})[-_.]?(\d{2})")

Variables = Mapping[str, str | Mapping[str, str]]
"""Question -> variable with one code per answer, or question -> {option: variable that is 1 where it was ticked}."""


@dataclass(frozen=True)
class Respondents:
    """One file: columns as arrays (None where missing), value labels, and what was noticed."""

    columns: Mapping[str, Sequence[Any]]
    labels: Mapping[str, Mapping[Any, str]]
    notes: tuple[str, ...]


def read(
    path: Path, variables: Variables, weight: str | None, date_column: str | None, missing: Sequence[float]
) -> Observations:
    """Read one wave.

    Parameters
    ----------
    path
        SPSS or Stata file.
    variables
        Questions and their variables.
    weight
        Weight variable; every respondent counts once without it.
    date_column
        Variable with the day of the interview; without it the file's name must hold the day (2023-04-03).
    missing
        Codes that count as no answer, beside those the file declares.

    Raises
    ------
    SurveyError
        Naming the file and the variable.
    """
    if not variables:
        raise SurveyError(f"{path}: name the questions in survey.variables, such as {{mood: q1}}")
    people = _load(path)
    start, end = _fieldwork(people, date_column, path)
    weights = _weights(people, weight, path)
    rows = []
    for question, variable in variables.items():
        if isinstance(variable, str):
            shares = _single(people, variable, weights, frozenset(missing), path)
        else:
            shares = _multiple(people, variable, weights, frozenset(missing), path)
        rows += [(path.stem, start, end, question, *share) for share in shares]
    return Observations(pl.DataFrame(rows, schema=COLUMNS, orient="row"), rounding=0.0, notes=people.notes)


def _load(path: Path) -> Respondents:
    import pyreadstat

    reader = pyreadstat.read_dta if path.suffix == ".dta" else pyreadstat.read_sav
    problem: Exception | None = None
    for encoding in _ENCODINGS:
        try:
            columns, meta = reader(str(path), encoding=encoding, output_format="dict")
        except (pyreadstat.ReadstatError, UnicodeDecodeError, OSError) as error:
            problem = error
            continue
        notes = (f"{path}: read as {encoding}",) if encoding else ()
        return Respondents({name: list(column) for name, column in columns.items()}, meta.variable_value_labels, notes)
    raise SurveyError(f"{path}: cannot be read as an SPSS or Stata file ({problem})")


def _column(people: Respondents, name: str, path: Path) -> Sequence[Any]:
    if name not in people.columns:
        raise SurveyError(f"{path} has no variable {name!r} (it has {', '.join(list(people.columns)[:8])} ...)")
    return people.columns[name]


def _fieldwork(people: Respondents, name: str | None, path: Path) -> tuple[date, date]:
    if name is None:
        found = _DAY.search(path.stem)
        if found is None:
            raise SurveyError(
                f"{path}: its name holds no day (such as 2023-04-03); rename it or name the variable with the"
                " interview's day in survey.columns: {date: ...}"
            )
        try:
            day = date(int(found[1]), int(found[2]), int(found[3]))
        except ValueError:
            raise SurveyError(f"{path}: {found[0]!r} in its name is not a day") from None
        return day, day
    days = [
        _day(value, f"{path}: {name}") for value in _column(people, name, path) if value is not None and value == value
    ]
    if not days:
        raise SurveyError(f"{path}: {name} holds no day")
    return min(days), max(days)


def _day(value: Any, where: str) -> date:
    if hasattr(value, "date") and callable(value.date):
        return date.fromisoformat(value.date().isoformat())
    return value if isinstance(value, date) else values.parse_dates([str(value)], where)[0]


def _weights(people: Respondents, name: str | None, path: Path) -> np.ndarray[Any, np.dtype[np.float64]]:
    if name is None:
        return np.ones(len(next(iter(people.columns.values()))))
    weights = np.array([np.nan if value is None else float(value) for value in _column(people, name, path)])
    bad = ~np.isfinite(weights) | (weights < 0)
    if bad.any():
        raise SurveyError(
            f"{path}: {name} of {int(bad.sum())} respondents is missing or negative: give every one a weight"
        )
    return weights


def _answered(values_: Sequence[Any], missing: frozenset[float]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.array(
        [value is not None and value == value and value != "" and value not in missing for value in values_]
    )


def _single(
    people: Respondents, variable: str, weights: Any, missing: frozenset[float], path: Path
) -> list[tuple[str, float, float, int]]:
    answers = _column(people, variable, path)
    valid = _answered(answers, missing)
    if not valid.any():
        raise SurveyError(f"{path}: nobody answered {variable}")
    labels = people.labels.get(variable, {})
    seen = {answer for answer, is_valid in zip(answers, valid, strict=True) if is_valid}
    codes = [code for code in labels if code not in missing]
    codes += sorted(code for code in seen if code not in codes)
    found = []
    for code in codes:
        ticked = np.array([value == code for value in answers])
        found.append((str(labels.get(code, _name(code))), *_share(ticked[valid], weights[valid])))
    return found


def _multiple(
    people: Respondents, variables: Mapping[str, str], weights: Any, missing: frozenset[float], path: Path
) -> list[tuple[str, float, float, int]]:
    columns = {option: _column(people, name, path) for option, name in variables.items()}
    answered = np.array([_answered(column, missing) for column in columns.values()])
    valid = answered.any(axis=0)
    if not valid.any():
        raise SurveyError(f"{path}: nobody answered {', '.join(variables.values())}")
    found = []
    for option, column in columns.items():
        ticked = np.array([value == 1 for value in column])
        found.append((option, *_share(ticked[valid], weights[valid])))
    return found


def _share(ticked: Any, weights: Any) -> tuple[float, float, int]:
    total, n = float(weights.sum()), len(weights)
    share = float((weights * ticked).sum() / total)
    effect = n * float((weights**2).sum()) / total**2
    return share, float(np.sqrt(effect * share * (1 - share) / n)), n


def _name(code: Any) -> str:
    return str(int(code)) if isinstance(code, float) and code.is_integer() else str(code)
