"""Questionnaires from other programs, told by their ending; one bad question is left out by name, the rest imported.

Takes a file, gives a `Questionnaire` to be read over by a person, and what was left out. Knows no model.

An import can only carry what the other format has: wordings beyond the first, aliases and survey links are for the
editor. Options that read like a nonresponse get that role; which items are scales is asked where the format does not
say.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from temporal_adapters.ground.errors import QuestionnaireError
from temporal_adapters.study.questionnaire import nonresponse
from temporal_adapters.study.questionnaire.formats import asked as formats
from temporal_adapters.study.questionnaire.formats import datafile, ddi, limesurvey, qstn, qualtrics, surveyjs, xlsform
from temporal_adapters.study.questionnaire.formats.asked import Answer, Asked, Found, Unusable
from temporal_adapters.study.questionnaire.records import Item, Option, Questionnaire, Wording
from temporal_adapters.study.questionnaire.rules import problems

_FIRST = "imported"

FORMATS: dict[str, str] = {
    ".xlsx": "XLSForm workbook (ODK, KoboToolbox, SurveyCTO): sheets survey and choices",
    ".lss": "LimeSurvey, a whole survey",
    ".lsg": "LimeSurvey, a group of questions",
    ".lsq": "LimeSurvey, one question",
    ".qsf": "Qualtrics survey",
    ".xml": "DDI Codebook (1.2 to 2.5): variables with their categories",
    ".json": "SurveyJS form",
    ".csv": "QSTN table: questionnaire_item_id, question_content, question_stem, answer_options",
    ".sav": "items of an SPSS file (also .zsav, .por): labels of variables and values",
    ".dta": "items of a Stata file",
}
"""Ending -> what is understood."""


@dataclass(frozen=True)
class Imported:
    """What an import gave.

    Attributes
    ----------
    questionnaire
        The records.
    left_out
        One phrase per question or part that has no counterpart, with the reason.
    notes
        What was changed, such as a name that was used twice.
    """

    questionnaire: Questionnaire
    left_out: tuple[str, ...]
    notes: tuple[str, ...] = ()


def import_file(path: Path, options: Sequence[str] = (), scales: Collection[str] = (), language: str = "") -> Imported:
    """Read a questionnaire of another program, told by its ending (`FORMATS`).

    Parameters
    ----------
    path
        The file.
    options
        Answer options of all questions, for QSTN files, which hold none; ``code=text`` gives a code.
    scales
        Names of items that are scales: their options are numbered in the order they have.
    language
        Language to import where the file has several; its own default without it.

    Raises
    ------
    QuestionnaireError
        If the file cannot be read, has no such language, or holds no question that can be imported.
    """
    found = _read(path, options, language)
    items: list[Item] = []
    left_out, notes = list(found.left_out), list(found.notes)
    for question in found.questions:
        try:
            item = _item(question, {item.name for item in items}, notes)
            if item.name in scales:
                item = _as_scale(item)
            _require_sound(item)
        except Unusable as reason:
            left_out.append(f"{question.name or question.place} ({reason})")
            continue
        items.append(item)
    if not items:
        raise QuestionnaireError(f"{path}: holds no question that can be imported{_why(left_out)}")
    if unknown := sorted(set(scales) - {item.name for item in items}):
        raise QuestionnaireError(f"{path}: there is no item {unknown[0]!r} to make a scale of")
    language = found.language or "en"
    made = Questionnaire(
        _clean(path.stem), tuple(replace(item, language=language) for item in items), found.title or path.stem,
        language, f"imported from {path.name}",
    )  # fmt: skip
    for problem in problems(made):
        raise QuestionnaireError(f"{path}: {problem.sentence}")
    return Imported(made, tuple(left_out), tuple(notes))


def _read(path: Path, options: Sequence[str], language: str) -> Found:
    suffix = path.suffix.lower()
    if not path.is_file():
        raise QuestionnaireError(f"{path}: there is no such file")
    if suffix == ".csv":
        return qstn.read(path, tuple(options))
    if suffix in (".sav", ".zsav", ".por", ".dta"):
        return datafile.read(path)
    readers = {
        ".xlsx": xlsform.read, ".xlsm": xlsform.read, ".lss": limesurvey.read, ".lsg": limesurvey.read,
        ".lsq": limesurvey.read, ".qsf": qualtrics.read, ".xml": ddi.read, ".json": surveyjs.read,
    }  # fmt: skip
    if suffix in (".xls", ".xlsb", ".ods"):
        raise QuestionnaireError(f"{path}: workbooks of this kind are not read: save it as .xlsx")
    if suffix not in readers:
        raise QuestionnaireError(f"{path}: cannot import {suffix or 'this'}: allowed are {', '.join(FORMATS)}")
    return readers[suffix](path, language)


def _why(left_out: Sequence[str]) -> str:
    shown = "; ".join(left_out[:3])
    return f": {shown}{f' and {len(left_out) - 3} more' if len(left_out) > 3 else ''}" if left_out else ""


def _clean(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", name).strip("-._+") or "item"


def _item(question: Asked, taken: Collection[str], notes: list[str]) -> Item:
    """Return a question as an item, without markup; `Unusable` with the reason where it cannot be one."""
    if not question.name:
        raise Unusable("it has no name")
    text = formats.plain(question.text)
    if not text:
        raise Unusable("it has no text")
    answers = [replace(answer, text=formats.plain(answer.text)) for answer in question.answers]
    kinds = nonresponse.kinds({place: answer.text for place, answer in enumerate(answers)})
    options = [
        _option(answer, kinds.get(at), question.kind) for at, answer in enumerate(answers) if kinds.get(at) != "missing"
    ]
    ordered = sorted(options, key=lambda option: option.role == "nonresponse")
    name = _free(question, taken, notes)
    item = Item(
        name, question.kind if question.kind != "scale" else "select_one", tuple(ordered), (Wording(_FIRST, text),),
        text, survey_question=question.name,
    )  # fmt: skip
    return _as_scale(item) if question.kind == "scale" else item


def _option(answer: Answer, kind: nonresponse.Kind | None, asked: str) -> Option:
    role = "nonresponse" if kind is not None or answer.is_missing else "substantive"
    if answer.is_exclusive and role == "substantive" and asked == "select_multiple":
        role = "exclusive"
    return Option(answer.text, answer.text, answer.code, role=role, survey=answer.text)  # type: ignore[arg-type]


def _free(question: Asked, taken: Collection[str], notes: list[str]) -> str:
    """Return a name that no item has: the question's, or with the names of its groups before it."""
    name = _clean(question.name)
    groups = [_clean(group) for group in question.group if group]
    for depth in range(len(groups) + 1):
        tried = "-".join([*groups[len(groups) - depth :], name])
        if tried not in taken:
            if depth:
                notes.append(f"{question.name} in {'/'.join(groups)}: the name is used twice; imported as {tried}")
            return tried
    raise Unusable(f"the item name {name!r} is used twice")


def _require_sound(item: Item) -> None:
    for problem in problems(Questionnaire("imported", (item,))):
        raise Unusable(problem.sentence)


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
