"""How many steps an adapter takes, and how many blocks and adapters share one forward pass.

Takes a recipe's sizes and the kind of device, gives counts. Loads no library that computes.
"""

from __future__ import annotations

import math
from typing import Any

_TOKENS = {"cpu": 2048, "cuda": 16384}  # tokens per forward pass beyond which more rows gain nothing


def n_steps(recipe: Any, n_blocks: int) -> int:
    """Return the optimizer steps on a corpus of `n_blocks`.

    Parameters
    ----------
    recipe
        A recipe or the section `train`: `steps` or `epochs`, and `blocks_per_step`.
    n_blocks
        Blocks of the corpus.
    """
    if recipe.steps is not None:
        return int(recipe.steps)
    if recipe.epochs is None:
        raise ValueError("a recipe needs either epochs or steps")
    return max(1, math.ceil(recipe.epochs * n_blocks / recipe.blocks_per_step))


def micro_batch(device: str, recipe: Any, block_length: int) -> int:
    """Return the blocks per forward pass and adapter; depends on nothing but the recipe and the kind of device.

    Parameters
    ----------
    device
        ``cpu`` or ``cuda``.
    recipe
        A recipe or the section `train`: `micro_batch` and `blocks_per_step`.
    block_length
        Tokens per block.
    """
    if recipe.micro_batch is not None:
        return min(int(recipe.micro_batch), int(recipe.blocks_per_step))
    return max(1, min(int(recipe.blocks_per_step), _TOKENS[device] // block_length))


def choose_together(device: str, block_length: int, micro: int) -> int:
    """Return how many adapters to train in one forward pass: as many as fill the device with tokens, at least one.

    An adapter that brings a quarter of these tokens by itself gains nothing from company (measured: 0.98 to 1.02).
    """
    tokens = micro * block_length
    return 1 if 4 * tokens > _TOKENS[device] else min(_TOKENS[device] // tokens, 64)
