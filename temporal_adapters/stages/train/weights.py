"""The trainable weights of K adapters, with AdamW, clipping and a moving average for each of them.

Takes a stack, gives steps. Knows no data.

All weights of one adapter lie in one row of memory (the stacked layers look into it), and every update works on one
row: an adapter's gradient norm, its learning rate and its moments never meet another adapter's. What pads a rank of 1,
and the gaps between tensors, stay zero: they get no gradient.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import torch

from temporal_adapters.engines.model import Adapter, Lora, Stack
from temporal_adapters.stages.train.job import Recipe

State = dict[str, torch.Tensor]
_HALVES = ("a", "b")
_ALIGNED = 16  # floats, a cache line: every tensor of every slot begins at one, as the last bits may depend on it


class Weights:
    """Weights, gradients and moments of the adapters of a stack.

    Parameters
    ----------
    stack
        Attached adapters of equal shapes; its layers' tensors become trainable.
    recipe
        Optimizer settings.
    dtype
        Precision of the adapters' products; the weights themselves stay in float32.
    """

    def __init__(self, stack: Stack, recipe: Recipe, dtype: torch.dtype) -> None:
        self.stack, self.recipe = stack, recipe
        tensors = [(name, half, getattr(stack.layers[name], half)) for name in stack.layers for half in _HALVES]
        n, options = stack.n_adapters, {"device": tensors[0][2].device, "dtype": tensors[0][2].dtype}
        kinds = ("value", "grad", "mean", "square", *(("average",) if recipe.ema_decay is not None else ()))
        whole = sum(_room(tensor) for _, _, tensor in tensors)
        self._rows = {kind: torch.zeros(n, whole, **options) for kind in kinds}
        self._views: dict[str, dict[tuple[str, str], torch.Tensor]] = {kind: {} for kind in kinds}
        at = 0
        for name, half, tensor in tensors:
            for kind, rows in self._rows.items():
                self._views[kind][name, half] = _view(rows[:, at : at + tensor[0].numel()], tensor.shape, half)
            at += _room(tensor)
            weight = self._views["value"][name, half].detach().requires_grad_()
            weight.grad = self._views["grad"][name, half]
            setattr(stack.layers[name], half, weight)
            stack.layers[name].dtype = dtype

    def _own(self, view: torch.Tensor, slot: int, name: str, half: str) -> torch.Tensor:
        """Return the part of `view` that is the adapter in `slot`, without what pads its rank."""
        r = self.stack.adapters[slot].modules[name].a.shape[0]
        return view[slot, :r] if half == "a" else view[slot, :, :r]

    def load(self, slot: int, adapter: Adapter, state: Mapping[str, torch.Tensor] | None = None) -> None:
        """Put `adapter`, or the `state` of an interrupted run, into `slot`."""
        for kind, views in self._views.items():
            if kind == "grad":
                continue
            for (name, half), view in views.items():
                mine = self._own(view, slot, name, half)
                if state is not None:
                    mine.copy_(state[f"{kind}/{name}/{half}"])
                elif kind in ("mean", "square"):
                    mine.zero_()
                else:
                    mine.copy_(getattr(adapter.modules[name], half))

    def state(self, slot: int) -> State:
        """Return what `load` needs to go on exactly here (copies on the CPU)."""
        return {
            f"{kind}/{name}/{half}": _copy(self._own(view, slot, name, half))
            for kind, views in self._views.items()
            if kind != "grad"
            for (name, half), view in views.items()
        }

    def take(self, slot: int) -> Adapter:
        """Return the adapter in `slot` as it is now (the moving average where there is one), on the CPU."""
        template = self.stack.adapters[slot]
        pairs: dict[str, dict[str, torch.Tensor]] = {}
        for (name, half), view in self._views.get("average", self._views["value"]).items():
            pairs.setdefault(name, {})[half] = _copy(self._own(view, slot, name, half))
        loras = {name: Lora(pair["a"], pair["b"], template.modules[name].scale) for name, pair in pairs.items()}
        return Adapter(loras, template.config)

    @contextlib.contextmanager
    def averaged(self, slot: int) -> Iterator[None]:
        """Compute with what `take` would give for `slot` while the block lasts; then the weights are as before."""
        if "average" not in self._rows:
            yield
            return
        value = self._rows["value"][slot]
        before = value.clone()
        try:
            value.copy_(self._rows["average"][slot])
            yield
        finally:
            value.copy_(before)

    def backward(self, loss: torch.Tensor) -> None:
        """Add the gradients of `loss` to those that are there (lean layers add theirs by themselves)."""
        tensors = [getattr(self.stack.layers[name], half) for name, half in self._views["value"]]
        found = torch.autograd.grad(loss, tensors, allow_unused=True)
        for view, grad in zip(self._views["grad"].values(), found, strict=True):
            if grad is not None:
                view.add_(grad)

    def step(self, steps: Sequence[int], rates: Sequence[float]) -> None:
        """Clip and update every slot, which is at optimizer step `steps` (from 0) with learning rate `rates`."""
        for slot, (step, rate) in enumerate(zip(steps, rates, strict=True)):
            row = {kind: rows[slot] for kind, rows in self._rows.items()}
            if self.recipe.max_grad_norm is not None:
                norm = torch.linalg.vector_norm(row["grad"])
                row["grad"].mul_((self.recipe.max_grad_norm / (norm + 1e-6)).clamp(max=1.0))
            self._adamw(row, step, rate)
            if self.recipe.ema_decay is not None:
                # The decay grows into its value, so that an average over few steps is not mostly the start.
                decay = min(self.recipe.ema_decay, (1 + step) / (10 + step))
                row["average"].lerp_(row["value"], 1 - decay)
        self._rows["grad"].zero_()

    def _adamw(self, row: Mapping[str, torch.Tensor], step: int, rate: float) -> None:
        """One AdamW step (Loshchilov & Hutter 2019) on one adapter, by torch's fused kernel."""
        recipe, value = self.recipe, row["value"]
        torch._fused_adamw_(
            [value],
            [row["grad"]],
            [row["mean"]],
            [row["square"]],
            [],
            [torch.tensor(float(step + 1), device=value.device)],
            lr=rate,
            beta1=recipe.betas[0],
            beta2=recipe.betas[1],
            weight_decay=recipe.weight_decay,
            eps=recipe.epsilon,
            amsgrad=False,
            maximize=False,
        )


def _view(rows: torch.Tensor, shape: torch.Size, half: str) -> torch.Tensor:
    """Return `rows` (K, n) as tensors of `shape`; what has as few columns as an adapter's rank lies transposed.

    Products with narrow matrices are several times faster where the long side lies in adjacent memory.
    """
    if half == "a":
        return rows.view(shape)
    n_adapters, d_out, rank = shape
    return rows.view(n_adapters, rank, d_out).transpose(1, 2)


def _copy(view: torch.Tensor) -> torch.Tensor:
    return view.to("cpu", copy=True, memory_format=torch.contiguous_format)


def _room(tensor: torch.Tensor) -> int:
    """Return the floats that one adapter's part of `tensor` (K, ...) takes in its row."""
    return -(-tensor[0].numel() // _ALIGNED) * _ALIGNED
