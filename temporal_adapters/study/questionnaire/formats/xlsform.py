"""XLSForm workbooks as in the wild: every spelling of types and columns, groups, tables, languages.

Takes an `.xlsx` file, gives questions. Source: xlsform.org and the aliases of its reference converter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from temporal_adapters.ground.errors import QuestionnaireError
from temporal_adapters.ground.workbooks import open_workbook
from temporal_adapters.study.questionnaire.formats.asked import (
    Answer,
    Asked,
    Found,
    chosen_language,
    same_language,
    tag,
)

Row = Mapping[str, str]

_SELECT = re.compile(
    r"(?:add )?(?P<kind>select[ _]one[ _]external|select[ _]one|select[ _]multiple|select1"
    r"|select all that apply|select|rank)"
    r"(?: prompt using)?(?P<file>[ _]from[ _]file)?(?: from)?\s+(?P<list>\S+?)"
    r"(?P<other>\s+(?:or[ _]other|or specify other))?",
    re.IGNORECASE,
)
_BEGIN = re.compile(r"begin[ _](group|repeat|loop)", re.IGNORECASE)
_END = re.compile(r"end[ _](group|repeat|loop)", re.IGNORECASE)
_HEADERS = {
    "choice filter": "choice_filter",
    "list name": "list_name",
    "listname": "list_name",
    "value": "name",
    "caption": "label",
    "choice_label": "label",
}
_MANY = frozenset({"select_multiple", "select all that apply", "select multiple", "select"})
MOST_POINTS = 11
"""Points of a `range` up to which it is a scale with answers."""


def read(path: Path, language: str = "") -> Found:
    """Read an XLSForm workbook.

    Raises
    ------
    QuestionnaireError
        If it is no workbook, lacks the sheet `survey`, or has no such language.
    """
    book = _sheets(path)
    if "survey" not in book:
        raise QuestionnaireError(
            f"{path}: an XLSForm workbook has a sheet 'survey', this one has {', '.join(book) or 'none'}"
        )
    survey, choices = book["survey"], book.get("choices") or book.get("choice") or []
    settings = next(iter(book.get("settings", [])), {})
    default = settings.get("default_language", "")
    chosen = _chosen(path, survey, language, default)
    found = Found(language=tag(chosen or default), title=settings.get("form_title", ""))
    there = _languages(survey)
    if len(there) > 1 and not language and not default and chosen:
        found.notes.append(f"language: {chosen}, the first of {', '.join(there)}; --language chooses another")
    _questions(found, survey, _lists(choices, chosen), chosen)
    return found


def _chosen(path: Path, survey: list[dict[str, str]], language: str, default: str) -> str:
    """Return the language whose columns are read; empty for the columns that name none."""
    there = _languages(survey)
    has_plain = any(row.get("label") for row in survey)
    is_plain = not any(same_language(one, default) for one in there)
    if has_plain and is_plain and (not language or same_language(default, language)):
        return ""
    return chosen_language(path, language, there, default)


def _sheets(path: Path) -> dict[str, list[dict[str, str]]]:
    book = open_workbook(path, lambda what: QuestionnaireError(f"{path}: {what}"), streamed=True)
    try:
        sheets = {page.title.strip().casefold(): list(page.iter_rows(values_only=True)) for page in book.worksheets}
        book.close()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise QuestionnaireError(f"{path}: cannot be read as an XLSForm workbook ({error})") from None
    return {name: _rows(rows) for name, rows in sheets.items() if rows}


def _rows(rows: list[tuple[Any, ...]]) -> list[dict[str, str]]:
    top = next((at for at, row in enumerate(rows) if any(cell is not None for cell in row)), 0)
    header = [_header(_cell(cell)) for cell in rows[top]]
    found = []
    for number, row in enumerate(rows[top + 1 :], start=top + 2):
        cells = {name: _cell(cell) for name, cell in zip(header, row, strict=False) if name and _cell(cell)}
        if cells:
            found.append({**cells, "row": f"row {number}"})
    return found


def _cell(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value).strip()


def _header(name: str) -> str:
    """Return a column's name in one spelling: ``label:english (en)`` for ``Label :: English (en)``."""
    name = re.sub(r"\s*::?\s*", ":", " ".join(name.split()))
    first, colon, rest = name.partition(":")
    first = first.casefold().strip()
    return f"{_HEADERS.get(first, first)}{colon}{rest}"


def _languages(rows: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(name.partition(":")[2] for row in rows for name in row if name.startswith("label:")))


def _label(row: Row, language: str) -> str:
    return row.get(f"label:{language}", "") if language else row.get("label", "")


def _lists(choices: Iterable[Row], language: str) -> dict[str, list[Answer]]:
    """Return list -> answers; without labels in the language a list keeps empty texts, so that it is left out."""
    rows = list(choices)
    language = language if language in _languages(rows) else ""
    found: dict[str, list[Answer]] = {}
    for row in rows:
        name = row.get("list_name")
        if name and ("name" in row or _label(row, language)):
            found.setdefault(name, []).append(Answer(_label(row, language), row.get("name")))
    return found


@dataclass(frozen=True)
class _Group:
    name: str
    label: str
    is_table: bool


def _questions(found: Found, survey: Iterable[Row], lists: Mapping[str, list[Answer]], language: str) -> None:
    groups: list[_Group] = []
    for row in survey:
        kind = " ".join(row.get("type", "").split())
        if _BEGIN.fullmatch(kind):
            is_table = "table-list" in row.get("appearance", "")
            groups.append(_Group(row.get("name", ""), _label(row, language), is_table))
        elif _END.fullmatch(kind):
            groups = groups[:-1]
        else:
            _question(found, row, kind, lists, language, groups)


def _question(
    found: Found, row: Row, kind: str, lists: Mapping[str, list[Answer]], language: str, groups: list[_Group]
) -> None:
    name = row.get("name", "") or row["row"]
    select = _SELECT.fullmatch(kind)
    if kind.casefold() == "range":
        _range(found, row, name, language, groups)
        return
    reason = _reason(row, select, kind, lists, language)
    if reason is not None:
        if kind:
            found.leave_out(name, reason)
        return
    if select is None:
        return
    multiple = select["kind"].casefold().replace("_", " ") in {one.replace("_", " ") for one in _MANY}
    ordered = "likert" in row.get("appearance", "")
    table = next((group for group in reversed(groups) if group.is_table and group.label), None)
    text = f"{table.label} {_label(row, language)}" if table else _label(row, language)
    asked = Asked(
        row.get("name", ""),
        "select_multiple" if multiple else "scale" if ordered else "select_one",
        text,
        (*lists[select["list"]], *([Answer("Other", "other")] if select["other"] else [])),
        row["row"],
        tuple(group.name for group in groups),
    )
    found.questions.append(asked)


def _reason(
    row: Row, select: re.Match[str] | None, kind: str, lists: Mapping[str, list[Answer]], language: str
) -> str | None:
    """Return why a row is left out, None where it is a question with answers."""
    if select is None:
        return kind if kind else "no type"
    if select["kind"].casefold() == "rank":
        return "a ranking, which has no counterpart"
    if "external" in select["kind"].casefold() or select["file"] or re.search(r"\.(csv|xml|geojson)$", select["list"]):
        return f"its answers stand in another file, {select['list']}"
    if select["list"].startswith("${"):
        return f"its answers are those to another question, {select['list']}"
    if not row.get("name"):
        return "it has no name (column 'name')"
    if row.get("appearance", "").split()[:1] == ["label"]:
        return "the header of a table"
    if row.get("choice_filter"):
        return f"its answers depend on other questions: choice_filter {row['choice_filter']}"
    if select["list"] not in lists:
        return f"it uses the list {select['list']!r}, which is missing"
    if not _label(row, language):
        return f"it has no label in {language}" if language else "it has no label"
    if any(not answer.text for answer in lists[select["list"]]):
        return f"an answer has no label in {language}" if language else "an answer has no label"
    return None


def _range(found: Found, row: Row, name: str, language: str, groups: list[_Group]) -> None:
    numbers = dict(re.findall(r"(start|end|step)\s*=\s*(-?\d+)", row.get("parameters", "").replace('"', "")))
    start, end, step = (int(numbers.get(key, default)) for key, default in (("start", 1), ("end", 10), ("step", 1)))
    points = list(range(start, end + 1, step)) if step > 0 else []
    if not 2 <= len(points) <= MOST_POINTS:
        found.leave_out(name, f"a range of {len(points)} points, at most {MOST_POINTS} are answers")
        return
    answers = tuple(Answer(str(point), str(point)) for point in points)
    asked = Asked(row.get("name", ""), "scale", _label(row, language), answers, row["row"])
    found.questions.append(replace(asked, group=tuple(group.name for group in groups)))
