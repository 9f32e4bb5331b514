"""Where the real series stand among placebos: one strip per option, the sentence that says what they are, the ranks.

Takes the material of a report, gives `Markup` and the table behind it. Knows no file and no style.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from temporal_adapters.stages.report.axes import Scale, Value, svg, text
from temporal_adapters.stages.report.markup import Markup, element
from temporal_adapters.stages.report.material import Material
from temporal_adapters.stages.report.numbers import count, decimal, p_words, probability
from temporal_adapters.stages.report.sections import scrolling, section
from temporal_adapters.stages.trust import DEPENDENT, placebo_sentence

el = element

_WIDTH, _LEFT, _RIGHT, _ROW, _TOP, _BOTTOM = 560.0, 130.0, 14.0, 22.0, 8.0, 34.0


def placebo_table(material: Material) -> pl.DataFrame:
    """Return one row per option and kind of placebo.

    Returns
    -------
    item, option, kind, is_null (whether its ranks are the headline), n, n_constant, r, p_level, p_changes, smallest_p,
    persistence (of the placebos)
    """
    rows = [
        {
            "item": item,
            "option": option,
            "kind": kind,
            "is_null": kind == found["kind"],
            "n": one["n"],
            "n_constant": one["n_constant"],
            "r": found["r"],
            **{name: one[name] for name in ("p_level", "p_changes", "smallest_p", "persistence")},
        }
        for item, option, found in _found(material)
        for kind, one in found["kinds"].items()
    ]
    return pl.DataFrame(rows, infer_schema_length=None) if rows else pl.DataFrame()


def placebos(material: Material) -> Markup | None:
    """Return the correlations of every option's placebos with the real one among them."""
    rows = _found(material)
    if not rows or material.trust is None:
        return None
    shown = [(option, found["placebo_r"], found["r"]) for _, option, found in rows]
    words = "; ".join(f"{option}: r {decimal(r)} among {len(others)}" for option, others, r in shown)
    keys = [
        el("span", el("i", class_="key placebo"), "a placebo"),
        el("span", el("i", class_="key real"), "the real series"),
    ]
    return section(
        "placebos",
        "Placebos",
        el("p", placebo_sentence(material.trust), class_="finding"),
        el("p", keys, class_="legend"),
        el("figure", strip_chart(shown, f"Correlations with the survey, placebos and real: {words}.")),
        scrolling(_ranks(rows), "Table of ranks among placebos"),
        [el("p", line, class_="note") for line in _uniform(material)],
    )


def _found(material: Material) -> list[tuple[str, str, Mapping[str, Any]]]:
    options = material.trust.options if material.trust else []
    found = [(one["item"], one["option"], one["placebo"]) for one in options if (one["placebo"] or {}).get("kinds")]
    places = {name: place for place, name in enumerate(material.options())}
    return sorted(found, key=lambda row: places.get((row[0], row[1]), len(places)))


def strip_chart(rows: Sequence[tuple[str, Sequence[float], Value]], words: str) -> Markup:
    """Return one strip per option: a stroke for every placebo's r, a dot for the real one."""
    height = _TOP + _ROW * len(rows) + _BOTTOM
    x = Scale(-1.0, 1.0, _LEFT, _WIDTH - _RIGHT)
    bottom = height - _BOTTOM
    grid = [
        part
        for at in (-1.0, -0.5, 0.0, 0.5, 1.0)
        for part in (
            el("path", d=f"M{x(at)} {_TOP}V{bottom}", class_="zero" if at == 0 else "grid"),
            text(x(at), bottom + 15, decimal(at, 1), "tick"),
        )
    ]
    strips = []
    for place, (option, others, r) in enumerate(rows):
        middle = _TOP + _ROW * (place + 0.5)
        strokes = "".join(f"M{x(one)} {middle - 6:g}v12" for one in others)
        strips += [
            text(_LEFT - 8, middle + 4, option, "tick", "end"),
            el("path", d=strokes, class_="placebo"),
            el("circle", cx=x(r), cy=f"{middle:g}", r=4.5, class_="tested") if r is not None else None,
        ]
    axis = text((_LEFT + _WIDTH - _RIGHT) / 2, height - 3, "r with the survey", "axis")
    return svg(_WIDTH, height, words, grid, [strip for strip in strips if strip is not None], axis)


def _ranks(rows: Sequence[tuple[str, str, Mapping[str, Any]]]) -> Markup:
    kinds = list(dict.fromkeys(kind for _, _, found in rows for kind in found["kinds"]))
    heads = [el("th", "Option", scope="col"), el("th", "r", scope="col", class_="number")]
    heads += [el("th", f"{kind}: p of changes, levels", scope="col", class_="number") for kind in kinds]
    body = [
        el(
            "tr",
            el("th", option, scope="row"),
            el("td", decimal(found["r"]), class_="number"),
            [el("td", _rank(found["kinds"].get(kind)), class_="number") for kind in kinds],
        )
        for _, option, found in rows
    ]
    return el("table", el("thead", el("tr", heads)), el("tbody", body))


def _rank(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return decimal(None)
    if one["p_level"] is None:
        return "does not vary"
    return f"{probability(one['p_changes'])}, {probability(one['p_level'])} of {len(one['placebo_r'])}"


def _uniform(material: Material) -> list[str]:
    """Return one sentence per kind on whether the placebos' own p-values are uniform, as they should be."""
    if material.trust is None:
        return []
    known = material.trust.placebos
    found = [
        _uniform_sentence(kind, one, len(material.trust.options)) for kind, one in known.get("uniform", {}).items()
    ]
    stale = known.get("not_available", {}).get("placebos")
    return [*found, f"Not shown: {stale}."] if stale else found


def _uniform_sentence(kind: str, one: Mapping[str, Any], n_options: int) -> str:
    n, mean = count(one["n"]), f"mean r {decimal(one['mean_r'], 3)}"
    if kind in DEPENDENT:
        return (
            f"Placebo p-values ({kind}, {n} options answered by the same adapters): {mean}; distance from uniform by"
            f" Kolmogorov and Smirnov, changes {decimal(one['changes']['distance'])},"
            f" levels {decimal(one['levels']['distance'])}, without a p: the options depend on each other."
        )
    said = (
        f"Placebo p-values ({kind}, {n} series, one option each): {mean}; uniform by Kolmogorov and Smirnov,"
        f" changes KS {p_words('p', one['changes']['p'])}, levels KS {p_words('p', one['levels']['p'])}"
    )
    if one["n"] > n_options:
        said += f", as if independent although the survey's {count(n_options)} series recur"
    return f"{said}."
