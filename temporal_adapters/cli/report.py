"""The commands `ta report` and `ta status`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

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
from temporal_adapters.cli.upkeep import list_leftovers

if TYPE_CHECKING:
    from temporal_adapters.front.standing import Standing


def _report(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    quiet: QuietOption = None,
) -> None:
    """Write the report of a finished study: one page that needs no network."""
    session = open_session(study, runs, overrides, quiet)
    session.make(since="report")
    typer.echo(f"report: {session.run.report / 'index.html'}")


def _status(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    left: bool = typer.Option(False, "--leftovers", help="List what interrupted and earlier work left behind instead."),
) -> None:
    """Show where a study stands: stages, weeks x seeds, time, tokens, disk, and what would run next."""
    from temporal_adapters.front.given import Given
    from temporal_adapters.front.standing import standing
    from temporal_adapters.front.standing_lines import MARKS, PLAIN_MARKS, lines

    session = open_session(study, runs, overrides, quiet=True, keep_log=False)
    if left:
        list_leftovers(session.run, as_json)
        return
    found = standing(session.study, session.run, Given(study, runs, tuple(overrides)))
    marks = MARKS if "utf" in (sys.stdout.encoding or "").lower() else PLAIN_MARKS
    typer.echo(_json(found) if as_json else "\n".join(lines(found, marks)))


def _json(found: Standing) -> str:
    import json

    after = found.next
    stages = [{**asdict(stage), "state": stage.state} for stage in found.stages]
    return json.dumps({**asdict(found), "stages": stages, "next": after.command if after else None}, indent=1)


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command("report")(_report)
    app.command("status")(_status)
