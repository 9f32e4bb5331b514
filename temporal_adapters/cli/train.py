"""The command `ta train`."""

from __future__ import annotations

from typing import Annotated

import typer

from temporal_adapters.cli.engines import AddressOption, EngineOption, SlurmOption, WorkersOption, choose_engine
from temporal_adapters.cli.session import (
    DEFAULT_RUNS,
    DEFAULT_STUDY,
    QuietOption,
    RunsOption,
    Session,
    SetOption,
    StudyOption,
    open_session,
)

WeekOption = Annotated[list[str], typer.Option("--week", help="Week to train, such as 2023-W14; may be repeated.")]
AllOption = Annotated[bool, typer.Option("--all", help="Train every week with posts.")]
SeedOption = Annotated[list[int], typer.Option("--seed", help="Train only this seed; may be repeated.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what training will take, and do nothing.")]
GpuOption = Annotated[
    str | None,
    typer.Option("--gpu", help="Device that --dry-run reckons with: H200, A100, CPU, ...; else this one."),
]


def _train(
    weeks: WeekOption = [],  # noqa: B006 (typer copies it)
    every: AllOption = False,
    seeds: SeedOption = [],  # noqa: B006
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006
    quiet: QuietOption = None,
    engine: EngineOption = "local",
    workers: WorkersOption = None,
    address: AddressOption = None,
    slurm: SlurmOption = [],  # noqa: B006
    dry_run: DryRunOption = False,
    gpu: GpuOption = None,
) -> None:
    """Train one adapter per week and seed."""
    from temporal_adapters import line
    from temporal_adapters.ground.errors import UsageError

    if bool(weeks) == every:
        raise UsageError("say which weeks to train: `--week 2023-W14` (may be repeated) or `--all`")
    session = open_session(study, runs, overrides, quiet, keep_log=not dry_run)
    if dry_run:
        _say_estimate(session, weeks or None, seeds or None, gpu)
    else:
        line.train(session.work(choose_engine(engine, workers, address, slurm)), weeks or None, seeds or None)


def _say_estimate(session: Session, weeks: list[str] | None, seeds: list[int] | None, gpu: str | None) -> None:
    from temporal_adapters import line
    from temporal_adapters.stages import train

    for sentence in line.check_questions(session.study):
        typer.echo(f"probe:    {sentence}")
    wanted = train.items(session.study, session.run, weeks, seeds)
    for sentence in train.estimate(session.study, session.run, wanted, gpu).sentences():
        typer.echo(sentence)


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command("train")(_train)
