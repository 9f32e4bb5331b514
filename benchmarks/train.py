"""How fast adapters are trained, against a tuned PEFT loop and against the published way; equality comes first.

    python benchmarks/train.py [--quick] [--device cpu|cuda] [--shape 8b --layers 16] [--repeats 5] [--most 64]
                               [--base FOLDER] [--only ROW ...]

Rows (each: theirs over ours, same base, data, start, steps, precision, targets and rank, interleaved in one process):

- same_attention: one adapter, blocks of 512 tokens in which posts see each other (as published); PEFT with one large
  batch, no cache, no checkpointing, fused AdamW.
- document_attention: the same with posts that see only themselves; PEFT gets the exact mask. `document_over_chunk` sets
  ours with documents against PEFT with chunks: other semantics, shown because it is what a user would have run.
- many_tiny: 16 adapters on 128 tokens per step each, one after the other in PEFT, stacked in ours.
- end_to_end: base load to saved adapters, 2 weeks x 2 seeds (4 to 64 adapters without --quick), against the published
  script's way: base and tokens anew for every adapter, 6 x 4 accumulated, optimizer states saved every 50 steps. The
  Trainer's own overhead is left out, in its favour.
- real_documents, real_chunks, real_many, real_documents_360m, auto_over_best: at the sizes of real bases, see
  `train_real.py`. A real base is given by --base FOLDER or TA_BENCH_BASE; without one its shape with random weights is
  used, and said.
- nf4 (packed and materialised, with bitsandbytes) and, on a GPU, fp8: tokens per second beside the dense base.

Figures are medians of process time (CPU, one thread) or wall time (CUDA). A row prints no speed if its adapters differ.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from temporal_adapters.engines.model import Base, LoraShape, new_adapter, write_adapter
from temporal_adapters.engines.model.fp8 import quantize_fp8
from temporal_adapters.engines.model.memory import measure
from temporal_adapters.engines.model.quantized import quantize_nf4
from temporal_adapters.stages.tokens import Blocks, chunk, pack
from temporal_adapters.stages.train import Job, Recipe, fit
from temporal_adapters.stages.train.estimate import flops_per_token

SHAPES: dict[str, dict[str, int]] = {
    "tiny": {"hidden_size": 64, "intermediate_size": 192, "num_hidden_layers": 2, "num_attention_heads": 4,
             "num_key_value_heads": 2, "vocab_size": 1024},
    "small": {"hidden_size": 192, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 4,
              "num_key_value_heads": 2, "vocab_size": 2048},
    "8b": {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
           "num_key_value_heads": 8, "vocab_size": 128256},
}  # fmt: skip


def base_of(shape: str, device: str, layers: int | None = None) -> Base:
    torch.manual_seed(0)
    settings = {**SHAPES[shape], **({"num_hidden_layers": layers} if layers else {})}
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    with torch.device(device):
        model = LlamaForCausalLM(LlamaConfig(**settings, max_position_embeddings=1024, bos_token_id=1)).eval()
    torch.set_default_dtype(before)
    model.requires_grad_(False)
    return Base(model, None, shape, "random", torch.device(device), dtype)


def posts(n_tokens: int, vocabulary: int, seed: int) -> list[list[int]]:
    rng, found = np.random.default_rng(seed), []
    while n_tokens > 0:
        found.append([1, *rng.integers(3, vocabulary, int(rng.integers(8, 40))).tolist()])
        n_tokens -= len(found[-1])
    return found


def job(number: int, blocks: Blocks) -> Job:
    return Job(f"week-{number}", blocks, 42, f"week-{number}")


def peft_model(base: Base, plan: Recipe, task: Job, folder: Path) -> Any:
    """PEFT on the resident base, starting where ours starts."""
    from peft import PeftModel

    write_adapter(folder, new_adapter(base.model, plan.shape, task.generator("init")))
    return PeftModel.from_pretrained(base.model, folder, is_trainable=True).eval()


def peft_steps(peft: Any, base: Base, plan: Recipe, task: Job) -> dict[str, torch.Tensor]:
    """A tuned plain loop: everything a careful user would do with PEFT."""
    weights = [p for p in peft.parameters() if p.requires_grad]
    fused = torch.optim.AdamW(weights, lr=plan.learning_rate, weight_decay=0.0, fused=True)
    n_steps, size = plan.n_steps(len(task.blocks)), plan.blocks_per_step
    for step in range(n_steps):
        rows = task.order(step * size, size)
        ids = torch.from_numpy(task.blocks.input_ids[rows]).long().to(base.device)
        options: dict[str, Any] = {"input_ids": ids, "use_cache": False}
        labels = torch.from_numpy(task.blocks.labels[rows]).long().to(base.device)
        if plan.attention == "document":
            numbers = torch.from_numpy(task.blocks.documents[rows]).to(base.device)
            same = numbers[:, :, None] == numbers[:, None, :]
            options["position_ids"] = same.tril().sum(-1) - 1
            options["attention_mask"] = same.tril()[:, None]
            labels[:, 1:][numbers[:, 1:] != numbers[:, :-1]] = -100
        peft(**options, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        for group in fused.param_groups:
            group["lr"] = plan.rate(step, n_steps)
        fused.step()
        fused.zero_grad(set_to_none=True)
    found = {name: p.detach().float().cpu() for name, p in peft.named_parameters() if p.requires_grad}
    return {name.removeprefix("base_model.model."): tensor for name, tensor in found.items()}


def furthest(ours: Any, theirs: dict[str, torch.Tensor]) -> float:
    pairs = [
        (tensor, theirs[f"{name}.lora_{half}.default.weight"])
        for name, lora in ours.modules.items()
        for half, tensor in (("A", lora.a), ("B", lora.b))
    ]
    return max(float((mine - other).abs().max()) for mine, other in pairs)


def timed(base: Base, work: Callable[..., Any], *given: Any) -> tuple[Any, float]:
    """Return what `work` gives and its seconds: of the process on a CPU, of the clock on a GPU."""
    gpu = base.device.type == "cuda"
    clock = time.perf_counter if gpu else time.process_time
    if gpu:
        torch.cuda.synchronize()
    started = clock()
    done = work(*given)
    if gpu:
        torch.cuda.synchronize()
    return done, clock() - started


def peft_way(base: Base, tasks: list[Job], plan: Recipe) -> tuple[dict[str, dict[str, torch.Tensor]], float]:
    """Train one adapter after the other in PEFT; its loading is not counted."""
    found, spent = {}, 0.0
    for task in tasks:
        with tempfile.TemporaryDirectory() as folder:
            peft = peft_model(base, plan, task, Path(folder))
            found[task.name], took = timed(base, peft_steps, peft, base, plan, task)
            peft.unload()
            spent += took
    return found, spent


def row(name: str, base: Base, tasks: list[Job], plan: Recipe, repeats: int, against: Recipe | None = None) -> dict:
    """Interleave PEFT (one adapter after the other) and ours (as many together as it chooses)."""
    times: dict[str, list[float]] = {"theirs": [], "ours": []}
    worst = 0.0
    for repeat in range(repeats + 1):
        theirs, spent = peft_way(base, tasks, against or plan)
        done, mine = timed(base, lambda: list(fit(base, tasks, plan)))
        if repeat:  # the first round warms up
            times["theirs"].append(spent)
            times["ours"].append(mine)
        if against is None:
            worst = max(worst, *(furthest(one.adapter, theirs[one.job.name]) for one in done))
    n_tokens = sum(plan.n_steps(len(task.blocks)) * plan.blocks_per_step * task.blocks.block_length for task in tasks)
    return finish(name, times, worst, 1e-5 if base.dtype == torch.float32 else 5e-3, n_tokens)


def finish(name: str, times: dict[str, list[float]], worst: float, tolerance: float, n_tokens: int) -> dict:
    if worst > tolerance:
        print(f"{name}: adapters differ by {worst:.1e} (allowed {tolerance:.0e}); no speed is shown")
        return {"equal": False, "ratio": None}
    theirs, ours = (statistics.median(times[who]) for who in ("theirs", "ours"))
    best = min(times["theirs"]) / min(times["ours"])
    print(
        f"{name:24} theirs {n_tokens / theirs:9.0f} tokens/s   ours {n_tokens / ours:9.0f} tokens/s   ratio"
        f" {theirs / ours:.2f} (of minima {best:.2f})   furthest weight {worst:.0e}"
    )
    return {"equal": True, "ratio": round(theirs / ours, 3), "ratio_of_minima": round(best, 3),
            "ours_tokens_per_s": round(n_tokens / ours)}  # fmt: skip


def published_way(folder: Path, texts: list[list[list[int]]], seeds: list[int], plan: Recipe, out: Path) -> None:
    """The published script's way: base, blocks and optimizer anew for every week and seed, micro-batches of 4."""
    from peft import LoraConfig, get_peft_model

    for week, documents in enumerate(texts):
        for seed in seeds:
            torch.manual_seed(seed)
            model = LlamaForCausalLM.from_pretrained(folder)
            ids = torch.from_numpy(chunk(documents, 512).input_ids).long()
            peft = get_peft_model(model, LoraConfig(r=plan.shape.r, lora_alpha=plan.shape.alpha, task_type="CAUSAL_LM"))
            weights = [p for p in peft.parameters() if p.requires_grad]
            optimizer = torch.optim.AdamW(weights, lr=plan.learning_rate, weight_decay=0.0)
            steps, order = plan.n_steps(len(ids)), torch.randperm(len(ids)).repeat(1000)
            for step in range(steps):
                for part in order[step * 24 : step * 24 + 24].split(4):
                    (peft(input_ids=ids[part], labels=ids[part]).loss / 6).backward()
                torch.nn.utils.clip_grad_norm_(weights, 1.0)
                optimizer.step()
                optimizer.zero_grad()
                if (step + 1) % 50 == 0 or step + 1 == steps:
                    target = out / f"{week}-{seed}" / f"checkpoint-{step + 1}"
                    peft.save_pretrained(target)
                    torch.save(optimizer.state_dict(), target / "optimizer.pt")


def our_way(folder: Path, texts: list[list[list[int]]], seeds: list[int], plan: Recipe, out: Path) -> None:
    model = LlamaForCausalLM.from_pretrained(folder).eval()
    model.requires_grad_(False)
    base = Base(model, None, "base", "d", torch.device("cpu"), torch.float32)
    jobs = []
    for week, documents in enumerate(texts):
        blocks = chunk(documents, 512) if plan.attention == "chunk" else pack(documents, 512)
        jobs += [Job(f"{week}-{seed}", blocks, seed, str(week)) for seed in seeds]
    for done in fit(base, jobs, plan):
        write_adapter(out / done.job.name, done.adapter)


def end_to_end(counts: list[int], steps: int) -> dict[str, float]:
    """Base load to saved adapters, the same weeks; per number of adapters and attention."""
    base, found = base_of("tiny", "cpu"), {}
    for attention in ("chunk", "document"):
        plan = Recipe(LoraShape(8, 8), 1e-4, steps=steps, blocks_per_step=24, attention=attention)
        for count in counts:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                base.model.save_pretrained(folder / "base")
                texts = [posts(15_000, SHAPES["tiny"]["vocab_size"], week) for week in range(count // 2)]
                given = (folder / "base", texts, [1, 2], plan)
                _, theirs = timed(base, published_way, *given, folder / "theirs")
                _, ours = timed(base, our_way, *given, folder / "ours")
                disk = [size(folder / who) / 2**20 for who in ("theirs", "ours")]
            found[f"{count}_{attention}"] = round(theirs / ours, 3)
            print(
                f"end to end, {count:3} adapters, {attention:8}  theirs {theirs:.1f} s, ours {ours:.1f} s, ratio"
                f" {theirs / ours:.2f}; on disk {disk[0]:.1f} against {disk[1]:.1f} MiB"
            )
    return found


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def quantised(
    shape: str, device: str, layers: int | None, plan: Recipe, tasks: list[Job], repeats: int
) -> dict[str, int]:
    """Tokens per second of the dense base and of its quantised forms."""
    found: dict[str, int] = {}
    for kind in ["dense", "nf4 packed", "nf4 materialised"] + (["fp8"] if device == "cuda" else []):
        base = base_of(shape, device, layers)
        whole = measure(base.model)
        if kind.startswith("nf4"):
            quantize_nf4(base.model, kind.endswith("packed"))
        elif kind == "fp8":
            quantize_fp8(base.model)
        base.model.requires_grad_(False)
        times = []
        for _ in range(repeats + 1):
            times.append(timed(base, lambda base=base: list(fit(base, tasks, plan)))[1])
        length = tasks[0].blocks.block_length
        speed = len(tasks) * plan.n_steps(1) * plan.blocks_per_step * length / statistics.median(times[1:])
        found[kind.replace(" ", "_")] = round(speed)
        work = speed * flops_per_token(whole, 0, length) / 1e12
        print(f"{kind:24} ours {speed:9.0f} tokens/s   {work:.3f} TFLOP/s of the frozen base and attention")
    return found


def on_gpu(args: argparse.Namespace) -> None:
    """8B shapes from random weights: PEFT tuned against ours, then precisions."""
    base = base_of(args.shape, "cuda", args.layers)
    vocabulary = SHAPES[args.shape]["vocab_size"]
    blocks = {"chunk": chunk(posts(60_000, vocabulary, 1), 512), "document": pack(posts(60_000, vocabulary, 1), 512)}
    ratios: dict[str, Any] = {}
    for attention in ("chunk", "document"):
        plan = Recipe(LoraShape(128, 128), 5e-6, steps=6, blocks_per_step=24, attention=attention, micro_batch=24)
        done = row(f"{attention}_attention", base, [job(0, blocks[attention])], plan, args.repeats)
        ratios["same_attention" if attention == "chunk" else "document_attention"] = done["ratio"]
    del base
    torch.cuda.empty_cache()
    plan = Recipe(LoraShape(128, 128), 5e-6, steps=6, blocks_per_step=24, attention="chunk", micro_batch=24)
    speeds = quantised(args.shape, "cuda", args.layers, plan, [job(0, blocks["chunk"])], args.repeats)
    peak = torch.cuda.max_memory_allocated() / 2**30
    print(json.dumps({"equal": True, "ratios": ratios, "tokens_per_s": speeds, "peak_gib": round(peak, 1)}))


def on_cpu(args: argparse.Namespace) -> None:
    import train_real

    real = train_real.rows(args, sys.modules[__name__])
    if args.only:
        print(json.dumps({"equal": all(one.get("equal", True) for one in real.values() if isinstance(one, dict)),
                          "real": real}))  # fmt: skip
        return
    repeats, quick = args.repeats, args.quick
    vocabulary = SHAPES["small"]["vocab_size"]
    base = base_of("small", "cpu")
    documents = posts(10_000, vocabulary, 1)
    steps = 2 if quick else 6
    chunks = Recipe(LoraShape(16, 32), 1e-3, steps=steps, blocks_per_step=4, attention="chunk")
    exact = Recipe(LoraShape(16, 32), 1e-3, steps=steps, blocks_per_step=4, attention="document")
    rows = {
        "same_attention": row("same_attention", base, [job(0, chunk(documents, 512))], chunks, repeats),
        "document_attention": row("document_attention", base, [job(0, pack(documents, 512))], exact, repeats),
    }
    mixed = {"ratio": None}
    if not quick:
        mixed = row("document_over_chunk", base, [job(0, pack(documents, 512))], exact, repeats, against=chunks)
    tiny, vocabulary = base_of("tiny", "cpu"), SHAPES["tiny"]["vocab_size"]
    tasks = [job(n, pack(posts(1500, vocabulary, n), 128)) for n in range(16)]
    plan = Recipe(LoraShape(8, 16), 1e-3, steps=4 if quick else 10, blocks_per_step=1)
    rows["many_tiny"] = row("many_tiny", tiny, tasks, plan, repeats)
    counts = [4] if quick else [count for count in (4, 16, 64) if count <= args.most]
    ends = end_to_end(counts, 2 if quick else 12)
    speeds = quantised("small", "cpu", None, chunks, [job(0, chunk(documents, 512))], max(1, repeats // 2))
    ratios = {name: one["ratio"] for name, one in rows.items()}
    ratios["end_to_end"] = ends[f"{counts[-1]}_chunk"]
    shares = {name: one for name, one in real.items() if isinstance(one, dict)}
    ratios |= {name: one["ratio"] for name, one in shares.items()}
    report = {
        "equal": all(one["equal"] for one in (*rows.values(), *shares.values())),
        "ratios": ratios,
        "of_minima": {name: one.get("ratio_of_minima") for name, one in rows.items()},
        "auto_over_best": real.get("auto_over_best"),
        "share_of_bound": {name: one.get("share_of_bound") for name, one in shares.items()},
        "real_tokens_per_s": {name: one.get("tokens_per_s") for name, one in shares.items()},
        "document_over_chunk": mixed["ratio"],
        "end_to_end_by_adapters": ends,
        "tokens_per_s": speeds,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "load": os.getloadavg()[0],
    }
    print(json.dumps(report))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--shape", choices=list(SHAPES), default="8b", help="on a GPU")
    parser.add_argument("--layers", type=int, help="layers of the shape, if time is short")
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--most", type=int, default=64, help="adapters of the largest end-to-end run: 4, 16 or 64")
    parser.add_argument("--base", help="folder of a real base model, for the rows at real sizes")
    parser.add_argument("--only", nargs="*", help="only these of the rows at real sizes")
    args = parser.parse_args()
    args.repeats = args.repeats or (3 if args.quick else 5)
    torch.set_num_threads(1)
    (on_gpu if args.device == "cuda" else on_cpu)(args)


if __name__ == "__main__":
    main()
