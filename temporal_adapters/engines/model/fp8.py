"""The frozen base in 8-bit floats, forward and backward, on GPUs that multiply them (compute capability 8.9 and up).

Takes a dense model, gives the same model with 8-bit linear layers. Knows no adapter.

Weights and activations are scaled row by row (the largest absolute value of a row becomes the largest 8-bit float), the
product is accumulated in 32 bits and comes out in the activations' precision. The gradient of the input is a product of
the same kind; frozen weights need no gradient. Each weight is kept twice, scaled along its rows and along its columns:
together as many bytes as one copy in bfloat16.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from temporal_adapters.ground.errors import ModelError

_E4M3 = torch.float8_e4m3fn
_MULTIPLE = 16  # sizes that the hardware's 8-bit product accepts


def quantize_fp8(model: Any) -> None:
    """Replace every linear layer of `model` but its output head by an 8-bit one, in place, one layer at a time.

    Raises
    ------
    ModelError
        If the device cannot multiply 8-bit floats, or a layer's sizes are not multiples of 16.
    """
    device = next(model.parameters()).device
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < (8, 9):
        raise ModelError(
            "model.quantization: fp8 needs an NVIDIA GPU of compute capability 8.9 or higher (Ada, Hopper or later):"
            " use none or nf4"
        )
    replace_layers(model)


def replace_layers(model: Any) -> None:
    """Put 8-bit layers in place of the linear ones (on any device; without the hardware they are emulated)."""
    head = model.get_output_embeddings()
    for name, module in list(model.named_modules()):
        if module is head or not isinstance(module, nn.Linear | Conv1D):
            continue
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, Fp8Linear(name, module))


class Fp8Linear(nn.Linear):
    """A frozen linear layer in 8-bit floats.

    Parameters
    ----------
    name
        Name for messages.
    dense
        The layer it stands for.
    """

    def __init__(self, name: str, dense: nn.Module) -> None:
        transposed = isinstance(dense, Conv1D)
        weight: torch.Tensor = dense.weight.T if transposed else dense.weight  # type: ignore[assignment]
        d_out, d_in = weight.shape
        if d_in % _MULTIPLE or d_out % _MULTIPLE:
            raise ModelError(
                f"model.quantization: fp8 needs sizes that are multiples of 16; {name!r} is {d_in} x {d_out}"
            )
        super().__init__(d_in, d_out, bias=False, device="meta")
        del self.weight
        self.forth, self.forth_scale = quantize_rows(weight)
        self.back, self.back_scale = quantize_rows(weight.T)
        self.weight = nn.Parameter(self.forth, requires_grad=False)
        self.bias = dense.bias  # type: ignore[assignment]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x W^T + b, (..., d_out)."""
        flat = x.reshape(-1, x.shape[-1])
        out: torch.Tensor = _Product.apply(flat, self.forth, self.forth_scale, self.back, self.back_scale)
        out = out if self.bias is None else out + self.bias
        return out.view(*x.shape[:-1], -1)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        forth: torch.Tensor,
        forth_scale: torch.Tensor,
        back: torch.Tensor,
        back_scale: torch.Tensor,
    ) -> torch.Tensor:
        ctx.save_for_backward(back, back_scale)
        return product(x, forth, forth_scale)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        back, back_scale = ctx.saved_tensors
        return product(grad, back, back_scale), None, None, None, None


def quantize_rows(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `x` (rows, columns) in 8 bits and the factor of each row, float32 (rows, 1)."""
    highest = torch.finfo(_E4M3).max
    scale = (x.detach().abs().amax(1, keepdim=True).float() / highest).clamp(min=1e-12)
    return (x.detach().float() / scale).clamp(-highest, highest).to(_E4M3), scale


def product(x: torch.Tensor, weight: torch.Tensor, weight_scale: torch.Tensor) -> torch.Tensor:
    """Return x weight^T for `x` (n, d) in its precision and 8-bit `weight` (m, d), scaled by rows both."""
    small, scale = quantize_rows(x)
    if x.device.type != "cuda":
        return ((small.float() * scale) @ (weight.float() * weight_scale).T).to(x.dtype)
    dtype = torch.bfloat16 if x.dtype == torch.float32 else x.dtype
    out = torch._scaled_mm(small, weight.T, scale_a=scale, scale_b=weight_scale.T, out_dtype=dtype, use_fast_accum=True)
    return out.to(x.dtype)
