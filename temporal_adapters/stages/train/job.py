"""What is to be fitted and how, and what came out.

Takes nothing, gives records. Knows no loop.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch

from temporal_adapters.engines.model import Adapter, LoraShape
from temporal_adapters.stages.tokens import Blocks
from temporal_adapters.stages.train.passes import n_steps

if TYPE_CHECKING:
    from temporal_adapters.study.config import Train

Schedule = Literal["linear", "cosine", "constant"]
Attention = Literal["document", "chunk", "padded"]

OUTSIDE = frozenset({"seeds", "together", "save_every_s", "tensorboard"})
"""Settings of `train` that say which jobs there are and how they are kept: no part of a recipe."""

_SHAPE = ("r", "alpha", "rslora", "dropout", "targets")


@dataclass(frozen=True)
class Recipe:
    """How adapters are fitted; the same for all jobs of a call. Fields as in the study's section `train`.

    Attributes
    ----------
    shape
        Rank, scale, dropout, targets.
    learning_rate, schedule, warmup_steps, weight_decay, betas, epsilon, max_grad_norm
        AdamW and its learning rate.
    epochs, steps
        Length; exactly one of the two.
    blocks_per_step
        Blocks per optimizer step.
    attention
        ``document`` (a document sees only itself), ``chunk`` (a block is one document) or ``padded`` (a block holds one
        document and padding; the architecture's own attention).
    ema_decay
        Decay per step of an exponential moving average of the weights, which then is the result; None without.
    checkpoint_steps
        Optimizer steps after which the adapter as it is then is handed out, too.
    held_out_every
        Steps between two measurements of the held-out loss; None measures at the start and the end.
    micro_batch
        Blocks per forward pass and adapter; None chooses.
    kernels
        ``auto``, ``on`` or ``off`` (see `choice`); the results differ in the last bits.
    """

    shape: LoraShape
    learning_rate: float
    schedule: Schedule = "linear"
    warmup_steps: int = 0
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    max_grad_norm: float | None = 1.0
    epochs: float | None = None
    steps: int | None = None
    blocks_per_step: int = 8
    attention: Attention = "document"
    ema_decay: float | None = None
    checkpoint_steps: tuple[int, ...] = ()
    held_out_every: int | None = None
    micro_batch: int | None = None
    kernels: Literal["auto", "on", "off"] = "auto"

    @classmethod
    def of(cls, settings: Train, attention: Attention) -> Self:
        """Return the section `train` as a recipe: every setting but those `OUTSIDE` of it."""
        shape = LoraShape(**{name: getattr(settings, name) for name in _SHAPE}, last=settings.n_last)
        rest = type(settings).model_fields.keys() - OUTSIDE - set(_SHAPE) - {"layers"}
        return cls(shape, attention=attention, **{name: getattr(settings, name) for name in rest})

    def n_steps(self, n_blocks: int) -> int:
        """Return the number of optimizer steps on a corpus of `n_blocks`."""
        return n_steps(self, n_blocks)

    def rate(self, step: int, n_steps: int) -> float:
        """Return the learning rate of optimizer step `step` (from 0): warm-up, then decay towards zero."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        if self.schedule == "constant":
            return self.learning_rate
        left = (n_steps - step) / max(1, n_steps - self.warmup_steps)
        return self.learning_rate * (left if self.schedule == "linear" else (1 - math.cos(math.pi * left)) / 2)


@dataclass(frozen=True)
class Job:
    """One adapter to fit.

    Attributes
    ----------
    name
        Name of the adapter, such as ``2023-W14/seed-42``.
    blocks
        What it learns.
    seed, stream
        All its randomness comes from these two; `stream` is the week's label (or a fold's name).
    held_out
        Blocks on which the loss is measured and that it never learns; None without.
    """

    name: str
    blocks: Blocks
    seed: int
    stream: str
    held_out: Blocks | None = None

    def generator(self, purpose: str) -> torch.Generator:
        """Return a fresh CPU generator for `purpose`."""
        text = f"{self.seed}/{self.stream}/{purpose}".encode()
        number = int.from_bytes(hashlib.sha256(text).digest()[:8], "little") >> 1
        return torch.Generator().manual_seed(number)

    def order(self, start: int, n: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the blocks at places start .. start + n - 1 of the endless stream of shuffled epochs."""
        size = len(self.blocks)
        found = []
        for place in range(start, start + n):
            found.append(_permutation(self.seed, self.stream, place // size, size)[place % size])
        return np.array(found)


@functools.lru_cache(maxsize=256)
def _permutation(seed: int, stream: str, epoch: int, size: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    digest = hashlib.sha256(f"{seed}/{stream}/order/{epoch}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "little"))).permutation(size)


@dataclass(frozen=True)
class Fitted:
    """A fitted adapter.

    Attributes
    ----------
    job
        What was asked for.
    adapter
        Its weights (CPU, float32).
    losses
        Mean loss per token (natural log) of every optimizer step.
    n_tokens
        Tokens with a loss, over all steps.
    n_steps
        Optimizer steps.
    n_fused
        How many of them the fused kernels computed.
    held_out
        Optimizer step -> loss on the held-out blocks (of the moving average where there is one); 0 is the base.
    kernels
        What computed, and why (see `choice.Choice.facts`).
    """

    job: Job
    adapter: Adapter
    losses: tuple[float, ...]
    n_tokens: int
    n_steps: int
    n_fused: int = 0
    held_out: Mapping[int, float] = field(default_factory=dict)
    kernels: Mapping[str, Any] = field(default_factory=dict)
