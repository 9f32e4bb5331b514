"""The commands `ta series` and `ta correlate`.

Here the survey meets the questionnaires and the adapters' series.
"""

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


def _series(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    quiet: QuietOption = None,
) -> None:
    """Pool the answers into weekly series and put the survey beside them."""
    open_session(study, runs, overrides, quiet).make(since="series", until="series")


def _correlate(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    deviate: Annotated[str | None, typer.Option("--deviate", help="Reason for deviating from the frozen plan.")] = None,
    quiet: QuietOption = None,
) -> None:
    """Correlate the series with the survey: lags, honest p-values, verdicts."""
    from temporal_adapters.stages import correlate

    session = open_session(study, runs, overrides, quiet)
    session.make(since="series", until="series")
    for one in correlate.accept(session.study, session.run, deviate) if deviate is not None else []:
        session.display.say(f"correlate: deviation from the plan recorded: {one.what}")
    session.make(since="correlate", until="correlate")
    typer.echo(session.run.sentences.read_text(encoding="utf-8").rstrip())


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command("series")(_series)
    app.command("correlate")(_correlate)
