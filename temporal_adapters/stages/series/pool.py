"""Pool answers over wordings, orders and seeds, and keep how much they differ.

Takes an `ANSWERS` table, gives a `SERIES` table and a table of spreads. Knows no file and no survey.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from temporal_adapters.ground import tables
from temporal_adapters.ground.errors import SeriesError

Scale = Literal["share", "clr", "log-odds", "base"]

KEY = ["item", "option", "week"]

SPREAD = tables.Schema(
    name="SPREAD",
    columns={
        "scale": pl.String,
        "item": pl.String,
        "option": pl.String,
        "week": pl.Date,
        "value": pl.Float64,
        "seed_low": pl.Float64,
        "seed_high": pl.Float64,
        "seed_sd": pl.Float64,
        "wording_low": pl.Float64,
        "wording_high": pl.Float64,
        "wording_sd": pl.Float64,
        "order_sd": pl.Float64,
        "within_sd": pl.Float64,
        "n_seeds": pl.Int64,
        "n_wordings": pl.Int64,
        "n_orders": pl.Int64,
    },
    key=("scale", "item", "option", "week"),
    nullable=frozenset({"seed_sd", "wording_sd", "order_sd", "within_sd"}),
)
"""One row per scale x item x option x week: the pooled value, the range and standard deviation of seed means, of
wording means (each wording's own level removed), of order means, and what is left within (seed by wording by order)."""


@dataclass(frozen=True)
class Pooled:
    """Series, spreads, the series of every seed (sources ``seed-42`` ...) and wording alone, and what was pooled."""

    series: pl.DataFrame
    spread: pl.DataFrame
    seeds: pl.DataFrame
    wordings: pl.DataFrame
    cells: pl.DataFrame


def pool(answers: pl.DataFrame, scale: Scale, method: str, wordings: Sequence[str] = ()) -> Pooled:
    """Pool answers into one value per item, option and week.

    Every (seed, wording, order) counts alike. The standard error takes seeds and wordings as samples: seed variance
    over seeds plus wording variance over wordings, where the level of each wording over all weeks is removed first
    (a wording that is always 0.1 higher does not blur a movement); null with one seed and one wording.

    Parameters
    ----------
    answers
        ANSWERS; rows of the base model are used by the scale `base` only.
    scale
        `share`, `clr`, `log-odds` (of the share), or `base` (clr minus the base model's clr, same wording and order).
    method
        Scoring method to pool.
    wordings
        Wordings to pool; empty means all.

    Raises
    ------
    SeriesError
        If the method, a wording or the scale's column has no answers.
    """
    chosen = _choose(answers, method, wordings)
    cells = _values(chosen, scale)
    spread = _spread(cells).with_columns(pl.lit(scale).alias("scale")).select(list(SPREAD.columns))
    seed_part = pl.col("seed_sd") ** 2 / pl.col("n_seeds")
    wording_part = pl.col("wording_sd") ** 2 / pl.col("n_wordings")
    known = pl.col("seed_sd").is_not_null() | pl.col("wording_sd").is_not_null()
    total = (seed_part.fill_null(0.0) + wording_part.fill_null(0.0)).sqrt()
    series = spread.select(
        pl.lit(tables.ADAPTERS).alias("source"),
        *KEY,
        "value",
        pl.when(known).then(total).alias("se"),
        pl.lit(None, dtype=pl.Int64).alias("n"),
    )
    return Pooled(
        tables.check(series, tables.SERIES),
        tables.check(spread, SPREAD),
        _alone(cells, "seed", "seed-{}"),
        _alone(cells, "wording", "{}"),
        cells,
    )


def _alone(cells: pl.DataFrame, by: str, form: str) -> pl.DataFrame:
    means = cells.group_by(*KEY, by, maintain_order=True).agg(pl.col("cell").mean().alias("value"))
    found = means.select(
        pl.format(form, by).alias("source"),
        *KEY,
        "value",
        pl.lit(None, dtype=pl.Float64).alias("se"),
        pl.lit(None, dtype=pl.Int64).alias("n"),
    )
    return tables.check(found.sort("source", *KEY), tables.SERIES)


def _choose(answers: pl.DataFrame, method: str, wordings: Sequence[str]) -> pl.DataFrame:
    methods = answers["method"].unique().sort().to_list()
    if method not in methods:
        raise SeriesError(f"no answers were scored by {method!r} (there are: {', '.join(methods)}): set series.method")
    chosen = answers.filter(pl.col("method") == method, pl.col("role") == "substantive")
    known = chosen["wording"].unique().sort().to_list()
    for wording in wordings:
        if wording not in known:
            raise SeriesError(f"series.wordings names {wording!r}, the answers know {', '.join(known)}")
    return chosen.filter(pl.col("wording").is_in(list(wordings))) if wordings else chosen


def _values(chosen: pl.DataFrame, scale: Scale) -> pl.DataFrame:
    base = chosen.filter(pl.col("adapter") == "base")
    weekly = chosen.filter(pl.col("week").is_not_null())
    if scale == "base":
        cell = ["item", "wording", "order", "option"]
        weekly = weekly.join(base.select(*cell, pl.col("clr").alias("base_clr")), on=cell, how="left")
        value = pl.col("clr") - pl.col("base_clr")
    elif scale == "log-odds":
        value = (pl.col("share") / (1 - pl.col("share"))).log()
    else:
        value = pl.col(scale)
    cells = weekly.with_columns(value.alias("cell"))
    wrong = cells.filter(pl.col("cell").is_null() | ~pl.col("cell").is_finite())
    if wrong.height:
        row = wrong.row(0, named=True)
        raise SeriesError(
            f"{wrong.height} answers have no finite value on the scale {scale!r}, first {row['adapter']},"
            f" {row['item']} / {row['option']}, wording {row['wording']!r}: choose another series.scale"
        )
    return cells.select(*KEY, "seed", "wording", "order", "cell").sort(*KEY, "seed", "wording", "order")


def _spread(cells: pl.DataFrame) -> pl.DataFrame:
    value = cells.group_by(KEY, maintain_order=True).agg(
        pl.col("cell").mean().alias("value"),
        pl.col("seed").n_unique().cast(pl.Int64).alias("n_seeds"),
        pl.col("wording").n_unique().cast(pl.Int64).alias("n_wordings"),
        pl.col("order").n_unique().cast(pl.Int64).alias("n_orders"),
    )
    level = cells.group_by("item", "option", "wording", "order", maintain_order=True).agg(
        pl.col("cell").mean().alias("level")
    )
    flat = cells.join(level, on=["item", "option", "wording", "order"]).with_columns(pl.col("cell") - pl.col("level"))
    flat = flat.with_columns((pl.col("cell") - pl.col("cell").mean().over(KEY)).alias("away"))
    seed = _means(cells, "seed", "cell", "seed_low", "seed_high", "seed_sd")
    wording = _means(flat, "wording", "away", "wording_away_low", "wording_away_high", "wording_sd")
    order = _means(flat, "order", "away", "order_low", "order_high", "order_sd")
    within = flat.group_by(KEY, maintain_order=True).agg(pl.col("away").std().alias("within_sd"))
    joined = value
    for part in (seed, wording, order, within):
        joined = joined.join(part, on=KEY, how="left")
    return joined.with_columns(
        (pl.col("value") + pl.col("wording_away_low")).alias("wording_low"),
        (pl.col("value") + pl.col("wording_away_high")).alias("wording_high"),
    ).sort(KEY)


def _means(cells: pl.DataFrame, by: str, column: str, low: str, high: str, spread: str) -> pl.DataFrame:
    means = cells.group_by(*KEY, by, maintain_order=True).agg(pl.col(column).mean().alias("mean"))
    return means.group_by(KEY, maintain_order=True).agg(
        pl.col("mean").min().alias(low), pl.col("mean").max().alias(high), pl.col("mean").std().alias(spread)
    )
