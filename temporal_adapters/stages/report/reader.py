"""Reader and adapters beside each other: how far they agree, and the weeks in which they do not.

Takes the material of a report, gives `Markup` and a table. Knows no file and no style.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import polars as pl

from temporal_adapters.engines.significance import pearson, r_of_differences
from temporal_adapters.ground.tables import ADAPTERS
from temporal_adapters.stages.report import charts
from temporal_adapters.stages.report.axes import Value
from temporal_adapters.stages.report.markup import Markup, element
from temporal_adapters.stages.report.material import Material, Stale
from temporal_adapters.stages.report.numbers import decimal, plural
from temporal_adapters.stages.report.option import Curve
from temporal_adapters.stages.report.sections import scrolling, section
from temporal_adapters.stages.report.views import reference

el = element

N_WEEKS = 3
"""Weeks named per option as those of the largest difference."""

_TITLE = "Adapters and reader"
_SENTENCE = "Adapters ask what the week's language makes likely; the reader asks what each post makes likely."
_SCHEMA = {
    "item": pl.String,
    "option": pl.String,
    "week": pl.String,
    "adapters": pl.Float64,
    "reader": pl.Float64,
    "difference": pl.Float64,
}


def reader(material: Material) -> Markup | None:
    """Return both series of every option; None where the study has no reader."""
    found = material.reader
    if found is None:
        return None
    if isinstance(found, Stale):
        words = "The reader's posts, base or scale are no longer those of the study: run ta read again."
        return section("reader", _TITLE, el("p", words, class_="note"))
    parts = [
        _item(material, str(item), part)
        for (item,), part in reader_table(material).partition_by("item", as_dict=True, maintain_order=True).items()
    ]
    if not parts:
        return None
    return section("reader", _TITLE, el("p", _SENTENCE, class_="finding"), el("p", _NOTE, class_="note"), parts)


_NOTE = (
    "Both series are z-scores over the weeks that they share; differences are adapters minus reader, in standard "
    "deviations. r is of the levels; two persistent series correlate in levels by themselves, so r of the changes from "
    "week to week stands beside it. Neither is a test."
)


def reader_table(material: Material) -> pl.DataFrame:
    """Return item, option, week, both values (z) and their difference; one row per option and week of the axis."""
    found = material.reader
    if not isinstance(found, pl.DataFrame):
        return pl.DataFrame(schema=_SCHEMA)
    rows = []
    for item, option in material.options():
        one = (pl.col("item") == item) & (pl.col("option") == option)
        ours = _curve(material, material.series.filter(one & (pl.col("source") == ADAPTERS)))
        theirs = _curve(material, found.filter(one))
        if not any(value is not None for value in theirs.value):
            continue
        a, b = (side.moved(*reference(side, other, "z")).value for side, other in ((ours, theirs), (theirs, ours)))
        both = zip(material.labels, a, b, strict=True)
        rows += [(item, option, week, x, y, None if x is None or y is None else x - y) for week, x, y in both]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _curve(material: Material, rows: pl.DataFrame) -> Curve:
    known = dict(zip(rows["week"], rows["value"], strict=True))
    values: list[Value] = [known.get(week) for week in material.weeks["week"]]
    return Curve(values, [None] * len(values), [None] * len(values))


def _item(material: Material, item: str, table: pl.DataFrame) -> Markup:
    options = table.partition_by("option", as_dict=True, maintain_order=True)
    head = el("thead", el("tr", [el("th", name, scope="col", class_=kind) for name, kind in _COLUMNS]))
    rows = [_row(str(option), part) for (option,), part in options.items()]
    figures = [_figure(material, str(option), part) for (option,), part in options.items()]
    return el(
        "div",
        el("h3", material.questions.get(item, item)),
        scrolling(el("table", head, el("tbody", rows)), f"Table of adapters and reader, {item}"),
        el("div", figures, class_="pair"),
    )


_COLUMNS = (
    ("Option", "text"),
    ("weeks", "number"),
    ("r", "number"),
    ("r of changes", "number"),
    ("they differ most in", "text"),
)


def agreement(part: pl.DataFrame) -> tuple[int, Value, Value]:
    """Return the weeks that both have, r of the levels and r of the changes of one option; None where undefined."""
    a, b = (part[name].cast(pl.Float64).fill_null(math.nan).to_numpy() for name in ("adapters", "reader"))
    levels, changes = float(pearson(a, b)), r_of_differences(a, b, np.arange(len(a)))
    n = part["difference"].drop_nulls().len()
    return n, _known(levels) if n > 2 else None, _known(changes)


def _known(value: float) -> Value:
    return None if math.isnan(value) else value


def farthest(part: pl.DataFrame) -> Sequence[tuple[str, float]]:
    """Return the weeks of the largest differences of one option, the largest first, ties by week."""
    known = part.drop_nulls("difference").with_columns(size=pl.col("difference").abs())
    top = known.sort("size", "week", descending=[True, False]).head(N_WEEKS)
    return list(top.select("week", "difference").iter_rows())


def _row(option: str, part: pl.DataFrame) -> Markup:
    n, r, changes = agreement(part)
    apart = ", ".join(f"{week} ({_signed(by)})" for week, by in farthest(part))
    numbers = [el("td", text, class_="number") for text in (str(n), decimal(r), decimal(changes))]
    return el("tr", el("th", option, scope="row"), numbers, el("td", apart))


def _signed(value: float) -> str:
    return f"+{decimal(value)}" if value > 0 else decimal(value)


def _figure(material: Material, option: str, part: pl.DataFrame) -> Markup:
    n, r, _ = agreement(part)
    words = f"{option} by adapters and by reader over {plural(n, 'shared week')}, z-scores: r {decimal(r)}."
    lines = [("adapters", part["adapters"].to_list()), ("reader", part["reader"].to_list())]
    keys = [el("span", el("i", class_=f"key kind kind-{place}"), f" {name} ") for place, (name, _) in enumerate(lines)]
    chart = charts.compared_chart(material.labels, lines, words)
    return el("figure", el("figcaption", el("b", option), " ", keys), chart)
