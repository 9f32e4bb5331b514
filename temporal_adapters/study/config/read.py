"""Section `read`: the base asked after each post, beside the adapters."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from temporal_adapters.study.config.base import Section


class Read(Section):
    """The reader: the study's questionnaires, put to the frozen base after every post."""

    template: str = '"{post}"\n'
    """What stands in front of a wording; `{post}` is the post."""

    wordings: tuple[str, ...] = ()
    """Wordings that are asked; empty: all that ask for one of the options without listing them, and are no chat."""

    max_posts: int | None = Field(None, ge=2)
    """Posts per week, drawn by a hash of their ids; None: all."""

    post_tokens: int = Field(96, ge=4)
    """Tokens of a post beyond which it is cut (counted)."""

    user_weight: Literal["posts", "users"] = "posts"
    """`posts`: every post counts alike; `users`: every user does."""

    resamples: int = Field(200, ge=2)
    """Draws of users, with replacement, for the standard error."""

    @field_validator("template")
    @classmethod
    def _holds_the_post(cls, value: str) -> str:
        if value.count("{post}") != 1:
            raise ValueError("must hold {post} exactly once")
        return value
