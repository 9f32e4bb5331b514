"""A tiny language model fine-tuned on real ANES 2016 answers, beside the tabular models and GPT-3's published answers.

    python benchmarks/vote_anes.py path/to/anes2016_vote.csv [--quick]

The base is made on the spot: a Llama of about a million parameters that has learned to read `item: answer` lines
(made-up profiles, some questions asked again), and nothing about politics. What it knows of votes it learns from the
training part of each fold. The last line is one JSON line with accuracy, macro F1 and log-loss of every model over 5
folds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from temporal_adapters.study.config.experiment import Experiment
from temporal_adapters.study.config.vote import SurveyMapping, load_mapping
from temporal_adapters.vote import files, metrics
from temporal_adapters.vote.experiment import Run
from temporal_adapters.vote.grid import collect
from temporal_adapters.vote.prompts import Writer

STEPS, BATCH, RATE = 500, 16, 3e-3


def made_up(writer: Writer, rng: np.random.Generator) -> str:
    """Return a made-up profile in which three of its questions are asked again."""
    row = {"respondent_id": "0"}
    for item in writer.items:
        codes = list(item.answers) or [str(rng.integers(18, 91))]
        row[item.name] = codes[rng.integers(len(codes))]
    again = rng.choice(len(writer.items), 3, replace=False)
    lines = [
        f"{writer._words(writer.items[k].question)}: {writer.answer(writer.items[k], row[writer.items[k].name])}"
        for k in again
    ]
    return f"{writer.prompt(row).body}\n" + "\n".join(lines)


def make_base(mapping: SurveyMapping, folder: Path, steps: int) -> None:
    """Train a base from scratch on made-up profiles and save it as a Hugging Face folder."""
    from temporal_adapters.study.config.experiment import PromptStyle

    rng = np.random.default_rng(0)
    writer = Writer(mapping, PromptStyle(order="shuffled"), mapping.items)
    texts = [made_up(writer, rng) for _ in range(BATCH * steps)]
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer, inner.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=1200,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    head = f"{mapping.prompt.instruction}\n\n"
    inner.train_from_iterator(
        [head + text for text in texts[:2000]] + [f"Vote: {label}" for label in writer.labels] * 50, trainer
    )
    inner.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=344,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    model = LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        batch = tokenizer(
            [head + text for text in texts[step * BATCH : (step + 1) * BATCH]], padding=True, return_tensors="pt"
        )
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        loss = model(input_ids=batch["input_ids"], labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step(), schedule.step(), optimizer.zero_grad()
        if step % 100 == 0:
            print(f"base: step {step}, loss {loss.item():.3f}", flush=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def experiment(base: Path, quick: bool) -> Experiment:
    train = {
        "r": 16,
        "alpha": 32,
        "targets": "all-linear",
        "learning_rate": 3e-3,
        "epochs": 0.5 if quick else 2,
        "blocks_per_step": 16,
        "warmup_steps": 10,
    }
    shared: dict[str, Any] = {"base": {"base": str(base)}}
    return Experiment.model_validate(
        {
            "experiment": "anes-tiny",
            "survey": "anes2016",
            "conditions": [{"name": "full"}],
            "baselines": [
                "majority",
                "party-id",
                "own-party-logit",
                "conditional-logit",
                "logit",
                {"model": "logit", "encoding": "one-hot"},
            ],
            "language_models": [
                {"name": "tiny-zero-shot", "mode": "zero-shot", **shared},
                {"name": "tiny-fine-tuned", "mode": "fine-tuned", "train": train, **shared},
            ],
        }
    )


def gpt3(path: Path) -> float:
    table = pl.read_csv(path).filter(pl.col("vote") != "Non-voter")
    shares = table.select("gpt3_p_trump", "gpt3_p_clinton").to_numpy()
    truth = (table["vote"] == "Clinton").cast(pl.Int64).to_numpy()
    return metrics.accuracy(metrics.confusion(truth, metrics.most_probable(shares), 2))


def two_candidates(part: pl.DataFrame) -> float:
    part = part.filter(pl.col("vote") != "Non-voter")
    predicted = pl.when(part["p_Clinton"] >= part["p_Trump"]).then(pl.lit("Clinton")).otherwise(pl.lit("Trump"))
    return float((part["vote"] == part.select(predicted).to_series()).mean())  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    # A short instruction: a tiny base learns nothing from a long one.
    mapping = load_mapping("anes2016")
    mapping = mapping.model_copy(
        update={"prompt": mapping.prompt.model_copy(update={"instruction": "Who got the vote?"})}
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        started = time.monotonic()
        make_base(mapping, folder / "base", 20 if options.quick else STEPS)
        base_s = time.monotonic() - started
        settings = experiment(folder / "base", options.quick)
        survey = files.open_survey(options.file)
        started = time.monotonic()
        Run(settings, mapping, survey, folder / "run").run()
        run_s = time.monotonic() - started
        votes = collect(settings, mapping, folder / "run")
    found: dict[str, Any] = {}
    for (model,), part in votes.group_by("model", maintain_order=True):
        truth = np.array([mapping.labels.index(vote) for vote in part["vote"].to_list()])
        figures = metrics.all_figures(truth, part.select([f"p_{label}" for label in mapping.labels]).to_numpy())
        found[str(model)] = {name: round(figures[name], 3) for name in ("accuracy", "macro_f1", "log_loss", "tvd_mean")}
        found[str(model)]["two_candidate_accuracy"] = round(two_candidates(part), 3)
        print(f"{model}: {found[str(model)]}", flush=True)
    print(
        json.dumps(
            {
                "models": found,
                "gpt3_two_candidate_accuracy": round(gpt3(options.file), 3),
                "base_s": round(base_s),
                "run_s": round(run_s),
            }
        )
    )


if __name__ == "__main__":
    main()
