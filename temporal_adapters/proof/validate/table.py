"""The result of a validation as text for a terminal.

Takes what `ta validate` found, gives lines. Computes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from temporal_adapters.study.artifacts import Validated

_COLUMNS = (
    ("r", "r", "2"),
    ("r_changes", "changes", "2"),
    ("spearman", "rank", "2"),
    ("rank_options", "options", "2"),
    ("rmse", "RMSE pp", "2"),
    ("lag_error", "lag error", "2"),
    ("coverage", "coverage", "%"),
    ("coverage_survey", "by survey", "%"),
    ("coverage_naive", "naive", "%"),
)
"""Figure, heading and form of each column of the first table."""

LEGEND = (
    "Means over options of: r with the truth and its standard deviation over options; r of week-to-week changes;",
    "Spearman over weeks, and over options within a week; error of calibrated levels in percentage points; distance in",
    "weeks of the best lag from 0; true weekly values inside the {confidence:.0%} interval after calibration by the",
    "truth, by the survey, and by the series' own standard error alone. Efficiency: r over that of {ceiling}.",
)


def lines(found: Validated) -> list[str]:
    """Return the table of methods, its legend, the table of options, and what each method is."""
    methods = found.methods
    head = ["", "r", "sd", *(title for key, title, _ in _COLUMNS if key != "r"), "efficiency"]
    rows = [head, *([name, *_row(one)] for name, one in methods.items())]
    words = [line.format(confidence=found.confidence, ceiling=found.ceiling) for line in LEGEND]
    text = [f"{found.study}: {len(next(iter(methods.values()))['options'])} options, {found.n_weeks} weeks"]
    text += ["", *_aligned(rows), "", *words, ""]
    names = list(methods)
    options = [["r with the truth", *names]]
    ours = methods[names[0]]["options"]
    for option in sorted(ours, key=lambda name: -(ours[name]["r"] or 0.0)):
        options.append([option, *(_shown(methods[name]["options"].get(option, {}).get("r"), "2") for name in names)])
    text += [*_aligned(options), ""]
    width = max(map(len, names))
    for name, one in methods.items():
        tokens = f"; {one['tokens']:,} tokens learnt per adapter" if one["tokens"] else ""
        text.append(f"{name:<{width}}  {one['what']}{tokens}")
    return text


def _row(one: Mapping[str, Any]) -> list[str]:
    mean = one["mean"]
    cells = [_shown(mean["r"], "2"), _shown(one["spread"]["r"], "2")]
    cells += [_shown(mean[key], form) for key, _, form in _COLUMNS if key != "r"]
    return [*cells, _shown(one["efficiency"], "3")]


def _shown(value: float | None, form: str) -> str:
    if value is None:
        return "-"
    return f"{value:.0%}" if form == "%" else f"{value:.{form}f}"


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(f"{cell:<{width}}" if place == 0 else f"{cell:>{width}}" for place, (cell, width) in pairs).rstrip()
        for pairs in (list(enumerate(zip(row, widths, strict=True))) for row in rows)
    ]
