"""DDI Codebook files (`.xml`): variables with their question, categories and declared missing categories.

Takes an XML file of DDI Codebook 1.2 to 2.5, gives questions. DDI Lifecycle (3) is another standard.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from temporal_adapters.ground.errors import QuestionnaireError
from temporal_adapters.study.questionnaire.formats.asked import Answer, Asked, Found, chosen_language

_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def read(path: Path, language: str = "") -> Found:
    """Read a codebook.

    Raises
    ------
    QuestionnaireError
        If it is no XML, or no codebook.
    """
    try:
        root = ET.parse(path).getroot()
    except (ET.ParseError, OSError) as error:
        raise QuestionnaireError(f"{path}: cannot be read as XML ({error})") from None
    if _name(root) != "codeBook":
        more = (
            ": DDI Lifecycle is not read, export a DDI Codebook (2.5)"
            if _name(root) in ("DDIInstance", "FragmentInstance")
            else ""
        )
        raise QuestionnaireError(f"{path}: is no DDI Codebook (its first element is {_name(root)!r}){more}")
    there = list(dict.fromkeys(lang for node in root.iter() if (lang := node.get(_LANG))))
    chosen = chosen_language(path, language, there, root.get(_LANG, ""))
    found = Found(language=chosen, title=_text(_first(root, "titl"), "", chosen))
    for var in (node for node in root.iter() if _name(node) == "var"):
        _variable(found, var, chosen)
    return found


def _variable(found: Found, var: ET.Element, language: str) -> None:
    name = var.get("name") or var.get("ID") or ""
    answers = []
    for category in (node for node in var if _name(node) == "catgry"):
        code = next((("".join(node.itertext())).strip() for node in category if _name(node) == "catValu"), None)
        text = _text(category, "labl", language)
        missing = category.get("missing", "").upper() == "Y"
        if text:
            answers.append(Answer(text, code, missing))
    if not answers:
        found.leave_out(name, "no labelled answers")
        return
    question = next((node for node in var if _name(node) == "qstn"), None)
    asked = " ".join(filter(None, (_text(question, part, language) for part in ("preQTxt", "qstnLit"))))
    if question is not None and not asked:
        asked = " ".join("".join(question.itertext()).split())
    found.questions.append(
        Asked(name, "select_one", asked or _text(var, "labl", language), tuple(answers), f"variable {name}")
    )


def _name(node: ET.Element) -> str:
    return str(node.tag).rpartition("}")[2]


def _first(root: ET.Element, name: str) -> ET.Element | None:
    return next((node for node in root.iter() if _name(node) == name), None)


def _text(node: ET.Element | None, child: str, language: str) -> str:
    """Return the text of a child in a language (or of the node itself), the first without a language otherwise."""
    if node is None:
        return ""
    found = [node] if not child else [one for one in node if _name(one) == child]
    best = next((one for one in found if language and one.get(_LANG) == language), None)
    best = best if best is not None else next((one for one in found if one.get(_LANG) is None), None)
    best = best if best is not None else next(iter(found), None)
    return " ".join("".join(best.itertext()).split()) if best is not None else ""
