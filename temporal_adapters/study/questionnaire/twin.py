r"""The CSV twin of the native format, in the style of XLSForm: one file, one row per setting, choice, item or wording.

Takes a path, gives a `Questionnaire` or `QuestionnaireError` with file:line; and back. Knows no other format.

The column `sheet` says what a row is, as the sheets of an XLSForm workbook do: `settings` (one row), `choices` (rows
with the same `list_name` are a list), `survey` (an item: `type` is ``select_one <list_name>``, ``select_multiple
<list_name>`` or ``scale <list_name>``), `wordings` (one row per wording, below its item). Lists inside a cell are
separated by ``|``; a backslash keeps a ``|`` literal and writes an empty entry as ``\0``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from temporal_adapters.ground.errors import QuestionnaireError
from temporal_adapters.study.questionnaire import native
from temporal_adapters.study.questionnaire.native_text import choice_lists, list_name
from temporal_adapters.study.questionnaire.records import ITEM_TYPES, Item, Questionnaire
from temporal_adapters.study.questionnaire.rules import Problem, problems

COLUMNS = (
    "sheet", "type", "list_name", "name", "label", "code", "value", "role", "pinned", "aliases", "survey", "language",
    "source", "domain", "cases", "orders", "prefix", "delimiter", "listing", "ask", "yes", "no", "chat", "system",
    "premise", "content_free",
)  # fmt: skip
"""All columns, in order; a file may leave out those it does not use."""

SHEETS = ("settings", "choices", "survey", "wordings")
_LISTS = frozenset({"aliases", "cases", "yes", "no", "content_free"})

Row = dict[str, Any]


def dumps(questionnaire: Questionnaire) -> str:
    """Return `questionnaire` as CSV text."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for row in _rows(questionnaire):
        writer.writerow({name: _cell(name, value) for name, value in row.items()})
    return out.getvalue()


def _rows(questionnaire: Questionnaire) -> Iterable[Row]:
    about = {name: getattr(questionnaire, name) for name in ("name", "language", "source")}
    yield {"sheet": "settings", "label": questionnaire.title, **about}
    lists = choice_lists(questionnaire)
    for name, options in lists.items():
        for option in options:
            fields = asdict(option)
            yield {"sheet": "choices", "list_name": name, "label": fields.pop("text"), **fields}
    for item in questionnaire.items:
        yield {
            "sheet": "survey",
            "type": f"{item.type} {list_name(item, lists)}",
            "name": item.name,
            "label": item.title,
            "survey": item.survey_question,
            "language": item.language,
            "domain": item.domain,
            "cases": item.cases,
            "orders": item.orders,
        }
        for wording in item.wordings:
            fields = asdict(wording)
            yield {"sheet": "wordings", "label": fields.pop("text"), **fields}


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name == "delimiter":
        return _escape(value)
    if name in _LISTS:
        return "|".join(_escape(entry) for entry in value)
    if isinstance(value, bool):
        return "yes" if value else ""
    return f"{value:.17g}" if isinstance(value, float) else str(value)


def _escape(entry: str) -> str:
    return entry.replace("\\", "\\\\").replace("|", "\\|") or "\\0"


def _entries(cell: str) -> list[str]:
    found, current, escaped = [], "", False
    for character in cell:
        if escaped:
            current += "" if character == "0" else character
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == "|":
            found.append(current)
            current = ""
        else:
            current += character
    return [*found, current] if cell else []


def load_twin(path: Path, methods: Iterable[str] = ()) -> Questionnaire:
    """Read a CSV twin and check its rules (see `files.load`)."""
    rows = _read(path)
    questionnaire, places = _assemble(path, rows)
    for problem in problems(questionnaire, methods):
        raise QuestionnaireError(f"{path}:{_line(problem, places)}: {problem.sentence}")
    return questionnaire


def _read(path: Path) -> list[tuple[int, Row]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise QuestionnaireError(f"{path}: cannot be read as UTF-8 text ({error})") from None
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    unknown = [name for name in reader.fieldnames or () if name not in COLUMNS]
    if unknown or "sheet" not in (reader.fieldnames or ()):
        wrong = f"unknown column {unknown[0]!r}" if unknown else "there is no column 'sheet'"
        raise QuestionnaireError(f"{path}:1: {wrong} (columns: {', '.join(COLUMNS)})")
    rows, start = [], 2
    try:
        for row in reader:
            rows.append((start, {name: cell for name, cell in row.items() if cell}))
            start = reader.line_num + 1
    except csv.Error as error:
        raise QuestionnaireError(f"{path}:{reader.line_num}: not valid CSV: {error}") from None
    for line, row in rows:
        if row.get("sheet") not in SHEETS:
            allowed = ", ".join(SHEETS)
            raise QuestionnaireError(f"{path}:{line}: the sheet is {row.get('sheet')!r}, allowed: {allowed}")
    return rows


Places = list[tuple[int, list[int], list[int]]]
"""Per item: its line, the lines of its options, the lines of its wordings."""


def _assemble(path: Path, rows: list[tuple[int, Row]]) -> tuple[Questionnaire, Places]:
    settings = [row for _, row in rows if row["sheet"] == "settings"]
    if len(settings) != 1:
        raise QuestionnaireError(f"{path}: needs exactly one row of the sheet 'settings', found {len(settings)}")
    head, items, places = settings[0], [], []
    for index, (line, row) in enumerate(rows):
        if row["sheet"] != "survey":
            continue
        kind, _, list_of = row.get("type", "").partition(" ")
        options = [(at, r) for at, r in rows if r["sheet"] == "choices" and r.get("list_name") == list_of]
        if kind not in ITEM_TYPES or not options:
            raise QuestionnaireError(
                f"{path}:{line}: the type is {row.get('type')!r}; write {', '.join(ITEM_TYPES)} and the name of a "
                "list of choices in this file"
            )
        wordings = list(_below(rows, index))
        items.append(_item(path, line, row, kind, options, wordings, head))
        places.append((line, [at for at, _ in options], [at for at, _ in wordings]))
    found = Questionnaire(
        head.get("name", ""), tuple(items), head.get("label", ""), head.get("language", "en"), head.get("source", "")
    )
    return found, places


def _below(rows: list[tuple[int, Row]], index: int) -> Iterable[tuple[int, Row]]:
    for line, row in rows[index + 1 :]:
        if row["sheet"] == "survey":
            return
        if row["sheet"] == "wordings":
            yield line, row


def _item(
    path: Path,
    line: int,
    row: Row,
    kind: str,
    options: list[tuple[int, Row]],
    wordings: list[tuple[int, Row]],
    head: Row,
) -> Item:
    keys = {"label": "text"}
    entries = [_entry(native.OptionEntry, path, at, one, keys) for at, one in options]
    asked = [_entry(native.WordingEntry, path, at, one, {"label": "text", "name": "wording"}) for at, one in wordings]
    if not asked:
        raise QuestionnaireError(f"{path}:{line}: {row.get('name')!r} has no row of the sheet 'wordings' below it")
    given = {key: value for key, value in row.items() if key in ("language", "survey", "domain", "cases", "orders")}
    item = {**given, "item": row.get("name", ""), "title": row.get("label", ""), "type": kind, "wordings": ()}
    item["wordings"] = [wording.model_dump() for wording in asked]
    entry = _entry(native.ItemEntry, path, line, item, {})
    return entry.record(entries, head.get("language", "en"))


def _entry(model: Any, path: Path, line: int, row: Mapping[str, Any], renamed: Mapping[str, str]) -> Any:
    fields: Row = {}
    for name, cell in row.items():
        if name in ("sheet", "list_name") or (name == "type" and model is not native.ItemEntry):
            continue
        value = _entries(cell) if name in _LISTS and isinstance(cell, str) else cell
        if name == "delimiter":
            value = _entries(cell)[0]
        fields[renamed.get(name, name)] = value == "yes" if name in ("pinned", "chat") else value
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        column = ".".join(str(part) for part in first["loc"])
        raise QuestionnaireError(
            f"{path}:{line}: {column}: {first['input']!r} is not allowed: {first['msg']}"
        ) from None


def _line(problem: Problem, places: Places) -> int:
    if problem.item is None:
        return 1
    line, options, wordings = places[problem.item]
    if problem.option is not None:
        return options[problem.option]
    return wordings[problem.wording] if problem.wording is not None else line
