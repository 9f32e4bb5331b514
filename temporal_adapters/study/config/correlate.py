"""Section `correlate`: which lags are tested, and how."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from temporal_adapters.study.config.base import Operational, Section, StudyPath

Alternate = Literal["prewhitened-spearman", "phase-randomisation", "adl-hc3", "effective-n-t", "block-bootstrap"]


class Correlate(Section):
    """Lags and tests, fixed before looking."""

    lags: tuple[int, ...] = Field((0,), min_length=1)
    """Lags in weeks that are tested; positive = the model leads."""

    shown_lags: tuple[int, ...] = tuple(range(-4, 5))
    """Lags in weeks that are shown but not tested."""

    alpha: float = Field(0.05, gt=0, lt=1)
    """Family-wise error rate of the headline."""

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

    baselines: tuple[StudyPath, ...] = Operational(())
    """Tidy CSV files (date, question, option, value) of other series, such as word counts, that the adapters' are
    compared with; the file's name is theirs."""

    min_weeks: int = Field(12, ge=12)
    """Shared weeks below which a pair is refused."""

    @model_validator(mode="after")
    def _has_each_lag_once(self) -> Self:
        if len(set(self.lags)) < len(self.lags):
            raise ValueError(f"lags {list(self.lags)} name a lag twice")
        names = [path.stem for path in self.baselines]
        if len(set(names)) < len(names):
            raise ValueError(f"baselines: two files have the same name ({', '.join(names)}), which names their series")
        return self
