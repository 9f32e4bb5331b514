"""The command `ta probe`."""

from __future__ import annotations

from pathlib import Path
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

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Print every prompt with its tokens and the cost; run no model.")
]
AdapterOption = Annotated[
    list[Path],
    typer.Option("--adapter", help="Ask this PEFT folder and the base, and no run; may be repeated."),
]
ToOption = Annotated[Path | None, typer.Option("--to", help="File for the answers of --adapter: .csv or .parquet.")]


def _probe(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    dry_run: DryRunOption = False,
    engine: EngineOption = "local",
    workers: WorkersOption = None,
    address: AddressOption = None,
    slurm: SlurmOption = [],  # noqa: B006
    adapters: AdapterOption = [],  # noqa: B006
    to: ToOption = None,
    quiet: QuietOption = None,
) -> None:
    """Ask all adapters and the base the questions of the study; what is complete is skipped."""
    _check_to(adapters, to)
    session = open_session(study, runs, overrides, quiet, keep_log=not (dry_run or adapters))
    if dry_run:
        _dry_run(session)
    elif adapters:
        _ask_folders(session, adapters, to)
    else:
        from temporal_adapters import line

        line.probe(session.work(choose_engine(engine, workers, address, slurm)))


def _check_to(adapters: list[Path], to: Path | None) -> None:
    from temporal_adapters.ground.errors import UsageError

    if to is None:
        return
    if not adapters:
        raise UsageError("--to: it takes the answers of --adapter; those of a study lie in its run folder")
    if to.suffix not in (".csv", ".parquet"):
        raise UsageError(f"--to {to}: answers are written as .csv or .parquet")


def _ask_folders(session: Session, adapters: list[Path], to: Path | None) -> None:
    """Print what the base and foreign adapters answer; pooled over wordings, they are the study's business."""
    import polars as pl

    from temporal_adapters.engines.model import load_base
    from temporal_adapters.stages import probe
    from temporal_adapters.stages.probe import answer

    settings, base = session.study.probe, load_base(session.study.model)
    asked = probe.load_questionnaires(session.study)
    found = pl.concat([answer(base, one, adapters, settings.methods, settings.temperature) for one in asked])
    if to is not None:
        from temporal_adapters.ground.tables import write_csv

        write_csv(found, to) if to.suffix == ".csv" else found.write_parquet(to)
    place = ["item", "wording", "order", "method", "option"]
    for rows in found.partition_by(place, maintain_order=True):
        shares = ", ".join(f"{name} {_percent(share)}" for name, share in rows.select("adapter", "share").iter_rows())
        typer.echo(f"{' / '.join(map(str, rows.select(place).row(0)))}: {shares}")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _dry_run(session: Session) -> None:
    from temporal_adapters.engines.model import load_tokenizer
    from temporal_adapters.stages import probe
    from temporal_adapters.stages.probe import find_targets
    from temporal_adapters.stages.probe.preview import preview
    from temporal_adapters.study.artifacts import read_manifest

    study, run = session.study, session.run
    n_models = len(find_targets(study, run, strict=False)) if read_manifest(run.weeks) else 1
    lines = preview(
        probe.load_questionnaires(study),
        load_tokenizer(study.model),
        study.probe.methods,
        n_models,
        study.probe.tree_tokens,
        probe.count_parameters(study.model),
    )
    for line in lines:
        typer.echo(line)


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command("probe")(_probe)
