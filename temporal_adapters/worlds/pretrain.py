"""Pre-training of a small Llama from scratch, with its own tokenizer.

Takes documents (texts) and a `Size`, gives a model folder that transformers loads. Knows no world and no week.

One document is one row: it begins with the begin-of-text token, ends with the end-of-text token, and never attends to
another. Rows of similar length share a batch; padding stands on the right, where causal attention cannot see it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from temporal_adapters.ground.progress import Listener, Tick, silent

BOS, EOS = "<|begin_of_text|>", "<|end_of_text|>"


@dataclass(frozen=True)
class Size:
    """Shape and schedule of a base model.

    Attributes
    ----------
    vocab_size, d_model, n_layers, n_heads, d_mlp, context
        Tokens, width, layers, heads, width of the MLP, longest sequence.
    epochs, batch_tokens, lr, weight_decay
        Passes over the documents, tokens per step, highest learning rate (cosine with warm-up), weight decay.
    seed
        Seed of the initial weights and of the order of documents.
    """

    vocab_size: int = 1536
    d_model: int = 128
    n_layers: int = 3
    n_heads: int = 4
    d_mlp: int = 344
    context: int = 256
    epochs: int = 1
    batch_tokens: int = 2048
    lr: float = 3e-3
    weight_decay: float = 0.05
    seed: int = 2024


def train_tokenizer(documents: Sequence[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer learnt from `documents`; it puts the begin token in front of every text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[BOS, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=BOS, eos_token=EOS, pad_token=EOS, clean_up_tokenization_spaces=False
    )


def make_model(size: Size, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Return an untrained model of this size (input and output embeddings are one matrix)."""
    torch.manual_seed(size.seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.d_model,
        intermediate_size=size.d_mlp,
        num_hidden_layers=size.n_layers,
        num_attention_heads=size.n_heads,
        num_key_value_heads=size.n_heads,
        max_position_embeddings=size.context,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        attn_implementation="sdpa",
    )
    return LlamaForCausalLM(config)


def batches(lengths: np.ndarray[Any, Any], batch_tokens: int, rng: np.random.Generator) -> list[np.ndarray[Any, Any]]:
    """Return row numbers in batches of at most about `batch_tokens` padded tokens, similar lengths together."""
    order = np.lexsort((rng.random(len(lengths)), lengths))
    result, begin = [], 0
    for end in range(1, len(order) + 1):
        if end == len(order) or (end + 1 - begin) * lengths[order[end]] > batch_tokens:
            result.append(order[begin:end])
            begin = end
    return [result[i] for i in rng.permutation(len(result))]


def pretrain(
    documents: Sequence[str],
    size: Size,
    listener: Listener = silent,
    tokenizer: PreTrainedTokenizerFast | None = None,
) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Train tokenizer and model on `documents` and return both; deterministic on one machine with one thread."""
    tokenizer = tokenizer or train_tokenizer(documents, size.vocab_size)
    model = make_model(size, tokenizer)
    rows = [[*ids[: size.context - 1], tokenizer.eos_token_id] for ids in tokenizer(list(documents))["input_ids"]]
    rng = np.random.default_rng(size.seed)
    lengths = np.array([len(row) for row in rows])
    plan = [batch for _ in range(size.epochs) for batch in batches(lengths, size.batch_tokens, rng)]
    _fit(model, rows, plan, size, listener)
    return model.eval(), tokenizer


def _fit(
    model: LlamaForCausalLM,
    rows: Sequence[list[int]],
    plan: Sequence[np.ndarray[Any, Any]],
    size: Size,
    listener: Listener,
) -> None:
    decay = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": decay, "weight_decay": size.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=size.lr, betas=(0.9, 0.98))
    warm = max(1, len(plan) // 20)
    model.train()
    done, total = 0, sum(len(rows[i]) for batch in plan for i in batch)
    for step, batch in enumerate(plan):
        share = (step + 1) / warm if step < warm else 0.5 + 0.5 * math.cos(math.pi * (step - warm) / (len(plan) - warm))
        for group in optimizer.param_groups:
            group["lr"] = size.lr * max(share, 0.02)
        loss = _loss(model, [rows[i] for i in batch])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        done += sum(len(rows[i]) for i in batch)
        if step % 20 == 0 or step == len(plan) - 1:
            listener(Tick("pretrain", done, total, "tokens", note=f"loss {loss.item():.3f}"))


def _loss(model: LlamaForCausalLM, rows: Sequence[list[int]]) -> torch.Tensor:
    width = max(len(row) for row in rows)
    ids = torch.full((len(rows), width), rows[0][-1])
    target = torch.full((len(rows), width - 1), -100)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        target[i, : len(row) - 1] = torch.tensor(row[1:])
    logits = model(input_ids=ids[:, :-1], use_cache=False).logits
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=-100)


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write `folder` in the layout transformers loads (config, safetensors, tokenizer)."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    # transformers 5 names a class here that transformers 4 does not know; both know this one.
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8")) | {"tokenizer_class": "PreTrainedTokenizerFast"}
    path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
