"""The command `ta probe`."""

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

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Print every prompt with its tokens and the cost; run no model.")
]


def _probe(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    dry_run: DryRunOption = False,
    engine: EngineOption = "local",
    workers: WorkersOption = None,
    address: AddressOption = None,
    slurm: SlurmOption = [],  # noqa: B006
    quiet: QuietOption = None,
) -> None:
    """Ask all adapters and the base the questions of the study; what is complete is skipped."""
    session = open_session(study, runs, overrides, quiet, keep_log=not dry_run)
    if dry_run:
        _dry_run(session)
    else:
        from temporal_adapters import line

        line.probe(session.work(choose_engine(engine, workers, address, slurm)))


def _dry_run(session: Session) -> None:
    from temporal_adapters.engines.model import load_tokenizer
    from temporal_adapters.stages import probe
    from temporal_adapters.stages.probe.preview import preview
    from temporal_adapters.stages.probe.targets import find_targets
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
