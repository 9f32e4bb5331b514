"""What the study found: the headline, the sortable table, and one card per option.

Takes the material of a report and its option views, gives `Markup`. Knows no file and no style.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from temporal_adapters.stages.report.axes import Value
from temporal_adapters.stages.report.markup import Markup, element
from temporal_adapters.stages.report.material import Material
from temporal_adapters.stages.report.numbers import NONE, count, decimal, p_words, plural, probability, signed
from temporal_adapters.stages.report.option import VERDICTS, Finding, OptionView
from temporal_adapters.stages.report.sections import scrolling, section

el = element


_MEANING = {
    "tracks": "levels and week-to-week changes both move with the survey",
    "tracks weekly changes": "week-to-week changes move with the survey, levels no more than persistence makes them",
    "co-trends": "levels share a drift; common week-to-week changes were not shown",
    "contradictory": "levels and changes point in opposite directions",
    "no evidence": "nothing beyond what two unrelated persistent series show",
}


def headline(material: Material, views: Sequence[OptionView]) -> Markup | None:
    """Return what correlates: one paragraph per item, then the table of everything that was tested."""
    tested = [view for view in views if view.findings]
    if not tested:
        return None
    names = list(dict.fromkeys(view.item for view in tested))
    seen = [name for name in _MEANING if any(one.verdict == name for view in tested for one in view.findings)]
    meanings = [el("span", verdict_mark(name), f" {_MEANING[name]}") for name in seen]
    return section(
        "results",
        "What correlates",
        [_item_sentence(material, name, [view for view in tested if view.item == name]) for name in names],
        el("p", _family(material), class_="note"),
        el("p", meanings, class_="legend"),
        _table(tested),
        _plan(material),
    )


def _plan(material: Material) -> list[Markup]:
    """Return whether the analysis was frozen before looking, and where it deviates from that."""
    frozen = material.results.plan if material.results else None
    if not frozen or not material.results:
        return [el("p", "The analysis was not frozen before looking (ta plan).", class_="note")]
    said = [el("p", f"The analysis was frozen on {frozen['created']} (key {frozen['key'][:12]}).", class_="note")]
    for one in material.results.deviations:
        change = f"{one['what']} was {one['planned']}, is {one['now']}"
        words = f"Deviation from the plan: {change} ({one['reason'] or 'no reason given'})."
        said.append(el("p", words, class_="note"))
    return said


def _family(material: Material) -> str:
    facts, settings = material.results.facts if material.results else {}, material.study.correlate
    lags = ", ".join(signed(lag) for lag in settings.lags)
    words = (
        f"Tested at lag {lags} (weeks; positive = the model leads), {plural(facts['family_size'], 'test')} of "
        f"{plural(facts['n_options'], 'option')} over {facts['n_weeks']} shared weeks. p is family-wise, and "
        f"verdicts hold {settings.alpha:g} over the family and both tests: one of them must find a pair at half of it. "
        f"q controls the false discovery rate. Nothing was smoothed before testing.{_taken_out(facts)}"
    )
    reach = facts.get("detectable_r")
    return words if reach is None else f"{words} Correlations of changes below {decimal(reach)} would mostly be missed."


def _taken_out(facts: Mapping[str, Any]) -> str:
    names = facts.get("adjust")
    return f" Taken out of both series before testing: {', '.join(names)}." if names else ""


def verdict_mark(verdict: str) -> Markup:
    """Return a verdict as a coloured word."""
    return el("span", verdict, class_=f"verdict {verdict.replace(' ', '-')}")


def _item_sentence(material: Material, item: str, views: Sequence[OptionView]) -> Markup:
    best = [view.headline for view in views if view.headline is not None]
    title = el("b", material.questions.get(item, item))
    tracking = [one for one in best if one.verdict == "tracks"]
    other = Counter(one.verdict for one in best if one.verdict != "tracks")
    rest = "; ".join(f"{n} {name}" for name, n in other.items())
    if not tracking:
        words = f"none of {plural(len(views), 'option')} tracks the survey ({rest})."
        return el("p", title, ": ", words, class_="finding none")
    top = max(tracking, key=lambda one: abs(one.r or 0.0))
    verb = "tracks" if len(tracking) == 1 else "track"
    words = f"{len(tracking)} of {plural(len(views), 'option')} {verb} the survey" + (f" ({rest})" if rest else "")
    return el("p", title, ": ", words, "; most closely ", el("b", top.option), ", ", sentence(top), class_="finding")


def sentence(one: Finding) -> str:
    """Return a finding in words."""
    interval = ""
    if one.ci_low is not None and one.ci_high is not None:
        interval = f" (95\u00a0% CI {decimal(one.ci_low)} to {decimal(one.ci_high)})"
    return (
        f"r\u00a0=\u00a0{decimal(one.r)}{interval} at lag {signed(one.lag)} over {plural(one.n_pairs, 'week')}, "
        f"levels {p_words('p', one.p_levels)}; changes: {_changes(one)}{p_words('p', one.p_changes)} (family-wise)."
    )


def _changes(one: Finding) -> str:
    if one.changes_r is None or one.changes_ci_low is None or one.changes_ci_high is None:
        return ""
    return f"r {decimal(one.changes_r)} ({decimal(one.changes_ci_low)} to {decimal(one.changes_ci_high)}), "


_COLUMNS = (
    ("Item", "text", "what was asked"),
    ("Option", "text", "answer option"),
    ("Lag", "number", "weeks; positive = the model leads"),
    ("r", "number", "Pearson's correlation of the levels"),
    ("95 % CI", "number", "lower end of the interval of r, by effective weeks"),
    ("Weeks", "number", "pairs of weeks"),
    ("p changes", "number", "family-wise p of the test of week-to-week changes"),
    ("q changes", "number", "false discovery rate, changes"),
    ("p levels", "number", "family-wise p of the test of levels"),
    ("q levels", "number", "false discovery rate, levels"),
    ("Verdict", "text", "what both tests say together"),
)


def _table(views: Sequence[OptionView]) -> Markup:
    heads = [
        el("th", el("button", name, type="button", title=f"Sort by {words}"), scope="col", class_=kind)
        for name, kind, words in _COLUMNS
    ]
    rows = [_row(one) for view in views for one in view.findings]
    caption = el("caption", "Everything that was tested")
    table = el("table", caption, el("thead", el("tr", heads)), el("tbody", rows), class_="sortable")
    return scrolling(table, "Table of correlations")


def _row(one: Finding) -> Markup:
    interval = None if one.ci_low is None else f"{decimal(one.ci_low)} to {decimal(one.ci_high)}"
    cells: list[tuple[str, Value]] = [
        (signed(one.lag), one.lag),
        (decimal(one.r), one.r),
        (interval or NONE, one.ci_low),
        (count(one.n_pairs), one.n_pairs),
        *[(probability(p), p) for p in (one.p_changes, one.q_changes, one.p_levels, one.q_levels)],
    ]
    return el(
        "tr",
        el("td", one.item),
        el("th", one.option, scope="row"),
        [el("td", shown, class_="number", data_sort="" if value is None else value) for shown, value in cells],
        el("td", verdict_mark(one.verdict), data_sort=VERDICTS.index(one.verdict)),
    )
