"""Both tests of a study's pairs, as its settings ask for them, and again without the calendar.

Takes aligned pairs, settings and regressors, gives tests. Knows no file and no sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from temporal_adapters.engines.significance import Array, Changes, Levels, adjusted, changes, multiplicity
from temporal_adapters.engines.significance.levels import levels
from temporal_adapters.ground.errors import CorrelateError
from temporal_adapters.stages.correlate.calendar import ALWAYS, regressors
from temporal_adapters.stages.correlate.pairs import Pairs
from temporal_adapters.stages.correlate.records import Test, verdict
from temporal_adapters.study.config import Correlate

LEVEL_STREAM = 1
SIGN_STREAM = 2
"""Streams of random numbers derived from the study's seed."""

BESIDE_DRAWS = 1999
"""Null draws of levels without the calendar, at most: they are shown beside the headline."""


def without(pairs: Pairs, adjust: Array) -> Pairs:
    """Return the pairs with regressors taken out of both sides."""
    return replace(pairs, model=adjusted(pairs.model, adjust), survey=adjusted(pairs.survey, adjust))


def changes_of(pairs: Pairs, lags: Sequence[int], settings: Correlate, adjust: Array) -> Changes:
    """Return test D of all pairs at these lags, all with the same random signs."""
    seed = [settings.seed, SIGN_STREAM]
    return changes(pairs.model, pairs.survey, lags, draws=settings.draws, seed=seed, adjust=adjust)


def levels_of(
    pairs: Pairs, lags: Sequence[int], settings: Correlate, adjust: Array, most_draws: int | None = None
) -> Levels:
    """Return test L of all pairs at these lags."""
    draws = min(settings.draws, most_draws or settings.draws)
    seed = [settings.seed, LEVEL_STREAM]
    return levels(pairs.model, pairs.survey, lags, draws=draws, seed=seed, adjust=adjust)


def tests(value: Array, own: Array, family: Array, settings: Correlate) -> list[Test]:
    """Return one test per option and lag, lags innermost."""
    p = own.ravel()
    q, q_by = multiplicity.benjamini_hochberg(p), multiplicity.benjamini_yekutieli(p)
    columns = (value.ravel(), p, family.ravel(), q_by if settings.fdr == "by" else q, q_by)
    return [Test(*(float(column[place]) for column in columns)) for place in range(len(p))]


def without_calendar(pairs: Pairs, lags: Sequence[int], settings: Correlate, adjust: Array) -> list[dict[str, Any]]:
    """Return what is left of every option and lag with the calendar taken out of both series, lags innermost.

    Both tests again, over the same family and with the same signs; figures are null where there are too few weeks.
    """
    every = np.concatenate([adjust, regressors(pairs.weeks, ALWAYS)])
    try:
        moved = changes_of(pairs, lags, settings, every)
        level = levels_of(pairs, lags, settings, every, BESIDE_DRAWS)
    except CorrelateError as error:
        return [{**dict.fromkeys(_BESIDE), "calendar_reason": str(error)}] * (len(pairs.names) * len(lags))
    by_changes = tests(moved.statistic, moved.p, moved.p_family, settings)
    by_levels = tests(level.r, level.p, level.p_family, settings)
    r = moved.correlation(lags)[0].ravel()
    found = []
    for place, both in enumerate(zip(by_changes, by_levels, strict=True)):
        p = (both[0].p, both[0].p_family, both[1].p, both[1].p_family)
        values = (float(r[place]), float(level.r.ravel()[place]), *p, verdict(*both, settings.alpha))
        found.append({**dict(zip(_BESIDE, values, strict=True)), "calendar_reason": None})
    return found


_BESIDE = (
    "calendar_changes_r",
    "calendar_r",
    "calendar_p",
    "calendar_p_family",
    "calendar_level_p",
    "calendar_level_p_family",
    "calendar_verdict",
)
