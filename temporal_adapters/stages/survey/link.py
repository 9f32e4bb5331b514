"""The survey's names of questions and options to the questionnaire's.

Takes a `SERIES` table in the survey's names and questionnaires, gives the same table in the questionnaires' names and
what found no partner. Knows no file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from temporal_adapters.ground.errors import SurveyError
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
    """

    series: pl.DataFrame
    without_survey: tuple[str, ...]
    without_questionnaire: tuple[str, ...]


def fold(name: str) -> str:
    """Return a name without case and with single spaces: how names are compared."""
    return " ".join(name.split()).casefold()


def link(series: pl.DataFrame, questionnaires: Iterable[Questionnaire]) -> Linked:
    """Rename the survey's questions and options to those of the questionnaires.

    An item meets the survey question named by its `survey` key, an option likewise; without the key, or when it names
    nothing in the survey, equal names meet, ignoring case, and so does a question whose name is the text of a wording
    (trackers are often named by their question).

    Raises
    ------
    SurveyError
        If nothing meets at all, or two options of the survey meet the same option of a questionnaire.
    """
    theirs = {(fold(item), fold(option)): (item, option) for item, option in _pairs(series)}
    names: dict[tuple[str, str], tuple[str, str]] = {}
    lonely = []
    for item_name, item_folds, option_name, option_folds in _wanted(questionnaires):
        met = next((theirs[i, o] for i in item_folds for o in option_folds if (i, o) in theirs), None)
        if met is None:
            lonely.append(f"{item_name} / {option_name}")
        elif met in names and names[met] != (item_name, option_name):
            raise SurveyError(f"{' / '.join(met)} is linked to both {names[met][1]} and {option_name}")
        else:
            names[met] = (item_name, option_name)
    if not names:
        raise SurveyError(
            f"no question and option of the survey ({_some(theirs.values())}) is one of the questionnaires'"
            f" ({', '.join(lonely[:3]) or 'none'} ...): set `survey:` at the items and options of the questionnaire,"
            " or survey.question for a tracker"
        )
    rest = tuple(f"{item} / {option}" for item, option in theirs.values() if (item, option) not in names)
    return Linked(_renamed(series, names), tuple(lonely), rest)


def _pairs(series: pl.DataFrame) -> list[tuple[str, str]]:
    return list(series.select("item", "option").unique(maintain_order=True).iter_rows())


def _wanted(questionnaires: Iterable[Questionnaire]) -> list[tuple[str, list[str], str, list[str]]]:
    return [
        (
            item.name,
            [fold(name) for name in (item.survey_question, item.name, *_texts(item)) if name],
            option.name,
            [fold(name) for name in (option.survey, option.name, option.text) if name],
        )
        for questionnaire in questionnaires
        for item in questionnaire.items
        for option in item.options
    ]


def _texts(item: Item) -> list[str]:
    return [wording.text for wording in item.wordings]


def _renamed(series: pl.DataFrame, names: dict[tuple[str, str], tuple[str, str]]) -> pl.DataFrame:
    renamed = [names.get(pair, pair) for pair in series.select("item", "option").iter_rows()]
    return series.with_columns(
        pl.Series("item", [item for item, _ in renamed], dtype=pl.String),
        pl.Series("option", [option for _, option in renamed], dtype=pl.String),
    )


def _some(pairs: Iterable[tuple[str, str]]) -> str:
    listed = [" / ".join(pair) for pair in pairs]
    return ", ".join(listed[:3]) + (" ..." if len(listed) > 3 else "")
