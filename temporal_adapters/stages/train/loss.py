"""The loss of predicting tokens, computed without ever holding all logits, and with the gradient on the way.

Takes hidden states and labels, gives a sum of losses. Knows no adapter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from temporal_adapters.engines.model import Kernels

_ELEMENTS = {"cpu": 1 << 17, "cuda": 1 << 28}
"""Logits held at a time: half a MiB in float32 stays in a core's cache; a GPU wants large pieces (1 GiB)."""

_ROWS = 256
"""Rows per piece where the head is larger than a cache: each piece reads it twice (64 rows: 67 GFLOP/s, 256: 83)."""

_CACHED = 1 << 20
"""Weights of a head (4 MiB) that is read from a cache whatever the piece."""


@dataclass(frozen=True)
class Wanted:
    """What one adapter has to predict.

    Attributes
    ----------
    rows
        Tokens before those to be predicted, int64 (n,).
    labels
        Tokens to be predicted, int64 (n,).
    factors
        Weight of each loss, float32 (n,), or None.
    """

    rows: torch.Tensor
    labels: torch.Tensor
    factors: torch.Tensor | None


class _HeadLosses(torch.autograd.Function):
    """Sums of weighted cross-entropies behind a frozen output head, one per adapter; the weight gets no gradient.

    The gradient of the hidden states is computed together with the losses, piece by piece, so that logits exist once.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, head: nn.Linear, wanted: Sequence[Wanted], softcap: float | None, how: Kernels
    ) -> torch.Tensor:
        grad = torch.zeros_like(hidden) if ctx.needs_input_grad[0] else None
        found = [
            _pieces(hidden[number], head, mine, softcap, None if grad is None else grad[number], how)
            for number, mine in enumerate(wanted)
        ]
        ctx.grad = grad
        return torch.stack(found)

    @staticmethod
    def backward(ctx: Any, outer: torch.Tensor) -> Any:
        return ctx.grad.mul_(outer.to(ctx.grad.dtype)[:, None, None]), None, None, None, None


def _pieces(
    hidden: torch.Tensor,
    head: nn.Linear,
    wanted: Wanted,
    softcap: float | None,
    grad: torch.Tensor | None,
    kernels: Kernels,
) -> torch.Tensor:
    """Return the sum of losses of one adapter; write the gradient of `hidden` (tokens, d_model) into `grad`."""
    weight = head.weight
    least = 64 if weight.numel() < _CACHED else _ROWS
    size = max(least, _ELEMENTS[weight.device.type] // weight.shape[0])
    total = hidden.new_zeros((), dtype=kernels.total)
    room = hidden.new_empty(min(size, len(wanted.rows)), weight.shape[0])
    for start in range(0, len(wanted.rows), size):
        rows, labels = wanted.rows[start : start + size], wanted.labels[start : start + size]
        factors = None if wanted.factors is None else wanted.factors[start : start + size]
        logits = torch.mm(hidden.index_select(0, rows), weight.T, out=room[: len(rows)])
        logits = (logits if head.bias is None else logits.add_(head.bias)).float()
        total += kernels.cross_entropy(logits, labels, factors, softcap, grad is not None)
        if grad is not None:
            grad.index_copy_(0, rows, logits.to(weight.dtype) @ weight)
    return total.float()


def head_losses(
    hidden: torch.Tensor, head: nn.Linear, wanted: Sequence[Wanted], softcap: float | None, kernels: Kernels
) -> torch.Tensor:
    """Return the sum of losses of each adapter, float32 (K,).

    Parameters
    ----------
    hidden
        Last hidden states, (K, tokens, d_model).
    head
        The frozen output head.
    wanted
        One per adapter.
    softcap
        Bound of the logits, where the architecture has one.
    kernels
        What computes the cross-entropies.
    """
    found: torch.Tensor = _HeadLosses.apply(hidden, head, wanted, softcap, kernels)
    return found


def logits_loss(logits: torch.Tensor, wanted: Wanted) -> torch.Tensor:
    """Return the sum of losses from logits (n, vocabulary), for models whose head is not a plain frozen layer."""
    loss = F.cross_entropy(logits.float(), wanted.labels, reduction="none")
    return (loss if wanted.factors is None else loss * wanted.factors).sum()
