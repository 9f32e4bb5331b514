"""What training a study will take, before it is started: tokens, operations, hours, memory, disk.

Takes a study and its weeks, gives an `Estimate`. Loads no weights.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from temporal_adapters.engines.model import Size, load_tokenizer, precision, read_outline
from temporal_adapters.ground.errors import TrainError
from temporal_adapters.stages.tokens import pack_posts, read_posts
from temporal_adapters.stages.train.passes import choose_together, micro_batch, n_steps
from temporal_adapters.stages.train.plan import Item
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
}
"""Device -> matrix products per second that programs reach, in 10^12 operations; a CPU (one core) is measured."""

_CPU = "CPU"
_EFFICIENCY = 0.75  # share of that which training reaches: the rest is normalisation, softmax, the optimizer
_BESIDES = 8000.0
"""Operations that the work beside the products of one token, layer and channel takes the time of, on a CPU."""

_PROCESS = 320 << 20  # bytes of Python and its libraries
_HEAD_ROWS = 256  # rows of logits that are held at a time
_TRIAL_S = 0.05
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
        On `gpu` (one core of it on a CPU, whose products per second are measured).
    gpu
        The device named.
    memory_bytes
        Weights, adapters with their moments, activations of one forward pass; on a CPU the whole process.
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

    @property
    def _where(self) -> str:
        return "core of this CPU" if self.gpu.upper() == _CPU else self.gpu

    def sentences(self) -> list[str]:
        """Return the estimate as lines for people."""
        return [
            f"adapters: {self.n_adapters - self.n_done} to train ({self.n_done} of {self.n_adapters} are done)",
            f"tokens:   {self.n_tokens:,}",
            f"work:     {self.flops:.2e} FLOPs, about {_duration(self.hours)} on one {self._where}",
            f"memory:   about {self.memory_bytes / 2**30:.1f} GiB on the device",
            f"disk:     about {self.disk_bytes / 2**20:.0f} MiB",
        ]


def _duration(hours: float) -> str:
    return f"{hours:.1f} hours" if hours >= 1 else f"{hours * 60:.1f} minutes"


def estimate(study: Study, run: RunFolder, wanted: Sequence[Item], gpu: str | None = None) -> Estimate:
    """Return what training those of `wanted` that are not done will take on `gpu` (None: see `default_device`).

    Raises
    ------
    TrainError
        If the device is not known.
    """
    gpu = gpu or default_device(study)
    name = gpu.upper().replace(" ", "").replace("-", "")
    if name not in (*MATMUL_TFLOPS, _CPU):
        raise TrainError(f"--gpu {gpu}: nothing is known of this device (known: {', '.join((*MATMUL_TFLOPS, _CPU))})")
    todo = [item for item in wanted if not item.is_done]
    (size, n_lora), counts = _sizes(study), n_tokens(study, run, todo)
    flops = sum(counts) * flops_per_token(size, n_lora, study.tokens.block_length)
    tflops = MATMUL_TFLOPS[name] * _EFFICIENCY if name != _CPU else cpu_tflops(study, size)
    besides = sum(counts) * _BESIDES * size.n_layers * size.d_model if name == _CPU else 0.0
    return Estimate(
        n_adapters=len(wanted),
        n_done=len(wanted) - len(todo),
        n_tokens=sum(counts),
        flops=flops,
        hours=(flops + besides) / (tflops * 1e12) / 3600,
        gpu=gpu,
        memory_bytes=memory_bytes(study, size, n_lora, name),
        disk_bytes=disk_bytes(study, len(todo), n_lora),
    )


def flops_per_token(size: Size, n_lora: int, block_length: int) -> float:
    """Return the operations of training one token: frozen weights twice forward and twice back, LoRA, attention."""
    return 4.0 * size.n_computed + 6.0 * n_lora + 6.0 * block_length * size.d_model * size.n_layers


def disk_bytes(study: Study, n_adapters: int, n_lora: int | None = None) -> int:
    """Return the bytes that `n_adapters` finished adapters and their checkpoints take, each of `n_lora` weights."""
    weights = _sizes(study)[1] if n_lora is None else n_lora
    return n_adapters * (weights * 4 + _HEADER) * (1 + len(study.train.checkpoint_steps))


def memory_bytes(study: Study, size: Size, n_lora: int, gpu: str) -> int:
    """Return the device memory of one training process; activations: what linear layers take and give."""
    settings = study.model
    kind = settings.dtype if settings.dtype != "auto" else "float32" if gpu == _CPU else "bfloat16"
    dtype = np.dtype(np.float32 if kind == "float32" else np.float16)
    packed = settings.nf4_weights == "packed"
    weights = size.weight_bytes(settings.quantization, packed, dtype)
    tokens, together = _pass_tokens(study, "cpu" if gpu == _CPU else "cuda")
    per_token = 2 * size.n_linear / size.d_model * dtype.itemsize
    logits = min(tokens, _HEAD_ROWS) * size.vocabulary * 4 if gpu == _CPU else 0
    adapters = together * (_LORA_BYTES * n_lora + per_token * tokens)
    return int(weights + adapters + logits + (_PROCESS if gpu == _CPU else 0))


def process_bytes(study: Study) -> int:
    """Return the main memory of one training process on a CPU."""
    return memory_bytes(study, *_sizes(study), _CPU)


def cpu_tflops(study: Study, size: Size) -> float:
    """Return the products per second of one core at the study's own shape, in 10^12 operations (measured)."""
    rows = max(8, min(_pass_tokens(study, "cpu")[0], 512))
    wide = max(1, size.n_linear // (size.n_layers * size.d_model))
    x, weight = np.ones((rows, size.d_model), np.float32), np.ones((size.d_model, min(wide, 16384)), np.float32)
    best, until = np.inf, time.process_time() + _TRIAL_S
    while time.process_time() < until or not np.isfinite(best):
        started = time.process_time()
        x @ weight
        best = min(best, max(time.process_time() - started, 1e-9))
    return 2e-12 * rows * weight.size / best


def default_device(study: Study) -> str:
    """Return the device to estimate for where none is named: this machine without a GPU, else an H200."""
    return _CPU if precision(study.model) == "float32" else "H200"


def _sizes(study: Study) -> tuple[Size, int]:
    """Return the base's size and the weights of an adapter: from the headers of its files, or from its model."""
    train, found = study.train, read_outline(study.model)
    if found is not None:
        return found.size, found.n_lora(train.targets, train.n_last, train.r)
    from temporal_adapters.engines.model import find_targets, measure, on_meta, read_config, sizes

    model = on_meta(read_config(study.model), study.model.allow_code)
    names = find_targets(model, train.targets, train.n_last)
    return measure(model), sum(sum(sizes(model.get_submodule(name))) for name in names) * train.r


def _pass_tokens(study: Study, device: str) -> tuple[int, int]:
    """Return the tokens of one adapter in a forward pass, and the adapters in it."""
    length = study.tokens.block_length
    micro = micro_batch(device, study.train, length)
    return micro * length, study.train.together or choose_together(device, length, micro)


def n_tokens(study: Study, run: RunFolder, todo: Sequence[Item]) -> list[int]:
    """Return the tokens (with padding) that each item takes; weeks are packed in memory to count."""
    plan, length = study.train, study.tokens.block_length
    blocks: dict[str, int] = {}
    tokenizer: Any = None
    for item in todo:
        label = item.corpus.label
        if label in blocks or plan.steps is not None:
            continue
        tokenizer = tokenizer or load_tokenizer(study.model)
        blocks[label] = _count_blocks(study, item, tokenizer)
    return [n_steps(plan, blocks.get(item.corpus.label, 1)) * plan.blocks_per_step * length for item in todo]


def _count_blocks(study: Study, item: Item, tokenizer: Any) -> int:
    documents, users, kept = read_posts(study, item.corpus, tokenizer)
    chosen = [n for n, keep in enumerate(kept) if keep and len(documents[n]) > 1]
    return max(1, len(pack_posts(study, [documents[n] for n in chosen], [users[n] for n in chosen], tokenizer)))
