"""Which stretch of time belongs to which week.

Takes the settings of `weeks`, gives windows (first and last day) and a table that maps quarters of an hour to them.
Knows no post.

Every definition of a week (calendar weeks, the days before a survey wave, any zone, any first weekday, summer time) is
reduced to one table of slots, so that assigning a week is one equality join, the same in every engine. A slot is a
quarter of an hour: every UTC offset in use since 1972 is a multiple of it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from temporal_adapters.ground.dates import week_label, week_start
from temporal_adapters.ground.errors import WeeksError
from temporal_adapters.study.config import Weeks

SLOT_US = 900_000_000
"""Microseconds in a quarter of an hour; `queries/weeks_clean.sql` holds the same number."""

LATEST_US = 4_102_444_800_000_000
"""2100-01-01 in microseconds since 1970: later dates are misread; the query holds the same number."""

_DAY_US = 86_400_000_000
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Window:
    """One week: its first and its last day."""

    start: date
    end: date
    label: str

    @property
    def number(self) -> int:
        """Days from 1970-01-01 to the first day: identifies the week in tables."""
        return (self.start - _EPOCH).days


def microseconds(day: date, zone: str) -> int:
    """Return the microsecond since 1970 (UTC) at which `day` begins in `zone`."""
    begins = datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
    return round((begins - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))


def bounds(settings: Weeks) -> tuple[int, int]:
    """Return the microseconds from which (included) and until which (excluded) posts are kept."""
    first = microseconds(settings.start, settings.timezone) if settings.start else -(2**62)
    last = microseconds(settings.end + timedelta(days=1), settings.timezone) if settings.end else 2**62
    return first, last


def wave_windows(settings: Weeks) -> list[Window]:
    """Return the windows of the survey waves in order of time; empty where weeks are calendar weeks."""
    return list(_windows(settings).values())


def wave_keys(settings: Weeks) -> dict[date, date] | None:
    """Return day of a wave -> first day of its window of posts; None where weeks are calendar weeks."""
    return {wave: window.start for wave, window in _windows(settings).items()} or None


def covered_days(settings: Weeks, day: date) -> tuple[date, date] | None:
    """Return the first and last day of the posts that stand for a wave of `day`; None where it has no window."""
    windows = _windows(settings)
    if not windows:
        start = week_start(day, settings.first_weekday)
        return start, start + timedelta(days=6)
    return (windows[day].start, windows[day].end) if day in windows else None


def _windows(settings: Weeks) -> dict[date, Window]:
    waves = settings.waves or (_read_waves(settings.waves_path) if settings.waves_path else ())
    first, last = window_offsets(settings)
    found = {}
    for wave in sorted(set(waves)):
        start = wave + timedelta(days=first)
        found[wave] = Window(start, wave + timedelta(days=last), start.isoformat())
    return found


def window_offsets(settings: Weeks) -> tuple[int, int]:
    """Return the first and last day of a window relative to its wave."""
    until = 0 if settings.include_wave_day else -1
    first, last = settings.window or (until - settings.window_days + 1, until)
    return first + settings.shift_days, last + settings.shift_days


def _read_waves(path: Path) -> Sequence[date]:
    import csv

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        return [date.fromisoformat(row["date"][:10]) for row in rows]
    except OSError as error:
        raise WeeksError(f"weeks.waves_path: {path} cannot be read: {error.strerror or error}") from None
    except KeyError:
        raise WeeksError(f"weeks.waves_path: {path} has no column 'date'") from None
    except (ValueError, TypeError) as error:
        raise WeeksError(f"weeks.waves_path: {path} holds a date that is not YYYY-MM-DD ({error})") from None


def calendar_window(number: int, settings: Weeks) -> Window:
    """Return the calendar week that holds the day `number` days after 1970-01-01."""
    start = week_start(_EPOCH + timedelta(days=number), settings.first_weekday)
    return Window(start, start + timedelta(days=6), week_label(start))


def slots(settings: Weeks, waves: Sequence[Window], created_us: npt.NDArray[np.int64]) -> pa.Table:
    """Return the weeks of every slot in which something was posted.

    Parameters
    ----------
    settings
        Zone and first weekday.
    waves
        The windows before waves; none means calendar weeks.
    created_us
        Moments of posts, microseconds since 1970 in UTC, shape (n_posts,); implausible ones are passed over.

    Returns
    -------
    pyarrow.Table
        `slot` (int64, its first microsecond) and `week` (int32, see `Window.number`); one row per slot and week; slots
        between them may be there as well.
    """
    used = _used(created_us[(created_us >= 0) & (created_us < LATEST_US)])
    windows = waves if waves else _calendar(settings, used)
    starts, weeks = [np.empty(0, np.int64)], [np.empty(0, np.int32)]
    for window in windows:
        begins, ends = _extent(window.start, window.end, settings.timezone)
        inside = used[np.searchsorted(used, begins) : np.searchsorted(used, ends)]
        starts.append(inside)
        weeks.append(np.full(len(inside), window.number, np.int32))
    return pa.table({"slot": np.concatenate(starts), "week": np.concatenate(weeks)})


def _used(moments: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the slots of some moments in order; all slots of their span where that is no longer a list."""
    if not len(moments):
        return np.empty(0, np.int64)
    first, last = int(moments.min()), int(moments.max())
    if (last - first) // SLOT_US <= len(moments):
        return np.arange(first - first % SLOT_US, last + 1, SLOT_US, dtype=np.int64)
    return np.unique(moments - moments % SLOT_US)


@functools.lru_cache(maxsize=4096)
def _extent(start: date, end: date, zone: str) -> tuple[int, int]:
    return microseconds(start, zone), microseconds(end + timedelta(days=1), zone)


def _calendar(settings: Weeks, used: npt.NDArray[np.int64]) -> list[Window]:
    if not len(used):
        return []
    first, last = int(used[0]) // _DAY_US - 1, int(used[-1]) // _DAY_US + 1
    numbers = range(calendar_window(first, settings).number, last + 1, 7)
    return [calendar_window(number, settings) for number in numbers]
