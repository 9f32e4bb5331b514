"""What a survey file turned into, for a person to look at: n, errors, missing waves, sums.

Takes a weekly series and questionnaires, gives lines of text. Knows no file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import polars as pl

from temporal_adapters.ground.dates import WEEK
from temporal_adapters.stages.survey.align import Aligned
from temporal_adapters.stages.survey.link import shorten
from temporal_adapters.stages.survey.names import fold
from temporal_adapters.stages.survey.observations import Observations
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
    """Return item -> (lowest sum of shares over options in a week, highest, number of options).

    Weeks without one of the options (a suppressed cell) do not count, unless all are such.
    """
    found = {}
    for (item,), part in series.group_by("item", maintain_order=True):
        n_options = part["option"].n_unique()
        whole = part.group_by("week").agg(pl.col("value").sum(), pl.len().alias("n_options"))
        complete = whole.filter(pl.col("n_options") == n_options)
        totals = (complete if complete.height else whole)["value"].to_list()
        found[str(item)] = (min(totals), max(totals), n_options)
    return found


_NUMBERS = 47
"""Characters of the columns of numbers."""

_SPARK = "▁▂▃▄▅▆▇█"
_LEAST_NAME, _SPARK_WIDTH = 24, 24


def lines(
    series: pl.DataFrame,
    questionnaires: Iterable[Questionnaire] = (),
    is_mean: bool = False,
    width: int = 120,
) -> list[str]:
    """Return what `ta survey check` prints: one line per option, then what is worth a second look.

    Parameters
    ----------
    series
        SERIES of the survey.
    questionnaires
        What is asked, for judging sums.
    is_mean
        Values are means: sums mean nothing.
    width
        Characters of a line: long names lose their middle, and a small line of the series fills what is left.
    """
    names = [
        f"{item} / {option}" for item, option in series.select("item", "option").unique(maintain_order=True).rows()
    ]
    room = max(_LEAST_NAME, min(width - _NUMBERS - _SPARK_WIDTH, max(map(len, names)) + 1))
    n_spark = max(0, min(60, width - _NUMBERS - room))
    out = [f"{'question / option':<{room}} {'weeks':>5} {'mean':>7} {'low':>7} {'high':>7} {'se':>7} {'n':>7}"]
    weeks = _every_week(series)
    for (item, option), part in series.group_by("item", "option", maintain_order=True):
        numbers = part.select(
            mean=pl.col("value").mean(),
            low=pl.col("value").min(),
            high=pl.col("value").max(),
            se=pl.col("se").mean(),
            n=pl.col("n").median(),
        ).row(0)
        cells = [_cell(number, form) for number, form in zip(numbers, (".3f", ".3f", ".3f", ".4f", ".0f"), strict=True)]
        name = shorten(f"{item} / {option}", room)
        drawn = sparkline(dict(part.select("week", "value").rows()), weeks, n_spark)
        out.append(f"{name:<{room}} {part.height:>5} {' '.join(cells)} {drawn}".rstrip())
    gaps = missing_weeks(series)
    out.append(f"weeks {weeks[0]} to {weeks[-1]}; without a wave: {len(gaps)}{_some(gaps)}")
    if not is_mean:
        out += _sum_lines(series, questionnaires)
    return out


def _every_week(series: pl.DataFrame) -> list[date]:
    weeks = series["week"].unique().sort().to_list()
    return [weeks[0] + WEEK * step for step in range((weeks[-1] - weeks[0]) // WEEK + 1)]


def sparkline(values: Mapping[date, float], weeks: Sequence[date], width: int) -> str:
    """Return a series as small bars between its lowest and highest value; a space where no week has a wave."""
    if width < 1 or not values:
        return ""
    n = min(width, len(weeks))
    low, high = min(values.values()), max(values.values())
    out = ""
    for cell in range(n):
        inside = weeks[cell * len(weeks) // n : (cell + 1) * len(weeks) // n]
        seen = [values[week] for week in inside if week in values]
        level = (sum(seen) / len(seen) - low) / (high - low) if seen and high > low else 0.5
        out += _SPARK[min(7, int(level * 8))] if seen else " "
    return out


def wave_lines(observed: Observations, aligned: Sequence[Aligned], width: int = 120) -> list[str]:
    """Return one line per wave and question: days, posts' days, n, and the values of its options."""
    days = {(one.start, one.end): one for one in aligned}
    out = []
    for (item,), part in observed.frame.group_by("item", maintain_order=True):
        options = part["option"].unique(maintain_order=True).to_list()
        short = [shorten(str(option), 12) for option in options]
        out.append(f"{shorten(str(item), 40)}: fieldwork, first day of posts, n, {', '.join(short)}")
        for (start, end), wave in part.sort("start").group_by("start", "end", maintain_order=True):
            one = days.get((start, end))
            values = dict(wave.select("option", "value").rows())
            cells = " ".join(_cell(values.get(option), ".3f") for option in options)
            n = wave["n"].max()
            posts = one.first if one is not None and one.first is not None else "-"
            out.append(f"{start!s} {end!s} {posts!s:>10} {'-' if n is None else n!s:>6} {cells}"[:width])
    return out


def mapping_lines(mapped: pl.DataFrame, width: int = 120) -> list[str]:
    """Return which code of which variable became which option, once per way that waves have it."""
    if not mapped.height:
        return []
    same = mapped.group_by("item", "variable", "code", "label", "option", maintain_order=True).agg(
        pl.col("wave").n_unique().alias("waves"), pl.col("n").sum()
    )
    out = [f"{'question':<16} {'variable':<12} {'code':>6} {'waves':>5} {'n':>7}  label -> option"]
    for item, variable, code, label, option, n_waves, n in same.rows():
        meaning = f"{label or '-'} -> {option or 'no answer'}"
        place = f"{shorten(item, 16):<16} {shorten(variable, 12):<12}"
        out.append(f"{place} {code:>6} {n_waves:>5} {n:>7}  {shorten(meaning, max(20, width - 54))}")
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
        out.append(f"{shorten(item)}: shares sum to {low:.3f} to {high:.3f} over {n_options} options{judged}")
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
