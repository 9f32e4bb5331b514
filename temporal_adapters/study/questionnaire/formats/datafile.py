"""Items of SPSS and Stata files (`.sav`, `.zsav`, `.por`, `.dta`): labels of variables and of their values.

Takes a data file, gives questions; no respondent is read. Multiple response sets of ticked variables become one
question with several answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from temporal_adapters.ground.errors import QuestionnaireError
from temporal_adapters.study.questionnaire import nonresponse
from temporal_adapters.study.questionnaire.formats.asked import Answer, Asked, Found

_ENCODINGS = (None, "utf-8", "cp1252")


def read(path: Path) -> Found:
    """Read the items of a data file.

    Raises
    ------
    QuestionnaireError
        If it is not what its ending says.
    """
    meta = _meta(path)
    found, in_sets = Found(), set()
    for name, one in (getattr(meta, "mr_sets", None) or {}).items():
        if one.get("is_dichotomy") and len(one.get("variable_list", ())) > 1:
            labels = [(v, meta.column_names_to_labels.get(v) or v) for v in one["variable_list"]]
            in_sets |= set(one["variable_list"])
            answers = tuple(Answer(text, variable) for variable, text in labels)
            found.questions.append(Asked(str(name).lstrip("$"), "select_multiple", one.get("label") or name, answers))
    for name in meta.column_names:
        if name in in_sets:
            continue
        labels = meta.variable_value_labels.get(name, {})
        question = meta.column_names_to_labels.get(name) or name
        answers = tuple(_answer(code, text, labels, meta, name) for code, text in labels.items())
        if sum(not answer.is_missing for answer in answers) < 2:
            found.leave_out(name, "fewer than two labelled answers")
        else:
            found.questions.append(Asked(name, "select_one", question, answers, f"variable {name}"))
    return found


def _meta(path: Path) -> Any:
    import pyreadstat

    readers = {".dta": pyreadstat.read_dta, ".por": pyreadstat.read_por}
    problem: Exception | None = None
    for encoding in _ENCODINGS:
        more: dict[str, Any] = {"encoding": encoding} if path.suffix.lower() != ".por" else {}
        if path.suffix.lower() in (".sav", ".zsav"):
            more["user_missing"] = True
        try:
            return readers.get(path.suffix.lower(), pyreadstat.read_sav)(str(path), metadataonly=True, **more)[1]
        except (OSError, pyreadstat.ReadstatError, UnicodeDecodeError) as error:
            problem = error
    raise QuestionnaireError(f"{path}: cannot be read ({problem})")


def _answer(code: Any, text: str, labels: Mapping[Any, str], meta: Any, name: str) -> Answer:
    whole = isinstance(code, float) and code.is_integer()
    missing = _is_declared(code, (meta.missing_ranges or {}).get(name, ())) or _stands_apart(code, labels)
    return Answer(" ".join(str(text).split()), str(int(code)) if whole else str(code), missing)


def _is_declared(code: Any, ranges: Any) -> bool:
    try:
        return any(one["lo"] <= code <= one["hi"] for one in ranges)
    except TypeError:
        return False


def _stands_apart(code: Any, labels: Mapping[Any, str]) -> bool:
    """Say whether a negative code is a mark of no answer: -9 beside 1 to 5, not -1 in -2 to 2."""
    if not isinstance(code, int | float) or code >= 0:
        return False
    said = nonresponse.kinds(labels)
    answers = {other for other in labels if other not in said and isinstance(other, int | float)}
    if {abs(other) for other in answers if other < 0} == {other for other in answers if other > 0}:
        return code not in answers
    return code not in answers or not {code + 1, *range(int(code) + 1, 1)} <= answers
