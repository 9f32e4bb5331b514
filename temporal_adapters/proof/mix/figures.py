"""Figures of a mixing experiment.

Takes CURVE and its summary, gives matplotlib figures as files. Knows no run folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from temporal_adapters.proof.mix.summary import grid
from temporal_adapters.stages.report import ADAPTERS_COLOUR, GREY, INK, SURVEY_COLOUR
from temporal_adapters.stages.report.figures import save
from temporal_adapters.study.artifacts import Mixed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from temporal_adapters.study.config import Report


def write_figures(curve: pl.DataFrame, summary: Mixed, folder: Path, settings: Report) -> None:
    """Write ``curve.svg`` and what other kinds of figures the study wants into `folder`."""
    if not settings.figures:
        return
    figure = draw_curves(curve, summary, settings.width_cm)
    for kind in settings.figures:
        save(figure, folder / f"curve.{kind}", kind, settings.dpi)


def draw_curves(curve: pl.DataFrame, summary: Mixed, width_cm: float) -> Figure:
    """Return three panels: answers over the share, the share read off after calibration, slope over training."""
    from matplotlib.figure import Figure

    width = width_cm / 2.54
    n_panels = 3 if len(summary.checkpoints) > 1 else 2
    figure = Figure(figsize=(width, width * 0.37 + 0.35), layout="constrained")
    axes = figure.subplots(1, n_panels)
    _answers(axes[0], curve, summary)
    _calibrated(axes[1], summary)
    if n_panels == 3:
        _dose(axes[2], curve, summary)
    for axis in axes:
        axis.tick_params(labelsize=6.5, length=2, width=0.5, color=GREY)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    return figure


def _answers(axis: Axes, curve: pl.DataFrame, summary: Mixed) -> None:
    shares, high, low = summary.shares, summary.high, summary.low
    for option in summary.options:
        if option not in (high, low):
            axis.plot(shares, grid(curve, option).mean(axis=0), color=GREY, linewidth=0.5, alpha=0.6)
    for option, colour in ((high, ADAPTERS_COLOUR), (low, SURVEY_COLOUR)):
        values = grid(curve, option)
        axis.plot(shares, values.T, ".", color=colour, markersize=2, alpha=0.5)
        axis.plot(shares, values.mean(axis=0), color=colour, linewidth=1.4, label=_plain(option))
        axis.axhline(summary.options[option]["base"], color=colour, linewidth=0.6, linestyle=":")
    axis.legend(fontsize=6.5, frameon=False)
    _titles(axis, "answers", f"share of {_plain(summary.label_high)} posts", "share of the answers")


def _calibrated(axis: Axes, summary: Mixed) -> None:
    shares = summary.shares
    one = summary.calibration["answer"]
    axis.plot([0, 1], [0, 1], color=GREY, linewidth=0.6)
    for values in one["predicted"]:
        axis.plot(shares, values, "o", color=ADAPTERS_COLOUR, markersize=2, alpha=0.6, markeredgewidth=0)
    _titles(axis, f"calibrated, RMSE {one['rmse']:.3f}", f"share of {_plain(summary.label_high)} posts", "read off")


def _dose(axis: Axes, curve: pl.DataFrame, summary: Mixed) -> None:
    shares, names = summary.shares, summary.checkpoints
    for place, name in enumerate(names):
        depth = (place + 1) / len(names)
        mean = grid(curve, summary.high, name).mean(axis=0)
        axis.plot(shares, mean, color=INK, alpha=0.25 + 0.75 * depth, linewidth=0.5 + depth, label=name)
    axis.axhline(np.float64(summary.options[summary.high]["base"]), color=GREY, linewidth=0.6, linestyle=":")
    axis.legend(fontsize=6, frameon=False, title="steps", title_fontsize=6)
    _titles(axis, f"{_plain(summary.high)} by training", f"share of {_plain(summary.label_high)} posts", "")


def _titles(axis: Axes, title: str, across: str, up: str) -> None:
    axis.set_title(title, loc="left", fontsize=8, fontweight="bold", pad=3, color=INK)
    axis.set_xlabel(across, fontsize=7)
    axis.set_ylabel(up, fontsize=7)


def _plain(words: str) -> str:
    """Return text that matplotlib does not read as mathematics."""
    return words.replace("$", r"\$")
