"""What a base will need, before it is loaded, and what the machine has.

Takes a model's configuration, gives bytes. Loads no weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from temporal_adapters.engines.model.outline import Size
from temporal_adapters.ground.errors import ModelError

if TYPE_CHECKING:
    from temporal_adapters.study.config import Model

_GIB = 1 << 30


def measure(model: Any) -> Size:
    """Return the size of `model` (which may lie on the meta device)."""
    head = model.get_output_embeddings()
    linear = [m for m in model.modules() if isinstance(m, nn.Linear | Conv1D) and m is not head]
    n_linear = sum(m.weight.numel() for m in linear)
    config = model.config.get_text_config()
    return Size(
        n_parameters=sum({id(p): p.numel() for p in model.parameters()}.values()),
        n_linear=n_linear,
        n_computed=n_linear + (head.weight.numel() if head is not None else 0),
        n_layers=int(config.num_hidden_layers),
        d_model=int(config.hidden_size),
        vocabulary=int(config.vocab_size),
    )


def on_meta(config: Any, allow_code: bool = False) -> Any:
    """Return the model of `config` without weights."""
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config, trust_remote_code=allow_code)


def free_bytes(device: torch.device) -> int | None:
    """Return the bytes that this process may still take on `device`; None where that is unknown."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    found = [limit for limit in (_available(), _limit()) if limit is not None]
    return min(found) if found else None


def _available() -> int | None:
    try:
        return int(psutil.virtual_memory().available)
    except (OSError, psutil.Error):
        return None


def _limit() -> int | None:
    """Return what a container's limit (cgroup v2) leaves."""
    folder = Path("/sys/fs/cgroup")
    try:
        return int((folder / "memory.max").read_text()) - int((folder / "memory.current").read_text())
    except (OSError, ValueError):
        return None


def require(settings: Model, size: Size, packed: bool, dtype: torch.dtype, device: torch.device) -> None:
    """Refuse a base that will not fit.

    Raises
    ------
    ModelError
        With what it needs, what there is, and what to change.
    """
    needed, free = size.weight_bytes(settings.quantization, packed, dtype), free_bytes(device)
    if free is None or needed < free:
        return
    name, billions = str(dtype).removeprefix("torch."), size.n_parameters / 1e9
    raise ModelError(
        f"model.base: {settings.base!r} needs {needed / _GIB:.1f} GiB ({billions:.1f} billion parameters,"
        f" {settings.quantization} in {name}) and {device} has {free / _GIB:.1f} GiB free: use"
        " model.quantization: nf4 with nf4_weights: packed, a smaller base, or a larger machine"
    )
