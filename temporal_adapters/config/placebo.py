"""Section `placebo`: series that should not be related to the survey, and how many of them (`ta validate --placebo`)."""

from __future__ import annotations

from pydantic import Field

from temporal_adapters.config.base import Section


class Placebo(Section):
    """What the real series is compared with."""

    shuffles: int = Field(1, ge=0, le=199)
    """Trainings on posts that were dealt out anew to weeks of the same sizes; each costs as much as the study."""

    permutations: int = Field(199, ge=0, le=9999)
    """Series with their week labels permuted, which costs nothing and destroys persistence."""

    questionnaire: str | None = "placebo"
    """Questions that have nothing to do with the survey: a shipped name, or a path."""

    seed: int = Field(1, ge=0)
    """Seed of everything that is dealt out or permuted; of the split halves, too."""
