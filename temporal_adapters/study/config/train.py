"""Section `train`: the adapters and how they are fitted."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from temporal_adapters.study.config.base import Later, Operational, Section

PUBLISHED_STEPS = 300
"""Steps after which the published study evaluates its adapters; used where a study gives no length."""


class Train(Section):
    """One LoRA adapter per week and seed."""

    seeds: tuple[int, ...] = Field((42, 99, 13), min_length=1)
    """Seeds; one adapter per week and seed."""

    r: int = Field(8, ge=1)
    """LoRA rank."""

    alpha: float = Field(16, gt=0)
    """LoRA scale numerator."""

    rslora: bool = False
    """Rank-stabilised scale: alpha / sqrt(r) instead of alpha / r."""

    dropout: float = Field(0.0, ge=0, lt=1)
    """LoRA dropout probability."""

    targets: tuple[str, ...] | Literal["all-linear", "default"] = "default"
    """Module names, `all-linear`, or PEFT's `default` for the architecture."""

    layers: str = Later("all", pattern=r"^(all|last [1-9][0-9]*)$")
    """Layers with adapters: `all`, or such as `last 10`, the uppermost ones: those below then compute each block once,
    whatever the number of seeds, epochs and rates."""

    learning_rate: float = Field(2e-4, gt=0)
    """Peak learning rate of AdamW."""

    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """Decay of the learning rate to zero, or none."""

    warmup_steps: int = Field(0, ge=0)
    """Steps of linear warm-up."""

    weight_decay: float = Field(0.0, ge=0)
    """AdamW weight decay."""

    betas: tuple[float, float] = (0.9, 0.999)
    """AdamW decay rates of the two moments."""

    max_grad_norm: float | None = Field(1.0, gt=0)
    """Norm at which an adapter's gradient is clipped; null for none."""

    epochs: float | None = Field(None, gt=0)
    """Passes over the week's blocks; give this or `steps`."""

    steps: int | None = Field(None, ge=1)
    """Optimizer steps; give this or `epochs`."""

    blocks_per_step: int = Field(8, ge=1)
    """Blocks per optimizer step."""

    ema_decay: float | None = Field(None, gt=0, lt=1)
    """Decay per step of a moving average of the weights, which then is the adapter; null for none."""

    checkpoint_steps: tuple[int, ...] = ()
    """Steps after which the adapter as it is then is kept, too (`checkpoint-<step>/` beside the final weights)."""

    held_out_every: int | None = Field(None, ge=1)
    """Steps between two measurements of the loss on held-out posts; null measures at the start and the end only."""

    micro_batch: int | None = Operational(None, ge=1)
    """Blocks per forward pass and adapter; without it as many as fill the device."""

    together: int | None = Operational(None, ge=1)
    """Adapters per forward pass; without it as many as fill the device. Changes speed, never results."""

    kernels: Literal["auto", "on", "off"] = Operational("auto")
    """On a CPU, `on`: our fused kernels; `off`: PyTorch's own operations; `auto`: the faster of the two, which is
    measured once per machine, base and shape of a pass.

    Changes speed and the last bits of the adapters, not their key: machines that choose otherwise give adapters that
    differ in the last bits. Their manifests say what computed them and why (`kernels`, `n_fused_steps`); set `on` or
    `off` where several machines must give the same bits.
    """

    save_every_s: float = Operational(60.0, ge=0)
    """Seconds between two saved states of an adapter in work."""

    tensorboard: bool = Operational(False)
    """Write the losses for TensorBoard, too (needs the package tensorboard)."""

    @property
    def n_last(self) -> int | None:
        """How many of the uppermost layers have adapters; None for all."""
        return None if self.layers == "all" else int(self.layers.split()[1])

    @model_validator(mode="before")
    @classmethod
    def _has_a_length(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("epochs") is None and given.get("steps") is None:
            return {**given, "steps": PUBLISHED_STEPS}
        return given

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.epochs is not None and self.steps is not None:
            raise ValueError("give either `epochs` or `steps`, not both")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds: {list(self.seeds)} holds a seed twice")
        if self.steps is not None:
            late = [step for step in self.checkpoint_steps if step > self.steps]
            if late:
                raise ValueError(f"checkpoint_steps: {late[0]} lies beyond the last step ({self.steps})")
            if self.warmup_steps >= self.steps:
                raise ValueError(f"warmup_steps: {self.warmup_steps} leaves nothing of {self.steps} steps")
        return self
