"""Days and periods as surveys write them: numeric dates, months in words, ranges, ISO weeks, months, quarters.

Takes a column of text, gives first and last days, or a `SurveyError` that shows the cell. Knows no layout.

A date with its month in words or its year first says what it means; numeric dates say it only as a column, so all of
them must be written in one way, and a column that two ways fit is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages.survey.values import is_empty

NUMERIC = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y",
    "%d/%m/%y", "%m/%d/%y", "%d.%m.%y",
)  # fmt: skip
"""Ways of writing a day in digits that are tried, each on the whole column."""

MONTHS: dict[str, int] = {
    name: number
    for number, names in enumerate(
        (
            "january jan januar jänner janvier janv enero ene gennaio gen januari",
            "february feb februar février févr fév fevrier febrero febbraio februari",
            "march mar mär märz maerz mrz mars marzo maart mrt",
            "april apr avril avr abril abr aprile",
            "may mai mayo maggio mag mei",
            "june jun juni juin junio giugno giu",
            "july jul juli juillet juil julio luglio lug",
            "august aug août aout agosto ago augustus",
            "september sep sept septembre septiembre settembre set",
            "october oct oktober okt octobre octubre ottobre ott",
            "november nov novembre noviembre",
            "december dec dezember dez décembre déc decembre diciembre dic dicembre december",
        ),
        start=1,
    )
    for name in names.split()
}
"""Names of months in English, German, French, Spanish, Italian and Dutch, and their usual short forms."""

_TIME = re.compile(r"[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?$")
_ORDINAL = re.compile(r"(?<=\d)(st|nd|rd|th|er|º|ª|°)(?![a-z])", re.IGNORECASE)
_WEEKDAY = re.compile(
    r"\b(mon|tues?|wed(nes)?|thu(rs?)?|fri|sat(ur)?|sun)(day)?\b\.?,?\s*(?=\d|[A-Za-z]+\s*\d)", re.IGNORECASE
)
_WRAPPED = re.compile(
    r"^\D[^()]*\(([^()]*\d[^()]*)\)$|^(?:wave|welle|vague|ola|ronda|round|w|fieldwork)\s*\d*\s*[:–-]\s*(.+)$",
    re.IGNORECASE,
)
_DASH = re.compile(
    r"\s*[–—]\s*|\s+-\s+|\s+(?:to|until|bis|au|al|tot|a)\s+|(?<=[A-Za-z.])-(?=\s*\d{1,2}\b)|/(?=\d{4}-\d\d-\d\d)"
)
_DAYS = re.compile(r"(?<![\d./-])(\d{1,2})\.?-(\d{1,2})(?![\d./-]*[/-]\d)(?=[.\s]|$)")
_HYPHENS = re.compile(r"(?<!\d)(\d{1,2})-([^\W\d_]{3,9})\.?-(\d{4}|\d{2})(?!\d)")
_WORDS = re.compile(r"[^\W\d_]+\.?|\d+")
_ISO_WEEK = re.compile(
    r"(\d{4})[-\s]?(?:W|KW|CW)\s?(\d{1,2})|(?:W|KW|CW|week|woche|semaine|semana|settimana)\s?(\d{1,2})[\s/,-]+(\d{4})",
    re.IGNORECASE,
)
_QUARTER = re.compile(r"(\d{4})[-\s]?Q([1-4])|Q([1-4])[\s/-]?(\d{4})", re.IGNORECASE)
_YEAR_MONTH = re.compile(r"(\d{4})[-/.](\d{2})|(\d{1,2})[/.](\d{4})|(\d{4})M(\d{2})")

_LONGEST = 100
"""Days beyond which a range is a mistake: a quarter has 92."""

Period = str
"""`day`, `week`, `month` or `quarter`."""


@dataclass(frozen=True)
class Span:
    """First and last day of one cell, and what kind of time it names.

    `other` is a second reading of ``29-1 May``, whose month may be that of its first day.
    """

    start: date
    end: date
    period: Period = "day"
    other: Span | None = field(default=None, compare=False)

    @classmethod
    def on(cls, day: date) -> Span:
        """Return the span of one day."""
        return cls(day, day)


def spans(cells: Sequence[str], where: str, place: Callable[[int], str], date_format: str | None = None) -> list[Span]:
    """Return first and last day of every cell.

    Parameters
    ----------
    cells
        Text of every row (or column), in order.
    where
        Place named in messages, such as ``tracker.csv: date``.
    place
        Index of a cell -> where it is, such as ``row 2``.
    date_format
        The format, if the study gives it.

    Raises
    ------
    SurveyError
        If a cell is empty or no time, if numeric dates are written in two ways, or if two ways fit and differ.
    """
    for index, cell in enumerate(cells):
        if is_empty(cell):
            raise SurveyError(f"{where} is empty in {place(index)}: every row needs a day")
    if date_format is not None:
        return [_by_format(cell, date_format, where, place(index)) for index, cell in enumerate(cells)]
    spoken = [read(cell) for cell in cells]
    for index, span in enumerate(spoken):
        if span is not None and (span.end - span.start).days > _LONGEST:
            raise SurveyError(
                f"{where}: {cells[index]!r} in {place(index)} reads as {span.start} to {span.end}: too long"
            )
    rest = [index for index, span in enumerate(spoken) if span is None]
    numeric = _numeric([cells[index] for index in rest], where, lambda at: place(rest[at]))
    found = dict(zip(rest, numeric, strict=True))
    _refuse_mixed(cells, spoken, found, where, place)
    return [span or found[index] for index, span in enumerate(spoken)]


def are_serial(cells: Sequence[str]) -> bool:
    """Say whether cells are a spreadsheet's day numbers (1954 to 2064), which have lost their format."""
    return bool(cells) and all(re.fullmatch(r"[2-5]\d{4}", cell) for cell in cells)


def serial(cell: str, epoch: date = date(1899, 12, 30)) -> Span:
    """Return the day of a spreadsheet's day number."""
    return Span.on(epoch + timedelta(days=int(cell)))


def looks_like_time(cell: str) -> bool:
    """Say whether a cell alone names a day, a range of days, a week, a month or a quarter."""
    return bool(cell) and (read(cell) is not None or any(_try(tidied(cell), form) is not None for form in NUMERIC))


def tidied(cell: str) -> str:
    """Return a cell without commas, ordinals, weekdays, times and the name of the wave around its days."""
    text = " ".join(_TIME.sub("", cell.strip()).split())
    if wrapped := _WRAPPED.match(text):
        text = (wrapped[1] or wrapped[2]).strip()
    text = _HYPHENS.sub(r"\1 \2 \3", _WEEKDAY.sub("", _ORDINAL.sub("", text)))
    return " ".join(text.replace(",", " ").split())


def read(cell: str) -> Span | None:
    """Return what a cell says by itself: months in words, ISO weeks, quarters, year and month; None otherwise."""
    text = tidied(cell)
    if week := _ISO_WEEK.fullmatch(text):
        return _week(int(week[1] or week[4]), int(week[2] or week[3]))
    if quarter := _QUARTER.fullmatch(text):
        year, number = int(quarter[1] or quarter[4]), int(quarter[2] or quarter[3])
        return Span(date(year, 3 * number - 2, 1), month_end(year, 3 * number), "quarter")
    if month := _YEAR_MONTH.fullmatch(text):
        year, number = int(month[1] or month[4] or month[5]), int(month[2] or month[3] or month[6])
        return Span(date(year, number, 1), month_end(year, number), "month") if 1 <= number <= 12 else None
    return _in_words(text)


def _in_words(text: str) -> Span | None:
    parts = _DASH.split(_DAYS.sub(r"\1 – \2", text))
    if len(parts) > 2 or not any(word.rstrip(".").casefold() in MONTHS for word in _WORDS.findall(text)):
        return None
    read_parts = [_words(part) for part in parts]
    if any(part is None for part in read_parts):
        return None
    known = [part for part in read_parts if part is not None]
    first, last = known[0], known[-1]
    year = last[0] or first[0]
    month, day = last[1] or first[1], last[2]
    if year is None or month is None:
        return None
    if day is None:
        return Span(date(year, first[1] or month, 1), month_end(year, month), "month") if first[2] is None else None
    try:
        end = date(year, month, day)
        start = date(first[0] or year, first[1] or month, first[2] or day) if len(known) == 2 else end
    except ValueError:
        return None
    if start > end and first[1] is None:
        before = (end.replace(day=1) - timedelta(days=1)).replace(day=1) + timedelta(days=start.day - 1)
        after = month_end(start.year, start.month) + timedelta(days=end.day)
        return Span(before, end, other=Span(start, after)) if before <= end else Span(start, after)
    if start > end and first[0] is None:
        start = start.replace(year=start.year - 1)
    return Span(start, end) if start <= end else None


def _words(part: str) -> tuple[int | None, int | None, int | None] | None:
    """Return year, month and day of words in any order, each None where it is not there; None if a word is neither."""
    year = month = day = None
    for word in _WORDS.findall(part):
        name = word.rstrip(".").casefold()
        if name in MONTHS and month is None:
            month = MONTHS[name]
        elif word.isdigit() and len(word) == 4 and year is None:
            year = int(word)
        elif word.isdigit() and len(word) <= 2 and day is None:
            day = int(word)
        elif word.isdigit() and len(word) == 2 and year is None:
            year = 2000 + int(word)
        elif name not in {"of", "de", "del", "den", "der", "le", "d"}:
            return None
    return year, month, day


def _week(year: int, number: int) -> Span | None:
    try:
        start = date.fromisocalendar(year, number, 1)
    except ValueError:
        return None
    return Span(start, start + timedelta(days=6), "week")


def month_end(year: int, month: int) -> date:
    """Return the last day of a month."""
    return date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)


def _try(text: str, form: str) -> Span | None:
    if form == "%Y%m%d" and re.fullmatch(r"\d*", text) and len(text) != 8:
        return None
    try:
        return Span.on(datetime.strptime(text, form).date())
    except ValueError:
        pass
    for sign in re.finditer(r"\s*[–—]\s*|\s+-\s+|\s+to\s+|-|/", text):
        first, last = text[: sign.start()], text[sign.end() :]
        try:
            start, end = datetime.strptime(first, form).date(), datetime.strptime(last, form).date()
        except ValueError:
            continue
        return Span(start, end)
    return None


def _by_format(cell: str, form: str, where: str, place: str) -> Span:
    found = _try(cell, form) or _try(_TIME.sub("", cell), form) or _try(tidied(cell), form)
    if found is None:
        raise SurveyError(f"{where}: {cell!r} in {place} is not a day written as survey.date_format {form!r}")
    return found


def _numeric(cells: Sequence[str], where: str, place: Callable[[int], str]) -> list[Span]:
    texts = [tidied(cell) for cell in cells]
    fitting = {}
    for form in NUMERIC:
        tried = [_try(text, form) for text in texts]
        if all(tried):
            fitting[form] = [span for span in tried if span is not None]
    readings = {tuple(read_) for read_ in fitting.values()}
    if len(readings) > 1:
        first, second = list(fitting)[:2]
        at = next(i for i in range(len(texts)) if fitting[first][i] != fitting[second][i])
        raise SurveyError(
            f"{where}: {cells[at]!r} in {place(at)} may be {fitting[first][at].start} or {fitting[second][at].start}:"
            f' set survey.date_format, for example to "{first}"'
        )
    if not readings:
        raise SurveyError(f"{where}: {_unreadable(cells, texts, place)}")
    return list(readings.pop())


def _unreadable(cells: Sequence[str], texts: Sequence[str], place: Callable[[int], str]) -> str:
    counts = {form: sum(_try(text, form) is not None for text in texts) for form in NUMERIC}
    best = max(counts, key=lambda form: counts[form])
    at = next((i for i, text in enumerate(texts) if _try(text, best) is None), 0)
    advice = 'write days as 2023-04-03 or set survey.date_format (such as "%d/%m/%Y")'
    if counts[best] == 0 or not any(_try(texts[at], form) for form in NUMERIC):
        return f"{cells[at]!r} in {place(at)} is not a day; {advice}"
    other = next(form for form in NUMERIC if _try(texts[at], form) is not None)
    return f"days are written in two formats, {best!r} and {other!r} ({cells[at]!r} in {place(at)}): use one"


def _refuse_mixed(
    cells: Sequence[str],
    spoken: Sequence[Span | None],
    numeric: dict[int, Span],
    where: str,
    place: Callable[[int], str],
) -> None:
    periods = {span.period: index for index, span in enumerate(spoken) if span is not None}
    for index in list(numeric)[:1]:
        periods.setdefault("day", index)
    if len(periods) > 1:
        (first, at), (second, also) = list(periods.items())[:2]
        raise SurveyError(
            f"{where}: {cells[at]!r} in {place(at)} is a {first}, {cells[also]!r} in {place(also)} a {second}: use one"
        )
