"""The frozen base model: loaded once per process, with its tokenizer and a digest of what was loaded.

Takes the `model` section of a study, gives a `Base`. Knows no adapter.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from temporal_adapters.engines.model.fp8 import quantize_fp8
from temporal_adapters.engines.model.identity import base_path, commit, digest_base
from temporal_adapters.engines.model.memory import free_bytes, measure, on_meta, require
from temporal_adapters.engines.model.quantized import quantize_nf4
from temporal_adapters.engines.model.tokenizer import from_pretrained, load_tokenizer
from temporal_adapters.engines.model.weights import explain, load_weights
from temporal_adapters.ground.errors import ModelError

if TYPE_CHECKING:
    from temporal_adapters.study.config import Model


@dataclass(frozen=True)
class Base:
    """A base model, resident and frozen.

    Attributes
    ----------
    model
        Hugging Face causal language model in evaluation mode, no parameter trainable.
    tokenizer
        Its tokenizer.
    name
        What the study file calls it.
    digest
        Digest of weights, tokenizer and revision; part of every key that depends on the base.
    device, dtype
        Where and in which precision it computes.
    revision
        Commit of a hub model.
    """

    model: Any
    tokenizer: Any
    name: str
    digest: str
    device: torch.device
    dtype: torch.dtype
    revision: str | None = None


def load_base(settings: Model) -> Base:
    """Load the base model of a study.

    Raises
    ------
    ModelError
        If it cannot be found or read, the memory will not suffice, or the device cannot compute it as asked.
    """
    device = choose_device(settings.device)
    dtype = choose_dtype(settings.dtype, device)
    packed = _check_memory(settings, dtype, device)
    model = _load_dense(settings, dtype, device)
    if settings.quantization == "nf4":
        quantize_nf4(model, packed)
    elif settings.quantization == "fp8":
        quantize_fp8(model)
    freeze(model)
    tokenizer, digest = load_tokenizer(settings), digest_base(settings)
    revision = None if Path(base_path(settings)).is_dir() else commit(settings)
    return Base(model, tokenizer, settings.base, digest, device, dtype, revision)


def _load_dense(settings: Model, dtype: torch.dtype, device: torch.device) -> Any:
    options: dict[str, Any] = {"dtype": dtype, "revision": settings.revision, "trust_remote_code": settings.allow_code}
    options["use_safetensors"] = None if settings.allow_code else True
    if device.type == "cuda":
        options["device_map"] = {"": device}  # straight to the GPU: no second copy in main memory
    return load_weights(base_path(settings), **options)


def _check_memory(settings: Model, dtype: torch.dtype, device: torch.device) -> bool:
    """Refuse what will not fit; return whether NF4 weights stay packed."""
    config = read_config(settings)
    if getattr(config, "quantization_config", None):
        raise ModelError(
            f"model.base: {settings.base!r} is quantised already: give the dense model and set model.quantization"
        )
    try:
        size = measure(on_meta(config, settings.allow_code))
    except (ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError, ArithmeticError) as error:
        raise ModelError(f"model.base: {settings.base!r} cannot be loaded: {explain(error)}") from None
    packed = settings.nf4_weights == "packed"
    if settings.quantization == "nf4" and settings.nf4_weights == "auto":
        free = free_bytes(device)
        packed = free is not None and 2 * size.weight_bytes("nf4", False, dtype) > free
    require(settings, size, packed, dtype, device)
    return packed and settings.quantization == "nf4"


def freeze(model: nn.Module) -> None:
    """Put `model` into evaluation mode with no trainable parameter."""
    model.eval()
    model.requires_grad_(False)


def read_config(settings: Model) -> Any:
    """Return the configuration of a study's base model."""
    from transformers import AutoConfig

    return from_pretrained(AutoConfig, settings, revision=settings.revision, trust_remote_code=settings.allow_code)


def choose_device(wanted: str) -> torch.device:
    """Return the device that `wanted` (auto, cpu, cuda) means here."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ModelError("model.device: this machine has no usable CUDA GPU: set model.device to cpu or auto")
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted)


def choose_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """Return the precision that `wanted` (auto, float32, bfloat16) means on `device`."""
    if wanted == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    if wanted == "bfloat16" and device.type == "cpu":
        raise ModelError(
            "model.dtype: bfloat16 matrix products crash many CPUs (and are slower there): use float32 or auto"
        )
    return torch.float32 if wanted == "float32" else torch.bfloat16
