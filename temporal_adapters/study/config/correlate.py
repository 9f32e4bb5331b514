"""Section `correlate`: which lags are tested, and how."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from temporal_adapters.study.config.base import Later, Operational, Section, StudyPath, in_study

_CALENDAR = ("season", "month", "four_weeks", "trend")
_HOLIDAYS = re.compile(r"holidays:[A-Z]{2}(-[A-Z0-9]{1,3})?")


def _adjustment(value: str, info: ValidationInfo) -> str:
    if value in _CALENDAR or _HOLIDAYS.fullmatch(value):
        return value
    if value.lower().endswith(".csv"):
        return str(in_study(Path(value), info))
    known = ", ".join(_CALENDAR)
    raise ValueError(f"{value!r} is none of {known}, holidays:GB (an ISO country), or a .csv file")


Adjustment = Annotated[str, AfterValidator(_adjustment)]

Alternate = Literal["prewhitened-spearman", "phase-randomisation", "adl-hc3", "effective-n-t", "block-bootstrap"]


class Correlate(Section):
    """Lags and tests, fixed before looking."""

    lags: tuple[int, ...] = Field((0,), min_length=1)
    """Lags in weeks that are tested; positive = the model leads."""

    shown_lags: tuple[int, ...] = tuple(range(-4, 5))
    """Lags in weeks that are shown but not tested."""

    alpha: float = Field(0.05, gt=0, lt=1)
    """Family-wise error rate of the verdicts, over all options, lags and both tests."""

    confidence: float = Field(0.95, gt=0.5, lt=1)
    """Level of the intervals."""

    draws: int = Field(9999, ge=199)
    """Null draws of both tests."""

    seed: int = 20240917
    """Seed of the null draws."""

    fdr: Literal["bh", "by"] = "bh"
    """q-values: Benjamini-Hochberg, or Benjamini-Yekutieli (any dependence)."""

    exclude: tuple[str, ...] = ()
    """Series that are not tested, as `item/option` or `item`."""

    alternates: tuple[Alternate, ...] = ()
    """Further tests by name; they never decide the verdict."""

    every_weeks: int = Field(1, ge=1, le=26)
    """Weeks between the survey's waves; lags stay in weeks, memory is then modelled from wave to wave."""

    adjust: tuple[Adjustment, ...] = Later(())
    """What is taken out of both series before they are tested: season, month, four_weeks, trend, holidays:GB (any
    country), or the columns of a CSV file with a column `date`. The calendar is always tried beside the headline."""

    baselines: tuple[StudyPath, ...] = Operational(())
    """Tidy CSV files (date, question, option, value) of other series, such as word counts, that the adapters' are
    compared with; the file's name is theirs."""

    min_weeks: int = Field(12, ge=12)
    """Shared weeks below which a pair is refused."""

    @property
    def adjust_files(self) -> tuple[Path, ...]:
        """Files among what is taken out."""
        return tuple(Path(name) for name in self.adjust if name not in _CALENDAR and not _HOLIDAYS.fullmatch(name))

    @property
    def adjust_names(self) -> tuple[str, ...]:
        """What is taken out, files by their name: wherever they lie, their content counts."""
        return tuple(Path(name).name for name in self.adjust)

    @model_validator(mode="after")
    def _has_each_lag_once(self) -> Self:
        if len(set(self.lags)) < len(self.lags):
            raise ValueError(f"lags {list(self.lags)} name a lag twice")
        names = [path.stem for path in self.baselines]
        if len(set(names)) < len(names):
            raise ValueError(f"baselines: two files have the same name ({', '.join(names)}), which names their series")
        return self
