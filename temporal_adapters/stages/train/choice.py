"""Which kernels train a base fastest on this machine: measured on its first layers, remembered, written down.

Takes a base, a recipe and blocks, gives a `Choice`. Knows no files of a study.

The choice decides the last bits of adapters, so it is made once per machine, base and shape of a pass and kept in the
user's cache; every process reads the first one that was written. It is measured for one adapter with one thread, so
that it does not depend on how many are trained together or by how many workers. ``kernels: on`` or ``off`` leaves
nothing to measure.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from temporal_adapters.engines.model import Base, Kernels, available, cache_folder, new_adapter, only, shallow, stacked
from temporal_adapters.engines.model.kernels import identity
from temporal_adapters.stages.tokens import IGNORED, Blocks
from temporal_adapters.stages.train.forward import Forward
from temporal_adapters.stages.train.job import Recipe
from temporal_adapters.stages.train.weights import Weights

_BUDGET_S = 0.06
"""Seconds that each way is tried for: the faster of two ways that differ by a tenth is found in that time."""

_HEAD_FLOPS = 2e9
"""Operations of the output head in one trial; its cost is the same in all ways but for the loss itself."""

_THREADS_GAIN = 1.5
"""Threads are used where they make one adapter faster by this much: elsewhere processes are the better use of cores."""


@dataclass(frozen=True)
class Choice:
    """What computes, and why.

    Attributes
    ----------
    kernels
        The kernels.
    because
        ``asked for``, ``the only ones here`` or ``measured``.
    seconds
        Name of the kernels -> process seconds of one forward and backward pass, as measured.
    n_threads
        Threads of the process; None leaves them as they are (GPU).
    """

    kernels: Kernels
    because: str
    seconds: dict[str, float] = field(default_factory=dict)
    n_threads: int | None = 1

    def facts(self) -> dict[str, Any]:
        """Return what a manifest keeps."""
        found = {name: float(f"{value:.3g}") for name, value in self.seconds.items()}
        return {"name": self.kernels.name, "because": self.because, "seconds": found, "threads": self.n_threads}

    def sentence(self) -> str:
        """Return the choice as a short note, or nothing where there was none."""
        if len(self.seconds) < 2:
            return ""
        gain = max(self.seconds.values()) / min(self.seconds.values())
        return f"kernels: {self.kernels.name}, {gain:.2f}x the other"

    @contextlib.contextmanager
    def threads(self) -> Iterator[None]:
        """Compute with the threads of the choice while the block lasts."""
        with _threads(self.n_threads or torch.get_num_threads()):
            yield


@dataclass(frozen=True)
class Shape:
    """What one adapter's forward pass looks like: `micro` blocks of `block_length` tokens."""

    micro: int
    block_length: int


def choose(base: Base, recipe: Recipe, shape: Shape, blocks: Blocks) -> Choice:
    """Return what trains `base` fastest as `recipe` asks, on blocks like `blocks`.

    Raises
    ------
    ModelError
        If the recipe asks for kernels that this machine or base has not.
    """
    n_threads = None if base.device.type == "cuda" else 1
    if recipe.attention == "padded":
        # The architecture's own forward pass computes: there is nothing to choose.
        return Choice(Kernels(), "the only ones here", n_threads=n_threads)
    if recipe.kernels != "auto":
        return Choice(only(base.model, recipe.kernels), "asked for", n_threads=n_threads)
    ways = available(base.model)
    if n_threads is None or (len(ways) == 1 and torch.get_num_threads() == 1):
        return Choice(ways[0], "the only ones here", n_threads=n_threads)
    key, n_most, known = _key(base, recipe, shape), torch.get_num_threads(), {way.name: way for way in ways}
    trials = _Trials(base, recipe, shape, blocks)
    found = _remembered(key, list(known), lambda: trials.kernels(ways))
    way = known[str(found["name"])]
    if n_most > 1:
        n_threads = int(_remembered(f"{key}-{n_most}", [1, n_most], lambda: trials.threads(way, n_most))["name"])
    return Choice(way, "measured", found["seconds"], n_threads)


def _key(base: Base, recipe: Recipe, shape: Shape) -> str:
    """Return the name under which a choice is kept: whatever may change which way is faster."""
    machine = (identity(), torch.__version__, os.cpu_count())
    asked = (recipe.attention, asdict(recipe.shape), asdict(shape))
    text = json.dumps([machine, base.digest, base.model.config.to_json_string(), str(base.dtype), asked], default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _remembered(key: str, allowed: Sequence[Any], measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what was measured under `key` when it was first asked for."""
    path = cache_folder() / "choices" / f"{key}.json"
    found = _read(path)
    if found is not None and found["name"] in allowed:
        return found
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    return _keep(path, measure())


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {"name": found["name"], "seconds": dict(found["seconds"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(path: Path, found: dict[str, Any]) -> dict[str, Any]:
    """Write a choice unless another process was first; return the one that counts."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, encoding="utf-8") as file:
            file.write(json.dumps(found))
            file.flush()
            os.link(file.name, path)
    return _read(path) or found


class _Trials:
    """Passes of a base's first layers, timed with one thread (with several for `threads`)."""

    def __init__(self, base: Base, recipe: Recipe, shape: Shape, blocks: Blocks) -> None:
        self.given = base, recipe, _with_few_labels(base, blocks, shape)
        self.n_layers = int(base.model.config.get_text_config().num_hidden_layers)

    def kernels(self, ways: Sequence[Kernels]) -> dict[str, Any]:
        """Return the name of the fastest way, and the seconds of a whole pass by every way."""
        with _threads(1):
            trials = {way.name: [_Trial(*self.given, way, depth) for depth in (1, 2)] for way in ways}
            rounds: dict[str, list[tuple[float, ...]]] = {name: [] for name in trials}
            while any(len(found) < 2 or sum(map(sum, found)) < _BUDGET_S for found in rounds.values()):
                for name, pair in trials.items():
                    rounds[name].append(tuple(trial.seconds() for trial in pair))
        seconds = {}
        for name, found in rounds.items():
            one, two = (min(each) for each in zip(*found[1:], strict=True))
            seconds[name] = one + max(0.0, two - one) * (self.n_layers - 1)
        return {"name": min(seconds, key=lambda name: seconds[name]), "seconds": seconds}

    def threads(self, way: Kernels, n_most: int) -> dict[str, Any]:
        """Return how many threads pay, and the seconds of two layers with one thread and with `n_most`."""
        trial, seconds = _Trial(*self.given, way, 2), {}
        for n_threads in (1, n_most):
            with _threads(n_threads):
                seconds[n_threads] = min(trial.seconds(time.perf_counter) for _ in range(3))
        pays = seconds[1] > _THREADS_GAIN * seconds[n_most]
        return {"name": n_most if pays else 1, "seconds": {str(n): value for n, value in seconds.items()}}


@contextlib.contextmanager
def _threads(n_threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _with_few_labels(base: Base, blocks: Blocks, shape: Shape) -> Blocks:
    """Return as many blocks as one pass takes, with no more labels than a trial can afford."""
    head = base.model.get_output_embeddings()
    size = head.weight.numel() if head is not None else 1
    most = max(8, int(_HEAD_FLOPS / (4 * size * shape.micro)))
    rows = [n % len(blocks) for n in range(shape.micro)]
    labels = blocks.labels[rows].copy()
    labels[(labels != IGNORED).cumsum(axis=1) > most] = IGNORED
    weights = None if blocks.weights is None else blocks.weights[rows]
    return replace(
        blocks, input_ids=blocks.input_ids[rows], labels=labels, documents=blocks.documents[rows], weights=weights
    )


class _Trial:
    """One forward and backward pass of a base's first `depth` layers."""

    def __init__(self, base: Base, recipe: Recipe, blocks: Blocks, kernels: Kernels, depth: int) -> None:
        self.base, self.recipe, self.blocks, self.kernels, self.depth = base, recipe, blocks, kernels, depth

    def seconds(self, clock: Any = time.process_time) -> float:
        """Return the seconds that the pass takes."""
        with shallow(self.base.model, self.depth):
            template = new_adapter(self.base.model, replace(self.recipe.shape, last=None), torch.Generator())
            with stacked(self.base.model, [template], exact=True) as stack:
                weights = Weights(stack, self.recipe, self.base.dtype)
                weights.load(0, template)
                forward = Forward(self.base, stack, self.recipe.attention, self.kernels)
                parts = [(self.blocks, list(range(len(self.blocks))))]
                started = clock()
                weights.backward(forward.losses(parts).sum())
                return float(clock() - started)
