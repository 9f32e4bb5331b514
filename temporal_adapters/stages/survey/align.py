"""Which days of posts stand for which wave: a table and a picture, before any test.

Takes observations and what days each wave covers, gives rows and lines of text. Knows no post.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from temporal_adapters.stages.survey.observations import Observations
from temporal_adapters.stages.survey.weekly import Day, deciding_day

Covered = Callable[[date], tuple[date, date] | None]
"""Day of a wave -> first and last day of its posts; None where it has none."""

_MARKS = {"posts": "█", "fieldwork": "▁", "both": "▇", "published": "P", "none": "·"}
_MOST_DAYS = 60
"""Days beyond which a picture is not drawn: months and quarters."""


@dataclass(frozen=True)
class Aligned:
    """One wave.

    Attributes
    ----------
    start, end
        First and last day of its fieldwork, or its only day.
    published
        Day of publication, None where the file does not say.
    day
        Day that decides which posts stand for it.
    first, last
        First and last day of those posts; None where no window is that day's.
    """

    start: date
    end: date
    published: date | None
    day: date
    first: date | None
    last: date | None

    @property
    def days_before(self) -> int | None:
        """Days from the last post to the last day of fieldwork: negative where posts go on after it."""
        return None if self.last is None else (self.end - self.last).days


def align(observed: Observations, which: Day, covered: Covered) -> list[Aligned]:
    """Return every wave with the days of posts that stand for it, in order of time."""
    rows = observed.frame.select("start", "end", "published").unique().sort("start", "end").rows()
    found = []
    for start, end, published in rows:
        day = deciding_day((start, end, published), which)
        first, last = covered(day) or (None, None)
        found.append(Aligned(start, end, published, day, first, last))
    return found


def decided(observed: Observations, which: Day) -> dict[tuple[str, str], list[tuple[date, float]]]:
    """Return question and option -> deciding day and value of every wave that has one, in order of time."""
    found: dict[tuple[str, str], list[tuple[date, float]]] = {}
    rows = observed.frame.drop_nulls("value").select("item", "option", "start", "end", "published", "value")
    for item, option, start, end, published, value in rows.iter_rows():
        day = deciding_day((start, end, published), which)
        found.setdefault((item, option), []).append((day, value))
    return {pair: sorted(values) for pair, values in found.items()}


def unstated(observed: Observations, is_stated: bool) -> str | None:
    """Return a sentence where the files name one day per wave and the study does not say which day that is."""
    if is_stated or observed.n_dates > 1:
        return None
    return (
        "the files name one day per wave, and not whether interviews were made or the wave was published on it: set"
        " survey.fieldwork_date (published, or start / end of the interviews); verdicts can change within days"
    )


def aligned_lines(aligned: Sequence[Aligned]) -> list[str]:
    """Return what `ta survey align` prints: one line per wave with a picture of its days, then what is odd."""
    legend = f"{_MARKS['posts']} posts  {_MARKS['fieldwork']} fieldwork  {_MARKS['both']} both  P published"
    out = [f"{'fieldwork':<24} {'decides':<10} {'posts from':<10} {'to':<10} {'before':>6}  {legend}"]
    for one in aligned:
        work = f"{one.start}" if one.start == one.end else f"{one.start} to {one.end}"
        posts = f"{one.first!s:<10} {one.last!s:<10}" if one.first else f"{'-':<10} {'-':<10}"
        before = "-" if one.days_before is None else f"{one.days_before:+d}"
        out.append(f"{work:<24.24} {one.day!s:<10} {posts} {before:>6}  {_picture(one)}")
    out.append("before: days from the last post to the last day of fieldwork; negative = posts after it")
    return out + _odd(aligned)


def _picture(one: Aligned) -> str:
    if one.first is None or one.last is None:
        return "no window of posts: add the wave to weeks.waves, or set survey.fieldwork_date"
    first = min(one.start, one.first, one.published or one.first)
    last = max(one.end, one.last, one.published or one.last)
    if (last - first).days >= _MOST_DAYS:
        return f"{(one.last - one.first).days + 1} days of posts for {(one.end - one.start).days + 1} of fieldwork"
    days = [first + timedelta(days=step) for step in range((last - first).days + 1)]
    return "".join(_mark(one, day) for day in days)


def _mark(one: Aligned, day: date) -> str:
    if day == one.published:
        return _MARKS["published"]
    posts = one.first is not None and one.last is not None and one.first <= day <= one.last
    work = one.start <= day <= one.end
    return _MARKS["both" if posts and work else "posts" if posts else "fieldwork" if work else "none"]


def _odd(aligned: Sequence[Aligned]) -> list[str]:
    placed = [(one.first, one.last) for one in aligned if one.first is not None and one.last is not None]
    n_shared = sum(later[0] <= earlier[1] for earlier, later in pairwise(placed) if later != earlier)
    n_same = len(placed) - len(set(placed))
    found = [f"{n_shared} windows begin before the one before ends: those posts count twice"] if n_shared else []
    return found + ([f"{n_same} waves have the same posts as another: see survey.same_week"] if n_same else [])
