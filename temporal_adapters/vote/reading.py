"""Reading the classes' probabilities off a language model, for many adapters at a time.

Takes a resident base, adapters, contexts and labels as token ids, gives probabilities. Knows no survey.

A context stands at the right end of its row, the tokens of the labels hang on it as a tree (a 4-D mask: a token sees
its context and its own ancestors), so one forward pass per respondent serves any number of labels.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from temporal_adapters.engines.model import Adapter, Base, stacked
from temporal_adapters.ground.errors import VoteError
from temporal_adapters.stages.probe import Path, Tree, float32_head

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Ids = tuple[int, ...]

_CONTEXT = -1  # stands for the whole context, whose ids are not known to the tree
_TOKENS = {"cpu": 4096, "cuda": 65536}  # tokens per forward pass beyond which more rows gain nothing


@dataclass(frozen=True)
class Reading:
    """What the model said.

    Attributes
    ----------
    probabilities
        shape (n, n_classes), rows sum to 1; rows of zeros where no sampled completion was a label.
    mass
        shape (n,): probability of all labels together before renormalising, or the share of completions that were one.
    """

    probabilities: Floats
    mass: Floats


class _Branches:
    """The labels as branches behind a context: nodes are tokens to be fed, edges are tokens that are scored.

    Node 0 is the end of the context; the last token of a label is scored, but not fed.
    """

    def __init__(self, labels: Sequence[Ids], scoring: Literal["first", "sequence"]) -> None:
        tree = Tree()
        for number, ids in enumerate(labels):
            tree.add(number, Path((_CONTEXT,), ids[:1] if scoring == "first" else ids))
        fed = sorted({node for rows in tree.rows for node in rows[:-1]} - {0})
        place = {0: 0, **{node: number for number, node in enumerate(fed, start=1)}}
        self.ids = np.array([tree.ids[node] for node in fed], dtype=np.int64)
        self.depth = np.array([tree.depths[node] for node in fed], dtype=np.int64)
        self.sees = tree.visible()[np.ix_(fed, fed)]
        self.edges = [
            [(place[node], token) for node, token in zip(rows[:-1], ids, strict=False)]
            for rows, ids in zip(tree.rows, labels, strict=True)
        ]


def read(
    base: Base,
    adapters: Sequence[Adapter],
    contexts: Sequence[Sequence[Ids]],
    labels: Sequence[Ids],
    scoring: Literal["first", "sequence"],
    rows: int | None = None,
) -> list[Reading]:
    """Return one reading per adapter for its own contexts; without adapters the base answers `contexts[0]`.

    Parameters
    ----------
    base, adapters
        The resident base; adapters that answer together.
    contexts
        Per adapter, the token ids of each respondent's prompt.
    labels, scoring
        Token ids of the classes; by their first token only, or whole.
    rows
        Respondents per adapter and forward pass; None fills the device.

    Raises
    ------
    VoteError
        If a prompt is longer than the base's window of attention.
    """
    tree = _Branches(labels, scoring)
    longest = max((len(ids) for part in contexts for ids in part), default=0) + len(tree.ids)
    check_length(base, longest)
    count = rows or max(1, _TOKENS[base.device.type] // (longest * max(len(adapters), 1)))
    n = max(len(part) for part in contexts)
    order = [sorted(range(len(part)), key=lambda row, part=part: len(part[row])) for part in contexts]  # type: ignore[misc]
    scores = [np.zeros((len(part), len(labels))) for part in contexts]
    attach = stacked(base.model, list(adapters)) if adapters else contextlib.nullcontext()
    with torch.inference_mode(), attach, float32_head(base.model):
        for at in range(0, n, count):
            chosen = [[places[min(row, len(places) - 1)] for row in range(at, min(at + count, n))] for places in order]
            batch = [part[row] for part, part_rows in zip(contexts, chosen, strict=True) for row in part_rows]
            found = _forward(base, batch, tree)
            for number, part_rows in enumerate(chosen):
                scores[number][part_rows] = found[number * len(part_rows) : (number + 1) * len(part_rows)]
    return [_normalise(part) for part in scores]


def _normalise(scores: Floats) -> Reading:
    top = scores.max(axis=1, keepdims=True)
    odds = np.exp(scores - top)
    total = odds.sum(axis=1, keepdims=True)
    return Reading(odds / total, np.exp(top[:, 0]) * total[:, 0])


def check_length(base: Base, longest: int) -> None:
    """Refuse prompts of more tokens than the base takes."""
    config = base.model.config.get_text_config()
    window = getattr(config, "sliding_window", None) or longest
    limit = min(int(getattr(config, "max_position_embeddings", longest)), int(window))
    if longest > limit:
        raise VoteError(
            f"the longest prompt has {longest} tokens, the base {base.name!r} takes {limit}: fewer `shots`, fewer "
            "items, or another base"
        )


def _forward(base: Base, contexts: Sequence[Ids], tree: _Branches) -> Floats:
    """Return the log-probabilities of the labels, shape (n_rows, n_labels)."""
    length, extra = max(map(len, contexts)), len(tree.ids)
    ids = np.zeros((len(contexts), length + extra), dtype=np.int64)
    positions = np.zeros_like(ids)
    sees = np.zeros((len(contexts), length + extra, length + extra), dtype=bool)
    sees[:, np.arange(length + extra), np.arange(length + extra)] = True
    triangle = np.tri(length, dtype=bool)
    for row, context in enumerate(contexts):
        start = length - len(context)
        ids[row, start:length], ids[row, length:] = context, tree.ids
        positions[row, start:length] = np.arange(len(context))
        positions[row, length:] = len(context) - 1 + tree.depth
        sees[row, start:length, start:length] = triangle[start:, start:]
        sees[row, length:, start:length] = True
        sees[row, length:, length:] = tree.sees
    logits = base.model(
        input_ids=torch.from_numpy(ids).to(base.device),
        position_ids=torch.from_numpy(positions).to(base.device),
        attention_mask=_mask(base, sees),
        use_cache=False,
        logits_to_keep=extra + 1,
    ).logits.float()
    logprobs = torch.log_softmax(logits, dim=-1)
    found = [sum(logprobs[:, node, token].double() for node, token in edges) for edges in tree.edges]
    return torch.stack(found, dim=1).cpu().numpy()  # type: ignore[arg-type]


def _mask(base: Base, sees: NDArray[np.bool_]) -> torch.Tensor:
    mask = torch.from_numpy(sees).to(base.device)[:, None]
    if base.model.config._attn_implementation == "sdpa":
        return mask
    dtype = next(base.model.parameters()).dtype
    return torch.zeros(mask.shape, dtype=dtype, device=base.device).masked_fill_(~mask, torch.finfo(dtype).min)


def sample(
    base: Base,
    adapter: Adapter | None,
    contexts: Sequence[Ids],
    labels: Sequence[str],
    decode: Any,
    *,
    samples: int,
    temperature: float,
    max_tokens: int,
    seed: int,
    rows: int | None = None,
) -> Reading:
    """Return the shares of sampled completions that begin with each label (the longest that fits, in any letter case).

    Completions that begin with no label count for nothing: `mass` says how many did. A respondent without a single
    label has a row of zeros, which is no answer and counts as wrong.
    """
    found = np.zeros((len(contexts), len(labels)))
    count = rows or max(1, _TOKENS[base.device.type] // (max(map(len, contexts)) * samples))
    attach = stacked(base.model, [adapter]) if adapter is not None else contextlib.nullcontext()
    with torch.inference_mode(), attach, _seeded(base, seed):
        for at in range(0, len(contexts), count):
            part = contexts[at : at + count]
            for row, text in enumerate(_complete(base, part, decode, samples, temperature, max_tokens)):
                label = _match(text, labels)
                if label is not None:
                    found[at + row // samples, label] += 1
    mass = found.sum(axis=1) / samples
    return Reading(found / np.maximum(found.sum(axis=1, keepdims=True), 1), mass)


def _complete(
    base: Base, contexts: Sequence[Ids], decode: Any, samples: int, temperature: float, max_tokens: int
) -> list[str]:
    length = max(map(len, contexts))
    ids = np.zeros((len(contexts), length), dtype=np.int64)
    seen = np.zeros_like(ids)
    for row, context in enumerate(contexts):
        ids[row, length - len(context) :], seen[row, length - len(context) :] = context, 1
    out = base.model.generate(
        input_ids=torch.from_numpy(ids).to(base.device),
        attention_mask=torch.from_numpy(seen).to(base.device),
        do_sample=True,
        temperature=temperature,
        top_k=0,
        top_p=1.0,
        max_new_tokens=max_tokens,
        num_return_sequences=samples,
        pad_token_id=0,
    )
    return [decode(tokens) for tokens in out[:, length:].tolist()]


def _match(text: str, labels: Sequence[str]) -> int | None:
    text = text.strip().strip("'\"").casefold()
    fitting = [index for index, label in enumerate(labels) if text.startswith(label.casefold())]
    return max(fitting, key=lambda index: len(labels[index])) if fitting else None


@contextlib.contextmanager
def _seeded(base: Base, seed: int) -> Iterator[None]:
    devices = [base.device] if base.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
