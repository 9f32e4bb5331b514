"""The options that say where a stage runs.

Takes argv's words, gives an `Engine`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, get_args

import typer

if TYPE_CHECKING:
    from temporal_adapters.scale import Engine

EngineOption = Annotated[str, typer.Option("--engine", help="Where to compute: local, ray or slurm.")]
WorkersOption = Annotated[int | None, typer.Option("--workers", min=1, help="Number of workers; chosen if not given.")]
AddressOption = Annotated[str | None, typer.Option("--address", help="Ray cluster: an address, or auto.")]
SlurmOption = Annotated[list[str], typer.Option("--slurm", help="SLURM option of the job, such as partition=gpu.")]


def choose_engine(
    name: str, workers: int | None = None, address: str | None = None, slurm: Sequence[str] = ()
) -> Engine:
    """Return the engine that the options describe."""
    from temporal_adapters.ground.errors import UsageError
    from temporal_adapters.scale import Engine, Name

    pairs = [option.partition("=") for option in slurm]
    odd = next((option for option, (_, sign, _) in zip(slurm, pairs, strict=True) if not sign), None)
    if odd is not None:
        raise UsageError(f"--slurm {odd!r}: write it as name=value, for example partition=gpu")
    if name not in get_args(Name):
        raise UsageError(f"--engine {name!r}: there are {', '.join(get_args(Name))}")
    return Engine(name, workers, address, tuple((key, value) for key, _, value in pairs))  # type: ignore[arg-type]
