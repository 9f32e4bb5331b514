"""Coverage: how many of the posts that were asked for the panel holds.

Takes the material of a report, gives `Markup`. Knows no file and no style.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from temporal_adapters.ground.dates import week_label
from temporal_adapters.stages.report.markup import Markup, element
from temporal_adapters.stages.report.material import Material, Stale
from temporal_adapters.stages.report.numbers import count, percent, plural
from temporal_adapters.stages.report.sections import scrolling, section
from temporal_adapters.study.artifacts import Coverage

el = element

_TITLE = "How much of the posts is there"


def coverage(material: Material) -> Markup | None:
    """Return the share of the posts asked for, over weeks and users; None where it was not counted."""
    found = material.coverage
    if found is None:
        return None
    if isinstance(found, Stale):
        words = "The panel's settings changed since its coverage was counted: run ta panel coverage again to see it."
        return section("coverage", _TITLE, el("p", words, class_="note"))
    heads = [el("th", "week", scope="col"), *(el("th", name, scope="col", class_="number") for name in _COLUMNS)]
    rows = [_row(*row) for row in coverage_table(found).iter_rows()]
    table = el("table", el("thead", el("tr", heads)), el("tbody", rows))
    details = el("details", el("summary", "Coverage by week"), scrolling(table, "Table of the coverage by week"))
    return section("coverage", _TITLE, el("p", _finding(found), class_="finding"), _users(found), details)


_COLUMNS = ("asked for", "found", "share")


def coverage_table(found: Coverage) -> pl.DataFrame:
    """Return week (label, ``unknown`` without one), asked, found and share, one row per week."""
    rows = [
        (week_label(date.fromisoformat(one["week"])) if one["week"] else "unknown", one["asked"], one["found"])
        for one in found.weeks
    ]
    frame = pl.DataFrame(rows, schema={"week": pl.String, "asked": pl.Int64, "found": pl.Int64}, orient="row")
    return frame.with_columns(share=pl.col("found") / pl.col("asked"))


def _finding(found: Coverage) -> str:
    table = coverage_table(found)
    known = table.filter(pl.col("week") != "unknown")
    words = (
        f"{count(found.found)} of {plural(found.asked, 'post')} asked for are in the files "
        f"({percent(found.found / found.asked)}), as counted on {found.counted}."
    )
    if known.height < 2:
        return words
    least, most = known.sort("share", "week")[0], known.sort("share", "week")[-1]
    return (
        f"{words} By week: from {percent(least['share'][0])} ({least['week'][0]}) to {percent(most['share'][0])} "
        f"({most['week'][0]})."
    )


def _users(found: Coverage) -> Markup:
    missing = "Posts that are gone are rarely gone at random: deleted, suspended and protected users take theirs along."
    if not found.users:
        return el("p", missing, class_="note")
    spread = ", ".join(f"{percent(share)} at quantile {q}" for q, share in found.shares.items())
    words = (
        f"{count(found.users_without)} of {plural(found.users, 'user')} have no post found; share per user: {spread}."
    )
    return el("p", f"{words} {missing}", class_="note")


def _row(week: str, asked: int, found: int, share: float) -> Markup:
    cells = [el("td", text, class_="number") for text in (count(asked), count(found), percent(share))]
    return el("tr", el("th", week, scope="row"), cells)
