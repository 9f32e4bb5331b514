"""Two weekly series, or two families of them: tests D and L, verdicts, sentences, without a study and a model.

Takes arrays, frames or files, gives a `Comparison`. The analysis is that of the stage `correlate`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from temporal_adapters.engines.significance import r_of_differences, shifted
from temporal_adapters.front import compare_plan
from temporal_adapters.front.sides import Columns, Series, Side, day_of, label_of, read_sides
from temporal_adapters.front.wording import Wording
from temporal_adapters.ground import tables
from temporal_adapters.ground.errors import CorrelateError, UsageError
from temporal_adapters.stages.correlate import (
    Analysis,
    Pairs,
    Result,
    align,
    analyse,
    headline,
    lags_table,
    results_table,
    sentence,
)
from temporal_adapters.study.config import Correlate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SURVEY = "survey"
"""Name of the second side inside an analysis, as `adapters` is the first's."""


@dataclass(frozen=True)
class Comparison:
    """What two series have in common; ``print`` shows the sentences.

    Attributes
    ----------
    x, y
        Both sides as read.
    pairs
        Both on one grid of weeks (or steps that stand for them), NaN where missing.
    analysis
        Every result and the facts of the family, as the stage `correlate` gives them.
    settings
        Lags, draws, seed, error rate.
    plan
        The frozen plan; empty without one.
    """

    x: Series
    y: Series
    pairs: Pairs
    analysis: Analysis
    settings: Correlate
    plan: Mapping[str, Any] = field(default_factory=dict)

    @property
    def results(self) -> tuple[Result, ...]:
        """One result per tested pair of series and lag."""
        return self.analysis.tested

    @property
    def result(self) -> Result:
        """The only result, of one pair at one lag.

        Raises
        ------
        UsageError
            If there are several.
        """
        if len(self.results) != 1:
            raise UsageError(f"there are {len(self.results)} results: look at .results")
        return self.results[0]

    @property
    def r(self) -> float:
        """Pearson's r of the levels of the only result."""
        return self.result.r

    @property
    def r_of_changes(self) -> float:
        """Correlation of the signed ranks of the prewhitened changes of the only result."""
        return self.result.changes_r

    @property
    def r_of_differences(self) -> float:
        """Pearson's r of plain differences from step to step of the only result, as papers print it."""
        moved = shifted(self.pairs.survey[0], self.result.lag)
        return r_of_differences(self.pairs.model[0], moved, np.arange(len(moved)))

    @property
    def p_changes(self) -> float:
        """Own p-value of test D of the only result."""
        return self.result.dynamics.p if self.result.dynamics else math.nan

    @property
    def p_levels(self) -> float:
        """Own p-value of test L of the only result."""
        return self.result.level.p if self.result.level else math.nan

    @property
    def verdict(self) -> str:
        """What both tests say together about the only result."""
        return self.result.verdict

    @property
    def lags(self) -> pl.DataFrame:
        """LAGS: r and its interval at every shown lag; p and q at the tested ones."""
        return lags_table(self.analysis)

    @property
    def table(self) -> pl.DataFrame:
        """One wide row per tested pair of series and lag."""
        return results_table(self.analysis)

    @property
    def labels(self) -> list[str]:
        """What the steps of the grid are called."""
        return [label_of((week - day_of(0)).days // 7, self.x.unit) for week in self.pairs.weeks]

    @cached_property
    def wording(self) -> Wording:
        """The words of this comparison."""
        days = {}
        if self.x.unit != "week":
            days = {week.isoformat(): label for week, label in zip(self.pairs.weeks, self.labels, strict=True)}
        kept = frozenset(name for pair in self.pairs.names for name in pair)
        return Wording(self.x.name, self.y.name, self.x.unit, days, kept)

    @property
    def sentences(self) -> list[str]:
        """The headline, the tested lags, whether the analysis was planned, and a sentence per result."""
        said = [sentence(result, self.settings.confidence) for result in self.results]
        lags = ", ".join(f"{lag:+d}" if lag else "0" for lag in self.settings.lags)
        tested = (
            f"Tested at lag {lags} (weeks, positive = the model leads), chosen before looking; the others are shown."
        )
        told = (headline(self.analysis), tested, compare_plan.line(self.plan), *said)
        return [self.wording.text(text) for text in told]

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    def plot(self, path: str | Path | None = None) -> Figure:
        """Draw both series (z-scores) of every pair; with a path (.svg, .pdf, .png) into a file, too."""
        from temporal_adapters.front.compare_folder import drawing

        return drawing(self, None if path is None else Path(path))

    def write(self, folder: str | Path) -> Path:
        """Write results.json, results.csv, lags.csv, series.csv, methods.md, bibliography.bib and the page.

        Returns
        -------
        Path
            The page, ``index.html``: one file that needs no network.

        Raises
        ------
        UsageError
            If the folder holds something else already.
        """
        from temporal_adapters.front.compare_folder import write

        return write(self, Path(folder))


def compare(
    x: Side,
    y: Side | None = None,
    *,
    lags: Sequence[int] = (0,),
    names: Sequence[str] = (),
    date: str | None = None,
    value: str | Sequence[str] = (),
    date_format: str | None = None,
    plan: str | Path | None = None,
    **settings: Any,
) -> Comparison:
    """Compare two weekly series, or two families of them: do they move together beyond what persistence produces?

    Parameters
    ----------
    x, y
        Each an array (a value per week, NaN where missing; both begin in the same week), a frame of Polars or pandas,
        or the path of a CSV, Parquet or xlsx file. Frames and files have a column of times (weeks, days, months,
        decimal years or whole numbers; without one rows count) and one of values, or tidy rows with `item` and
        `option`, which are tested as one family. A single series meets every series of a family. Without `y` two
        columns of `x`.
    lags
        Steps that are tested, positive = `x` leads; fixed before looking.
    names
        What the two are called; file names without it.
    date, value
        Names of the columns of times and of values (two of them: one per side); usual names are known.
    date_format
        How days are written (Python's strptime), where that is ambiguous.
    plan
        File of the plan. Where there is none it is frozen now, before anything is looked at; where there is one the
        analysis must be the one it fixes.
    **settings
        Of the section `correlate` of a study: ``every_weeks``, ``alpha``, ``draws``, ``seed``, ``shown_lags``, ...

    Returns
    -------
    Comparison
        ``.results``, ``.lags``, ``.sentences``; of a single pair ``.r``, ``.p_changes``, ``.p_levels``,
        ``.verdict``; ``.plot()``, ``.write(folder)``.

    Raises
    ------
    CorrelateError
        If a side cannot be read (with file and row), or the two cannot be compared.
    UsageError
        If there is no such setting.

    Notes
    -----
    Test D asks whether changes move together, test L whether levels do beyond what persistence produces
    (`temporal_adapters.engines.significance.changes`, `.levels`); the verdict names both.

    References
    ----------
    Dalla, Giraitis and Phillips (2022); Kilian (1998); Westfall and Young (1993); Pyper and Peterman (1998).

    Examples
    --------
    >>> import numpy as np
    >>> import temporal_adapters as ta
    >>> rng = np.random.default_rng(1)
    >>> shared = np.cumsum(rng.normal(size=80))
    >>> found = ta.compare(shared + rng.normal(size=80), shared + rng.normal(size=80), draws=999)
    >>> found.verdict, bool(found.p_changes < 0.01)
    ('tracks', True)
    """
    chosen = _settings({**settings, "lags": tuple(lags)})
    columns = Columns(date, (value,) if isinstance(value, str) else tuple(value), date_format)
    if len(names) not in (0, 2):
        raise UsageError(f"`names` are two, one per side: {list(names)}")
    first, second = read_sides(x, y, columns, (str(names[0]), str(names[1])) if names else None)
    _require_shared(first, second, chosen)
    _require_weeks(first.unit, chosen)
    frozen = compare_plan.kept(Path(plan), first, second, chosen) if plan is not None else {}
    return _analysed(first, second, chosen, frozen)


def _settings(given: Mapping[str, Any]) -> Correlate:
    from pydantic import ValidationError

    try:
        return Correlate(**given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or "lags"
        message = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"`{name}`: {message} (given: {given.get(name, '')!r})") from None


def _analysed(first: Series, second: Series, settings: Correlate, plan: Mapping[str, Any]) -> Comparison:
    days = (pl.lit(day_of(0)) + pl.col("step") * pl.duration(days=7)).alias("week")
    sides = [
        side.frame.select(pl.lit(source).alias("source"), "item", "option", days, "value")
        for side, source in ((first, tables.ADAPTERS), (second, SURVEY))
    ]
    try:
        pairs = align(
            pl.concat(sides),
            tables.ADAPTERS,
            SURVEY,
            lags=(*settings.lags, *settings.shown_lags),
            exclude=settings.exclude,
            min_weeks=settings.min_weeks,
            every_weeks=settings.every_weeks,
        )
        analysis = analyse(pairs, settings)
        if first.unit != "week":
            analysis = replace(analysis, results=tuple(map(_without_calendar, analysis.results)))
    except CorrelateError as error:
        told = str(error).replace("correlate.", "").replace("'adapters'", repr(first.name))
        raise CorrelateError(
            Wording(first.name, second.name, first.unit).text(told.replace("'survey'", repr(second.name)))
        ) from None
    return Comparison(first, second, pairs, analysis, settings, plan)


def _without_calendar(result: Result) -> Result:
    """Return a result without what a calendar of weeks left of it: these steps stand in for months or mere numbers."""
    details = {name: None if name.startswith("calendar_") else value for name, value in result.details.items()}
    return replace(result, details=details)


def _require_weeks(unit: str, settings: Correlate) -> None:
    names = [name for name in settings.adjust if name != "trend"]
    if unit != "week" and names:
        raise CorrelateError(f"`adjust` {names[0]!r} takes out a calendar of weeks, and these series count in {unit}s")


def _require_shared(first: Series, second: Series, settings: Correlate) -> None:
    """Refuse what cannot be compared at all, in the words of the files."""
    unit, sides = first.unit, (first, second)
    steps = [set(side.frame["step"].to_list()) for side in sides]
    spans = [
        f"{side.where} ({label_of(min(has), unit)} to {label_of(max(has), unit)})"
        for side, has in zip(sides, steps, strict=True)
    ]
    shared = steps[0] & steps[1]
    if not shared:
        raise CorrelateError(f"{spans[0]} and {spans[1]} share no {unit}")
    if len(shared) < settings.min_weeks:
        raise CorrelateError(
            f"{spans[0]} and {spans[1]} share {len(shared)} {unit}s, at least {settings.min_weeks} are needed"
        )
    for side in sides:
        seen = side.frame.filter(pl.col("step").is_in(sorted(shared)))
        for (item, option), part in seen.group_by("item", "option", maintain_order=True):
            values = part["value"].to_numpy()
            if np.ptp(values) == 0:
                raise CorrelateError(
                    f"{side.where}: {item} / {option} is constant ({values[0]:g}) in the {unit}s that both sides have"
                )
