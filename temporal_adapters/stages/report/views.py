"""Both series of one option in one view: z-scores or min-max, smoothed or not. For looking, never for testing.

Takes an option view, gives curves. Knows no figure. Here
the reference is the weeks that both series share, and the bands move with their curve.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Literal

from temporal_adapters.stages.report.axes import Value
from temporal_adapters.stages.report.option import Curve, OptionView

View = Literal["z", "min-max"]


def shown(view: OptionView, kind: View, smooth_weeks: int = 1) -> tuple[Curve, Curve]:
    """Return the adapters' and the survey's curve in one view; a smoothed curve has no sampling error."""
    ours, theirs = view.adapters, view.survey
    if smooth_weeks > 1:
        ours, theirs = smoothed(ours, smooth_weeks), smoothed(theirs, smooth_weeks)
    return ours.moved(*reference(ours, theirs, kind)), theirs.moved(*reference(theirs, ours, kind))


def smoothed(curve: Curve, weeks: int) -> Curve:
    """Return the centred mean over the weeks present; a week without a value stays without one.

    The range of seeds is smoothed alike. Without a range there is none.
    """
    return Curve(*(_mean(column, weeks) for column in (curve.value, curve.low, curve.high)))


def _mean(values: Sequence[Value], weeks: int) -> list[Value]:
    half = weeks // 2
    found: list[Value] = []
    for position, value in enumerate(values):
        near = [one for one in values[max(0, position - half) : position + half + 1] if one is not None]
        found.append(None if value is None else statistics.fmean(near))
    return found


def reference(curve: Curve, other: Curve, kind: View) -> tuple[float, float]:
    """Return the centre and unit that make `curve` z-scores, or its range 0 to 1, over the weeks that both have.

    With fewer than two such weeks, or without any spread in them, the curve's own weeks are the reference; a constant
    curve becomes 0.
    """
    shared = [a for a, b in zip(curve.value, other.value, strict=True) if a is not None and b is not None]
    own = [value for value in curve.value if value is not None]
    for values in (shared, own):
        if len(values) < 2:
            continue
        centre = statistics.fmean(values) if kind == "z" else min(values)
        unit = statistics.stdev(values) if kind == "z" else max(values) - min(values)
        if not math.isclose(unit, 0.0, abs_tol=1e-12):
            return centre, unit
    return own[0] if own else 0.0, 1.0
