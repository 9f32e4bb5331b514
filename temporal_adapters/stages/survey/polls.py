"""Lists of polls: one row per poll and answer (or one column per answer), averaged per week later.

Takes a table in the style of published lists, gives observations. Knows no week.

Several rows of one poll for one answer (populations, wordings, versions) are told apart by `survey.one_of` where the
study names a preference; otherwise they are averaged within the poll by n before anything else, said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages.survey import dated, tidy, values
from temporal_adapters.stages.survey.observations import COLUMNS, Observations
from temporal_adapters.stages.survey.table import Table
from temporal_adapters.stages.survey.tracker import is_summary
from temporal_adapters.study.config import Survey

NAMES: dict[str, tuple[str, ...]] = {
    "start": ("start_date", "startdate", "start", "fieldwork_start", "field_start"),
    "end": ("end_date", "enddate", "end", "fieldwork_end", "field_end", "date", "date_conducted"),
    "n": ("sample_size", "samplesize", "sample", "n"),
    "poll": ("poll_id", "question_id", "pollid"),
    "house": ("pollster", "polling_firm", "pollster_name", "firm", "institute", "institut", "pollster/client"),
    "option": ("answer", "candidate_name", "choice", "party", "option"),
    "value": ("pct", "percent", "percentage", "value", "share"),
    "question": ("question", "subject", "poll_type"),
}
"""Our names and those found in published lists; `survey.columns` goes first."""

_KEY = ["start", "end", "house", "wave", "item", "option"]


def is_polls(header: Sequence[str], columns: Mapping[str, str]) -> bool:
    """Say whether a header is one of a list of polls."""
    found = names_of(header, columns)
    return bool({"house", "poll"} & set(found)) and bool({"start", "end"} & set(found))


def names_of(header: Sequence[str], columns: Mapping[str, str]) -> dict[str, str]:
    """Return our column name -> theirs for those a header has; what the study names goes first."""
    folded = {name.casefold().replace(" ", "_"): name for name in header}
    given = {"start" if ours == "date" else ours: theirs for ours, theirs in columns.items() if theirs in header}
    found = dict(given)
    for ours, candidates in NAMES.items():
        if ours not in given and (named := next((folded[c] for c in candidates if c in folded), None)) is not None:
            found[ours] = named
    return found


def read(table: Table, settings: Survey, stem: str) -> Observations:
    """Read a list of polls.

    Raises
    ------
    SurveyError
        If a column is missing, or more rows than allowed have no day or value.
    """
    names = names_of(list(table.columns), settings.columns)
    names.setdefault("start", names.get("end", ""))
    names.setdefault("end", names.get("start", ""))
    wide = next((dict(columns) for columns in settings.variables.values() if not isinstance(columns, str)), None)
    options = wide or _wide_options(table, settings, names)
    for ours in ("start", *(() if options else ("option", "value"))):
        if not names.get(ours):
            raise SurveyError(
                f"{table.where} lacks a column for {ours!r} (it has {', '.join(list(table.columns)[:12])} ...): set"
                " survey.columns, or survey.variables for one column per answer"
            )
    table, one_note = _one_of(table, settings, names, options)
    question = settings.question or next(iter(settings.variables), None)
    parts = options or {"": names["value"]}
    read_parts = [_part(table, settings, names, option, column, question, stem) for option, column in parts.items()]
    frame = pl.concat([frame for frame, _ in read_parts])
    pooled, pool_note = _pooled(frame, table.where)
    notes = [note for _, part in read_parts for note in part]
    return Observations(pooled, notes=(*table.notes, *one_note, *dict.fromkeys(notes), *pool_note), rounding=None)


def _wide_options(table: Table, settings: Survey, names: Mapping[str, str]) -> dict[str, str]:
    """Return the columns that hold one answer each, where no column holds the answer's name."""
    if "option" in names and "value" in names:
        return {}
    taken = {*names.values(), *settings.keep, *settings.one_of}
    reading = dated.reading_of(settings)
    return {
        name: name
        for name, cells in table.columns.items()
        if name not in taken and not is_summary(name, cells) and _are_percentages(cells, reading)
    }


def _are_percentages(cells: Sequence[str], reading: values.Reading) -> bool:
    filled = [cell for cell in cells if not values.is_empty(cell) and not values.is_mark(cell, reading)]
    try:
        numbers = [values.parse_number(cell, "", "", reading) for cell in filled]
    except SurveyError:
        return False
    return bool(numbers) and all(number is not None and 0 <= number <= 100 for number in numbers)


def _one_of(
    table: Table, settings: Survey, names: Mapping[str, str], options: Mapping[str, str]
) -> tuple[Table, tuple[str, ...]]:
    """Keep of every poll the rows with the value that is preferred among those it has."""
    notes = []
    for column, preferred in settings.one_of.items():
        if column not in table.columns:
            raise SurveyError(f"{table.where} has no column {column!r} (survey.one_of)")
        cells = [cell.casefold() for cell in table.columns[column]]
        order = {value.casefold(): rank for rank, value in enumerate(preferred)}
        if not set(cells) & set(order):
            there = ", ".join(sorted({cell for cell in table.columns[column] if cell})[:8])
            raise SurveyError(f"{table.where}: none of {', '.join(preferred)} occurs in {column!r}; there are {there}")
        polls = list(zip(*(table.columns[names[key]] for key in _poll_key(names)), strict=True))
        best: dict[tuple[str, ...], int] = {}
        for poll, cell in zip(polls, cells, strict=True):
            if cell in order:
                best[poll] = min(order[cell], best.get(poll, len(order)))
        keep = [order.get(cell) == best.get(poll, -1) for poll, cell in zip(polls, cells, strict=True)]
        notes.append(
            f"{table.where}: of {len(set(polls))} polls {len(best)} have one of {', '.join(preferred)} in {column!r};"
            f" {sum(keep)} of {len(keep)} rows are used"
        )
        table = table.only(keep)
    return table, tuple(notes)


def _poll_key(names: Mapping[str, str]) -> list[str]:
    return [key for key in ("house", "start", "end", "question") if key in names]


def _part(
    table: Table,
    settings: Survey,
    names: Mapping[str, str],
    option: str,
    column: str,
    question: str | None,
    stem: str,
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    if column not in table.columns:
        raise SurveyError(f"{table.where} lacks the column {column!r} (it has {', '.join(list(table.columns)[:12])})")
    as_tidy = {
        "date": names["start"],
        "end": names["end"],
        "value": column,
        **({"n": names["n"]} if "n" in names else {}),
    }
    if not option and settings.max_bad_rows == 0:
        _refuse_empty(table, column)
    table = table.only([not values.is_empty(cell) for cell in table.columns[column]]) if option else table
    spans, usable, notes = dated.times(table, as_tidy, settings)
    table = table.only(usable)
    unit = settings.unit if settings.unit != "auto" else "percent"
    where = f"{table.where}: {column}"
    if settings.unit == "auto" and not tidy.any_above_one(table.columns[column]) and table.height:
        _refuse_fractions(table, column, option)
    shares = values.parse_shares(table.columns[column], where, unit, table.place(column), dated.reading_of(settings))
    height = table.height
    frame = pl.DataFrame(
        {
            "wave": _column(table, names, "poll", ""),
            "start": [span.start for span, _ in spans],
            "end": [span.end for span, _ in spans],
            "published": [None] * height,
            "item": [
                settings.question or cell or question or stem
                for cell in _column(table, names, "question", question or stem)
            ],
            "option": [option] * height if option else _filled(table, names["option"]),
            "value": shares.values,
            "se": [None] * height,
            "n": tidy.extras(table, as_tidy, settings, False)["n"],
            "house": _column(table, names, "house", None),
        },
        schema=COLUMNS,
    )
    return frame, notes


def _refuse_empty(table: Table, column: str) -> None:
    for row, cell in enumerate(table.columns[column]):
        if values.is_empty(cell):
            raise SurveyError(
                f"{table.where}: {column} is empty in {table.place(column)(row)}: set survey.max_bad_rows to the share"
                " of such rows that may be left out"
            )


def _refuse_fractions(table: Table, column: str, option: str) -> None:
    numbers = [cell for cell in table.columns[column] if not values.is_empty(cell)]
    if any(not cell.endswith("%") for cell in numbers) and not option:
        raise SurveyError(
            f"{table.where}: no value of {column} exceeds 1, lists of polls hold percentages: set survey.unit to share"
            " or percent"
        )


def _column(table: Table, names: Mapping[str, str], ours: str, default: str | None) -> list[str | None]:
    return list(table.columns[names[ours]]) if ours in names else [default] * table.height


def _filled(table: Table, name: str) -> list[str]:
    for row, cell in enumerate(table.columns[name]):
        if not cell:
            raise SurveyError(f"{table.where}: {name} is empty in {table.place(name)(row)}")
    return list(table.columns[name])


def _pooled(frame: pl.DataFrame, where: str) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Average several values of one poll by n, all alike where one has none; n of the largest row stays."""
    counts = frame.group_by(_KEY, maintain_order=True).len()
    n_several = counts.filter(pl.col("len") > 1).height
    if not n_several:
        return frame, ()
    known = pl.col("n").null_count() == 0
    weight = pl.when(known).then(pl.col("n").cast(pl.Float64)).otherwise(1.0)
    pooled = frame.group_by(_KEY, maintain_order=True).agg(
        pl.col("published").first(),
        ((pl.col("value") * weight).sum() / weight.filter(pl.col("value").is_not_null()).sum()).alias("value"),
        pl.lit(None, pl.Float64).alias("se"),
        pl.col("n").max(),
    )
    note = (
        f"{where}: {n_several} answers have several values in one poll (populations, wordings, versions): averaged by n"
        " within the poll; survey.one_of or survey.keep picks instead"
    )
    return pooled.select(list(COLUMNS)), (note,)
