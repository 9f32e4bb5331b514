"""Weeks as dates."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from temporal_adapters.ground.dates import WEEKDAYS, parse_week, week_label, week_start

DAYS = st.dates(date(1990, 1, 10), date(2060, 12, 20))


@given(DAYS)
def test_weeks_that_begin_on_monday_are_iso_weeks(day: date) -> None:
    iso = day.isocalendar()
    assert week_label(week_start(day)) == f"{iso.year}-W{iso.week:02d}"


@given(DAYS, st.sampled_from(WEEKDAYS))
def test_a_day_lies_in_its_week_and_the_label_leads_back(day: date, weekday: str) -> None:
    start = week_start(day, weekday)  # type: ignore[arg-type]
    assert start <= day < start + timedelta(days=7)
    assert start.weekday() == WEEKDAYS.index(weekday)
    assert parse_week(week_label(start), weekday) == start  # type: ignore[arg-type]


def test_the_example_of_the_documentation() -> None:
    assert parse_week("2023-W14") == date(2023, 4, 3)
    assert week_label(date(2023, 4, 3)) == "2023-W14"
