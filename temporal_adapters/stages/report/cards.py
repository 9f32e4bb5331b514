"""One card per answer option: both series, r over the lags, the scatter, and how robust the finding is.

Takes the material of a report and its option views, gives `Markup`. Knows no file and no style.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from temporal_adapters.stages.report import charts
from temporal_adapters.stages.report.markup import Markup, element
from temporal_adapters.stages.report.material import Material
from temporal_adapters.stages.report.numbers import decimal, p_words, percent, signed
from temporal_adapters.stages.report.option import VERDICTS, Curve, Finding, OptionView
from temporal_adapters.stages.report.results import sentence, verdict_mark
from temporal_adapters.stages.report.sections import section
from temporal_adapters.stages.report.views import reference, shown

el = element


def options(material: Material, views: Sequence[OptionView]) -> Markup:
    """Return all cards with their legend."""
    seeds = ", dark band = range of the seeds" if any(_has_width(view.adapters) for view in views) else ""
    keys = [el("span", el("i", class_="key adapters"), f"adapters{seeds}")]
    if any(_has_width(view.wordings) for view in views):
        keys.append(el("span", el("i", class_="key wordings"), "light band = range of the wordings"))
    if material.survey is not None:
        bars = ", bars = 95\u00a0% sampling error" if any(_has_width(view.survey) for view in views) else ""
        keys.append(el("span", el("i", class_="key survey"), f"{material.survey}{bars}"))
    note = (
        f"Both series are z-scores of their own scale (adapters: {material.study.series.scale}) over the weeks they "
        "share. Nothing is smoothed. Full dots on a lag curve are the lags that were tested."
    )
    cards = [_card(material, view, index) for index, view in enumerate(views)]
    return section("options", "Every option", el("p", keys, class_="legend"), el("p", note, class_="note"), cards)


def _has_width(curve: Curve) -> bool:
    ends = zip(curve.low, curve.high, strict=True)
    return any(low is not None and high is not None and high - low > 1e-9 for low, high in ends)


def _card(material: Material, view: OptionView, index: int) -> Markup:
    best = view.headline
    said = sentence(best) if best is not None else ""
    title = el("h3", view.option, el("small", material.questions.get(view.item, view.item)))
    figures = [_series_figure(material, view, index, said)]
    if view.lags:
        figures.append(_lag_figure(view))
    if best is not None:
        figures.append(_scatter_figure(material, view, said))
    return el(
        "article",
        title,
        el("p", verdict_mark(best.verdict), " ", said, class_="said") if best is not None else None,
        el("div", figures, class_="trio"),
        el("details", el("summary", "How robust"), [_robust(one) for one in view.findings]) if view.findings else None,
        class_="card",
    )


def _series_figure(material: Material, view: OptionView, index: int, said: str) -> Markup:
    ours, theirs = shown(view, "z")
    wordings = view.wordings.moved(*reference(view.adapters, view.survey, "z"))
    both = f"adapters and {material.survey}" if material.survey else "adapters"
    words = f"{view.option} over {len(material.labels)} weeks: {both}. {said}"
    return charts.series_chart(material.labels, ours, (wordings.low, wordings.high), theirs, words.strip(), str(index))


def _lag_figure(view: OptionView) -> Markup:
    rows = view.lags
    known = [row for row in rows if row.r is not None]
    peak = max(known, key=lambda row: abs(row.r or 0.0), default=None)
    words = f"{view.option}: r at lags {signed(rows[0].lag)} to {signed(rows[-1].lag)} weeks"
    words += f", largest at {signed(peak.lag)} with r = {decimal(peak.r)}." if peak else "."
    return charts.lag_chart(
        [row.lag for row in rows],
        [row.r for row in rows],
        [row.ci_low for row in rows],
        [row.ci_high for row in rows],
        sorted({one.lag for one in view.findings}),
        words,
    )


def _scatter_figure(material: Material, view: OptionView, said: str) -> Markup:
    lag, across, up = view.pairs()
    words = f"{view.option}: one dot for each of {len(across)} weeks, adapters across, survey up. {said}"
    x_name = f"adapters ({material.study.series.scale})"
    y_name = f"survey, lag {signed(lag)}" if lag else "survey"
    return charts.scatter_chart(across, up, x_name, y_name, words)


def _robust(one: Finding) -> Markup:
    """Return what a reviewer asks: the heaviest week, one order more or less, how many weeks it is really worth."""
    known = one.details
    parts = [
        f"Lag {signed(one.lag)}: {one.n_pairs} weeks are worth {decimal(one.n_effective, 1)} independent ones.",
    ]
    if known.get("heaviest_week") is not None:
        parts.append(
            f"The week of {known['heaviest_week']} carries {percent(known.get('heaviest_week_share'))} of the evidence "
            f"by raw products; {_without(known, 'week')}. The heaviest five carry "
            f"{percent(known.get('heaviest_five_share'))}; {_without(known, 'five')}."
        )
    if known.get("p_order_plus_1") is not None:
        shorter = known.get("p_order_minus_1")
        less = "" if shorter is None else f"one order less {p_words('p', shorter)}, "
        parts.append(f"In the prewhitening {less}one order more {p_words('p', known['p_order_plus_1'])}.")
    parts.append(_calendar(one))
    if known.get("order_raised"):
        parts.append("The order of the prewhitening was raised because residuals were still autocorrelated.")
    naive = one.not_valid_here.get("pearson_p")
    if naive is not None:
        words = "Not valid here, for comparison with the literature only: Pearson's p that ignores persistence,"
        parts.append(f"{words} {p_words('p', naive)}.")
    return el("p", " ".join(part for part in parts if part), class_="note")


def _without(known: Mapping[str, Any], what: str) -> str:
    r, p = known.get(f"r_without_heaviest_{what}"), known.get(f"p_without_heaviest_{what}")
    return f"without {'it' if what == 'week' else 'them'} r of changes {decimal(r)}, {p_words('p', p)}"


def _calendar(one: Finding) -> str:
    """Return what is left with the calendar taken out of both series, and whether the verdict falls."""
    known = one.details
    verdict = known.get("calendar_verdict")
    if verdict is None:
        return ""
    weaker = VERDICTS.index(verdict) > VERDICTS.index(one.verdict)
    falls = f"With the calendar (season, month, four weeks) removed the verdict falls to {verdict!r}"
    words = falls if weaker else "With the calendar (season, month, four weeks) removed"
    return (
        f"{words}: r of changes {decimal(known.get('calendar_changes_r'))}, family-wise "
        f"{p_words('p', known.get('calendar_p_family'))} (changes), "
        f"{p_words('p', known.get('calendar_level_p_family'))} (levels)."
    )
