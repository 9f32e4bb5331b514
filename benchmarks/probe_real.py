"""Rows of `probe.py` at the size of a real base: 4 questionnaires of 12 options in 5 wordings, SmolLM2-135M's shape.

Per adapter, against the published loop and a plain PEFT loop; equality with the plain loop comes first. The baselines
are timed on one adapter, since each costs half a minute; ours on as many as are asked for, with the base's own answers.
"""

from __future__ import annotations

import os
import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from train_real import SHAPES
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

RANK = 16
ASKED = ("in the past week", "today", "this month", "since the new year")


def load(folder: str | None, bench: Any) -> tuple[Any, Any]:
    if folder is None:
        torch.manual_seed(0)
        config = LlamaConfig(**SHAPES["135m"], max_position_embeddings=512, tie_word_embeddings=True)
        print("base: 135m (random weights)")
        return LlamaForCausalLM(config).eval().requires_grad_(False), bench.tokenizer()
    print(f"base: {Path(folder).name}")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval().requires_grad_(False)
    return model, AutoTokenizer.from_pretrained(folder)


def questionnaires(bench: Any) -> list[Any]:
    found = []
    for number, when in enumerate(ASKED):
        one = bench.questionnaire(12, 5)
        wordings = tuple(
            replace(wording, text=wording.text.replace("in the past week", when)) for wording in one.items[0].wordings
        )
        item = replace(one.items[0], name=f"mood{number}", wordings=wordings, cases=("as-written",))
        found.append(replace(one, name=f"q{number}", items=(item,)))
    return found


def rows(options: Any, bench: Any, folder: Path) -> dict[str, Any]:
    """Return ratios per adapter; `bench` is the module `probe`."""
    from peft import LoraConfig, get_peft_model

    where = options.base or os.environ.get("TA_BENCH_BASE")
    model, tok = load(where, bench)
    other, _ = load(where, bench)
    wrapped = get_peft_model(other, LoraConfig(r=RANK, target_modules=["q_proj", "v_proj"])).eval()
    count = 4 if options.quick else 64
    folders = bench.write_adapters(model, folder, count, RANK)
    seconds = dict.fromkeys(("ours", "published", "plain"), 0.0)
    gap = 0.0
    for asked in questionnaires(bench):
        took, mine = bench.timed("cpu", lambda asked=asked: bench.ours(model, folders, asked, tok))
        seconds["ours"] += took / count
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        for name in ("published", "plain"):
            way = getattr(bench, name)
            took, theirs = bench.timed("cpu", lambda way=way, asked=asked: way(wrapped, folders[:1], asked, tok))
            seconds[name] += took
        gap = max(gap, bench.max_gap(mine[:1], theirs))
    print(", ".join(f"{name} {value:.1f} s per adapter" for name, value in seconds.items()), f"; off by {gap:.0e}")
    if gap > bench.TOLERANCE[torch.float32] * 10:
        return {"equal": False, "gap": gap}
    return {"equal": True, "gap": gap, "adapters": count, "peak_mib": peak,
            "real_published_over_ours": round(seconds["published"] / seconds["ours"], 2),
            "real_plain_over_ours": round(seconds["plain"] / seconds["ours"], 2)}  # fmt: skip
