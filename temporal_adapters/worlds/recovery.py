"""Recovery: how well answers follow the known truth of a world, beside what counting words reaches.

Takes the adapters' series, the truth and the cleaned weekly posts, gives correlations per option. Knows no model.

The ceiling of an option is the correlation with the truth of the share of the week's mood posts that hold one of its
words: what somebody reaches who knows every word of the world and counts. Both use the same cleaned posts, so neither
sees more than the other. Negation and irony mislead both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from temporal_adapters.engines.significance import r_of_differences
from temporal_adapters.ground.errors import SimulateError
from temporal_adapters.study.artifacts import Recovery, load_table
from temporal_adapters.worlds.language import MOODS


def count_moods(corpora: Mapping[date, Path], words: Mapping[str, Sequence[str]] = MOODS) -> pl.DataFrame:
    """Count the posts that hold a word of each mood.

    Parameters
    ----------
    corpora
        First day of a week -> Parquet file of its cleaned posts (column `text`).
    words
        Option -> its words; all the words of the world without it.

    Returns
    -------
    week, option, n (posts with a word of the option), share (of all such posts of the week, over options)
    """
    patterns = {mood: r"(?i)\b(?:" + "|".join(map(re.escape, known)) + r")\b" for mood, known in words.items()}
    frames = []
    for week, path in corpora.items():
        posts = load_table(path, columns=["text"])
        counts = posts.select(pl.col("text").str.contains(pattern).sum().alias(m) for m, pattern in patterns.items())
        frames.append(counts.unpivot(variable_name="option", value_name="n").with_columns(week=pl.lit(week)))
    return pl.concat(frames).with_columns(share=pl.col("n") / pl.col("n").sum().over("week"))


def recovery(series: pl.DataFrame, truth: pl.DataFrame, counted: pl.DataFrame) -> Recovery:
    """Correlate answers and counts with the truth, option by option.

    Parameters
    ----------
    series
        The adapters' series of one item, in the SERIES schema.
    truth
        `truth.parquet` of the world: week, option, mood.
    counted
        What `count_moods` returns.

    Returns
    -------
    ``mean_r``, ``ceiling_r`` (means over options), ``efficiency`` (their ratio), ``n_weeks`` and ``options``: per
    option r, ceiling, r_changes (of week-to-week changes, none over a gap), n_weeks. All are Pearson correlations.

    Raises
    ------
    SimulateError
        If series and truth share fewer than three weeks.
    """
    joined = (
        series.select("week", "option", answer="value")
        .drop_nulls()
        .join(truth.select("week", "option", "mood"), on=["week", "option"])
        .join(counted.select("week", "option", counted="share"), on=["week", "option"])
        .sort("option", "week")
    )
    options = {str(keys[0]): _one(rows) for keys, rows in joined.group_by("option", maintain_order=True)}
    n_weeks = min((one["n_weeks"] for one in options.values()), default=0)
    if n_weeks < 3:
        raise SimulateError(f"recovery: answers and truth share {n_weeks} weeks, at least 3 are needed")
    # An answer that never changes follows nothing: it counts as 0 in the mean, its own r stays null.
    mean_r = float(np.mean([one["r"] or 0.0 for one in options.values()]))
    ceiling_r = float(np.mean([one["ceiling"] or 0.0 for one in options.values()]))
    return Recovery(
        mean_r=round(mean_r, 4),
        ceiling_r=round(ceiling_r, 4),
        efficiency=round(mean_r / ceiling_r, 4) if ceiling_r > 0 else None,
        n_weeks=n_weeks,
        options=options,
    )


def _one(rows: pl.DataFrame) -> dict[str, Any]:
    answer, mood, counted = (rows[name].to_numpy() for name in ("answer", "mood", "counted"))
    weeks = rows.select((pl.col("week") - pl.col("week").min()).dt.total_days() // 7).to_series().to_numpy()
    r_changes = r_of_differences(answer, mood, weeks)
    return {
        "r": _pearson(answer, mood),
        "ceiling": _pearson(counted, mood),
        "r_changes": round(r_changes, 4) if math.isfinite(r_changes) else None,
        "n_weeks": len(answer),
    }


def _pearson(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> float | None:
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return round(float(np.corrcoef(x, y)[0, 1]), 4)
