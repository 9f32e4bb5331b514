"""How fast and how well the base reads posts, against one forward pass per post, wording and option.

    python benchmarks/read.py [--base FOLDER] [--posts labelled.csv --low LABEL --high LABEL] [--n 96] [--quick]

Rows: equality with plain forward passes first; then process seconds of ours, of one pass per post, wording and form
(`rows_over_ours`), and of one plain causal pass over as many tokens as must be read, in rows of the trees' size
(`share_of_bound`). With labelled posts: AUC of the reader per post, and Spearman's rank correlation of its weekly value
with the share of `--high` in mixes of 80 posts (11 shares, three draws; the reader's posts are read once). Without a
base the shipped one is used, and said. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
import torch
from scipy.stats import rankdata, spearmanr

from temporal_adapters.engines.model import Base, load_base
from temporal_adapters.stages.read import posts as reading
from temporal_adapters.stages.read.weekly import shares
from temporal_adapters.study import questionnaire
from temporal_adapters.study.config.model import Model
from temporal_adapters.study.config.read import Read

QUESTIONS = """questionnaire: bench
language: en
choices:
  moods:
    - {{text: {high}, aliases: [{high_more}]}}
    - {{text: {low}, aliases: [{low_more}]}}
items:
  - item: mood
    type: select_one
    choices: moods
    wordings:
      - wording: mood
        text: "My mood today:"
      - wording: feel
        text: ""
        prefix: "I feel"
      - wording: felt
        text: "How did the writer feel? They felt"
"""
WORDS_OF_NOBODY = ("the", "rain", "again", "we", "went", "home", "and", "it", "was", "good")
WORDS = {
    "optimism": ("optimistic", "hopeful, positive"), "anger": ("angry", "furious, annoyed"),
    "positive": ("happy", "good, great"), "negative": ("unhappy", "bad, terrible"),
}  # fmt: skip


def asked_of(base: Base, low: str, high: str) -> list[reading.Question]:
    (low_text, low_more), (high_text, high_more) = (WORDS.get(one, (one, f"very {one}")) for one in (low, high))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.yaml"
        path.write_text(QUESTIONS.format(low=low_text, low_more=low_more, high=high_text, high_more=high_more))
        return reading.questions([questionnaire.load(str(path))], base.tokenizer, ())


def timed(work: Any) -> tuple[Any, float]:
    started = time.process_time()
    found = work()
    return found, time.process_time() - started


def speed(base: Base, texts: list[str], asked: list[reading.Question], settings: Read) -> dict[str, Any]:
    (ours, _), seconds = timed(lambda: reading.masses(base, texts, asked, settings, max_nodes=256))
    (rows, _), row_seconds = timed(lambda: reading.masses(base, texts, asked, settings, max_nodes=1))
    worst = float(np.abs(np.log(ours) - np.log(rows)).max())
    nodes, n_rows = reading.n_tokens(base.tokenizer, texts, asked, settings)
    bound = bound_seconds(base, nodes)
    found = {
        "equal": worst < 1e-3, "worst_log": float(f"{worst:.1e}"), "tree_tokens": nodes, "row_tokens": n_rows,
        "tokens_per_s": round(nodes / seconds, 1), "rows_over_ours": round(row_seconds / seconds, 2),
        "share_of_bound": round(bound / seconds, 3),
    }  # fmt: skip
    print(json.dumps(found), flush=True)
    return found


def bound_seconds(base: Base, n_tokens: int, length: int = 256) -> float:
    """Seconds of plain causal passes over `n_tokens` tokens, no logits."""
    ids = torch.randint(3, base.model.config.vocab_size, (1, length), generator=torch.Generator().manual_seed(1))
    passes = max(2, min(12, n_tokens // length))
    with torch.inference_mode():
        base.model.base_model(input_ids=ids, use_cache=False)
        _, seconds = timed(lambda: [base.model.base_model(input_ids=ids, use_cache=False) for _ in range(passes)])
    return seconds / (passes * length) * n_tokens


def validity(base: Base, posts: Any, low: str, high: str, per_label: int, settings: Read) -> dict[str, Any]:
    """Per post AUC, and mixes of 80 posts."""
    asked = asked_of(base, low, high)
    columns = reading.cells(asked)
    texts = [text for label in (low, high) for text in posts[label][:per_label]]
    (found, _), seconds = timed(lambda: reading.masses(base, texts, asked, settings, max_nodes=256))
    share = shares(found, columns)
    first = [n for n, (_, _, option) in enumerate(columns) if option == columns[0][2]]
    score = share[:, first].mean(1)
    lows, highs = score[:per_label], score[per_label:]
    ranks = rankdata(np.concatenate([highs, lows]))[: len(highs)].sum()
    auc = (ranks - len(highs) * (len(highs) + 1) / 2) / (len(highs) * len(lows))
    rhos = []
    for seed in range(3):
        rng, values = np.random.default_rng(seed), []
        for tenth in range(11):
            n_high = 8 * tenth
            chosen = [*rng.choice(highs, n_high, replace=False), *rng.choice(lows, 80 - n_high, replace=False)]
            values.append(np.mean(chosen))
        rhos.append(float(spearmanr(range(11), values).statistic))
    found_values = {"reader_auc": round(float(auc), 3), "reader_80": round(float(np.mean(rhos)), 3),
                    "reader_80_each": [round(rho, 3) for rho in rhos], "posts": len(texts),
                    "cpu_s_per_post": round(seconds / len(texts), 3)}  # fmt: skip
    print(json.dumps(found_values), flush=True)
    return found_values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--base", default=os.environ.get("TA_BENCH_BASE", "demo"))
    parser.add_argument("--posts", type=Path)
    parser.add_argument("--low", default="anger")
    parser.add_argument("--high", default="optimism")
    parser.add_argument("--n", type=int, default=48, help="posts of the speed rows")
    parser.add_argument("--per-label", type=int, default=200)
    parser.add_argument("--quick", action="store_true", help="12 posts, 100 per label")
    given = parser.parse_args()
    n, per_label = (12, 100) if given.quick else (given.n, given.per_label)
    base, settings = load_base(Model(base=given.base, device="cpu")), Read()
    print(f"base: {given.base}, {base.model.num_parameters() / 1e6:.1f} million weights")
    if given.posts is None:
        rng = np.random.default_rng(1)
        texts = [" ".join(rng.choice(WORDS_OF_NOBODY, 22)) for _ in range(n)]
        found = speed(base, texts, asked_of(base, given.low, given.high), settings)
    else:
        import polars as pl

        table = pl.read_csv(given.posts)
        posts = {label: table.filter(pl.col("label") == label)["text"].to_list() for label in (given.low, given.high)}
        mixed = [text for pair in zip(*posts.values(), strict=False) for text in pair][:n]
        found = speed(base, mixed, asked_of(base, given.low, given.high), settings)
        found |= validity(base, posts, given.low, given.high, per_label, settings)
    print(json.dumps({"base": given.base, **found}))


if __name__ == "__main__":
    main()
