"""The commands `ta run` and `ta demo`: all stages of a study in order.

Takes a study, gives a finished run folder. The order is that of `temporal_adapters.line`.
"""

from __future__ import annotations

from typing import Annotated

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
from temporal_adapters.front.given import Given

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Read what the study names, and say what would run.")]


def _run(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    quiet: QuietOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Run all stages of a study; what is complete is skipped."""
    if dry_run:
        _tell(open_session(study, runs, overrides, quiet=True, keep_log=False), Given(study, runs, tuple(overrides)))
        return
    session = open_session(study, runs, overrides, quiet)
    _make(session)
    typer.echo(f"report: {session.run.report / 'index.html'}")


def _tell(session: Session, given: Given) -> None:
    """Read what the study names (raw files, survey, questions), and say what would run; write nothing."""
    from temporal_adapters import line
    from temporal_adapters.front.standing import standing
    from temporal_adapters.front.standing_lines import PLAIN_MARKS, lines
    from temporal_adapters.stages import panel
    from temporal_adapters.study import questionnaire

    study = session.study
    if study.simulate is None:
        typer.echo(f"panel: {len(panel.find_files(study.panel.paths))} files of posts")
    asked = [questionnaire.load(name) for name in study.probe.questionnaires]
    typer.echo(f"questions: {sum(len(one.items) for one in asked)} items of {', '.join(one.name for one in asked)}")
    if study.survey is not None and study.simulate is None:
        linked = line.linked_survey(study)
        weeks = linked.series["week"]
        typer.echo(f"survey: {weeks.n_unique()} weeks from {weeks.min()!s} to {weeks.max()!s}")
    for told in lines(standing(study, session.run, given), PLAIN_MARKS):
        typer.echo(told)


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
