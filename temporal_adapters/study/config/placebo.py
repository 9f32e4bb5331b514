"""Section `placebo`: series that should not be related to the survey, and how many (`ta validate --placebo`)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator

from temporal_adapters.study.config.base import Section, in_study
from temporal_adapters.study.config.probe import FILE_ENDINGS


class Placebo(Section):
    """What the real series is compared with."""

    shuffles: int = Field(1, ge=0, le=199)
    """Trainings on posts that were dealt out anew to weeks of the same sizes; each costs as much as the study."""

    permutations: int = Field(199, ge=0, le=9999)
    """Series with their week labels permuted, which costs nothing and destroys persistence."""

    questionnaire: str | None = "placebo"
    """Questions that have nothing to do with the survey: a shipped name, or a path; null asks none."""

    seed: int = Field(1, ge=0)
    """Seed of everything that is dealt out or permuted; of the split halves, too."""

    @field_validator("questionnaire")
    @classmethod
    def _finds_file(cls, value: str | None, info: ValidationInfo) -> str | None:
        return str(in_study(Path(value), info)) if value is not None and value.endswith(FILE_ENDINGS) else value
