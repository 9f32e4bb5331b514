"""What the analysis of one study gives: tests, results, verdicts, as frozen records.

Takes nothing, gives dataclasses and the rule of the verdict. Knows no series.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from temporal_adapters.engines.significance import Alternate

Verdict = Literal["tracks", "tracks weekly changes", "co-trends", "no evidence", "contradictory", "not tested"]


@dataclass(frozen=True)
class Test:
    """One test of one option at one lag.

    Attributes
    ----------
    statistic
        Self-normalised sum (dynamics) or r (level).
    p, p_family, q, q_by
        Own p-value; family-wise (max-T over all tested options and lags); Benjamini-Hochberg and
        Benjamini-Yekutieli over the same family.
    """

    statistic: float
    p: float
    p_family: float
    q: float
    q_by: float


@dataclass(frozen=True)
class Result:
    """One option at one lag (weeks, positive = the model leads).

    Attributes
    ----------
    r, n_pairs, n_effective, ci_low, ci_high
        Pearson's r of the levels, pairs of weeks, effective pairs, interval.
    changes_r, changes_n, changes_ci_low, changes_ci_high
        Correlation of the signed ranks of the prewhitened changes, its pairs and interval.
    changes_excluded
        Smallest |r| of changes that two one-sided tests exclude at 1 - confidence each (Schuirmann 1987): what "not
        shown" leaves open lies below it.
    dynamics, level
        The two tests; None at lags that are shown only.
    verdict
        What both tests say together.
    details
        Orders of the autoregressions, sensitivity, the heaviest week.
    alternates
        Further tests by name, as asked for in the study.
    not_valid_here
        p-values that ignore persistence, for comparison with the literature only.
    """

    item: str
    option: str
    lag: int
    r: float
    n_pairs: int
    n_effective: float
    ci_low: float
    ci_high: float
    changes_r: float
    changes_n: int
    changes_ci_low: float
    changes_ci_high: float
    changes_excluded: float
    dynamics: Test | None
    level: Test | None
    verdict: Verdict
    details: Mapping[str, Any] = field(default_factory=dict)
    alternates: Mapping[str, Alternate] = field(default_factory=dict)
    not_valid_here: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Analysis:
    """All results of a study and what they are a family of."""

    results: tuple[Result, ...]
    facts: Mapping[str, Any]

    @property
    def tested(self) -> tuple[Result, ...]:
        """Results at tested lags."""
        return tuple(result for result in self.results if result.dynamics is not None)


def verdict(changes: Test | None, levels: Test | None, alpha: float) -> Verdict:
    """Return what the two tests say together, by their family-wise p-values.

    Both test one null hypothesis per option and lag, that the series are unrelated. To hold `alpha` over both, one of
    them must find the pair at half of it (Bonferroni); of a pair found, the other may then be read at the whole of it,
    as Holm (1979) does.
    """
    if changes is None or levels is None:
        return "not tested"
    if min(changes.p_family, levels.p_family) > alpha / 2:
        return "no evidence"
    moves, level_moves = changes.p_family <= alpha, levels.p_family <= alpha
    if moves and level_moves:
        return "tracks" if changes.statistic * levels.statistic > 0 else "contradictory"
    return "tracks weekly changes" if moves else "co-trends"


STRENGTH: tuple[Verdict, ...] = (
    "tracks",
    "tracks weekly changes",
    "co-trends",
    "contradictory",
    "no evidence",
    "not tested",
)
"""Verdicts from the strongest to none."""


def falls(result: Result) -> bool:
    """Say whether a verdict is weaker once the calendar is taken out of both series."""
    other = result.details.get("calendar_verdict")
    return other is not None and STRENGTH.index(other) > STRENGTH.index(result.verdict)
