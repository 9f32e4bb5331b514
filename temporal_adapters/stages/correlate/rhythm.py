"""Surveys that are not weekly: pairs on the rhythm of the waves.

Takes weekly pairs and the weeks between waves, gives pairs in which one step is one wave. Knows no test.

For a lag of k weeks the model's value k weeks before each wave meets the wave, so lags stay in weeks while memory is
modelled from wave to wave.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from temporal_adapters.engines.significance import Array, shifted
from temporal_adapters.stages.correlate.pairs import Pairs


@dataclass(frozen=True)
class Waves:
    """Pairs with one step per wave, one row per option and lag.

    Attributes
    ----------
    pairs
        Rows are options x lags, lags innermost; columns are waves.
    lags
        (rows,) lag in weeks of every row.
    n_left_out
        Weeks with a wave that is off the rhythm.
    """

    pairs: Pairs
    lags: tuple[int, ...]
    n_left_out: int


def phase_of(survey: Array, every: int) -> int:
    """Return the residue (0 to every - 1) on which most waves of `survey` (options, weeks) lie."""
    weeks = np.flatnonzero(np.isfinite(survey).any(axis=0))
    return Counter((weeks % every).tolist()).most_common(1)[0][0] if len(weeks) else 0


def on_rhythm(pairs: Pairs, every: int, lags: Sequence[int]) -> Waves:
    """Return the pairs at each lag, every `every` weeks."""
    phase = phase_of(pairs.survey, every)
    chosen = slice(phase, None, every)
    model = np.stack([shifted(pairs.model, -lag)[:, chosen] for lag in lags], axis=1)
    survey = np.repeat(pairs.survey[:, None, chosen], len(lags), axis=1)
    n = len(pairs.names)
    rows = Pairs(
        names=tuple(name for name in pairs.names for _ in lags),
        weeks=pairs.weeks[phase::every],
        model=model.reshape(n * len(lags), -1),
        survey=survey.reshape(n * len(lags), -1),
    )
    waves = np.asarray(np.isfinite(pairs.survey).any(axis=0))
    return Waves(rows, tuple(lags) * n, int(waves.sum() - waves[chosen].sum()))
