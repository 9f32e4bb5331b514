"""Which linear layers of a base carry LoRA weights, by their names, as PEFT chooses them.

Takes names and a choice of targets, gives names. Loads no library that computes.
"""

from __future__ import annotations

from collections.abc import Sequence

from temporal_adapters.ground.errors import ModelError

ALL_LINEAR = "all-linear"
DEFAULT = "default"
_QV = ("q_proj", "v_proj")
_PEFT_DEFAULTS = {
    "gemma": _QV,
    "gemma2": _QV,
    "gpt2": ("c_attn",),
    "gpt_neox": ("query_key_value",),
    "llama": _QV,
    "mistral": _QV,
    "qwen2": _QV,
    "qwen3": _QV,
}
"""What PEFT chooses for common architectures (a test compares); importing PEFT just to ask it takes seconds."""


def choose_names(
    linear: Sequence[str], head: str | None, kind: str, n_layers: int, targets: str | Sequence[str], last: int | None
) -> list[str]:
    """Return the names among `linear` that `targets` means (see `targets.find_targets`).

    Parameters
    ----------
    linear
        Linear layers, in the model's order.
    head
        Name of the output head.
    kind
        Architecture, as PEFT knows it.
    n_layers, targets, last
        Layers of the base; what is wanted, and in how many of the uppermost ones (None for all).

    Raises
    ------
    ModelError
        If a name fits no linear layer, PEFT has no default for the architecture, or the base has fewer layers.
    """
    found = _everywhere(linear, head, kind, targets)
    if last is None:
        return found
    if last > n_layers:
        raise ModelError(
            f"train.layers: last {last}: the base has {n_layers} layers: use `last {n_layers}` at most, or all"
        )
    upper = [name for name in found if (number := layer_of(name)) is not None and number >= n_layers - last]
    if not upper:
        raise ModelError(f"train.layers: last {last}: none of the modules of train.targets lies in a layer: use all")
    return upper


def layer_of(name: str) -> int | None:
    """Return the number of the layer that a module lies in, as PEFT reads it from its name; None if in no layer."""
    return next((int(part) for part in name.split(".") if part.isdigit()), None)


def _everywhere(linear: Sequence[str], head: str | None, kind: str, targets: str | Sequence[str]) -> list[str]:
    if targets == ALL_LINEAR:
        return [name for name in linear if name != head]
    wanted = _defaults(kind) if targets == DEFAULT else ([targets] if isinstance(targets, str) else list(targets))
    for want in wanted:
        if not any(_fits(name, want) for name in linear):
            ends = sorted({name.rpartition(".")[2] for name in linear})
            raise ModelError(f"train.targets: no linear layer is called {want!r} (the base has {', '.join(ends)})")
    return [name for name in linear if any(_fits(name, want) for want in wanted)]


def _fits(name: str, want: str) -> bool:
    return name == want or name.endswith(f".{want}")


def _defaults(kind: str) -> list[str]:
    if kind in _PEFT_DEFAULTS:
        return list(_PEFT_DEFAULTS[kind])
    from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as MAPPING

    if kind not in MAPPING:
        raise ModelError(
            f"train.targets: PEFT has no default target modules for the architecture {kind!r}: name them, or use"
            f" {ALL_LINEAR!r}"
        )
    return list(MAPPING[kind])
