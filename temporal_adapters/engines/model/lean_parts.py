"""The parts of a lean layer: linear layers with adapters, norms, and memory that is used again.

Takes float32 tensors on the CPU, writes into tensors that its caller gives. Knows no model.
"""

from __future__ import annotations

from typing import Any

import torch

from temporal_adapters.engines.model import native
from temporal_adapters.engines.model.stacked import SharedLinear, StackedLinear


class Room:
    """Memory that layers use one after the other."""

    def __init__(self) -> None:
        self._held: dict[str, torch.Tensor] = {}

    def get(self, name: str, *shape: int) -> torch.Tensor:
        """Return memory of `shape`; what it held before under `name` is gone."""
        held = self._held.get(name)
        if held is None or held.shape != shape:
            held = self._held[name] = torch.empty(shape)
        return held


class Line:
    """A frozen linear layer with the adapters on it, if there are any."""

    def __init__(self, module: Any) -> None:
        self.lora: StackedLinear | None = module if isinstance(module, StackedLinear) else None
        base: Any = module.base if isinstance(module, StackedLinear | SharedLinear) else module
        self.weight: torch.Tensor = base.weight
        self.bias: torch.Tensor | None = base.bias
        self._inner: torch.Tensor
        self._mask: torch.Tensor | None = None

    @property
    def width(self) -> int:
        """Columns of the output."""
        return self.weight.shape[0]

    def forward(self, x: torch.Tensor, out: torch.Tensor, add: torch.Tensor | None, n_adapters: int) -> None:
        """Write the layer's output for `x` (tokens, d_in), plus `add` if there is any, into `out` (tokens, d_out)."""
        x, out = _grouped(x, n_adapters), _grouped(out, n_adapters)
        weight = self.weight.T.expand(n_adapters, -1, -1)
        if add is None:
            torch.bmm(x, weight, out=out)
        else:
            torch.baddbmm(_grouped(add, n_adapters), x, weight, out=out)
        if self.bias is not None:
            out.add_(self.bias)
        if self.lora is not None:
            self._mask = None if self.lora.dropout is None else self.lora.dropout.mask(x)
            seen = x if self._mask is None else x * self._mask
            self._inner = torch.bmm(seen, self.lora.a.transpose(1, 2)).mul_(self.lora.scale)
            out.baddbmm_(self._inner, self.lora.b.transpose(1, 2))

    def backward(self, grad: torch.Tensor, x: torch.Tensor, into: torch.Tensor | None, fresh: bool, n: int) -> None:
        """Add to the adapters' gradients; write the gradient of `x` into `into`, or add it there if not `fresh`."""
        grad, x = _grouped(grad, n), _grouped(x, n)
        found = None if into is None else _grouped(into, n)
        if found is not None:
            weight = self.weight.expand(n, -1, -1)
            if fresh:
                torch.bmm(grad, weight, out=found)
            else:
                found.baddbmm_(grad, weight)
        if self.lora is None:
            return
        a, b = self.lora.a, self.lora.b
        if a.grad is None or b.grad is None:
            raise RuntimeError("the adapters' gradients must be there before a lean backward pass")
        inner = torch.bmm(grad, b).mul_(self.lora.scale)
        b.grad.transpose(1, 2).baddbmm_(self._inner.transpose(1, 2), grad)
        a.grad.baddbmm_(inner.transpose(1, 2), x if self._mask is None else x * self._mask)
        if found is not None and self._mask is None:
            found.baddbmm_(inner, a)
        elif found is not None and self._mask is not None:
            found.add_(torch.bmm(inner, a).mul_(self._mask))


def _grouped(x: torch.Tensor, n_adapters: int) -> torch.Tensor:
    return x.view(n_adapters, -1, x.shape[-1])


class Norm:
    """An RMS norm; it remembers what its backward pass needs."""

    def __init__(self, module: Any) -> None:
        self.weight: torch.Tensor = module.weight
        self.eps = float(module.variance_epsilon)
        self.room = Room()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalised rows of `x` (tokens, d), overwritten by the next call."""
        out, rstd = self.room.get("out", *x.shape), self.room.get("rstd", len(x))
        native.rms_norm(x, self.weight, self.eps, out, rstd)
        return out

    def backward(self, grad: torch.Tensor, x: torch.Tensor, add: torch.Tensor | None, out: torch.Tensor) -> None:
        """Write the gradient of `x`, plus `add` if there is any, into `out`."""
        native.rms_norm_back(grad, x, self.weight, self.room.get("rstd", len(x)), add, out)
