"""Section `tokens`: how a corpus becomes blocks of tokens."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from temporal_adapters.study.config.base import Section


class Tokens(Section):
    """Packing posts into blocks."""

    block_length: int = Field(512, ge=8)
    """Tokens per block."""

    attention: Literal["document", "chunk", "padded"] = "document"
    """`document`: a post sees only itself; `chunk`: posts in a block see each other (as published); `padded`: one post
    per row, for architectures that cannot keep posts in one block apart."""

    bos: Literal["auto", "always", "never"] = "auto"
    """Begin-of-text token before each post; `auto`: as the tokenizer does by itself."""

    eos: bool = False
    """End each post with the end-of-text token."""

    user_weight: Literal["posts", "users"] = "posts"
    """`posts`: every post counts alike; `users`: every user does (a post's loss is divided by its user's posts)."""

    held_out: float = Field(0.0, ge=0, lt=1)
    """Share of a week's posts (0-1) that is never learned, for a validation loss."""
