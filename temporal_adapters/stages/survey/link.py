"""The survey's names of questions and options to the questionnaire's.

Takes a `SERIES` table in the survey's names and questionnaires, gives the same table in the questionnaires' names and
what found no partner. Knows no file.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages.survey.names import fold
from temporal_adapters.study.questionnaire import Item, Questionnaire


@dataclass(frozen=True)
class Linked:
    """A survey in the questionnaires' names.

    Attributes
    ----------
    series
        SERIES; rows without a partner keep the survey's names.
    without_survey
        ``item / option`` of the questionnaires that the survey does not have.
    without_questionnaire
        ``question / option`` of the survey that no questionnaire has.
    breaks
        Sentences on what a reader of the series must know: options of which one ends where another begins, days that
        the study does not name.
    """

    series: pl.DataFrame
    without_survey: tuple[str, ...]
    without_questionnaire: tuple[str, ...]
    breaks: tuple[str, ...] = ()


def link(series: pl.DataFrame, questionnaires: Iterable[Questionnaire]) -> Linked:
    """Rename the survey's questions and options to those of the questionnaires.

    An item meets the survey question named by its `survey` key, an option likewise; without the key, or when it names
    nothing in the survey, equal names meet, ignoring case, spaces and punctuation, and so does a question whose name is
    the title or the text of a wording (trackers are often named by their question).

    Raises
    ------
    SurveyError
        If nothing meets at all, or two options of the survey meet the same option of a questionnaire.
    """
    asked = list(questionnaires)
    theirs = {(fold(item), fold(option)): (item, option) for item, option in _pairs(series)}
    names: dict[tuple[str, str], tuple[str, str]] = {}
    lonely = []
    for item_name, item_folds, option_name, option_folds in _wanted(asked):
        met = next((theirs[i, o] for i in item_folds for o in option_folds if (i, o) in theirs), None)
        if met is None:
            lonely.append(f"{item_name} / {option_name}")
        elif met in names and names[met] != (item_name, option_name):
            raise SurveyError(f"{' / '.join(met)} is linked to both {names[met][1]} and {option_name}")
        else:
            names[met] = (item_name, option_name)
    if not names:
        raise SurveyError(_nothing_meets(list(theirs.values()), asked))
    rest = tuple(f"{item} / {option}" for item, option in theirs.values() if (item, option) not in names)
    return Linked(_renamed(series, names), tuple(lonely), rest)


def _pairs(series: pl.DataFrame) -> list[tuple[str, str]]:
    return list(series.select("item", "option").unique(maintain_order=True).iter_rows())


def _wanted(questionnaires: Iterable[Questionnaire]) -> list[tuple[str, list[str], str, list[str]]]:
    return [
        (
            item.name,
            _folds(item),
            option.name,
            [fold(name) for name in (option.survey, option.name, option.text) if name],
        )
        for questionnaire in questionnaires
        for item in questionnaire.items
        for option in item.options
    ]


def _folds(item: Item) -> list[str]:
    return [fold(name) for name in (item.survey_question, item.name, item.title, *_texts(item)) if name]


def _texts(item: Item) -> list[str]:
    return [wording.text.replace("{options}", " ").replace("{option}", " ") for wording in item.wordings]


_SHORT = 60
"""Characters to which a question is cut in a message."""


def shorten(text: str, width: int = _SHORT) -> str:
    """Return a text with its middle cut out where it is longer than `width`."""
    text = " ".join(text.split())
    if len(text) <= width:
        return text
    tail = (width - 5) // 3
    return f"{text[: width - 5 - tail]} ... {text[-tail:]}" if tail > 0 else text[:width]


def _nothing_meets(pairs: list[tuple[str, str]], asked: list[Questionnaire]) -> str:
    """Return what the survey has, the nearest item, and the line that links them."""
    questions = list(dict.fromkeys(item for item, _ in pairs))
    items = [item for questionnaire in asked for item in questionnaire.items]
    options = ", ".join(dict.fromkeys(shorten(option, 30) for item, option in pairs[:6] if item == questions[0]))
    has = f"the survey asks {', '.join(repr(shorten(question)) for question in questions[:3])} ({options})"
    if not items:
        return f"{has}, and the study has no questionnaire: set probe.questionnaires"
    known = [item for question in questions for item in items if fold(question) in _folds(item)]
    if known:
        item = known[0]
        theirs = ", ".join(shorten(option.text, 30) for option in item.options[:6])
        return (
            f"{has}; that is the item {item.name!r}, but no option meets any of {theirs}: set `survey:` at its options"
        )
    question, nearest = max(
        ((question, item) for question in questions for item in items),
        key=lambda pair: _likeness(pair[0], pair[1]),
    )
    return (
        f"{has}, which no item of the questionnaires is; the nearest is {nearest.name!r}: if it is the same, add to it"
        f' the line  survey: "{question}"'
    )


def _likeness(question: str, item: Item) -> float:
    names = (item.name, item.title, *_texts(item))
    return max(difflib.SequenceMatcher(None, fold(question), fold(name)).ratio() for name in names if name)


def _renamed(series: pl.DataFrame, names: dict[tuple[str, str], tuple[str, str]]) -> pl.DataFrame:
    renamed = [names.get(pair, pair) for pair in series.select("item", "option").iter_rows()]
    return series.with_columns(
        pl.Series("item", [item for item, _ in renamed], dtype=pl.String),
        pl.Series("option", [option for _, option in renamed], dtype=pl.String),
    )
