"""One LoRA adapter in memory, and as the plain PEFT folder that any other program loads as it is.

Takes and gives weights by module name. Knows no training.
"""

from __future__ import annotations

import json
import math
import pickle
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from temporal_adapters.engines.model.names import layer_of
from temporal_adapters.engines.model.targets import find_targets, sizes
from temporal_adapters.ground.errors import ModelError

WEIGHTS = "adapter_model.safetensors"
OLD_WEIGHTS = "adapter_model.bin"
CONFIG = "adapter_config.json"
_PREFIX = "base_model.model."


@dataclass(frozen=True)
class LoraShape:
    """How an adapter is built.

    Attributes
    ----------
    r
        Rank.
    alpha
        Scale numerator.
    rslora
        Rank-stabilised: the scale is alpha / sqrt(r) instead of alpha / r (Kalajdzievski 2023).
    dropout
        Probability with which an input feature is dropped during training.
    targets
        Module names, ``all-linear`` or ``default``, as in the study file.
    last
        Only the uppermost `last` layers have adapters; None for all.
    """

    r: int
    alpha: float
    rslora: bool = False
    dropout: float = 0.0
    targets: str | tuple[str, ...] = "default"
    last: int | None = None

    @property
    def scale(self) -> float:
        """Factor on B A x."""
        return self.alpha / (math.sqrt(self.r) if self.rslora else self.r)


@dataclass(frozen=True)
class Lora:
    """The weights on one module: the layer's output gains ``scale * B A x``.

    Attributes
    ----------
    a
        Tensor (r, d_in).
    b
        Tensor (d_out, r).
    scale
        Factor on the product.
    """

    a: torch.Tensor
    b: torch.Tensor
    scale: float


@dataclass(frozen=True)
class Adapter:
    """One adapter: module name in the base -> weights, and the settings it was made with (PEFT's field names)."""

    modules: Mapping[str, Lora]
    config: Mapping[str, Any] = field(default_factory=dict)


def new_adapter(model: nn.Module, shape: LoraShape, generator: torch.Generator) -> Adapter:
    """Return a fresh adapter for `model` that changes nothing yet: A as PEFT draws it, B zero; float32.

    Parameters
    ----------
    model
        The base.
    shape
        Rank, scale, targets.
    generator
        CPU generator; modules are drawn in the model's order, so the draws do not depend on the device.

    Notes
    -----
    PEFT's default: Kaiming-uniform with a = sqrt(5), which is uniform on +-1/sqrt(d_in).
    """
    modules = {}
    for name in find_targets(model, shape.targets, shape.last):
        module = model.get_submodule(name)
        (d_in, d_out), device = sizes(module), next(module.parameters()).device
        zeros = torch.zeros(shape.r, d_in, device=device), torch.zeros(d_out, shape.r, device=device)
        modules[name] = Lora(*zeros, shape.scale)
    transposed = any(isinstance(model.get_submodule(name), Conv1D) for name in modules)
    return redraw(Adapter(modules, peft_config(shape, list(modules), transposed)), generator)


def redraw(adapter: Adapter, generator: torch.Generator) -> Adapter:
    """Return a fresh adapter built like `adapter`, drawn from `generator` (see `new_adapter`)."""
    modules = {}
    for name, lora in adapter.modules.items():
        bound = 1 / math.sqrt(lora.a.shape[1])
        a = torch.empty(lora.a.shape).uniform_(-bound, bound, generator=generator)
        modules[name] = Lora(a.to(lora.a.device), torch.zeros_like(lora.b), lora.scale)
    return Adapter(modules, adapter.config)


def peft_config(shape: LoraShape, modules: Sequence[str], transposed: bool) -> dict[str, Any]:
    """Return the adapter_config.json that makes PEFT load `modules` with the same scale."""
    named = isinstance(shape.targets, tuple)
    ends = sorted({name.rpartition(".")[2] for name in modules})
    numbers = sorted({number for name in modules if (number := layer_of(name)) is not None})
    return {
        **({"layers_to_transform": numbers} if shape.last is not None else {}),
        "alpha_pattern": {},
        "base_model_name_or_path": None,
        "bias": "none",
        "fan_in_fan_out": transposed,
        "inference_mode": True,
        "init_lora_weights": True,
        "lora_alpha": shape.alpha,
        "lora_dropout": shape.dropout,
        "modules_to_save": None,
        "peft_type": "LORA",
        "r": shape.r,
        "rank_pattern": {},
        "target_modules": sorted(shape.targets) if named else ends,
        "task_type": "CAUSAL_LM",
        "use_dora": False,
        "use_rslora": shape.rslora,
    }


def write_adapter(folder: Path, adapter: Adapter, base: str | None = None) -> None:
    """Write `adapter` into `folder` as PEFT does: adapter_config.json and adapter_model.safetensors.

    The same adapter gives the same bytes: keys are sorted.

    Parameters
    ----------
    folder
        Created if missing.
    adapter
        Weights and settings.
    base
        Name or path of the base model, recorded in the configuration.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    config = {**adapter.config, "base_model_name_or_path": base or adapter.config.get("base_model_name_or_path")}
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    tensors = {}
    for name, lora in sorted(adapter.modules.items()):
        tensors[f"{_PREFIX}{name}.lora_A.weight"] = lora.a.detach().cpu().contiguous().clone()
        tensors[f"{_PREFIX}{name}.lora_B.weight"] = lora.b.detach().cpu().contiguous().clone()
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def merge(model: nn.Module, adapter: Adapter) -> None:
    """Add `adapter` to the weights of `model` in place, computed in float32 as PEFT's `merge_and_unload`.

    Raises
    ------
    ModelError
        If the adapter targets a module that `model` lacks, or has other sizes.
    """
    linear = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear | Conv1D)}
    for name, lora in adapter.modules.items():
        if name not in linear or sizes(linear[name]) != (lora.a.shape[1], lora.b.shape[0]):
            raise ModelError(f"the adapter was trained on another base: {name!r} is not there or has another size")
        module, delta = linear[name], lora.scale * (lora.b.float() @ lora.a.float())
        weight = module.weight
        added = delta.T if isinstance(module, Conv1D) else delta
        with torch.no_grad():
            weight.copy_(weight.float() + added.to(weight.device))


def read_adapter(folder: Path, device: str = "cpu") -> Adapter:
    """Read a PEFT LoRA folder, ours or anybody's.

    Raises
    ------
    ModelError
        If the folder lacks a file, is damaged, or its settings hold anything but plain LoRA (ranks, scales and their
        patterns, rsLoRA, some layers only): DoRA, biases, whole modules, and whatever is not known here.
    """
    from safetensors import SafetensorError

    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        tensors = _load(folder, device)
    except (OSError, ValueError, RuntimeError, EOFError, SafetensorError, pickle.UnpicklingError) as error:
        raise ModelError(f"{folder} is no readable adapter ({error}): train it again") from None
    if not isinstance(config, dict):
        raise ModelError(f"{folder / CONFIG} holds no settings: train it again")
    _check_plain(folder, config)
    return Adapter(_pair(folder, tensors, config), config)


def _load(folder: Path, device: str) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    if (folder / WEIGHTS).is_file() or not (folder / OLD_WEIGHTS).is_file():
        return load_file(folder / WEIGHTS, device=device)
    found: dict[str, torch.Tensor] = torch.load(folder / OLD_WEIGHTS, map_location=device, weights_only=True)
    return found


_READ = frozenset({"peft_type", "r", "lora_alpha", "alpha_pattern", "rank_pattern", "use_rslora"})
"""Settings of PEFT that change numbers and are understood here; the ranks are those of the weights."""

_HARMLESS = frozenset(
    {"auto_mapping", "base_model_name_or_path", "corda_config", "ensure_weight_tying", "eva_config", "exclude_modules"}
    | {"fan_in_fan_out", "inference_mode", "layers_pattern", "layers_to_transform", "loftq_config", "lora_dropout"}
    | {"lora_ga_config", "megatron_core", "peft_version", "qalora_group_size", "revision", "target_modules"}
    | {"task_type", "runtime_config"}
)
"""Settings that say which modules carry weights (the weights say so themselves), or how they were first drawn."""

_NEUTRAL: tuple[Any, ...] = (None, False, "none", [], {}, "")
"""Values with which any other setting of PEFT leaves plain LoRA alone."""

_DRAWS = (True, False, None, "gaussian", "orthogonal", "eva")
"""`init_lora_weights` that leave the base's weights as they are."""


def _check_plain(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse what changes an adapter's numbers in a way that is not computed here, known or not."""
    found = {
        key: value
        for key, value in config.items()
        if key not in _READ | _HARMLESS | {"init_lora_weights"} and value not in _NEUTRAL
    }
    if config.get("init_lora_weights", True) not in _DRAWS:
        found["init_lora_weights"] = config["init_lora_weights"]
    if config.get("peft_type") != "LORA":
        found["peft_type"] = config.get("peft_type")
    if found:
        wrong = ", ".join(f"{key}: {value!r}" for key, value in sorted(found.items()))
        raise ModelError(
            f"{folder / CONFIG}: only plain LoRA adapters can be stacked, this one has {wrong}: train without, or merge"
            " it with PEFT (merge_and_unload) and use the result as model.base"
        )


def _pair(folder: Path, tensors: Mapping[str, torch.Tensor], config: Mapping[str, Any]) -> dict[str, Lora]:
    pairs: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        name, kind, end = key.removeprefix(_PREFIX).rsplit(".", 2) if key.count(".") > 1 else ("", "", key)
        if kind not in ("lora_A", "lora_B") or end != "weight" or tensor.dim() != 2:
            raise ModelError(f"{folder / WEIGHTS}: {key!r} is not a LoRA weight of a linear layer")
        pairs.setdefault(name, {})[kind] = tensor
    modules = {}
    for name, pair in pairs.items():
        if len(pair) < 2 or pair["lora_A"].shape[0] != pair["lora_B"].shape[1]:
            raise ModelError(f"{folder / WEIGHTS}: the two halves of {name!r} do not fit together: train it again")
        shape = LoraShape(pair["lora_A"].shape[0], _pattern(config, name), bool(config.get("use_rslora")))
        modules[name] = Lora(pair["lora_A"], pair["lora_B"], shape.scale)
    return modules


def _pattern(config: Mapping[str, Any], name: str) -> float:
    """Return alpha of one module: PEFT lets patterns (ends of names, or regular expressions) override it."""
    for pattern, alpha in (config.get("alpha_pattern") or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", name):
            return float(alpha)
    return float(config["lora_alpha"])
