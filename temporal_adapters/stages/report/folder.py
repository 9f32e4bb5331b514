"""Everything in the report's folder: page, figures, tables, methods.

Takes the material of a report and an empty folder, gives files. Knows no statistic.

    index.html
    figures/   series-<item>.svg .pdf .png, lags-<item>, scatter-<item>, panel, recovery
    tables/    findings, series, spread, lags, weeks, mass, trust, placebos, recovery, instrument,
               reader, coverage; as .csv and .parquet
    methods.md  bibliography.bib
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from temporal_adapters.ground.progress import Listener, Tick, silent
from temporal_adapters.ground.tables import write_csv
from temporal_adapters.stages.report import figures, methods, page
from temporal_adapters.stages.report.coverage import coverage_table
from temporal_adapters.stages.report.instrument import instrument_table
from temporal_adapters.stages.report.material import Material, Stale
from temporal_adapters.stages.report.option import Finding, OptionView, option_views
from temporal_adapters.stages.report.placebos import placebo_table
from temporal_adapters.stages.report.quality import mass_table, trust_table
from temporal_adapters.stages.report.reader import reader_table


def write(material: Material, folder: Path, listener: Listener = silent) -> int:
    """Write the whole report into `folder`; return the bytes of the page."""
    views = option_views(material)
    text = page.render(material, views)
    (folder / "index.html").write_text(text, encoding="utf-8")
    words = methods.methods(material)
    (folder / "methods.md").write_text(words, encoding="utf-8")
    (folder / "bibliography.bib").write_text(methods.bibliography(words), encoding="utf-8")
    _write_tables(material, views, folder / "tables")
    _write_figures(material, views, folder / "figures", listener)
    return len(text.encode())


def tables(material: Material, views: list[OptionView]) -> dict[str, pl.DataFrame]:
    """Return every table of the report by name; empty ones are left out."""
    found = {
        "findings": _findings(views),
        "series": material.series,
        "spread": material.spread,
        "lags": material.lags,
        "weeks": material.weeks,
        "mass": mass_table(material.answers),
        "trust": trust_table(material),
        "placebos": placebo_table(material),
        "recovery": _recovery(material),
        "instrument": instrument_table(material),
        "reader": reader_table(material),
        "coverage": _coverage(material),
    }
    return {name: frame for name, frame in found.items() if frame.height}


def _findings(views: list[OptionView]) -> pl.DataFrame:
    rows = [_flat(one) for view in views for one in view.findings]
    return pl.DataFrame(rows, infer_schema_length=None) if rows else pl.DataFrame()


def _flat(one: Finding) -> dict[str, Any]:
    row = asdict(one)
    details, naive = row.pop("details"), row.pop("not_valid_here")
    return {**row, **_leaves(details), **_leaves(naive, "not_valid_here_")}


def _leaves(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values under joined names: a spreadsheet has no place for tables in a cell."""
    found: dict[str, Any] = {}
    for name, entry in value.items():
        if isinstance(entry, Mapping):
            found |= _leaves(entry, f"{prefix}{name}_")
        else:
            found[f"{prefix}{name}"] = json.dumps(entry) if isinstance(entry, list) else entry
    return found


def _recovery(material: Material) -> pl.DataFrame:
    options = material.recovery.options if material.recovery else {}
    rows = [{"option": option, **one} for option, one in options.items()]
    return pl.DataFrame(rows, infer_schema_length=None) if rows else pl.DataFrame()


def _coverage(material: Material) -> pl.DataFrame:
    found = material.coverage
    return pl.DataFrame() if found is None or isinstance(found, Stale) else coverage_table(found)


def _write_tables(material: Material, views: list[OptionView], folder: Path) -> None:
    folder.mkdir()
    for name, frame in tables(material, views).items():
        frame.write_parquet(folder / f"{name}.parquet")
        write_csv(frame, folder / f"{name}.csv")


def _write_figures(material: Material, views: list[OptionView], folder: Path, listener: Listener) -> None:
    settings = material.study.report
    if not settings.figures:
        return
    folder.mkdir()
    made = list(figures.figures(material, views))
    for number, (name, figure) in enumerate(made):
        listener(Tick("report", number, len(made), "figures", name))
        for kind in settings.figures:
            figures.save(figure, folder / f"{name}.{kind}", kind, settings.dpi)
    listener(Tick("report", len(made), len(made), "figures"))
