"""One time, as a person or a program wrote it, to a moment.

Takes a text, gives a moment, a clock's time without a zone, or a day; else why it is none of them. Knows no file, but
is told the order of day and month that a file has shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Literal
from zoneinfo import ZoneInfo

Order = Literal["day", "month", "unknown"] | None
"""Which comes first in 03/04/2023, as far as a file shows."""

_EPOCH = datetime(1970, 1, 1)
_US = timedelta(microseconds=1)

_LONG_MONTHS = (
    "january february march april may june july august september october november december".split()  # noqa: SIM905
)
_MONTHS = {name: n for n, month in enumerate(_LONG_MONTHS, 1) for name in (month, month[:3])}
_MONTHS["sept"] = 9
_LONG_DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()  # noqa: SIM905
_WEEKDAYS = frozenset([*_LONG_DAYS, *(day[:3] for day in _LONG_DAYS), "tues", "thur", "thurs"])
_HOURS = {
    **dict.fromkeys(("z", "utc", "gmt", "ut", "zulu", "wet"), 0.0),
    **{"est": -5.0, "edt": -4.0, "cdt": -5.0, "mst": -7.0, "mdt": -6.0, "pst": -8.0, "pdt": -7.0},
    **{"akst": -9.0, "akdt": -8.0, "hst": -10.0, "cet": 1.0, "cest": 2.0, "mez": 1.0, "mesz": 2.0, "eet": 2.0},
    **{"eest": 3.0, "west": 1.0, "msk": 3.0, "jst": 9.0, "kst": 9.0, "aest": 10.0, "aedt": 11.0, "awst": 8.0},
    **{"nzst": 12.0, "nzdt": 13.0, "sgt": 8.0, "hkt": 8.0, "wib": 7.0},
}
"""Hours east of Greenwich of the names of zones that mean one thing; IST, BST, CST and others do not."""

_RFC_822 = {**_HOURS, "cst": -6.0}
"""In the form of RFC 822 (`Mon, 03 Apr 2023 08:00:00 CST`) the American names are defined."""

_TIME = re.compile(
    r"(?P<h>\d{1,2}):(?P<m>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<f>\d{1,9}))?)?(?:\s*(?P<half>[AaPp])\.?[Mm]\b\.?)?"
)
_OFFSET = re.compile(r"(?:UTC|GMT)?\s?(?P<sign>[+-])(?P<h>\d{1,2})(?::?(?P<m>\d{2}))?(?:\s*\(?[A-Z]{3,4}\)?)?$")
_PLACE = re.compile(r"\[?(?P<zone>[A-Z][A-Za-z]+(?:/[A-Za-z_+-]+)+)\]?$")
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?=$|[T ,])[T ,]*")
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?=$|[T ,])[T ,]*")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T?(\d{2})(\d{2})(\d{2})?)?(Z)?$")
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?$")
_WORDS = re.compile(r"[^\W\d_]+|\d+|[\W_]", re.UNICODE)
_UNITS = ((1, 10**6), (10**3, 10**3), (10**6, 1), (10**9, Decimal("0.001")))
_FROM_S, _UNTIL_S = 631_152_000, 4_102_444_800
_LONG = 10


@dataclass(frozen=True)
class Found:
    """What a text says of a time: at most one of the three numbers, each in microseconds since 1970.

    Attributes
    ----------
    utc_us, local_us, day_us
        A moment; a clock's time without its zone; the beginning of a day without its zone.
    rounded
        The number was written with too few digits to tell seconds.
    why
        What is wrong with it and what to change.
    """

    utc_us: int | None = None
    local_us: int | None = None
    day_us: int | None = None
    rounded: bool = False
    why: str = ""


def order_of(texts: Iterable[str]) -> Order:
    """Return which comes first, day or month, in times such as 03/04/2023; None if there are none of that form."""
    pairs = [(int(match[1]), int(match[3]), match[2]) for text in texts if (match := _YEAR_LAST.match(text))]
    if not pairs:
        return None
    day, month = any(first > 12 for first, _, _ in pairs), any(second > 12 for _, second, _ in pairs)
    if day != month:
        return "day" if day else "month"
    return "day" if not day and all(sign == "." for _, _, sign in pairs) else "unknown"


def parse(text: str, forms: Sequence[str] = (), order: Order = None) -> Found:
    """Return what a text says of a time.

    Parameters
    ----------
    text
        The text, trimmed.
    forms
        The only forms that count (strptime, or `excel`); empty for the usual ones.
    order
        Which comes first in 03/04/2023, as the file shows.
    """
    try:
        return _as_told(text, forms) if forms else _usual(" ".join(text.split()), order)
    except (ValueError, OverflowError, InvalidOperation, KeyError):
        return Found(why=f"no time in any of panel.date_format ({', '.join(forms)})" if forms else "")


def _as_told(text: str, forms: Sequence[str]) -> Found:
    for form in forms:
        if form == "excel":
            if _NUMBER.match(text):
                return Found(local_us=round((Decimal(text) - 25569) * 86_400) * 10**6)
            continue
        try:
            found = datetime.strptime(text, form)
        except ValueError:
            continue
        if not re.search(r"%[HIcXsT]", form):
            return Found(day_us=_us(found))
        return _with_zone(found, found.utcoffset())
    raise ValueError(text)


def _usual(text: str, order: Order) -> Found:
    if _NUMBER.match(text) or _COMPACT.match(text):
        return _number(text)
    match = _YEAR_FIRST.match(text)
    if match:
        return _clock(datetime(int(match[1]), int(match[3]), int(match[4])), text[match.end() :])
    match = _YEAR_LAST.match(text)
    if match:
        first, second = int(match[1]), int(match[3])
        if order != "day" and order != "month" and first <= 12 and second <= 12 and first != second:
            return Found(
                why="day or month first? set panel.date_format, for example '%d/%m/%Y %H:%M' or '%m/%d/%Y %H:%M'"
            )
        day, month = (second, first) if order == "month" or second > 12 else (first, second)
        return _clock(datetime(int(match[4]), month, day), text[match.end() :])
    return _in_words(text)


def _number(text: str) -> Found:
    compact = _COMPACT.match(text)
    digits = Decimal(text.rstrip("Z").replace("T", "")) if compact else Decimal(0)
    if compact and len(text) != _LONG and 1990 <= int(compact[1]) <= 2100 and not _plausible(digits):
        year, month, day, hour, minute, second, zulu = compact.groups()
        if hour is None:
            return Found(day_us=_us(datetime(int(year), int(month), int(day))))
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0))
        return Found(utc_us=_us(moment)) if zulu else Found(local_us=_us(moment))
    value = Decimal(text)
    factor = _plausible(value)
    if factor:
        n_digits = len(value.normalize().as_tuple().digits)
        lost = 10 ** (value.adjusted() - n_digits + 1)
        rounded = "e" in text.lower() and lost * factor >= 10**6 and n_digits < _LONG
        return Found(utc_us=int((value * factor).to_integral_value()), rounded=rounded)
    if 20_000 <= value < 80_000:
        return Found(why="looks like a spreadsheet's day number: set panel.date_format: excel, or export times as text")
    return Found(why="a number that is no plausible time since 1970")


def _plausible(value: Decimal) -> int | Decimal:
    """Return the microseconds of the unit in which a number is a plausible time since 1970; 0 for none."""
    return next((us for unit, us in _UNITS if _FROM_S * unit <= value < _UNTIL_S * unit), 0)


def _clock(day: datetime, rest: str) -> Found:
    """Return the moment of a day and what is written behind it: time and zone."""
    if not rest:
        return Found(day_us=_us(day))
    match = _TIME.match(rest)
    if match is None:
        return Found(why="no time of day that can be read")
    moment = day + _time_of_day(match)
    return _zoned(moment, rest[match.end() :].strip(), _HOURS)


def _time_of_day(match: re.Match[str]) -> timedelta:
    hour, half = int(match["h"]), (match["half"] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            raise ValueError(hour)
        hour = hour % 12 + (12 if half == "p" else 0)
    if hour > 23 or int(match["m"]) > 59 or int(match["s"] or 0) > 60:
        raise ValueError(hour)
    fraction = int((match["f"] or "0").ljust(9, "0")) // 1000
    return timedelta(hours=hour, minutes=int(match["m"]), seconds=int(match["s"] or 0), microseconds=fraction)


def _zoned(moment: datetime, zone: str, names: dict[str, float]) -> Found:
    if not zone:
        return Found(local_us=_us(moment))
    match = _OFFSET.match(re.sub(r"\[.*\]$", "", zone) or zone)
    if match:
        minutes = 60 * int(match["h"]) + int(match["m"] or 0)
        if minutes > 15 * 60:
            raise ValueError(zone)
        return _with_zone(moment, timedelta(minutes=-minutes if match["sign"] == "-" else minutes))
    word = zone.strip("()").lower()
    if word in names:
        return _with_zone(moment, timedelta(hours=names[word]))
    place = _PLACE.match(zone)
    if place:
        return _with_zone(moment, ZoneInfo(place["zone"]).utcoffset(moment))
    return Found(why="the zone's name means several things or nothing known: write an offset such as +02:00")


def _with_zone(moment: datetime, offset: timedelta | None) -> Found:
    if offset is None:
        return Found(local_us=_us(moment))
    return Found(utc_us=_us(moment.replace(tzinfo=timezone(offset)).astimezone(UTC).replace(tzinfo=None)))


def _us(moment: datetime) -> int:
    return round((moment.replace(tzinfo=None) - _EPOCH) / _US)


def _in_words(text: str) -> Found:
    """Read times with the month's English name, in any order: RFC 822, `date`, Twitter, American and British."""
    time_match = _TIME.search(text)
    rest = text if time_match is None else f"{text[: time_match.start()]} {text[time_match.end() :]}"
    offset = re.search(r"(?<=\s)(?:UTC|GMT)?[+-]\d{2}:?\d{2}\b", rest)
    zone = offset[0] if offset else ""
    rest = rest.replace(zone, " ") if zone else rest
    month, day, year = 0, 0, 0
    for token in re.findall(r"[A-Za-z]+|\d+", rest):
        word = token.lower()
        if token.isdigit():
            if len(token) == 4:
                year = int(token)
            else:
                day = int(token)
        elif word in _MONTHS:
            month = _MONTHS[word]
        elif word in _WEEKDAYS or word in ("at", "of", "th", "st", "nd", "rd", "t"):
            continue
        else:
            zone = zone or token
    if not (month and day and year):
        return Found()
    date = datetime(year, month, day)
    if time_match is None:
        return Found(day_us=_us(date)) if not zone else Found(why="no time of day that can be read")
    return _zoned(date + _time_of_day(time_match), zone, _RFC_822 if re.match(r"[A-Za-z]{3}, ", text) else _HOURS)


def words(text: str) -> list[str]:
    """Return the words, numbers and signs of a text."""
    return _WORDS.findall(text)


def is_time_word(part: str) -> bool:
    """Return whether a word, number or sign can be part of a time and no part of a text or an id."""
    if part.isdigit():
        return len(part) < _LONG
    word = part.lower()
    known = word in _MONTHS or word in _WEEKDAYS or word in _RFC_822 or word in _SAYABLE
    return known or not part.isalnum() or len(part) == 1


_SAYABLE = frozenset(
    "am pm t z e at ago yesterday today now hour hours minute minutes day days nan nat none null ist bst".split()  # noqa: SIM905
)
