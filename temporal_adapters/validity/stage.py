"""The stage `validity`: `series/` to `validity/validity.json`.

Takes a study and its run folder, gives one JSON document with the figures of every option that both the adapters
and the survey have, at the first tested lag. Reads tables only; knows no adapter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from temporal_adapters.artifacts import Expected, Manifest, RunFolder, publish, read_manifest
from temporal_adapters.config import Study, scientific
from temporal_adapters.dates import WEEK
from temporal_adapters.errors import ValidityError
from temporal_adapters.significance.autoregression import Array
from temporal_adapters.tables import ADAPTERS
from temporal_adapters.validity.assess import Case, assess

if TYPE_CHECKING:
    import polars as pl

STAGE = "validity"
VERSION = 4
PLACEBO = "placebo"
"""Beginning of a source's name that makes its series placebos; other sources are baselines."""
_TABLES = ("series.parquet", "cells.parquet", "settings.parquet")


def expected(study: Study, run: RunFolder) -> list[Expected]:
    """Return what this stage would publish today; nothing while the series are missing or there is no survey."""
    series = read_manifest(run.series)
    if study.survey is None or series is None or not set(_TABLES) <= set(series.outputs):
        return []
    config = {"correlate": scientific(study.correlate), "survey": {"source": study.survey.source}}
    inputs = {name: str(series.outputs[name]["sha256"]) for name in _TABLES}
    return [Expected(run.root / STAGE, STAGE, VERSION, config, inputs)]


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
    due = wanted[0]
    if due.state != "done":
        with publish(
            due.folder, stage=STAGE, key=due.key, version=VERSION, config=due.config, inputs=due.inputs
        ) as work:
            written = document(study, run)
            (work.folder / "validity.json").write_text(json.dumps(written, indent=1, allow_nan=False), encoding="utf-8")
            work.facts.update(n_options=len(written["options"]), lag=written["lag"])
    manifest = read_manifest(due.folder)
    if manifest is None:
        raise ValidityError(f"{due.folder} vanished while it was written: run the stage again")
    return manifest


def read(run: RunFolder) -> dict[str, Any]:
    """Return the document of a finished study.

    Raises
    ------
    ValidityError
        If there is none.
    """
    path = run.root / STAGE / "validity.json"
    if not path.is_file():
        raise ValidityError(f"{path} does not exist: run `ta correlate` first")
    return dict(json.loads(path.read_text(encoding="utf-8")))


def document(study: Study, run: RunFolder) -> dict[str, Any]:
    """Return the figures of all options as one JSON value."""
    import polars as pl

    tables = {name.removesuffix(".parquet"): pl.read_parquet(run.series / name) for name in _TABLES}
    source = study.survey.source if study.survey else ""
    lag, settings = study.correlate.lags[0], study.correlate
    series = tables["series"]
    both = set(_names(series, ADAPTERS)) & set(_names(series, source))
    options = []
    for item, option in sorted(both):
        mine = (pl.col("item") == item) & (pl.col("option") == option)
        here = {name: table.filter(mine) for name, table in tables.items()}
        weeks = _weeks(here["series"].filter(pl.col("source").is_in([ADAPTERS, source])))
        figures = assess(_case(here, weeks, source, lag), settings.draws, settings.seed)
        asked = here["series"].filter(pl.col("source") == source)["n"].median()
        known = {"weeks": [week.isoformat() for week in weeks], "respondents": asked}
        options.append({"item": item, "option": option, **known, **figures})
    return {"lag": lag, "options": options}


def _names(series: pl.DataFrame, source: str) -> list[tuple[str, str]]:
    here = series.filter(series["source"] == source)
    return list(here.select("item", "option").unique(maintain_order=True).iter_rows())


def _weeks(series: pl.DataFrame) -> list[date]:
    days = series["week"].unique().sort().to_list()
    return [days[0] + step * WEEK for step in range((days[-1] - days[0]) // WEEK + 1)]


def _case(here: Mapping[str, pl.DataFrame], weeks: list[date], source: str, lag: int) -> Case:
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
        baselines={name: values for name, values in others.items() if not name.startswith(PLACEBO)},
        placebos={name: values for name, values in others.items() if name.startswith(PLACEBO)},
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
