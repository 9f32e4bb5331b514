"""Qualtrics survey files (`.qsf`): multiple choice, matrix and net promoter questions.

Takes a JSON file, gives questions. Questions in the trash are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from temporal_adapters.ground.errors import QuestionnaireError
from temporal_adapters.study.questionnaire.formats.asked import Answer, Asked, Found, chosen_language, read_text

_MANY = frozenset({"MAVR", "MAHR", "MACOL", "MSB"})
_KINDS = {
    "TE": "a text", "DB": "a text display", "Slider": "a slider", "RO": "a ranking, which has no counterpart",
    "CS": "numbers that sum", "FileUpload": "a file", "Timing": "a timer", "Meta": "data of the browser",
    "Captcha": "a captcha", "HotSpot": "an image", "HeatMap": "an image", "Draw": "a drawing",
    "SBS": "tables side by side",    "DD": "a drill down", "PGR": "groups and ranks",
}  # fmt: skip


def read(path: Path, language: str = "") -> Found:
    """Read a survey file.

    Raises
    ------
    QuestionnaireError
        If it is no JSON, or not Qualtrics'.
    """
    try:
        document = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise QuestionnaireError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from None
    if not isinstance(document, dict) or not isinstance(document.get("SurveyElements"), list):
        raise QuestionnaireError(f"{path}: is not a survey file of Qualtrics (no SurveyElements)")
    entry = document.get("SurveyEntry") or {}
    default = str(entry.get("SurveyLanguage") or "EN").casefold()
    questions = [
        one for one in document["SurveyElements"] if one.get("Element") == "SQ" and isinstance(one.get("Payload"), dict)
    ]
    others = [key.casefold() for one in questions for key in (one["Payload"].get("Language") or {})]
    chosen = chosen_language(path, language, list(dict.fromkeys([default, *others])), default)
    found = Found(language=chosen, title=str(entry.get("SurveyName") or ""))
    trashed, order = _blocks(document["SurveyElements"])
    ordered = sorted(questions, key=lambda one: order.get(str(one.get("PrimaryAttribute")), len(order)))
    for one in ordered:
        if str(one.get("PrimaryAttribute")) not in trashed:
            _question(found, str(one.get("PrimaryAttribute")), one["Payload"], "" if chosen == default else chosen)
    return found


def _blocks(elements: list[Any]) -> tuple[set[str], dict[str, int]]:
    """Return the questions in the trash, and the place of the others in their blocks."""
    trashed: set[str] = set()
    order: dict[str, int] = {}
    for element in elements:
        if element.get("Element") != "BL":
            continue
        blocks = element.get("Payload") or []
        for block in blocks.values() if isinstance(blocks, dict) else blocks:
            inside = [str(one["QuestionID"]) for one in block.get("BlockElements") or [] if one.get("QuestionID")]
            if block.get("Type") == "Trash":
                trashed |= set(inside)
            for name in inside:
                order.setdefault(name, len(order))
    return trashed, order


def _question(found: Found, qid: str, payload: Mapping[str, Any], language: str) -> None:
    name = str(payload.get("DataExportTag") or qid)
    kind = str(payload.get("QuestionType"))
    words = (
        next((v for k, v in (payload.get("Language") or {}).items() if k.casefold() == language), payload)
        if language
        else payload
    )
    text = str(words.get("QuestionText") or "")
    if kind == "MC" and payload.get("Selector") == "NPS":
        points = tuple(Answer(str(point), str(point)) for point in range(11))
        found.questions.append(Asked(name, "scale", text, points, qid))
    elif kind == "MC":
        many = payload.get("Selector") in _MANY
        answers = tuple(_answers(payload, words, "Choices", "ChoiceOrder", "RecodeValues"))
        found.questions.append(Asked(name, "select_multiple" if many else "select_one", text, answers, qid))
    elif kind == "Matrix" and payload.get("SubSelector") in ("SingleAnswer", "MultipleAnswer", "DL", None):
        if payload.get("Selector") not in ("Likert", "Bipolar", None):
            found.leave_out(name, f"a matrix of {payload.get('Selector')}")
            return
        _matrix(found, name, qid, payload, words, text)
    else:
        found.leave_out(name, _KINDS.get(kind, f"a question of type {kind}"))


def _matrix(found: Found, name: str, qid: str, payload: Mapping[str, Any], words: Mapping[str, Any], text: str) -> None:
    kind = "select_multiple" if payload.get("SubSelector") == "MultipleAnswer" else "select_one"
    answers = tuple(_answers(payload, words, "Answers", "AnswerOrder", "RecodeValues"))
    tags = payload.get("ChoiceDataExportTags") or {}
    for row in _answers(payload, words, "Choices", "ChoiceOrder", ""):
        tag = tags.get(row.code) if isinstance(tags, dict) else None
        asked = Asked(str(tag or f"{name}_{row.code}"), kind, f"{text} {row.text}", answers, qid)  # type: ignore[arg-type]
        found.questions.append(asked)


def _answers(
    payload: Mapping[str, Any], words: Mapping[str, Any], key: str, order: str, recode: str
) -> Iterator[Answer]:
    """Yield the answers of a question in their order, in the words of a language; codes are the recoded values."""
    entries, said = (_by_code(source.get(key)) for source in (payload, words))
    codes = payload.get(recode) or {}
    for code in [str(one) for one in payload.get(order) or entries]:
        entry = entries.get(code) or {}
        text = (said.get(code) or entry).get("Display")
        recoded = codes.get(code, code) if isinstance(codes, dict) else code
        yield Answer(str(text or ""), str(recoded), is_exclusive=bool(entry.get("ExclusiveAnswer")))


def _by_code(entries: Any) -> dict[str, Any]:
    if isinstance(entries, list):
        return {str(at): one for at, one in enumerate(entries, start=1) if one}
    return {str(code): one for code, one in (entries or {}).items() if isinstance(one, dict)}
