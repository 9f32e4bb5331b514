"""The page's charts: columns of numbers to inline SVG.

Takes plain sequences (None = no value), gives `Markup`. Knows no file and no colour.
"""

from __future__ import annotations

from collections.abc import Sequence

from temporal_adapters.stages.report.axes import (
    Scale,
    Value,
    band,
    digits_for,
    horizontal_grid,
    line,
    spread,
    svg,
    text,
    ticks,
)
from temporal_adapters.stages.report.markup import Markup, element, join
from temporal_adapters.stages.report.numbers import count, decimal, signed
from temporal_adapters.stages.report.option import Curve

WIDE = (560.0, 210.0)
SMALL = (250.0, 210.0)
N_KINDS = 4
"""Line styles of the style sheet (`kind-0` ...)."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 10.0, 12.0, 34.0


def _frame(size: tuple[float, float], n: int, low: float, high: float) -> tuple[Scale, Scale]:
    width, height = size
    x = Scale(-0.5, max(n - 0.5, 0.5), _LEFT, width - _RIGHT)
    return x, Scale(low, high, height - _BOTTOM, _TOP)


def _week_ticks(x: Scale, labels: Sequence[str], height: float) -> list[Markup]:
    """Name about five weeks under the axis, the last one only if it does not touch its neighbour."""
    step = max(1, -(-len(labels) // 5))
    found = []
    for position in range(0, len(labels), step):
        found.append(element("path", d=f"M{x(position)} {height - _BOTTOM}v4", class_="grid"))
        found.append(text(x(position), height - _BOTTOM + 19, labels[position], "tick"))
    return found


def series_chart(
    labels: Sequence[str],
    ours: Curve,
    wordings: tuple[Sequence[Value], Sequence[Value]],
    theirs: Curve,
    words: str,
    chart_id: str,
) -> Markup:
    """Return both series of one option over the weeks: a line with its bands, dots with sampling error.

    Parameters
    ----------
    labels
        Week labels, one per position.
    ours, theirs
        The adapters' and the survey's curve on a common scale; low and high are the seeds and the sampling error.
    wordings
        Lower and upper end of the wordings on the same scale.
    words
        The alternative text.
    chart_id
        Identifier under which the page's script finds the values to show on hovering.
    """
    width, height = WIDE
    low, high = spread(
        [*ours.value, *theirs.value, *ours.low, *ours.high, *theirs.low, *theirs.high, *wordings[0], *wordings[1]]
    )
    x, y = _frame(WIDE, len(labels), low, high)
    at = ticks(low, high)
    return svg(
        width,
        height,
        words,
        horizontal_grid(y, _LEFT, width - _RIGHT, at, digits_for(at)),
        _week_ticks(x, labels, height),
        band(x, y, *wordings, "band wordings"),
        band(x, y, ours.low, ours.high, "band adapters"),
        _whiskers(x, y, theirs.low, theirs.high),
        line(x, y, theirs.value, "line survey"),
        line(x, y, ours.value, "line adapters"),
        _dots(x, y, theirs.value),
        element("path", d="", class_="cursor"),
        data_chart=chart_id,
        data_plot=f"{x(0)} {x(max(len(labels) - 1, 0))} {_TOP} {height - _BOTTOM}",
        tabindex="0",
    )


def _whiskers(x: Scale, y: Scale, low: Sequence[Value], high: Sequence[Value]) -> Markup | None:
    pairs = [(i, a, b) for i, (a, b) in enumerate(zip(low, high, strict=True)) if a is not None and b is not None]
    path = "".join(f"M{x(i)} {y(b)}V{y(a)}" for i, a, b in pairs)
    return element("path", d=path, class_="whisker survey") if path else None


def _dots(x: Scale, y: Scale, values: Sequence[Value]) -> Markup:
    """Return round dots as one path: a zero-length stroke with round caps is a dot, at a tenth of the bytes."""
    path = "".join(f"M{x(i)} {y(value)}h0" for i, value in enumerate(values) if value is not None)
    return element("path", d=path, class_="dots survey")


def lag_chart(
    lags: Sequence[int],
    r: Sequence[Value],
    low: Sequence[Value],
    high: Sequence[Value],
    tested: Sequence[int],
    words: str,
) -> Markup:
    """Return r over lags with its confidence interval; the lags that are tested carry a full dot."""
    width, height = SMALL
    x, y = _frame(SMALL, len(lags), -1.0, 1.0)
    step = max(1, -(-len(lags) // 7))
    bottom = height - _BOTTOM
    marks = [
        element(
            "circle", cx=x(i), cy=y(value), r=4 if lag in tested else 2.6, class_="tested" if lag in tested else "shown"
        )
        for i, (lag, value) in enumerate(zip(lags, r, strict=True))
        if value is not None
    ]
    names = [
        text(x(i), bottom + 17, signed(lag), "tick")
        for i, lag in enumerate(lags)
        if (lag - (0 if 0 in lags else lags[0])) % step == 0
    ]
    return svg(
        width,
        height,
        words,
        horizontal_grid(y, _LEFT, width - _RIGHT, [-1.0, -0.5, 0.0, 0.5, 1.0], 1),
        names,
        text((_LEFT + width - _RIGHT) / 2, height - 3, "lag in weeks, + = model leads", "axis"),
        band(x, y, low, high, "band adapters"),
        line(x, y, r, "line adapters thin"),
        marks,
    )


def scatter_chart(x_values: Sequence[Value], y_values: Sequence[Value], x_name: str, y_name: str, words: str) -> Markup:
    """Return one dot per week."""
    width, height = SMALL
    pairs = [(a, b) for a, b in zip(x_values, y_values, strict=True) if a is not None and b is not None]
    low, high = spread([a for a, _ in pairs])
    x = Scale(low, high, _LEFT, width - _RIGHT)
    bottom, top = spread([b for _, b in pairs])
    y = Scale(bottom, top, height - _BOTTOM, _TOP)
    across, up = ticks(low, high, 4), ticks(bottom, top)
    dots = "".join(f"M{x(a)} {y(b)}h0" for a, b in pairs)
    return svg(
        width,
        height,
        words,
        horizontal_grid(y, _LEFT, width - _RIGHT, up, digits_for(up)),
        [text(x(value), height - _BOTTOM + 17, decimal(value, digits_for(across)), "tick") for value in across],
        text((_LEFT + width - _RIGHT) / 2, height - 3, x_name, "axis"),
        text(_LEFT, _TOP - 2, y_name, "axis", "start"),
        element("path", d=dots, class_="dots both"),
    )


def bar_chart(labels: Sequence[str], values: Sequence[int], noun: str, words: str) -> Markup:
    """Return one bar per week; a week without a bar is a gap."""
    width, height = WIDE
    x, y = _frame(WIDE, len(labels), 0.0, max([*values, 1]) * 1.05)
    at = ticks(0.0, y.high, 4)
    wide = max(1.0, abs(x(1) - x(0)) * 0.72)
    bars = [
        element(
            "rect",
            element("title", f"{label}: {count(value)} {noun}"),
            x=round(x(i) - wide / 2, 1),
            y=y(value),
            width=round(wide, 1),
            height=round(y(0.0) - y(value), 1),
        )
        for i, (label, value) in enumerate(zip(labels, values, strict=True))
        if value
    ]
    grid = [
        join(
            [
                element("path", d=f"M{_LEFT} {y(value)}H{width - _RIGHT}", class_="zero" if value == 0 else "grid"),
                text(_LEFT - 6, y(value) + 4, _thousands(value), "tick", "end"),
            ]
        )
        for value in at
    ]
    return svg(width, height, words, grid, _week_ticks(x, labels, height), element("g", bars, class_="bars"))


def _thousands(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def level_chart(labels: Sequence[str], rows: Sequence[tuple[str, Sequence[Value]]], words: str) -> Markup:
    """Return one line per row over the weeks on a scale from 0; lines are told apart by colour and dashes."""
    width, height = WIDE
    top = max((value for _, values in rows for value in values if value is not None), default=1.0)
    x, y = _frame(WIDE, len(labels), 0.0, top * 1.1 or 1.0)
    at = ticks(0.0, y.high, 4)
    lines = [line(x, y, values, f"line kind-{place % N_KINDS}") for place, (_, values) in enumerate(rows)]
    grid = horizontal_grid(y, _LEFT, x.stop, at, digits_for(at))
    return svg(width, height, words, grid, _week_ticks(x, labels, height), lines)


def compared_chart(labels: Sequence[str], rows: Sequence[tuple[str, Sequence[Value]]], words: str) -> Markup:
    """Return one line per row over the weeks on a common scale of any sign."""
    width, height = WIDE
    low, high = spread([value for _, values in rows for value in values])
    x, y = _frame(WIDE, len(labels), low, high)
    at = ticks(low, high)
    lines = [line(x, y, values, f"line kind-{place % N_KINDS}") for place, (_, values) in enumerate(rows)]
    grid = horizontal_grid(y, _LEFT, x.stop, at, digits_for(at))
    return svg(width, height, words, grid, _week_ticks(x, labels, height), lines)
