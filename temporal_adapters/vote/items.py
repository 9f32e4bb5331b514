"""The codes of one item: from the file's columns to the values of a respondent, and what does not fit.

Takes an item of a mapping and columns of codes, gives values and sentences. Knows no respondent and no vote.

Missingness is decided here, once, on the code in the file.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from temporal_adapters.study.config import SYSTEM_MISSING, Item, SurveyMapping, code_text
from temporal_adapters.vote.files import SurveyFile

Columns = Mapping[str, list[str]]
"""Place in the mapping -> the column's codes."""


def file_codes(item: Item, columns: Columns) -> list[str]:
    """Return the code of every row, recoded, after the columns that override it."""
    codes = [item.recode.get(code, code) for code in columns[f"item {item.name}"]]
    for number, override in enumerate(item.overrides):
        decisive = set(override.codes)
        for row, code in enumerate(columns[f"item {item.name} override {number}"]):
            if code in decisive:
                codes[row] = override.becomes
    return codes


def declared(survey: SurveyFile, column: str) -> Callable[[str], str | None]:
    """Return what says why the file itself does not take a code of `column` for a plain number; None if it does."""
    labels, missing = survey.value_labels.get(column, {}), survey.declared_missing.get(column)

    def why(code: str) -> str | None:
        if missing is not None and missing.holds(code):
            return "which the file declares missing"
        return f"which the file labels {labels[code]!r}" if code in labels else None

    return why


def code_problems(
    mapping: SurveyMapping, item: Item, codes: list[str], says: Callable[[str], str | None]
) -> Iterator[str]:
    """Yield a sentence for each code that is no answer; `says` knows what the file itself declares."""
    counts = Counter(codes)
    valid = 0
    for code, n in sorted(counts.items()):
        if mapping.is_missing(item, code):
            continue
        valid += n
        why = complaint(item, code)
        if why is None and item.kind == "numeric" and code not in item.answers and code not in item.labelled:
            why = says(code)
            why = why and f"{why}: add it to `missing.codes`, to `answers`, or to `labelled` if it is a number"
        if why:
            yield f"{item.column} (item {item.name!r}) holds the code {code} ({n} respondents), {why}"
    if not valid:
        yield (
            f"{item.column} (item {item.name!r}) has no valid answer among {len(codes)} respondents: take "
            "the item out of the mapping, or name another column"
        )


def complaint(item: Item, code: str) -> str | None:
    """Return why `code`, which is not a missing one, is no answer to `item`; None if it is."""
    if code in item.answers:
        return None
    if item.kind != "numeric":
        return "which the mapping does not know: add it to `answers`, `recode` or `missing.codes`"
    try:
        value = _number(item, code)
    except ValueError:
        return "which is no number"
    if not math.isfinite(value):
        return "which is no finite number"
    if item.minimum is not None and value < item.minimum:
        return f"which gives {value:g}, below `minimum` {item.minimum:g}"
    if item.maximum is not None and value > item.maximum:
        return f"which gives {value:g}, above `maximum` {item.maximum:g}"
    return None


def _number(item: Item, code: str) -> float:
    return float(code) if item.subtract_from is None else item.subtract_from - float(code)


def values_of(mapping: SurveyMapping, item: Item, codes: list[str]) -> list[str]:
    """Return what stands in the table of respondents: codes, or numbers and marked codes of no answer."""
    if item.kind != "numeric":
        return codes
    return [_value(mapping, item, code) for code in codes]


def _value(mapping: SurveyMapping, item: Item, code: str) -> str:
    if mapping.is_missing(item, code):
        return code if code.startswith(SYSTEM_MISSING) else f"{SYSTEM_MISSING}{code}"
    if code in item.answers or item.subtract_from is None:
        return code
    try:
        return code_text(_number(item, code))
    except ValueError:  # a problem that `examine` reports
        return code
