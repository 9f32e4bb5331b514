"""What a user may say about where to run.

Takes nothing, gives a record. Knows no engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from temporal_adapters.ground.errors import ScaleError

if TYPE_CHECKING:
    from temporal_adapters.study.config import Study


Name = Literal["local", "ray", "slurm"]


@dataclass(frozen=True)
class Engine:
    """Where to run.

    Attributes
    ----------
    name
        ``local`` (processes on this machine), ``ray`` or ``slurm``.
    workers
        Number of workers; None chooses (on a CPU, more than one only where their start pays).
    address
        Ray cluster: an address, ``auto``, or None for one on this machine.
    options
        SLURM: further options of the array job, such as ``partition``.
    """

    name: Name = "local"
    workers: int | None = None
    address: str | None = None
    options: tuple[tuple[str, str], ...] = ()


def require_one_precision(study: Study) -> None:
    """Refuse `auto` where workers with GPUs and this machine would read it differently.

    Raises
    ------
    ScaleError
        If the study leaves the precision open and this machine would choose another one than its workers.
    """
    from temporal_adapters.engines.model import precision

    if study.model.dtype == "auto" and precision(study.model) != "bfloat16":
        raise ScaleError(
            "model.dtype is auto: this machine has no GPU and would read it as float32, the workers' GPUs as bfloat16;"
            " set model.dtype to bfloat16 or float32"
        )
