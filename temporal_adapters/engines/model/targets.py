"""Which modules of a base carry LoRA weights, named as PEFT names them.

Takes a model and a choice of targets, gives module names with their sizes. Knows no adapter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn
from transformers.pytorch_utils import Conv1D

from temporal_adapters.engines.model.names import choose_names

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
    linear, head = [name for name, module in model.named_modules() if is_linear(module)], _head(model)
    return choose_names(linear, head, str(model.config.model_type), n_layers_of(model), targets, last)  # type: ignore[union-attr]


def _head(model: Any) -> str | None:
    head = model.get_output_embeddings()
    return next((name for name, module in model.named_modules() if module is head), None)


def n_layers_of(model: nn.Module) -> int:
    """Return the number of a model's layers."""
    return int(model.config.get_text_config().num_hidden_layers)  # type: ignore[union-attr,operator]
