"""The stage `trust`: `series/` to `trust/trust.json`.

Takes a study and its run folder, gives one JSON document with the figures of every option that both the adapters
and the survey have and the study does not exclude, at the first tested lag. Reads tables only; knows no adapter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from temporal_adapters.engines.significance import Array
from temporal_adapters.ground.dates import WEEK
from temporal_adapters.ground.errors import CorrelateError, ValidityError
from temporal_adapters.ground.tables import ADAPTERS
from temporal_adapters.stages.trust import placebo_series
from temporal_adapters.stages.trust.assess import Case, assess
from temporal_adapters.stages.trust.placebo import varying
from temporal_adapters.stages.trust.plan import TABLES, expected
from temporal_adapters.stages.trust.uniformity import unrelated
from temporal_adapters.study.artifacts import Manifest, RunFolder, Trust, load_table, make
from temporal_adapters.study.config import Study

if TYPE_CHECKING:
    import polars as pl

UNIFORM_DRAWS = 499
"""Null draws behind each placebo's p-values, whose distribution is shown."""


def run(study: Study, run: RunFolder) -> Manifest:
    """Compute the figures of trust of every option and publish them.

    Raises
    ------
    ValidityError
        If there is no survey, or the series are missing.
    """
    wanted = expected(study, run)
    if not wanted:
        raise ValidityError(f"{run.series} lacks the tables of a study with a survey: run `ta series` first")

    def write(folder: Path) -> dict[str, Any]:
        written = document(study, run)
        written.write(folder)
        return {"n_options": len(written.options), "lag": written.lag}

    return make(wanted[0], write)


def read(run: RunFolder) -> Trust:
    """Return the document of a finished study.

    Raises
    ------
    ValidityError
        If there is none.
    """
    found = Trust.read(run)
    if found is None:
        raise ValidityError(f"{run.trust / Trust.FILE} does not exist: run `ta correlate` first")
    return found


def document(study: Study, run: RunFolder) -> Trust:
    """Return the figures of all options as one document."""
    import polars as pl

    tables = {name.removesuffix(".parquet"): load_table(run.series / name) for name in TABLES}
    source = study.survey.source if study.survey else ""
    lag, settings = study.correlate.lags[0], study.correlate
    series = tables["series"]
    shared = sorted(set(_names(series, ADAPTERS)) & set(_names(series, source)))
    both = [pair for pair in shared if not {pair[0], "/".join(pair)} & set(settings.exclude)]
    placebos, reason = placebo_series.read(run)
    options = []
    for item, option in both:
        mine = (pl.col("item") == item) & (pl.col("option") == option)
        here = {name: table.filter(mine) for name, table in tables.items()}
        weeks = _weeks(here["series"].filter(pl.col("source").is_in([ADAPTERS, source])))
        case = _case(here, weeks, source, lag, placebo_series.of_option(placebos, item, option, weeks))
        figures = assess(case, settings.draws, settings.seed)
        asked = here["series"].filter(pl.col("source") == source)["n"].median()
        known = {"weeks": [week.isoformat() for week in weeks], "n_shared": _shared(here["series"], source)}
        known["respondents"] = asked
        options.append({"item": item, "option": option, **known, **figures})
    target = series.filter(pl.col("source") == source)
    checked = {kind: _uniformity(placebos, kind, both, target, lag, settings.seed) for kind in placebos}
    reasons = {"placebos": reason} if reason else {}
    reasons |= {kind: found for kind, found in checked.items() if isinstance(found, str)}
    uniform = {kind: found for kind, found in checked.items() if not isinstance(found, str)}
    return Trust(lag, {"uniform": uniform, "not_available": reasons}, options)


def _uniformity(
    placebos: Mapping[str, pl.DataFrame],
    kind: str,
    names: list[tuple[str, str]],
    survey: pl.DataFrame,
    lag: int,
    seed: int,
) -> dict[str, Any] | str:
    """Return how far the p-values of one kind of placebo are from uniform, or why nobody can say.

    Series that depend on each other have a distance from uniform but no probability of it, and no standard error.
    """
    weeks = _weeks(survey)
    later = [week + lag * WEEK for week in weeks]
    pairs = []
    for place, one in enumerate(placebo_series.in_turn(placebos, kind, names)):
        item, option = names[place % len(names)]
        target = survey.filter((survey["item"] == item) & (survey["option"] == option))
        pairs.append((_values(one, weeks), _values(target, later)))
    both = [(x, y) for x, y in pairs if varying(x, y)]
    try:
        sides = [np.array([pair[side] for pair in both]) for side in (0, 1)]
        seen = unrelated(sides[0], sides[1], UNIFORM_DRAWS, seed)
    except (ValidityError, CorrelateError) as error:
        return str(error)
    independent = kind not in placebo_series.DEPENDENT
    unknown = {} if independent else {"p": None}
    return {
        "n": len(both),
        "mean_r": seen.mean_r,
        "mean_r_se": seen.mean_r_se if independent else None,
        "changes": asdict(seen.changes) | unknown,
        "levels": asdict(seen.levels) | unknown,
    }


def _names(series: pl.DataFrame, source: str) -> list[tuple[str, str]]:
    here = series.filter(series["source"] == source)
    return list(here.select("item", "option").unique(maintain_order=True).iter_rows())


def _weeks(series: pl.DataFrame) -> list[date]:
    days = series["week"].unique().sort().to_list()
    return [days[0] + step * WEEK for step in range((days[-1] - days[0]) // WEEK + 1)]


def _shared(series: pl.DataFrame, source: str) -> int:
    """Return in how many weeks both sides have a value: a survey need not be weekly."""
    known = series.filter(series["value"].is_finite())
    sides = (set(known.filter(known["source"] == name)["week"].to_list()) for name in (ADAPTERS, source))
    return len(set.intersection(*sides))


def _case(
    here: Mapping[str, pl.DataFrame], weeks: list[date], source: str, lag: int, placebos: Mapping[str, Array]
) -> Case:
    series, settings = here["series"], here["settings"]
    others = {
        name: _values(series.filter(series["source"] == name), weeks)
        for name in sorted(set(series["source"].to_list()) - {ADAPTERS, source})
    }
    later = [week + lag * WEEK for week in weeks]
    survey = series.filter(series["source"] == source)
    return Case(
        model=_values(series.filter(series["source"] == ADAPTERS), weeks),
        survey=_values(survey, later),
        survey_se=_values(survey, later, "se"),
        cells=cell_table(here["cells"], weeks),
        settings={
            name: _values(settings.filter(settings["source"] == name), weeks)
            for name in settings["source"].unique(maintain_order=True).to_list()
        },
        baselines=others,
        placebos=placebos,
    )


def _values(table: pl.DataFrame, weeks: list[date], column: str = "value") -> Array:
    known = {week: value for week, value in table.select("week", column).iter_rows() if value is not None}
    return np.array([known.get(week, np.nan) for week in weeks], dtype=np.float64)


def cell_table(table: pl.DataFrame, weeks: list[date]) -> Array:
    """Return one option's answers before pooling as (weeks, seeds, wordings): orders averaged, NaN where missing."""
    seeds, wordings = (table[name].unique().sort().to_list() for name in ("seed", "wording"))
    found = np.full((len(weeks), len(seeds), len(wordings)), np.nan)
    place = [{value: i for i, value in enumerate(axis)} for axis in (weeks, seeds, wordings)]
    import polars as pl

    means = table.group_by("week", "seed", "wording", maintain_order=True).agg(pl.col("cell").mean())
    for week, seed, wording, value in means.iter_rows():
        if week in place[0]:
            found[place[0][week], place[1][seed], place[2][wording]] = value
    return found
