"""Blocks of tokens: documents packed whole, or chunks of their concatenation as published.

Takes token ids per document, gives `Blocks`. Knows no tokenizer and no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IGNORED = -100
"""Label of a token that carries no loss (torch's cross-entropy ignores it)."""

Ids = NDArray[np.int32]


@dataclass(frozen=True)
class Blocks:
    """Blocks of equal length.

    Attributes
    ----------
    input_ids
        Token ids, int32 (n_blocks, block_length).
    labels
        The token itself where it is to be predicted, `IGNORED` elsewhere; same shape. The first token of a document
        is never predicted, whatever its label.
    documents
        Number of the document within the block, same shape; a document is a run of equal numbers, padding counts as
        one.
    weights
        Factor on the loss of each token, float32, same shape; None where all are 1.
    """

    input_ids: Ids
    labels: Ids
    documents: Ids
    weights: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.input_ids)

    @property
    def block_length(self) -> int:
        """Tokens per block."""
        return int(self.input_ids.shape[1])


def pack(
    documents: Sequence[Sequence[int]],
    block_length: int,
    *,
    labels: Sequence[Sequence[int]] | None = None,
    weights: Sequence[float] | None = None,
    pad_id: int = 0,
    alone: bool = False,
) -> Blocks:
    """Pack whole documents into blocks, the fullest block that still has room first; longer ones are cut.

    Parameters
    ----------
    documents
        Token ids of each document.
    block_length
        Tokens per block.
    labels
        Labels of each document; without them every token is to be predicted.
    weights
        Factor on the loss of each document.
    pad_id
        Token that fills a block's end; it carries no loss.
    alone
        One document (or piece of a cut one) per block.
    """
    pieces = [(n, at) for n, ids in enumerate(documents) for at in range(0, len(ids), block_length)]
    lengths = [min(block_length, len(documents[n]) - at) for n, at in pieces]
    bins = [[piece] for piece in range(len(pieces))] if alone else _best_fit(lengths, block_length)
    shape = (len(bins), block_length)
    ids, wanted = np.full(shape, pad_id, np.int32), np.full(shape, IGNORED, np.int32)
    numbers, factors = np.empty(shape, np.int32), np.ones(shape, np.float32)
    for row, members in enumerate(bins):
        start = 0
        for number, piece in enumerate(members):
            (document, at), stop = pieces[piece], start + lengths[piece]
            ids[row, start:stop] = documents[document][at : at + lengths[piece]]
            wanted[row, start:stop] = (labels or documents)[document][at : at + lengths[piece]]
            numbers[row, start:stop] = number
            if weights is not None:
                factors[row, start:stop] = weights[document]
            start = stop
        numbers[row, start:] = len(members)
    return Blocks(ids, wanted, numbers, None if weights is None else factors)


def _best_fit(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Return which pieces share a block: longest first, each into the fullest block that has room (best fit).

    Open blocks are kept by the room they have left; a bit per room tells which kinds exist.
    """
    order = sorted(range(len(lengths)), key=lambda piece: (-lengths[piece], piece))
    bins: list[list[int]] = []
    by_room: list[list[int]] = [[] for _ in range(capacity + 1)]
    existing = 0
    for piece in order:
        length = lengths[piece]
        fitting = existing >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            chosen = by_room[room].pop()
            if not by_room[room]:
                existing ^= 1 << room
        else:
            room, chosen = capacity, len(bins)
            bins.append([])
        bins[chosen].append(piece)
        by_room[room - length].append(chosen)
        existing |= 1 << (room - length)
    return bins


def chunk(documents: Sequence[Sequence[int]], block_length: int) -> Blocks:
    """Concatenate documents, cut the stream into blocks and drop the last partial one, as published.

    Within a block, posts see the posts before them (the block is one document).
    """
    stream = np.fromiter((token for ids in documents for token in ids), np.int32)
    n_blocks = len(stream) // block_length
    ids = stream[: n_blocks * block_length].reshape(n_blocks, block_length)
    return Blocks(ids, ids.copy(), np.zeros_like(ids))
