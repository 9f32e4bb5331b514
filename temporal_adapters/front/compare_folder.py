"""A comparison as files: results, tables, methods and the page, by the parts of the report.

Takes a `Comparison`, gives a folder. Computes no statistic.
"""

from __future__ import annotations

import json
import platform
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from temporal_adapters import __version__
from temporal_adapters.ground.errors import UsageError
from temporal_adapters.ground.tables import ADAPTERS, ANSWERS, SERIES, write_csv
from temporal_adapters.stages.correlate.lags import document
from temporal_adapters.stages.report import Material, bibliography, comparison_methods, option_views, pair
from temporal_adapters.study.artifacts import Results
from temporal_adapters.study.config import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from temporal_adapters.front.compare import Comparison

_FILES = ("results.json", "results.csv", "lags.csv", "series.csv", "methods.md", "bibliography.bib", "index.html")


def write(found: Comparison, folder: Path) -> Path:
    """Write everything; return the page."""
    if folder.is_file() or (folder.is_dir() and {path.name for path in folder.iterdir()} - {*_FILES}):
        raise UsageError(f"{folder} holds something else: name a folder that is new, or a comparison's")
    folder.mkdir(parents=True, exist_ok=True)
    told = results(found)
    told.write(folder)
    write_csv(found.table, folder / "results.csv")
    write_csv(found.lags, folder / "lags.csv")
    write_csv(_series(found), folder / "series.csv")
    material = material_of(found, told)
    methods = found.wording.text(comparison_methods(material))
    (folder / "methods.md").write_text(methods, encoding="utf-8")
    (folder / "bibliography.bib").write_text(bibliography(methods), encoding="utf-8")
    page = folder / "index.html"
    page.write_text(_page(found, material), encoding="utf-8")
    return page


def results(found: Comparison) -> Results:
    """Return the document of the stage `correlate`, in the words of these series; `facts` say what was compared."""
    told, wording = document(found.analysis, found.settings.confidence), found.wording
    for one in told.results:
        for name in ("sentence", "not_valid_sentence"):
            one[name] = wording.text(one[name])  # type: ignore[index]
        if "heaviest_week" in one["details"]:
            day = one["details"]["heaviest_week"]
            one["details"]["heaviest_week"] = wording.days.get(day, day)
    compared = {"x": found.x.name, "y": found.y.name, "unit": found.x.unit}
    plan = {name: found.plan[name] for name in ("created", "key")} if found.plan else None
    return replace(told, headline=found.sentences[0], facts={**told.facts, **compared}, plan=plan)


def material_of(found: Comparison, told: Results) -> Material:
    """Return both sides as the material of a report: the first stands where adapters do, the second for the survey."""
    pairs = found.pairs
    axis = {"week": pairs.weeks, "label": found.labels}
    empty = [pl.lit(None, dtype=pl.Int64).alias(name) for name in ("n_posts", "n_users")]
    study = Study.model_validate(
        {
            "study": "comparison",
            "panel": {"paths": ["none"]},
            "survey": {"paths": ["none"], "source": "survey"},
            "correlate": found.settings.model_dump(),
            "report": {"title": f"{found.x.name} and {found.y.name}"},
        }
    )
    return Material(
        study=study,
        weeks=pl.DataFrame(axis, schema={"week": pl.Date, "label": pl.String}).with_columns(empty),
        answers=ANSWERS.empty(),
        series=_long(found),
        lags=found.lags,
        results=told,
        order=pairs.names,
    )


def _long(found: Comparison) -> pl.DataFrame:
    rows = [
        (source, *name, week, float(value), None, None)
        for source, side in ((ADAPTERS, found.pairs.model), ("survey", found.pairs.survey))
        for name, values in zip(found.pairs.names, side, strict=True)
        for week, value in zip(found.pairs.weeks, values, strict=True)
        if value == value  # NaN: missing
    ]
    return pl.DataFrame(rows, schema=dict(SERIES.columns), orient="row")


def _series(found: Comparison) -> pl.DataFrame:
    """Return item, option, step (as people call it), x and y; one row per step of the grid."""
    parts = []
    for row, (item, option) in enumerate(found.pairs.names):
        both = {found.x.unit: found.labels, "x": found.pairs.model[row], "y": found.pairs.survey[row]}
        names = (pl.lit(item).alias("item"), pl.lit(option).alias("option"))
        parts.append(pl.DataFrame(both).fill_nan(None).select(*names, pl.all()))
    return pl.concat(parts)


def _page(found: Comparison, material: Material) -> str:
    x, y = found.x, found.y
    made = [
        f"temporal-adapters {__version__}, Python {platform.python_version()}",
        f"{x.name}: {x.where}",
        f"{y.name}: {y.where}",
        json.dumps(found.settings.model_dump(mode="json")),
    ]
    made_of = f"{len(found.labels)} {x.unit}s from {found.labels[0]} to {found.labels[-1]}."
    return pair.render(material, option_views(material), made_of, made, found.wording.page, found.wording.script)


def drawing(found: Comparison, path: Path | None) -> Figure:
    """Return small multiples of both series; with a path they are saved, too."""
    from matplotlib.text import Text

    from temporal_adapters.stages.report import series_figure
    from temporal_adapters.stages.report.figures import save

    material = material_of(found, results(found))
    figure = series_figure(material, option_views(material))
    for text in figure.findobj(Text):
        text.set_text(found.wording.text(text.get_text()))
    if path is not None:
        if path.suffix not in (".svg", ".pdf", ".png"):
            raise UsageError(f"{path}: the name must end in .svg, .pdf or .png")
        save(figure, path, path.suffix[1:], 200)
    return figure
