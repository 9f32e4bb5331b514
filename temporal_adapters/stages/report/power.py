"""The figure of `ta power`: power over weeks for several numbers of one part of the effort.

Takes curves by formula and simulated points, gives a matplotlib figure. Knows no study.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from temporal_adapters.stages.report.figures import ADAPTERS_COLOUR, GREY, INK, SURVEY_COLOUR

_COLOURS = ("#8fb8d6", ADAPTERS_COLOUR, "#00305c", "#c7a17a", SURVEY_COLOUR)
_Dashes = Literal["-", "--"]
_TESTS: tuple[tuple[str, _Dashes, str, str], ...] = (
    ("dynamics", "-", "o", "weekly changes (D)"),
    ("level", "--", "s", "levels (L)"),
)


def power_figure(
    weeks: Sequence[int],
    curves: Mapping[str, Sequence[Mapping[str, float]]],
    simulated: Mapping[int, Mapping[str, float]],
    planned: str,
    wanted: float,
    title: str,
) -> Figure:
    """Return the curves of both tests over the weeks.

    Parameters
    ----------
    weeks, curves
        Weeks, and the power of both tests by formula at each of them, by name of the curve.
    simulated
        Weeks -> simulated power of the curve `planned`, drawn as points.
    planned
        Name of the curve that is planned with.
    wanted
        Power that is wanted: a line across.
    title
        What is looked for, in a few words.
    """
    figure = Figure(figsize=(6.3, 4.2), layout="constrained")
    axis = figure.add_subplot()
    axis.axhline(wanted, color=GREY, linewidth=0.8, linestyle=":")
    colours = dict(zip(curves, _COLOURS * (1 + len(curves) // len(_COLOURS)), strict=False))
    for name, rows in curves.items():
        for test, dashes, _, _ in _TESTS:
            axis.plot(weeks, [row[test] for row in rows], dashes, color=colours[name], linewidth=1.6)
    for test, _, mark, _ in _TESTS:
        values = [row[test] for row in simulated.values()]
        axis.plot(list(simulated), values, mark, color=colours.get(planned, INK), markersize=4, clip_on=False)
    axis.set_ylim(0, 1)
    axis.set_xlim(min(weeks), max(weeks))
    axis.set_xlabel("shared weeks")
    axis.set_ylabel("power")
    axis.set_title(title, fontsize=9, loc="left")
    kinds = [Line2D([], [], color=INK, linestyle=dashes, label=words) for _, dashes, _, words in _TESTS]
    points = [Line2D([], [], color=INK, marker="o", linestyle="", label="simulated")] if simulated else []
    lines = [Line2D([], [], color=colours[name], label=name) for name in curves]
    axis.legend(handles=[*lines, *kinds, *points], fontsize=7, frameon=False, loc="lower right")
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    return figure
