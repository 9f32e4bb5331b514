"""Questionnaires from other programs: QSTN CSV, XLSForm workbooks, labels of SPSS and Stata files.

Takes a file, gives a `Questionnaire` to be read over by a person, and what was left out. Knows no model.

An import can only carry what the other format has: wordings beyond the first, aliases and survey links are for the
editor. Options that read like a nonresponse get that role; which items are scales is asked, not guessed.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from temporal_adapters.ground.errors import QuestionnaireError
from temporal_adapters.study.questionnaire.records import Item, ItemType, Option, Questionnaire, Wording
from temporal_adapters.study.questionnaire.rules import problems, reads_like_nonresponse

PLACEHOLDER = re.compile(r"\{\{?\s*(question_content|QUESTION_CONTENT\w*|content)\s*\}?\}")
_FIRST = "imported"


@dataclass(frozen=True)
class Imported:
    """What an import gave.

    Attributes
    ----------
    questionnaire
        The records.
    left_out
        One phrase per question or part that has no counterpart.
    """

    questionnaire: Questionnaire
    left_out: tuple[str, ...]


def import_file(path: Path, options: Sequence[str] = (), scales: Collection[str] = ()) -> Imported:
    """Read a questionnaire of another program, told by its ending.

    Parameters
    ----------
    path
        ``.csv`` (QSTN), ``.xlsx`` (XLSForm), ``.sav`` or ``.dta`` (labels of a data file).
    options
        Answer options of all questions, for QSTN files, which hold none; ``code=text`` gives a code.
    scales
        Names of items that are scales: their options are numbered in the order they have.

    Raises
    ------
    QuestionnaireError
        If the file cannot be read, holds no question, or the result breaks a rule.
    """
    readers = {".csv": _qstn, ".xlsx": _xlsform, ".sav": _labels, ".dta": _labels}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise QuestionnaireError(f"{path}: cannot import {path.suffix or 'this'}: allowed are {', '.join(readers)}")
    if not path.is_file():
        raise QuestionnaireError(f"{path}: there is no such file")
    items, left_out = reader(path, tuple(options))
    if unknown := sorted(set(scales) - {item.name for item in items}):
        raise QuestionnaireError(f"{path}: there is no item {unknown[0]!r} to make a scale of")
    items = [_as_scale(item) if item.name in scales else item for item in items]
    found = Questionnaire(_clean(path.stem), tuple(items), path.stem, source=f"imported from {path.name}")
    for problem in problems(found):
        raise QuestionnaireError(f"{path}: {problem.sentence}")
    return Imported(found, tuple(left_out))


def _clean(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", name).strip("-._+") or "item"


def _option(text: str, code: str | None) -> Option:
    role = "nonresponse" if reads_like_nonresponse(text) else "substantive"
    return Option(text, text, code, role=role, survey=text)  # type: ignore[arg-type]


def _item(name: str, kind: ItemType, text: str, options: Iterable[Option], title: str = "") -> Item:
    ordered = sorted(options, key=lambda option: option.role == "nonresponse")
    return Item(name, kind, tuple(ordered), (Wording(_FIRST, text),), title or text, survey_question=name)


def _as_scale(item: Item) -> Item:
    substantive = [option for option in item.options if option.role == "substantive"]
    numbers = [_number(option.code) for option in substantive]
    known = [number for number in numbers if number is not None]
    steady = len(known) == len(numbers) and known in (sorted(set(known)), sorted(set(known), reverse=True))
    values = known if steady else [float(n) for n in range(1, len(substantive) + 1)]
    valued = dict(zip(substantive, values, strict=True))
    options = tuple(replace(option, value=valued.get(option)) for option in item.options)
    return replace(item, type="scale", options=options)


def _number(code: str | None) -> float | None:
    try:
        return float(code) if code is not None else None
    except ValueError:
        return None


def _qstn(path: Path, options: tuple[str, ...]) -> tuple[list[Item], list[str]]:
    """Read columns questionnaire_item_id, question_content, question_stem and (ours) answer_options, ``a|b|c``."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise QuestionnaireError(f"{path}: cannot be read as CSV ({error})") from None
    needed = {"questionnaire_item_id", "question_content"}
    if not rows or needed - set(rows[0]):
        raise QuestionnaireError(f"{path}: a QSTN file has the columns questionnaire_item_id and question_content")
    items = []
    for line, row in enumerate(rows, start=2):
        texts = options or tuple(filter(None, (row.get("answer_options") or "").split("|")))
        if not texts:
            raise QuestionnaireError(f"{path}:{line}: the question has no answer options: give them with --options")
        pairs = [text.partition("=") if "=" in text else (None, "", text) for text in texts]
        found = [_option(text.strip(), code) for code, _, text in pairs]
        name = _clean(row["questionnaire_item_id"])
        items.append(_item(name, "select_one", _stem(row), found, row["question_content"]))
    return items, []


def _stem(row: dict[str, str]) -> str:
    stem, content = (row.get("question_stem") or "").strip(), row["question_content"].strip()
    if PLACEHOLDER.search(stem):
        return PLACEHOLDER.sub(lambda _: content, stem)
    return f"{stem} {content}".strip()


def _xlsform(path: Path, options: tuple[str, ...]) -> tuple[list[Item], list[str]]:
    """Read the sheets survey (type, name, label) and choices (list_name, name, label); the first label counts."""
    survey, choices = (_sheet(path, name) for name in ("survey", "choices"))
    lists: dict[str, list[Option]] = {}
    for row in choices:
        text, code = _label(row), row.get("name")
        if text:
            lists.setdefault(str(row.get("list_name") or row.get("list name")), []).append(_option(text, str(code)))
    items, left_out = [], []
    for row in survey:
        kind, _, list_of = str(row.get("type") or "").strip().partition(" ")
        list_of = list_of.removesuffix(" or_other").strip()
        text = _label(row)
        if kind not in ("select_one", "select_multiple") or not text:
            if row.get("name"):
                left_out.append(f"{row['name']} ({row.get('type')})")
            continue
        if list_of not in lists:
            raise QuestionnaireError(f"{path}: {row.get('name')!r} uses the list {list_of!r}, which is missing")
        items.append(_item(_clean(str(row["name"])), kind, text, lists[list_of]))  # type: ignore[arg-type]
    return items, left_out


def _sheet(path: Path, name: str) -> list[dict[str, Any]]:
    from zipfile import BadZipFile

    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        rows = list(book[name].iter_rows(values_only=True)) if name in book.sheetnames else []
        book.close()
    except (OSError, BadZipFile, ValueError, KeyError) as error:
        raise QuestionnaireError(f"{path}: cannot be read as an XLSForm workbook ({error})") from None
    if not rows:
        raise QuestionnaireError(f"{path}: an XLSForm workbook has a sheet {name!r}, this one has not")
    header = [str(cell or "").strip() for cell in rows[0]]
    return [dict(zip(header, row, strict=False)) for row in rows[1:] if any(cell is not None for cell in row)]


def _label(row: dict[str, Any]) -> str:
    for name, value in row.items():
        if (name == "label" or name.startswith("label::")) and value is not None:
            return " ".join(str(value).split())
    return ""


def _labels(path: Path, options: tuple[str, ...]) -> tuple[list[Item], list[str]]:
    """Read variable labels as questions and value labels as options; negative codes are nonresponse."""
    import pyreadstat

    read = pyreadstat.read_sav if path.suffix.lower() == ".sav" else pyreadstat.read_dta
    try:
        _, meta = read(str(path), metadataonly=True)
    except (OSError, pyreadstat.ReadstatError, UnicodeDecodeError) as error:
        raise QuestionnaireError(f"{path}: cannot be read ({error})") from None
    items, left_out = [], []
    for name in meta.column_names:
        labels = meta.variable_value_labels.get(name, {})
        question = meta.column_names_to_labels.get(name) or name
        found = [_labelled(code, text) for code, text in labels.items()]
        if sum(option.role == "substantive" for option in found) < 2:
            left_out.append(f"{name} (fewer than two labelled answers)")
            continue
        items.append(_item(_clean(name), "select_one", question, found))
    if not items:
        raise QuestionnaireError(f"{path}: no variable has two labelled answers or more")
    return items, left_out


def _labelled(code: Any, text: str) -> Option:
    whole = isinstance(code, float) and code.is_integer()
    option = _option(" ".join(str(text).split()), str(int(code)) if whole else str(code))
    number = _number(option.code)
    return replace(option, role="nonresponse") if number is not None and number < 0 else option
