"""Is a base fit for training and asking as a study wants it: nine short checks, each passed or one sentence.

Takes a resident base and what is wanted of it, gives results. Knows no weeks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self

import torch

from temporal_adapters.engines.model import (
    ALL_LINEAR,
    Base,
    Kernels,
    LoraShape,
    available,
    find_targets,
    only,
    require_finite,
    require_vocabulary,
)
from temporal_adapters.ground.errors import ModelError, TemporalAdaptersError
from temporal_adapters.stages.base import trials
from temporal_adapters.stages.probe import TREE_GAP
from temporal_adapters.stages.tokens import Bos
from temporal_adapters.stages.tokens.encode import encode
from temporal_adapters.stages.train import Attention, Recipe

if TYPE_CHECKING:
    from temporal_adapters.study.config import Study

POSTS = (
    "Long week at work again, the train was late twice and nobody said sorry. At least the sun came out on Friday, so"
    " we walked home along the river and talked about the summer.",
    "I can't believe how good that match was! Three goals in ten minutes, the whole street was singing, and my"
    " neighbour, who never says a word, bought everyone a drink.",
)
"""Two made-up posts that all trials use."""

_LONGEST = 48  # tokens of a post that trials use: enough for windows of tiny models, little for a large one
_GAP = {torch.float32: 1e-4, torch.bfloat16: 0.05}
"""Largest relative difference of a loss or logit that rounding explains."""
_CRASHES = (
    RuntimeError,
    ValueError,
    AttributeError,
    KeyError,
    TypeError,
    IndexError,
    NotImplementedError,
    AssertionError,
)
"""What the code of an architecture raises when it is run in a way that it does not know."""


@dataclass(frozen=True)
class Wanted:
    """What a base is wanted for; fields as in the sections `tokens`, `train` and `probe` of a study.

    Attributes
    ----------
    attention, bos, longest
        How posts share blocks, whether they begin with a token, and the tokens of the longest document.
    shape, kernels
        Rank, scale, targets; what computes.
    layout
        How answers are asked: ``tree`` or ``rows``.
    """

    attention: Attention = "document"
    bos: Bos = "auto"
    longest: int = 1
    shape: LoraShape = LoraShape(8, 16.0)  # noqa: RUF009 (frozen)
    kernels: Literal["auto", "on", "off"] = "auto"
    layout: Literal["tree", "rows"] = "tree"

    @classmethod
    def of(cls, study: Study, longest: int) -> Self:
        """Return what a study wants of its base, its longest document being `longest` tokens."""
        recipe = Recipe.of(study.train, study.tokens.attention)
        return cls(study.tokens.attention, study.tokens.bos, longest, recipe.shape, recipe.kernels, study.probe.layout)


@dataclass(frozen=True)
class Result:
    """One check.

    Attributes
    ----------
    name
        What was checked.
    sentence
        Why it failed, and which setting helps; empty where it passed.
    """

    name: str
    sentence: str = ""

    def __str__(self) -> str:
        return f"{'no ' if self.sentence else 'yes'}  {self.name}{': ' if self.sentence else ''}{self.sentence}"


def examine(base: Base, wanted: Wanted) -> list[Result]:
    """Return the result of every check, in order; after one that makes others pointless there are no more.

    The base is used, not changed.
    """
    posts = _posts(base, wanted)
    results: list[Result] = []
    for name, check in CHECKS.items():
        sentence = _ask(check, base, wanted, posts)
        results.append(Result(name, sentence))
        if sentence and name in _FIRST:
            break
    return results


def require(base: Base, wanted: Wanted) -> None:
    """Raise ModelError with the first sentence if `base` is not fit."""
    for result in examine(base, wanted):
        if result.sentence:
            raise ModelError(result.sentence)


def _ask(check: Check, base: Base, wanted: Wanted, posts: Sequence[trials.Ids]) -> str:
    try:
        return check(base, wanted, posts)
    except TemporalAdaptersError as error:
        return str(error)
    except _CRASHES as error:
        return f"model.base: the code of {_kind(base)} stops on two short posts ({_first(error)}): use another base"


def _posts(base: Base, wanted: Wanted) -> list[trials.Ids]:
    limit = position_limit(base.model.config)
    longest = min(_LONGEST, limit // 2 if limit else _LONGEST)
    return [ids[:longest] for ids in encode(base.tokenizer, POSTS, wanted.bos)]


def position_limit(config: Any) -> int | None:
    """Return the tokens of the longest document that a base can take; None where the architecture names no limit."""
    text = config.get_text_config()
    names = ("max_position_embeddings", "n_positions", "attention_chunk_size")
    found = [getattr(text, name, None) for name in names]
    return min((int(one) for one in found if isinstance(one, int) and one > 0), default=None)


def _kind(base: Base) -> str:
    return str(base.model.config.model_type)


def _decoder(base: Base, wanted: Wanted, posts: Sequence[trials.Ids]) -> str:
    require_finite(base.model, base.name)
    ahead = trials.sees_ahead(base, posts[0])
    if ahead > _gap(base):
        return (
            f"model.base: in {base.name!r} ({_kind(base)}) a token sees the tokens after it, so it is no causal"
            " language model: use a decoder, such as a Llama, Qwen or GPT"
        )
    return ""


def _vocabulary(base: Base, wanted: Wanted, posts: Sequence[trials.Ids]) -> str:
    require_vocabulary(base.model, base.tokenizer, f"model.base: {base.name!r}")
    return ""


def _positions(base: Base, wanted: Wanted, posts: Sequence[trials.Ids]) -> str:
    limit = position_limit(base.model.config)
    if limit is None or wanted.longest <= limit:
        return ""
    what = "a block" if wanted.attention == "chunk" else "the longest post"
    return (
        f"tokens.block_length: {what} has {wanted.longest} tokens, but {base.name!r} knows {limit} positions: set"
        f" block_length to {limit} or less (longer posts are cut into pieces)"
    )


def _begins_once(base: Base, wanted: Wanted, posts: Sequence[trials.Ids]) -> str:
    first, ids = base.tokenizer.bos_token_id, encode(base.tokenizer, POSTS[:1], wanted.bos)[0]
    if first is None or sum(token == first for token in ids) <= 1 + (ids[-1] == first):
        return ""
    return (
        "tokens.bos: the tokenizer begins a post with its begin-of-text token twice: set bos to `never` or `always`"
        " (now auto), whichever gives one"
    )


def _documents(base: Base, wanted: Wanted, posts: Sequence[trials.Ids]) -> str:
    adapter = trials.trial_adapter(base, wanted.shape)
    if not trials.acts(base, adapter, posts[0]):
        nothing = f"train.targets: an adapter on these targets changes nothing in {_kind(base)}"
        return f"{nothing}: {_others(base, wanted, posts)}"
    try:
        pairs = [
            pair
            for kernels in _ways(base, wanted)
            for pair in trials.document_losses(base, posts[0], posts[1], wanted.attention, kernels, adapter)
        ]
    except ModelError:
        raise
    except _CRASHES as error:
        return _apart(base, wanted, posts, f"its code stops ({_first(error)})")
    if _worst(pairs) <= _gap(base):
        return ""
    return _apart(base, wanted, posts, f"the loss of one changes by {_worst(pairs):.2g} of itself through another")


def _ways(base: Base, wanted: Wanted) -> list[Kernels]:
    """Return the kernels that training may choose."""
    if wanted.attention == "padded":
        return [Kernels()]
    return available(base.model) if wanted.kernels == "auto" else [only(base.model, wanted.kernels)]


def _apart(base: Base, wanted: Wanted, posts: Sequence[trials.Ids], why: str) -> str:
    if wanted.attention == "padded":
        help_ = _others(base, wanted, posts)
        return f"train.targets: {_kind(base)} cannot be trained with these targets: {why}: {help_}"
    together = "posts" if wanted.attention == "document" else "blocks and what follows in them"
    return (
        f"tokens.attention: `{wanted.attention}` cannot keep {together} apart in {_kind(base)}: {why}: set attention to"
        " `padded` (one post per row)"
    )


def _step(base: Base, wanted: Wanted, posts: Sequence[trials.Ids]) -> str:
    kernels: Literal["on", "off"] = "on" if _ways(base, wanted)[-1].fused else "off"
    how = Recipe(wanted.shape, 1e-4, steps=1, blocks_per_step=2, attention=wanted.attention, kernels=kernels)
    try:
        loss, logprob = trials.train_and_ask(base, posts, how)
    except _CRASHES as error:
        return f"train: one step on two short posts stops in the code of {_kind(base)}: {_first(error)}"
    if math.isfinite(loss) and math.isfinite(logprob):
        return ""
    return (
        f"model.dtype: one step on two short posts gives a loss of {loss:g} and a log-probability of {logprob:g} in"
        f" {base.dtype}: set dtype to float32, or use another base"
    )


def _probe(base: Base, wanted: Wanted, posts: Sequence[trials.Ids]) -> str:
    half = len(posts[0]) // 2
    contexts = [posts[0], [*posts[0][:half], *posts[1][:half]], posts[1]]
    try:
        gap = trials.probe_gap(base, contexts, 1 if wanted.layout == "rows" else 256)
    except _CRASHES as error:
        return _tree(base, wanted, f"its code stops ({_first(error)})")
    if gap <= TREE_GAP.get(base.dtype, TREE_GAP[torch.bfloat16]):
        return ""
    return _tree(base, wanted, f"log-probabilities lie {gap:.2g} apart from a plain forward pass")


def _tree(base: Base, wanted: Wanted, why: str) -> str:
    if wanted.layout == "rows":
        return f"model.base: {_kind(base)} cannot be asked: {why}"
    return f"probe.layout: `tree` does not work on {_kind(base)}: {why}: set layout to `rows`"


def _peft(base: Base, wanted: Wanted, posts: Sequence[trials.Ids]) -> str:
    adapter = trials.trial_adapter(base, wanted.shape)
    try:
        gap = trials.peft_gap(base, adapter, posts[0])
    except (*_CRASHES, ImportError) as error:
        why = f"PEFT does not take these targets on {_kind(base)} ({_first(error)})"
        return f"train.targets: {why}: {_others(base, wanted, posts)}"
    if gap <= _gap(base):
        return ""
    return (
        f"train.targets: PEFT reads these targets on {_kind(base)} as other weights (its logits lie {gap:.1%} apart),"
        f" so nobody else could use the adapters: {_others(base, wanted, posts)}"
    )


def _others(base: Base, wanted: Wanted, posts: Sequence[trials.Ids]) -> str:
    """Return which targets would work, each tried alone."""
    ends = sorted({name.rpartition(".")[2] for name in find_targets(base.model, ALL_LINEAR)})
    found = [end for end in ends if _works(base, replace(wanted, shape=replace(wanted.shape, targets=(end,))), posts)]
    return f"set targets to some of [{', '.join(found)}]" if found else "use another base"


def _works(base: Base, wanted: Wanted, posts: Sequence[trials.Ids]) -> bool:
    try:
        adapter = trials.trial_adapter(base, wanted.shape)
        pairs = trials.document_losses(base, posts[0], posts[1], "padded", Kernels(), adapter)
        gap = max(trials.peft_gap(base, adapter, posts[0]), _worst(pairs))
        acts = trials.acts(base, adapter, posts[0])
    except (*_CRASHES, TemporalAdaptersError):
        return False
    return acts and gap <= _gap(base)


def _worst(pairs: Sequence[tuple[float, float]]) -> float:
    """Return the largest difference of training's losses from plain ones, relative to losses above 1."""
    return max(abs(ours - plain) / max(abs(plain), 1.0) for ours, plain in pairs)


def _gap(base: Base) -> float:
    return _GAP.get(base.dtype, _GAP[torch.bfloat16])


def _first(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0][:120]}"


Check = Callable[[Base, Wanted, Sequence[trials.Ids]], str]

CHECKS: dict[str, Check] = {
    "every token of the tokenizer has an embedding": _vocabulary,
    "is a causal decoder with finite weights": _decoder,
    "the longest document lies within its positions": _positions,
    "a post begins with one begin-of-text token at most": _begins_once,
    "documents do not see each other": _documents,
    "one step of training, saved, loaded and asked, gives numbers": _step,
    "asking gives the log-probabilities of a plain forward pass": _probe,
    "PEFT reads an adapter to the same logits": _peft,
}
"""Name -> check, in order; that the base loads has been seen before the first."""
_FIRST = tuple(CHECKS)[:2]  # without these the others cannot be computed
