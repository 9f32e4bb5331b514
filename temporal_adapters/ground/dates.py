"""Weeks as dates: the first day of a week, its label, and back.

Takes dates and labels, gives dates and labels. Knows nothing of posts or surveys.

A week is 7 days, keyed by its first day. People see an ISO label such as 2023-W14: the ISO 8601 week that holds the
week's fourth day, which for weeks that begin on Monday is the ISO week itself.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Literal, get_args

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

WEEKDAYS: tuple[str, ...] = get_args(Weekday)
WEEK = timedelta(days=7)
_LABEL = re.compile(r"(\d{4})-W(\d{2})")


def week_start(day: date, first_weekday: Weekday = "monday") -> date:
    """Return the first day of the week that contains `day`."""
    return day - timedelta(days=(day.weekday() - WEEKDAYS.index(first_weekday)) % 7)


def week_label(start: date) -> str:
    """Return the ISO label, e.g. ``2023-W14``, of the week whose first day is `start`."""
    iso = (start + timedelta(days=3)).isocalendar()
    return f"{iso.year:04d}-W{iso.week:02d}"


def parse_week(label: str, first_weekday: Weekday = "monday") -> date:
    """Return the first day of the week called `label` (``2023-W14``, or the first day itself, ``2023-04-03``).

    Raises
    ------
    ValueError
        If the label is neither, or the year has no such week.
    """
    match = _LABEL.fullmatch(label)
    if match is None:
        return date.fromisoformat(label)
    thursday = date.fromisocalendar(int(match[1]), int(match[2]), 4)
    return week_start(thursday, first_weekday)
