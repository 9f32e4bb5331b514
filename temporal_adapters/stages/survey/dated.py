"""Days of a table's rows: fieldwork and publication, and rows that have none.

Takes a table and the names of its columns, gives days per row. Knows no option.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages.survey import days, values
from temporal_adapters.stages.survey.days import Span
from temporal_adapters.stages.survey.table import Table
from temporal_adapters.stages.survey.values import Reading
from temporal_adapters.study.config import Survey


def reading_of(settings: Survey) -> Reading:
    """Return how numbers are written, as the study says."""
    return Reading(settings.decimal, settings.missing_marks)


def times(
    table: Table, names: Mapping[str, str], settings: Survey
) -> tuple[list[tuple[Span, Span | None]], list[bool], tuple[str, ...]]:
    """Return fieldwork and publication of every usable row, which rows are usable, and what was left out."""
    usable = [True] * table.height
    notes: tuple[str, ...] = ()
    if settings.max_bad_rows:
        usable, notes = _usable(table, names, settings)
        table = table.only(usable)
    place = table.place(names["date"])
    cells = _whole_days(table, names["date"])
    if days.are_serial(cells) and settings.date_format is None:
        starts = [days.serial(cell) for cell in cells]
        notes = (
            *notes,
            f"{table.where}: {names['date']}: {cells[0]} was read as a spreadsheet's day {starts[0].start}",
        )
    else:
        starts = days.spans(cells, f"{table.where}: {names['date']}", place, settings.date_format)
    starts = [_period(span, settings.period) for span in starts]
    if "end" in names:
        ends = days.spans(
            table.columns[names["end"]],
            f"{table.where}: {names['end']}",
            table.place(names["end"]),
            settings.date_format,
        )
        for index, (first, last) in enumerate(zip(starts, ends, strict=True)):
            if last.end < first.start:
                raise SurveyError(
                    f"{table.where}: fieldwork in {place(index)} ends on {last.end}, before it begins on {first.start}"
                )
        starts = [Span(first.start, last.end) for first, last in zip(starts, ends, strict=True)]
    published: Sequence[Span | None] = [None] * table.height
    if "published" in names:
        name = names["published"]
        published = days.spans(table.columns[name], f"{table.where}: {name}", table.place(name), settings.date_format)
    if starts and starts[0].period != "day":
        notes = (
            *notes,
            f"{table.where}: every wave is a {starts[0].period}, in the week that survey.fieldwork_date says",
        )
    return list(zip(starts, published, strict=True)), usable, notes


def _whole_days(table: Table, name: str) -> Sequence[str]:
    """Return the cells of the days; numbers of weeks or months stand with the column `year` beside them."""
    cells = table.columns[name]
    year = next((other for other in table.columns if other.casefold() in ("year", "jahr", "année", "año")), None)
    if year is None or not all(cell.isdigit() and 1 <= int(cell) <= 53 for cell in cells):
        return cells
    sign = "-W" if max(map(int, cells)) > 12 or "week" in name.casefold() or "woche" in name.casefold() else "-"
    return [f"{of}{sign}{int(cell):02d}" for of, cell in zip(table.columns[year], cells, strict=True)]


def _period(span: Span, period: str) -> Span:
    if span.period != "day" or span.start != span.end or period in ("auto", "week"):
        return span
    months = 1 if period == "month" else 3
    last = span.start.month + months - 1
    end = days.month_end(span.start.year + (last - 1) // 12, (last - 1) % 12 + 1)
    return Span(span.start.replace(day=1), end, period)


def _usable(table: Table, names: Mapping[str, str], settings: Survey) -> tuple[list[bool], tuple[str, ...]]:
    reading = reading_of(settings)
    bad: list[tuple[int, str, str]] = []
    for ours in ("date", "value"):
        name = names.get(ours)
        for index, cell in enumerate(table.columns[name]) if name else ():
            if not _is_readable(ours, cell, settings, reading):
                bad.append((index, name or "", cell))
    rows = {index for index, _, _ in bad}
    if not rows:
        return [True] * table.height, ()
    index, name, cell = bad[0]
    first = f"the first is {cell!r} of {name} in {table.place(name)(index)}"
    if len(rows) > settings.max_bad_rows * table.height:
        raise SurveyError(
            f"{table.where}: {len(rows)} of {table.height} rows have no readable day or value, more than"
            f" survey.max_bad_rows {settings.max_bad_rows:g} allows; {first}"
        )
    return [at not in rows for at in range(table.height)], (
        f"{table.where}: {len(rows)} of {table.height} rows without a readable day or value are left out; {first}",
    )


def _is_readable(ours: str, cell: str, settings: Survey, reading: Reading) -> bool:
    try:
        if ours == "date":
            if values.is_empty(cell):
                return False
            return (settings.date_format is None and days.looks_like_time(cell)) or bool(
                settings.date_format and days.spans([cell], "", lambda _: "", settings.date_format)
            )
        return values.is_empty(cell) is False and (
            values.is_mark(cell, reading) or values.parse_number(cell, "", "", reading) is not None
        )
    except SurveyError:
        return False
