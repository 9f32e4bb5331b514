"""The commands `ta run` and `ta demo`: all stages of a study in order.

Takes a study, gives a finished run folder. The order is that of `temporal_adapters.line`.
"""

from __future__ import annotations

import typer

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


def _run(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    quiet: QuietOption = None,
) -> None:
    """Run all stages of a study; what is complete is skipped."""
    session = open_session(study, runs, overrides, quiet)
    _make(session)
    typer.echo(f"report: {session.run.report / 'index.html'}")


def _demo(runs: RunsOption = DEFAULT_RUNS, quiet: QuietOption = None) -> None:
    """Run the whole line on an embedded world with a known truth, and say how well it was recovered."""
    session = open_session("demo", runs, [], quiet)
    _make(session)
    from temporal_adapters.worlds import stage

    typer.echo(stage.summary(session.run))
    typer.echo(f"report: {session.run.report / 'index.html'}")


def _make(session: Session) -> None:
    session.make()


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command("run")(_run)
    app.command("demo")(_demo)
