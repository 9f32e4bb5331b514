"""Two sources of series on one grid of weeks.

Takes a `SERIES` table, gives arrays with NaN for missing weeks, or says which option cannot be correlated and why.
Knows no test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from temporal_adapters.engines.significance import MIN_ROWS, Array, held_weeks
from temporal_adapters.ground.dates import WEEK
from temporal_adapters.ground.errors import CorrelateError


@dataclass(frozen=True)
class Pairs:
    """Options that both sources have, on a grid of consecutive weeks.

    Attributes
    ----------
    names
        (item, option) of every row, sorted.
    weeks
        First days of the weeks, consecutive.
    model, survey
        (options, weeks) values, NaN where a week is missing.
    """

    names: tuple[tuple[str, str], ...]
    weeks: tuple[date, ...]
    model: Array
    survey: Array

    @property
    def n_shared(self) -> int:
        """Weeks in which both sources have some value."""
        both = np.isfinite(self.model) & np.isfinite(self.survey)
        return int(both.any(axis=0).sum())


def align(
    series: pl.DataFrame,
    model: str,
    survey: str,
    *,
    lags: Sequence[int] = (0,),
    exclude: Sequence[str] = (),
    min_weeks: int = 12,
    every_weeks: int = 1,
) -> Pairs:
    """Put the options that both sources have on one grid.

    The grid reaches from the first to the last shared week, and further by the largest lag, so that a lagged pair may
    use a week that only one source has.

    Raises
    ------
    CorrelateError
        If a source is missing, no option or week is shared, or an option is constant, not finite, or has fewer than
        `min_weeks` shared weeks.
    """
    ours, theirs = _source(series, model), _source(series, survey)
    names = _shared_names(ours, theirs, model, survey, exclude)
    weeks = _grid(ours, theirs, model, survey, max(abs(lag) for lag in lags))
    pairs = Pairs(names, weeks, fill(ours, names, weeks), fill(theirs, names, weeks))
    for row, name in enumerate(names):
        _require_usable(pairs, row, " / ".join(name), (model, survey), min_weeks, every_weeks)
    return pairs


def _source(series: pl.DataFrame, name: str) -> pl.DataFrame:
    found = series.filter(pl.col("source") == name)
    if not found.height:
        known = ", ".join(series["source"].unique().sort().to_list())
        raise CorrelateError(f"there is no series of {name!r} (there are: {known})")
    return found


def _shared_names(
    ours: pl.DataFrame, theirs: pl.DataFrame, model: str, survey: str, exclude: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    have, want = (
        {(item, option) for item, option in side.select("item", "option").iter_rows()} for side in (ours, theirs)
    )
    shared = sorted(have & want)
    if not shared:
        raise CorrelateError(
            f"{model!r} and {survey!r} share no option: {_some(have)} meets none of {_some(want)};"
            " set `survey:` at the items and options of the questionnaire"
        )
    known = {name for item, option in shared for name in (item, f"{item}/{option}")}
    for name in exclude:
        if name not in known:
            raise CorrelateError(f"correlate.exclude names {name!r}, which is no shared item or item/option")
    kept = tuple(pair for pair in shared if pair[0] not in exclude and "/".join(pair) not in exclude)
    if not kept:
        raise CorrelateError("correlate.exclude leaves no option to correlate")
    return kept


def _some(pairs: set[tuple[str, str]]) -> str:
    listed = sorted(" / ".join(pair) for pair in pairs)
    return ", ".join(listed[:2]) + (" ..." if len(listed) > 2 else "")


def _grid(ours: pl.DataFrame, theirs: pl.DataFrame, model: str, survey: str, reach: int) -> tuple[date, ...]:
    weeks = [sorted(set(side.drop_nulls("value")["week"].to_list())) for side in (ours, theirs)]
    for name, days in zip((model, survey), weeks, strict=True):
        if not days:
            raise CorrelateError(f"the series of {name!r} hold no value at all")
    if len({day.weekday() for days in weeks for day in days}) > 1:
        raise CorrelateError(
            f"weeks of {model!r} and {survey!r} begin on different weekdays:"
            " set weeks.first_weekday (windows before waves must lie whole weeks apart)"
        )
    shared = sorted(set(weeks[0]) & set(weeks[1]))
    if not shared:
        raise CorrelateError(
            f"{survey!r} ({weeks[1][0]} to {weeks[1][-1]}) shares no week with {model!r}"
            f" ({weeks[0][0]} to {weeks[0][-1]})"
        )
    first = max(shared[0] - reach * WEEK, min(weeks[0][0], weeks[1][0]))
    last = min(shared[-1] + reach * WEEK, max(weeks[0][-1], weeks[1][-1]))
    return tuple(first + step * WEEK for step in range((last - first) // WEEK + 1))


def fill(side: pl.DataFrame, names: Sequence[tuple[str, str]], weeks: Sequence[date]) -> Array:
    """Return the values of one source as (options, weeks), NaN where there is none."""
    place = {week: column for column, week in enumerate(weeks)}
    row_of = {name: row for row, name in enumerate(names)}
    values = np.full((len(names), len(weeks)), np.nan)
    for item, option, week, value in side.select("item", "option", "week", "value").iter_rows():
        row, column = row_of.get((item, option)), place.get(week)
        if row is not None and column is not None and value is not None:
            values[row, column] = value
    return values


def _require_usable(pairs: Pairs, row: int, name: str, sources: tuple[str, str], min_weeks: int, every: int) -> None:
    advice = f"exclude it with correlate.exclude: ['{name.replace(' / ', '/')}']"
    for source, values in zip(sources, (pairs.model[row], pairs.survey[row]), strict=True):
        if np.isinf(values).any():
            raise CorrelateError(
                f"{name}: {source!r} holds an infinite value in {pairs.weeks[int(np.isinf(values).argmax())]}"
            )
        present = values[np.isfinite(values)]
        if not len(present):
            raise CorrelateError(f"{name}: {source!r} has no value in the shared weeks; {advice}")
        if np.ptp(present) <= 1e-12 * max(1.0, float(np.abs(present).max())):
            raise CorrelateError(f"{name}: {source!r} is constant ({present[0]:g}) in the shared weeks; {advice}")
        runs = int((np.isfinite(values[every:]) & np.isfinite(values[:-every])).sum())
        if runs < MIN_ROWS + 1:
            apart = "consecutive weeks" if every == 1 else f"waves {every} weeks apart"
            hint = _rhythm(values, every)
            raise CorrelateError(
                f"{name}: {source!r} has {runs} pairs of {apart}, {MIN_ROWS + 1} are needed{hint}; {advice}"
            )
    shared = int((np.isfinite(pairs.model[row]) & np.isfinite(pairs.survey[row])).sum())
    if shared < min_weeks:
        raise CorrelateError(f"{name}: {shared} shared weeks, at least {min_weeks} are needed; {advice}")


def require_moving(pairs: Pairs) -> None:
    """Refuse an option whose values are held over several weeks on both sides: what changes is the calendar.

    Raises
    ------
    CorrelateError
        With the number of weeks, which `correlate.every_weeks` wants.
    """
    for row, name in enumerate(pairs.names):
        held = [held_weeks(side[row]) for side in (pairs.model, pairs.survey)]
        if min(held) > 1:
            raise CorrelateError(
                f"{' / '.join(name)}: both series repeat every value over {held[0]} and {held[1]} weeks, so that their"
                f" changes fall in the same weeks by themselves: set correlate.every_weeks: {max(held)}"
            )


def _rhythm(values: Array, every: int) -> str:
    """Return a hint when most waves of a series are another number of weeks apart."""
    steps = np.diff(np.flatnonzero(np.isfinite(values)))
    usual = int(np.bincount(steps).argmax()) if len(steps) else every
    return f" (most of its waves are {usual} weeks apart: set correlate.every_weeks)" if usual != every else ""
