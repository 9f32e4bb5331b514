"""The command `ta read`."""

from __future__ import annotations

from typing import Annotated

import typer

from temporal_adapters.cli.session import (
    DEFAULT_RUNS,
    DEFAULT_STUDY,
    QuietOption,
    RunsOption,
    SetOption,
    StudyOption,
    open_session,
)

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say how many tokens reading takes, and do nothing.")]


def _read(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    dry_run: DryRunOption = False,
    quiet: QuietOption = None,
) -> None:
    """Ask the base the questions after every post, and sum up by week; what is complete is skipped."""
    from temporal_adapters import line

    session = open_session(study, runs, overrides, quiet, keep_log=not dry_run)
    if dry_run:
        from temporal_adapters.stages.read.preview import preview

        for sentence in preview(session.study, session.run):
            typer.echo(sentence)
        return
    line.read(session.work())


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command("read")(_read)
