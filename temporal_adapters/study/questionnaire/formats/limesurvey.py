"""LimeSurvey's structure files: whole surveys (`.lss`), groups (`.lsg`) and single questions (`.lsq`).

Takes an XML file, gives questions. Files before version 4 hold texts in the tables of questions and answers, later ones
in tables of their own (``question_l10ns``, ``answer_l10ns``); both are read.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from pathlib import Path

from temporal_adapters.ground.errors import QuestionnaireError
from temporal_adapters.study.questionnaire.formats.asked import Answer, Asked, Found, chosen_language

Row = Mapping[str, str]

_FIXED: dict[str, dict[str, tuple[tuple[str, str], ...]]] = {
    "en": {
        "Y": (("Y", "Yes"), ("N", "No")),
        "C": (("Y", "Yes"), ("U", "Uncertain"), ("N", "No")),
        "E": (("I", "Increase"), ("S", "Same"), ("D", "Decrease")),
        "G": (("F", "Female"), ("M", "Male")),
    },
    "de": {
        "Y": (("Y", "Ja"), ("N", "Nein")),
        "C": (("Y", "Ja"), ("U", "Unsicher"), ("N", "Nein")),
        "E": (("I", "Zunahme"), ("S", "Gleich"), ("D", "Abnahme")),
        "G": (("F", "Weiblich"), ("M", "Männlich")),
    },
}
"""Answers that LimeSurvey itself prints, per type and language; other languages: the question is left out."""

_KINDS = {
    "S": "a text", "T": "a text", "U": "a text", "Q": "texts", ";": "an array of texts", ":": "an array of numbers",
    "N": "a number", "K": "numbers", "D": "a date", "X": "a text display", "*": "an equation", "|": "files",
    "R": "a ranking, which has no counterpart", "I": "the choice of a language",
}  # fmt: skip
_ARRAYS = frozenset("FHABCE")
_POINTS = {"5": 5, "A": 5, "B": 10}


def read(path: Path, language: str = "") -> Found:
    """Read a structure file.

    Raises
    ------
    QuestionnaireError
        If it is no XML, or not LimeSurvey's.
    """
    try:
        root = ET.parse(path).getroot()
    except (ET.ParseError, OSError) as error:
        raise QuestionnaireError(f"{path}: cannot be read as XML ({error})") from None
    if root.tag != "document" or root.find("LimeSurveyDocType") is None:
        raise QuestionnaireError(f"{path}: is not a structure file of LimeSurvey (no LimeSurveyDocType)")
    there = [text for node in root.findall("languages/language") if (text := (node.text or "").strip())]
    default = _rows(root, "surveys")[0].get("language", "") if _rows(root, "surveys") else ""
    chosen = chosen_language(path, language, there, default)
    titles = [
        row.get("surveyls_title", "")
        for row in _rows(root, "surveys_languagesettings")
        if _is(row, chosen, "surveyls_language")
    ]
    found = Found(language=chosen, title=next(iter(titles), ""))
    _Survey(root, chosen).fill(found)
    return found


def _rows(root: ET.Element, table: str) -> list[dict[str, str]]:
    return [{cell.tag: (cell.text or "").strip() for cell in row} for row in root.findall(f"{table}/rows/row")]


def _is(row: Row, language: str, key: str = "language") -> bool:
    return not language or row.get(key, language) == language


class _Survey:
    """The tables of one file in one language."""

    def __init__(self, root: ET.Element, language: str) -> None:
        self.language = language
        texts = {
            row.get("qid", ""): row.get("question", "")
            for row in _rows(root, "question_l10ns")
            if _is(row, language) and "qid" in row
        }
        answers = {
            row["aid"]: row.get("answer", "")
            for row in _rows(root, "answer_l10ns")
            if _is(row, language) and "aid" in row
        }
        everything = [
            row for table in ("questions", "subquestions") for row in _rows(root, table) if _is(row, language)
        ]
        seen: dict[str, dict[str, str]] = {}
        for row in everything:
            seen.setdefault(
                row.get("qid", ""), {**row, "question": row.get("question") or texts.get(row.get("qid", ""), "")}
            )
        ordered = sorted(seen.values(), key=lambda row: _number(row.get("question_order", "0")))
        groups = [
            row.get("gid", "")
            for row in sorted(_rows(root, "groups"), key=lambda r: _number(r.get("group_order", "0")))
        ]
        order = {gid: at for at, gid in enumerate(dict.fromkeys(groups))}
        self.questions = sorted(
            (row for row in ordered if row.get("parent_qid", "0") in ("0", "")),
            key=lambda row: order.get(row.get("gid", ""), len(order)),
        )
        self.below: dict[str, list[dict[str, str]]] = {}
        for row in ordered:
            if row.get("parent_qid", "0") not in ("0", "") and row.get("scale_id", "0") in ("0", ""):
                self.below.setdefault(row["parent_qid"], []).append(row)
        self.headers = {
            (row.get("qid", ""), row.get("attribute", "").lower()): row.get("value", "")
            for row in _rows(root, "question_attributes")
            if not row.get("language") or _is(row, language)
        }
        self.answers: dict[str, list[Answer]] = {}
        self.second: dict[str, list[Answer]] = {}
        rows = [row for row in _rows(root, "answers") if _is(row, language)]
        for row in sorted(rows, key=lambda row: _number(row.get("sortorder", "0"))):
            text = row.get("answer") or answers.get(row.get("aid", ""), "")
            scale = self.answers if row.get("scale_id", "0") in ("0", "") else self.second
            scale.setdefault(row.get("qid", ""), []).append(Answer(text, row.get("code")))

    def fill(self, found: Found) -> None:
        """Add every question to what was found."""
        for row in self.questions:
            name, kind = row.get("title", ""), row.get("type", "")
            if kind in _KINDS:
                found.leave_out(name, _KINDS[kind])
            elif kind in ("M", "P"):
                below = tuple(
                    Answer(one.get("question", ""), one.get("title")) for one in self.below.get(row.get("qid", ""), [])
                )
                found.questions.append(Asked(name, "select_multiple", row["question"], below, f"question {name}"))
            elif kind == "1":
                self._dual(found, row, name)
            else:
                self._single(found, row, name, kind)

    def _dual(self, found: Found, row: Row, name: str) -> None:
        """Add two items per row of an array with two scales, told apart by the headers of the scales."""
        qid = row.get("qid", "")
        scales = [self.answers.get(qid, []), self.second.get(qid, [])]
        headers = [self.headers.get((qid, f"dualscale_header{letter}"), "") for letter in "ab"]
        if not all(scales):
            found.leave_out(name, "an array with two scales of which one has no answers: add them in LimeSurvey")
            return
        if not all(headers) and [one.text for one in scales[0]] == [one.text for one in scales[1]]:
            found.leave_out(
                name, "an array whose two scales have the same answers and no headers: give both a header in LimeSurvey"
            )
            return
        for one in self.below.get(qid, []):
            for at, (answers, header) in enumerate(zip(scales, headers, strict=True), start=1):
                text = " ".join(filter(None, (row["question"], one.get("question", ""), header)))
                asked = f"{name}_{one.get('title', '')}_{at}"
                found.questions.append(Asked(asked, "select_one", text, tuple(answers), f"question {name}"))

    def _single(self, found: Found, row: Row, name: str, kind: str) -> None:
        answers = self._answers(row, kind)
        if answers is None:
            known = " and ".join(_FIXED)
            found.leave_out(
                name,
                f"its answers are LimeSurvey's own (type {kind}), known here in {known} only: make it a list"
                " with answers in LimeSurvey, or import another language",
            )
            return
        is_scale = "scale" if kind in _POINTS else "select_one"
        if kind not in _ARRAYS:
            found.questions.append(Asked(name, is_scale, row["question"], answers, f"question {name}"))  # type: ignore[arg-type]
            return
        for one in self.below.get(row.get("qid", ""), []):
            text = f"{row['question']} {one.get('question', '')}"
            place = f"question {name}"
            asked = Asked(f"{name}_{one.get('title', '')}", is_scale, text, answers, place)  # type: ignore[arg-type]
            found.questions.append(asked)

    def _answers(self, row: Row, kind: str) -> tuple[Answer, ...] | None:
        if kind in _POINTS:
            return tuple(Answer(str(point), str(point)) for point in range(1, _POINTS[kind] + 1))
        if kind in ("Y", "C", "E", "G"):
            fixed = _FIXED.get(self.language.partition("-")[0] or "en")
            return tuple(Answer(text, code) for code, text in fixed[kind]) if fixed else None
        return tuple(self.answers.get(row.get("qid", ""), []))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


Reader = Callable[[Path, str], Found]
