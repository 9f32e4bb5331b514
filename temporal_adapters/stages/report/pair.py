"""The page of two series: the report's headline, cards and explorer, without a panel and a model.

Takes material in which the first side stands where adapters do, gives the page as text. Knows no file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from temporal_adapters.stages.report import cards, explorer, results
from temporal_adapters.stages.report.markup import Markup, document, element, json_block
from temporal_adapters.stages.report.material import Material
from temporal_adapters.stages.report.option import OptionView
from temporal_adapters.stages.report.page import asset, payload
from temporal_adapters.stages.report.sections import section


def render(
    material: Material,
    views: Sequence[OptionView],
    made_of: str,
    made: Sequence[str],
    words: Callable[[str], str],
    script_words: Callable[[str], str],
) -> str:
    """Return the whole page.

    Parameters
    ----------
    material, views
        Both series, and what was found.
    made_of
        What was compared, in a sentence.
    made
        Version, files, settings: one paragraph each.
    words, script_words
        Put the texts of the page, and of its script, into the words of these series.
    """
    title = material.study.report.title or material.study.study
    head = element(
        "header",
        element("p", "temporal-adapters comparison", class_="kicker"),
        element("h1", title),
        element("p", made_of, class_="note"),
    )
    provenance = section("provenance", "How it was made", [element("p", text, class_="note") for text in made])
    parts = [
        results.headline(material, views),
        cards.options(material, views),
        explorer.explorer(material, list(views)),
        provenance,
    ]
    main = element("main", [part for part in parts if part is not None], id="content")
    tip = element("div", id="tip", role="status", aria_live="polite", hidden=True)
    shown = [element("a", "Skip to the results", href="#content", class_="skip"), head, main, tip]
    body = [Markup(words(str(one))) for one in shown]
    script = Markup(script_words(asset("page.js") + asset("explorer.js")))
    return document(
        title, [*body, json_block("data", payload(material, list(views)))], style=asset("page.css"), script=script
    )
