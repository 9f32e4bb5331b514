"""What would be asked, token by token, before any model is run.

Takes a study's questionnaires and a tokenizer, gives lines of text. Knows no model weights beyond their number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from temporal_adapters.stages.probe.encode import Encoder
from temporal_adapters.stages.probe.plan import Ask, plan
from temporal_adapters.stages.probe.tree import plant
from temporal_adapters.study.questionnaire import Questionnaire

SPLIT, EDGE = "║", "│"
"""Marks between prompt and answer, and between tokens."""

FLOPS_PER_S = {"cpu": 2e10, "cuda": 2e14}
"""Rates behind the estimate: one modest CPU core, and half of what a current data-centre GPU reaches in bfloat16."""


@dataclass(frozen=True)
class Cost:
    """What a run would take.

    Attributes
    ----------
    n_prompts, n_forms
        Distinct prompts, and answers scored after them.
    n_trees, n_tokens
        Forward passes and tokens per model, shared beginnings counted once.
    n_tokens_rows
        Tokens per model if every answer were a sequence of its own.
    """

    n_prompts: int
    n_forms: int
    n_trees: int
    n_tokens: int
    n_tokens_rows: int


def cost(asks: Sequence[Ask], tree_tokens: int) -> Cost:
    """Return what putting `asks` to one model takes."""
    paths = list({ask.path: None for ask in asks})
    trees = plant(paths, tree_tokens)
    return Cost(
        n_prompts=len({path.context for path in paths}),
        n_forms=len(paths),
        n_trees=len(trees),
        n_tokens=sum(map(len, trees)),
        n_tokens_rows=sum(len(path.context) + len(path.answer) for path in paths),
    )


def preview(
    questionnaires: Sequence[Questionnaire],
    tokenizer: Any,
    methods: Sequence[str],
    n_models: int,
    tree_tokens: int,
    n_parameters: int | None = None,
) -> Iterator[str]:
    """Yield lines: every prompt with its token boundaries, every answer's tokens, then numbers and an estimate.

    Parameters
    ----------
    questionnaires, methods
        What is asked and how it is scored.
    tokenizer
        The base's tokenizer.
    n_models
        Adapters and the base.
    tree_tokens
        Tokens of one tree.
    n_parameters
        Of the base, for the estimate of seconds.
    """
    encoder = Encoder(tokenizer)
    asks = []
    for questionnaire in questionnaires:
        found = plan(questionnaire, encoder, methods)
        asks.extend(found)
        yield f"{questionnaire.name} ({len(questionnaire.items)} items, methods: {', '.join(methods)})"
        yield from _prompts(found, tokenizer)
    yield f"tokens between {EDGE}, split between prompt and answer at {SPLIT}; beginning of text: {_bos(encoder)}"
    yield from _numbers(cost(asks, tree_tokens), n_models, n_parameters)


def _prompts(asks: Sequence[Ask], tokenizer: Any) -> Iterator[str]:
    seen: dict[tuple[tuple[str, ...], tuple[int, ...]], list[Ask]] = {}
    for ask in asks:
        seen.setdefault((ask.group, ask.encoded.context), []).append(ask)
    for (group, context), members in seen.items():
        yield f"  {' / '.join(part for part in group if part)}"
        yield f"    {visible(tokenizer, context)}{SPLIT}"
        for ask in members:
            means = f"{ask.option} = {ask.answer}" if ask.answer else ask.option
            yield f"      {SPLIT}{visible(tokenizer, ask.encoded.answer)}  ({means})"


def visible(tokenizer: Any, ids: Sequence[int]) -> str:
    """Return tokens as text with their boundaries, spaces and line ends visible."""
    texts = (tokenizer.decode([index], clean_up_tokenization_spaces=False) for index in ids)
    shown = (
        text.replace(" ", "·").replace("\n", "↵") if text else f"<{i}>" for text, i in zip(texts, ids, strict=True)
    )
    return EDGE.join(shown)


def _bos(encoder: Encoder) -> str:
    return "none (the tokenizer adds none)" if encoder.bos is None else str(encoder.tokenizer.bos_token)


def _numbers(found: Cost, n_models: int, n_parameters: int | None) -> Iterator[str]:
    yield (
        f"{found.n_prompts} prompts, {found.n_forms} answers; per model {found.n_trees} forward passes over "
        f"{found.n_tokens} tokens ({found.n_tokens_rows} without sharing beginnings); {n_models} models: "
        f"{found.n_trees * n_models} passes (stacked adapters share them), {found.n_tokens * n_models} tokens"
    )
    if n_parameters:
        flops = 2.0 * n_parameters * found.n_tokens * n_models
        times = ", ".join(f"{flops / rate:.2g} s on a {name}" for name, rate in FLOPS_PER_S.items())
        yield f"estimate: {flops:.2g} floating-point operations with {n_parameters:,} parameters, about {times}"
