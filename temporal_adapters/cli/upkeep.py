"""The commands `ta verify` and `ta clean`: a run folder byte by byte, and what is left behind in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from temporal_adapters.cli.session import (
    DEFAULT_RUNS,
    DEFAULT_STUDY,
    RunsOption,
    SetOption,
    StudyOption,
    open_session,
)

if TYPE_CHECKING:
    from temporal_adapters.front.upkeep import Leftover
    from temporal_adapters.study.artifacts import RunFolder

_WORDS = {
    "partial": "half-written by a process that is gone",
    "stale": "finished under earlier settings",
    "claim": "claimed by a process that is gone",
}


def list_leftovers(run: RunFolder, as_json: bool = False) -> None:
    """Print what interrupted and earlier work left in a run folder."""
    from temporal_adapters.front.upkeep import leftovers

    found = leftovers(run)
    if as_json:
        rows = [{"path": str(one.path), "kind": one.kind, "bytes": one.n_bytes} for one in found]
        typer.echo(json.dumps(rows, indent=1))
        return
    for line in _lines(found) or ["nothing is left behind"]:
        typer.echo(line)


def _lines(found: list[Leftover]) -> list[str]:
    return [f"{one.path}  {one.n_bytes / 1e6:,.1f} MB  {_WORDS[one.kind]}" for one in found]


def _clean(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    stale: bool = typer.Option(False, "--stale", help="What was set aside as stale, too."),
    yes: bool = typer.Option(False, "--yes", help="Remove it; without this, it is only listed."),
) -> None:
    """Remove what interrupted work left behind; nothing that is in work or that a finished report cites."""
    from temporal_adapters.front.upkeep import leftovers, remove

    session = open_session(study, runs, overrides, quiet=True, keep_log=False)
    found = [one for one in leftovers(session.run) if stale or one.kind != "stale"]
    for line in _lines(found):
        typer.echo(line)
    total = f"{len(found)} leftovers, {sum(one.n_bytes for one in found) / 1e6:,.1f} MB"
    if not yes:
        typer.echo(f"{total}: nothing was removed (add --yes)")
        return
    remove(found)
    typer.echo(f"{total}: removed")


def _verify(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """Read every file of a study's run folder and compare it with what was written; exit code 1 if anything differs."""
    from temporal_adapters.front.upkeep import problems

    session = open_session(study, runs, overrides, quiet=True, keep_log=False)
    found = list(problems(session.run, session.study))
    for sentence in found:
        typer.echo(sentence)
    if found:
        typer.echo(f"ta: {session.run.root}: {len(found)} things are not as they were written", err=True)
        raise typer.Exit(1)
    typer.echo(f"{session.run.root}: every file is as it was written")


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command("verify")(_verify)
    app.command("clean")(_clean)
