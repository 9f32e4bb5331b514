"""Text of survey files to numbers and dates, without guessing silently.

Takes columns of text, gives floats, integers and dates, or a `SurveyError` that names the cell. Knows no layout.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import date, datetime

from temporal_adapters.ground.errors import SurveyError

FORMATS = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y%m%d",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d %Y",
    "%B %d %Y",
    "%d-%b-%y",
    "%d-%b-%Y",
)
"""Ways of writing a day that are tried, each on the whole column."""

_EMPTY = frozenset({"", "na", "n/a", "nan", "null", "none", "."})
_TIME = re.compile(r"[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?Z?$")


def is_empty(text: str | None) -> bool:
    """Say whether a cell holds nothing."""
    return text is None or text.strip().lower() in _EMPTY


def parse_dates(cells: Sequence[str | None], where: str, date_format: str | None = None) -> list[date]:
    """Return the days of a column, all written in one format.

    Parameters
    ----------
    cells
        Text of every row, in order.
    where
        Place named in messages, such as ``tracker.csv: date``.
    date_format
        The format, if the study gives it.

    Raises
    ------
    SurveyError
        If a cell is empty or not a day, if the column mixes two formats, or if two formats fit and mean different days.
    """
    texts = []
    for row, cell in enumerate(cells, start=2):
        if cell is None or is_empty(cell):
            raise SurveyError(f"{where} is empty in row {row}: every row needs a day")
        texts.append(_TIME.sub("", cell.strip().replace(",", "")))
    if date_format is not None:
        return _parse_all(texts, date_format, where)
    fitting = {form: days for form in FORMATS if (days := _try_all(texts, form)) is not None}
    readings = {tuple(days) for days in fitting.values()}
    if len(readings) > 1:
        first, second = list(fitting)[:2]
        example = next(i for i in range(len(texts)) if fitting[first][i] != fitting[second][i])
        raise SurveyError(
            f"{where}: {texts[example]!r} may be {fitting[first][example]} or {fitting[second][example]}:"
            f" set survey.date_format, for example to '{first}'"
        )
    if not readings:
        raise SurveyError(f"{where}: {_unreadable(texts)}")
    return list(readings.pop())


def _try_all(texts: Sequence[str], form: str) -> list[date] | None:
    found = []
    for text in texts:
        try:
            found.append(datetime.strptime(text, form).date())
        except ValueError:
            return None
    return found


def _parse_all(texts: Sequence[str], form: str, where: str) -> list[date]:
    found = []
    for row, text in enumerate(texts, start=2):
        try:
            found.append(datetime.strptime(text, form).date())
        except ValueError:
            raise SurveyError(f"{where}: {text!r} in row {row} is not a day written as {form!r}") from None
    return found


def _unreadable(texts: Sequence[str]) -> str:
    counts = {form: sum(_try_all([text], form) is not None for text in texts) for form in FORMATS}
    best = max(counts, key=lambda form: counts[form])
    row = next((i for i, text in enumerate(texts) if _try_all([text], best) is None), 0)
    if counts[best] == 0:
        return f"{texts[0]!r} in row 2 is not a day; write days as 2023-04-03 or set survey.date_format"
    other = next((form for form in FORMATS if _try_all([texts[row]], form) is not None), None)
    if other is None:
        return f"{texts[row]!r} in row {row + 2} is not a day; the rows before it are written as {best!r}"
    return f"days are written in two formats, {best!r} and {other!r} ({texts[row]!r} in row {row + 2}): use one"


def parse_shares(cells: Sequence[str | None], where: str, unit: str) -> tuple[list[float | None], float | None]:
    """Return the values of a column as shares (0-1) or means, and the step to which shares were rounded.

    Raises
    ------
    SurveyError
        If a cell is no finite number, if only some cells carry a %, or if values above 1 come without a unit.
    """
    signed = [cell is not None and cell.strip().endswith("%") for cell in cells]
    filled = [not is_empty(cell) for cell in cells]
    if any(signed) and any(full and not sign for full, sign in zip(filled, signed, strict=True)):
        row = next(i for i, full in enumerate(filled) if full and not signed[i])
        raise SurveyError(
            f"{where}: some values carry a % and {cells[row]!r} in row {row + 2} does not: write all alike"
        )
    numbers = [parse_number(cell, f"{where} in row {row}") for row, cell in enumerate(cells, start=2)]
    present = [number for number in numbers if number is not None]
    if unit == "mean":
        return numbers, None
    percent = unit == "percent" or any(signed)
    low, high = min(present, default=0.0), max(present, default=0.0)
    top = 100.0 if percent else 1.0
    if low < 0 or high > top * (1 + 1e-9):
        wrong = low if low < 0 else high
        advice = "set survey.unit to percent or mean" if unit == "auto" and not percent else "check the file"
        raise SurveyError(f"{where}: {wrong:g} is outside 0 to {top:g}: {advice}")
    factor = 0.01 if percent else 1.0
    shares = [None if number is None else min(number * factor, 1.0) for number in numbers]
    return shares, rounding_step([number * factor for number in present])


def rounding_step(shares: Sequence[float]) -> float:
    """Return the coarsest of 0.01, 0.001 and 0.0001 that all shares are multiples of, or 0."""
    for step in (0.01, 0.001, 0.0001):
        if shares and all(abs(share / step - round(share / step)) < 1e-6 for share in shares):
            return step
    return 0.0


def parse_number(cell: str | None, where: str) -> float | None:
    """Return a cell as a finite number; None where it is empty."""
    if cell is None or is_empty(cell):
        return None
    try:
        number = float(cell.strip().removesuffix("%").replace(" ", ""))
    except ValueError:
        raise SurveyError(f"{where}: {cell!r} is not a number") from None
    if not math.isfinite(number):
        raise SurveyError(f"{where}: {cell!r} is not a finite number")
    return number


def parse_count(cell: str | None, where: str) -> int | None:
    """Return a cell as a number of respondents; None where it is empty."""
    number = parse_number(cell.replace(",", "") if cell else cell, where)
    if number is None:
        return None
    if number < 1 or number != int(number):
        raise SurveyError(f"{where}: {cell!r} is not a number of respondents")
    return int(number)
