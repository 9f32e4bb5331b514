"""Figures of publication size: tables to matplotlib figures.

Takes a report's material and option views, gives figures by name. Touches no file and no global state of matplotlib.
In the style of Figures 1 and 3 of Ahnert et al. (2024): small multiples per option, both series in one view, and r
over the lags. A smoothed view says so on the figure.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from temporal_adapters.stages.report.material import Material
from temporal_adapters.stages.report.option import Curve, OptionView
from temporal_adapters.stages.report.views import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ADAPTERS_COLOUR, SURVEY_COLOUR, INK, GREY = "#0061a4", "#b34700", "#1c1b1a", "#77736d"
"""Blue and vermilion stay apart for every kind of colour blindness, and in grey by line against dots."""

PALETTE = (
    ADAPTERS_COLOUR,
    SURVEY_COLOUR,
    "#4a8f5c",
    "#c99a2e",
    "#4a3d7c",
    "#00798c",
    "#8d5b4c",
    "#7a7a7a",
    "#c05299",
    "#2f4b26",
)
"""Colours of things that are many, each with a mark of its own."""

_VIEW = {"z": "z-score", "min-max": "share of the range"}
_PER_ROW = 3
_ROW_CM = 3.6
_EDGE_CM = 1.3


def figures(material: Material, views: Sequence[OptionView]) -> Iterator[tuple[str, Figure]]:
    """Yield every figure of the report with its name; one per item where options have panels of their own."""
    taken: set[str] = set()
    for item in dict.fromkeys(view.item for view in views):
        here = [view for view in views if view.item == item]
        name = _name(item, taken)
        yield f"series-{name}", series_figure(material, here)
        if any(view.lags for view in here):
            yield f"lags-{name}", lags_figure(material, here)
            yield f"scatter-{name}", scatter_figure(material, here)
    if material.weeks["n_posts"].drop_nulls().len():
        yield "panel", panel_figure(material)
    if material.recovery is not None:
        yield "recovery", recovery_figure(material)


def _name(item: str, taken: set[str]) -> str:
    """Return the item's name as part of a file name that no other item has."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", item).strip("-.")[:60] or "item"
    name, number = plain, 2
    while name in taken:
        name, number = f"{plain}-{number}", number + 1
    taken.add(name)
    return name


def series_figure(material: Material, views: Sequence[OptionView]) -> Figure:
    """Return small multiples of both series per option: line with seed band, dots with sampling error."""
    settings = material.study.report
    x = np.arange(len(material.labels))
    figure, axes = _grid(material, len(views))
    for axis, view in zip(axes, views, strict=True):
        ours, theirs = shown(view, settings.view, settings.smooth_weeks)
        _band(axis, x, ours)
        axis.plot(x, _array(ours.value), color=ADAPTERS_COLOUR, linewidth=1.2, label="adapters")
        if material.survey is not None:
            _dots(axis, x, theirs, material.survey)
        _weeks(axis, material.labels)
        axis.set_title(_plain(view.option), loc="left", fontsize=8, fontweight="bold", pad=3)
    smoothed = f", {settings.smooth_weeks}-week mean" if settings.smooth_weeks > 1 else ""
    _finish(figure, axes, f"{_VIEW[settings.view]}{smoothed}", "")
    if axes:
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper right", ncol=2, fontsize=7, frameon=False)
    return figure


def lags_figure(material: Material, views: Sequence[OptionView]) -> Figure:
    """Return small multiples of r over the lags with its interval; lags that are tested have full dots."""
    figure, axes = _grid(material, len(views))
    for axis, view in zip(axes, views, strict=True):
        lags = [row.lag for row in view.lags]
        r, low, high = (_array([getattr(row, name) for row in view.lags]) for name in ("r", "ci_low", "ci_high"))
        tested = {one.lag for one in view.findings}
        axis.axhline(0, color=GREY, linewidth=0.6)
        axis.fill_between(lags, low, high, color=ADAPTERS_COLOUR, alpha=0.2, linewidth=0)
        axis.plot(lags, r, color=ADAPTERS_COLOUR, linewidth=1)
        for lag, value in zip(lags, r, strict=True):
            face = ADAPTERS_COLOUR if lag in tested else "white"
            axis.plot([lag], [value], "o", color=ADAPTERS_COLOUR, markerfacecolor=face, markersize=3.5)
        axis.set_ylim(-1, 1)
        axis.set_title(_plain(view.option), loc="left", fontsize=8, fontweight="bold", pad=3)
    _finish(figure, axes, "r", "lag in weeks, positive = the model leads")
    return figure


def scatter_figure(material: Material, views: Sequence[OptionView]) -> Figure:
    """Return small multiples with one dot per week, adapters across, survey up, at the lag of the headline."""
    figure, axes = _grid(material, len(views))
    for axis, view in zip(axes, views, strict=True):
        lag, across, up = view.pairs()
        axis.plot(_array(across), _array(up), "o", color=INK, alpha=0.6, markersize=2.5, markeredgewidth=0)
        axis.set_title(f"{_plain(view.option)}, lag {lag:+d}", loc="left", fontsize=8, fontweight="bold", pad=3)
    _finish(figure, axes, f"{_plain(material.survey or 'survey')}", f"adapters ({material.study.series.scale})")
    return figure


def panel_figure(material: Material) -> Figure:
    """Return posts and users per week."""
    figure, axes = _grid(material, 2, per_row=2)
    x = np.arange(len(material.labels))
    for axis, column in zip(axes, ("n_posts", "n_users"), strict=True):
        axis.bar(x, material.weeks[column].fill_null(0).to_numpy(), color=ADAPTERS_COLOUR, width=0.8)
        _weeks(axis, material.labels)
        axis.set_title(column.removeprefix("n_"), loc="left", fontsize=8, fontweight="bold", pad=3)
    _finish(figure, axes, "per week", "")
    return figure


def recovery_figure(material: Material) -> Figure:
    """Return r with the known truth per option beside its ceiling."""
    options = material.recovery.options if material.recovery else {}
    names = list(options)[::-1]
    width = material.study.report.width_cm / 2.54
    figure = Figure(figsize=(width, max(1.2, 0.22 * len(names) + 0.6)))
    axis = figure.add_axes((0.2, 0.2, 0.77, 0.75))
    y = np.arange(len(names))
    for key, mark, colour in (("ceiling", "|", SURVEY_COLOUR), ("r", "o", ADAPTERS_COLOUR)):
        axis.plot(_array([options[name].get(key) for name in names]), y, mark, color=colour, markersize=6, label=key)
    axis.set_yticks(y, [_plain(name) for name in names])
    axis.set_xlim(-0.1, 1.02)
    axis.set_xlabel("r with the known truth", fontsize=7)
    axis.legend(fontsize=7, frameon=False, loc="lower left")
    _style(axis)
    return figure


def _grid(material: Material, n: int, per_row: int = _PER_ROW) -> tuple[Figure, list[Axes]]:
    """Return a figure with `n` panels; placed by hand, as matplotlib's layout engines take seconds for 40 panels."""
    width_cm = material.study.report.width_cm
    n_rows, columns = math.ceil(n / per_row), min(per_row, n)
    height_cm = n_rows * _ROW_CM + _EDGE_CM
    figure = Figure(figsize=(width_cm / 2.54, height_cm / 2.54))
    wide, high = (width_cm - _EDGE_CM) / columns, _ROW_CM
    axes = []
    for number in range(n):
        row, column = divmod(number, per_row)
        left, top = _EDGE_CM + column * wide, height_cm - _EDGE_CM * 0.62 - row * high
        box = (left / width_cm, (top - high + 0.95) / height_cm, (wide - 0.95) / width_cm, (high - 1.3) / height_cm)
        axes.append(figure.add_axes(box))
    return figure, axes


def _finish(figure: Figure, axes: Sequence[Axes], up: str, across: str) -> None:
    for axis in axes:
        _style(axis)
    figure.text(0.008, 0.5, up, rotation=90, va="center", fontsize=7, color=INK)
    if across:
        figure.text(0.5, 0.01, across, ha="center", va="bottom", fontsize=7, color=INK)


def _style(axis: Axes) -> None:
    axis.tick_params(labelsize=6.5, length=2, width=0.5, color=GREY)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axis.spines[side].set_linewidth(0.5)


def _weeks(axis: Axes, labels: Sequence[str]) -> None:
    step = max(1, math.ceil(len(labels) / 3))
    axis.set_xticks(range(0, len(labels), step), labels[::step])
    axis.set_xlim(-0.7, len(labels) - 0.3)


def _band(axis: Axes, x: Any, curve: Curve) -> None:
    axis.fill_between(x, _array(curve.low), _array(curve.high), color=ADAPTERS_COLOUR, alpha=0.2, linewidth=0)


def _dots(axis: Axes, x: Any, curve: Curve, name: str) -> None:
    value, low, high = _array(curve.value), _array(curve.low), _array(curve.high)
    axis.vlines(x, low, high, color=SURVEY_COLOUR, alpha=0.5, linewidth=0.6)
    axis.plot(x, value, "o", color=SURVEY_COLOUR, markersize=2.2, label=_plain(name))


def _array(values: Sequence[float | None]) -> Any:
    return np.array([math.nan if value is None else value for value in values], dtype=float)


def _plain(words: str) -> str:
    """Return text that matplotlib does not read as mathematics."""
    return words.replace("$", r"\$")


def save(figure: Figure, target: Any, kind: str, dpi: int) -> None:
    """Write a figure, the same bytes every time."""
    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": "temporal-adapters", "svg.fonttype": "none", "pdf.fonttype": 42}):
        dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[kind]
        figure.savefig(target, format=kind, dpi=dpi, metadata=dated)


def as_svg(figure: Figure) -> str:
    """Return a figure as an SVG element, the same bytes every time."""
    buffer = io.StringIO()
    save(figure, buffer, "svg", dpi=72)
    text = buffer.getvalue()
    return text[text.index("<svg") :]
