"""Every way of extracting a series from the same answers: for the specification curve.

Takes an `ANSWERS` table, gives `SERIES` tables by setting. Knows no survey and no test.
"""

from __future__ import annotations

import polars as pl

from temporal_adapters.ground import tables
from temporal_adapters.ground.errors import SeriesError
from temporal_adapters.stages.series.pool import Scale, pool

SCALES: tuple[Scale, ...] = ("clr", "share", "log-odds", "base")


def settings(answers: pl.DataFrame) -> pl.DataFrame:
    """Return the series of every method x scale x (all wordings, or one alone), pooled over seeds and orders.

    Returns
    -------
    polars.DataFrame
        SERIES with the setting as `source`, such as ``sequence | clr | all wordings``. A scale on which the answers
        have no finite value (no base model asked, a share of exactly 0) is no setting and is left out.
    """
    found = []
    for method in answers["method"].unique().sort().to_list():
        wordings = answers.filter(pl.col("method") == method)["wording"].unique().sort().to_list()
        for scale in SCALES:
            for chosen in [[], *([[wording] for wording in wordings] if len(wordings) > 1 else [])]:
                name = f"{method} | {scale} | {chosen[0] if chosen else 'all wordings'}"
                try:
                    series = pool(answers, scale, method, chosen).series
                except SeriesError:
                    continue
                found.append(series.with_columns(pl.lit(name).alias("source")))
    return tables.check(pl.concat(found), tables.SERIES) if found else tables.SERIES.empty()
