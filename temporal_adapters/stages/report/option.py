"""One answer option over time: both series, their spread, their lags.

Takes the tables of a report, gives `OptionView`. Knows no figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from temporal_adapters.ground.tables import ADAPTERS
from temporal_adapters.stages.report.axes import Value
from temporal_adapters.stages.report.material import Material
from temporal_adapters.study.artifacts import Results

LEVEL = "level"
"""Method of LAGS whose r is drawn over the lags: Pearson's r of the levels."""


@dataclass(frozen=True)
class Curve:
    """One series on the weeks of the axis; None where a week has no value."""

    value: list[Value]
    low: list[Value]
    high: list[Value]

    def moved(self, centre: float, unit: float) -> Curve:
        """Return (x - centre) / unit of all three."""
        return Curve(*([None if x is None else (x - centre) / unit for x in xs] for xs in self._columns()))

    def _columns(self) -> tuple[list[Value], list[Value], list[Value]]:
        return self.value, self.low, self.high


@dataclass(frozen=True)
class Lag:
    """One row of LAGS."""

    lag: int
    r: Value
    n_pairs: int
    ci_low: Value
    ci_high: Value
    p: Value
    q: Value


@dataclass(frozen=True)
class Finding:
    """One tested option and lag.

    Attributes
    ----------
    r, ci_low, ci_high, n_pairs, n_effective
        Pearson's r of the levels, its interval, pairs of weeks, and how many independent pairs these are worth.
    changes_r, changes_ci_low, changes_ci_high, changes_excluded
        Correlation of what each week adds, its interval, and the smallest |r| of changes that is excluded.
    p_changes, q_changes, p_levels, q_levels
        Family-wise p and q of the two tests: of week-to-week changes, and of levels.
    verdict
        What both tests say together.
    details
        Orders, sensitivity, the heaviest week.
    not_valid_here
        p-values that ignore persistence, for comparison with the literature only.
    """

    item: str
    option: str
    lag: int
    r: Value
    ci_low: Value
    ci_high: Value
    n_pairs: int
    n_effective: Value
    changes_r: Value
    changes_ci_low: Value
    changes_ci_high: Value
    changes_excluded: Value
    p_changes: Value
    q_changes: Value
    p_levels: Value
    q_levels: Value
    verdict: str
    details: Mapping[str, Any]
    not_valid_here: Mapping[str, Value]


@dataclass(frozen=True)
class OptionView:
    """One answer option.

    Attributes
    ----------
    item, option
        Names.
    adapters
        The adapters' series; low and high are the smallest and largest seed.
    wordings
        The same; low and high are the smallest and largest wording, each wording's own level removed.
    survey
        The survey's series; low and high are 1.96 standard errors away.
    lags
        r per lag.
    findings
        What was tested, by lag.
    """

    item: str
    option: str
    adapters: Curve
    wordings: Curve
    survey: Curve
    lags: list[Lag]
    findings: list[Finding]

    @property
    def headline(self) -> Finding | None:
        """The strongest finding: verdicts first, then the smaller p of the changes; None where nothing was tested."""
        return min(self.findings, key=strength, default=None)

    def pairs(self) -> tuple[int, list[Value], list[Value]]:
        """Return the lag of the headline (0 without one) and both series' values of each pair of weeks at that lag."""
        lag = self.headline.lag if self.headline is not None else 0
        ours, theirs = self.adapters.value, self.survey.value
        places = [(i, i + lag) for i in range(len(ours)) if 0 <= i + lag < len(theirs)]
        both = [(ours[i], theirs[j]) for i, j in places if ours[i] is not None and theirs[j] is not None]
        return lag, [a for a, _ in both], [b for _, b in both]


VERDICTS = ("tracks", "tracks weekly changes", "co-trends", "contradictory", "no evidence", "not tested")
"""Verdicts from the strongest to none."""


def strength(finding: Finding) -> tuple[int, float, int]:
    """Return a sorting key: the strongest finding first."""
    p = 2.0 if finding.p_changes is None else finding.p_changes
    return VERDICTS.index(finding.verdict), p, abs(finding.lag)


def option_views(material: Material) -> list[OptionView]:
    """Return one view per option of the adapters' series."""
    tables = (material.series, material.spread, material.lags.filter(pl.col("method") == LEVEL))
    parts = [(table, table.partition_by("item", "option", as_dict=True)) for table in tables]
    found = findings(material.results)
    return [
        _view(item, option, [by.get((item, option), table.clear()) for table, by in parts], material, found)
        for item, option in material.options()
    ]


def findings(results: Results | None) -> list[Finding]:
    """Return the tested results of `lags/results.json`."""
    return [_finding(one) for one in results.tested] if results else []


def _finding(one: Mapping[str, Any]) -> Finding:
    changes, levels = one["dynamics"], one["level"]
    return Finding(
        **{name: one[name] for name in ("item", "option", "lag", "r", "ci_low", "ci_high", "n_pairs", "n_effective")},
        changes_r=one.get("changes_r"),
        changes_ci_low=one.get("changes_ci_low"),
        changes_ci_high=one.get("changes_ci_high"),
        changes_excluded=one.get("changes_excluded"),
        p_changes=changes["p_family"],
        q_changes=changes["q"],
        p_levels=levels["p_family"],
        q_levels=levels["q"],
        verdict=one["verdict"],
        details=one["details"],
        not_valid_here=one["not_valid_here"],
    )


def _view(
    item: str, option: str, tables: Sequence[pl.DataFrame], material: Material, found: Sequence[Finding]
) -> OptionView:
    series, spread, lag_rows = tables
    weeks = list(material.weeks["week"])
    adapters = _by_week(series.filter(pl.col("source") == ADAPTERS), weeks)
    survey_rows = series.filter(pl.col("source") == (material.survey or ""))
    survey, errors = _by_week(survey_rows, weeks), _by_week(survey_rows, weeks, "se")
    lags = [Lag(**row) for row in lag_rows.drop("item", "option", "method").iter_rows(named=True)]
    ranges = {name: _by_week(spread, weeks, name) for name in ("seed_low", "seed_high", "wording_low", "wording_high")}
    return OptionView(
        item=item,
        option=option,
        adapters=Curve(adapters, ranges["seed_low"], ranges["seed_high"]),
        wordings=Curve(adapters, ranges["wording_low"], ranges["wording_high"]),
        survey=Curve(survey, _away(survey, errors, -1.96), _away(survey, errors, 1.96)),
        lags=sorted(lags, key=lambda row: row.lag),
        findings=[one for one in found if (one.item, one.option) == (item, option)],
    )


def _by_week(rows: pl.DataFrame, weeks: list[date], column: str = "value") -> list[Value]:
    known = dict(zip(rows["week"], rows[column], strict=True))
    return [known.get(week) for week in weeks]


def _away(values: Sequence[Value], errors: Sequence[Value], factor: float) -> list[Value]:
    return [
        None if value is None or error is None else value + factor * error
        for value, error in zip(values, errors, strict=True)
    ]
