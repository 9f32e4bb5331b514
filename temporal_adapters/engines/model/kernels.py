"""What computes between the matrix products: PyTorch's own operations, or the fused kernels of ``kernels.c``.

Takes a base and a wish, gives one object that training asks for layouts, hidden states and losses. Whoever holds it
does not know which of the two it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from temporal_adapters.engines.model import attention, lean, native
from temporal_adapters.engines.model.attention import Layout
from temporal_adapters.engines.model.stacked import Stack
from temporal_adapters.ground.errors import ModelError

Wish = Literal["on", "off"]


class Kernels:
    """PyTorch's operations: every architecture, device and precision."""

    name = "pytorch"
    """What manifests call them."""

    fused = False
    """Whether the fused kernels compute; manifests say how many steps of an adapter they did."""

    total = torch.float32
    """Precision in which losses are summed up."""

    def lay_out(self, documents: np.ndarray, device: torch.device) -> Layout:
        """Return where the tokens of packed rows go for attention (see `attention.lay_out`)."""
        return attention.lay_out(documents, device)

    def whole_rows(self, n_rows: int, n_tokens: int, device: torch.device) -> Layout:
        """Return the layout of a batch in which every row is one document."""
        return attention.whole_rows(n_rows, n_tokens, device)

    def body(self, stack: Stack) -> lean.LeanModel | None:
        """Return what gives last hidden states in place of the Hugging Face modules, or None."""
        return None

    def cross_entropy(
        self,
        logits: torch.Tensor,
        labels: torch.Tensor,
        factors: torch.Tensor | None,
        softcap: float | None,
        wanted: bool,
    ) -> torch.Tensor | float:
        """Return the weighted sum of losses.

        Parameters
        ----------
        logits
            Float32 (n, vocabulary); they become their gradients if `wanted`, else rubbish.
        labels
            Int64 (n,).
        factors
            Weight of each loss, float32 (n,), or None.
        softcap
            Bound of the logits, where the architecture has one.
        wanted
            Whether there is a backward pass.
        """
        if softcap is not None:
            logits.div_(softcap).tanh_().mul_(softcap)
        label = labels.unsqueeze(1)
        highest = logits.amax(-1, keepdim=True)
        chosen = logits.gather(1, label)
        slope = 1 - (logits / softcap) ** 2 if softcap is not None and wanted else None
        odds = logits.sub_(highest).exp_()
        sums = odds.sum(-1, keepdim=True)
        loss = (sums.log() + highest - chosen).squeeze(1)
        if wanted:
            error = odds.mul_(sums.reciprocal_())
            error.scatter_add_(1, label, torch.full_like(label, -1, dtype=error.dtype))
            if slope is not None:
                error.mul_(slope)
            if factors is not None:
                error.mul_(factors.unsqueeze(1))
        return (loss if factors is None else loss * factors).sum()


class FusedKernels(Kernels):
    """The kernels of ``kernels.c``: float32 on a CPU."""

    name, fused = "fused", True
    total = torch.float64

    def lay_out(self, documents: np.ndarray, device: torch.device) -> Layout:
        """Return a layout whose documents are attended where they lie."""
        starts, positions = attention.beginnings(documents)
        return _in_place(starts, torch.from_numpy(positions))

    def whole_rows(self, n_rows: int, n_tokens: int, device: torch.device) -> Layout:
        """Return a layout whose rows are attended where they lie."""
        return _in_place(np.arange(n_rows + 1) * n_tokens, torch.arange(n_tokens).expand(n_rows, -1))

    def body(self, stack: Stack) -> lean.LeanModel | None:
        """Return the lean form of the stack's model, or None where the architecture has none."""
        return lean.lean(stack)

    def cross_entropy(
        self,
        logits: torch.Tensor,
        labels: torch.Tensor,
        factors: torch.Tensor | None,
        softcap: float | None,
        wanted: bool,
    ) -> torch.Tensor | float:
        """Return the weighted sum of losses (see `Kernels.cross_entropy`)."""
        if softcap is not None:
            return super().cross_entropy(logits, labels, factors, softcap, wanted)
        return native.cross_entropy(logits, labels, factors, wanted)


def available(model: Any) -> list[Kernels]:
    """Return everything that can compute for `model` here."""
    return [Kernels(), FusedKernels()] if lean.is_fusable(model) else [Kernels()]


def only(model: Any, wish: Wish) -> Kernels:
    """Return the fused kernels (`on`) or PyTorch's operations (`off`).

    Raises
    ------
    ModelError
        If the fused kernels cannot compute for `model` here.
    """
    if wish == "off":
        return Kernels()
    if lean.is_fusable(model):
        return FusedKernels()
    raise ModelError(
        "train.kernels: on: the fused kernels need a float32 base on a CPU, and a C compiler: use auto or off"
    )


def identity() -> str:
    """Return what tells these kernels and this processor from others."""
    return native.identity()


def cache_folder() -> Path:
    """Return the folder where what was found out about this machine is kept."""
    return native.cache_folder()


def _in_place(starts: np.ndarray, positions: torch.Tensor) -> Layout:
    documents = native.Documents(torch.from_numpy(starts.astype(np.int64)))
    return Layout((), torch.empty(0, dtype=torch.int64), positions, in_place=_Attention(documents))


class _Attention:
    """Causal attention of the documents of one batch by the fused kernel."""

    def __init__(self, documents: native.Documents) -> None:
        self.documents = documents

    def __call__(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, window: int | None
    ) -> torch.Tensor:
        """Return attention of documents (tokens, heads, d_head)."""
        found: torch.Tensor = _Fused.apply(query, key, value, self.documents, scale, window)
        return found


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        documents: native.Documents,
        scale: float,
        window: int | None,
    ) -> torch.Tensor:
        out, shifts = torch.empty_like(query), query.new_empty(query.shape[:2])
        native.attend(query, key, value, out, shifts, documents, scale, window)
        ctx.save_for_backward(query, key, value, out, shifts)
        ctx.options = documents, scale, window
        return out

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        query, key, value, out, shifts = ctx.saved_tensors
        grads = (torch.empty_like(query), torch.empty_like(key), torch.empty_like(value))
        native.attend_back(grad.contiguous(), query, key, value, out, shifts, grads, *ctx.options)
        return (*grads, None, None, None)
