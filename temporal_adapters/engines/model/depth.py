"""A model in two parts: the layers below the first one with adapters, and those from there on.

Takes a Hugging Face model, gives hidden states between its layers, and forward passes that begin at such states. Knows
no adapter. It finds layers in the one list that most architectures keep them in, and asks nothing else of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from temporal_adapters.engines.model.targets import n_layers_of


def layer_list(model: Any) -> tuple[nn.Module, str] | None:
    """Return the module and the attribute under which `model` keeps its layers; None where they lie otherwise."""
    for name, child in model.base_model.named_children():
        if isinstance(child, nn.ModuleList) and len(child) == n_layers_of(model):
            return model.base_model, name
    return None


@contextlib.contextmanager
def shallow(model: Any, depth: int) -> Iterator[None]:
    """Let `model` end after its first `depth` layers while the block lasts, where its layers lie in one list."""
    place = layer_list(model)
    if place is None or n_layers_of(model) <= depth:
        yield
        return
    layers = getattr(*place)
    setattr(*place, layers[:depth])
    try:
        yield
    finally:
        setattr(*place, layers)


class _Enough(Exception):  # noqa: N818 (it ends a forward pass, nothing is wrong)
    pass


def states_below(model: Any, first: int, **options: Any) -> torch.Tensor:
    """Return what layer `first` is given, (rows, tokens, d_model); the layers from there on are not computed.

    Parameters
    ----------
    model
        A model with a `layer_list`.
    first
        Number of the layer, from 1.
    options
        Of the forward pass.
    """
    caught: list[torch.Tensor] = []

    def stop(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        caught.append(given[0] if given else named["hidden_states"])
        raise _Enough

    handle = _layers(model)[first].register_forward_pre_hook(stop, with_kwargs=True)
    try:
        with contextlib.suppress(_Enough), torch.no_grad():
            model.base_model(**options)
    finally:
        handle.remove()
    return caught[0]


@contextlib.contextmanager
def starting_at(model: Any, first: int, states: torch.Tensor) -> Iterator[None]:
    """Let forward passes of `model` begin with `states` at layer `first` while the block lasts."""
    skipped = list(_layers(model)[:first])

    def begin(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        if given:
            return (states, *given[1:]), named
        return given, {**named, "hidden_states": states}

    handle = _layers(model)[first].register_forward_pre_hook(begin, with_kwargs=True)
    for layer in skipped:
        layer.forward = _pass_on
    try:
        yield
    finally:
        handle.remove()
        for layer in skipped:
            del layer.forward


def _pass_on(hidden_states: torch.Tensor, *given: Any, **named: Any) -> torch.Tensor:
    return hidden_states


def _layers(model: Any) -> Any:
    place = layer_list(model)
    if place is None:
        raise ValueError("this model keeps its layers in no list of their own")
    return getattr(*place)
