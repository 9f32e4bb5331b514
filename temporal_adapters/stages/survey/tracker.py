"""Tracker downloads in YouGov's layout: one column per wave, one row per answer, one sheet per demographic split.

Takes a grid, gives observations. Knows no week.

    | Title, notes, blank rows                           |       passed over
    |                 |       2023       |               |       years or months above the days, merged or not
    | Question text   | 27th Jun | 4th Jul | ...           the question, then the waves: a day, "a - b", a month, a week
    | Happy           | 45%      | 46%     |               percentages: text with %, cells formatted as %, or 45
    | Don't know      | 6%       | *       |               marks for "no number" become missing, counted
    | Unweighted base | 1948     | 2011    |               respondents
    | Base            | 1948     | 2011    |               weighted respondents, not used
    | Fieldwork       | 25-27 Jun 2019 | ...              days of interviews, where the header names another
    | Source: ...                                  |       footnotes, passed over
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages.survey import days, headers, values
from temporal_adapters.stages.survey.cells import Grid, letter
from temporal_adapters.stages.survey.days import Span
from temporal_adapters.stages.survey.headers import FIELDWORK, Header
from temporal_adapters.stages.survey.observations import COLUMNS, Observations
from temporal_adapters.stages.survey.table import SEARCHED
from temporal_adapters.stages.survey.values import Reading

_BASE = r"(base|basis|sample( size)?|n|count|respondents|total|stichprobe|fallzahl|effectif|muestra|steekproef)"
_UNWEIGHTED = re.compile(
    r".*\b(un-?weighted|ungewichtet\w*|non[- ]pond[ée]r\w*|no ponderad\w*|non ponderat\w*|ongewogen)\b.*"
    r"|sample size|n\s*=?|fallzahl|number of (respondents|interviews)",
    re.IGNORECASE,
)
_WEIGHTED = re.compile(
    rf".*\b{_BASE}\b.*\b(weighted|gewichtet\w*|pond[ée]r\w*|ponderad\w*|ponderat\w*|gewogen)\b.*"
    rf"|(weighted|gewichtet\w*|pond[ée]r\w*|ponderad\w*|ponderat\w*|gewogen)\b.*\b{_BASE}\b.*"
    rf"|{_BASE}(\W+(all|base).*)?",
    re.IGNORECASE,
)
_SUMMARY = re.compile(
    r"(net|netto|mean|average|median|std|standard|mittelwert|durchschnitt|lead|vorsprung|margin|spread)\b.*",
    re.IGNORECASE,
)
_TOTAL = re.compile(r"(total|sum|summe|gesamt)\W*", re.IGNORECASE)


def read(
    grid: Grid,
    question: str | None,
    unit: str,
    date_format: str | None = None,
    reading: Reading = Reading(),  # noqa: B008
) -> Observations:
    """Read one sheet.

    Parameters
    ----------
    grid
        The sheet.
    question
        Name of the question; without it the text before the first wave, else a title that asks, else the file's name.
    unit, date_format, reading
        As in the section `survey`.

    Raises
    ------
    SurveyError
        If a wave has no day or appears twice, an answer has two rows, or a cell is no percentage.
    """
    blocks = headers.blocks(grid, date_format)
    if not blocks:
        raise SurveyError(f"{grid.where} has no row of days in its first {SEARCHED} rows: the waves must stand there")
    if question is not None and len(blocks) > 1:
        raise SurveyError(
            f"{grid.where} holds {len(blocks)} questions below each other: survey.question cannot name them"
        )
    parts = [_read_block(block, header, question, unit, date_format, reading) for block, header in blocks]
    names = [part.frame["item"][0] for part in parts]
    if doubled := next((name for name in names if names.count(name) > 1), None):
        raise SurveyError(f"{grid.where} holds the question {doubled!r} twice")
    steps = [part.rounding for part in parts if part.rounding is not None]
    return Observations(
        pl.concat([part.frame for part in parts]),
        unit == "mean",
        max(steps) if steps else None,
        tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        n_dates=min(part.n_dates for part in parts),
    )


def _read_block(
    grid: Grid, header: Header, question: str | None, unit: str, date_format: str | None, reading: Reading
) -> Observations:
    """Read one question of a sheet."""
    waves, notes = _waves(grid, header, date_format)
    rows = _Rows.of(grid, header.row, list(waves))
    if not rows.answers:
        raise SurveyError(f"{grid.where} has no row with an answer below row {header.row + 1}")
    fieldwork = _fieldwork(grid, rows, waves, date_format)
    name = question or _question(grid, header)
    shares, cells = _shares(grid, rows.answers, list(waves), unit, reading)
    n = _bases(grid, rows, list(waves), reading)
    if shares.n_marked:
        notes.append(f"{grid.where}: {shares.n_marked} cells without a number (-, *, <1 and such) are missing")
    if rows.left_out:
        notes.append(f"{grid.where}: left out as no answers: {', '.join(rows.left_out)}")
    if all(value is None for value in n):
        notes.append(f"{grid.where}: no unweighted base, so no standard errors")
    count, n_waves = len(rows.answers), len(waves)
    frame = pl.DataFrame(
        {
            "wave": [""] * len(cells),
            "start": [span.start for span in fieldwork or waves.values()] * count,
            "end": [span.end for span in fieldwork or waves.values()] * count,
            "published": [span.start for span in waves.values()] * count if fieldwork else [None] * len(cells),
            "item": [name] * len(cells),
            "option": [label for _, label in rows.answers for _ in range(n_waves)],
            "value": shares.values,
            "se": [None] * len(cells),
            "n": n * count,
            "house": [None] * len(cells),
        },
        schema=COLUMNS,
    )
    ranges = fieldwork is not None or any(span.period == "day" and span.start < span.end for span in waves.values())
    return Observations(frame, unit == "mean", shares.step, (*grid.notes, *notes), n_dates=2 if ranges else 1)


def _waves(grid: Grid, header: Header, date_format: str | None) -> tuple[dict[int, Span], list[str]]:
    columns, texts = list(header.texts), list(header.texts.values())
    where = f"{grid.where}: row {header.row + 1}"
    notes = []
    if header.is_serial:
        found = [days.serial(text, grid.epoch) for text in texts]
        notes.append(f"{where}: day numbers were read as days: {texts[0]} is {found[0].start}")
    else:
        found = days.spans(texts, where, lambda index: f"cell {letter(columns[index])}{header.row + 1}", date_format)
        found, said = _in_order(found, where)
        notes += said
    for index, span in enumerate(found):
        if span in found[:index]:
            first, second = letter(columns[found.index(span)]), letter(columns[index])
            raise SurveyError(f"{where}: the wave of {span.end} has two columns, {first} and {second}")
    if found[0].period in ("month", "quarter"):
        notes.append(
            f"{where}: every wave is a {found[0].period}; its week is that of survey.fieldwork_date, and posts of that"
            " week alone stand for it unless weeks.waves with a longer window_days says otherwise"
        )
    return dict(zip(columns, found, strict=True)), notes


def _in_order(spans: list[Span], where: str) -> tuple[list[Span], list[str]]:
    """Return the waves with the second reading of those that the first puts out of order, and what is odd."""
    if _is_ordered(spans):
        return spans, []
    for turned in (False, True):
        tried: list[Span] = []
        for span in reversed(spans) if turned else spans:
            late = bool(tried) and span.start <= tried[-1].start and span.other is not None
            tried.append(span.other if late and span.other is not None else span)
        if _is_ordered(tried):
            return tried[::-1] if turned else tried, [
                f"{where}: ranges such as 29-1 May were read by the order of waves"
            ]
    return spans, [f"{where}: the waves are not in order of time"]


def _is_ordered(spans: Sequence[Span]) -> bool:
    starts = [span.start for span in spans]
    return starts in (sorted(starts), sorted(starts, reverse=True))


@dataclass(frozen=True)
class _Rows:
    """The rows below the waves by what they are: (row, label)."""

    answers: list[tuple[int, str]]
    unweighted: list[tuple[int, str]]
    fieldwork: list[tuple[int, str]]
    left_out: list[str]

    @classmethod
    def of(cls, grid: Grid, top: int, columns: Sequence[int]) -> _Rows:
        found = cls([], [], [], [])
        for row in range(top + 1, len(grid.rows)):
            cells = [grid.rows[row][column] for column in columns]
            label = next((cell for cell in reversed(grid.rows[row][: columns[0]]) if cell), "")
            if not any(cells) or all(cell == label for cell in cells):
                continue
            if not label:
                place = grid.place(row, next(c for c in columns if grid.rows[row][c]))
                raise SurveyError(f"{grid.where}: the values of row {row + 1} ({place}) have no answer before them")
            found._add(row, label, cells)
        labels = [label for _, label in found.answers]
        doubled = next((label for label in labels if labels.count(label) > 1), None)
        if doubled is not None:
            at = " and ".join(str(row + 1) for row, label in found.answers if label == doubled)
            raise SurveyError(f"{grid.where}: the answer {doubled!r} has two rows ({at}): keep one question per sheet")
        return found

    def _add(self, row: int, label: str, cells: Sequence[str]) -> None:
        if FIELDWORK.fullmatch(label):
            self.fieldwork.append((row, label))
        elif _UNWEIGHTED.fullmatch(label):
            self.unweighted.append((row, label))
        elif is_summary(label, cells):
            self.left_out.append(label)
        elif not _WEIGHTED.fullmatch(label):
            self.answers.append((row, label))


def is_summary(label: str, cells: Sequence[str]) -> bool:
    """Say whether a row (or column) of values is no answer: a net, a mean, or the sum of all answers."""
    return bool(_SUMMARY.fullmatch(label)) or bool(_TOTAL.fullmatch(label) and _are_whole(cells))


def _are_whole(cells: Sequence[str]) -> bool:
    return all(re.fullmatch(r"|1(\.0*)?|(99|100|101)(\.\d+)?\s*%?", cell) for cell in cells)


def _fieldwork(grid: Grid, rows: _Rows, waves: dict[int, Span], date_format: str | None) -> list[Span] | None:
    if not rows.fieldwork:
        return None
    row, _ = rows.fieldwork[0]
    cells = [grid.rows[row][column] for column in waves]
    columns = list(waves)
    found = days.spans(
        cells, f"{grid.where}: row {row + 1}", lambda i: f"cell {letter(columns[i])}{row + 1}", date_format
    )
    for span, (column, named) in zip(found, waves.items(), strict=True):
        if abs((span.end - named.start).days) > 60:  # two months: a tracker is published within weeks of its fieldwork
            place = f"cell {letter(column)}{row + 1}"
            raise SurveyError(
                f"{grid.where}: fieldwork until {span.end} ({place}) does not go with a wave named {named.start}"
            )
    return found


def _question(grid: Grid, header: Header) -> str:
    before = grid.rows[header.row][: min(header.texts)]
    if text := next((cell for cell in reversed(before) if cell), ""):
        return text
    titles = [cell for row in grid.rows[: header.row] for cell in row[:1] if cell]
    return next((title for title in titles if "?" in title), "")


def _shares(
    grid: Grid, answers: Sequence[tuple[int, str]], columns: Sequence[int], unit: str, reading: Reading
) -> tuple[values.Shares, list[str]]:
    places = [(row, column) for row, _ in answers for column in columns]
    cells = [grid.rows[row][column] for row, column in places]
    found = values.parse_shares(
        cells, grid.where, _unit(cells, unit, reading), lambda index: grid.place(*places[index]), reading
    )
    return found, cells


def _unit(cells: Sequence[str], unit: str, reading: Reading) -> str:
    """Return `percent` for a tracker whose plain numbers exceed 1: its values are percentages by definition."""
    if unit != "auto" or any(cell.endswith("%") and not values.is_mark(cell, reading) for cell in cells):
        return unit
    plain = [re.sub(r"\s", "", cell).replace(",", ".") for cell in cells]
    numbers = [float(cell) for cell in plain if re.fullmatch(r"\d+(\.\d+)?", cell)]
    return "percent" if any(number > 1 for number in numbers) else "share"


def _bases(grid: Grid, rows: _Rows, columns: Sequence[int], reading: Reading) -> list[int | None]:
    if len(rows.unweighted) > 1:
        at = " and ".join(str(row + 1) for row, _ in rows.unweighted)
        raise SurveyError(f"{grid.where} has {len(rows.unweighted)} rows of unweighted bases ({at}), it may have one")
    if not rows.unweighted:
        return [None] * len(columns)
    row, label = rows.unweighted[0]
    where = f"{grid.where}: {label}"
    return [values.parse_count(grid.rows[row][column], where, grid.place(row, column), reading) for column in columns]
