"""The placebo series of a study on disk: which kinds there are, for which option, and whether they are of today.

Takes a study's run folder, gives arrays by kind. Knows not how placebos are made
(see `temporal_adapters.proof.validate`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from temporal_adapters.study.artifacts import SERIES_FILE, RunFolder, load_table, read_manifest

if TYPE_CHECKING:
    import polars as pl

    from temporal_adapters.engines.significance import Array

FILE = "placebos.parquet"
PREFIX = "placebo"
"""A placebo's source is ``placebo-<kind>-<number>``."""

QUESTIONNAIRE = "questionnaire"
"""Kind whose options have nothing to do with the survey's: every one is a placebo of every option."""

DEPENDENT = (QUESTIONNAIRE,)
"""Kinds whose series depend on each other: the options of one questionnaire, answered by the same adapters."""

STALE = "the placebos belong to an older series: run `ta validate --placebo` again"


def source_of(kind: str, number: int) -> str:
    """Return the name of a placebo's source; numbers count from 1."""
    return f"{PREFIX}-{kind}-{number}"


def kind_of(source: str) -> str:
    """Return the kind of a placebo's source."""
    return source.removeprefix(f"{PREFIX}-").rpartition("-")[0]


def digest(run: RunFolder) -> str:
    """Return the digest of the placebos; empty where there are none."""
    manifest = read_manifest(run.placebos)
    return "" if manifest is None else str(manifest.outputs[FILE]["sha256"])


def read(run: RunFolder) -> tuple[dict[str, pl.DataFrame], str]:
    """Return the placebos by kind in the SERIES schema, and why there are none; both empty where none were made."""
    import polars as pl

    manifest, series = read_manifest(run.placebos), read_manifest(run.series)
    if manifest is None or series is None:
        return {}, ""
    if manifest.inputs.get(SERIES_FILE) != series.outputs[SERIES_FILE]["sha256"]:
        return {}, STALE
    table = load_table(run.placebos / FILE)
    kinds = table["source"].map_elements(kind_of, return_dtype=pl.String)
    parts = table.with_columns(kinds.alias("kind")).partition_by("kind", as_dict=True, include_key=False)
    return {str(key[0]): part for key, part in parts.items()}, ""


def of_option(kinds: Mapping[str, pl.DataFrame], item: str, option: str, weeks: Sequence[date]) -> dict[str, Array]:
    """Return every kind's placebos of one option, (k, weeks); all series of an irrelevant questionnaire."""
    found = {}
    for kind, table in kinds.items():
        here = table
        if kind != QUESTIONNAIRE:
            here = table.filter((table["item"] == item) & (table["option"] == option))
        if here.height:
            found[kind] = _rows(here, weeks)
    return found


def in_turn(kinds: Mapping[str, pl.DataFrame], kind: str, names: Sequence[tuple[str, str]]) -> list[pl.DataFrame]:
    """Return one series per placebo draw, of another option each: draws are independent, the options of one are not.

    The i-th draw gives the i-th option, round and round. An irrelevant questionnaire gives all its options, which are
    not independent (`DEPENDENT`).
    """
    table = kinds[kind]
    if kind == QUESTIONNAIRE:
        return table.partition_by("source", "item", "option", maintain_order=True)
    found = []
    for place, part in enumerate(table.partition_by("source", maintain_order=True)):
        item, option = names[place % len(names)]
        found.append(part.filter((part["item"] == item) & (part["option"] == option)))
    return found


def _rows(table: pl.DataFrame, weeks: Sequence[date]) -> Array:
    place = {week: column for column, week in enumerate(weeks)}
    row_of: dict[tuple[str, str, str], int] = {}
    for key in table.select("source", "item", "option").unique(maintain_order=True).iter_rows():
        row_of[key] = len(row_of)
    values = np.full((len(row_of), len(weeks)), np.nan)
    for source, item, option, week, value in table.select("source", "item", "option", "week", "value").iter_rows():
        if week in place and value is not None:
            values[row_of[source, item, option], place[week]] = value
    return values
