"""JSON objects with a field per column to posts, columns called as the study or the layout says.

Takes JSON records and the names of fields, gives posts. Knows no platform.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from temporal_adapters.ground import resources
from temporal_adapters.ground.errors import PanelError
from temporal_adapters.stages.panel.json import run_query
from temporal_adapters.stages.panel.naming import AUTO, FLAGS, Naming, assemble
from temporal_adapters.study.config import REQUIRED
from temporal_adapters.study.config.panel import COLUMNS

Parts = tuple[tuple[str, ...], ...]
"""Alternatives of a column, the first that has a value counts; each is one field, or several that are joined."""


def flat_reader(
    name: str, naming: Naming, found: Sequence[str], connection: duckdb.DuckDBPyConnection
) -> Callable[[pa.Table], pa.Table]:
    """Return a function from `records` (number, line, context) to the columns of `RAW`.

    Parameters
    ----------
    name
        What messages call the file.
    naming
        What the study and the layout say.
    found
        Fields of the first records.
    connection
        Where to run ``queries/panel_flat.sql``.

    Raises
    ------
    PanelError
        If a field that is needed or named is not there, or holds lists where a value is needed.
    """
    fields = _fields(name, naming, found)
    names = list(dict.fromkeys(part for choices in fields.values() for parts in choices for part in parts))
    paths = [json_path(part) for part in names]
    query = resources.text("queries", "panel_flat")

    def posts_of(records: pa.Table) -> pa.Table:
        rows = run_query(connection, query, records, {"paths": paths})
        values, types = _column_wise(rows, "fields", names), _column_wise(rows, "types", names)
        _refuse_nested(name, fields, types)
        cells = {ours: _cells(ours, choices, values) for ours, choices in fields.items()}
        table = assemble(cells, 1, rows.num_rows, naming, rows["broken"].combine_chunks())
        if naming.settings.named("post_id") == (AUTO,):
            ids = pc.binary_join_element_wise(naming.prefix, rows["number"].cast(pa.string()), "/")
            table = table.set_column(table.schema.get_field_index("post_id"), "post_id", ids)
        return table.set_column(table.schema.get_field_index("number"), "number", rows["number"])

    return posts_of


def _fields(name: str, naming: Naming, found: Sequence[str]) -> dict[str, Parts]:
    """Return our column -> where its value may be."""
    fields: dict[str, Parts] = {}
    for ours in COLUMNS:
        given = naming.settings.named(ours)
        choices = naming.known.get(ours, ())
        if given == (AUTO,) and ours == "post_id":
            continue
        if given:
            fields[ours] = (naming.columns(name, found)[ours],)
        elif choices:
            alternatives = tuple(choice if isinstance(choice, tuple) else (choice,) for choice in choices)
            if ours in REQUIRED and not any(_there(part, found) for parts in alternatives for part in parts):
                naming.columns(name, found)
            fields[ours] = alternatives
    return fields


def _there(part: str, found: Sequence[str]) -> bool:
    return part in found or any(part.startswith(f"{root}.") for root in found)


def json_path(name: str) -> str:
    """Return the JSON path of a field named with dots; a number is a place in a list."""
    return "$" + "".join(f"[{part}]" if part.isdigit() else f'."{part}"' for part in name.split("."))


def _column_wise(rows: pa.Table, column: str, names: Sequence[str]) -> dict[str, pa.Array]:
    values = rows[column].combine_chunks()
    n_rows, n = rows.num_rows, len(names)
    lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False)
    flat = values.flatten()
    starts = np.concatenate(([0], np.cumsum(lengths)[:-1])) if n_rows else np.empty(0, np.int64)
    found = {}
    for place, name in enumerate(names):
        indices = pa.array(starts + place, pa.int64(), mask=lengths != n)
        found[name] = flat.take(indices) if len(flat) else pa.nulls(n_rows, pa.string())
    return found


def _refuse_nested(name: str, fields: dict[str, Parts], types: dict[str, pa.Array]) -> None:
    for ours in ("post_id", "user_id", "created_at", "text"):
        for part in (part for parts in fields.get(ours, ()) for part in parts):
            nested = pc.fill_null(pc.is_in(types[part], value_set=pa.array(["ARRAY", "OBJECT"])), False)
            several = len(fields[ours]) > 1  # where one form of a field is nested, another form of it is read
            if not several and pc.any(nested).as_py():
                kind = types[part].filter(nested)[0].as_py()
                what, inner = ("lists", "0") if kind == "ARRAY" else ("groups of fields", "<field>")
                raise PanelError(
                    f"{name}: the field {part!r} holds {what}: write `{ours}: {part}.{inner}` under panel.columns"
                )


def _cells(ours: str, choices: Parts, values: dict[str, pa.Array]) -> list[pa.Array]:
    if ours in FLAGS:
        return [values[part] for parts in choices for part in parts]
    if len(choices) > 1:
        single = [pc.if_else(pc.equal(values[part], ""), None, values[part]) for parts in choices for part in parts]
        return [pc.coalesce(*single)]
    if ours in ("post_id", "user_id") and len(choices[0]) > 2:
        # A chat is named by one of several fields, the post in it by the last.
        first = pc.coalesce(*(values[part] for part in choices[0][:-1]))
        return [first, values[choices[0][-1]]]
    return [values[part] for part in choices[0]]
