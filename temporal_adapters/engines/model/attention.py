"""Attention that stays inside documents although many documents share one row, on every Hugging Face architecture.

Takes the document numbers of a batch, gives a context in which the model's attention is block-diagonal. Knows neither
posts nor losses.

The linear layers see the packed tokens; for attention the documents are moved to rows of their own (grouped by length,
each group padded to a power of two), so that nothing is computed between documents and nothing can leak. A document's
result does not depend on what stands beside it: it is always padded to the same length. A layout may bring attention of
its own, which takes the documents where they lie.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F

from temporal_adapters.ground.errors import ModelError

NAME = "temporal_adapters_documents"
_SHORTEST = 16  # tokens: documents below this length share one group


class InPlace(Protocol):
    """Causal attention of the documents of one batch, which are not moved for it."""

    documents: Any
    """Where documents begin, as whatever computes it needs it."""

    def __call__(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, window: int | None, /
    ) -> torch.Tensor:
        """Return attention of tokens (tokens, heads, d_head); `window` counts the query itself, None is no bound."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the tokens of a batch of packed rows go for attention.

    Attributes
    ----------
    groups
        Per group of documents: padded length, and the index (n_documents * length,) of each padded place in the
        flattened batch; places beyond a document's end point to its first token.
    back
        Index (rows * tokens,) of each token in the concatenated groups.
    positions
        Position of each token in its document, (rows, tokens).
    whole
        Whether every row is one document: then nothing is moved.
    in_place
        Attention of the documents where they lie; None where PyTorch's attention is to be used.
    """

    groups: tuple[tuple[int, torch.Tensor], ...]
    back: torch.Tensor
    positions: torch.Tensor
    whole: bool = False
    in_place: InPlace | None = None


_current: ContextVar[Layout] = ContextVar("documents of the batch in work")


def beginnings(documents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where documents begin in the flattened batch, with its end, and the tokens' positions in them.

    Parameters
    ----------
    documents
        Integers (rows, tokens); a document is a run of equal numbers within a row (padding is a document, too).
    """
    first = np.ones(documents.shape, bool)
    first[:, 1:] = documents[:, 1:] != documents[:, :-1]
    starts = np.append(np.flatnonzero(first), documents.size)
    positions = np.arange(documents.size) - np.repeat(starts[:-1], np.diff(starts))
    return starts, positions.reshape(documents.shape)


def lay_out(documents: np.ndarray, device: torch.device | str = "cpu") -> Layout:
    """Return the layout of a batch.

    Parameters
    ----------
    documents
        Integers (rows, tokens), as for `beginnings`.
    device
        Where the model computes.
    """
    n_rows, n_tokens = documents.shape
    edges, positions = beginnings(documents)
    starts, lengths = edges[:-1], np.diff(edges)
    padded = np.minimum(np.maximum(_SHORTEST, 1 << np.ceil(np.log2(lengths)).astype(int)), n_tokens)
    groups, back, offset = [], np.empty(n_rows * n_tokens, np.int64), 0
    for length in np.unique(padded):
        mine = padded == length
        place = np.arange(length)
        inside = place < lengths[mine, None]
        index = starts[mine, None] + np.where(inside, place, 0)
        back[index[inside]] = offset + np.flatnonzero(inside)
        groups.append((int(length), torch.from_numpy(index.ravel()).to(device)))
        offset += index.size
    return Layout(tuple(groups), torch.from_numpy(back).to(device), torch.from_numpy(positions).to(device))


def whole_rows(n_rows: int, n_tokens: int, device: torch.device | str = "cpu") -> Layout:
    """Return the layout of a batch in which every row is one document."""
    positions = torch.arange(n_tokens, device=device).expand(n_rows, -1)
    return Layout((), torch.empty(0, dtype=torch.int64, device=device), positions, whole=True)


@contextlib.contextmanager
def document_attention(model: Any) -> Iterator[None]:
    """Let `model` attend within documents only while the block lasts; forwards go through `inside(layout)`."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, _attention)
    before = model.config._attn_implementation
    model.config._attn_implementation = NAME
    try:
        yield
    finally:
        model.config._attn_implementation = before


@contextlib.contextmanager
def inside(layout: Layout) -> Iterator[None]:
    """Use `layout` for the forward passes of the block; give the model ``position_ids=layout.positions``."""
    token = _current.set(layout)
    try:
        yield
    finally:
        _current.reset(token)


class _Move(torch.autograd.Function):
    """Rows moved by an index whose inverse is known: the gradient is a gather as well, not a scatter.

    Correct only because padded places receive no gradient: causal attention lets no real token see them.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, there: torch.Tensor, back: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(back)
        return x.index_select(0, there)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (back,) = ctx.saved_tensors
        return grad.contiguous().index_select(0, back), None, None


def _attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """Attend as Hugging Face's interface asks: (rows, heads, tokens, d_head) to (rows, tokens, heads, d_head)."""
    if more.get("position_bias") is not None:
        raise ModelError(
            "tokens.attention: `document` and `chunk` do not know this architecture's attention (it adds biases of"
            " positions): set it to `padded` (one post per row)"
        )
    sinks = more.get("s_aux")
    layout, (rows, _, tokens, _) = _current.get(), query.shape
    # Values may be wider or narrower than keys (DeepSeek): attention in place has one width for all.
    equal = query.shape[-1] == key.shape[-1] == value.shape[-1]
    plain = softcap is None and sinks is None
    if layout.in_place is not None and plain and query.dtype == torch.float32 and equal:
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        q, k, v = (part.transpose(1, 2).flatten(0, 1).contiguous() for part in (query, key, value))
        return layout.in_place(q, k, v, scale, sliding_window).unflatten(0, (rows, tokens)), None
    if layout.in_place is not None:
        layout = _moved(layout)
    if layout.whole:
        return _causal(query, key, value, scaling, sliding_window, softcap, sinks).transpose(1, 2), None
    there = torch.cat([index for _, index in layout.groups]) if len(layout.groups) > 1 else layout.groups[0][1]
    flat = [_Move.apply(part.transpose(1, 2).flatten(0, 1), there, layout.back) for part in (query, key, value)]
    outs, offset = [], 0
    for length, index in layout.groups:
        part = [x[offset : offset + len(index)].unflatten(0, (-1, length)).transpose(1, 2) for x in flat]
        out = _causal(part[0], part[1], part[2], scaling, sliding_window, softcap, sinks)
        outs.append(out.transpose(1, 2).flatten(0, 1))
        offset += len(index)
    joined = torch.cat(outs) if len(outs) > 1 else outs[0]
    return _Back.apply(joined, layout.back, there).unflatten(0, (rows, tokens)), None


@functools.lru_cache(maxsize=4)
def _moved(layout: Layout) -> Layout:
    """Return `layout` for PyTorch's attention: some layers are not what attention in place computes."""
    positions = layout.positions
    return lay_out((positions == 0).reshape(-1).cumsum(0).reshape(positions.shape).numpy(), positions.device)


class _Back(torch.autograd.Function):
    """Tokens moved back from the padded groups; padded places get a zero gradient."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, back: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(back)
        ctx.n_places = len(there)
        return x.index_select(0, back)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (back,) = ctx.saved_tensors
        spread = grad.new_zeros((ctx.n_places, *grad.shape[1:]))
        return spread.index_copy_(0, back, grad.contiguous()), None, None


def _causal(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scaling: float | None,
    window: int | None,
    softcap: float | None,
    sinks: torch.Tensor | None,
) -> torch.Tensor:
    """Return causal attention of documents (n, heads, length, d_head), as the architecture defines it.

    `sinks`, one per head, are scores of a key without a value (gpt-oss).
    """
    repeat, length = query.shape[1] // key.shape[1], query.shape[2]
    if repeat > 1:
        key, value = (x.repeat_interleave(repeat, dim=1) for x in (key, value))
    plain = softcap is None and sinks is None
    if plain and (window is None or window >= length):
        return F.scaled_dot_product_attention(query, key, value, is_causal=True, scale=scaling)
    place = torch.arange(length, device=query.device)
    behind = place[:, None] - place[None, :]
    seen = (behind >= 0) & (behind < (window or length))
    if plain:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=seen, scale=scaling)
    scores = query @ key.transpose(2, 3) * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    if softcap is not None:
        scores = torch.tanh(scores / softcap) * softcap
    scores = scores.masked_fill(~seen, float("-inf"))
    if sinks is not None:
        scores = torch.cat([scores, sinks.view(1, -1, 1, 1).expand(*scores.shape[:-1], 1).to(scores.dtype)], -1)
    weights = scores.softmax(-1, dtype=torch.float32)[..., :length]
    return weights.to(query.dtype) @ value
