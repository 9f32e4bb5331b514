"""How good the instrument is, where a known truth says so: the study beside other instruments on the same posts.

Takes the material of a report, gives `Markup` and the table behind it. Knows no file and no style.
"""

from __future__ import annotations

import polars as pl

from temporal_adapters.stages.report.markup import Markup, element
from temporal_adapters.stages.report.material import Material, Stale
from temporal_adapters.stages.report.numbers import count, decimal, percent
from temporal_adapters.stages.report.sections import scrolling, section
from temporal_adapters.study.artifacts import Validated

el = element

_COLUMNS = (
    ("r", "r"),
    ("r_changes", "r of changes"),
    ("spearman", "rank"),
    ("rmse", "error, points"),
    ("lag_error", "lag error, weeks"),
    ("coverage", "coverage"),
    ("coverage_survey", "by survey"),
    ("coverage_naive", "naive"),
)


def instrument_table(material: Material) -> pl.DataFrame:
    """Return one row per method and option with every figure of recovery; empty where it was not measured."""
    methods = material.validation.methods if isinstance(material.validation, Validated) else {}
    rows = [
        {"method": method, "option": option, **figures}
        for method, one in methods.items()
        for option, figures in one["options"].items()
    ]
    return pl.DataFrame(rows, infer_schema_length=None) if rows else pl.DataFrame()


def instrument(material: Material) -> Markup | None:
    """Return the recovery of the study and of its references, one row per method."""
    found = material.validation
    if found is None:
        return None
    if isinstance(found, Stale):
        words = "The series have changed since the instrument was validated: run ta validate again to see it here."
        return section("instrument", "How good is the instrument?", el("p", words, class_="note"))
    methods = found.methods
    heads = [
        el("th", "Method", scope="col", class_="text"),
        *(el("th", title, scope="col", class_="number") for _, title in _COLUMNS),
        el("th", "efficiency", scope="col", class_="number"),
    ]
    rows = [
        el(
            "tr",
            el("th", name, scope="row", title=one["what"]),
            [el("td", _cell(one["mean"][key], key), class_="number") for key, _ in _COLUMNS],
            el("td", decimal(one["efficiency"]), class_="number"),
        )
        for name, one in methods.items()
    ]
    study = next(iter(methods.values()))
    said = (
        f"The answers recover {percent(study['efficiency'])} of what {found.ceiling} every mood word of the same "
        f"posts recovers (mean r {decimal(study['mean']['r'])} over {count(len(study['options']))} options and "
        f"{count(found.n_weeks)} weeks)."
    )
    note = (
        f"Means over options. Error, and the share of true weekly values inside {percent(found.confidence)} "
        "intervals, are of levels calibrated without the week in question: by the truth, by the survey, and with the "
        "series' own standard error (seeds and wordings) as the only error. Efficiency is r over that of "
        f"{found.ceiling}, which knows the world's own words."
    )
    items = [el("li", el("b", name), f": {one['what']}") for name, one in methods.items()]
    return section(
        "instrument",
        "How good is the instrument?",
        el("p", said, class_="finding"),
        scrolling(el("table", el("thead", el("tr", heads)), el("tbody", rows)), "Table of instruments"),
        el("p", note, class_="note"),
        el("ul", items, class_="note"),
    )


def _cell(value: float | None, key: str) -> str:
    return percent(value) if key.startswith("coverage") else decimal(value)
