"""Section `report`: the page, its figures and tables."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from temporal_adapters.study.config.base import Section

FigureFormat = Literal["svg", "pdf", "png"]


class Report(Section):
    """The report."""

    title: str | None = None
    """Title of the page; the study's name without it."""

    figures: tuple[FigureFormat, ...] = ("svg", "pdf", "png")
    """Formats in which every figure is written beside the page; empty writes none."""

    view: Literal["z", "min-max"] = "z"
    """How series on different scales are put into one figure: z-scores, or the range of each as 0 to 1."""

    smooth_weeks: int = Field(1, ge=1, le=9)
    """Odd number of weeks of a centred mean in the figures (1 = none), written on them; never used for a test."""

    width_cm: float = Field(17.8, ge=5, le=60)
    """Width of a figure in centimetres; 17.8 is two columns of most journals."""

    dpi: int = Field(300, ge=50, le=1200)
    """Dots per inch of the PNG files."""

    vote: tuple[str, ...] = ()
    """Vote experiments in the same folder of runs whose main table is shown; each needs `ta vote report` first."""

    @field_validator("smooth_weeks")
    @classmethod
    def _is_odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError(f"a centred mean needs an odd number of weeks, not {value}")
        return value
