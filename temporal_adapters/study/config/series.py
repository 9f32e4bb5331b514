"""Section `series`: pooling answers into weekly series."""

from __future__ import annotations

from typing import Literal

from temporal_adapters.study.config.base import Section

Scale = Literal["share", "clr", "log-odds", "base"]


class Series(Section):
    """Pooling over wordings, orders and seeds."""

    scale: Scale = "clr"
    """What is pooled: shares, centred log-ratios, log-odds, or the clr contrast to the base model."""

    method: str | None = None
    """Scoring method that is pooled; the first of `probe.methods` without it."""

    wordings: tuple[str, ...] = ()
    """Wordings that are pooled; empty means all."""

    allow_missing: bool = False
    """Accept a grid of weeks x seeds with holes."""
