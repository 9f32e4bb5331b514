"""What lies below the first layer with adapters: computed once per block, whatever the seeds, epochs and rates.

Takes blocks, gives the hidden states that the first layer with adapters is given. Knows no adapter.

Frozen layers without adapters give the same states for a block every time and need no gradient. Every block is computed
by itself, so that its states are the same bits whatever is trained beside it.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import torch

from temporal_adapters.engines.model import Stack, free_bytes, layer_list, layer_of

Rows = np.ndarray


def first_with_adapters(stack: Stack) -> int:
    """Return the number of the lowest layer with adapters; 0 where it cannot be told, or layers lie otherwise."""
    numbers = [layer_of(name) for name in stack.layers]
    known = [number for number in numbers if number is not None]
    return min(known) if len(known) == len(numbers) and layer_list(stack.model) is not None else 0


class Memory:
    """Hidden states of blocks, kept as long as there is room (the block used longest ago goes first).

    Parameters
    ----------
    device
        Where the states lie; a quarter of its free memory is room.
    """

    def __init__(self, device: torch.device) -> None:
        self._room = (free_bytes(device) or 1 << 32) // 4
        self._held: OrderedDict[bytes, torch.Tensor] = OrderedDict()
        self._bytes = 0

    def states(self, ids: Rows, documents: Rows, compute: Callable[[int], torch.Tensor]) -> torch.Tensor:
        """Return the states of blocks, (rows, tokens, d_model).

        Parameters
        ----------
        ids, documents
            The blocks, int32 (rows, tokens).
        compute
            Gives the states (tokens, d_model) of a row by its number, where they are not known.
        """
        found = []
        for row, (block, numbers) in enumerate(zip(ids, documents, strict=True)):
            key = hashlib.blake2b(block.tobytes() + numbers.tobytes(), digest_size=16).digest()
            if key not in self._held:
                self._keep(key, compute(row))
            self._held.move_to_end(key)
            found.append(self._held[key])
        return torch.stack(found)

    def _keep(self, key: bytes, states: torch.Tensor) -> None:
        self._held[key] = states
        self._bytes += states.nbytes
        while self._bytes > self._room and len(self._held) > 1:
            _, oldest = self._held.popitem(last=False)
            self._bytes -= oldest.nbytes
