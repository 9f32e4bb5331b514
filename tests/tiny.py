"""Tiny random models made in memory: about 13k parameters, bytes as tokens."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import torch

ARCHITECTURES = ("llama", "mistral", "qwen2", "gemma2", "gpt2")
_COMMON = {
    "vocab_size": 260,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def tiny_model(architecture: str = "llama", seed: int = 0, **changes: Any) -> Any:
    """Return a random causal language model of `architecture`, frozen, in evaluation mode."""
    import transformers as hf

    torch.manual_seed(seed)
    if architecture == "gpt2":
        small = {"vocab_size": 260, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256}
        config: Any = hf.GPT2Config(**{**small, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, **changes})
    else:
        extra = {"mistral": {"sliding_window": 16}, "gemma2": {"head_dim": 8, "sliding_window": 16}}
        kind = {
            "llama": hf.LlamaConfig,
            "mistral": hf.MistralConfig,
            "qwen2": hf.Qwen2Config,
            "gemma2": hf.Gemma2Config,
        }
        config = kind[architecture](**{**_COMMON, **extra.get(architecture, {}), **changes})
    model = hf.AutoModelForCausalLM.from_config(config)
    model.eval().requires_grad_(False)
    return model


def tiny_tokenizer(bos: bool = True) -> Any:
    """Return a tokenizer whose tokens are bytes: 0 pad, 1 BOS (put first, if `bos`), 2 EOS, then the 256 bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate(["<pad>", "<s>", "</s>", *alphabet])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    if bos:
        backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", bos_token="<s>", eos_token="</s>")


def save_tiny_base(folder: Path, architecture: str = "llama", **changes: Any) -> Path:
    """Write a tiny base model with its tokenizer into `folder`, as any Hugging Face model."""
    tiny_model(architecture, **changes).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def write_weeks(run: Any, texts: list[list[str]], first: date = date(2023, 4, 3)) -> None:
    """Write ``weeks/`` of a run: one week per list of posts, from three users."""
    import polars as pl

    from temporal_adapters.ground.dates import week_label
    from temporal_adapters.ground.tables import PANEL
    from temporal_adapters.study.artifacts import publish

    weeks = []
    with publish(run.weeks, stage="weeks", key="k" * 64, version=1, config={}, inputs={}) as work:
        for number, posts in enumerate(texts):
            start = first + timedelta(weeks=number)
            label = week_label(start)
            rows = [
                (f"{number}-{n}", f"u{n % 3}", None, text, "en", False, False, "test") for n, text in enumerate(posts)
            ]
            frame = pl.DataFrame(rows, schema=list(PANEL.columns), orient="row", strict=False).with_columns(
                created_at=pl.lit(start).cast(PANEL.columns["created_at"])
            )
            frame.write_parquet(work.folder / f"{label}.parquet")
            end = start + timedelta(days=6)
            days = {"start": start.isoformat(), "end": end.isoformat()}
            weeks.append({"label": label, **days, "n_posts": len(posts), "n_users": 3})
        work.facts.update(weeks=weeks, n_posts=sum(map(len, texts)), n_users=3, dropped={}, gaps=[])
