"""A comparison drawn with characters, for a terminal.

Takes a `Comparison`, gives lines. Knows no colour and no width of a screen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from temporal_adapters.front.compare import Comparison

BARS = "▁▂▃▄▅▆▇█"
PLAIN_BARS = ".:-=+*#@"
WIDTH = 72
"""Characters of a line; longer series are drawn by means of neighbouring steps."""

MOST = 6
"""Pairs that are drawn."""


def drawn(found: Comparison, bars: str = BARS) -> list[str]:
    """Return a line per series, low to high within itself, and one of r over the lags; blank where missing."""
    width = max(len(found.x.name), len(found.y.name), len("r by lag"))
    lags = found.lags.filter(found.lags["method"] == "level")
    lines: list[str] = []
    for row, (item, option) in enumerate(found.pairs.names[:MOST]):
        here = lags.filter((lags["item"] == item) & (lags["option"] == option))
        title = [] if len(found.pairs.names) == 1 else [f"{item} / {option}"]
        sides = [(found.x.name, found.pairs.model[row]), (found.y.name, found.pairs.survey[row])]
        lines += [*title, *(f"{name:<{width}}  {_line(values, bars)}" for name, values in sides)]
        r = np.array([np.nan if one is None else one for one in here["r"]], dtype=np.float64)
        span = f"lags {here['lag'].to_list()[0]} to {here['lag'].to_list()[-1]}"
        lines.append(f"{'r by lag':<{width}}  {_bars((r + 1) / 2, bars)}  ({span}, -1 to 1)")
    left = len(found.pairs.names) - MOST
    return [*lines, f"... and {left} more"] if left > 0 else lines


def _line(values: np.ndarray[Any, Any], bars: str) -> str:
    pooled = np.array([_mean(part) for part in np.array_split(values, min(len(values), WIDTH))])
    low, high = np.nanmin(pooled), np.nanmax(pooled)
    return _bars((pooled - low) / (high - low or 1.0), bars)


def _mean(part: np.ndarray[Any, Any]) -> float:
    present = part[np.isfinite(part)]
    return float(present.mean()) if len(present) else float("nan")


def _bars(heights: np.ndarray[Any, Any], bars: str) -> str:
    """Return heights 0 to 1 as characters."""
    last = len(bars) - 1
    return "".join(" " if np.isnan(height) else bars[round(float(height) * last)] for height in heights)
