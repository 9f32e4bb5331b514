"""One self-contained HTML page.

Takes the material of a report, gives the page as text. Knows no file but its own style sheet and script, which it puts
inside the page; a content security policy forbids every request and every script but that one.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

from temporal_adapters.stages.report import (
    cards,
    coverage,
    explorer,
    instrument,
    mixing,
    placebos,
    proof,
    quality,
    reader,
    results,
    sections,
)
from temporal_adapters.stages.report.markup import Markup, document, element, json_block
from temporal_adapters.stages.report.material import Material
from temporal_adapters.stages.report.option import OptionView


def render(material: Material, views: list[OptionView]) -> str:
    """Return the whole page."""
    style = asset("page.css")
    script = Markup(asset("page.js") + asset("explorer.js"))
    parts = [
        results.headline(material, views),
        sections.recovery(material),
        instrument.instrument(material),
        mixing.mixing(material),
        sections.panel(material),
        coverage.coverage(material),
        cards.options(material, views),
        explorer.explorer(material, views),
        reader.reader(material),
        quality.trust(material),
        placebos.placebos(material),
        quality.mass(material),
        proof.proof(material),
        sections.votes(material),
        sections.provenance(material),
    ]
    title = material.study.report.title or material.study.study
    main = element("main", [part for part in parts if part is not None], id="content")
    tip = element("div", id="tip", role="status", aria_live="polite", hidden=True)
    body = [
        element("a", "Skip to the results", href="#content", class_="skip"),
        sections.overview(material),
        main,
        tip,
        json_block("data", payload(material, views)),
    ]
    return document(title, body, style=style, script=script)


def asset(name: str) -> Markup:
    """Return a style sheet or script of the page."""
    return Markup(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))


def payload(material: Material, views: list[OptionView]) -> dict[str, Any]:
    """Return the numbers that the page's script shows: by week, rounded to five significant digits."""
    return {
        "weeks": material.labels,
        "survey": material.survey,
        "posts": material.weeks["n_posts"].to_list(),
        "users": material.weeks["n_users"].to_list(),
        "options": [
            {
                "item": view.item,
                "option": view.option,
                "a": _short(view.adapters.value),
                "lo": _short(view.adapters.low),
                "hi": _short(view.adapters.high),
                "s": _short(view.survey.value),
                "slo": _short(view.survey.low),
                "shi": _short(view.survey.high),
                "tested": {str(one.lag): one.verdict for one in view.findings},
            }
            for view in views
        ],
    }


def _short(values: list[float | None]) -> list[float | None]:
    return [None if value is None else float(f"{value:.5g}") for value in values]
