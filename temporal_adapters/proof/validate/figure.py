"""The figure of a recovery: r with the truth per option, one mark per instrument.

Takes the result of `validate.build`, gives image files. Touches no global state of matplotlib.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from temporal_adapters.stages.report import figures
from temporal_adapters.study.artifacts import Validated

WIDTH_CM, DPI = 17.8, 300
"""Two columns of most journals, and what they ask of PNG files."""

_MARKS = {
    "counting": ("|", figures.INK),
    "study": ("o", figures.ADAPTERS_COLOUR),
    "published": ("v", figures.SURVEY_COLOUR),
    "published-best": ("^", figures.SURVEY_COLOUR),
    "classifier": ("x", figures.GREY),
    "lexicon": ("+", figures.GREY),
}


def figure(found: Validated) -> Figure:
    """Return r per option, options in order of the ceiling, and r of the changes beside it."""
    methods = found.methods
    ceiling = methods[found.ceiling]["options"]
    names = sorted(ceiling, key=lambda name: ceiling[name]["r"] or 0.0)
    height_cm = 0.62 * len(names) + 2.4
    made = Figure(figsize=(WIDTH_CM / 2.54, height_cm / 2.54))
    y = np.arange(len(names))
    for place, (key, title) in enumerate((("r", "r with the truth"), ("r_changes", "r of weekly changes"))):
        axis = made.add_axes((0.13 + 0.44 * place, 1.2 / height_cm, 0.41, 1 - 2.2 / height_cm))
        for method, one in methods.items():
            mark, colour = _MARKS.get(method, (".", figures.GREY))
            values = [one["options"].get(name, {}).get(key) for name in names]
            r = np.array([math.nan if value is None else value for value in values])
            axis.plot(r, y, mark, color=colour, markersize=5.5, label=method)
        axis.axvline(0, color=figures.GREY, linewidth=0.6)
        axis.set_yticks(y, [name.replace("$", r"\$") for name in names] if place == 0 else [])
        axis.set_xlim(-1.02 if _lowest(methods, key) < -0.2 else -0.25, 1.04)
        axis.set_title(title, loc="left", fontsize=8, fontweight="bold", pad=3)
        axis.tick_params(labelsize=6.5, length=2, width=0.5, color=figures.GREY)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    handles, labels = made.axes[0].get_legend_handles_labels()
    made.legend(handles, labels, loc="lower center", ncol=len(labels), fontsize=7, frameon=False)
    return made


def _lowest(methods: Mapping[str, Any], key: str) -> float:
    values = [option[key] for one in methods.values() for option in one["options"].values()]
    return min((value for value in values if value is not None), default=0.0)


def save(found: Validated, folder: Path) -> None:
    """Write ``recovery.svg`` and ``recovery.png``."""
    made = figure(found)
    for kind in ("svg", "png"):
        figures.save(made, folder / f"recovery.{kind}", kind, DPI)
