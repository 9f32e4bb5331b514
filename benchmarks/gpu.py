"""Training and asking at the published sizes on one GPU, beside PEFT, in minutes; see `gpu.sh`, which calls it.

    python benchmarks/gpu.py --out gpu.json [--budget 500] [--dry]

Random weights in the shapes of Llama-3-8B and Qwen2.5-7B (nothing is fetched). Rows, each written to the file as soon
as it is there, and left out with a reason where the seconds that are left do not suffice:

- matmul: the matrix products that this device reaches (bf16, fp8), the bound of all that follows.
- train: tokens per second, TFLOP/s, share of the measured peak (MFU), peak memory, and what the first step cost more
  than a later one (compilation, choice of kernels), for bf16, NF4 and fp8, documents and chunks, r 128 on q and v and
  r 16 on all linear layers; PEFT with the same tokens, micro-batches and attention beside two of them, adapters
  compared.
- probe: 64 adapters stacked, tokens per second beside the base's own on the same trees.

`--dry` runs every line with tiny shapes on a CPU. Published marks on one H100: Llama-3-8B LoRA 12,473 tokens/s,
Qwen2.5-7B 14,110 tokens/s.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from train import job, posts
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from temporal_adapters.engines.model import Adapter, Base, Lora, LoraShape, new_adapter, write_adapter
from temporal_adapters.engines.model.fp8 import quantize_fp8, replace_layers
from temporal_adapters.engines.model.memory import measure
from temporal_adapters.engines.model.quantized import quantize_nf4
from temporal_adapters.engines.model.targets import find_targets, sizes
from temporal_adapters.ground.errors import TemporalAdaptersError
from temporal_adapters.stages.probe.forward import Engine
from temporal_adapters.stages.probe.tree import Path as TokenPath
from temporal_adapters.stages.tokens import Blocks, chunk, pack
from temporal_adapters.stages.train import Job, Recipe, fit
from temporal_adapters.stages.train.estimate import flops_per_token

SHAPES: dict[str, tuple[Any, Any, dict[str, int]]] = {
    "llama-3-8b": (LlamaConfig, LlamaForCausalLM, {
        "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 8, "vocab_size": 128256}),
    "qwen2.5-7b": (Qwen2Config, Qwen2ForCausalLM, {
        "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
        "num_key_value_heads": 4, "vocab_size": 152064}),
}  # fmt: skip
TINY = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": 512}  # fmt: skip

QV = LoraShape(128, 128.0, targets=("q_proj", "v_proj"))
ALL = LoraShape(16, 32.0, targets="all-linear")
MARKS = {"llama-3-8b": 12473, "qwen2.5-7b": 14110}  # tokens/s published for one H100


class Report:
    """What was measured so far, kept in a file, and the seconds that are left."""

    def __init__(self, path: Path, budget: float, dry: bool) -> None:
        self.path, self.until, self.rows = path, time.monotonic() + budget, {}
        self.rows = {"device": device_name(), "dry": dry, "torch": torch.__version__, "rows": {}, "left_out": {}}

    def measure(self, name: str, needs_s: float, work: Callable[[], dict[str, Any]]) -> None:
        """Run one row if there is time for it; a failure is written down and does not stop the others."""
        left = self.until - time.monotonic()
        if left < needs_s:
            self.rows["left_out"][name] = f"{left:.0f} s left, {needs_s:.0f} needed"
        else:
            started = time.monotonic()
            try:
                self.rows["rows"][name] = {**work(), "took_s": round(time.monotonic() - started, 1)}
                print(name, json.dumps(self.rows["rows"][name]), flush=True)
            except (TemporalAdaptersError, RuntimeError, ImportError) as error:
                self.rows["left_out"][name] = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
                print(name, "left out:", self.rows["left_out"][name], flush=True)
        free()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.rows, indent=1) + "\n", encoding="utf-8")


def device_name() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"


def free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def clock() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def matmul(device: str, dry: bool) -> dict[str, Any]:
    """Return TFLOP/s of large products, bf16 and, where the device has them, fp8."""
    n = 128 if dry else 8192
    dtype = torch.float32 if dry else torch.bfloat16
    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    found = {"bf16_tflops": _tflops(lambda: a @ b, n)}
    if not dry and torch.cuda.get_device_capability() >= (8, 9):
        left, right = a.to(torch.float8_e4m3fn), b.to(torch.float8_e4m3fn).t()
        rows, columns = torch.ones(n, 1, device=device), torch.ones(1, n, device=device)
        found["fp8_tflops"] = _tflops(
            lambda: torch._scaled_mm(left, right, scale_a=rows, scale_b=columns, out_dtype=torch.bfloat16), n
        )
    return found


def _tflops(product: Callable[[], Any], n: int, repeats: int = 20) -> float:
    for _ in range(3):
        product()
    started = clock()
    for _ in range(repeats):
        product()
    return float(f"{2 * n**3 * repeats / (clock() - started) / 1e12:.4g}")


def base_of(shape: str, kind: str, device: str, dry: bool) -> Base:
    """Return a resident base with random weights: bf16, nf4 (packed) or fp8."""
    config, model_class, wide = SHAPES[shape]
    dtype = torch.float32 if dry else torch.bfloat16
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device), no_slow_draws(model_class):
            settings = {**(TINY if dry else wide), "max_position_embeddings": 1024}
            model = model_class(config(**settings, bos_token_id=1)).eval()
    finally:
        torch.set_default_dtype(before)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.02) if weight.dim() > 1 else weight.fill_(1.0)
    model.requires_grad_(False)
    if kind == "nf4":
        quantize_nf4(model, packed=True)
    elif kind == "fp8":
        (replace_layers if dry else quantize_fp8)(model)
    model.requires_grad_(False)
    return Base(model, None, shape, f"random-{shape}-{kind}", torch.device(device), dtype)


@contextlib.contextmanager
def no_slow_draws(model_class: Any) -> Iterator[None]:
    """Leave out the architecture's own initialisation: all weights are drawn afterwards."""
    before = model_class.init_weights
    model_class.init_weights = lambda self: None
    try:
        yield
    finally:
        model_class.init_weights = before


def blocks_of(base: Base, attention: str, dry: bool) -> Blocks:
    length, n_blocks = (64, 8) if dry else (512, 72)
    documents = posts(length * n_blocks, base.model.config.vocab_size, 1)
    return chunk(documents, length) if attention == "chunk" else pack(documents, length)


def plan_of(shape: LoraShape, attention: str, steps: int, dry: bool) -> Recipe:
    size, micro = (4, 2) if dry else (24, 8)
    return Recipe(shape, 1e-4, steps=steps, blocks_per_step=size, attention=attention, micro_batch=micro)


def flops_of(base: Base, shape: LoraShape, length: int, dense: Any) -> float:
    targets = find_targets(base.model, shape.targets)
    n_lora = sum(sum(sizes(base.model.get_submodule(name))) for name in targets) * shape.r
    return flops_per_token(dense, n_lora, length)


def train(base: Base, dense: Any, shape: LoraShape, attention: str, peak: float, dry: bool, beside: bool) -> dict:
    """Train one adapter for a few steps, ours and, if `beside`, PEFT's; return the figures of a row."""
    blocks = blocks_of(base, attention, dry)
    task, steps = job(0, blocks), 2 if dry else 3
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    started = clock()
    list(fit(base, [task], plan_of(shape, attention, 1, dry)))
    first = clock() - started
    plan = plan_of(shape, attention, steps, dry)
    started = clock()
    (done,) = fit(base, [task], plan)
    each = (clock() - started) / steps
    tokens = plan.blocks_per_step * blocks.block_length
    flops = flops_of(base, shape, blocks.block_length, dense)
    found = {
        "tokens_per_s": round(tokens / each, 1),
        "tflops": float(f"{tokens / each * flops / 1e12:.4g}"),
        "mfu": round(tokens / each * flops / 1e12 / peak, 3),
        "first_step_extra_s": round(max(0.0, first - each), 2),
        "peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2) if torch.cuda.is_available() else None,
        "loss": round(done.losses[-1], 4),
    }
    return {**found, **peft(base, plan, task, done.adapter, tokens)} if beside else found


def peft(base: Base, plan: Recipe, task: Job, ours: Adapter, tokens: int) -> dict[str, Any]:
    """Train the same adapter with PEFT in the same micro-batches; return its speed and how alike the adapters are."""
    from peft import PeftModel

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with tempfile.TemporaryDirectory() as folder:
        write_adapter(Path(folder), new_adapter(base.model, plan.shape, task.generator("init")))
        model = PeftModel.from_pretrained(base.model, folder, is_trainable=True).eval()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=plan.learning_rate, weight_decay=0.0, fused=True)
    try:
        for step in range(plan.steps or 1):
            started = clock()
            _peft_step(model, base, plan, task, step, weights, optimizer)
            each = clock() - started
        found = {name: w.detach().float().cpu() for name, w in model.named_parameters() if w.requires_grad}
    finally:
        model.unload()
    peak = round(torch.cuda.max_memory_allocated() / 2**30, 2) if torch.cuda.is_available() else None
    return {
        "peft_tokens_per_s": round(tokens / each, 1),
        "peft_peak_gib": peak,
        "cosine_with_peft": _cosine(ours, found),
    }


def _peft_step(model: Any, base: Base, plan: Recipe, task: Job, step: int, weights: list, optimizer: Any) -> None:
    rows, micro = task.order(step * plan.blocks_per_step, plan.blocks_per_step), plan.micro_batch or 1
    numbers = torch.from_numpy(task.blocks.documents[rows]).to(base.device)
    ids = torch.from_numpy(task.blocks.input_ids[rows]).long().to(base.device)
    labels = torch.from_numpy(task.blocks.labels[rows]).long().to(base.device)
    if plan.attention == "document":
        labels[:, 1:][numbers[:, 1:] != numbers[:, :-1]] = -100
    total = (labels[:, 1:] != -100).sum()
    for at in range(0, len(rows), micro):
        part = slice(at, at + micro)
        options: dict[str, Any] = {"input_ids": ids[part], "use_cache": False}
        if plan.attention == "document":
            same = (numbers[part, :, None] == numbers[part, None, :]).tril()
            options |= {"position_ids": same.sum(-1) - 1, "attention_mask": same[:, None]}
        logits = model(**options).logits[:, :-1].float().flatten(0, 1)
        target = labels[part, 1:].flatten()
        loss = torch.nn.functional.cross_entropy(logits, target, ignore_index=-100, reduction="sum")
        (loss / total).backward()
    torch.nn.utils.clip_grad_norm_(weights, 1.0)
    for group in optimizer.param_groups:
        group["lr"] = plan.rate(step, plan.steps or 1)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _cosine(ours: Adapter, theirs: dict[str, torch.Tensor]) -> float:
    pairs = [(theirs[f"base_model.model.{name}.lora_B.default.weight"], lora.b) for name, lora in ours.modules.items()]
    first, second = (torch.cat([pair[n].flatten().float().cpu() for pair in pairs]) for n in (0, 1))
    return round(float(torch.nn.functional.cosine_similarity(first, second, dim=0)), 5)


def probe(base: Base, n_adapters: int, dry: bool) -> dict[str, Any]:
    """Ask 64 adapters 48 answers; return tokens per second beside the base's own on the same trees."""
    generator = torch.Generator().manual_seed(3)
    draw = lambda n: tuple(torch.randint(3, 500, (n,), generator=generator).tolist())  # noqa: E731
    contexts = [draw(20) for _ in range(4)]
    paths = [TokenPath(context, draw(2)) for context in contexts for _ in range(12)]
    engine = Engine(base.model, paths)
    fresh = new_adapter(base.model, LoraShape(16, 32.0, targets=("q_proj", "v_proj")), torch.Generator().manual_seed(1))
    modules = {
        name: Lora(lora.a.to(base.dtype), torch.randn_like(lora.b, dtype=base.dtype) * 0.01, lora.scale)
        for name, lora in fresh.modules.items()
    }
    adapters = [Adapter(modules, fresh.config)] * n_adapters
    size = min(engine.stack_size, n_adapters)
    seconds = {}
    for name, asked in (("ours", adapters), ("base", [Adapter({}, {})] * n_adapters)):
        engine.score(asked[:size])
        started = clock()
        for at in range(0, n_adapters, size):
            engine.score(asked[at : at + size])
        seconds[name] = clock() - started
    tokens = engine.n_nodes * n_adapters
    return {
        "n_adapters": n_adapters,
        "stacked": size,
        "tokens_per_s": round(tokens / seconds["ours"]),
        "base_tokens_per_s": round(tokens / seconds["base"]),
        "ours_over_base": round(seconds["base"] / seconds["ours"], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--budget", type=float, default=500.0, help="seconds for all rows")
    parser.add_argument("--dry", action="store_true", help="every line, with tiny shapes on a CPU")
    given = parser.parse_args()
    if not given.dry and not torch.cuda.is_available():
        parser.error("there is no CUDA device: use --dry")
    device, dry, report = "cpu" if given.dry else "cuda", given.dry, Report(given.out, given.budget, given.dry)
    report.measure("matmul", 0, lambda: matmul(device, dry))
    peak = report.rows["rows"].get("matmul", {}).get("bf16_tflops", float("nan"))
    for shape, kinds in (("llama-3-8b", ("bf16", "fp8", "nf4")), ("qwen2.5-7b", ("bf16",))):
        for kind in kinds:
            _rows_of(report, shape, kind, device, peak, dry)
    print(json.dumps({**report.rows, "marks": MARKS}))


def _rows_of(report: Report, shape: str, kind: str, device: str, peak: float, dry: bool) -> None:
    """Measure everything on one base; it is built once and dropped afterwards."""
    held: list[tuple[Base, Any]] = []

    def build() -> dict[str, Any]:
        dense = measure(base_of(shape, "bf16", "meta", dry).model) if not dry else None
        base = base_of(shape, kind, device, dry)
        held.append((base, dense or measure(base.model)))
        return {"parameters": held[0][1].n_parameters}

    report.measure(f"{shape} {kind} load", 30 if not dry else 0, build)
    if not held:
        return
    base, dense = held[0]
    first = shape == "llama-3-8b" and kind == "bf16"
    for attention in ("document", "chunk"):
        for name, lora in (("r16 all", ALL), ("r128 qv", QV)):
            beside = kind == "bf16" and lora is ALL and (first or attention == "chunk")
            needs = 0 if dry else (60 if beside else 25)
            work = lambda a=attention, s=lora, b=beside: train(base, dense, s, a, peak, dry, b)  # noqa: E731
            report.measure(f"{shape} {kind} {attention} {name}", needs, work)
    if first:
        report.measure(f"{shape} {kind} probe", 0 if dry else 30, lambda: probe(base, 4 if dry else 64, dry))


if __name__ == "__main__":
    main()
