"""Is every week asked under every seed?

Takes answers, weeks and seeds, gives nothing or a `SeriesError`. Knows no scale.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import polars as pl

from temporal_adapters.ground.dates import week_label
from temporal_adapters.ground.errors import SeriesError

CELL = ["item", "wording", "order"]


def require_complete(answers: pl.DataFrame, weeks: Iterable[date], seeds: Iterable[int]) -> None:
    """Refuse a grid with holes: every week x seed must have been asked every item x wording x order.

    Parameters
    ----------
    answers
        Rows of one method, without the base model.
    weeks, seeds
        First days of the weeks with posts, and the seeds of the study.

    Raises
    ------
    SeriesError
        Naming the first hole and their number.
    """
    wanted = pl.DataFrame({"week": sorted(set(weeks))}, schema={"week": pl.Date}).join(
        pl.DataFrame({"seed": sorted(set(seeds))}, schema={"seed": pl.Int64}), how="cross"
    )
    cells = answers.select(CELL).unique(maintain_order=True)
    asked = answers.select("week", "seed", *CELL).unique()
    holes = wanted.join(cells, how="cross").join(asked, on=["week", "seed", *CELL], how="anti")
    if holes.height:
        row = holes.sort("week", "seed", *CELL).row(0, named=True)
        pairs = holes.select("week", "seed").unique().height
        raise SeriesError(
            f"{pairs} of {wanted.height} weeks x seeds lack answers, first {week_label(row['week'])}/seed-{row['seed']}"
            f" (wording {row['wording']!r}): run `ta train` and `ta probe`, or set series.allow_missing to true"
        )
