"""Which rows count: `survey.keep`, the same rule for every format that has rows.

Takes columns and conditions, gives one truth value per row. Knows no file.

A condition is a value, a list of values, or a text that compares: ``>= 18``, ``< 65``, ``18..30`` (both ends count),
``!= abroad``. Values meet as numbers where both are, else as text without regard to case; a coded variable also meets
by its labels.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from typing import Any

from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.study.config import Kept

_COMPARED = re.compile(r"(>=|<=|>|<|!=)\s*(.+)")
_BETWEEN = re.compile(r"(-?\d+(?:\.\d+)?)\s*\.\.\s*(-?\d+(?:\.\d+)?)")
_SIGNS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_SHOWN = 8


def kept(
    columns: Mapping[str, Sequence[Any]],
    wanted: Mapping[str, Kept],
    where: str,
    labels: Mapping[str, Mapping[Any, str]] | None = None,
) -> list[bool]:
    """Return for every row whether all conditions hold.

    Raises
    ------
    SurveyError
        If a column is missing, a value never occurs, a comparison meets no row, or nothing is left together.
    """
    height = len(next(iter(columns.values()), ()))
    found = [True] * height
    for column, condition in wanted.items():
        if column not in columns:
            raise SurveyError(
                f"{where} has no column {column!r} to keep rows by (survey.keep; it has {_some(list(columns))})"
            )
        named = (labels or {}).get(column, {})
        holds = _holds(columns[column], condition, named, f"{where}: survey.keep of {column!r}")
        found = [before and now for before, now in zip(found, holds, strict=True)]
    if not any(found):
        raise SurveyError(f"{where}: no row is left where {_spelled(wanted)}" if wanted else f"{where}: has no rows")
    return found


def _holds(cells: Sequence[Any], condition: Kept, labels: Mapping[Any, str], where: str) -> list[bool]:
    if isinstance(condition, str) and (compared := _COMPARED.fullmatch(condition.strip())):
        return _compared(cells, compared[1], compared[2].strip(), labels, where)
    if isinstance(condition, str) and (between := _BETWEEN.fullmatch(condition.strip())):
        low, high = float(between[1]), float(between[2])
        numbers = [_number(cell) for cell in cells]
        return _some_hold([n is not None and low <= n <= high for n in numbers], condition, numbers, where)
    values = condition if isinstance(condition, list) else [condition]
    keys = [_keys(cell, labels) for cell in cells]
    there = set().union(*keys) if keys else set()
    for value in values:
        if not _forms(value) & there:
            distinct = sorted({str(cell) for cell in cells if cell not in (None, "")} | set(map(str, labels.values())))
            raise SurveyError(f"{where}: {value!r} never occurs; there are {_some(distinct)}")
    wanted = set().union(*(_forms(value) for value in values))
    return [bool(key & wanted) for key in keys]


def _compared(cells: Sequence[Any], sign: str, text: str, labels: Mapping[Any, str], where: str) -> list[bool]:
    if sign == "!=":
        return [not hold for hold in _holds(cells, text, labels, where)]
    bound = _number(text)
    if bound is None:
        raise SurveyError(f"{where}: {sign} {text} compares with no number")
    numbers = [_number(cell) for cell in cells]
    holds = [number is not None and bool(_SIGNS[sign](number, bound)) for number in numbers]
    return _some_hold(holds, f"{sign} {text}", numbers, where)


def _some_hold(holds: list[bool], said: str, numbers: Sequence[float | None], where: str) -> list[bool]:
    if not any(holds):
        there = [number for number in numbers if number is not None]
        span = f"values go from {min(there):g} to {max(there):g}" if there else "it holds no number"
        raise SurveyError(f"{where}: {said!r} meets no row; {span}")
    return holds


def _keys(cell: Any, labels: Mapping[Any, str]) -> set[Any]:
    keys = _forms(cell) if cell is not None else set()
    return keys | (_forms(labels[cell]) if cell in labels else set())


def _forms(value: Any) -> set[Any]:
    """Return a value as number, if it is one, else as folded text."""
    number = _number(value)
    return {number} if number is not None else {" ".join(str(value).split()).casefold()}


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if number == number else None


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _spelled(wanted: Mapping[str, Kept]) -> str:
    return " and ".join(
        f"{column} is {' or '.join(map(str, value)) if isinstance(value, list) else value}"
        for column, value in wanted.items()
    )
