"""Which modules of a base carry LoRA weights, named as PEFT names them.

Takes a model and a choice of targets, gives module names with their sizes. Knows no adapter.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from transformers.pytorch_utils import Conv1D

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

_ROUTERS = ("Router", "Gate")


def is_linear(module: nn.Module) -> bool:
    """Return whether LoRA can be put on `module`: a linear layer (quantised ones are subclasses) or GPT-2's Conv1D.

    Routers of experts are linear layers by their class in some architectures, but give a choice, not a product.
    """
    return isinstance(module, nn.Linear | Conv1D) and not type(module).__name__.endswith(_ROUTERS)


def sizes(module: nn.Module) -> tuple[int, int]:
    """Return (d_in, d_out) of a linear layer."""
    if isinstance(module, nn.Linear):
        return module.in_features, module.out_features
    d_in, d_out = module.weight.shape  # type: ignore[misc]
    return int(d_in), int(d_out)


def find_targets(model: nn.Module, targets: str | Sequence[str], last: int | None = None) -> list[str]:
    """Return the names of the modules that `targets` means, in the model's order.

    Parameters
    ----------
    model
        A Hugging Face causal language model.
    targets
        Module names (a name or the end of one, such as ``q_proj``), ``all-linear`` (every linear layer but the output
        head), or ``default`` (PEFT's choice for the architecture).
    last
        Only those in the uppermost `last` layers; None for all.

    Raises
    ------
    ModelError
        If a name fits no linear layer, PEFT has no default for the architecture, or the base has fewer layers.
    """
    found = _everywhere(model, targets)
    if last is None:
        return found
    n_layers = n_layers_of(model)
    if last > n_layers:
        raise ModelError(
            f"train.layers: last {last}: the base has {n_layers} layers: use `last {n_layers}` at most, or all"
        )
    upper = [name for name in found if (number := layer_of(name)) is not None and number >= n_layers - last]
    if not upper:
        raise ModelError(f"train.layers: last {last}: none of the modules of train.targets lies in a layer: use all")
    return upper


def n_layers_of(model: nn.Module) -> int:
    """Return the number of a model's layers."""
    return int(model.config.get_text_config().num_hidden_layers)  # type: ignore[union-attr,operator]


def layer_of(name: str) -> int | None:
    """Return the number of the layer that a module lies in, as PEFT reads it from its name; None if in no layer."""
    return next((int(part) for part in name.split(".") if part.isdigit()), None)


def _everywhere(model: nn.Module, targets: str | Sequence[str]) -> list[str]:
    linear = [name for name, module in model.named_modules() if is_linear(module)]
    if targets == ALL_LINEAR:
        head = model.get_output_embeddings()  # type: ignore[operator]
        return [name for name in linear if model.get_submodule(name) is not head]
    wanted = _defaults(model) if targets == DEFAULT else ([targets] if isinstance(targets, str) else list(targets))
    for want in wanted:
        if not any(_fits(name, want) for name in linear):
            ends = sorted({name.rpartition(".")[2] for name in linear})
            raise ModelError(f"train.targets: no linear layer is called {want!r} (the base has {', '.join(ends)})")
    return [name for name in linear if any(_fits(name, want) for want in wanted)]


def _fits(name: str, want: str) -> bool:
    return name == want or name.endswith(f".{want}")


def _defaults(model: nn.Module) -> list[str]:
    kind = str(model.config.model_type)  # type: ignore[union-attr]
    if kind in _PEFT_DEFAULTS:
        return list(_PEFT_DEFAULTS[kind])
    from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as MAPPING

    if kind not in MAPPING:
        raise ModelError(
            f"train.targets: PEFT has no default target modules for the architecture {kind!r}: name them, or use"
            f" {ALL_LINEAR!r}"
        )
    return list(MAPPING[kind])
