"""Test D over the day on which a window of posts ends: a robustness figure, never a way to choose the day.

Takes a daily series and waves with their days, gives statistics per offset. Knows no file.

Every offset moves all windows by so many days (positive = later posts). The band is that of the largest |T| over all
offsets under one set of random signs (one family: all offsets), so that the best of them is not mistaken for evidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from temporal_adapters.engines.significance import DRAWS
from temporal_adapters.engines.significance.changes import changes
from temporal_adapters.ground.errors import CorrelateError

Array = npt.NDArray[np.float64]

OFFSETS = tuple(range(-7, 8))
"""Days by which windows are moved."""


@dataclass(frozen=True)
class Profile:
    """Test D at every offset.

    Attributes
    ----------
    offsets
        Days; positive = later posts.
    statistic, p, p_family
        T, its p alone, and over the family of all offsets, each (n_offsets,).
    critical
        |T| that the largest of the family exceeds by chance with probability `alpha`.
    alpha
        Family-wise error rate of the band.
    n
        Waves with a value at every offset.
    """

    offsets: tuple[int, ...]
    statistic: Array
    p: Array
    p_family: Array
    critical: float
    alpha: float
    n: int

    def lines(self, width: int = 30) -> list[str]:
        """Return the profile as text: one line per offset, its T as a bar, and the band."""
        reach = max(float(np.abs(self.statistic).max()), self.critical)
        out = [f"{'offset':>6} {'T':>6} {'p':>6} {'family':>7}   exploratory: shows robustness, chooses nothing"]
        for offset, t, p, family in zip(self.offsets, self.statistic, self.p, self.p_family, strict=True):
            bar = ("+" if t > 0 else "-") * round(width * abs(t) / reach)
            mark = round(width * self.critical / reach)
            drawn = bar.ljust(mark) if len(bar) < mark else bar
            out.append(f"{offset:>+6} {t:>6.2f} {p:>6.3f} {family:>7.3f}   {drawn[:mark]}|{drawn[mark:]}")
        n, level = len(self.offsets), f"{self.alpha:g}"
        out.append(
            f"| the largest |T| of all {n} offsets exceeds {self.critical:.2f} by chance at {level}; {self.n} waves"
        )
        return out


def profile(
    daily: Mapping[date, float],
    waves: Sequence[tuple[date, float]],
    window: tuple[int, int],
    *,
    offsets: Sequence[int] = OFFSETS,
    alpha: float = 0.05,
    draws: int = DRAWS,
    seed: int = 0,
) -> Profile:
    """Return test D of a daily series' window means against a survey's waves, at every offset.

    Parameters
    ----------
    daily
        Day -> value, such as the share of posts that name the option.
    waves
        Day that decides and value of every wave.
    window
        First and last day of a window relative to its wave.
    offsets
        Days by which all windows are moved.
    alpha, draws, seed
        Family-wise error rate, null draws and their seed.

    Raises
    ------
    CorrelateError
        If two waves fall into one week, or too few have a value.
    """
    placed = _on_weeks(waves)
    x = np.array([[_mean(daily, day, window, offset) for day, _ in placed] for offset in offsets])
    y = np.array([value for _, value in placed])
    # One set of waves for all offsets: else the profile would show which weeks are missing.
    x[:, ~np.isfinite(x).all(axis=0)] = np.nan
    found = changes(x, y, draws=draws, seed=seed)
    n = int((np.isfinite(x[0]) & np.isfinite(y)).sum())
    shape = found.statistic[:, 0], found.p[:, 0], found.p_family[:, 0]
    return Profile(tuple(offsets), *shape, found.critical(alpha), alpha, n)


def _on_weeks(waves: Sequence[tuple[date, float]]) -> list[tuple[date, float]]:
    """Return the waves on a grid of weeks from the first, weeks without one as NaN."""
    ordered = sorted(waves)
    if not ordered:
        raise CorrelateError("the survey has no wave to profile")
    first = ordered[0][0]
    by_week: dict[int, tuple[date, float]] = {}
    for day, value in ordered:
        week = round((day - first).days / 7)
        if week in by_week:
            raise CorrelateError(f"the waves of {by_week[week][0]} and {day} fall into one week: see survey.same_week")
        by_week[week] = day, value
    last = max(by_week)
    return [by_week.get(week, (first + timedelta(weeks=week), float("nan"))) for week in range(last + 1)]


def _mean(daily: Mapping[date, float], wave: date, window: tuple[int, int], offset: int) -> float:
    days = [wave + timedelta(days=step + offset) for step in range(window[0], window[1] + 1)]
    seen = [daily[day] for day in days if day in daily]
    return sum(seen) / len(seen) if len(seen) == len(days) else float("nan")
