"""The training loop: K slots on one resident base, each running one job, refilled as jobs finish.

Takes a base, jobs and a recipe, gives fitted adapters as they finish. Knows no files.

Each adapter has its own data, loss, gradient norm, schedule and random numbers, and every matrix product of the base is
computed adapter by adapter in the same shape: in float32 an adapter is the same bits whatever is trained beside it
(without the fused kernels, where the widths of the base's layers are multiples of 16, as they are in all usual bases:
PyTorch's products of rows that begin at odd addresses may differ in the last bits).
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch

from temporal_adapters.engines.model import Adapter, Base, Dropout, document_attention, new_adapter, redraw, stacked
from temporal_adapters.ground.errors import TrainError
from temporal_adapters.ground.progress import Listener, Tick, silent
from temporal_adapters.stages.train.choice import Shape, choose
from temporal_adapters.stages.train.forward import Forward
from temporal_adapters.stages.train.job import Fitted, Job, Recipe
from temporal_adapters.stages.train.lower import Memory
from temporal_adapters.stages.train.passes import choose_together, micro_batch
from temporal_adapters.stages.train.weights import State, Weights

_NOTE_EVERY = 20  # steps between two looks at the loss: on a GPU a look waits for the device


class Keeper:
    """Where a run keeps its states, so that it can go on after it was killed; this one keeps nothing."""

    def load(self, job: Job) -> State | None:
        """Return the state that `save` got for `job` in an earlier process, or None."""
        return None

    def due(self, job: Job, step: int) -> bool:
        """Return whether the state after `step` is wanted; asked after every step of every job."""
        return False

    def save(self, job: Job, state: State) -> None:
        """Keep the state of a job in work."""

    def checkpoint(self, job: Job, step: int, adapter: Adapter) -> None:
        """Keep the adapter as it is after `step`, one of `Recipe.checkpoint_steps`."""


@dataclass
class Slot:
    """A job in work.

    Attributes
    ----------
    job, n_steps
        What is trained, and for how many optimizer steps.
    start
        Where it begins or goes on: a fresh adapter, or any adapter and the weights' state.
    step, n_tokens, n_fused, losses, held_out
        How far it is, and how many of its steps the fused kernels computed.
    generator
        Source of its dropout masks.
    """

    job: Job
    n_steps: int
    start: tuple[Adapter, State | None]
    step: int = 0
    n_tokens: int = 0
    n_fused: int = 0
    losses: list[torch.Tensor] = field(default_factory=list)
    held_out: dict[int, float] = field(default_factory=dict)
    generator: torch.Generator = field(default_factory=torch.Generator)

    def state(self) -> State:
        """Return everything but the weights."""
        return {
            "dropout": self.generator.get_state(),
            "losses": torch.stack(self.losses).cpu(),
            "counts": torch.tensor([self.step, self.n_tokens, self.n_fused]),
            "held_out": torch.tensor(list(self.held_out.items()), dtype=torch.float64).reshape(-1, 2),
        }

    def restore(self, state: State) -> State:
        """Take up what `state()` gave; return the rest."""
        self.generator.set_state(state.pop("dropout"))
        self.losses = list(state.pop("losses").to(self.generator.device))
        self.step, self.n_tokens, self.n_fused = (int(count) for count in state.pop("counts"))
        self.held_out = {int(step): loss for step, loss in state.pop("held_out").tolist()}
        return state


def fit(
    base: Base,
    jobs: Iterable[Job],
    recipe: Recipe,
    *,
    together: int | None = None,
    keeper: Keeper | None = None,
    listener: Listener = silent,
    n_tokens: int | None = None,
) -> Iterator[Fitted]:
    """Fit one adapter per job and yield each when it is finished.

    Parameters
    ----------
    base
        The resident base.
    jobs
        What to fit; an iterator is asked for the next job when there is room for one. Results do not depend on the
        order or the company.
    recipe
        How.
    together
        Adapters in one forward pass; None chooses by the tokens per step.
    keeper
        Keeps states and checkpoints.
    listener
        Hears of progress in tokens (with padding).
    n_tokens
        Tokens of all jobs, for the progress; None counts them, if `jobs` is a sequence.

    Raises
    ------
    TrainError
        If a job has no block, or its loss is no number any more.
    """
    if n_tokens is None:
        sized = jobs if isinstance(jobs, Sequence) else ()
        n_tokens = sum(recipe.n_steps(len(job.blocks)) * job.blocks.block_length for job in sized)
        n_tokens *= recipe.blocks_per_step
    runner = _Runner(base, recipe, keeper or Keeper(), listener, n_tokens)
    with contextlib.nullcontext() if recipe.attention == "padded" else document_attention(base.model):
        yield from runner.run(iter(jobs), together)


class _Runner:
    def __init__(self, base: Base, recipe: Recipe, keeper: Keeper, listener: Listener, n_tokens: int) -> None:
        self.base, self.recipe, self.keeper, self.listener = base, recipe, keeper, listener
        self.done, self.total = 0, n_tokens
        self.template = new_adapter(base.model, recipe.shape, torch.Generator())
        self.memory = Memory(base.device)
        self.block_length = 0

    def run(self, jobs: Iterator[Job], together: int | None) -> Iterator[Fitted]:
        """Run all jobs in slots, in fewer slots once no job is left."""
        first = next(jobs, None)
        if first is None:
            return
        _require_blocks(first)
        self.block_length = first.blocks.block_length
        self.micro = micro_batch(self.base.device.type, self.recipe, self.block_length)
        count = together or choose_together(self.base.device.type, self.block_length, self.micro)
        if self.recipe.attention == "padded":
            count = 1  # the length of a row's padding, and so an adapter's last bits, would depend on its company
        self.choice = choose(self.base, self.recipe, Shape(self.micro, self.block_length), first.blocks)
        self.listener(Tick("train", self.done, self.total, "tokens", first.name, self.choice.sentence()))
        with self.choice.threads():
            yield from self._fill(itertools.chain([first], jobs), count)

    def _fill(self, jobs: Iterator[Job], count: int) -> Iterator[Fitted]:
        slots = [self._open(job) for job in itertools.islice(jobs, count)]
        while slots:
            with stacked(self.base.model, [self.template] * len(slots), exact=True) as stack:
                weights = Weights(stack, self.recipe, self.base.dtype)
                for number, slot in enumerate(slots):
                    weights.load(number, *slot.start)
                yield from self._round(weights, slots, jobs)
                for number, slot in enumerate(slots):
                    slot.start = (self.template, weights.state(number))
            slots = [slot for slot in slots if slot.step < slot.n_steps]

    def _open(self, job: Job) -> Slot:
        if job.blocks.block_length != self.block_length:
            lengths = f"{self.block_length} and {job.blocks.block_length}"
            raise TrainError(f"blocks of {lengths} tokens cannot be trained together: pack all to one length")
        _require_blocks(job)
        slot = Slot(
            job, self.recipe.n_steps(len(job.blocks)), start=(redraw(self.template, job.generator("init")), None)
        )
        slot.generator = torch.Generator(self.base.device).manual_seed(job.generator("dropout").initial_seed())
        state = self.keeper.load(job)
        if state is not None:
            slot.start = (self.template, slot.restore(dict(state)))
            self.done += slot.step * self._tokens_per_step
        return slot

    @property
    def _tokens_per_step(self) -> int:
        return self.recipe.blocks_per_step * self.block_length

    def _round(self, weights: Weights, slots: list[Slot], jobs: Iterator[Job]) -> Iterator[Fitted]:
        """Step all slots; a finished one is refilled, or ends the round if no job is left."""
        forward = Forward(self.base, weights.stack, self.recipe.attention, self.choice.kernels, self.memory)
        while True:
            for number in range(len(slots)):
                yield from self._refill(weights, slots, number, jobs)
            if any(slot.step >= slot.n_steps for slot in slots):
                return
            for number, slot in enumerate(slots):
                if slot.step == 0:
                    self._measure(forward, weights, slot, number)
            self._set_dropout(weights, slots)
            self._step(forward, weights, slots)

    def _refill(self, weights: Weights, slots: list[Slot], number: int, jobs: Iterator[Job]) -> Iterator[Fitted]:
        """Hand out what slot `number` holds if it is finished, and put the next job there if one is left."""
        while slots[number].step >= slots[number].n_steps:
            yield self._finish(weights, slots[number], number)
            job = next(jobs, None)
            if job is None:
                return
            slots[number] = self._open(job)
            weights.load(number, *slots[number].start)

    def _step(self, forward: Forward, weights: Weights, slots: Sequence[Slot]) -> None:
        n = self.recipe.blocks_per_step
        rows = [slot.job.order(slot.step * n, n) for slot in slots]
        counts = [forward.count(slot.job.blocks, chosen) for slot, chosen in zip(slots, rows, strict=True)]
        sums = torch.zeros(len(slots), device=self.base.device)
        shares = torch.tensor([1 / count.weight for count in counts], device=self.base.device)
        for at in range(0, n, self.micro):
            parts = [(slot.job.blocks, chosen[at : at + self.micro]) for slot, chosen in zip(slots, rows, strict=True)]
            losses = forward.losses(parts)
            weights.backward((losses * shares).sum())
            sums += losses.detach()
        rates = [self.recipe.rate(slot.step, slot.n_steps) for slot in slots]
        weights.step([slot.step for slot in slots], rates)
        for number, slot in enumerate(slots):
            slot.losses.append(sums[number] / counts[number].weight)
            slot.step += 1
            slot.n_tokens += counts[number].tokens
            slot.n_fused += forward.kernels.fused
            self._after_step(forward, weights, slot, number)
        self.done += len(slots) * self._tokens_per_step
        self._tell(slots)

    def _tell(self, slots: Sequence[Slot]) -> None:
        note = f"loss {float(slots[0].losses[-1]):.3f}" if slots[0].step % _NOTE_EVERY == 0 else ""
        slot = slots[0]
        self.listener(Tick("train", self.done, self.total, "tokens", slot.job.name, note, slot.step, slot.n_steps))

    def _after_step(self, forward: Forward, weights: Weights, slot: Slot, number: int) -> None:
        every, last = self.recipe.held_out_every, slot.step == slot.n_steps
        if last or (every is not None and slot.step % every == 0):
            self._measure(forward, weights, slot, number)
        if slot.step in self.recipe.checkpoint_steps:
            self.keeper.checkpoint(slot.job, slot.step, weights.take(number))
        if not last and self.keeper.due(slot.job, slot.step):
            self.keeper.save(slot.job, {**weights.state(number), **slot.state()})

    def _measure(self, forward: Forward, weights: Weights, slot: Slot, number: int) -> None:
        if slot.job.held_out is not None and slot.step not in slot.held_out:
            with weights.averaged(number):
                slot.held_out[slot.step] = forward.mean_loss(slot.job.held_out, number, self.micro)

    def _finish(self, weights: Weights, slot: Slot, number: int) -> Fitted:
        losses = tuple(torch.stack(slot.losses).tolist())
        wrong = next((step for step, loss in enumerate(losses) if not math.isfinite(loss)), None)
        if wrong is not None:
            raise TrainError(
                f"{slot.job.name}: the loss is no number from step {wrong + 1} on: lower train.learning_rate"
                f" (now {self.recipe.learning_rate:g})"
            )
        counts = slot.n_tokens, slot.n_steps, slot.n_fused
        return Fitted(slot.job, weights.take(number), losses, *counts, dict(slot.held_out), self.choice.facts())

    def _set_dropout(self, weights: Weights, slots: Sequence[Slot]) -> None:
        if self.recipe.shape.dropout:
            dropout = Dropout(self.recipe.shape.dropout, [slot.generator for slot in slots])
            for layer in weights.stack.layers.values():
                layer.dropout = dropout


def _require_blocks(job: Job) -> None:
    if not len(job.blocks):
        raise TrainError(f"{job.name} has no block of tokens: its corpus is empty (or shorter than one chunk)")
