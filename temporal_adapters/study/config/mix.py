"""Section `mix`: the mixing experiment, adapters on known shares of two kinds of posts."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from temporal_adapters.study.config.base import Operational, Section, StudyPath

LabelShare = Annotated[float, Field(ge=0, le=1)]


class Mix(Section):
    """Internal validity as published: do the answers follow the share of a label in the posts?"""

    posts: StudyPath | None = Operational(None)
    """CSV, TSV or Parquet file of labelled posts (what is keyed is its content); without it the simulator makes them
    with the knobs of the section `simulate`."""

    text_column: str = "text"
    """Column of the texts."""

    label_column: str = "label"
    """Column of the labels."""

    encoding: str | None = None
    """Encoding of a CSV file that is neither UTF-8 nor begins with the mark of UTF-16, such as cp1252."""

    low: str = "Sad"
    """Label of the posts that a share of 0 consists of."""

    high: str = "Happy"
    """Label of the posts that a share of 1 consists of."""

    low_option: str | None = None
    """Answer option that stands for `low`; without it the option of the label's name, in any letter case."""

    high_option: str | None = None
    """Answer option that stands for `high`; without it the option of the label's name, in any letter case."""

    item: str | None = None
    """Question whose answers are read; needed only where several have both options."""

    shares: tuple[LabelShare, ...] = Field(tuple(n / 10 for n in range(11)), min_length=3)
    """Shares of `high` among the posts of a mix."""

    seeds: tuple[int, ...] = Field((1, 2, 3, 4, 5), min_length=1)
    """Repetitions of all mixes; each draws its own posts and trains its own adapters (the published study: 10)."""

    n_posts: int = Field(500, ge=2)
    """Posts per mix."""

    nested: bool = False
    """Neighbouring mixes of a seed share all posts but those that change the label, which makes curves smoother than
    weeks can ever be; without it every mix is drawn by itself, as weeks are."""

    checkpoints: tuple[int, ...] = ()
    """Training steps after which adapters are asked, too; without them `train.checkpoint_steps`."""

    @field_validator("shares", "seeds", "checkpoints")
    @classmethod
    def _holds_nothing_twice(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice:g} is given twice")
        return tuple(sorted(values))

    @field_validator("checkpoints")
    @classmethod
    def _are_steps(cls, values: tuple[int, ...]) -> tuple[int, ...]:
        if values and values[0] < 1:
            raise ValueError(f"{values[0]} is no training step: the first is 1")
        return values

    @model_validator(mode="after")
    def _can_be_mixed(self) -> Self:
        if self.low == self.high:
            raise ValueError(f"low and high are both {self.low!r}: a mix needs two labels")
        counts = [self.n_high(share) for share in self.shares]
        for share, before, after in zip(self.shares[1:], counts, counts[1:], strict=False):
            if before == after:
                raise ValueError(f"n_posts: {self.n_posts} posts are too few to tell the share {share:g} from the next")
        return self

    def n_high(self, share: float) -> int:
        """Return how many of a mix's posts have the label `high`: the nearest whole number to `share`."""
        return int(share * self.n_posts + 0.5)
