"""What a survey file turned into, for a person to look at: n, errors, missing waves, sums.

Takes a weekly series and questionnaires, gives lines of text. Knows no file.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from temporal_adapters.ground.dates import WEEK
from temporal_adapters.stages.survey.names import fold
from temporal_adapters.study.questionnaire import Questionnaire

_SUM_SLACK = 0.005
"""Rounding error allowed per option when shares should sum to 1."""


def missing_weeks(series: pl.DataFrame) -> list[str]:
    """Return the first days of weeks without any wave between the first and the last."""
    weeks = series["week"].unique().sort().to_list()
    span = (weeks[-1] - weeks[0]) // WEEK
    every = [weeks[0] + WEEK * step for step in range(span + 1)]
    present = set(weeks)
    return [week.isoformat() for week in every if week not in present]


def sums(series: pl.DataFrame) -> dict[str, tuple[float, float, int]]:
    """Return item -> (lowest sum of shares over options in a week, highest, number of options)."""
    found = {}
    for (item,), part in series.group_by("item", maintain_order=True):
        totals = part.group_by("week").agg(pl.col("value").sum())["value"].to_list()
        found[str(item)] = (min(totals), max(totals), part["option"].n_unique())
    return found


def lines(series: pl.DataFrame, questionnaires: Iterable[Questionnaire] = (), is_mean: bool = False) -> list[str]:
    """Return what `ta survey check` prints: one line per option, then what is worth a second look."""
    out = [f"{'question / option':<40} {'weeks':>5} {'mean':>7} {'low':>7} {'high':>7} {'se':>7} {'n':>7}"]
    for (item, option), part in series.group_by("item", "option", maintain_order=True):
        numbers = part.select(
            mean=pl.col("value").mean(),
            low=pl.col("value").min(),
            high=pl.col("value").max(),
            se=pl.col("se").mean(),
            n=pl.col("n").median(),
        ).row(0)
        cells = [_cell(number, form) for number, form in zip(numbers, (".3f", ".3f", ".3f", ".4f", ".0f"), strict=True)]
        out.append(f"{str(item) + ' / ' + str(option):<40.40} {part.height:>5} {' '.join(cells)}")
    gaps = missing_weeks(series)
    span = series.select(pl.col("week").min().alias("first"), pl.col("week").max().alias("last")).row(0)
    out.append(f"weeks {span[0]} to {span[1]}; without a wave: {len(gaps)}{_some(gaps)}")
    if not is_mean:
        out += _sum_lines(series, questionnaires)
    return out


def _sum_lines(series: pl.DataFrame, questionnaires: Iterable[Questionnaire]) -> list[str]:
    kinds = {
        fold(name): item.type
        for questionnaire in questionnaires
        for item in questionnaire.items
        for name in (item.survey_question, item.name)
        if name
    }
    out = []
    for item, (low, high, n_options) in sums(series).items():
        judged = _judge(kinds.get(fold(item)), low, high, n_options)
        out.append(f"{item}: shares sum to {low:.3f} to {high:.3f} over {n_options} options{judged}")
    return out


def _judge(kind: str | None, low: float, high: float, n_options: int) -> str:
    slack = _SUM_SLACK * n_options
    if kind is None:
        return ""
    if kind == "select_multiple":
        single = abs(low - 1) <= slack and abs(high - 1) <= slack
        return ": SUSPICIOUS, several answers may apply, yet they sum to 1" if single else ", as several may apply"
    if high > 1 + slack:
        return ": SUSPICIOUS, one answer is asked for, yet they exceed 1 (set the item's type to select_multiple?)"
    return ", as one answer is asked for" if low >= 1 - slack else ": below 1, an answer is missing from the file"


def _some(weeks: list[str]) -> str:
    return f" ({', '.join(weeks[:6])}{' ...' if len(weeks) > 6 else ''})" if weeks else ""


def _cell(number: float | None, form: str) -> str:
    return f"{'-' if number is None else format(number, form):>7}"
