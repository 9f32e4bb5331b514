"""Section `pretrain`: a small base model made on the spot, for studies without a hub."""

from __future__ import annotations

from pydantic import Field

from temporal_adapters.study.config.base import Section


class Pretrain(Section):
    """A small Llama, pre-trained from scratch on the first weeks of the study's own panel."""

    first_weeks: int = Field(12, ge=1)
    """Weeks, counted from the first, whose posts it reads."""

    vocab_size: int = Field(4096, ge=300)
    """Tokens of its byte-level BPE tokenizer."""

    d_model: int = Field(128, ge=16, multiple_of=16)
    """Width."""

    n_layers: int = Field(4, ge=1)
    """Layers."""

    n_heads: int = Field(4, ge=1)
    """Attention heads; they divide the width."""

    epochs: int = Field(3, ge=1)
    """Passes over the posts."""

    learning_rate: float = Field(3e-3, gt=0)
    """Peak learning rate of AdamW."""

    seed: int = 2024
    """Seed of the initial weights and of the order of posts."""
