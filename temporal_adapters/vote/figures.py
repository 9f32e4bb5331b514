"""Figures of a finished experiment.

Takes tables of `summary`, gives matplotlib figures. Knows no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from temporal_adapters.stages.report import GREY, INK, PALETTE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKERS = "osD^vP*Xhd"


def _canvas(width: float, height: float) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _finish(axes: Any, title: str, y: str, x: str = "") -> None:
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_ylabel(y)
    axes.set_xlabel(x)
    axes.legend(fontsize=8, frameon=False, ncols=2)


def _names(table: pl.DataFrame, column: str = "model") -> list[str]:
    return table[column].unique(maintain_order=True).to_list()


def f1_by_party(f1: pl.DataFrame, condition: str, models: Sequence[str] | None = None) -> Figure:
    """Return per-class F1 with intervals, one mark per model (published reference included where there is one)."""
    part = f1.filter(pl.col("condition").is_in([condition, "published"]))
    labels = _names(part.filter(pl.col("condition") == condition), "label")
    shown = [name for name in _names(part) if models is None or name in models or "published" in name]
    figure, axes = _canvas(9, 4)
    for number, model in enumerate(shown):
        rows = {row["label"]: row for row in part.filter(pl.col("model") == model).iter_rows(named=True)}
        places = [k + 0.7 * (number / max(len(shown) - 1, 1) - 0.5) for k, label in enumerate(labels) if label in rows]
        found = [rows[label] for label in labels if label in rows]
        published = found[0]["low"] is None
        axes.errorbar(
            places,
            [row["f1"] for row in found],
            yerr=None if published else _bars(found, "f1"),
            fmt="x" if published else _MARKERS[number % 10],
            markersize=5,
            linewidth=1,
            color=INK if published else PALETTE[number % 10],
            label=model,
        )
    axes.set_xticks(range(len(labels)), labels, rotation=20)
    axes.set_ylim(0, 1)
    _finish(axes, f"F1 by class, condition {condition}", "F1")
    return figure


def _bars(rows: Sequence[dict[str, Any]], value: str) -> list[list[float]]:
    return [[max(row[value] - row["low"], 0) for row in rows], [max(row["high"] - row[value], 0) for row in rows]]


def left_out(table: pl.DataFrame, column: str = "accuracy_identifiers") -> Figure:
    """Return, per class whose identifiers are left out, each model's accuracy on them (or its macro F1)."""
    labels, models = _names(table, "left_out"), _names(table)
    figure, axes = _canvas(9, 4)
    for number, model in enumerate(models):
        part = table.filter(pl.col("model") == model)
        places = [labels.index(label) for label in part["left_out"].to_list()]
        axes.plot(
            places,
            part[column].to_list(),
            _MARKERS[number % 10] + "-",
            color=PALETTE[number % 10],
            label=model,
            markersize=5,
            linewidth=1,
        )
    axes.set_xticks(range(len(labels)), labels, rotation=20)
    axes.set_ylim(0, 1)
    words = "accuracy on its identifiers" if column == "accuracy_identifiers" else "macro F1, all respondents"
    _finish(axes, "Identifiers of one party left out of the training part", words, "party left out")
    return figure


def by_fraction(table: pl.DataFrame, figure_name: str = "macro_f1") -> Figure:
    """Return each model's figure by the fraction of the training part, with intervals."""
    part = table.filter(pl.col("figure") == figure_name)
    figure, axes = _canvas(7, 4)
    for number, model in enumerate(_names(part)):
        rows = list(part.filter(pl.col("model") == model).sort("fraction").iter_rows(named=True))
        axes.errorbar(
            [100 * row["fraction"] for row in rows],
            [row["value"] for row in rows],
            yerr=_bars(rows, "value"),
            fmt=_MARKERS[number % 10] + "-",
            color=PALETTE[number % 10],
            label=model,
            markersize=5,
            linewidth=1,
        )
    axes.set_xscale("log")
    ticks = sorted({100 * value for value in part["fraction"].to_list()})
    axes.set_xticks(ticks, [f"{tick:g} %" for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(0, 1)
    _finish(axes, "Learning curve", figure_name.replace("_", " "), "share of the training part")
    return figure


def calibration(table: pl.DataFrame, condition: str) -> Figure:
    """Return share correct by confidence, one line per model, with the diagonal of perfect calibration."""
    part = table.filter(pl.col("condition") == condition)
    figure, axes = _canvas(5.5, 4.5)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    for number, model in enumerate(_names(part)):
        rows = part.filter(pl.col("model") == model).sort("bin")
        axes.plot(
            rows["confidence"].to_list(),
            rows["correct"].to_list(),
            _MARKERS[number % 10] + "-",
            color=PALETTE[number % 10],
            label=model,
            markersize=4,
            linewidth=1,
        )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    _finish(axes, f"Calibration, condition {condition}", "share correct", "probability of the most probable class")
    return figure


def shares(table: pl.DataFrame, condition: str) -> Figure:
    """Return vote shares: the survey's beside each model's mean probabilities."""
    part = table.filter(pl.col("condition") == condition)
    labels, models = _names(part, "label"), _names(part)
    figure, axes = _canvas(9, 4)
    first = part.filter(pl.col("model") == models[0])
    axes.bar(range(len(labels)), first["survey"].to_list(), color="#cccccc", width=0.8, label="survey")
    for number, model in enumerate(models):
        places = [k + 0.6 * (number / max(len(models) - 1, 1) - 0.5) for k in range(len(labels))]
        values = part.filter(pl.col("model") == model)["mean_probability"].to_list()
        axes.plot(places, values, _MARKERS[number % 10], color=PALETTE[number % 10], label=model, markersize=5)
    axes.set_xticks(range(len(labels)), labels, rotation=20)
    _finish(axes, f"Vote shares, condition {condition}", "share")
    return figure


def confusion(table: pl.DataFrame, condition: str, model: str) -> Figure:
    """Return one confusion matrix, row shares as shades."""
    from matplotlib.figure import Figure

    part = table.filter((pl.col("condition") == condition) & (pl.col("model") == model))
    labels, columns = _names(part, "vote"), _names(part, "predicted")
    counts = {(row["vote"], row["predicted"]): row["n"] for row in part.iter_rows(named=True)}
    grid = [[counts.get((vote, name), 0.0) for name in columns] for vote in labels]
    shaded = [[value / max(sum(row), 1e-12) for value in row] for row in grid]
    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shaded, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for y, row in enumerate(grid):
        for x, value in enumerate(row):
            axes.text(
                x,
                y,
                f"{value:.0f}",
                ha="center",
                va="center",
                fontsize=8,
                color="white" if shaded[y][x] > 0.5 else "black",
            )
    axes.set_xticks(range(len(columns)), columns, rotation=40, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("predicted")
    axes.set_ylabel("vote")
    axes.set_title(f"{model}, condition {condition}", loc="left", fontsize=11)
    return figure


def all_figures(tables: dict[str, pl.DataFrame]) -> dict[str, Figure]:
    """Return every figure that the tables allow, by name; the first condition is the reference."""
    reference = tables["f1"]["condition"][0]
    found = {
        "f1": f1_by_party(tables["f1"], reference),
        "shares": shares(tables["shares"], reference),
        "calibration": calibration(tables["calibration"], reference),
    }
    if "left_out" in tables:
        found["left_out"] = left_out(tables["left_out"])
        found["left_out_f1"] = left_out(tables["left_out"], "macro_f1")
    if "fractions" in tables:
        found["fractions"] = by_fraction(tables["fractions"])
    models = tables["confusion"].filter(pl.col("condition") == reference)["model"].unique(maintain_order=True)
    for model in models.to_list():
        found[f"confusion-{model}"] = confusion(tables["confusion"], reference, model)
    return found
