"""SurveyJS forms (`.json`): radio groups, checkboxes, drop-downs, ratings, yes/no, matrices, in pages and panels.

Takes a JSON file, gives questions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from temporal_adapters.ground.errors import QuestionnaireError
from temporal_adapters.study.questionnaire.formats.asked import Answer, Asked, Found, chosen_language, read_text

_ONE = frozenset({"radiogroup", "dropdown", "imagepicker", "buttongroup"})
_MANY = frozenset({"checkbox", "tagbox"})
_BELOW = ("elements", "questions", "templateElements")


def read(path: Path, language: str = "") -> Found:
    """Read a form.

    Raises
    ------
    QuestionnaireError
        If it is no JSON, or no form.
    """
    try:
        document = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise QuestionnaireError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from None
    if isinstance(document, dict) and "SurveyElements" in document:
        raise QuestionnaireError(f"{path}: is a survey of Qualtrics: give it the ending .qsf")
    if not isinstance(document, dict) or not any(key in document for key in ("pages", *_BELOW)):
        raise QuestionnaireError(f"{path}: is not a form of SurveyJS (no pages, no elements)")
    there = sorted(_locales(document) - {"default"})
    default = str(document.get("locale") or "")
    known = list(dict.fromkeys([*([default] if default else []), *there]))
    chosen = chosen_language(path, language, known, default) if language else default
    found = Found(language=chosen, title=_text(document.get("title"), chosen))
    for page in [document, *(one for one in document.get("pages") or [] if isinstance(one, dict))]:
        _elements(found, page, chosen, ())
    return found


def _locales(node: Any) -> set[str]:
    """Return the languages of all texts that are given by language: mappings whose keys hold `default`."""
    if isinstance(node, list):
        return set().union(*map(_locales, node)) if node else set()
    if not isinstance(node, dict):
        return set()
    own = {str(key) for key in node} if "default" in node and all(isinstance(v, str) for v in node.values()) else set()
    return own.union(*map(_locales, node.values())) if node else own


def _text(value: Any, language: str) -> str:
    if isinstance(value, dict):
        return str(value.get(language) or value.get("default") or "")
    return "" if value is None else str(value)


def _elements(found: Found, node: Mapping[str, Any], language: str, group: tuple[str, ...]) -> None:
    for key in _BELOW:
        for element in node.get(key) or []:
            if isinstance(element, dict):
                _element(found, element, language, group)


def _element(found: Found, element: Mapping[str, Any], language: str, group: tuple[str, ...]) -> None:
    kind, name = str(element.get("type")), str(element.get("name") or "")
    text = _text(element.get("title"), language) or name
    if kind in ("panel", "flowpanel", "paneldynamic"):
        _elements(found, element, language, (*group, name))
    elif kind in _ONE or kind in _MANY:
        if element.get("choicesByUrl") or element.get("choicesFromQuestion"):
            found.leave_out(name, "its answers stand elsewhere")
            return
        answers = (*map_choices(element.get("choices"), language), *_special(element, language))
        kind_ = "select_multiple" if kind in _MANY or element.get("multiSelect") else "select_one"
        found.questions.append(Asked(name, kind_, text, answers, name, group))  # type: ignore[arg-type]
    elif kind == "boolean":
        yes, no = (_text(element.get(key), language) for key in ("labelTrue", "labelFalse"))
        answers = (
            Answer(yes or "Yes", _code(element, "valueTrue", "true")),
            Answer(no or "No", _code(element, "valueFalse", "false")),
        )
        found.questions.append(Asked(name, "select_one", text, answers, name, group))
    elif kind == "rating":
        points = _rating(element, language)
        if not points:
            found.leave_out(name, "a rating whose points are no numbers")
            return
        found.questions.append(Asked(name, "scale", text, points, name, group))
    elif kind == "matrix":
        for row in map_choices(element.get("rows"), language):
            columns = tuple(map_choices(element.get("columns"), language))
            found.questions.append(
                Asked(f"{name}_{row.code}", "select_one", f"{text} {row.text}", columns, name, group)
            )
    else:
        found.leave_out(name or kind, kind)


def map_choices(choices: Any, language: str) -> list[Answer]:
    """Return answers of choices: plain values, or value and text."""
    found = []
    for choice in choices or []:
        if isinstance(choice, dict):
            value = choice.get("value")
            found.append(
                Answer(_text(choice.get("text"), language) or str(value), None if value is None else str(value))
            )
        else:
            found.append(Answer(str(choice), str(choice)))
    return found


def _special(element: Mapping[str, Any], language: str) -> list[Answer]:
    found = []
    for key, text, code, exclusive in (
        ("None", "None", "none", True),
        ("Other", "Other (describe)", "other", False),
        ("Refuse", "Refuse to answer", "refused", True),
        ("DontKnow", "Don't know", "dontknow", True),
    ):
        if element.get(f"has{key}") or element.get(f"show{key}Item"):
            said = _text(element.get(f"{key[0].lower()}{key[1:]}Text"), language)
            found.append(Answer(said or text, code, is_exclusive=exclusive and key == "None"))
    return found


def _rating(element: Mapping[str, Any], language: str) -> tuple[Answer, ...]:
    if values := map_choices(element.get("rateValues"), language):
        return tuple(values)
    try:
        low, high, step = (
            int(element.get(key) or default) for key, default in (("rateMin", 1), ("rateMax", 5), ("rateStep", 1))
        )
        count = int(element.get("rateCount") or 0)
    except (TypeError, ValueError):
        return ()
    if "rateCount" in element and "rateMax" not in element:
        high = low + (count - 1) * step
    return tuple(Answer(str(point), str(point)) for point in range(low, high + 1, max(step, 1)))


def _code(element: Mapping[str, Any], key: str, default: str) -> str:
    return str(element[key]) if element.get(key) is not None else default
