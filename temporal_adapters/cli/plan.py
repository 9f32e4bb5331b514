"""The command `ta plan`: before looking."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from temporal_adapters.cli.session import DEFAULT_RUNS, DEFAULT_STUDY, RunsOption, SetOption, StudyOption, open_session


def _plan(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    show: Annotated[bool, typer.Option("--show", help="Print the frozen plan and its deviations instead.")] = False,
) -> None:
    """Freeze the analysis before looking: lags, tests, error rate, seeds, exclusions, hashes of the series."""
    from temporal_adapters.stages import correlate

    session = open_session(study, runs, overrides, keep_log=not show)
    if show:
        frozen = correlate.read_plan(session.run)
        typer.echo(json.dumps(frozen, indent=1, ensure_ascii=False) if frozen else "there is no plan yet")
        return
    path = correlate.freeze(session.study, session.run)
    settings = session.study.correlate
    typer.echo(f"frozen: lags {list(settings.lags)}, alpha {settings.alpha:g}, {settings.draws} draws -> {path}")


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command("plan")(_plan)
