"""Ticked variables of respondents: which code means yes, and codes as text.

Takes a variable's values and labels, gives codes. Knows no wave.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages.survey.respondents import Respondents
from temporal_adapters.study.config import Survey

_YES = frozenset(
    {"yes", "ja", "oui", "si", "sí", "sì", "selected", "ticked", "checked", "mentioned", "genannt", "quoted", "chosen"}
    | {"ausgewählt", "true", "x", "coché", "mencionado", "citato", "genoemd", "cité"}
)
_NO = frozenset(
    {"no", "nein", "non", "nee", "not selected", "not ticked", "not checked", "not mentioned", "nicht genannt"}
    | {"not quoted", "unchecked", "not chosen", "nicht ausgewählt", "false", "non coché", "no mencionado"}
    | {"non citato", "niet genoemd", "non cité", "unselected"}
)


def ticked(people: Respondents, variable: str, given: Sequence[Any], settings: Survey) -> frozenset[Any]:
    """Return the codes of a ticked variable that mean yes: those set, those labelled so, else 1 beside 0 or nothing."""
    there = set(given)
    wanted = {spelled(code) for code in settings.ticked_codes}
    if wanted:
        return frozenset(code for code in there if spelled(code) in wanted)
    labels = {code: " ".join(str(label).casefold().split()) for code, label in people.labels_of(variable).items()}
    words = {code: labels.get(code, str(code).casefold()) for code in {*there, *labels}}
    yes = {code for code, word in words.items() if word in _YES}
    no = {code for code, word in words.items() if word in _NO}
    if labels and len(labels) == 1 and not no and there <= {*labels, 0}:
        return frozenset(labels)
    if yes and there <= yes | no:
        return frozenset(yes)
    if no and len(there - no) == 1 and len(words) - len(no) == 1:
        return frozenset(there - no)
    if {number_of(code) for code in there} <= {0.0, 1.0}:
        return frozenset(code for code in there if number_of(code) == 1)
    shown = ", ".join(
        f"{spelled(code)}{f' {labels[code]!r}' if code in labels else ''}" for code in sorted(there, key=str)[:5]
    )
    raise SurveyError(
        f"{people.where}: it cannot be told which code of {variable} means yes (it holds {shown}): set"
        " survey.ticked_codes"
    )


def number_of(value: Any) -> float | None:
    """Return a value as a number, None where it is none."""
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None


def spelled(code: Any) -> str:
    """Return a code as a person writes it: 1, not 1.0."""
    return str(int(code)) if isinstance(code, float) and code.is_integer() else str(code)
