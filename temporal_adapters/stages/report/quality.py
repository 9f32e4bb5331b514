"""How far the answers can be trusted: the mass on valid answers, and reliability.

Takes the material of a report, gives `Markup` and the table behind it. Knows no file and no style.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from temporal_adapters.stages.report import charts
from temporal_adapters.stages.report.axes import Value
from temporal_adapters.stages.report.markup import Markup, element
from temporal_adapters.stages.report.material import Material
from temporal_adapters.stages.report.numbers import NONE, count, decimal, p_words, percent, probability, signed
from temporal_adapters.stages.report.sections import scrolling, section

el = element


def mass_table(answers: pl.DataFrame) -> pl.DataFrame:
    """Return the mean mass per week and item over seeds, wordings and orders.

    Returns
    -------
    week (null = the base model), item, mass_valid, mass_nonresponse (probabilities)
    """
    rows = answers.select("week", "item", "mass_valid", "mass_nonresponse")
    return rows.group_by("week", "item", maintain_order=True).mean().sort("item", "week", nulls_last=False)


def mass(material: Material) -> Markup | None:
    """Return the probability that falls on valid answers, per item and week: low mass stays visible."""
    by_item = {
        str(key[0]): dict(rows.select("week", "mass_valid").iter_rows())
        for key, rows in mass_table(material.answers).group_by("item", maintain_order=True)
    }
    lines = [(item, [known.get(week) for week in material.weeks["week"]]) for item, known in by_item.items()]
    if not any(value is not None for _, values in lines for value in values):
        return None
    rows = [_row(material, item, values, by_item[item].get(None), place) for place, (item, values) in enumerate(lines)]
    heads = [el("th", name, scope="col", class_=kind) for name, kind in _COLUMNS]
    table = el("table", el("thead", el("tr", heads)), el("tbody", rows))
    words = "Mass on valid answers over the weeks: " + "; ".join(f"{item} {_range(values)}" for item, values in lines)
    note = (
        "The probability that the model gives to all valid answers together, before it is shared among them. Where it "
        "is low, the model would rather say something else, and its shares rest on little."
    )
    return section(
        "mass",
        "Mass on valid answers",
        el("p", note, class_="note"),
        el("figure", charts.level_chart(material.labels, lines, f"{words}.")),
        scrolling(table, "Table of mass"),
        _warnings(material),
    )


_COLUMNS = (("Item", "text"), ("adapters, lowest to highest week", "number"), ("base model", "number"))


def _row(material: Material, item: str, values: Sequence[Value], base: Value, place: int) -> Markup:
    key = el("i", class_=f"key kind kind-{place % charts.N_KINDS}")
    title = material.questions.get(item, item)
    cells = [el("td", shown, class_="number") for shown in (_range(values), percent(base, 1))]
    return el("tr", el("th", key, title, scope="row"), cells)


def _range(values: Sequence[Value]) -> str:
    known = [value for value in values if value is not None]
    return f"{percent(min(known), 1)} to {percent(max(known), 1)}" if known else NONE


def _warnings(material: Material) -> list[Markup]:
    """Return one line per wording on which the base model puts little mass, as the answers' manifest counted it."""
    answers = material.manifests.get("answers")
    low: Sequence[Mapping[str, Any]] = answers.facts.get("low_mass", []) if answers is not None else []
    return [
        el(
            "p",
            f"Low mass: the base model puts {percent(one['mass'], 1)} on the options of {one['item']}, wording "
            f"{one['wording']} ({one['method']}).",
            class_="note",
        )
        for one in low
    ]


_TRUST = (
    ("Option", "text", "answer option"),
    ("reliability, survey", "number", "share of the survey's variance that is not sampling error"),
    ("reliability, adapters", "number", "share of the adapters' variance over weeks that seeds and wordings agree on"),
    ("one seed", "number", "consistency of a single seed, ICC(C,1)"),
    ("seeds for .9", "number", "seeds whose mean would reach a consistency of .9"),
    ("highest |r|", "number", "largest correlation that two series of these reliabilities can show"),
    ("r corrected", "number", "r freed of measurement error, with its interval"),
    ("nowcast p", "number", "does the model add to the survey's own past? Clark-West"),
    ("without largest week", "number", "the same without the week that speaks most for it"),
    ("placebo p", "number", "rank of the real series among placebo series, changes"),
    ("best setting p", "number", "p of the best of all ways to extract the series, over all of them"),
)


_P_COLUMNS = ("nowcast_p", "nowcast_p_without_largest", "placebo_p_changes", "best_setting_p")


def trust_table(material: Material) -> pl.DataFrame:
    """Return one row per option with the figures of trust; null where one cannot be computed.

    Returns
    -------
    item, option, reliability_survey, reliability_model, icc_one_seed, seeds_for_90, ceiling, r_corrected, r_low,
    r_high, nowcast_p, nowcast_p_without_largest, placebo_p_changes, placebo_p_level, n_placebos, best_setting,
    best_setting_p
    """
    rows = [_trust(one) for one in material.trust.options] if material.trust else []
    return pl.DataFrame(rows, infer_schema_length=None) if rows else pl.DataFrame()


def _trust(one: Mapping[str, Any]) -> dict[str, Any]:
    settings = [row for row in one["specification"] or [] if row["p_family"] is not None]
    best: Mapping[str, Any] = min(settings, key=lambda row: float(row["p_family"]), default={})
    return {
        "item": one["item"],
        "option": one["option"],
        "reliability_survey": one["survey_reliability"],
        "reliability_model": one["model_reliability"],
        "icc_one_seed": _of(one, "seeds", "consistency"),
        "seeds_for_90": _of(one, "seeds", "raters_for_90"),
        "ceiling": _of(one, "corrected", "ceiling"),
        "r_corrected": _of(one, "corrected", "r"),
        "r_low": _of(one, "corrected", "ci_low"),
        "r_high": _of(one, "corrected", "ci_high"),
        "nowcast_p": _of(one, "nowcast", "clark_west", "p"),
        "nowcast_p_without_largest": _of(one, "nowcast", "without_largest", "p"),
        "placebo_p_changes": _of(one, "placebo", "p_changes"),
        "placebo_p_level": _of(one, "placebo", "p_level"),
        "n_placebos": len(_of(one, "placebo", "placebo_r") or ()),
        "best_setting": best.get("setting"),
        "best_setting_p": best.get("p_family"),
    }


def _of(one: Mapping[str, Any], *names: str) -> Any:
    value: Any = one
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def trust(material: Material) -> Markup | None:
    """Return reliability, the correlation freed of error, the nowcast gain and the specification curve's best."""
    table = trust_table(material)
    if table.is_empty() or material.trust is None:
        return None
    heads = [el("th", name, scope="col", class_=kind, title=words) for name, kind, words in _TRUST]
    rows = [el("tr", el("th", row["option"], scope="row"), _trust_cells(row)) for row in table.iter_rows(named=True)]
    reasons = sorted({words for one in material.trust.options for words in one["not_available"].values()})
    meanings = [el("li", el("b", name), f": {words}.") for name, _, words in _TRUST[1:]]
    return section(
        "trust",
        "How far to trust it",
        el("p", f"At lag {signed(material.trust.lag)}, on unsmoothed series.", class_="note"),
        scrolling(el("table", el("thead", el("tr", heads)), el("tbody", rows)), "Table of reliability"),
        el("details", el("summary", "What the columns mean"), el("ul", meanings)),
        [el("p", words, class_="note") for words in _contrasts(material)],
        [el("p", f"Not computed for some options: {words}.", class_="note") for words in reasons],
    )


def _contrasts(material: Material) -> list[str]:
    """Return one sentence per comparison with another series."""
    found = []
    for one in material.trust.options if material.trust else ():
        for name, contrast in one.get("contrasts", {}).items():
            if contrast is not None:
                interval = f"{decimal(contrast['ci_low'])} to {decimal(contrast['ci_high'])}"
                found.append(
                    f"{one['option']}: r is {decimal(contrast['difference'])} larger than that of {name} "
                    f"({interval}), {p_words('p', contrast['p'])}."
                )
    return found


def _trust_cells(row: Mapping[str, Any]) -> list[Markup]:
    corrected = decimal(row["r_corrected"])
    if row["r_low"] is not None and row["r_high"] is not None:
        corrected += f" ({decimal(row['r_low'])} to {decimal(row['r_high'])})"
    shown = [
        *[decimal(row[name]) for name in ("reliability_survey", "reliability_model", "icc_one_seed")],
        count(row["seeds_for_90"]),
        decimal(row["ceiling"]),
        corrected,
        *[probability(row[name]) for name in _P_COLUMNS],
    ]
    return [el("td", words, class_="number") for words in shown]
