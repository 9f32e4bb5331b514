"""Text of survey files to numbers, without guessing silently.

Takes columns of text, gives floats and integers, or a `SurveyError` that names the cell. Knows no layout.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from temporal_adapters.ground.errors import SurveyError

Place = Callable[[int], str]
"""Index of a cell -> where it is, as a person counts: ``row 2``, ``cell B4``."""

_EMPTY = frozenset({"", "na", "n/a", "nan", "null", "none", "."})
MARKS = frozenset(
    {
        "-",
        "–",
        "—",
        "*",
        "**",
        "..",
        "...",
        ":",
        "x",
        "z",
        "u",
        "c",
        "[c]",
        "[x]",
        "[z]",
        "[u]",
        "[low]",
        "(c)",
        "#",
        "~",
    }
)
"""Cells that publishers leave without a number: suppressed, too few respondents, not asked, not available."""

_BELOW = re.compile(r"[<≤]\s*\d+([.,]\d+)?\s*%?|0\*|\*%?|\d*\*+%")
"""Cells that say "less than": their number is not known."""

_NUMBER = re.compile(r"[-+−]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?")
_GROUPED = re.compile(r"[-+−]?\d{1,3}([,.'’ \u00a0\u202f]\d{3})+")


_MOST = 1e10
"""Respondents beyond which a number is none of them: more than there are people."""


@dataclass(frozen=True)
class Reading:
    """How numbers are written in a file.

    Attributes
    ----------
    decimal
        ``.``, ``,`` or ``auto``.
    marks
        Further cells that hold no number, folded.
    """

    decimal: Literal["auto", ".", ","] = "auto"
    marks: Collection[str] = ()


def is_empty(text: str | None) -> bool:
    """Say whether a cell holds nothing."""
    return text is None or text.strip().lower() in _EMPTY


def is_mark(text: str, reading: Reading) -> bool:
    """Say whether a cell is a publisher's sign for "no number"."""
    folded = text.strip().casefold()
    return folded in MARKS or folded in {mark.casefold() for mark in reading.marks} or bool(_BELOW.fullmatch(folded))


def row_place(first: int = 2) -> Place:
    """Return how rows of a table are named, the first of them being row `first` of its file."""
    return lambda index: f"row {index + first}"


@dataclass(frozen=True)
class Shares:
    """A column of values.

    Attributes
    ----------
    values
        Shares (0-1) or means; None where there is no number.
    step
        Step to which shares were rounded; None for means.
    n_marked
        Cells with a sign for "no number".
    """

    values: list[float | None]
    step: float | None
    n_marked: int


def parse_shares(cells: Sequence[str], where: str, unit: str, place: Place, reading: Reading) -> Shares:
    """Return the values of a column.

    Raises
    ------
    SurveyError
        If a cell is no finite number, if only some cells carry a %, or if values above 1 come without a unit.
    """
    marked = [not is_empty(cell) and is_mark(cell, reading) for cell in cells]
    texts = ["" if mark or is_empty(cell) else cell.strip() for cell, mark in zip(cells, marked, strict=True)]
    signed = [text.endswith("%") for text in texts]
    if any(signed) and any(text and not sign for text, sign in zip(texts, signed, strict=True)):
        row = next(i for i, text in enumerate(texts) if text and not signed[i])
        _number(texts[row], where, place(row), "," in texts[row])
        raise SurveyError(
            f"{where}: some values carry a % and {cells[row]!r} in {place(row)} does not: write all alike"
            " (or name it in survey.missing_marks, if it means that there is no number)"
        )
    comma = _has_comma(texts, where, place, reading, unit)
    numbers = [_number(text, where, place(row), comma) for row, text in enumerate(texts)]
    if unit == "mean":
        return Shares(numbers, None, sum(marked))
    return _as_shares(numbers, where, unit, any(signed), place, sum(marked))


def _as_shares(numbers: list[float | None], where: str, unit: str, signed: bool, place: Place, n_marked: int) -> Shares:
    present = [number for number in numbers if number is not None]
    percent = unit == "percent" or signed
    top = 100.0 if percent else 1.0
    bad = next((i for i, number in enumerate(numbers) if number is not None and not 0 <= number <= top * (1 + 1e-9)), 0)
    wrong = numbers[bad] if numbers else None
    if wrong is not None and not 0 <= wrong <= top * (1 + 1e-9):
        advice = "set survey.unit to percent or mean" if unit == "auto" and not percent else "check the file"
        raise SurveyError(f"{where}: {wrong:g} in {place(bad)} is outside 0 to {top:g}: {advice}")
    factor = 0.01 if percent else 1.0
    shares = [None if number is None else min(number * factor, 1.0) for number in numbers]
    return Shares(shares, rounding_step([number * factor for number in present]), n_marked)


def _has_comma(texts: Sequence[str], where: str, place: Place, reading: Reading, unit: str) -> bool:
    if reading.decimal != "auto":
        return reading.decimal == ","
    with_comma = [i for i, text in enumerate(texts) if "," in text]
    if not with_comma or any("." in text for text in texts):
        return False
    if unit == "mean" and all(_GROUPED.fullmatch(texts[i].removesuffix("%").strip()) for i in with_comma):
        at = with_comma[0]
        raise SurveyError(
            f"{where}: the comma of {texts[at]!r} in {place(at)} may group thousands or begin decimals:"
            ' set survey.decimal to "," or "."'
        )
    return True


def rounding_step(shares: Sequence[float]) -> float:
    """Return the coarsest of 0.01, 0.001 and 0.0001 that all shares are multiples of, or 0."""
    for step in (0.01, 0.001, 0.0001):
        if shares and all(abs(share / step - round(share / step)) < 1e-6 for share in shares):
            return step
    return 0.0


def parse_number(cell: str | None, where: str, place: str, reading: Reading) -> float | None:
    """Return a cell as a finite number; None where it is empty or a sign for "no number"."""
    if cell is None or is_empty(cell) or is_mark(cell, reading):
        return None
    comma = reading.decimal == "," or (reading.decimal == "auto" and "," in cell and "." not in cell)
    return _number(cell.strip(), where, place, comma)


def _number(text: str, where: str, place: str, comma: bool) -> float | None:
    if not text:
        return None
    bare = re.sub(r"[\s\u00a0\u202f'’]", "", text.removesuffix("%")).replace("−", "-")
    if comma:
        bare = bare.replace(".", "").replace(",", ".") if bare.count(",") == 1 else bare
    elif _GROUPED.fullmatch(bare) and "." not in bare:
        bare = bare.replace(",", "")
    if bare.lower().lstrip("+-") in ("inf", "infinity", "nan"):
        raise SurveyError(f"{where}: {text!r} in {place} is not a finite number")
    if not _NUMBER.fullmatch(bare) or "," in bare:
        raise SurveyError(
            f"{where}: {text!r} in {place} is not a number (if it means that there is none, name it in"
            " survey.missing_marks)"
        )
    number = float(bare)
    if not math.isfinite(number):
        raise SurveyError(f"{where}: {text!r} in {place} is not a finite number")
    return number


def parse_count(cell: str | None, where: str, place: str, reading: Reading = Reading()) -> int | None:
    """Return a cell as a number of respondents (1948; 1,948; 1 948; 1.948 with decimal commas); None where empty."""
    if cell is None or is_empty(cell) or is_mark(cell, reading):
        return None
    text = re.sub(r"^[nN]\s*=\s*", "", cell.strip())
    if _GROUPED.fullmatch(text) and ("." not in text or reading.decimal == ","):
        text = re.sub(r"[^\d−-]", "", text)
    number = _number(text, where, place, False)
    if number is None:
        return None
    if not 0 <= number < _MOST or number != int(number):
        advice = ' (set survey.decimal to "," if its point groups thousands)' if _GROUPED.fullmatch(text) else ""
        raise SurveyError(f"{where}: {cell!r} in {place} is not a number of respondents{advice}")
    return int(number)
