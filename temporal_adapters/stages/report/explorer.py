"""The frame of the explorer: its controls, which the page's script brings to life; hidden without a script.

Takes the material of a report and its option views, gives `Markup`. Knows no file.
"""

from __future__ import annotations

from collections.abc import Sequence

from temporal_adapters.stages.report.markup import Markup, element
from temporal_adapters.stages.report.material import Material
from temporal_adapters.stages.report.option import OptionView
from temporal_adapters.stages.report.sections import scrolling

el = element
_VIEWS = (("z", "z-scores"), ("min-max", "range as 0 to 1"), ("raw", "as measured"))
_REACH = 8
"""Lags in weeks that can be looked at, in both directions."""


def explorer(material: Material, views: Sequence[OptionView]) -> Markup:
    """Return the explorer's section."""
    names = [f"{view.option} ({material.questions.get(view.item, view.item)})" for view in views]
    last = len(material.labels) - 1
    surveyed = material.survey is not None
    controls = [
        _control("Option", el("select", [el("option", n, value=i) for i, n in enumerate(names)], data_part="option")),
        _control("View", el("select", [el("option", n, value=v) for v, n in _VIEWS], data_part="view")),
        _slider("Lag in weeks, + = the model leads", "lag", -_REACH, _REACH, 0) if surveyed else _fixed("lag"),
        _slider("Week", "week", 0, last, last),
        el(
            "label",
            el("input", type="checkbox", data_part="smooth"),
            " 3-week mean (for looking)",
            class_="control check",
        ),
    ]
    chart = el("svg", viewBox="0 0 560 240", class_="chart", data_part="chart", aria_hidden="true")
    head = el("tr", el("th", "Option", scope="col"), *_heads(material))
    table = el("table", el("caption"), el("thead", head), el("tbody"), data_part="week-table")
    return el(
        "section",
        el("h2", "Explore", id="explorer-title"),
        el("p", "Any option, lag and week. Choosing a lag here is looking, not testing.", class_="note"),
        el("div", controls, class_="controls"),
        el("div", chart, scrolling(table, "Values of the chosen week"), class_="explored"),
        el("p", data_part="said", class_="said", role="status"),
        id="explorer",
        aria_labelledby="explorer-title",
        hidden=True,
    )


def _heads(material: Material) -> list[Markup]:
    names = (f"adapters ({material.study.series.scale})", material.survey or "survey")
    return [el("th", name, scope="col", class_="number") for name in names]


def _control(words: str, control: Markup) -> Markup:
    return el("label", el("span", words), control, class_="control")


def _slider(words: str, part: str, low: int, high: int, start: int) -> Markup:
    slider = el("input", type="range", min=low, max=high, value=start, step=1, data_part=part)
    return el("label", el("span", words, ": ", el("output", data_part=f"{part}-out")), slider, class_="control")


def _fixed(part: str) -> Markup:
    """Return a control that nobody sees: without a survey there is no lag."""
    return el(
        "span", el("input", type="range", value=0, data_part=part), el("output", data_part=f"{part}-out"), hidden=True
    )
