"""Two series to compare, of whatever a person holds: arrays, frames, files.

Takes arrays, frames or paths, gives one tidy frame per side on steps of the same unit, or one sentence that names file
and row. Knows no test.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from temporal_adapters.ground.dates import WEEK, week_label, week_start
from temporal_adapters.ground.errors import CorrelateError, SurveyError
from temporal_adapters.stages.survey import Grid, Reading, Table, grids, is_empty, parquet_table, parse_number, spans
from temporal_adapters.stages.survey.table import table
from temporal_adapters.stages.survey.tidy import NAMES

Unit = Literal["week", "month", "step"]
"""What lies between two values: a week, a month, or only their order."""

Side = Any
"""An array, a frame of Polars or pandas, or the path of a CSV, Parquet or xlsx file."""

_ZONE = re.compile(r"(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)\s*(Z|[+-]\d{2}:?\d{2})$")
_DECIMAL_YEAR = re.compile(r"\d{4}(\.\d+)?")
_ORIGIN = date(1970, 1, 5)
"""Monday that stands for step 0 where there are no days."""


@dataclass(frozen=True)
class Columns:
    """Names of columns where they are not the usual ones.

    Attributes
    ----------
    date, value
        Of a file or frame; `value` two of them where one file holds both series.
    date_format
        How days are written, as Python's strptime has it; needed only where a file is ambiguous.
    """

    date: str | None = None
    value: tuple[str, ...] = ()
    date_format: str | None = None


@dataclass(frozen=True)
class Series:
    """One side: one series or a family of them.

    Attributes
    ----------
    name
        What people call it.
    unit
        What a step is.
    frame
        item, option, step (whole number, counted from any origin), value; one row per value there is.
    where
        File or argument, for messages.
    """

    name: str
    unit: Unit
    frame: pl.DataFrame
    where: str

    def named(self, name: str) -> Series:
        """Return the same under another name."""
        return replace(self, name=name)


def read_sides(
    x: Side, y: Side | None, columns: Columns = Columns(), names: tuple[str, str] | None = None
) -> tuple[Series, Series]:
    """Return both sides, under these names where there are any; without `y` they are two columns of `x`.

    Raises
    ------
    CorrelateError
        If a side cannot be read, or the two have steps of different units.
    """
    try:
        if y is None:
            first, second = _two_columns(x, columns)
        else:
            first, second = _read(x, "x", columns, 0), _read(y, "y", columns, 1)
    except SurveyError as error:
        raise CorrelateError(re.sub(r"survey\.(\w+)", r"\1", str(error))) from None
    if first.unit != second.unit:
        raise CorrelateError(
            f"{first.where} counts in {first.unit}s, {second.where} in {second.unit}s: bring both to one of them"
        )
    if names is not None:
        first, second = first.named(names[0]), second.named(names[1])
    if first.name == second.name:
        first, second = first.named(f"{first.name} (x)"), second.named(f"{second.name} (y)")
    return _same_names(first, second)


def day_of(step: int) -> date:
    """Return the Monday that stands for a step where series are laid on a grid of weeks."""
    return _ORIGIN + step * WEEK


def label_of(step: int, unit: Unit) -> str:
    """Return what a step is called: ``2023-W14``, ``2023-04``, or its number."""
    if unit == "week":
        return week_label(day_of(step))
    return f"{step // 12}-{step % 12 + 1:02d}" if unit == "month" else str(step)


def _read(side: Side, name: str, columns: Columns, place: int) -> Series:
    if isinstance(side, str | Path):
        value = columns.value[place] if len(columns.value) > 1 else next(iter(columns.value), None)
        path = Path(side)
        return _of_table(_table(path), path.stem, columns, value)
    if isinstance(side, pl.DataFrame) or hasattr(side, "columns"):
        return _of_table(_as_table(side, name), name, columns, next(iter(columns.value), None))
    array = np.asarray(side, dtype=np.float64)
    if array.ndim != 1:
        raise CorrelateError(f"{name}: an array has one dimension, a value per week; this has shape {array.shape}")
    if np.isinf(array).any():
        raise CorrelateError(f"{name}: infinite value at place {int(np.isinf(array).argmax())}")
    values = [None if np.isnan(value) else float(value) for value in array]
    return _series(name, "step", list(range(1, len(values) + 1)), values, None, name, lambda at: f"place {at}")


def _two_columns(side: Side, columns: Columns) -> tuple[Series, Series]:
    is_path = isinstance(side, str | Path)
    whole = _table(Path(side)) if is_path else _as_table(side, "x")
    names = columns.value or _numeric(whole, columns)
    if len(names) != 2:
        has = ", ".join(names) or "none"
        raise CorrelateError(
            f"{whole.where}: name two files, or the two columns of this one with `value` (columns of numbers: {has})"
        )
    first, second = (_of_table(whole, name, columns, name) for name in names)
    return first, second


def _table(path: Path) -> Table:
    if not path.is_file():
        raise CorrelateError(f"{path}: there is no such file")
    if path.suffix.lower() == ".parquet":
        return parquet_table(path)
    filled = [grid for grid in grids(path) if any(any(row) for row in grid.rows)]
    if len(filled) != 1:
        held = f"{len(filled)} sheets ({', '.join(grid.name for grid in filled)})" if filled else "nothing"
        raise CorrelateError(f"{path} holds {held}: one sheet with a header is needed")
    return table(_with_row_names(filled[0]))


def _with_row_names(grid: Grid) -> Grid:
    """Return a grid whose first column has a name where only row names lack one, as R and pandas write them."""
    header, *rows = grid.rows
    if header[0] or not all(header[1:]) or not any(row[0] for row in rows):
        return grid
    return replace(grid, rows=(("row name", *header[1:]), *rows))


def _as_table(frame: Any, where: str) -> Table:
    polars = frame if isinstance(frame, pl.DataFrame) else pl.from_pandas(frame)
    text = {name: ["" if cell is None else str(cell) for cell in polars[name].to_list()] for name in polars.columns}
    return Table(where, text, list(range(polars.height)), {})


def _numeric(whole: Table, columns: Columns) -> tuple[str, ...]:
    """Return the columns that hold numbers and are neither a time nor row names."""
    time = _named(whole, "date", columns.date)
    return tuple(
        name
        for name, cells in whole.columns.items()
        if name not in (time, "row name")
        and any(map(_is_number, cells))
        and all(_is_number(c) or is_empty(c) for c in cells)
    )


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return not is_empty(cell)


def _named(whole: Table, ours: str, given: str | None) -> str | None:
    """Return the column that is given, or the first that is usually called so."""
    if given is not None:
        if given not in whole.columns:
            raise CorrelateError(f"{whole.where} has no column {given!r} (it has {', '.join(whole.columns)})")
        return given
    usual = {"item": ("item", "question"), "date": (*NAMES["date"], "time", "year_month")}.get(ours) or NAMES[ours]
    folded = {name.casefold().replace(" ", "_"): name for name in whole.columns}
    return next((folded[name] for name in usual if name in folded), None)


def _of_table(whole: Table, name: str, columns: Columns, value: str | None) -> Series:
    if not whole.height:
        raise CorrelateError(f"{whole.where}: there are no rows below the header")
    numeric = _numeric(whole, columns)
    column = _named(whole, "value", value) or (numeric[0] if len(numeric) == 1 else None)
    if column is None:
        has = ", ".join(numeric) or ", ".join(whole.columns)
        raise CorrelateError(f"{whole.where}: say with `value` which column holds the values (there are {has})")
    where, place = f"{whole.where}: {column}", whole.place(column)
    cells = whole.columns[column]
    comma = Reading("," if not any("." in cell for cell in cells) and any("," in cell for cell in cells) else "auto")
    values = [parse_number(cell, where, place(at), comma) for at, cell in enumerate(cells)]
    time = _named(whole, "date", columns.date)
    unit, steps = ("step", list(range(1, whole.height + 1))) if time is None else _steps(whole, time, columns)
    keys = {ours: _named(whole, ours, None) for ours in ("item", "option")}
    family = {ours: whole.columns[theirs] for ours, theirs in keys.items() if theirs not in (None, column, time)}
    return _series(name, unit, steps, values, family or None, whole.where, place)  # type: ignore[arg-type]


def _steps(whole: Table, time: str, columns: Columns) -> tuple[Unit, list[int]]:
    """Return the unit of a column of times, and the step of every row."""
    cells, where, place = whole.columns[time], f"{whole.where}: {time}", whole.place(time)
    if empty := next((at for at, cell in enumerate(cells) if is_empty(cell)), None):
        raise CorrelateError(f"{where} is empty in {place(empty)}: every row needs a time")
    _one_zone(cells, where, place)
    if columns.date_format is None and all(_DECIMAL_YEAR.fullmatch(cell.strip()) for cell in cells):
        return _of_years([float(cell) for cell in cells])
    if columns.date_format is None and all(re.fullmatch(r"-?\d{1,6}", cell.strip()) for cell in cells):
        return "step", [int(cell) for cell in cells]
    found = spans(cells, where, place, columns.date_format)
    days = [span.start for span in found]
    months = [day.year * 12 + day.month - 1 for day in days]
    if found[0].period == "month" or _is_monthly(days, months):
        return "month", months
    if found[0].period == "quarter":
        return "step", [month // 3 for month in months]
    return "week", [(week_start(day) - _ORIGIN) // WEEK for day in days]


def _of_years(years: Sequence[float]) -> tuple[Unit, list[int]]:
    """Return months where decimal years (as R's `time` of a monthly series prints them) are twelfths, else years."""
    if all(year == int(year) for year in years):
        return "step", [int(year) for year in years]
    months = [year * 12 for year in years]
    if all(abs(month - round(month)) < 0.05 for month in months):
        return "month", [round(month) for month in months]
    return "step", list(range(1, len(years) + 1))


def _is_monthly(days: Sequence[date], months: Sequence[int]) -> bool:
    """Say whether all days are the same of their month (or its last), at most one a month."""
    distinct = sorted(set(days))
    same = {day.day for day in distinct} if len({day.day for day in distinct}) == 1 else set()
    last = all((day + WEEK / 7).day == 1 for day in distinct)
    return (bool(same) or last) and len(set(months)) == len(distinct) > 2


def _one_zone(cells: Sequence[str], where: str, place: Callable[[int], str]) -> None:
    seen: dict[str, int] = {}
    for at, cell in enumerate(cells):
        zone = _ZONE.search(cell.strip())
        seen.setdefault(zone[1] if zone else "", at)
    if len(seen) > 1:
        (first, at), (second, also) = list(seen.items())[:2]
        raise CorrelateError(
            f"{where}: times are written in two zones ({first or 'none'} in {place(at)}, {second or 'none'} in"
            f" {place(also)}): write all in one"
        )


def _series(
    name: str,
    unit: Unit,
    steps: Sequence[int],
    values: Sequence[float | None],
    family: dict[str, Sequence[str]] | None,
    where: str,
    place: Callable[[int], str],
) -> Series:
    n = len(values)
    known = family or {}
    labels = list(zip(known.get("item", [""] * n), known.get("option", [""] * n), strict=True))
    seen: dict[tuple[tuple[str, str], int], int] = {}
    for at in range(n):
        if values[at] is None:
            continue
        other = seen.setdefault((labels[at], steps[at]), at)
        if other != at:
            of = f" of {' / '.join(filter(None, labels[at]))}" if any(labels[at]) else ""
            raise CorrelateError(
                f"{where}: two values{of} in {label_of(steps[at], unit)} ({place(other)} and {place(at)}): one value"
                f" per {unit} is needed, so average them first"
            )
    rows = [(*labels[at], steps[at], value) for at, value in enumerate(values) if value is not None]
    if not rows:
        raise CorrelateError(f"{where}: there is no value")
    schema = {"item": pl.String, "option": pl.String, "step": pl.Int64, "value": pl.Float64}
    return Series(name, unit, pl.DataFrame(rows, schema=schema, orient="row"), where)


def _same_names(first: Series, second: Series) -> tuple[Series, Series]:
    """Give both sides the same names of series: a single one meets every series of a family."""
    keys = [side.frame.select("item", "option").unique(maintain_order=True) for side in (first, second)]
    if keys[0].height == keys[1].height == 1:
        name = pl.lit(first.name).alias("item"), pl.lit(second.name).alias("option")
        return tuple(replace(side, frame=side.frame.with_columns(*name)) for side in (first, second))  # type: ignore[return-value]
    if keys[0].height == 1:
        first = replace(first, frame=keys[1].join(first.frame.select("step", "value"), how="cross"))
    elif keys[1].height == 1:
        second = replace(second, frame=keys[0].join(second.frame.select("step", "value"), how="cross"))
    blank = pl.when(pl.col("item") == "").then(pl.lit(second.name)).otherwise("item").alias("item")
    return tuple(replace(side, frame=side.frame.with_columns(blank)) for side in (first, second))  # type: ignore[return-value]
