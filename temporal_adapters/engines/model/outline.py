"""What a base consists of, read from the headers of its weight files: no library that computes is loaded.

Takes the `model` section of a study, gives the names and sizes of its linear layers. Knows no adapter.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temporal_adapters.engines.model.identity import base_path
from temporal_adapters.engines.model.names import choose_names

if TYPE_CHECKING:
    from temporal_adapters.study.config import Model

KINDS = frozenset({"gemma", "gemma2", "llama", "mistral", "qwen2", "qwen3"})
"""Architectures whose weights of two axes are linear layers, an embedding and an output head, called as in Llama."""

_MOST_HEADER = 100 << 20
"""Bytes of the longest header that safetensors allows."""


@dataclass(frozen=True)
class Size:
    """What a base consists of.

    Attributes
    ----------
    n_parameters
        All weights, tied ones once.
    n_linear
        Weights of linear layers other than the output head: what is quantised and what LoRA can be put on.
    n_computed
        Weights that each token is multiplied with: linear layers and the output head.
    n_layers, d_model, vocabulary
        Layers, width, tokens of the vocabulary.
    """

    n_parameters: int
    n_linear: int
    n_computed: int
    n_layers: int
    d_model: int
    vocabulary: int

    def weight_bytes(self, quantization: str, packed: bool, dtype: Any) -> int:
        """Return the bytes of the resident weights; `dtype` is torch's or numpy's."""
        dense = self.n_parameters * dtype.itemsize
        if quantization == "nf4" and packed:
            return int(dense - self.n_linear * dtype.itemsize + nf4_bytes(self.n_linear))
        if quantization == "fp8":
            return int(dense - self.n_linear * dtype.itemsize + 2 * self.n_linear)
        return int(dense)


def nf4_bytes(n_weights: int) -> int:
    """Return the bytes of `n_weights` packed weights: 4 bits, and 0.127 bits for the doubly quantised scales."""
    return int(n_weights * (4 + 8 / 64 + 32 / (64 * 256)) / 8)


@dataclass(frozen=True)
class Outline:
    """What a base consists of, and where LoRA can be put.

    Attributes
    ----------
    size
        Its size.
    linear
        Linear layer (the output head is one of them) -> (d_in, d_out).
    head
        Name of the output head.
    kind
        Architecture, as in ``config.json``.
    """

    size: Size
    linear: dict[str, tuple[int, int]]
    head: str
    kind: str

    def n_lora(self, targets: str | Sequence[str], last: int | None, r: int) -> int:
        """Return the weights of an adapter of rank `r` (see `targets.find_targets`)."""
        names = choose_names(list(self.linear), self.head, self.kind, self.size.n_layers, targets, last)
        return r * sum(sum(self.linear[name]) for name in names)


def read_outline(settings: Model) -> Outline | None:
    """Return the outline of a base in a local folder; None where only its model itself can tell."""
    folder = Path(base_path(settings))
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        shapes = {name: shape for path in sorted(folder.glob("*.safetensors")) for name, shape in _header(path).items()}
        if config["model_type"] not in KINDS or not shapes:
            return None
        return _outline(config, shapes)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error):
        return None  # whoever loads the base says what is wrong with it


def _outline(config: dict[str, Any], shapes: dict[str, list[int]]) -> Outline:
    matrices = {name.removesuffix(".weight"): shape for name, shape in shapes.items() if len(shape) == 2}
    embedding = matrices.pop("model.embed_tokens")
    head = matrices.pop("lm_head", None)
    linear = {name: (shape[1], shape[0]) for name, shape in matrices.items()}
    n_linear = sum(d_in * d_out for d_in, d_out in linear.values())
    n_all = sum(math.prod(shape) for shape in shapes.values())
    if head is not None and config.get("tie_word_embeddings"):
        n_all -= math.prod(head)
    size = Size(
        n_parameters=n_all,
        n_linear=n_linear,
        n_computed=n_linear + math.prod(embedding),
        n_layers=int(config["num_hidden_layers"]),
        d_model=int(config["hidden_size"]),
        vocabulary=int(config["vocab_size"]),
    )
    out = {"lm_head": (embedding[1], embedding[0])}
    return Outline(size, linear | out, "lm_head", str(config["model_type"]))


def _header(path: Path) -> dict[str, list[int]]:
    """Return the tensors of a safetensors file with their shapes."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > _MOST_HEADER:
            raise ValueError(f"{path} has no header")
        found = json.loads(file.read(length))
    return {name: entry["shape"] for name, entry in found.items() if name != "__metadata__"}
