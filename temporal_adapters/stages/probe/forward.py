"""Forward passes: trees of tokens under K stacked adapters to token log-probs.

Takes a resident base, adapters and paths, gives log-probs per adapter and path. Knows neither questionnaire nor files.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from temporal_adapters.engines.model import Adapter, stacked
from temporal_adapters.ground.errors import ProbeError
from temporal_adapters.stages.probe.tree import Path, Tree, plant

LOGIT_BYTES = {"cpu": 256 << 20, "cuda": 4 << 30}
"""Bytes of float32 logits held at once: the largest temporary by far."""

TREE_GAP = {torch.float32: 1e-3, torch.bfloat16: 0.5}
"""Largest difference between a tree and a plain sequence that rounding explains."""

_FLOAT32 = 4


@dataclass(frozen=True)
class Score:
    """What one model says to one path.

    Attributes
    ----------
    logprobs
        Natural log-probability of each answer token given all before it.
    logits
        The raw logits of the same tokens (float32), which the legacy methods sum.
    end
        Log of the summed probability of the terminators after the answer; None without terminators.
    """

    logprobs: tuple[float, ...]
    logits: tuple[float, ...]
    end: float | None


@dataclass(frozen=True)
class _Planted:
    """One tree as tensors."""

    paths: tuple[int, ...]
    ids: torch.Tensor
    positions: torch.Tensor
    mask: Any
    rows: torch.Tensor
    edge_row: torch.Tensor
    edge_token: torch.Tensor
    end_row: torch.Tensor
    barred: tuple[tuple[int, tuple[int, ...]], ...]
    lengths: tuple[int, ...]


class Engine:
    """Scores a fixed set of paths under any number of adapters.

    Parameters
    ----------
    model
        Frozen Hugging Face causal language model (`Base.model`).
    paths
        What is scored.
    terminators
        Token ids that end an answer; empty to leave the ends out.
    max_nodes
        Tokens of one tree; 1 gives every path a plain causal sequence of its own.
    batch_tokens
        Tokens of one forward pass over all stacked adapters.

    Notes
    -----
    Memory is bounded by `batch_tokens` and `LOGIT_BYTES`, whatever the number of adapters. On a CPU an adapter's scores
    are the same bits whatever is stacked beside it (`exact`), so an interrupted run ends with the same files; on a GPU,
    where that would cost launches, they may differ in the last bits.
    """

    def __init__(
        self,
        model: Any,
        paths: Sequence[Path],
        terminators: Sequence[int] = (),
        max_nodes: int = 256,
        batch_tokens: int = 16384,
    ) -> None:
        self.model = model
        self.device = next(model.parameters()).device
        self.exact = self.device.type == "cpu"
        self.paths = list(paths)
        self.terminators = torch.tensor(sorted(terminators), dtype=torch.long, device=self.device)
        trees = plant(self.paths, max_nodes)
        self.n_nodes = sum(map(len, trees))
        self.trees = [self._plant(tree) for tree in trees]
        self.stack_size = self._stack_size(batch_tokens)

    def score(self, adapters: Sequence[Adapter]) -> list[list[Score]]:
        """Return the scores of all paths, in the order given, for every adapter.

        Parameters
        ----------
        adapters
            Stacked on the base together, so pass at most `stack_size`. Without any, the plain base answers, alone:
            the result is one list.
        """
        results: list[list[Any]] = [[None] * len(self.paths) for _ in range(max(len(adapters), 1))]
        attach = stacked(self.model, adapters, exact=self.exact) if adapters else contextlib.nullcontext()
        split = head_by_adapter(self.model, len(adapters)) if self.exact else contextlib.nullcontext()
        with torch.inference_mode(), attach, float32_head(self.model), split:
            for tree in self.trees:
                for row, scores in enumerate(self._forward(tree, max(len(adapters), 1))):
                    for index, score in zip(tree.paths, scores, strict=True):
                        results[row][index] = score
        return results

    def verify(self) -> None:
        """Score one path of the largest tree under the base alone as well, as a plain causal sequence.

        Raises
        ------
        ProbeError
            If the two differ: the architecture does not honour 4-D masks or positions.
        """
        largest = max(self.trees, key=lambda tree: tree.ids.shape[1])
        alone = Engine(self.model, [self.paths[largest.paths[-1]]], max_nodes=1).score([])[0][0]
        with torch.inference_mode(), float32_head(self.model):
            in_tree = self._forward(largest, 1)[0][-1]
        pairs = zip(in_tree.logprobs, alone.logprobs, strict=True)
        gap = max(abs(a - b) for a, b in pairs)
        allowed = TREE_GAP.get(next(self.model.parameters()).dtype, TREE_GAP[torch.bfloat16])
        if not gap <= allowed:
            kind = type(self.model).__name__
            raise ProbeError(
                f"{kind} gives other log-probs for a tree of tokens than for a plain sequence (by {gap:.2g}): "
                "set `probe.layout: rows`"
            )

    def _forward(self, tree: _Planted, n_adapters: int) -> list[list[Score]]:
        logits = self.model(
            input_ids=tree.ids.expand(n_adapters, -1),
            attention_mask=_expand(tree.mask, n_adapters),
            position_ids=tree.positions.expand(n_adapters, -1),
            use_cache=False,
            logits_to_keep=tree.rows,
        ).logits.float()
        normaliser = torch.logsumexp(logits, dim=-1)
        raw = logits[:, tree.edge_row, tree.edge_token]
        logprobs = raw.double() - normaliser[:, tree.edge_row].double()
        ends = self._ends(logits, normaliser, tree) if len(self.terminators) else None
        return _unpack(tree, logprobs, raw, ends)

    def _ends(self, logits: torch.Tensor, normaliser: torch.Tensor, tree: _Planted) -> torch.Tensor:
        after = logits[:, tree.end_row[:, None], self.terminators[None, :]].double()
        for path, tokens in tree.barred:
            wrong = torch.isin(self.terminators, torch.tensor(tokens, device=self.device))
            after[:, path, wrong] = -torch.inf
        return torch.logsumexp(after, dim=-1) - normaliser[:, tree.end_row].double()

    def _plant(self, tree: Tree) -> _Planted:
        with_ends = len(self.terminators) > 0
        needed = sorted({row for rows in tree.rows for row in (rows if with_ends else rows[:-1])})
        place = {node: index for index, node in enumerate(needed)}
        edges = [
            (place[row], token)
            for index, rows in zip(tree.paths, tree.rows, strict=True)
            for row, token in zip(rows, self.paths[index].answer, strict=False)
        ]
        return _Planted(
            paths=tuple(tree.paths),
            ids=self._tensor(tree.ids)[None],
            positions=self._tensor(tree.depths)[None],
            mask=self._mask(tree),
            rows=self._tensor(needed),
            edge_row=self._tensor([row for row, _ in edges]),
            edge_token=self._tensor([token for _, token in edges]),
            end_row=self._tensor([place[rows[-1]] for rows in tree.rows] if with_ends else []),
            barred=tuple((n, self.paths[i].barred) for n, i in enumerate(tree.paths) if self.paths[i].barred),
            lengths=tuple(len(self.paths[index].answer) for index in tree.paths),
        )

    def _tensor(self, values: Sequence[int]) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.long, device=self.device)

    def _mask(self, tree: Tree) -> Any:
        """Return what the architecture takes as a mask: nothing for a chain, else 4-D, if needed per kind of layer."""
        if all(parent == node - 1 for node, parent in enumerate(tree.parents)):
            return None
        config = self.model.config.get_text_config()
        kinds = set(getattr(config, "layer_types", None) or ())
        if kinds - {"full_attention", "sliding_attention"}:
            odd = ", ".join(sorted(kinds - {"full_attention", "sliding_attention"}))
            raise ProbeError(f"this base has layers of kind {odd}, which trees do not cover: set `probe.layout: rows`")
        window = getattr(config, "sliding_window", None)
        if window is None or max(tree.depths) < window:
            return self._four(tree.visible())
        if "full_attention" not in kinds:
            return self._four(tree.visible(window))
        return {"full_attention": self._four(tree.visible()), "sliding_attention": self._four(tree.visible(window))}

    def _four(self, seen: Any) -> torch.Tensor:
        mask = torch.from_numpy(np.ascontiguousarray(seen)).to(self.device)[None, None]
        if self.model.config._attn_implementation == "sdpa":
            return mask
        dtype = next(self.model.parameters()).dtype
        return torch.zeros(mask.shape, dtype=dtype, device=self.device).masked_fill_(~mask, torch.finfo(dtype).min)

    def _stack_size(self, batch_tokens: int) -> int:
        """Return how many adapters fit into one forward pass."""
        nodes = max(tree.ids.shape[1] for tree in self.trees)
        rows = max(len(tree.rows) for tree in self.trees)
        vocabulary = self.model.config.get_text_config().vocab_size
        logits = LOGIT_BYTES.get(self.device.type, LOGIT_BYTES["cpu"]) // (rows * vocabulary * _FLOAT32)
        return int(max(1, min(batch_tokens // nodes, logits)))


def _expand(mask: Any, rows: int) -> Any:
    if isinstance(mask, dict):
        return {kind: _expand(one, rows) for kind, one in mask.items()}
    return mask if mask is None else mask.expand(rows, -1, -1, -1)


def _unpack(tree: _Planted, logprobs: torch.Tensor, raw: torch.Tensor, ends: torch.Tensor | None) -> list[list[Score]]:
    all_logprobs, all_raw = logprobs.tolist(), raw.tolist()
    all_ends = ends.tolist() if ends is not None else None
    results = []
    for row in range(len(all_logprobs)):
        scores, at = [], 0
        for path, length in enumerate(tree.lengths):
            end = all_ends[row][path] if all_ends is not None else None
            part = slice(at, at + length)
            scores.append(Score(tuple(all_logprobs[row][part]), tuple(all_raw[row][part]), end))
            at += length
        results.append(scores)
    return results


@contextlib.contextmanager
def float32_head(model: Any) -> Iterator[None]:
    """Compute the final norm and the language-model head in float32 while the block lasts.

    In bfloat16 a logit of 8 to 16 has steps of 1/16, which is 6 % in probability. A float32 model is left alone.
    """
    head = model.get_output_embeddings()
    if head is None or head.weight.dtype == torch.float32:
        yield
        return
    norm = _final_norm(model)
    exact = copy.deepcopy(norm).float() if norm is not None else None
    with contextlib.ExitStack() as undo:
        undo.callback(_swap(head, lambda x: nn.functional.linear(x.float(), head.weight.float(), _bias(head))))
        if norm is not None and exact is not None:
            undo.callback(_swap(norm, lambda x: exact(x.float())))
        yield


@contextlib.contextmanager
def head_by_adapter(model: Any, n_adapters: int) -> Iterator[None]:
    """Compute the head adapter by adapter while the block lasts: a product's last bits depend on its number of rows."""
    head = model.get_output_embeddings()
    if head is None or n_adapters < 2:
        yield
        return
    whole = head.forward
    with contextlib.ExitStack() as undo:
        undo.callback(_swap(head, lambda x: torch.cat([whole(part) for part in x.chunk(n_adapters)])))
        yield


def _bias(head: Any) -> torch.Tensor | None:
    return None if getattr(head, "bias", None) is None else head.bias.float()


def _swap(module: Any, forward: Any) -> Any:
    before = module.__dict__.get("forward")
    module.forward = forward

    def undo() -> None:
        del module.forward
        if before is not None:
            module.forward = before

    return undo


def _final_norm(model: Any) -> Any:
    for name in ("norm", "ln_f", "final_layernorm", "final_layer_norm"):
        if hasattr(model.base_model, name):
            return getattr(model.base_model, name)
    return None
