"""How fast adapters are asked, against the published loop and against a plain loop; equality comes first.

    python benchmarks/probe.py [--quick] [--models tiny,100m] [--adapters 4,16,64] [--repeats 5] [--device cpu]

The job: 12 moods in two letter cases after two prompts (48 answers) under every adapter, adapters read from disk.

- published: PEFT `load_adapter`, `set_adapter`, four padded batches of 12 options, all logits, log-softmax over the
  vocabulary, gather, sum, `delete_adapter` (the published script without its data-frame bookkeeping, which costs it
  another second per adapter; it also conditions on less, see methods `legacy-*`).
- plain: PEFT `load_adapter` and `set_adapter`, then one forward pass per answer, one by one, no cache. Its numbers are
  the reference: ours must equal them to 1e-4 in float32 before any speed is printed.
- ours: adapters stacked on one base, all answers as trees of tokens, then all shares.

`real_published_over_ours` and `real_plain_over_ours` are measured at the size of a real base (`probe_real.py`), given
by --base FOLDER or TA_BENCH_BASE, else its shape with random weights.

Rows are interleaved; figures are medians of process time (CPU) or wall time (CUDA) with one thread. The last line is
one JSON object.
"""

from __future__ import annotations

import argparse
import json
import math
import os
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

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from temporal_adapters.engines.model import Lora, LoraShape, new_adapter, read_adapter, write_adapter
from temporal_adapters.engines.model.adapter import Adapter
from temporal_adapters.engines.scoring import Reference, Source, answer_rows
from temporal_adapters.stages.probe.encode import Encoder
from temporal_adapters.stages.probe.forward import Engine
from temporal_adapters.stages.probe.plan import Ask, plan
from temporal_adapters.stages.probe.shards import form_score
from temporal_adapters.study.questionnaire import Item, Option, Questionnaire, Wording

MOODS = [
    "Happy",
    "Sad",
    "Energetic",
    "Apathetic",
    "Inspired",
    "Frustrated",
    "Optimistic",
    "Stressed",
    "Content",
    "Bored",
    "Lonely",
    "Scared",
]
QUESTION = "Broadly speaking, which of the following best describe your mood and/or how you have felt in the past week?"
SHAPES: dict[str, dict[str, int]] = {
    "tiny": {"hidden_size": 64, "intermediate_size": 192, "num_hidden_layers": 2, "num_attention_heads": 4,
             "num_key_value_heads": 2, "vocab_size": 2048},
    "100m": {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 12, "num_attention_heads": 12,
             "num_key_value_heads": 12, "vocab_size": 16384},
    "llama3-8b": {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
                  "num_key_value_heads": 8, "vocab_size": 128256},
}  # fmt: skip
RANKS = {"tiny": 8, "100m": 16, "llama3-8b": 128}
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.25}


def tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator([QUESTION, " I felt", " ".join(MOODS), " ".join(MOODS).lower()], trainer)
    bpe.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="<s>", eos_token="</s>", pad_token="</s>")


def questionnaire(n_options: int = 12, n_wordings: int = 2) -> Questionnaire:
    options = tuple(Option(mood, mood) for mood in MOODS[:n_options])
    prefixes = ["", "I felt", "I feel", "My mood was", "In short, I felt", "This week I was", "Mostly", "Overall I was"]
    wordings = tuple(Wording(f"w{n}", QUESTION, prefix=prefix) for n, prefix in enumerate(prefixes[:n_wordings]))
    return Questionnaire("moods", (Item("mood", "select_multiple", options, wordings, cases=("as-written", "lower")),))


def base(shape: str, device: str) -> Any:
    torch.manual_seed(0)
    dtype = torch.bfloat16 if shape == "llama3-8b" else torch.float32
    config = LlamaConfig(**SHAPES[shape], max_position_embeddings=512, tie_word_embeddings=shape != "llama3-8b")
    with torch.device(device):
        torch.set_default_dtype(dtype)
        model = LlamaForCausalLM(config)
        torch.set_default_dtype(torch.float32)
    return model.eval().requires_grad_(False)


def write_adapters(model: Any, folder: Path, count: int, rank: int) -> list[Path]:
    folders = []
    for number in range(count):
        generator = torch.Generator().manual_seed(number)
        fresh = new_adapter(model, LoraShape(r=rank, alpha=rank, targets=("q_proj", "v_proj")), generator)
        modules = {
            name: Lora(lora.a, torch.randn(lora.b.shape, generator=generator).to(lora.b) * 0.02, lora.scale)
            for name, lora in fresh.modules.items()
        }
        write_adapter(folder / str(number), Adapter(modules, fresh.config), base="random")
        folders.append(folder / str(number))
    return folders


def ours(model: Any, folders: list[Path], asked: Questionnaire, tok: Any) -> list[list[float]]:
    """All that follows loading the base: plan, read adapters, forward passes, shares of every adapter and the base."""
    asks = plan(asked, Encoder(tok), ["sequence"])
    engine = Engine(model, [ask.path for ask in asks])
    reference = Reference(_rows(asks, engine.score([])[0]), asked)
    totals = []
    for start in range(0, len(folders), engine.stack_size):
        adapters = [read_adapter(one, str(engine.device)) for one in folders[start : start + engine.stack_size]]
        for number, scores in enumerate(engine.score(adapters)):
            rows = _rows(asks, scores)
            list(answer_rows(Source(f"{start + number}"), rows, reference, ["sequence"]))
            totals.append([row.total for row in rows])
    return totals


def _rows(asks: list[Ask], scores: Any) -> list[Any]:
    return [form_score(ask, score) for ask, score in zip(asks, scores, strict=True)]


def with_each_adapter(wrapped: Any, folders: list[Path], work: Callable[[Any], Any]) -> list[Any]:
    found = []
    with torch.no_grad():
        for number, folder in enumerate(folders):
            wrapped.load_adapter(str(folder), adapter_name=f"a{number}")
            wrapped.set_adapter(f"a{number}")
            found.append(work(wrapped))
            wrapped.set_adapter("default")
            wrapped.delete_adapter(f"a{number}")
    return found


def published(wrapped: Any, folders: list[Path], asked: Questionnaire, tok: Any) -> list[Any]:
    item, device = asked.items[0], next(wrapped.parameters()).device

    def batch(model: Any, prompt: str, forms: list[str]) -> list[float]:
        encoded = tok([f"{tok.pad_token}{prompt} {form}" for form in forms], padding=True, return_tensors="pt")
        ids, mask = encoded["input_ids"].to(device), encoded["attention_mask"].to(device)
        mask[:, 0] = 0
        start = len(tok(prompt)["input_ids"])
        logprobs = torch.log_softmax(model(ids, attention_mask=mask).logits, dim=-1)
        chosen = logprobs[:, :-1].gather(2, ids[:, 1:, None]).squeeze(-1)
        return [float(total) for total in (chosen[:, start:] * mask[:, start + 1 :]).sum(1)]

    def one(model: Any) -> list[Any]:
        found = []
        for wording in item.wordings:
            prompt = f"{wording.text} {wording.prefix}".strip()
            for change in (str, str.lower):
                found.append(batch(model, prompt, [change(option.text) for option in item.options]))
        return found

    return with_each_adapter(wrapped, folders, one)


def plain(wrapped: Any, folders: list[Path], asked: Questionnaire, tok: Any) -> list[list[float]]:
    asks = plan(asked, Encoder(tok), ["sequence"])
    device = next(wrapped.parameters()).device

    def one(model: Any) -> list[float]:
        totals = []
        for ask in asks:
            ids = torch.tensor([ask.encoded.context + ask.encoded.answer], device=device)
            logits = model(ids, use_cache=False).logits[0, len(ask.encoded.context) - 1 : -1].double()
            chosen = torch.log_softmax(logits, -1).gather(1, torch.tensor(ask.encoded.answer, device=device)[:, None])
            totals.append(float(chosen.sum()))
        return totals

    return with_each_adapter(wrapped, folders, one)


def clock(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def timed(device: str, work: Callable[[], Any]) -> tuple[float, Any]:
    started = clock(device)
    result = work()
    return clock(device) - started, result


def measure(shape: str, counts: list[int], repeats: int, at_most: int, device: str, folder: Path) -> dict[str, Any]:
    """Return seconds per adapter by way and number of adapters, after the results were found equal."""
    from peft import LoraConfig, get_peft_model

    model, tok, asked = base(shape, device), tokenizer(), questionnaire()
    folders = write_adapters(model, folder, max(counts), RANKS[shape])
    other = base(shape, device)
    wrapped = get_peft_model(other, LoraConfig(r=RANKS[shape], target_modules=["q_proj", "v_proj"])).eval()
    few = folders[: min(counts[0], at_most)]
    gap = max_gap(ours(model, few, asked, tok), plain(wrapped, few, asked, tok))
    dtype = next(model.parameters()).dtype
    found: dict[str, Any] = {"equal": gap <= TOLERANCE[dtype], "largest_gap": gap, "n_parameters": parameters(model)}
    if not found["equal"]:
        return found
    ways = {"published": published, "plain": plain}
    for count in counts:
        seconds: dict[str, list[float]] = {"ours": [], **{name: [] for name in ways}}
        some = folders[: min(count, at_most)]
        for _ in range(repeats):
            seconds["ours"].append(timed(device, lambda n=count: ours(model, folders[:n], asked, tok))[0] / count)
            for name, way in ways.items():
                seconds[name].append(timed(device, lambda w=way, s=some: w(wrapped, s, asked, tok))[0] / len(some))
        found[str(count)] = {name: summary(values) for name, values in seconds.items()}
        line = ", ".join(f"{name} {1e3 * statistics.median(values):.1f} ms" for name, values in seconds.items())
        print(f"{shape}: {count} adapters: per adapter {line}", flush=True)
    return found


def max_gap(one: list[list[float]], other: list[list[float]]) -> float:
    return max(abs(a - b) for x, y in zip(one, other, strict=True) for a, b in zip(x, y, strict=True))


def parameters(model: Any) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def summary(values: list[float]) -> dict[str, float]:
    return {"median_s": statistics.median(values), "min_s": min(values), "max_s": max(values)}


def growth(shape: str, repeats: int, device: str, folder: Path) -> dict[str, dict[str, float]]:
    """Return our seconds (median) over the number of adapters, wordings and options, all else fixed."""
    model, tok = base(shape, device), tokenizer()
    folders = write_adapters(model, folder, 64, RANKS[shape])

    def median(count: int, asked: Questionnaire) -> float:
        runs = [timed(device, lambda: ours(model, folders[:count], asked, tok))[0] for _ in range(repeats)]
        return statistics.median(runs)

    return {
        "adapters": {str(n): median(n, questionnaire()) for n in (1, 4, 16, 64)},
        "wordings": {str(n): median(16, questionnaire(n_wordings=n)) for n in (1, 2, 4, 8)},
        "options": {str(n): median(16, questionnaire(n_options=n)) for n in (3, 6, 12)},
    }


def ratios(found: dict[str, Any], way: str) -> dict[str, dict[str, float]]:
    return {
        shape: {
            count: round(row[way]["median_s"] / row["ours"]["median_s"], 2)
            for count, row in one.items()
            if isinstance(row, dict)
        }
        for shape, one in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="tiny model and few repeats; the real size takes minutes")
    parser.add_argument("--models", default="tiny,100m")
    parser.add_argument("--adapters", default="4,16,64")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--baseline-adapters", type=int, default=4, help="adapters a baseline is timed on beyond tiny")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--base", help="folder of a real base model, for the rows at real sizes (or TA_BENCH_BASE)")
    parser.add_argument("--only-real", action="store_true", help="only the rows at real sizes")
    options = parser.parse_args()
    if options.quick:
        options.models, options.adapters, options.repeats = "tiny", "4,16", 2
    torch.set_num_threads(1)
    counts, found = [int(count) for count in options.adapters.split(",")], {}
    with tempfile.TemporaryDirectory() as folder:
        real = _real(options, Path(folder) / "real") if options.device == "cpu" else {"equal": True}
        if options.only_real:
            print(json.dumps(real))
            return
        for shape in options.models.split(","):
            at_most = max(counts) if shape == "tiny" else options.baseline_adapters
            place = Path(folder) / shape
            found[shape] = measure(shape, counts, options.repeats, at_most, options.device, place)
        curves = growth("tiny", 1 if options.quick else 3, options.device, Path(folder) / "growth")
    equal = all(one["equal"] for one in (real, *found.values()))
    result: dict[str, Any] = {
        "equal": equal,
        "real": real,
        "largest_gap": {shape: one["largest_gap"] for shape, one in found.items()},
    }
    if equal:
        result["published_over_ours"] = ratios(found, "published")
        result["plain_over_ours"] = ratios(found, "plain")
        kept = {name: value for name, value in real.items() if name.endswith("_over_ours")}
        result["ratios"] = {"published_over_ours": lowest(result["published_over_ours"]), **kept}
        result["seconds_per_adapter"] = found
        result["growth_s"] = curves
        result["load_average"] = os.getloadavg()[0]
    print(json.dumps(result))


def _real(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    import probe_real

    return probe_real.rows(options, sys.modules[__name__], folder)


def lowest(table: dict[str, dict[str, float]]) -> float:
    return min((value for row in table.values() for value in row.values()), default=math.nan)


if __name__ == "__main__":
    main()
