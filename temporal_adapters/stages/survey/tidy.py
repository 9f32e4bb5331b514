"""Tidy tables of published values: one row per wave, question and option.

Takes a table, gives observations. Knows no week.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
from scipy import stats

from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages.survey import dated, values
from temporal_adapters.stages.survey.days import Span
from temporal_adapters.stages.survey.observations import COLUMNS, Observations
from temporal_adapters.stages.survey.table import Table
from temporal_adapters.study.config import Survey

NAMES: dict[str, tuple[str, ...]] = {
    "date": (
        "date",
        "start_date",
        "start",
        "fieldwork_start",
        "wave_date",
        "day",
        "week",
        "month",
        "quarter",
        "period",
    ),
    "end": ("end", "end_date", "fieldwork_end"),
    "published": ("published", "published_date", "publication_date", "release_date"),
    "question": ("question", "item", "indicator", "question_text", "variable"),
    "option": ("option", "answer", "response", "category", "answer_option"),
    "value": ("value", "pct", "percent", "percentage", "share", "proportion", "estimate", "mean", "score", "index"),
    "n": ("n", "sample_size", "unweighted_base", "n_unweighted", "base"),
    "se": ("se", "std_error", "standard_error", "std.error"),
    "lower": ("lower", "ci_low", "conf.low", "lower_ci", "ci_lower", "lcl"),
    "upper": ("upper", "ci_high", "conf.high", "upper_ci", "ci_upper", "ucl"),
    "sd": ("sd", "std", "stdev", "standard_deviation"),
}
"""Our column names and those found in published files, in order of preference; `survey.columns` goes first."""

_NEEDED = ("date", "option", "value")
_PERCENT = frozenset({"pct", "percent", "percentage"})
_SUM_SLACK = 0.1
"""How far from 100 the sums of a wave may be where values above 1 are taken for percentages."""


def names_of(header: Sequence[str], columns: Mapping[str, str]) -> dict[str, str]:
    """Return our column name -> theirs for those a header has; what the study names goes first."""
    folded = {name.casefold().replace(" ", "_"): name for name in header}
    found = {ours: theirs for ours, theirs in columns.items() if theirs in header}
    for ours, candidates in NAMES.items():
        if ours in columns:
            continue
        named = next((folded[c] for c in candidates if c in folded and folded[c] not in found.values()), None)
        if named is not None:
            found[ours] = named
    return found


def is_tidy(header: Sequence[str], columns: Mapping[str, str], question: str | None) -> bool:
    """Say whether a header is one of a tidy file."""
    found = names_of(header, columns)
    return {"date", "option", "value"} <= set(found) and ("question" in found or question is not None)


def read(table: Table, settings: Survey, stem: str) -> Observations:
    """Read a tidy table.

    Parameters
    ----------
    table
        Rows, already those that count.
    settings
        The section `survey`.
    stem
        Name of the question where neither the file nor the study names one.

    Raises
    ------
    SurveyError
        Naming the column or the cell.
    """
    names = _required(table, settings)
    spans, usable, notes = dated.times(table, names, settings)
    table = table.only(usable)
    unit, unit_note = _unit(table, names, settings, spans)
    where = f"{table.where}: {names['value']}"
    column = list(table.columns[names["value"]])
    shares = values.parse_shares(column, where, unit, table.place(names["value"]), dated.reading_of(settings))
    options = _labels(table, names["option"])
    items = _labels(table, names["question"]) if "question" in names else [settings.question or stem] * table.height
    extra = extras(table, names, settings, unit == "mean")
    scale = 0.01 if unit == "percent" or any(cell.strip().endswith("%") for cell in column) else 1.0
    empty = sum(values.is_empty(cell) for cell in column)
    left_out = (f"{table.where}: {empty} rows without a value are missing",) if empty else ()
    return observations(table, spans, items, options, shares, extra, scale, unit, (*notes, *unit_note, *left_out))


def any_above_one(cells: Sequence[str]) -> bool:
    """Say whether a cell holds a number above 1."""
    return any(number is not None and number > 1 for number in map(plain, cells))


def plain(cell: str) -> float | None:
    """Return a cell as a number, None where it is none."""
    try:
        return float(cell.removesuffix("%").strip().replace(",", "."))
    except ValueError:
        return None


def _required(table: Table, settings: Survey) -> dict[str, str]:
    names = names_of(list(table.columns), settings.columns)
    for ours in _NEEDED:
        if ours not in names:
            wanted = settings.columns.get(ours, ours)
            raise SurveyError(
                f"{table.where} lacks the column {wanted!r} (it has {some(table)}):"
                f" name it in survey.columns, such as {{{ours}: ...}}"
            )
    if not table.height:
        raise SurveyError(f"{table.where}: there are no rows below the header")
    return names


def _unit(
    table: Table, names: Mapping[str, str], settings: Survey, spans: Sequence[tuple[Span, Span | None]]
) -> tuple[str, tuple[str, ...]]:
    """Return the unit; values above 1 are percentages where the column or the sums of waves say so."""
    cells = table.columns[names["value"]]
    if settings.unit != "auto" or any(cell.endswith("%") for cell in cells) or not any_above_one(cells):
        return settings.unit, ()
    if names["value"].casefold() in _PERCENT:
        return "percent", (f"{table.where}: {names['value']!r} holds percentages, as its name says",)
    sums: dict[tuple[object, str], float] = {}
    items = table.columns[names["question"]] if "question" in names else [""] * table.height
    for (span, _), item, cell in zip(spans, items, cells, strict=True):
        sums[span.start, item] = sums.get((span.start, item), 0.0) + (plain(cell) or 0.0)
    if sum_to_hundred(list(sums.values())):
        return "percent", (f"{table.where}: values were read as percentages: those of every wave sum to about 100",)
    return "auto", ()


def sum_to_hundred(sums: Sequence[float]) -> bool:
    """Say whether values of waves are percentages by their sums."""
    return bool(sums) and all(abs(total - 100) <= 100 * _SUM_SLACK for total in sums)


def extras(
    table: Table, names: Mapping[str, str], settings: Survey, is_mean: bool
) -> dict[str, list[float | int | None]]:
    """Return `n` and the standard error from `se`, from an interval, or from `sd` and n."""
    reading = dated.reading_of(settings)
    numbers = {
        ours: [
            values.parse_number(cell, f"{table.where}: {names[ours]}", table.place(names[ours])(row), reading)
            for row, cell in enumerate(table.columns[names[ours]])
        ]
        for ours in ("se", "lower", "upper", "sd")
        if ours in names
    }
    n: list[float | int | None] = [None] * table.height
    if "n" in names:
        place = table.place(names["n"])
        where = f"{table.where}: {names['n']}"
        n = [values.parse_count(cell, where, place(row), reading) for row, cell in enumerate(table.columns[names["n"]])]
    se: list[float | int | None] = list(numbers.get("se", [None] * table.height))
    if "se" not in numbers and {"lower", "upper"} <= set(numbers):
        width = 2 * float(stats.norm.ppf(0.5 + settings.interval / 2))
        se = [_interval(table, names, row, low, high, width) for row, (low, high) in enumerate(
            zip(numbers["lower"], numbers["upper"], strict=True))]  # fmt: skip
    elif "se" not in numbers and "sd" in numbers and is_mean:
        se = [s / m**0.5 if s is not None and m else None for s, m in zip(numbers["sd"], n, strict=True)]
    return {"n": n, "se": se}


def _interval(
    table: Table, names: Mapping[str, str], row: int, low: float | None, high: float | None, width: float
) -> float | None:
    if low is None or high is None:
        return None
    if high < low:
        raise SurveyError(
            f"{table.where}: the interval in {table.place(names['lower'])(row)} ends at {high:g}, below its {low:g}"
        )
    return (high - low) / width


def observations(
    table: Table,
    spans: Sequence[tuple[Span, Span | None]],
    items: Sequence[str],
    options: Sequence[str],
    shares: values.Shares,
    extra: Mapping[str, Sequence[float | int | None]],
    scale: float,
    unit: str,
    notes: Sequence[str],
) -> Observations:
    """Return the columns of a table as observations; `scale` turns standard errors into the values' unit."""
    frame = pl.DataFrame(
        {
            "wave": [""] * len(spans),
            "start": [span.start for span, _ in spans],
            "end": [span.end for span, _ in spans],
            "published": [None if said is None else said.start for _, said in spans],
            "item": items,
            "option": options,
            "value": shares.values,
            "se": [None if se is None else se * scale for se in extra["se"]],
            "n": extra["n"],
            "house": [None] * len(spans),
        },
        schema=COLUMNS,
    )
    if shares.n_marked:
        notes = [*notes, f"{table.where}: {shares.n_marked} cells without a number (-, *, <1 and such) are missing"]
    ranges = any(span.start < span.end or said is not None for span, said in spans)
    return Observations(frame, unit == "mean", shares.step, (*table.notes, *notes), n_dates=2 if ranges else 1)


def _labels(table: Table, name: str) -> list[str]:
    for row, cell in enumerate(table.columns[name]):
        if not cell:
            raise SurveyError(f"{table.where}: {name} is empty in {table.place(name)(row)}")
    return list(table.columns[name])


def some(table: Table) -> str:
    """Return the names of a table's columns, as far as a message should show them."""
    return ", ".join(list(table.columns)[:12]) + (" ..." if len(table.columns) > 12 else "")
