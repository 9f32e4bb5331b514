"""One survey section of a study to a weekly series, whatever the layout of its files.

Takes the settings, gives a `SERIES` table and notes. Knows the layouts only by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

import polars as pl

from temporal_adapters.ground.dates import Weekday
from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages.survey import (
    cells,
    dated,
    groups,
    headers,
    names,
    polls,
    table,
    tidy,
    tracker,
    waves,
    weekly,
    wide,
)
from temporal_adapters.stages.survey.cells import Grid
from temporal_adapters.stages.survey.keep import kept
from temporal_adapters.stages.survey.observations import Observations
from temporal_adapters.study.config import Survey
from temporal_adapters.study.config.survey import WHOLE

Reader = Callable[[Path, Survey], Observations]
"""Reads one file of a layout."""

Group = tuple[str, str]
"""Name of a group and its level, such as (gender, female)."""

_KNOWN = frozenset(name for found in (tidy.NAMES, polls.NAMES) for aliases in found.values() for name in aliases)


def read_observations(settings: Survey) -> Observations:
    """Read all files of the section into one table of waves."""
    return _joined([_read_file(path, settings) for path in settings.files()], settings)


def read(
    settings: Survey,
    first_weekday: Weekday = "monday",
    windows: Mapping[date, date] | None = None,
    observed: Observations | None = None,
) -> pl.DataFrame:
    """Return the survey as a SERIES table in its own names (see `to_weeks` for `windows`).

    `observed` is what `read_observations` returned; without it the files are read here.

    Raises
    ------
    SurveyError
        One sentence naming the file, the cell or the wave that is wrong.
    """
    observed = read_observations(settings) if observed is None else observed
    return _weekly(observed, settings, settings.source, first_weekday, windows)


def read_groups(
    settings: Survey, first_weekday: Weekday = "monday", windows: Mapping[date, date] | None = None
) -> dict[Group, pl.DataFrame]:
    """Return a SERIES table for every group.

    Of a tracker the sheets that `split_groups` names, or all with `all`; a sheet that no group names is a level of the
    group ``split``. Of respondents the levels of the variable `split`, or of the variables and values that
    `split_groups` names. Every table has the source ``<survey> <group> <level>``.

    Raises
    ------
    SurveyError
        Naming the file, the variable or the group that is wrong.
    """
    parts: dict[Group, list[Observations]] = {}
    files = settings.files()
    people = [path for path in files if layout(path, settings) == "waves"]
    for path in people:
        for group, observed in groups.read(path, settings).items():
            parts.setdefault(group, []).append(observed)
    trackers = [path for path in files if path not in people]
    for group, sheets in _group_sheets(trackers, settings).items() if trackers else ():
        parts.setdefault(group, []).extend(_tracker(grid, settings) for grid in sheets)
    return {group: _of_group(group, found, settings, first_weekday, windows) for group, found in parts.items()}


def _of_group(
    group: Group,
    parts: Sequence[Observations],
    settings: Survey,
    first_weekday: Weekday,
    windows: Mapping[date, date] | None,
) -> pl.DataFrame:
    source = f"{settings.source} {group[0]} {group[1]}"
    try:
        return _weekly(_joined(parts, settings), settings, source, first_weekday, windows)
    except SurveyError as error:
        raise SurveyError(f"group {group[0]} = {group[1]}: {error}") from None


def _weekly(
    observed: Observations,
    settings: Survey,
    source: str,
    first_weekday: Weekday,
    windows: Mapping[date, date] | None,
) -> pl.DataFrame:
    is_polls = observed.frame["house"].null_count() < observed.frame.height
    return weekly.to_weeks(
        observed,
        source,
        first_weekday=first_weekday,
        windows=windows,
        fieldwork_date=settings.fieldwork_date,
        same_week="mean" if is_polls and settings.same_week == "refuse" else settings.same_week,
        design_effect=settings.design_effect,
        rounding=settings.rounding,
        house_effects=settings.house_effects,
    )


def _joined(parts: Sequence[Observations], settings: Survey) -> Observations:
    steps = [part.rounding for part in parts if part.rounding is not None]
    whole = Observations(
        pl.concat([part.frame for part in parts]),
        is_mean=any(part.is_mean for part in parts),
        rounding=max(steps) if steps else None,
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        mapped=pl.concat([part.mapped for part in parts]),
        n_dates=min(part.n_dates for part in parts),
    )
    whole = names.joined(whole, settings.aliases)
    whole = weekly.without_small_bases(whole, settings.min_base)
    shared = weekly.overlaps(whole)
    return whole.with_notes(shared) if shared else whole


def layout(path: Path, settings: Survey) -> str:
    """Return the layout of a file: the one the study names, or the one it looks like."""
    if settings.format != "auto":
        return settings.format
    if path.suffix.lower() in waves.SUFFIXES:
        return "waves"
    if path.suffix.lower() == ".parquet":
        return _of_columns(waves.parquet_columns(path), settings) or "waves"
    return _of_grid(_main(cells.grids(path, settings.encoding, settings.delimiter), settings, path), settings)


def _of_grid(grid: Grid, settings: Survey) -> str:
    header = [name for name in grid.rows[table.header_row(grid, _KNOWN)] if name]
    if kind := _of_columns(header, settings):
        return kind
    if headers.find_header(grid, settings.date_format):
        return "yougov"
    found = tidy.names_of(header, settings.columns)
    whole = table.table(grid, _KNOWN) if "date" not in found else None
    if whole is not None and wide.column_of_days(whole) is not None:
        return "wide"
    if "date" in found:
        return "tidy" if "value" in found and settings.unit != "mean" else "wide"
    raise SurveyError(
        f"{grid.where} is no layout that is understood (row of waves, or columns of days, options and values; its"
        f" first filled row has {', '.join(header[:8])}): set survey.format and survey.columns, or survey.variables"
        " for respondents"
    )


def _of_columns(header: Sequence[str], settings: Survey) -> str | None:
    if waves.has_variables(header, settings):
        return "waves"
    if polls.is_polls(header, settings.columns):
        return "polls"
    has_question = (
        bool(settings.question) or len({"option", "value"} & set(tidy.names_of(header, settings.columns))) == 2
    )
    return "tidy" if tidy.is_tidy(header, settings.columns, "yes" if has_question else None) else None


def _read_file(path: Path, settings: Survey) -> Observations:
    return FORMATS[layout(path, settings)](path, settings)


def _read_tracker(path: Path, settings: Survey) -> Observations:
    grid = _main(cells.grids(path, settings.encoding, settings.delimiter), settings, path)
    if settings.keep:
        raise SurveyError(
            f"{grid.where} has one column per wave and no rows that survey.keep ({', '.join(settings.keep)})"
            " could choose: choose a sheet with survey.split"
        )
    return _tracker(grid, settings)


def _rows(read_table: Callable[[table.Table, Survey, str], Observations]) -> Reader:
    """Return the reader of a table with one observation per row (or row and column)."""

    def read_file(path: Path, settings: Survey) -> Observations:
        if path.suffix.lower() == ".parquet":
            whole = waves.parquet_table(path)
        else:
            grid = _main(cells.grids(path, settings.encoding, settings.delimiter), settings, path)
            whole = table.table(grid, _KNOWN)
        if settings.keep:
            whole = whole.only(kept(whole.columns, settings.keep, whole.where))
        return read_table(whole, settings, path.stem)

    return read_file


FORMATS: dict[str, Reader] = {
    "tidy": _rows(tidy.read),
    "wide": _rows(wide.read),
    "polls": _rows(polls.read),
    "yougov": _read_tracker,
    "waves": waves.read,
}
"""Every layout by its name in ``survey.format``; `layout` says which one a file has."""


def _tracker(grid: Grid, settings: Survey) -> Observations:
    reading = dated.reading_of(settings)
    observed = tracker.read(grid, settings.question, settings.unit, settings.date_format, reading)
    stem = Path(grid.where.split(": sheet ")[0]).stem
    return Observations(
        observed.frame.with_columns(pl.when(pl.col("item") == "").then(pl.lit(stem)).otherwise("item").alias("item")),
        observed.is_mean, observed.rounding, observed.notes, observed.mapped, observed.n_dates,
    )  # fmt: skip


def _main(grids: Sequence[Grid], settings: Survey, path: Path) -> Grid:
    """Return the sheet of the study's split; of several without it the only one that holds waves, or all adults."""
    filled = [grid for grid in grids if any(any(row) for row in grid.rows)]
    if not filled:
        raise SurveyError(f"{path}: the file is empty")
    if len(filled) == 1:
        return filled[0]
    by_name = {grid.name.strip().casefold(): grid for grid in filled}
    wanted = settings.split.strip().casefold()
    for name in (wanted,) if wanted != "all" else WHOLE:
        if name in by_name:
            return by_name[name]
    with_waves = [grid for grid in filled if headers.find_header(grid, settings.date_format)]
    if wanted == "all" or ("split" not in settings.model_fields_set and len(with_waves) == 1):
        return next(iter(with_waves), filled[0])
    whole = [grid for grid in with_waves if grid.name.strip().casefold().startswith(("all ", "total"))]
    if "split" not in settings.model_fields_set and len(whole) == 1:
        return whole[0]
    names_ = ", ".join(grid.name for grid in filled)
    raise SurveyError(f"{path} has no sheet {settings.split!r} (it has {names_}): set survey.split")


def _group_sheets(paths: Sequence[Path], settings: Survey) -> dict[Group, list[Grid]]:
    named = {
        sheet.casefold(): (group, level)
        for group, levels in settings.split_groups.items()
        for level, sheet in levels.items()
    }
    found: dict[Group, list[Grid]] = {}
    for path in paths:
        grids = cells.grids(path, settings.encoding, settings.delimiter)
        main = _main(grids, settings, path)
        for grid in grids:
            group = named.get(grid.name.strip().casefold())
            if group is None and settings.split == "all" and grid is not main:
                group = ("split", grid.name.strip()) if headers.find_header(grid, settings.date_format) else None
            if group is not None:
                found.setdefault(group, []).append(grid)
    lacking = next((sheet for sheet, group in named.items() if group not in found), None)
    if lacking is not None:
        raise SurveyError(f"survey.split_groups names the sheet {lacking!r}, which no file has")
    return found
