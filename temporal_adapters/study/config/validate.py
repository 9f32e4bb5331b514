"""Section `validate`: how good the instrument is, measured on a world with a known truth."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from temporal_adapters.study.config.base import Section

Reference = Literal["lexicon", "classifier", "published", "published-best"]

REFERENCES: tuple[Reference, ...] = ("lexicon", "classifier", "published", "published-best")
"""Other instruments on the same posts; counting the world's own mood words, the ceiling, is always among them."""

PUBLISHED_RATE = 5e-6
"""Learning rate of the published recipe (Ahnert et al., arXiv 2409.17990)."""


class Validation(Section):
    """Recovery of a known truth, beside other instruments that read the same posts (`ta validate`)."""

    references: tuple[Reference, ...] = REFERENCES
    """`lexicon` counts the answer options' own words; `classifier` learns from labelled posts of another world;
    `published` is the published recipe at equal training tokens; `published-best` the best of its learning rates and
    two scorings, chosen by the truth."""

    rates: tuple[float, ...] = Field((5e-6, 5e-5, 5e-4, 5e-3), min_length=1)
    """Learning rates at which the published recipe is tried for `published-best`."""

    labelled_posts: int = Field(3000, ge=24)
    """Labelled posts that the classifier learns from, all moods together."""

    labelled_seed: int = Field(1, ge=0)
    """Seed of the classifier's posts; they come from a world of their own."""

    confidence: float = Field(0.9, gt=0, lt=1)
    """Probability that a calibrated interval shall hold the true value of its week."""

    block_weeks: int = Field(4, ge=1)
    """Calendar weeks that are left out together when levels are calibrated."""

    max_lag: int = Field(4, ge=1)
    """Largest lag, in weeks, at which the best agreement in time is looked for."""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if min(self.rates) <= 0:
            raise ValueError(f"rates: {min(self.rates)} is no learning rate: each must be above 0")
        for name in ("rates", "references"):
            given = getattr(self, name)
            if len(set(given)) < len(given):
                raise ValueError(f"{name}: {list(given)} holds a value twice")
        return self
