"""The mixing experiment: do the answers follow the share of a label in the posts?

Takes the material of a report, gives `Markup`. Knows no file and no style.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from temporal_adapters.stages.report import charts
from temporal_adapters.stages.report.markup import Markup, element
from temporal_adapters.stages.report.material import Material, Stale
from temporal_adapters.stages.report.numbers import NONE, decimal, percent, plural
from temporal_adapters.stages.report.sections import scrolling, section
from temporal_adapters.study.artifacts import Mixed

el = element

_COLUMNS = (
    "Option",
    "base",
    "lowest share",
    "highest share",
    "rank correlation",
    "r",
    "steps",
    "slope",
    "95\u00a0% interval",
)


def mixing(material: Material) -> Markup | None:
    """Return the curves of the two options that stand for the labels, and the figures of every option."""
    found = material.mixing
    if found is None:
        return None
    if isinstance(found, Stale):
        words = "The study trains or asks otherwise since its mixing experiment: run ta mix again to see it here."
        return section("mixing", "Do the answers follow the posts?", el("p", words, class_="note"))
    high, low = found.high, found.low
    rows = [_row(option, found.options[option]) for option in _in_order(found.options, high, low)]
    heads = [el("th", name, scope="col", class_="number" if place else "text") for place, name in enumerate(_COLUMNS)]
    return section(
        "mixing",
        "Do the answers follow the posts?",
        el("p", _finding(found), class_="finding"),
        _chart(found, high, low),
        scrolling(el("table", el("thead", el("tr", heads)), el("tbody", rows)), "Table of the mixing experiment"),
        el("p", _note(found), class_="note"),
    )


def _in_order(options: Mapping[str, Any], high: str, low: str) -> list[str]:
    return [high, low, *(name for name in options if name not in (high, low))]


def _finding(found: Mixed) -> str:
    one = found.options[found.high]
    calibrated = found.calibration["answer"]
    return (
        f"Adapters on posts of which a known share is {found.label_high}, the rest {found.label_low}: "
        f"{found.high} follows the share with a rank correlation of {decimal(one['spearman']['mean'])} (mean over "
        f"{plural(len(found.seeds), 'seed')}). Calibrated on the other shares, it tells the share with an error "
        f"(RMSE) of {decimal(calibrated['rmse'])}; guessing has {decimal(calibrated['rmse_guess'])}."
    )


def _note(found: Mixed) -> str:
    return (
        f"{plural(len(found.shares), 'share')}, {plural(len(found.seeds), 'seed')}, "
        f"{plural(found.n_posts, 'post')} per mix ({found.origin}); trained and asked like the weeks. Steps: "
        f"neighbouring shares between which the answer rises ({found.low}: falls). Correlations are means over "
        "seeds, intervals are over seeds."
    )


def _chart(found: Mixed, high: str, low: str) -> Markup:
    labels = [f"{share:g}" for share in found.shares]
    lines: list[tuple[str, Sequence[float | None]]] = [(name, found.options[name]["mean"]) for name in (high, low)]
    ends = "; ".join(f"{name} from {decimal(values[0])} to {decimal(values[-1])}" for name, values in lines)
    words = f"Share of the answers over the share of {found.label_high} posts: {ends}."
    keys = [el("span", el("i", class_=f"key kind kind-{place}"), f" {name} ") for place, (name, _) in enumerate(lines)]
    caption = el("figcaption", keys, f"over the share of {found.label_high} posts")
    return el("figure", caption, charts.level_chart(labels, lines, words))


def _row(option: str, one: Mapping[str, Any]) -> Markup:
    interval = one["slope_interval"]
    cells = [
        *(decimal(one[key], 3) for key in ("base", "at_lowest", "at_highest")),
        decimal(one["spearman"]["mean"]),
        decimal(one["pearson"]["mean"]),
        percent(one["steps"]["mean"]),
        decimal(one["slope"]["mean"], 3),
        NONE if interval is None else f"{decimal(interval[0], 3)} to {decimal(interval[1], 3)}",
    ]
    return el("tr", el("th", option, scope="row"), [el("td", cell, class_="number") for cell in cells])
