"""Questionnaires for other programs: XLSForm workbooks and QSTN tables.

Takes a `Questionnaire`, writes a file. What the other format cannot say (further wordings, aliases, survey links) is
returned as sentences.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

from temporal_adapters.ground.errors import QuestionnaireError
from temporal_adapters.study.questionnaire.native_text import choice_lists, list_name
from temporal_adapters.study.questionnaire.records import Item, Questionnaire

QSTN_COLUMNS = ("questionnaire_item_id", "question_content", "question_stem", "answer_options")


def export_file(questionnaire: Questionnaire, path: Path) -> tuple[str, ...]:
    """Write a questionnaire for another program: ``.xlsx`` (XLSForm) or ``.csv`` (QSTN).

    Returns
    -------
    tuple of str
        What the file does not hold.

    Raises
    ------
    QuestionnaireError
        If an answer cannot be written in the format.
    """
    if path.suffix.lower() == ".xlsx":
        _xlsform(questionnaire, path)
    else:
        _qstn(questionnaire, path)
    return tuple(_lost(questionnaire))


def _lost(questionnaire: Questionnaire) -> list[str]:
    lost = []
    for item in questionnaire.items:
        if len(item.wordings) > 1:
            lost.append(f"{item.name}: {len(item.wordings) - 1} further wordings")
        if any(option.aliases for option in item.options):
            lost.append(f"{item.name}: aliases of its options")
    return lost


def _text(item: Item) -> str:
    return item.wordings[0].text.replace("{options}", "").strip() or item.title


def _xlsform(questionnaire: Questionnaire, path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    survey = book.worksheets[0]
    survey.title = "survey"
    choices, settings = book.create_sheet("choices"), book.create_sheet("settings")
    survey.append(["type", "name", "label", "appearance"])
    choices.append(["list_name", "name", "label"])
    settings.append(["form_title", "form_id"])
    settings.append([questionnaire.title, questionnaire.name])
    lists = choice_lists(questionnaire)
    for name, options in lists.items():
        for place, option in enumerate(options, start=1):
            choices.append([_list(name), option.code if option.code is not None else str(place), option.text])
    for item in questionnaire.items:
        kind = "select_multiple" if item.type == "select_multiple" else "select_one"
        survey.append(
            [
                f"{kind} {_list(list_name(item, lists))}",
                item.name,
                _text(item),
                "likert" if item.type == "scale" else None,
            ]
        )
    book.save(path)


def _list(name: str) -> str:
    """Return a list's name as XLSForm takes it: no spaces."""
    return re.sub(r"\s+", "_", name)


def _qstn(questionnaire: Questionnaire, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, QSTN_COLUMNS)
        out.writeheader()
        for item in questionnaire.items:
            for option in item.options:
                if "|" in option.text or "=" in option.text:
                    path.unlink()
                    raise QuestionnaireError(
                        f"{path}: {option.text!r} of {item.name!r} holds a | or =, which QSTN cannot say"
                    )
            answers = [
                f"{option.code}={option.text}" if option.code is not None else option.text for option in item.options
            ]
            out.writerow(dict(zip(QSTN_COLUMNS, (item.name, _text(item), "", "|".join(answers)), strict=True)))
