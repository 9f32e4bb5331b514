"""Short computations that show whether training and asking are right on one base: nothing here judges.

Takes a resident base and token ids, gives losses and log-probabilities, each beside what the architecture's own forward
pass says. Knows no study and no questionnaire.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from temporal_adapters.engines.model import (
    Adapter,
    Base,
    Kernels,
    Lora,
    LoraShape,
    document_attention,
    new_adapter,
    read_adapter,
    stacked,
    write_adapter,
)
from temporal_adapters.stages.probe import Engine
from temporal_adapters.stages.probe import Path as TokenPath
from temporal_adapters.stages.tokens import IGNORED, Blocks, chunk, pack
from temporal_adapters.stages.train import Attention, Forward, Job, Recipe, fit

Ids = Sequence[int]

_SPREAD = 0.02  # standard deviation of B in a trial adapter: large enough to move logits, small enough to stay finite


def trial_adapter(base: Base, shape: LoraShape) -> Adapter:
    """Return an adapter that changes every module it targets."""
    generator = torch.Generator().manual_seed(1)
    fresh = new_adapter(base.model, shape, generator)
    modules = {}
    for name, lora in fresh.modules.items():
        drawn = torch.randn(lora.b.shape, generator=generator) * _SPREAD
        modules[name] = Lora(lora.a, drawn.to(lora.b.device), lora.scale)
    return Adapter(modules, fresh.config)


def acts(base: Base, adapter: Adapter, ids: Ids) -> bool:
    """Return whether `adapter` changes any logit."""
    before = plain_logits(base, ids)
    with stacked(base.model, [adapter]):
        return not torch.equal(before, plain_logits(base, ids))


def plain_logits(base: Base, ids: Ids) -> torch.Tensor:
    """Return float32 logits (tokens, vocabulary) of one sequence by the architecture's own forward pass."""
    with torch.inference_mode():
        rows = torch.tensor([list(ids)], device=base.device)
        logits: torch.Tensor = base.model(input_ids=rows, use_cache=False).logits[0].float()
        return logits


def sees_ahead(base: Base, ids: Ids) -> float:
    """Return by how much logits change when only a later token does; 0 in a causal decoder."""
    changed = [*ids[:-1], ids[0] if ids[-1] != ids[0] else ids[1]]
    before, after = plain_logits(base, ids)[:-1], plain_logits(base, changed)[:-1]
    return float((before - after).abs().max() / before.abs().max().clamp(min=1e-6))


def document_losses(
    base: Base, first: Ids, second: Ids, attention: Attention, kernels: Kernels, adapter: Adapter
) -> list[tuple[float, float]]:
    """Return some of the losses of `second` as training computes them and as the plain forward pass does.

    `kernels` compute between the matrix products. Under ``document`` both share a block, `first` in front; under
    ``padded`` they share a batch; under ``chunk`` `second` begins a block that goes on with `first`, beside another.

    Returns
    -------
    list of (float, float)
        Per place (the first to be predicted, two between, the last): training's loss and the plain one.
    """
    places = sorted({1, max(1, len(second) // 3), max(1, 2 * len(second) // 3), len(second) - 1})
    parts = [_one_place(first, second, attention, place) for place in places]
    with torch.inference_mode(), stacked(base.model, [adapter] * len(parts), exact=True) as stack:
        forward = Forward(base, stack, attention, kernels)
        with contextlib.nullcontext() if attention == "padded" else document_attention(base.model):
            ours = forward.losses([(blocks, np.arange(len(blocks))) for blocks in parts]).tolist()
    with stacked(base.model, [adapter]):
        logprobs = plain_logits(base, second).log_softmax(-1)
    return [(found, -float(logprobs[place - 1, second[place]])) for found, place in zip(ours, places, strict=True)]


def _one_place(first: Ids, second: Ids, attention: Attention, place: int) -> Blocks:
    """Return blocks in which the token of `second` at `place` alone is to be predicted."""
    rows: dict[Attention, list[list[Ids]]] = {
        "document": [[first, second]],
        "chunk": [[second, first], [first, second]],
        "padded": [[first], [second]],
    }
    at: dict[Attention, tuple[int, int]] = {"document": (0, len(first)), "chunk": (0, 0), "padded": (1, 0)}
    length = len(first) + len(second)
    ids = np.array([[*(token for part in row for token in part), *[0] * length][:length] for row in rows[attention]])
    numbers = np.array(
        [[*(n for n, part in enumerate(row) for _ in part), *[len(row)] * length][:length] for row in rows[attention]]
    )
    labels = np.full_like(ids, IGNORED)
    row, start = at[attention]
    labels[row, start + place] = second[place]
    return Blocks(ids.astype(np.int32), labels.astype(np.int32), numbers.astype(np.int32))


def peft_gap(base: Base, adapter: Adapter, ids: Ids) -> float:
    """Return how far logits lie apart between our stack and PEFT reading the adapter's folder, relative to the largest.

    The base is the same afterwards: PEFT's layers are taken off again.
    """
    # It complains about an optional package that would fetch kernels from a hub when PEFT looks for quantised layers.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    from peft import PeftModel

    with stacked(base.model, [adapter]):
        ours = plain_logits(base, ids)
    with tempfile.TemporaryDirectory(prefix="temporal-adapters-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they warn of (other keys than expected) shows in the logits
        write_adapter(Path(folder), adapter)
        try:
            PeftModel.from_pretrained(base.model, folder).eval()
            found = plain_logits(base, ids)
        finally:
            _take_off(base.model)
    return float((ours - found).abs().max() / ours.abs().max().clamp(min=1e-6))


def _take_off(model: torch.nn.Module) -> None:
    """Put the base's own layers back, also where PEFT stopped halfway (its `unload` needs a whole adapter)."""
    while True:
        wrapped = [(name, m) for name, m in model.named_modules() if type(m).__module__.startswith("peft.")]
        if not wrapped:
            return
        name, layer = wrapped[0]
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, layer.base_layer)


def train_and_ask(base: Base, documents: Sequence[Ids], how: Recipe) -> tuple[float, float]:
    """Train one step, save, load and ask; return the loss and a log-probability of the loaded adapter."""
    length = max(map(len, documents))
    blocks = pack(documents, length, alone=True) if how.attention != "chunk" else chunk(documents, length)
    (fitted,) = fit(base, [Job("trial", blocks, 1, "trial")], how)
    with tempfile.TemporaryDirectory(prefix="temporal-adapters-") as folder:
        write_adapter(Path(folder), fitted.adapter)
        loaded = read_adapter(Path(folder), str(base.device))
    return fitted.losses[0], probe_logprob(base, [loaded], documents[0])


def probe_logprob(base: Base, adapters: Sequence[Adapter], ids: Ids) -> float:
    """Return the log-probability of the last token of `ids` as probing computes it, in a row of its own."""
    engine = Engine(base.model, [TokenPath(tuple(ids[:-1]), (ids[-1],))], max_nodes=1)
    return engine.score(adapters)[0][0].logprobs[0]


def probe_gap(base: Base, contexts: Sequence[Ids], layout_nodes: int) -> float:
    """Return how far probing's log-probabilities, of paths that share a beginning, lie from plain forward passes."""
    paths = [TokenPath(tuple(ids[:-2]), tuple(ids[-2:])) for ids in contexts]
    scores = Engine(base.model, paths, max_nodes=layout_nodes).score([])[0]
    gaps: list[float] = []
    for ids, score in zip(contexts, scores, strict=True):
        logprobs = plain_logits(base, ids).log_softmax(-1)
        plain = [float(logprobs[-3, ids[-2]]), float(logprobs[-2, ids[-1]])]
        gaps.extend(abs(a - b) for a, b in zip(score.logprobs, plain, strict=True))
    return max(gaps)
