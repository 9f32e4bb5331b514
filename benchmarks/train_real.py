"""Rows of `train.py` at the sizes of real base models: SmolLM2-135M (or its shape) and a random Llama of 360M.

Each row sets ours against the best of PEFT as it is and PEFT with its layers compiled: the same tokens, attention,
start, steps and precision, interleaved in one process; process CPU seconds of one thread. Beside the ratio stands the
share of the bound: the matrix products of the same step alone, on the same weights, measured in the same run.

- real_documents: rank 8 on all linear layers, documents in blocks of 128, two blocks a step.
- real_chunks: rank 128 on q and v, one chunk of 512 a step.
- real_many: 8 adapters with 128 tokens a step each, against one after the other in PEFT.
- real_documents_360m: as the first, on the larger shape.
- auto_over_best: what `kernels: auto` takes over the better of the two ways.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from temporal_adapters.engines.model import Base, LoraShape
from temporal_adapters.engines.model.memory import measure
from temporal_adapters.stages.tokens import chunk, pack
from temporal_adapters.stages.train import Job, Recipe, fit

SHAPES: dict[str, dict[str, int]] = {
    "135m": {"hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
             "num_key_value_heads": 3, "vocab_size": 49152},
    "360m": {"hidden_size": 960, "intermediate_size": 2560, "num_hidden_layers": 32, "num_attention_heads": 15,
             "num_key_value_heads": 5, "vocab_size": 49152},
}  # fmt: skip
TOLERANCE = 0.02
"""Length of the difference between two adapters over that of their change: Adam's first steps are signs of gradients,
so that single weights whose gradient is rounding alone may differ by a whole step; anything else is an error."""


def load(folder: str | None, shape: str) -> Base:
    """Return the base in `folder`, or the shape with random weights."""
    if folder is not None:
        model, name = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), Path(folder).name
    else:
        torch.manual_seed(0)
        config = LlamaConfig(**SHAPES[shape], max_position_embeddings=2048, bos_token_id=1, tie_word_embeddings=True)
        model, name = LlamaForCausalLM(config), f"{shape} (random weights)"
    model.eval().requires_grad_(False)
    print(f"base: {name}, {measure(model).n_parameters / 1e6:.0f}M parameters")
    return Base(model, None, name, f"bench-{name}", torch.device("cpu"), torch.float32)


def bound(base: Base, n_tokens: int) -> float:
    """Return the seconds of a step's matrix products with the frozen weights alone: forward, and back to the inputs."""
    model, found = base.model, []
    head = model.get_output_embeddings()
    weights = [m.weight for m in model.modules() if isinstance(m, torch.nn.Linear) and m is not head] + [head.weight]
    room = {n: torch.randn(n_tokens, n) for n in {n for w in weights for n in w.shape}}
    into = {n: torch.empty(n_tokens, n) for n in room}
    for _ in range(3):
        started = time.process_time()
        for w in weights:
            torch.mm(room[w.shape[1]], w.T, out=into[w.shape[0]])
        for w in reversed(weights):
            torch.mm(room[w.shape[0]], w, out=into[w.shape[1]])
        found.append(time.process_time() - started)
    return min(found)


def peft_once(base: Base, tasks: list[Job], plan: Recipe, compiled: bool, bench: Any) -> tuple[dict, float]:
    """Train one adapter after the other in PEFT; loading and compiling are not counted."""
    found, spent = {}, 0.0
    layers = base.model.model.layers
    for task in tasks:
        with tempfile.TemporaryDirectory() as folder:
            peft = bench.peft_model(base, plan, task, Path(folder))
            if compiled:
                for layer in layers:
                    layer.compile(dynamic=False)
            found[task.name], took = bench.timed(base, bench.peft_steps, peft, base, plan, task)
            for layer in layers:
                layer._compiled_call_impl = None
            peft.unload()
            spent += took
    return found, spent


def distance(base: Base, plan: Recipe, done: Any, theirs: dict[str, torch.Tensor], bench: Any) -> float:
    """Return the length of the difference between both adapters over that of the change that PEFT made."""
    start = bench.new_adapter(base.model, plan.shape, done.job.generator("init"))
    apart = change = 0.0
    for name, lora in done.adapter.modules.items():
        for half, mine, first in (("A", lora.a, start.modules[name].a), ("B", lora.b, start.modules[name].b)):
            other = theirs[f"{name}.lora_{half}.default.weight"]
            apart += float((mine - other).square().sum())
            change += float((other - first).square().sum())
    return (apart / change) ** 0.5


def row(name: str, base: Base, tasks: list[Job], plan: Recipe, repeats: int, bench: Any) -> dict[str, Any]:
    """Interleave PEFT, PEFT compiled and ours; the first round warms up, compiles and measures the kernels."""
    times: dict[str, list[float]] = {"eager": [], "compiled": [], "ours": []}
    worst = 0.0
    per_step = plan.blocks_per_step * tasks[0].blocks.block_length
    n_tokens = len(tasks) * plan.n_steps(1) * per_step
    for repeat in range(repeats + 1):
        for way in ("eager", "compiled"):
            theirs, spent = peft_once(base, tasks, plan, way == "compiled", bench)
            times[way].append(spent)
        done, mine = bench.timed(base, lambda: list(fit(base, tasks, plan)))
        times["ours"].append(mine)
        if not repeat:
            worst = max(distance(base, plan, one, theirs[one.job.name], bench) for one in done)
    if worst > TOLERANCE:
        print(f"{name}: adapters differ by {worst:.1e}; no speed is shown")
        return {"equal": False, "ratio": None}
    speed = {way: n_tokens / statistics.median(found[1:]) for way, found in times.items()}
    best = max(speed["eager"], speed["compiled"])
    share = speed["ours"] * bound(base, per_step) / per_step
    print(
        f"{name:22} PEFT {speed['eager']:6.1f}, compiled {speed['compiled']:6.1f}, ours {speed['ours']:6.1f} tokens per"
        f" CPU s ({done[0].kernels['name']}): {speed['ours'] / best:.2f}x, {share:.0%} of the bound; off by {worst:.0e}"
    )
    return {"equal": True, "ratio": round(speed["ours"] / best, 3), "share_of_bound": round(share, 3),
            "tokens_per_s": {way: round(value, 1) for way, value in speed.items()}}  # fmt: skip


def auto_over_best(base: Base, task: Job, plan: Recipe, bench: Any) -> float:
    """Return the speed of what `auto` takes over that of the better way."""
    chosen = next(iter(fit(base, [task], plan))).kernels["name"]
    seconds = {}
    for wish in ("on", "off"):
        way = replace(plan, kernels=wish)
        seconds[wish] = min(bench.timed(base, lambda way=way: list(fit(base, [task], way)))[1] for _ in range(2))
    taken = seconds["on" if chosen == "fused" else "off"]
    print(f"auto_over_best: auto takes {chosen}; on {seconds['on']:.2f} s, off {seconds['off']:.2f} s")
    return round(min(seconds.values()) / taken, 3)


def rows(args: argparse.Namespace, bench: Any) -> dict[str, Any]:
    """Return all rows; `bench` is the module `train`."""
    repeats, steps = (2, 1) if args.quick else (args.repeats, 3)
    found: dict[str, Any] = {}
    base = load(args.base or os.environ.get("TA_BENCH_BASE"), "135m")
    texts = bench.posts(4000, base.model.config.vocab_size, 1)
    documents = Recipe(LoraShape(8, 16, targets="all-linear"), 1e-4, steps=2 * steps, blocks_per_step=2)
    chunks = Recipe(LoraShape(128, 128), 1e-4, steps=steps, blocks_per_step=1, attention="chunk")
    many = replace(documents, steps=steps, blocks_per_step=1)
    tasks = [bench.job(n, pack(bench.posts(600, base.model.config.vocab_size, n), 128)) for n in range(8)]
    wanted = args.only or ["real_documents", "real_chunks", "real_many", "real_documents_360m"]
    given = {
        "real_documents": ([bench.job(0, pack(texts, 128))], documents),
        "real_chunks": ([bench.job(0, chunk(texts, 512))], chunks),
        "real_many": (tasks, many),
    }
    for name in [name for name in given if name in wanted]:
        found[name] = row(name, base, *given[name], repeats, bench)
    if not args.only or "auto_over_best" in args.only:
        found["auto_over_best"] = auto_over_best(base, given["real_documents"][0][0], documents, bench)
    if "real_documents_360m" in wanted:
        del base
        base = load(None, "360m")
        task = [bench.job(0, pack(texts, 128))]
        plan = replace(documents, steps=steps)
        found["real_documents_360m"] = row("real_documents_360m", base, task, plan, repeats, bench)
    return found
