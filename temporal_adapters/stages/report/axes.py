"""Axes and the few SVG shapes that the page's charts are made of.

Takes numbers, gives SVG elements. Knows no table. Colours, line widths and fonts are classes of the page's style sheet,
so that one drawing serves light, dark and print.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from temporal_adapters.stages.report.markup import Markup, element
from temporal_adapters.stages.report.numbers import decimal

Value = float | None


@dataclass(frozen=True)
class Scale:
    """A linear map from data to pixels.

    Attributes
    ----------
    low, high
        Ends of the axis in data.
    start, stop
        The same ends in pixels of the chart's viewBox.
    """

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """Return the pixel of `value`, to a tenth."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.stop - self.start), 1)


def ticks(low: float, high: float, n: int = 5) -> list[float]:
    """Return about `n` round numbers between `low` and `high` (steps of 1, 2 or 5 times a power of ten)."""
    raw = (high - low) / max(n - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = min((factor * power for factor in (1, 2, 5, 10)), key=lambda candidate: abs(candidate - raw))
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 12) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def spread(values: Iterable[Value], margin: float = 0.06) -> tuple[float, float]:
    """Return the range of the values that exist, a little wider; (-1, 1) where there are none."""
    known = [value for value in values if value is not None]
    if not known:
        return -1.0, 1.0
    low, high = min(known), max(known)
    room = (high - low) * margin or abs(high) * 0.1 or 1.0
    return low - room, high + room


def runs(values: Sequence[Value]) -> list[list[int]]:
    """Return the stretches of positions without a gap."""
    found: list[list[int]] = []
    for position, value in enumerate(values):
        if value is None:
            continue
        if found and found[-1][-1] == position - 1:
            found[-1].append(position)
        else:
            found.append([position])
    return found


def line(x: Scale, y: Scale, values: Sequence[Value], class_: str) -> Markup:
    """Return a line over positions 0, 1, ... that breaks where a value is missing; a lone value is a short dash."""
    parts = []
    for run in runs(values):
        points = [f"{x(i)} {y(values[i] or 0.0)}" for i in run]
        parts.append(f"M{'L'.join(points)}" + ("h1" if len(run) == 1 else ""))
    return element("path", d="".join(parts), class_=class_)


def band(x: Scale, y: Scale, low: Sequence[Value], high: Sequence[Value], class_: str) -> Markup | None:
    """Return the area between two lines; None where either has no value at all."""
    parts = []
    both = [None if a is None or b is None else a for a, b in zip(low, high, strict=True)]
    for run in runs(both):
        there = "L".join(f"{x(i)} {y(high[i] or 0.0)}" for i in run)
        back = "L".join(f"{x(i)} {y(low[i] or 0.0)}" for i in reversed(run))
        parts.append(f"M{there}L{back}Z")
    return element("path", d="".join(parts), class_=class_) if parts else None


def text(x: float, y: float, words: str, class_: str, anchor: str = "middle") -> Markup:
    """Return a piece of text."""
    return element("text", words, x=x, y=y, class_=class_, text_anchor=anchor)


def horizontal_grid(y: Scale, left: float, right: float, at: Sequence[float], digits: int) -> list[Markup]:
    """Return grid lines with their numbers on the left."""
    found = []
    for value in at:
        class_ = "zero" if value == 0 else "grid"
        found.append(element("path", d=f"M{left} {y(value)}H{right}", class_=class_))
        found.append(text(left - 6, y(value) + 4, decimal(value, digits), "tick", "end"))
    return found


def digits_for(at: Sequence[float]) -> int:
    """Return the decimals that tell neighbouring ticks apart."""
    if len(at) < 2:
        return 2
    return max(0, min(6, -math.floor(math.log10(abs(at[1] - at[0])) + 1e-9)))


def svg(width: float, height: float, words: str, *children: Markup | list[Markup] | None, **more: str) -> Markup:
    """Return a chart that is an image with `words` for those who cannot see it."""
    return element(
        "svg", *children, viewBox=f"0 0 {width:g} {height:g}", role="img", aria_label=words, class_="chart", **more
    )
