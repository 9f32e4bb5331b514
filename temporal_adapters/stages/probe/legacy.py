"""The published script's forward pass, defects included, for the methods `legacy-v1`, `-v2`, `-v3` only.

Takes a questionnaire, a tokenizer and adapters, gives form scores under legacy contexts. Knows no other method.

What it does, and why nothing else here does so (Ahnert et al. 2025, `extract_answers.py`): an end-of-text token is put
in front of the question and the first token of the result is masked, which under a tokenizer with automatic BOS is the
BOS and not, as meant, that token; all options of one letter case form one batch, padded on the right with end-of-text;
the question's length is counted apart from the joint tokenisation; variant 2 normalises raw logits over the options at
every position, so over different prefixes and over padding.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from temporal_adapters.engines.model import Adapter, stacked
from temporal_adapters.engines.scoring import FormScore
from temporal_adapters.ground.errors import ProbeError
from temporal_adapters.study.questionnaire import Case, Item, Questionnaire, Wording, spell
from temporal_adapters.study.questionnaire.prompts import render


@dataclass(frozen=True)
class Batch:
    """All options of one wording in one letter case.

    Attributes
    ----------
    item, wording, case
        What is asked.
    forms
        Option name and surface form, one per row.
    rows
        Token ids per row, without padding.
    n_question
        Columns (after the first) that are not scored.
    """

    item: Item
    wording: Wording
    case: Case
    forms: tuple[tuple[str, str], ...]
    rows: tuple[tuple[int, ...], ...]
    n_question: int


def batches(questionnaire: Questionnaire, tokenizer: Any) -> list[Batch]:
    """Return the batches of every wording that asks the whole question without a chat template.

    Raises
    ------
    ProbeError
        If the tokenizer has no end-of-text token.
    """
    if tokenizer.eos_token is None:
        raise ProbeError("the legacy methods need a tokenizer with an end-of-text token")
    return [
        _batch(item, wording, case, tokenizer)
        for item in questionnaire.items
        for wording in item.wordings
        if wording.ask == "whole" and not wording.chat
        for case in item.cases
    ]


def _batch(item: Item, wording: Wording, case: Case, tokenizer: Any) -> Batch:
    question = render(item, wording).plain
    forms = tuple((option.name, spell(option.text, case)) for option in item.options)
    rows = [tokenizer(f"{tokenizer.eos_token}{question} {form}")["input_ids"] for _, form in forms]
    n_question = len(tokenizer(question)["input_ids"])
    return Batch(item, wording, case, forms, tuple(map(tuple, rows)), n_question)


def legacy_rows(
    model: Any, adapters: Sequence[Adapter], asked: Sequence[Batch], tokenizer: Any, temperature: float
) -> list[list[FormScore]]:
    """Return the form scores of all batches for every adapter (for the plain base without any).

    Parameters
    ----------
    model
        Resident base.
    adapters
        Stacked together.
    asked
        What `batches` gave.
    tokenizer
        The base's tokenizer.
    temperature
        Of variant 1's softmax over the vocabulary and variant 2's over the options.
    """
    n_models = max(len(adapters), 1)
    found: list[list[FormScore]] = [[] for _ in range(n_models)]
    attach = stacked(model, adapters) if adapters else contextlib.nullcontext()
    with torch.inference_mode(), attach:
        for batch in asked:
            ids, logits = _forward(model, batch, int(tokenizer.eos_token_id), n_models)
            for number in range(n_models):
                found[number].extend(_rows(batch, ids, logits[number], set(tokenizer.all_special_ids), temperature))
    return found


def _forward(model: Any, batch: Batch, pad: int, n_models: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the scored columns' ids ``(n_options, n)`` and the logits ``(n_models, n_options, n, n_vocabulary)``."""
    length = max(map(len, batch.rows))
    device = next(model.parameters()).device
    ids = torch.tensor([[*row, *[pad] * (length - len(row))] for row in batch.rows], device=device)
    mask = torch.tensor([[0] + [1] * (len(row) - 1) + [0] * (length - len(row)) for row in batch.rows], device=device)
    keep = torch.arange(batch.n_question, length - 1, device=device)
    logits = model(
        input_ids=ids.repeat(n_models, 1),
        attention_mask=mask.repeat(n_models, 1),
        use_cache=False,
        logits_to_keep=keep,
    ).logits.float()
    return ids[:, batch.n_question + 1 :], logits.view(n_models, len(batch.rows), len(keep), -1)


def _rows(
    batch: Batch, ids: torch.Tensor, logits: torch.Tensor, special: set[int], temperature: float
) -> Iterator[FormScore]:
    raw = torch.gather(logits, 2, ids[:, :, None]).squeeze(-1)
    tempered = torch.gather(torch.log_softmax(logits / temperature, dim=-1), 2, ids[:, :, None]).squeeze(-1)
    variants = (tempered, torch.log_softmax(raw / temperature, dim=0), raw)
    for row, (option, form) in enumerate(batch.forms):
        # Padding, and whatever else is special, is dropped after the softmax over options has seen it.
        kept = [column for column, token in enumerate(ids[row].tolist()) if token not in special]
        context = batch.rows[row][: batch.n_question + 1]
        sha = hashlib.sha256(("legacy " + " ".join(map(str, context))).encode()).hexdigest()[:16]
        for number, values in enumerate(variants, start=1):
            yield FormScore(
                item=batch.item.name,
                wording=batch.wording.name,
                order=batch.case,
                context=f"legacy-v{number}",
                option=option,
                form=form,
                answer="",
                token_ids=tuple(int(ids[row, column]) for column in kept),
                logprobs=tuple(float(values[row, column]) for column in kept),
                logits=tuple(float(raw[row, column]) for column in kept),
                end=None,
                n_chars=len(form),
                n_bytes=len(form.encode()),
                context_sha=sha,
            )
