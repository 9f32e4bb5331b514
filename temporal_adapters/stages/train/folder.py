"""Adapters in work on disk: a partial folder per adapter with its latest state, published when it is finished.

Takes items and what the loop hands out, gives adapter folders. Knows no tensors' meaning.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from temporal_adapters.engines.model import Adapter, Base, write_adapter
from temporal_adapters.ground.errors import TrainError
from temporal_adapters.stages.train.claim import Claim
from temporal_adapters.stages.train.job import Fitted, Job
from temporal_adapters.stages.train.loop import Keeper
from temporal_adapters.stages.train.plan import Item
from temporal_adapters.stages.train.weights import State
from temporal_adapters.study.artifacts import Work, in_work

_STATE = "state.safetensors"
LOSSES = "losses.parquet"


class FolderKeeper(Keeper):
    """Keeps states in the items' partial folders and publishes finished adapters.

    Parameters
    ----------
    base
        The base, named in the adapters' configuration and the manifests.
    config
        Settings for the manifests.
    device
        Device for the manifests.
    every_s
        Seconds between two saved states of one adapter.
    tensorboard
        Write the losses for TensorBoard, too.
    """

    def __init__(self, base: Base, config: Mapping[str, Any], device: str, every_s: float, tensorboard: bool) -> None:
        self.base, self.config, self.device, self.every_s = base, config, device, every_s
        self.tensorboard = tensorboard
        if tensorboard:
            _summary_writer()
        self._writer = ThreadPoolExecutor(1)
        self._writing: dict[str, list[Future[None]]] = {}
        self._open: dict[str, tuple[Work, contextlib.ExitStack, Claim]] = {}
        self._saved_s: dict[str, float] = {}

    def open(self, item: Item, claim: Claim) -> None:
        """Open the partial folder of `item`, taking over what a dead process left there."""
        stack = contextlib.ExitStack()
        stack.callback(claim.release)
        work = stack.enter_context(
            in_work(
                item.expected,
                config={**self.config, "seed": item.seed, "week": item.corpus.label},
                device=self.device,
                resume=True,
            )
        )
        self._open[item.name] = (work, stack, claim)
        self._saved_s[item.name] = time.monotonic()

    def load(self, job: Job) -> State | None:
        """Return the state that an earlier process left, or None."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = self._open[job.name][0].folder / _STATE
        if not path.is_file():
            return None
        try:
            return load_file(path)
        except SafetensorError as error:
            raise TrainError(f"{path} is damaged ({error}): remove {path.parent} to train this adapter anew") from None

    def due(self, job: Job, step: int) -> bool:
        """Return whether the last saved state is old enough."""
        self._open[job.name][2].touch()
        return time.monotonic() - self._saved_s[job.name] >= self.every_s

    def save(self, job: Job, state: State) -> None:
        """Write the state beside the last one, then replace it: a kill leaves one of the two whole."""
        from safetensors.torch import save_file

        folder = self._open[job.name][0].folder
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / f"{_STATE}.new")
        os.replace(folder / f"{_STATE}.new", folder / _STATE)
        self._saved_s[job.name] = time.monotonic()

    def checkpoint(self, job: Job, step: int, adapter: Adapter) -> None:
        """Write the adapter as it is after `step` into a folder of its own, while training goes on."""
        target = self._open[job.name][0].folder / f"checkpoint-{step}"
        self._writing.setdefault(job.name, []).append(
            self._writer.submit(write_adapter, target, adapter, self.base.name)
        )

    def finish(self, fitted: Fitted) -> None:
        """Write and publish a finished adapter."""
        work, stack, _ = self._open.pop(fitted.job.name)
        with stack:
            self._wait(fitted.job.name)
            write_adapter(work.folder, fitted.adapter, self.base.name)
            _write_losses(work.folder, fitted)
            if self.tensorboard:
                _write_tensorboard(work.folder, fitted)
            for leftover in work.folder.glob(f"{_STATE}*"):
                leftover.unlink()
            base = {"name": self.base.name, "revision": self.base.revision, "digest": self.base.digest}
            work.facts.update(facts(fitted), base=base)

    def _wait(self, name: str) -> None:
        for writing in self._writing.pop(name, []):
            writing.result()

    def abandon(self) -> None:
        """Leave all folders in work as they are, with their states, and give their claims free."""
        self._writer.shutdown()
        for _, stack, _ in self._open.values():
            with contextlib.suppress(_AbandonedError):
                stack.__exit__(_AbandonedError, _AbandonedError(), None)
        self._open.clear()


class _AbandonedError(Exception):
    """Tells `publish` that a folder in work is not finished."""


def facts(fitted: Fitted) -> dict[str, Any]:
    """Return what the manifest says about the training."""
    return {
        "n_steps": fitted.n_steps,
        "n_fused_steps": fitted.n_fused,
        "kernels": dict(fitted.kernels),
        "n_tokens": fitted.n_tokens,
        "first_loss": fitted.losses[0],
        "loss": fitted.losses[-1],
        "held_out": {str(step): loss for step, loss in fitted.held_out.items()},
    }


def _write_losses(folder: Path, fitted: Fitted) -> None:
    """Write a row per optimizer step: step (from 1), loss (natural log per token), held_out (null if not measured)."""
    import polars as pl

    steps = range(1, fitted.n_steps + 1)
    columns = {"step": list(steps), "loss": fitted.losses, "held_out": [fitted.held_out.get(step) for step in steps]}
    schema = {"step": pl.Int64, "loss": pl.Float32, "held_out": pl.Float64}
    pl.DataFrame(columns, schema=schema).write_parquet(folder / LOSSES)


def _write_tensorboard(folder: Path, fitted: Fitted) -> None:
    with _summary_writer()(str(folder / "tensorboard")) as writer:
        for step, loss in enumerate(fitted.losses, start=1):
            writer.add_scalar("loss", loss, step)
        for step, loss in fitted.held_out.items():
            writer.add_scalar("held_out", loss, step)


def _summary_writer() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise TrainError(
            "train.tensorboard: the package tensorboard is not installed: `pip install tensorboard`, or set it to false"
        ) from None
    return SummaryWriter
