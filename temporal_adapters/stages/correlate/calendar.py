"""Regressors of a calendar and of files: what two weekly series may share without one tracking the other.

Takes the first days of weeks and the names in ``correlate.adjust``, gives arrays of one row per regressor. Knows no
series and no test.

| name | regressors |
|---|---|
| `season` | harmonics of the year: one pair below 104 weeks, two from there on |
| `month` | in which week of the calendar month the middle of the week lies: three indicators |
| `four_weeks` | place in a cycle of four weeks, such as paydays and benefits: three indicators |
| `trend` | a straight line |
| `holidays:GB` | public holidays of a country (ISO code; `GB-ENG` for a part) in the week, by the package `holidays` |
| `FILE.csv` | every numeric column beside a column `date`, averaged over the days of the week |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from temporal_adapters.engines.significance import Array
from temporal_adapters.ground.dates import WEEK
from temporal_adapters.ground.errors import CorrelateError

ALWAYS = ("season", "month", "four_weeks")
"""The calendar that every verdict is tried without."""

YEAR_DAYS = 365.2425
TWO_HARMONICS_WEEKS = 104
"""Weeks from which a second pair of harmonics of the year is told from noise."""


def regressors(weeks: Sequence[date], adjust: Sequence[str]) -> Array:
    """Return the regressors (q, weeks) of every name.

    Raises
    ------
    CorrelateError
        If a country, its package, a file, or a week in a file is not known.
    """
    parts = [_rows(weeks, name) for name in adjust]
    return np.concatenate(parts) if parts else np.zeros((0, len(weeks)))


def _rows(weeks: Sequence[date], name: str) -> Array:
    if name in _TERMS:
        return _TERMS[name](weeks)
    if name.startswith("holidays:"):
        return _holidays(weeks, name.removeprefix("holidays:"))
    return _file(weeks, Path(name))


def _season(weeks: Sequence[date]) -> Array:
    days = np.array([week.toordinal() for week in weeks]) + 3.0
    pairs = 2 if len(weeks) >= TWO_HARMONICS_WEEKS else 1
    angle = 2 * np.pi * days / YEAR_DAYS
    return np.stack([wave(k * angle) for k in range(1, pairs + 1) for wave in (np.cos, np.sin)])


def _month(weeks: Sequence[date]) -> Array:
    return _indicators([min(((week + timedelta(days=3)).day - 1) // 7, 3) for week in weeks])


def _four_weeks(weeks: Sequence[date]) -> Array:
    return _indicators([week.toordinal() // 7 % 4 for week in weeks])


def _trend(weeks: Sequence[date]) -> Array:
    return np.linspace(-1.0, 1.0, len(weeks))[None]


def _indicators(places: Sequence[int]) -> Array:
    return np.stack([np.asarray(places) == place for place in range(3)]).astype(np.float64)


_TERMS: dict[str, Callable[[Sequence[date]], Array]] = {
    "season": _season,
    "month": _month,
    "four_weeks": _four_weeks,
    "trend": _trend,
}


def _holidays(weeks: Sequence[date], place: str) -> Array:
    try:
        import holidays
    except ImportError:
        raise CorrelateError(
            f"correlate.adjust 'holidays:{place}' needs the package holidays: pip install 'temporal-adapters[calendar]'"
        ) from None
    country, _, part = place.partition("-")
    years = range(weeks[0].year, (weeks[-1] + WEEK).year + 1)
    try:
        known = holidays.country_holidays(country, subdiv=part or None, years=years)
    except NotImplementedError:
        raise CorrelateError(f"correlate.adjust: no holidays are known for {place!r}, an ISO code such as GB") from None
    days = [sum(week + timedelta(days=day) in known for day in range(7)) for week in weeks]
    return np.array([days], dtype=np.float64)


def _file(weeks: Sequence[date], path: Path) -> Array:
    import polars as pl

    try:
        table = pl.read_csv(path, try_parse_dates=True)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise CorrelateError(f"correlate.adjust: {path} cannot be read ({error})") from None
    if "date" not in table.columns or not table["date"].dtype.is_temporal():
        raise CorrelateError(f"{path}: a column `date` with days such as 2024-03-18 is needed, found {table.columns}")
    names = [name for name in table.columns if table[name].dtype.is_numeric()]
    if not names:
        raise CorrelateError(f"{path}: there is no numeric column beside `date`")
    days = table["date"].cast(pl.Date)
    rows = []
    for week in weeks:
        inside = table.filter((days >= week) & (days < week + WEEK)).select(names).mean().row(0)
        if any(value is None or not np.isfinite(value) for value in inside):
            raise CorrelateError(f"{path}: the week of {week} has no value: every week of the series needs one")
        rows.append(inside)
    return np.array(rows, dtype=np.float64).T
