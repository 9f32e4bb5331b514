"""K LoRA adapters on one resident base, in one forward and backward.

Takes a base model and adapters, gives the same model with stacked weights attached; leaving the context puts the
original layers back. Knows neither posts nor questions.

Rows of a batch are adapter-major: with K adapters and n rows each, rows 0..n-1 belong to the first adapter, the next n
to the second, and so on. Adapters may differ in rank and targets: smaller ranks are padded with zeros, a module that an
adapter does not target gets zeros.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from temporal_adapters.engines.model.adapter import Adapter, Lora
from temporal_adapters.engines.model.targets import is_linear, sizes
from temporal_adapters.ground.errors import ModelError


class StackedLinear(nn.Module):
    """A frozen linear layer plus the LoRA weights of K adapters on it.

    Parameters
    ----------
    base
        The layer that stays as it is.
    a, b
        Tensors (K, r, d_in) and (K, d_out, r).
    scale
        Tensor (K, 1, 1): factor on each adapter's product.
    exact
        Compute the base layer adapter by adapter, so that an adapter's numbers are the same bits whatever is computed
        beside it: a matrix product's last bits may depend on its number of rows.
    """

    def __init__(
        self, base: nn.Module, a: torch.Tensor, b: torch.Tensor, scale: torch.Tensor, exact: bool = False
    ) -> None:
        super().__init__()
        self.base = base
        self.a, self.b, self.scale, self.exact = a, b, scale, exact
        self.dropout: Dropout | None = None
        self.dtype: torch.dtype | None = None
        """Precision of the adapters' products; None is that of their weights (as PEFT computes outside autocast)."""

    @property
    def weight(self) -> Any:
        """The frozen layer's own weight: some architectures look at its precision or device (PEFT gives the same)."""
        return self.base.weight

    @property
    def bias(self) -> Any:
        """The frozen layer's own bias."""
        return self.base.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's output (rows, ..., d_out) for `x` (rows, ..., d_in), rows adapter-major."""
        n_adapters = self.a.shape[0]
        if x.shape[0] % n_adapters:
            raise ValueError(f"{x.shape[0]} rows cannot be shared out evenly over {n_adapters} adapters")
        out = self._base(x, n_adapters)
        grouped = x.reshape(n_adapters, -1, x.shape[-1])
        if self.dropout is not None:
            grouped = self.dropout(grouped)
        dtype = self.dtype or self.a.dtype
        a, b = self.a.to(dtype).transpose(1, 2), self.b.to(dtype).transpose(1, 2)
        inner = torch.bmm(grouped.to(dtype), a) * self.scale.to(dtype)
        if out.dtype == dtype:
            return torch.baddbmm(out.reshape(n_adapters, -1, out.shape[-1]), inner, b).view(out.shape)
        return out + torch.bmm(inner, b).view(out.shape).to(out.dtype)

    def _base(self, x: torch.Tensor, n_adapters: int) -> torch.Tensor:
        if not self.exact or n_adapters == 1:
            return self.base(x)
        return torch.cat([self.base(part) for part in x.chunk(n_adapters)])


class SharedLinear(nn.Module):
    """A frozen linear layer without adapters, computed adapter by adapter (see `StackedLinear.exact`).

    Parameters
    ----------
    base
        The layer that stays as it is.
    beside
        A layer with adapters: how many it computes with is how many share this one.
    """

    def __init__(self, base: nn.Module, beside: StackedLinear) -> None:
        super().__init__()
        self.base = base
        self._beside = [beside]  # in a list, so that it is no submodule of this one

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's output (rows, ..., d_out) for `x` (rows, ..., d_in), rows adapter-major."""
        n_adapters = self._beside[0].a.shape[0]
        if n_adapters == 1:
            return self.base(x)
        return torch.cat([self.base(part) for part in x.chunk(n_adapters)])


class Dropout:
    """Dropout whose masks come from one generator per adapter, so that neighbours do not change them.

    Parameters
    ----------
    probability
        Share of input features dropped.
    generators
        One per adapter, on the device of the weights.
    """

    def __init__(self, probability: float, generators: Sequence[torch.Generator]) -> None:
        self.probability, self.generators = probability, list(generators)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return `x` (K, n, d) with features dropped and the others scaled up."""
        return x * self.mask(x)

    def mask(self, x: torch.Tensor) -> torch.Tensor:
        """Return the factors (K, n, d) of the features of `x`: 0 for those dropped."""
        keep = 1 - self.probability
        mask = torch.empty_like(x)
        for row, generator in zip(mask, self.generators, strict=True):
            row.bernoulli_(keep, generator=generator)
        return mask.div_(keep)


@dataclass
class Stack:
    """The attached adapters.

    Attributes
    ----------
    model
        The base model, with the stacked layers in place.
    layers
        Module name -> stacked layer.
    adapters
        The adapters as they were given.
    """

    model: nn.Module
    layers: dict[str, StackedLinear]
    adapters: Sequence[Adapter]

    @property
    def n_adapters(self) -> int:
        """Number of adapters K: a batch has a multiple of K rows."""
        return len(self.adapters)

    @property
    def n_active(self) -> int:
        """Number of adapters that the next forward pass computes with."""
        return next(iter(self.layers.values())).a.shape[0]

    @contextlib.contextmanager
    def only(self, number: int) -> Iterator[None]:
        """Compute with adapter `number` alone while the block lasts (without dropout)."""
        before = [(layer, layer.a, layer.b, layer.scale, layer.dropout) for layer in self.layers.values()]
        row = slice(number, number + 1)
        try:
            for layer, a, b, scale, _ in before:
                layer.a, layer.b, layer.scale, layer.dropout = a[row], b[row], scale[row], None
            yield
        finally:
            for layer, a, b, scale, dropout in before:
                layer.a, layer.b, layer.scale, layer.dropout = a, b, scale, dropout

    def take(self, number: int) -> Adapter:
        """Return adapter `number` with its weights as they are now."""
        before = self.adapters[number]
        modules = {}
        for name, old in before.modules.items():
            layer, r = self.layers[name], old.a.shape[0]
            a, b = layer.a[number, :r], layer.b[number, :, :r]
            modules[name] = Lora(a.detach().clone(), b.detach().clone(), old.scale)
        return Adapter(modules, before.config)


@contextlib.contextmanager
def stacked(model: nn.Module, adapters: Sequence[Adapter], *, exact: bool = False) -> Iterator[Stack]:
    """Attach `adapters` to `model` while the block lasts; afterwards the model is the plain base again, bit by bit.

    Parameters
    ----------
    model
        A frozen base (`Base.model`); one stack at a time.
    adapters
        One or more, in the order of the batch's rows. An adapter without modules is the base itself.
    exact
        Make every adapter's numbers independent of its neighbours to the last bit (see `StackedLinear`).

    Raises
    ------
    ModelError
        If an adapter targets a module that the base lacks, or has other sizes.
    """
    if any(isinstance(module, StackedLinear) for module in model.modules()):
        raise ModelError("adapters are already attached to this base: leave that `with stacked(...)` block first")
    names = list(dict.fromkeys(name for adapter in adapters for name in adapter.modules))
    layers = {name: _stack(model, name, adapters, exact) for name in names}
    shared = _share(model, layers) if exact else {}
    try:
        for name, layer in (layers | shared).items():
            _put(model, name, layer)
        yield Stack(model, layers, list(adapters))
    finally:
        for name, layer in (layers | shared).items():
            _put(model, name, layer.base)


def _share(model: Any, layers: Mapping[str, StackedLinear]) -> dict[str, SharedLinear]:
    """Return a layer for each linear one that has no adapters, but the output head (it is computed by the losses)."""
    beside, head = next(iter(layers.values()), None), model.get_output_embeddings()
    if beside is None or beside.a.shape[0] == 1:
        return {}
    found = model.named_modules()
    plain = {name: module for name, module in found if is_linear(module) and module is not head and name not in layers}
    return {name: SharedLinear(module, beside) for name, module in plain.items()}


def _put(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)


def _stack(model: nn.Module, name: str, adapters: Sequence[Adapter], exact: bool) -> StackedLinear:
    base = _layer(model, name)
    d_in, d_out = sizes(base)
    loras = [adapter.modules.get(name) for adapter in adapters]
    present = [lora for lora in loras if lora is not None]
    options: dict[str, Any] = {"dtype": present[0].a.dtype, "device": next(base.parameters()).device}
    rank = max(lora.a.shape[0] for lora in present)
    if exact:
        # With one column a batched product takes another path for one adapter than for several: a zero one is added.
        rank = max(rank, 2)
    a = torch.zeros(len(loras), rank, d_in, **options)
    b = torch.zeros(len(loras), d_out, rank, **options)
    scale = torch.zeros(len(loras), 1, 1, **options)
    for number, lora in enumerate(loras):
        if lora is None:
            continue
        if lora.a.shape[1] != d_in or lora.b.shape[0] != d_out:
            found = f"{lora.a.shape[1]} -> {lora.b.shape[0]}"
            raise ModelError(
                f"adapter {number + 1} was trained on another base: {name!r} is {found}, here {d_in} -> {d_out}"
            )
        r = lora.a.shape[0]
        a[number, :r], b[number, :, :r], scale[number] = lora.a, lora.b, lora.scale
    return StackedLinear(base, a, b, scale, exact)


def _layer(model: nn.Module, name: str) -> nn.Module:
    try:
        module = model.get_submodule(name)
    except AttributeError:
        module = nn.Identity()
    if not is_linear(module):
        raise ModelError(f"an adapter targets {name!r}, which is no linear layer of this base: use its own base model")
    return module
