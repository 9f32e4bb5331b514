"""What training a study will take, before it is started: tokens, operations, hours, memory, disk.

Takes a study and its weeks, gives an `Estimate`. Loads no weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from temporal_adapters.engines.model import Size, find_targets, load_tokenizer, measure, on_meta, read_config, sizes
from temporal_adapters.ground.errors import TrainError
from temporal_adapters.stages.tokens import pack_posts, read_posts
from temporal_adapters.stages.train.plan import Item, recipe
from temporal_adapters.study.artifacts import RunFolder

if TYPE_CHECKING:
    from temporal_adapters.study.config import Study

MATMUL_TFLOPS = {
    "H200": 794.0,  # measured, bf16
    "H100": 794.0,  # measured, bf16, SXM
    "A100": 250.0,  # four fifths of the data sheet's dense bf16, as the following
    "L40S": 290.0,
    "A40": 120.0,
    "L4": 97.0,
    "RTX4090": 132.0,
    "CPU": 0.05,  # one core with AVX-512, float32
}
"""Device -> matrix products per second that programs reach, in 10^12 operations."""

_EFFICIENCY = 0.75  # share of that which training reaches: the rest is normalisation, softmax, the optimizer
_HEADER = 2000  # bytes of an adapter's names and settings
_LORA_BYTES = 16  # per weight: value, gradient, two moments in float32


@dataclass(frozen=True)
class Estimate:
    """What training will take.

    Attributes
    ----------
    n_adapters, n_done
        Adapters of the request, and those of them that are done.
    n_tokens
        Tokens to train on, with padding.
    flops
        Operations: 4 per weight and token (a frozen base has no weight gradient), 6 per LoRA weight, attention.
    hours
        On `gpu`, at three quarters of the products per second that it reaches.
    gpu
        The device named.
    memory_bytes
        Weights, adapters with their moments, activations of one forward pass.
    disk_bytes
        Adapters with their checkpoints.
    """

    n_adapters: int
    n_done: int
    n_tokens: int
    flops: float
    hours: float
    gpu: str
    memory_bytes: int
    disk_bytes: int

    def sentences(self) -> list[str]:
        """Return the estimate as lines for people."""
        return [
            f"adapters: {self.n_adapters - self.n_done} to train ({self.n_done} of {self.n_adapters} are done)",
            f"tokens:   {self.n_tokens:,}",
            f"work:     {self.flops:.2e} FLOPs, about {_duration(self.hours)} on one {self.gpu}",
            f"memory:   about {self.memory_bytes / 2**30:.1f} GiB on the device",
            f"disk:     about {self.disk_bytes / 2**20:.0f} MiB",
        ]


def _duration(hours: float) -> str:
    return f"{hours:.1f} hours" if hours >= 1 else f"{hours * 60:.1f} minutes"


def estimate(study: Study, run: RunFolder, wanted: Sequence[Item], gpu: str = "H200") -> Estimate:
    """Return what training those of `wanted` that are not done will take on `gpu`.

    Raises
    ------
    TrainError
        If the device is not known.
    """
    name = gpu.upper().replace(" ", "").replace("-", "")
    if name not in MATMUL_TFLOPS:
        raise TrainError(f"--gpu {gpu}: nothing is known of this device (known: {', '.join(MATMUL_TFLOPS)})")
    model = on_meta(read_config(study.model))
    size, todo = measure(model), [item for item in wanted if not item.is_done]
    n_lora, counts = _n_lora(study, model), n_tokens(study, run, todo)
    flops = sum(counts) * flops_per_token(size, n_lora, study.tokens.block_length)
    return Estimate(
        n_adapters=len(wanted),
        n_done=len(wanted) - len(todo),
        n_tokens=sum(counts),
        flops=flops,
        hours=flops / (MATMUL_TFLOPS[name] * 1e12 * _EFFICIENCY) / 3600,
        gpu=gpu,
        memory_bytes=memory_bytes(study, size, n_lora, name),
        disk_bytes=len(todo) * (n_lora * 4 + _HEADER) * (1 + len(study.train.checkpoint_steps)),
    )


def flops_per_token(size: Size, n_lora: int, block_length: int) -> float:
    """Return the operations of training one token: frozen weights twice forward and twice back, LoRA, attention."""
    return 4.0 * size.n_computed + 6.0 * n_lora + 6.0 * block_length * size.d_model * size.n_layers


def memory_bytes(study: Study, size: Size, n_lora: int, gpu: str) -> int:
    """Return the device memory of one training process; activations: what linear layers take and give."""
    settings, dtype = study.model, torch.float32 if gpu == "CPU" else torch.bfloat16
    if settings.dtype != "auto":
        dtype = torch.float32 if settings.dtype == "float32" else torch.bfloat16
    packed = settings.nf4_weights == "packed"
    weights = size.weight_bytes(settings.quantization, packed, dtype)
    pass_tokens = (study.train.micro_batch or study.train.blocks_per_step) * study.tokens.block_length
    activations = 2 * size.n_linear / size.d_model * pass_tokens * dtype.itemsize
    return int(weights + _LORA_BYTES * n_lora + activations)


def process_bytes(study: Study) -> int:
    """Return the main memory of one training process on a CPU."""
    model = on_meta(read_config(study.model))
    return memory_bytes(study, measure(model), _n_lora(study, model), "CPU")


def _n_lora(study: Study, model: Any) -> int:
    names = find_targets(model, study.train.targets, study.train.n_last)
    return sum(sum(sizes(model.get_submodule(name))) for name in names) * study.train.r


def n_tokens(study: Study, run: RunFolder, todo: Sequence[Item]) -> list[int]:
    """Return the tokens (with padding) that each item takes; weeks are packed in memory to count."""
    plan, length = recipe(study), study.tokens.block_length
    blocks: dict[str, int] = {}
    tokenizer: Any = None
    for item in todo:
        label = item.corpus.label
        if label in blocks or plan.steps is not None:
            continue
        tokenizer = tokenizer or load_tokenizer(study.model)
        blocks[label] = _count_blocks(study, item, tokenizer)
    return [plan.n_steps(blocks.get(item.corpus.label, 1)) * plan.blocks_per_step * length for item in todo]


def _count_blocks(study: Study, item: Item, tokenizer: Any) -> int:
    documents, users, kept = read_posts(study, item.corpus, tokenizer)
    chosen = [n for n, keep in enumerate(kept) if keep and len(documents[n]) > 1]
    return max(1, len(pack_posts(study, [documents[n] for n in chosen], [users[n] for n in chosen], tokenizer)))
