"""Views of series for looking: standardised, min-max, smoothed. Never what is tested.

Takes a `SERIES` table, gives the same table with changed values and a `view` column that says how. Knows no test.
"""

from __future__ import annotations

from typing import Literal

import polars as pl

from temporal_adapters.ground.errors import SeriesError

View = Literal["z", "min-max"]
_BY = ["source", "item", "option"]


def view(series: pl.DataFrame, kind: View | None = None, smooth_weeks: int = 1) -> pl.DataFrame:
    """Return `series` for a figure, labelled in the column `view`.

    Parameters
    ----------
    series
        SERIES.
    kind
        `z` (mean 0, standard deviation 1), `min-max` (0 to 1), or None.
    smooth_weeks
        Odd number of weeks of a centred mean over the weeks present, 1 for none.

    Raises
    ------
    SeriesError
        If `smooth_weeks` is even or below 1.
    """
    if smooth_weeks < 1 or smooth_weeks % 2 == 0:
        raise SeriesError(f"a centred mean needs an odd number of weeks, not {smooth_weeks}")
    shown = series.sort(*_BY, "week")
    labels = []
    if smooth_weeks > 1:
        shown = _smoothed(shown, smooth_weeks)
        labels.append(f"{smooth_weeks}-week mean")
    if kind is not None:
        low, scale = _location(kind)
        shown = shown.with_columns(
            pl.when(scale > 0).then((pl.col("value") - low) / scale).alias("value"),
            pl.when(scale > 0).then(pl.col("se") / scale).alias("se"),
        )
        labels.append(kind)
    return shown.with_columns(pl.lit(", ".join(labels) or "as is").alias("view"))


def _location(kind: View) -> tuple[pl.Expr, pl.Expr]:
    value = pl.col("value")
    if kind == "z":
        return value.mean().over(_BY), value.std().over(_BY)
    return value.min().over(_BY), (value.max() - value.min()).over(_BY)


def _smoothed(series: pl.DataFrame, weeks: int) -> pl.DataFrame:
    half = weeks // 2
    near = series.select(*_BY, "week", "value")
    parts = [near.with_columns(pl.col("week").dt.offset_by(f"{7 * step}d")) for step in range(-half, half + 1)]
    means = (
        pl.concat(parts)
        .sort(*_BY, "week", "value")
        .group_by(*_BY, "week", maintain_order=True)
        .agg(pl.col("value").mean())
    )
    return series.drop("value").join(means, on=[*_BY, "week"], how="left").select(series.columns)
