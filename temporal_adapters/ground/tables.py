"""The schemas of the tables that travel along the line, and one check for all of them.

Takes a Polars frame, gives the same frame or raises `TableError`. Knows no stage and no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from temporal_adapters.ground.errors import TableError

TIMESTAMP = pl.Datetime("us", "UTC")

ADAPTERS = "adapters"
"""Source name of the adapters' own series in SERIES; every other source is a survey, a baseline or a placebo."""


@dataclass(frozen=True)
class Schema:
    """Columns with their types, the key that makes a row unique, and what values may be.

    Attributes
    ----------
    name
        Name of the table in messages.
    columns
        Column name -> Polars type, in order.
    key
        Columns that together identify a row.
    nullable
        Columns that may hold nulls; all others may not.
    ranges
        Column -> (lowest, highest) allowed value, both included.
    open_columns
        Prefixes of further Float64 columns that may follow (e.g. ``p_`` for one column per label).
    """

    name: str
    columns: Mapping[str, pl.DataType | type[pl.DataType]]
    key: tuple[str, ...]
    nullable: frozenset[str] = frozenset()
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    open_columns: tuple[str, ...] = ()

    def empty(self) -> pl.DataFrame:
        """Return a frame with these columns and no rows."""
        return pl.DataFrame(schema=dict(self.columns))


PANEL = Schema(
    name="PANEL",
    columns={
        "post_id": pl.String,
        "user_id": pl.String,
        "created_at": TIMESTAMP,
        "text": pl.String,
        "lang": pl.String,
        "is_repost": pl.Boolean,
        "is_reply": pl.Boolean,
        "platform": pl.String,
    },
    key=("post_id",),
    nullable=frozenset({"lang"}),
)
"""One row per post: ids as text, `created_at` in UTC, `text` cleaned."""

ANSWERS = Schema(
    name="ANSWERS",
    columns={
        "week": pl.Date,
        "seed": pl.Int64,
        "adapter": pl.String,
        "item": pl.String,
        "wording": pl.String,
        "order": pl.String,
        "method": pl.String,
        "option": pl.String,
        "role": pl.String,
        "code": pl.String,
        "value": pl.Float64,
        "logprob": pl.Float64,
        "n_tokens": pl.Int64,
        "share": pl.Float64,
        "clr": pl.Float64,
        "base_logprob": pl.Float64,
        "mass_valid": pl.Float64,
        "mass_nonresponse": pl.Float64,
    },
    key=("adapter", "item", "wording", "order", "method", "option"),
    nullable=frozenset(
        {"week", "seed", "code", "value", "share", "clr", "base_logprob", "mass_valid", "mass_nonresponse"}
    ),
    ranges={"share": (0.0, 1.0), "mass_valid": (0.0, 1.0 + 1e-6), "mass_nonresponse": (0.0, 1.0 + 1e-6)},
)
"""One row per adapter x item x wording x order x method x option.

`adapter` is ``base`` (week and seed null) or ``2023-W14/seed-42``; `clr` is the centred log-ratio over substantive
options, `share` sums to 1 over them (`inclusion`: each option alone, no sum).

`logprob` is the option's log-score s under `method`, in nats, and `base_logprob` the same of the base. It is the log of
a probability under ``sequence``, ``sequence+end``, ``first``, ``label``, ``inclusion`` (yes against yes and no) and
``permutation`` (mean over orders); under ``trie`` of one among the options alone; under ``pride`` with the base's
position prior taken out, the sum over the options that change places kept. It is no log-probability under
``token-mean`` and ``byte`` (nats per token, nats per UTF-8 byte, of the best form), ``pmi-dc``, ``contextual`` and
``base`` (a difference of two, which may lie above 0), and ``legacy-v1`` to ``-v3`` (what the published script sums:
tempered log-softmax over the vocabulary, over the options, raw logits). What the options take of the model's
probability is `mass_valid`.
"""

SERIES = Schema(
    name="SERIES",
    columns={
        "source": pl.String,
        "item": pl.String,
        "option": pl.String,
        "week": pl.Date,
        "value": pl.Float64,
        "se": pl.Float64,
        "n": pl.Int64,
    },
    key=("source", "item", "option", "week"),
    nullable=frozenset({"value", "se", "n"}),
)
"""One row per source (``adapters`` or the survey's name) x item x option x week; a missing week has no row."""

LAGS = Schema(
    name="LAGS",
    columns={
        "item": pl.String,
        "option": pl.String,
        "lag": pl.Int64,
        "r": pl.Float64,
        "n_pairs": pl.Int64,
        "ci_low": pl.Float64,
        "ci_high": pl.Float64,
        "p": pl.Float64,
        "q": pl.Float64,
        "method": pl.String,
    },
    key=("item", "option", "lag", "method"),
    nullable=frozenset({"r", "ci_low", "ci_high", "p", "q"}),
    ranges={"r": (-1.0 - 1e-9, 1.0 + 1e-9), "p": (0.0, 1.0), "q": (0.0, 1.0)},
)
"""One row per item x option x lag x method; lag in weeks, positive = the model leads."""

VOTES = Schema(
    name="VOTES",
    columns={
        "respondent_id": pl.String,
        "fold": pl.Int64,
        "model": pl.String,
        "condition": pl.String,
        "vote": pl.String,
        "predicted": pl.String,
        "weight": pl.Float64,
    },
    key=("respondent_id", "fold", "model", "condition"),
    ranges={"weight": (0.0, float("inf"))},
    open_columns=("p_",),
)
"""One row per respondent x fold x model x condition, with one further column ``p_<label>`` per label."""

SCHEMAS: dict[str, Schema] = {schema.name: schema for schema in (PANEL, ANSWERS, SERIES, LAGS, VOTES)}


def check(frame: pl.DataFrame, schema: Schema, where: str = "") -> pl.DataFrame:
    """Return `frame` unchanged if it follows `schema`.

    Parameters
    ----------
    frame
        The table to check.
    schema
        What it must follow: columns in any order, exact types, unique key, no nulls outside `nullable`, ranges.
    where
        Place named in the message, such as a path.

    Raises
    ------
    TableError
        Naming the place, the column and the first offending value.
    """
    place = f"{where}: " if where else ""
    _check_columns(frame, schema, place)
    _check_values(frame, schema, place)
    doubled = frame.select(schema.key).is_duplicated()
    if doubled.any():
        row = dict(zip(schema.key, frame.select(schema.key).filter(doubled).row(0), strict=True))
        raise TableError(f"{place}{schema.name} holds {int(doubled.sum())} rows that share a key, first {row}")
    return frame


def _check_columns(frame: pl.DataFrame, schema: Schema, place: str) -> None:
    for name, dtype in schema.columns.items():
        if name not in frame.columns:
            raise TableError(f"{place}{schema.name} lacks the column {name!r} (it has {', '.join(frame.columns)})")
        if frame.schema[name] != dtype:
            raise TableError(f"{place}{schema.name}.{name} is {frame.schema[name]}, it must be {dtype}")
    for name in set(frame.columns) - set(schema.columns):
        if not name.startswith(schema.open_columns) or not schema.open_columns:
            raise TableError(f"{place}{schema.name} has no column {name!r} (columns: {', '.join(schema.columns)})")


def _check_values(frame: pl.DataFrame, schema: Schema, place: str) -> None:
    for name in schema.columns:
        if name not in schema.nullable and frame[name].null_count():
            raise TableError(f"{place}{schema.name}.{name} holds {frame[name].null_count()} nulls, it must hold none")
        if frame.schema[name] == pl.Float64 and frame[name].is_nan().any():
            raise TableError(f"{place}{schema.name}.{name} holds NaN: a value that does not exist must be null")
    for name, (low, high) in schema.ranges.items():
        wrong = frame.filter((pl.col(name) < low) | (pl.col(name) > high))
        if wrong.height:
            raise TableError(f"{place}{schema.name}.{name} is {wrong[name][0]}, allowed is {low:g} to {high:g}")


def write_csv(frame: pl.DataFrame, path: Path) -> None:
    """Write a table for spreadsheets: text that a spreadsheet would take for a formula gets an apostrophe before it.

    A name of an option or a label comes from a file of somebody else; ``=HYPERLINK(...)`` in it would run when the
    table is opened. Parquet files of the same table hold the text as it is.
    """
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    is_formula = {name: pl.col(name).str.contains(_FORMULA) for name in texts}
    frame.with_columns(
        pl.when(is_formula[name]).then(pl.lit("'") + pl.col(name)).otherwise(pl.col(name)).alias(name) for name in texts
    ).write_csv(path)


_FORMULA = r"^\s*(?:[=@\t\r]|[+-][^0-9.\s]|[+-].*[(!|])"
"""Beginnings that spreadsheets read as formulas; numbers with a sign are none."""
