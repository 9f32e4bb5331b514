"""QSTN tables (`.csv`): questionnaire_item_id, question_content, question_stem and (ours) answer_options, ``a|b|c``.

Takes a CSV file and answers for those it holds none, gives questions.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from temporal_adapters.ground.errors import QuestionnaireError
from temporal_adapters.study.questionnaire.formats.asked import Answer, Asked, Found, read_text

PLACEHOLDER = re.compile(r"\{\{?\s*(question_content|QUESTION_CONTENT\w*|content)\s*\}?\}")
_NEEDED = frozenset({"questionnaire_item_id", "question_content"})


def read(path: Path, options: Sequence[str] = ()) -> Found:
    """Read a table; `options` are the answers of all questions, ``code=text`` gives a code.

    Raises
    ------
    QuestionnaireError
        If it lacks a column, or a question has no answers.
    """
    text = read_text(path)
    try:
        dialect = ";" if text.partition("\n")[0].count(";") > text.partition("\n")[0].count(",") else ","
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=dialect))
    except csv.Error as error:
        raise QuestionnaireError(f"{path}: cannot be read as CSV ({error})") from None
    if not rows or _NEEDED - {str(name).strip() for name in rows[0]}:
        raise QuestionnaireError(f"{path}: a QSTN file has the columns questionnaire_item_id and question_content")
    found = Found()
    for line, row in enumerate(rows, start=2):
        texts = options or tuple(filter(None, (row.get("answer_options") or "").split("|")))
        name = (row.get("questionnaire_item_id") or "").strip()
        if not texts:
            raise QuestionnaireError(f"{path}:{line}: the question has no answer options: give each with --option")
        if not name or not (row.get("question_content") or "").strip():
            lacking = "questionnaire_item_id" if not name else "question_content"
            found.leave_out(name or f"row {line}", f"{lacking} is empty")
            continue
        pairs = [text.partition("=") if "=" in text else ("", "", text) for text in texts]
        answers = tuple(Answer(text.strip(), code.strip() or None) for code, _, text in pairs)
        found.questions.append(Asked(name, "select_one", _stem(row), answers, f"row {line}"))
    return found


def _stem(row: dict[str, str]) -> str:
    stem, content = (row.get("question_stem") or "").strip(), row["question_content"].strip()
    if PLACEHOLDER.search(stem):
        return PLACEHOLDER.sub(lambda _: content, stem)
    return f"{stem} {content}".strip()
