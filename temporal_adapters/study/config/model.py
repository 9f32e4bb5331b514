"""Section `model`: the frozen base model."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from temporal_adapters.study.config.base import Later, Operational, RunText, Section


class Model(Section):
    """The base model that all adapters share."""

    base: RunText = "demo"
    """`demo` (shipped), a folder (`{run}/base`: from `ta pretrain`), or a hub name (`meta-llama/Meta-Llama-3-8B`)."""

    revision: str | None = None
    """Commit, tag or branch of a hub model; the commit it stands for is part of every key."""

    allow_code: bool = Later(False)
    """Run Python code that the base's files bring (`auto_map`) and read pickled weights: only for files you trust."""

    quantization: Literal["none", "nf4", "fp8"] = "none"
    """`nf4`: 4-bit NormalFloat, double quantisation (QLoRA); `fp8`: 8-bit floats on GPUs that compute with them."""

    nf4_weights: Literal["auto", "packed", "materialised"] = Operational("auto")
    """`packed` needs a quarter of the memory; `materialised` (dequantised once) is faster; `auto`: if it fits."""

    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of the weights; `auto` is bfloat16 on a GPU and float32 on a CPU."""

    device: Literal["auto", "cpu", "cuda"] = Operational("auto")
    """Where to compute."""

    cutoff: str | None = Operational(None, pattern=r"^\d{4}-(0[1-9]|1[0-2])$")
    """Last month of the texts that the base has read, such as 2023-03; None: as its publisher says, if known."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.quantization == "fp8" and self.device == "cpu":
            raise ValueError("quantization: fp8 needs a GPU, but device is cpu")
        if self.revision is not None and self.base == "demo":
            raise ValueError("revision: the demo base ships with the package and has no revisions")
        return self
