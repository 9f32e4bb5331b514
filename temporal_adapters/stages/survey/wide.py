"""Wide tables of published values: one row per wave, one column per option (also transposed sheets of trackers).

Takes a table, gives observations. Knows no week.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages.survey import dated, days, tidy, values
from temporal_adapters.stages.survey.observations import Observations
from temporal_adapters.stages.survey.table import Table
from temporal_adapters.stages.survey.tracker import is_summary
from temporal_adapters.stages.survey.values import Reading
from temporal_adapters.study.config import Survey


def read(table: Table, settings: Survey, stem: str) -> Observations:
    """Read a table with one row per wave and one column per option (see `tidy.read`)."""
    names = tidy.names_of(list(table.columns), settings.columns)
    if "date" not in names and (found := column_of_days(table)) is not None:
        names = {**{ours: name for ours, name in names.items() if name != found}, "date": found}
    if "date" not in names:
        raise SurveyError(
            f"{table.where} lacks a column of days (it has {tidy.some(table)}): name it in survey.columns"
        )
    question, chosen, left_out = _options(table, settings, names, stem)
    spans, usable, notes = dated.times(table, {**names, "value": next(iter(chosen.values()))}, settings)
    table, columns = table.only(usable), list(chosen.values())
    height = table.height
    cells = [cell for column in columns for cell in table.columns[column]]
    unit, said = _unit(table, columns, cells, settings.unit)
    shares = values.parse_shares(
        cells, table.where, unit, lambda i: _place(table, columns[i // height], i % height), dated.reading_of(settings)
    )
    extra = {name: found * len(chosen) for name, found in tidy.extras(table, names, settings, unit == "mean").items()}
    scale = 0.01 if unit == "percent" or any(cell.endswith("%") for cell in cells) else 1.0
    options = [option for option in chosen for _ in range(height)]
    items = [question] * len(cells)
    said = (*notes, *said, *left_out)
    return tidy.observations(table, spans * len(chosen), items, options, shares, extra, scale, unit, said)


def column_of_days(table: Table) -> str | None:
    """Return the first column in which every cell is a day, a week or a month."""
    return next(
        (name for name, cells in table.columns.items() if cells and all(map(days.looks_like_time, cells))), None
    )


def _unit(table: Table, columns: Sequence[str], cells: Sequence[str], unit: str) -> tuple[str, tuple[str, ...]]:
    """Return `percent` for plain numbers above 1 only where the options of every wave sum to about 100."""
    if unit != "auto" or any(cell.endswith("%") for cell in cells) or not tidy.any_above_one(cells):
        return unit, ()
    rows = zip(*(table.columns[column] for column in columns), strict=True)
    if not tidy.sum_to_hundred([sum(tidy.plain(cell) or 0.0 for cell in row) for row in rows]):
        return unit, ()
    return "percent", (f"{table.where}: values were read as percentages: those of every wave sum to about 100",)


def _place(table: Table, column: str, row: int) -> str:
    return f"{table.place(column)(row)} of column {column!r}"


def _options(
    table: Table, settings: Survey, names: Mapping[str, str], stem: str
) -> tuple[str, dict[str, str], tuple[str, ...]]:
    named = [(item, columns) for item, columns in settings.variables.items() if not isinstance(columns, str)]
    if named:
        item, columns = named[0]
        lacking = next((column for column in columns.values() if column not in table.columns), None)
        if lacking is not None:
            raise SurveyError(
                f"{table.where} lacks the column {lacking!r} of survey.variables (it has {tidy.some(table)})"
            )
        return item, dict(columns), ()
    taken = {names[ours] for ours in names if ours not in ("value", "question", "option")}
    reading = dated.reading_of(settings)
    found, left_out = {}, []
    for name, cells in table.columns.items():
        if name in taken or name in settings.keep:
            continue
        if _is_numeric(cells, reading) and (settings.unit == "mean" or not is_summary(name, cells)):
            found[name] = name
        elif len(set(cells)) > 1 and not _is_numeric(cells, reading):
            raise SurveyError(
                f"{table.where}: the column {name!r} holds neither days nor values ({cells[0]!r} in"
                f" {table.place(name)(0)}): name the columns in survey.columns, such as {{option: {name}}}"
            )
        else:
            left_out.append(name)
    if not found:
        raise SurveyError(f"{table.where} has no column of values beside its days (it has {tidy.some(table)})")
    notes = (f"{table.where}: left out as no answers: {', '.join(left_out)}",) if left_out else ()
    return settings.question or stem, found, notes


def _is_numeric(cells: Sequence[str], reading: Reading) -> bool:
    filled = [cell for cell in cells if not values.is_empty(cell) and not values.is_mark(cell, reading)]
    if not filled:
        return False
    n_numbers = sum(
        cell.removesuffix("%").strip().replace(",", ".").replace(".", "", 1).lstrip("-").isdigit() for cell in filled
    )
    return n_numbers > len(filled) / 2
