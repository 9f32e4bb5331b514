"""Llama-like models on a CPU without waste: a decoder layer is its matrix products and the fused kernels between them.

Takes a base with stacked adapters, gives last hidden states whose backward pass fills the adapters' gradients. Knows no
loss.

It computes what the Hugging Face modules compute (a test compares), but memory is used again in every step, gradients
go straight into the stacked ``.grad`` tensors, frozen weights are multiplied adapter by adapter in one batched call,
and below the first layer with adapters nothing is computed backward. Other architectures, devices and precisions take
the Hugging Face modules themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from temporal_adapters.engines.model import native
from temporal_adapters.engines.model.attention import Layout
from temporal_adapters.engines.model.lean_parts import Line, Norm, Room
from temporal_adapters.engines.model.stacked import Stack, StackedLinear

KINDS = frozenset({"LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM"})
_STEADY = frozenset({"default", "linear", "llama3"})  # angles that depend on a token's position alone


def is_fusable(model: nn.Module) -> bool:
    """Return whether the fused kernels can compute for `model`: float32, on a CPU, and they can be compiled."""
    if any(p.dtype != torch.float32 or p.device.type != "cpu" for p in model.parameters()):
        return False
    return native.kernels() is not None


def lean(stack: Stack) -> LeanModel | None:
    """Return the lean form of the stack's model, which is fusable, or None if it has none."""
    model: Any = stack.model
    if type(model).__name__ not in KINDS or model.config.hidden_act != "silu":
        return None
    return LeanModel(model, stack) if all(map(_is_plain, model.modules())) else None


def _is_plain(module: nn.Module) -> bool:
    if isinstance(module, StackedLinear):
        return type(module.base) is nn.Linear and module.a.dtype == torch.float32
    return not isinstance(module, nn.Linear) or type(module) is nn.Linear


@dataclass
class Batch:
    """What all layers need of a batch.

    Attributes
    ----------
    documents
        Where documents begin.
    cosine, sine
        Angles of the tokens, (tokens, d_head).
    n_adapters
        Adapters K whose tokens follow each other.
    """

    documents: native.Documents
    cosine: torch.Tensor
    sine: torch.Tensor
    n_adapters: int


class LeanModel:
    """The lean form of one model with its adapters attached.

    Parameters
    ----------
    model
        A Hugging Face causal language model of one of `KINDS`.
    stack
        The adapters on it.
    """

    def __init__(self, model: Any, stack: Stack) -> None:
        self.model, self.stack = model.model, stack
        self.room = Room()
        self.layers = [_Layer(layer, self.room) for layer in self.model.layers[: model.config.num_hidden_layers]]
        self.norm = Norm(self.model.norm)
        self._angles: tuple[torch.Tensor, torch.Tensor] | None = None

    def below(self, first: int, ids: torch.Tensor, layout: Layout) -> torch.Tensor:
        """Return what layer `first` is given, (rows, tokens, d_model); the layers below it have no adapters."""
        x = self.model.embed_tokens(ids)
        batch = self._batch(x, layout, 1)
        flat = x.flatten(0, 1).contiguous()
        for layer in self.layers[:first]:
            flat = layer.forward(flat, batch)
        return flat.view(x.shape)

    def hidden(
        self, ids: torch.Tensor, layout: Layout, first: int = 0, states: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return last hidden states (rows, tokens, d_model) for `ids` (rows, tokens) and their layout in place.

        With `states`, what layer `first` is given, the layers below it are not computed.

        They are overwritten by the next call; their backward pass is to be run once, before that.
        """
        x = self.model.embed_tokens(ids) if states is None else states
        batch = self._batch(x, layout, self.stack.n_active)
        flat = x.flatten(0, 1).contiguous()
        for layer in self.layers[first:]:
            flat = _LayerFunction.apply(flat, layer, batch, *layer.adapters())
        found: torch.Tensor = _NormFunction.apply(flat, self.norm).view(x.shape)
        return found

    def _batch(self, x: torch.Tensor, layout: Layout, n_adapters: int) -> Batch:
        if layout.in_place is None:
            raise RuntimeError("lean layers attend to documents where they lie: the layout has none")
        return Batch(layout.in_place.documents, *self._turns(x, layout.positions), n_adapters)

    def _turns(self, x: torch.Tensor, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return cosine and sine of the tokens' angles, (tokens, d_head); they are looked up where that is exact."""
        if self.model.rotary_emb.rope_type not in _STEADY:
            cosine, sine = self.model.rotary_emb(x, positions)
            return cosine.flatten(0, 1).contiguous(), sine.flatten(0, 1).contiguous()
        if self._angles is None or len(self._angles[0]) < positions.shape[1]:
            cosine, sine = self.model.rotary_emb(x, torch.arange(positions.shape[1])[None])
            self._angles = cosine[0], sine[0]
        where = positions.reshape(-1)
        return self._angles[0].index_select(0, where), self._angles[1].index_select(0, where)


class _Layer:
    """A decoder layer and the memory of what its backward pass needs.

    Parameters
    ----------
    module
        The Hugging Face layer.
    shared
        Memory that all layers may use for what they need for a moment.
    """

    def __init__(self, module: Any, shared: Room) -> None:
        attention, mlp = module.self_attn, module.mlp
        self.q, self.k, self.v = (Line(getattr(attention, f"{name}_proj")) for name in "qkv")
        self.o = Line(attention.o_proj)
        self.gate, self.up, self.down = (Line(getattr(mlp, f"{name}_proj")) for name in ("gate", "up", "down"))
        self.before, self.between = Norm(module.input_layernorm), Norm(module.post_attention_layernorm)
        self.d_head, self.scale = int(attention.head_dim), float(attention.scaling)
        self.window = _window(attention)
        self.shared, self.own = shared, Room()

    def adapters(self) -> list[torch.Tensor]:
        """Return the trainable tensors."""
        lines = (self.q, self.k, self.v, self.o, self.gate, self.up, self.down)
        return [half for line in lines if line.lora is not None for half in (line.lora.a, line.lora.b)]

    def forward(self, x: torch.Tensor, batch: Batch) -> torch.Tensor:
        n, k = len(x), batch.n_adapters
        q, key, value = self._heads(n)
        seen = self.before.forward(x)
        for line, out in ((self.q, q), (self.k, key), (self.v, value)):
            line.forward(seen, out.flatten(1), None, k)
        native.rotate(q, batch.cosine, batch.sine)
        native.rotate(key, batch.cosine, batch.sine)
        mixed, shifts = self.own.get("mixed", *q.shape), self.own.get("shifts", n, q.shape[1])
        native.attend(q, key, value, mixed, shifts, batch.documents, self.scale, self.window)
        middle = self.own.get("middle", *x.shape)
        self.o.forward(mixed.flatten(1), middle, x, k)
        return self._mlp(middle, k)

    def _heads(self, n: int) -> list[torch.Tensor]:
        lines = (("q", self.q), ("k", self.k), ("v", self.v))
        return [self.own.get(name, n, line.width // self.d_head, self.d_head) for name, line in lines]

    def _mlp(self, middle: torch.Tensor, k: int) -> torch.Tensor:
        n = len(middle)
        gate, up, act = (self.own.get(name, n, self.gate.width) for name in ("gate", "up", "act"))
        seen = self.between.forward(middle)
        self.gate.forward(seen, gate, None, k)
        self.up.forward(seen, up, None, k)
        native.swiglu(gate, up, act)
        out = self.own.get("out", *middle.shape)
        self.down.forward(act, out, middle, k)
        return out

    def backward(self, x: torch.Tensor, grad: torch.Tensor, batch: Batch, wanted: bool) -> torch.Tensor | None:
        """Return the gradient of `x` if it is `wanted`."""
        k, outer = batch.n_adapters, self._mlp_back(grad, batch.n_adapters)
        q, key, value = self._heads(len(x))
        mixed, shifts = self.own.get("mixed", *q.shape), self.own.get("shifts", len(x), q.shape[1])
        inner = self.shared.get("mixed", *q.shape)
        self.o.backward(outer, mixed.flatten(1), inner.flatten(1), True, k)
        dq, dk, dv = (self.shared.get(f"d{name}", *t.shape) for name, t in (("q", q), ("k", key), ("v", value)))
        options = batch.documents, self.scale, self.window
        native.attend_back(inner, q, key, value, mixed, shifts, (dq, dk, dv), *options)
        native.rotate(dq, batch.cosine, batch.sine, back=True)
        native.rotate(dk, batch.cosine, batch.sine, back=True)
        seen = self.before.room.get("out", *x.shape)
        into = self.shared.get("seen", *x.shape) if wanted else None
        for number, (line, found) in enumerate(zip((self.q, self.k, self.v), (dq, dk, dv), strict=True)):
            line.backward(found.flatten(1), seen, into, number == 0, k)
        if into is None:
            return None
        # `outer` becomes the result: the layer below reads it while it writes into another one.
        self.before.backward(into, x, outer, outer)
        return outer

    def _mlp_back(self, grad: torch.Tensor, k: int) -> torch.Tensor:
        n, middle = len(grad), self.own.get("middle", *grad.shape)
        gate, up, act = (self.own.get(name, n, self.gate.width) for name in ("gate", "up", "act"))
        inner, into = self.shared.get("act", *act.shape), self.shared.get("seen", *grad.shape)
        self.down.backward(grad, act, inner, True, k)
        native.swiglu_back(inner, gate, up)
        seen = self.between.room.get("out", *grad.shape)
        self.gate.backward(gate, seen, into, True, k)
        self.up.backward(up, seen, into, False, k)
        out = self.own.get("outer", *grad.shape)
        self.between.backward(into, middle, grad, out)
        return out


def _window(attention: Any) -> int | None:
    """Return how many keys a query sees, itself included; None for all."""
    found = getattr(attention, "sliding_window", None)
    if type(attention).__name__.startswith("Mistral"):
        found = getattr(attention.config, "sliding_window", None)
    return None if found is None else int(found)


class _LayerFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, layer: _Layer, batch: Batch, *adapters: torch.Tensor) -> torch.Tensor:
        ctx.layer, ctx.batch, ctx.x = layer, batch, x.detach()
        return layer.forward(ctx.x, batch).detach()

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        found = ctx.layer.backward(ctx.x, grad.contiguous(), ctx.batch, ctx.needs_input_grad[0])
        return (None if found is None else found.detach(), *[None] * (len(ctx.needs_input_grad) - 1))


class _NormFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, norm: Norm) -> torch.Tensor:
        ctx.norm, ctx.x = norm, x.detach()
        return norm.forward(ctx.x).detach()

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        out = torch.empty_like(ctx.x)
        ctx.norm.backward(grad.contiguous(), ctx.x, None, out)
        return out, None
