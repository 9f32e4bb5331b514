"""Proof in the report that adapters act: the loss of each week's posts under its own adapter, its neighbours, the base.

Takes the material of a report, gives `Markup`. Knows no file and no style.
"""

from __future__ import annotations

import polars as pl

from temporal_adapters.stages.report.markup import Markup, element
from temporal_adapters.stages.report.material import Material
from temporal_adapters.stages.report.numbers import NONE, decimal, plural
from temporal_adapters.stages.report.sections import scrolling, section

el = element

_COLUMNS = (("adapter of the week before", "before"), ("own", "own"), ("of the week after", "after"), ("base", "base"))


def proof_table(losses: pl.DataFrame) -> pl.DataFrame:
    """Return one row per week: mean loss per token of its posts under four models, null where there is no such model.

    Returns
    -------
    week, n_posts, before, own, after, base (natural log per token)
    """
    place = (
        pl.when(pl.col("offset").is_null()).then(pl.lit("base"))
        .when(pl.col("offset") < 0).then(pl.lit("before"))
        .when(pl.col("offset") > 0).then(pl.lit("after"))
        .otherwise(pl.lit("own"))
    )  # fmt: skip
    wide = losses.with_columns(place=place).pivot("place", index=["week", "n_posts"], values="loss")
    missing = [pl.lit(None, pl.Float64).alias(name) for _, name in _COLUMNS if name not in wide.columns]
    return wide.with_columns(missing).select("week", "n_posts", *(name for _, name in _COLUMNS)).sort("week")


def proof(material: Material) -> Markup | None:
    """Return the matrix of losses, or None where it was not measured."""
    if material.proof is None or material.proof.is_empty():
        return None
    table = proof_table(material.proof)
    lowest = pl.min_horizontal("before", "own", "after")
    n_right = table.filter(pl.col("own") <= lowest).height
    kind = "posts held out of training" if material.study.tokens.held_out else "posts that it was trained on"
    posts, weeks = plural(material.study.probe.proof_posts, "post"), plural(table.height, "week")
    words = (
        f"Mean loss per token on up to {posts} of each week ({kind}) under the adapter of the week, of the weeks beside"
        f" it, and the base: in {n_right} of {weeks} the week's own adapter fits best. Every adapter answers otherwise"
        " than the base."
    )
    heads = [el("th", "week", scope="col"), *(el("th", name, scope="col", class_="number") for name, _ in _COLUMNS)]
    rows = [
        el("tr", el("th", row["week"], scope="row"), [_cell(row, name) for _, name in _COLUMNS])
        for row in table.iter_rows(named=True)
    ]
    body = el("table", el("thead", el("tr", heads)), el("tbody", rows))
    details = el("details", el("summary", "Losses by week"), scrolling(body, "Table of losses by week"))
    return section("proof", "Every adapter is the one of its week", el("p", words, class_="note"), details)


def _cell(row: dict[str, float | None], name: str) -> Markup:
    value = row[name]
    known = [one for one in (row["before"], row["own"], row["after"]) if one is not None]
    shown = NONE if value is None else decimal(value, 3)
    is_lowest = value is not None and name != "base" and value == min(known)
    return el("td", el("b", shown) if is_lowest else shown, class_="number")
