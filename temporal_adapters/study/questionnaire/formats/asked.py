"""A question as another program holds it, before it is an item, and text without markup.

Takes nothing, gives records, and plain text or a reason why there is none. Knows no file format.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temporal_adapters.ground.errors import QuestionnaireError
from temporal_adapters.study.questionnaire.records import ItemType


class Unusable(Exception):  # noqa: N818 (a reason, not an error of the file)
    """Why a question cannot be imported, in words that follow its name."""


@dataclass(frozen=True)
class Answer:
    """One answer of a question.

    Attributes
    ----------
    text
        As printed, with its markup.
    code
        Code in the data file, if any.
    is_missing
        The file itself says that it is no answer.
    is_exclusive
        It excludes all others of a question with several answers.
    """

    text: str
    code: str | None = None
    is_missing: bool = False
    is_exclusive: bool = False


@dataclass(frozen=True)
class Asked:
    """One question.

    Attributes
    ----------
    name
        Its name in the other program; empty where it has none.
    kind
        `select_one`, `select_multiple` or `scale`.
    text
        As printed, with its markup.
    answers
        In the order printed.
    place
        Where it stands, as a person finds it, such as ``row 7``.
    group
        Names of the groups around it, outermost first.
    """

    name: str
    kind: ItemType
    text: str
    answers: tuple[Answer, ...]
    place: str = ""
    group: tuple[str, ...] = ()


@dataclass
class Found:
    """What a reader found.

    Attributes
    ----------
    questions
        Questions that look usable, in order.
    left_out
        One phrase per question or part without a counterpart: ``name (reason)``.
    language
        BCP 47 tag of the texts, or empty.
    title
        Title of the questionnaire, or empty.
    notes
        What was chosen, such as a language.
    """

    questions: list[Asked] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    language: str = ""
    title: str = ""
    notes: list[str] = field(default_factory=list)

    def leave_out(self, name: str, reason: str) -> None:
        """Note that a part has no counterpart."""
        self.left_out.append(f"{name} ({reason})")


_PIPED = (
    re.compile(r"\$\{[^}]*\}"),
    re.compile(r"\{\{[^}]*\}\}"),
    re.compile(r"%[A-Za-z_][A-Za-z0-9_]*%"),
    re.compile(r"\[(?:pipe|answer|insert)\b[^\]]*\]", re.IGNORECASE),
    re.compile(r"\{[A-Za-z_][\w.:]*\}"),
    re.compile(r"\{(?:if|sum|count)\s*\(.*\}"),
)
_BLOCK = re.compile(r"<\s*/?\s*(br|p|div|li|ul|ol|tr|td|table|h[1-6])\b[^>]*>", re.IGNORECASE)
_UNSEEN = re.compile(r"<(style|script)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_IMAGE = re.compile(r"!\[([^\]]*)\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]+)\]\((?:https?:|mailto:|/)[^)]*\)")
_STRONG = re.compile(r"(?<![\w*_])(\*\*\*|___|\*\*|__|\*|_)(?=\S)(.+?)(?<=\S)\1(?![\w*_])")
_HEADING = re.compile(r"^\s*#{1,6}\s+", re.MULTILINE)


def plain(text: Any) -> str:
    """Return text without markup: HTML tags and entities, Markdown's marks, doubled spaces.

    Raises
    ------
    Unusable
        If it inserts an answer to another question, which a post's reader would see as it is written.
    """
    raw = "" if text is None else str(text)
    for pattern in _PIPED:
        if piped := pattern.search(html.unescape(raw)):
            raise Unusable(f"its text inserts {piped[0]}")
    raw = _BLOCK.sub(" ", _UNSEEN.sub(" ", raw))
    raw = html.unescape(html.unescape(_TAG.sub("", raw)) if "&amp;" in raw else _TAG.sub("", raw))
    raw = _LINK.sub(r"\1", _IMAGE.sub(r"\1", _HEADING.sub("", _TAG.sub("", raw))))
    for _ in range(2):
        raw = _STRONG.sub(r"\2", raw)
    raw = re.sub(r"\\([*_#`])", r"\1", raw).replace("\u200b", "")
    return " ".join(raw.replace("\u00a0", " ").split())


def read_text(path: Path) -> str:
    """Return a file's text in UTF-8 (or UTF-16 with its mark).

    Raises
    ------
    QuestionnaireError
        If it is neither.
    """
    try:
        data = path.read_bytes()
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise QuestionnaireError(f"{path}: cannot be read as UTF-8 text ({error})") from None


def chosen_language(path: Path, wanted: str, there: list[str], default: str) -> str:
    """Return the language of a file to import: the one wanted, its default, or its first; empty where it names none.

    Raises
    ------
    QuestionnaireError
        If the wanted one is not there.
    """
    if not there:
        return ""
    for name in (wanted, default):
        match = next((one for one in there if name and same_language(one, name)), None)
        if match is not None:
            return match
        if name == wanted and wanted:
            raise QuestionnaireError(f"{path}: has no language {wanted!r} (it has {', '.join(there)}): set --language")
    return there[0]


def same_language(one: str, name: str) -> bool:
    """Say whether a file's name of a language (``English (en)``) is the one asked for (``en``, ``english``)."""
    if not name or not one:
        return False
    return name.casefold() in {one.casefold(), tag(one), re.sub(r"\s*\(.*\)", "", one).strip().casefold()} or (
        tag(name) == tag(one) != ""
    )


_TAGS = {
    "english": "en", "german": "de", "deutsch": "de", "french": "fr", "français": "fr", "spanish": "es",
    "español": "es", "italian": "it", "italiano": "it", "dutch": "nl", "nederlands": "nl", "portuguese": "pt",
    "português": "pt", "arabic": "ar", "swahili": "sw", "russian": "ru", "polish": "pl", "turkish": "tr", "hindi": "hi",
}  # fmt: skip


def tag(language: str) -> str:
    """Return the BCP 47 tag that a language's name holds, such as ``English (en)``; empty where it holds none."""
    if inside := re.search(r"\(([A-Za-z]{2,3}(?:-[A-Za-z0-9]+)?)\)", language):
        return inside[1]
    name = language.strip().casefold()
    return name if re.fullmatch(r"[a-z]{2}(-[a-z0-9]+)?", name) else _TAGS.get(name, "")
