"""One forward pass of K adapters over their blocks, to one loss per adapter.

Takes blocks, gives losses. Knows no optimizer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from temporal_adapters.engines.model import Base, Kernels, Layout, Stack, inside, starting_at, states_below
from temporal_adapters.stages.tokens import IGNORED, Blocks
from temporal_adapters.stages.train.loss import Wanted, head_losses, logits_loss
from temporal_adapters.stages.train.lower import Memory, first_with_adapters

_PLAIN_HEADS = frozenset(
    {"llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "gpt2", "phi3", "olmo2", "smollm3"}
)
"""Architectures whose logits are the output head on the last hidden state (soft-capped at most)."""

Part = tuple[Blocks, Any]


class Forward:
    """Forward passes of the adapters of a stack.

    Parameters
    ----------
    base, stack
        The base with its adapters attached.
    attention
        ``document``, ``chunk`` or ``padded``.
    kernels
        What computes between the matrix products.
    memory
        Keeps the states below the first layer with adapters; None computes them in every pass.
    """

    def __init__(
        self, base: Base, stack: Stack, attention: str, kernels: Kernels, memory: Memory | None = None
    ) -> None:
        self.base, self.stack, self.attention, self.kernels = base, stack, attention, kernels
        config, head = base.model.config, base.model.get_output_embeddings()
        self.head = head if type(head) is nn.Linear and config.model_type in _PLAIN_HEADS else None
        self.softcap = getattr(config, "final_logit_softcapping", None)
        # Rows of posts are cut to the longest of a pass: the states of a row are not the same in every pass.
        self.memory = memory if attention != "padded" else None
        self.first = first_with_adapters(stack) if self.memory is not None else 0
        self.body = kernels.body(stack) if self.head is not None else None

    def losses(self, parts: Sequence[Part]) -> torch.Tensor:
        """Return the sum of losses of each adapter on its blocks, (K,): one (blocks, row numbers) per adapter."""
        batch = _Batch(parts, self.attention, self.base.device, self.kernels)
        with contextlib.nullcontext() if batch.layout is None else inside(batch.layout):
            hidden = self._upper(parts, batch).unflatten(0, (self.stack.n_active, -1)).flatten(1, 2)
        if self.head is not None:
            return head_losses(hidden, self.head, batch.wanted, self.softcap, self.kernels)
        pairs = zip(hidden, batch.wanted, strict=True)
        return torch.stack([logits_loss(mine.index_select(0, want.rows), want) for mine, want in pairs])

    def _upper(self, parts: Sequence[Part], batch: _Batch) -> torch.Tensor:
        """Return `_hidden`; layers below all adapters are computed once per block, if there is a memory."""
        if not self.first or self.memory is None:
            return self._hidden(batch)
        ids = np.concatenate([blocks.input_ids[rows] for blocks, rows in parts])
        documents = np.concatenate([documents_of(blocks, rows, self.attention) for blocks, rows in parts])
        states = self.memory.states(ids, documents, lambda row: self._below(ids[row], documents[row]))
        if self.body is not None and batch.layout is not None:
            return self.body.hidden(batch.ids, batch.layout, self.first, states)
        with starting_at(self.base.model, self.first, states):
            return self._hidden(batch)

    def _below(self, block: np.ndarray[Any, Any], documents: np.ndarray[Any, Any]) -> torch.Tensor:
        """Return what the first layer with adapters is given for one block, (tokens, d_model)."""
        ids = torch.from_numpy(block[None].astype(np.int64)).to(self.base.device)
        layout = self.kernels.lay_out(documents[None], self.base.device)
        with inside(layout), torch.no_grad():
            if self.body is not None:
                return self.body.below(self.first, ids, layout)[0].clone()
            options = {"input_ids": ids, "position_ids": layout.positions, "use_cache": False}
            return states_below(self.base.model, self.first, **options)[0].clone()

    def _hidden(self, batch: _Batch) -> torch.Tensor:
        """Return last hidden states, or logits where the head is special, (rows, tokens, ...)."""
        layout = batch.layout
        if self.body is not None and layout is not None:
            return self.body.hidden(batch.ids, layout)
        options = {"input_ids": batch.ids, "use_cache": False}
        if layout is not None:
            options["position_ids"] = layout.positions
        found: torch.Tensor
        if self.head is not None:
            found = self.base.model.base_model(**options).last_hidden_state
        else:
            found = self.base.model(**options).logits
        return found

    def count(self, blocks: Blocks, rows: Any) -> Count:
        """Return what is to be predicted in these blocks."""
        wanted = _predicted(blocks.labels[rows], documents_of(blocks, rows, self.attention))
        tokens = int(wanted.sum())
        weight = float(tokens) if blocks.weights is None else float(blocks.weights[rows][:, 1:][wanted].sum())
        # Blocks without any label have a loss of 0, not 0 / 0.
        return Count(tokens, weight or 1.0)

    def mean_loss(self, blocks: Blocks, number: int, micro: int) -> float:
        """Return the mean loss of adapter `number` on all of `blocks`."""
        every = np.arange(len(blocks))
        with torch.no_grad(), self.stack.only(number):
            parts = [[(blocks, every[at : at + micro])] for at in range(0, len(blocks), micro)]
            total = sum(float(self.losses(part)[0]) for part in parts)
        return total / self.count(blocks, every).weight


@dataclass(frozen=True)
class Count:
    """Tokens to be predicted, and their total weight in the loss."""

    tokens: int
    weight: float


def documents_of(blocks: Blocks, rows: Any, attention: str) -> np.ndarray[Any, Any]:
    """Return document numbers of these blocks; under ``chunk`` a whole block is one document."""
    documents = blocks.documents[rows]
    return np.zeros_like(documents) if attention == "chunk" else documents


def _predicted(labels: np.ndarray[Any, Any], documents: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return where token t+1 is predicted from token t: it carries a label and belongs to the same document."""
    wanted: np.ndarray[Any, Any] = (labels[:, 1:] != IGNORED) & (documents[:, 1:] == documents[:, :-1])
    return wanted


class _Batch:
    """The blocks of all adapters, adapter-major, on the device."""

    def __init__(self, parts: Sequence[Part], attention: str, device: torch.device, kernels: Kernels) -> None:
        documents = [documents_of(blocks, rows, attention) for blocks, rows in parts]
        numbers = np.concatenate(documents)
        # A padded row's end is nobody's: nothing is computed beyond the longest document.
        length = int((numbers == numbers[:, :1]).sum(1).max()) if attention == "padded" else numbers.shape[1]
        ids = np.concatenate([blocks.input_ids[rows][:, :length] for blocks, rows in parts])
        self.layout: Layout | None = {
            "document": lambda: kernels.lay_out(numbers, device),
            "chunk": lambda: kernels.whole_rows(len(ids), length, device),
            "padded": lambda: None,
        }[attention]()
        self.ids = torch.from_numpy(ids.astype(np.int64)).to(device)
        self.wanted = [
            _wanted(blocks, rows, mine[:, :length], device)
            for (blocks, rows), mine in zip(parts, documents, strict=True)
        ]


def _wanted(blocks: Blocks, rows: Any, numbers: np.ndarray[Any, Any], device: torch.device) -> Wanted:
    labels = blocks.labels[rows][:, : numbers.shape[1]]
    wanted = np.zeros(labels.shape, bool)
    wanted[:, :-1] = _predicted(labels, numbers)
    places = np.flatnonzero(wanted)
    weights = None if blocks.weights is None else blocks.weights[rows][:, : numbers.shape[1]]
    factors = None if weights is None else weights.ravel()[places + 1]
    return Wanted(
        torch.from_numpy(places).to(device),
        torch.from_numpy(labels.ravel()[places + 1].astype(np.int64)).to(device),
        None if factors is None else torch.from_numpy(factors).to(device),
    )
