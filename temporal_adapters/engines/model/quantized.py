"""The base in 4-bit NormalFloat (QLoRA), packed or dequantised once, and what has to be switched off for it.

Takes a dense model, gives the same model with quantised linear layers. Knows no adapter.

Dettmers et al. 2023 (QLoRA): blocks of 64 weights, NormalFloat-4, the block scales quantised once more.
"""

from __future__ import annotations

import logging
from typing import Any

from torch import nn
from transformers.pytorch_utils import Conv1D

from temporal_adapters.ground.errors import ModelError

_OPTIONS = {"quant_type": "nf4", "compress_statistics": True}


def quantize_nf4(model: Any, packed: bool) -> None:
    """Quantise every linear layer of `model` but its output head, in place, one layer at a time.

    Parameters
    ----------
    model
        A dense causal language model on its device.
    packed
        Keep 4-bit weights (a quarter of the memory or less, slower), or the dense weights that they stand for: the
        numbers are the same.
    """
    bnb, head = _bitsandbytes(), model.get_output_embeddings()
    for name, module in list(model.named_modules()):
        if module is head or not isinstance(module, nn.Linear | Conv1D):
            continue
        if packed:
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, _packed(bnb, module))
        else:
            transposed = isinstance(module, Conv1D)
            weight = module.weight.data.T.contiguous() if transposed else module.weight.data
            dense = bnb.functional.dequantize_4bit(*bnb.functional.quantize_4bit(weight, **_OPTIONS))
            module.weight.data = dense.T.contiguous() if transposed else dense


def _packed(bnb: Any, module: Any) -> nn.Module:
    transposed = isinstance(module, Conv1D)
    weight = module.weight.data.T.contiguous() if transposed else module.weight.data
    d_out, d_in = weight.shape
    layer = bnb.nn.Linear4bit(
        d_in, d_out, bias=module.bias is not None, compute_dtype=weight.dtype, quant_type="nf4", device="meta"
    )
    layer.weight = bnb.nn.Params4bit(weight.cpu(), requires_grad=False, **_OPTIONS).to(weight.device)
    layer.bias = None if module.bias is None else nn.Parameter(module.bias.data, requires_grad=False)
    # On CPUs with AVX512-BF16 the first evaluation would repack the weights in place; gradients through the repacked
    # weights are wrong, and no error says so.
    layer.support_avx512bf16_for_cpu = False
    return layer


def _bitsandbytes() -> Any:
    # It complains about an optional package that would fetch kernels from a hub: nothing is fetched here.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    try:
        import bitsandbytes
    except ImportError:
        raise ModelError(
            "model.quantization: nf4 needs the package bitsandbytes: `pip install bitsandbytes`, or use none"
        ) from None
    return bitsandbytes
