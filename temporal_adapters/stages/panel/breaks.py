"""Weeks at which the volume or the languages of a panel break, as when a layout changed or a scraper failed.

Takes numbers per week, gives the weeks. Knows no post.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

_SPAN = 4
"""Weeks on each side that a break is judged by: about a month."""

_TIMES = 2.5
"""How many times more or less a side has, or a week than its neighbours, to be a break."""

_SHARE = 0.3
"""Change of the share of the commonest language that is a break."""

_LEAST = 20
"""Posts a week below which a ratio says nothing."""


def volume_breaks(volumes: Sequence[int]) -> list[int]:
    """Return the places of weeks at which the volume breaks: against both neighbours' medians, or from there on.

    Parameters
    ----------
    volumes
        Posts of consecutive weeks, 0 where there are none.
    """
    found = []
    for place in range(1, len(volumes)):
        before, after = volumes[max(0, place - _SPAN) : place], volumes[place : place + _SPAN]
        behind = volumes[place + 1 : place + 1 + _SPAN]
        level = min(len(before), len(after)) >= 3 and _apart(median(before), median(after))
        alone = min(len(before), len(behind)) >= 2 and all(
            _apart(median(side), volumes[place]) for side in (before, behind)
        )
        sudden = _apart(volumes[place - 1], volumes[place])
        if alone or (level and sudden):
            found.append(place)
    return found


def _apart(first: float, second: float) -> bool:
    low, high = sorted((first, second))
    return high >= _LEAST and high > _TIMES * max(low, 1.0)


def language_breaks(shares: Sequence[Mapping[str, float]]) -> list[int]:
    """Return the places of weeks from which on the languages are others than before.

    Parameters
    ----------
    shares
        Language -> share of posts (0-1), of consecutive weeks.
    """
    found = []
    for place in range(2, len(shares) - 1):
        before, after = shares[max(0, place - _SPAN) : place], shares[place : place + _SPAN]
        tags = {tag for week in (*before, *after) for tag in week}
        moved = (_median(tag, after) - _median(tag, before) for tag in tags)
        sudden = any(abs(shares[place].get(tag, 0.0) - shares[place - 1].get(tag, 0.0)) > _SHARE for tag in tags)
        if sudden and any(abs(change) > _SHARE for change in moved):
            found.append(place)
    return found


def _median(tag: str, weeks: Sequence[Mapping[str, float]]) -> float:
    return median(week.get(tag, 0.0) for week in weeks)
