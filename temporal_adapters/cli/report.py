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

if TYPE_CHECKING:
    from temporal_adapters.front.standing import Stage, Standing

_MARKS = {"done": "\u25a0", "partial": "\u25a4", "stale": "\u25b2", "missing": "\u00b7", "gap": " "}
_PLAIN_MARKS = {"done": "#", "partial": "p", "stale": "s", "missing": ".", "gap": " "}


def _report(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    quiet: QuietOption = None,
) -> None:
    """Write the report of a finished study: one page that needs no network."""
    from temporal_adapters import line

    session = open_session(study, runs, overrides, quiet)
    line.make(session.work(), since="report")
    typer.echo(f"report: {session.run.report / 'index.html'}")


def _status(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Show where a study stands: stages, weeks x seeds, time, tokens, disk, and what would run next."""
    from temporal_adapters.front.given import Given
    from temporal_adapters.front.standing import standing

    session = open_session(study, runs, overrides, quiet=True, keep_log=False)
    found = standing(session.study, session.run, Given(study, runs, tuple(overrides)))
    typer.echo(_json(found) if as_json else "\n".join(_lines(found)))


def _json(found: Standing) -> str:
    import json

    after = found.next
    stages = [{**asdict(stage), "state": stage.state} for stage in found.stages]
    return json.dumps({**asdict(found), "stages": stages, "next": after.command if after else None}, indent=1)


def _lines(found: Standing) -> list[str]:
    """Return what a person sees."""
    from temporal_adapters.stages.report.numbers import count, duration, size

    lines = [f"study {found.study}", ""]
    for stage in found.stages:
        spent = f"{duration(stage.seconds):>12}  {size(stage.n_bytes):>9}"
        tokens = f"  {count(stage.tokens)} tokens" if stage.tokens else ""
        lines.append(f"  {stage.name:<10}{stage.state:<9}{_counts(stage):<34}{spent}{tokens}")
        word = "stale" if stage.state == "stale" else "why"
        lines += [f"             {word}: {reason}{f' ({n} folders)' if n > 1 else ''}" for reason, n in _some(stage)]
    lines += ["", *_grid(found)] if found.grid else []
    aside = sum(stage.n_aside for stage in found.stages)
    total = f"disk {size(sum(stage.n_bytes for stage in found.stages))}"
    lines += ["", total + (f", of this {size(aside)} set aside or left behind" if aside else "")]
    after = found.next
    lines.append(f"next: {after.command}" if after else "next: nothing, all is done")
    return lines


def _counts(stage: Stage) -> str:
    n = sum(stage.counts.values())
    words = "" if n < 2 else ", ".join(f"{count} {state}" for state, count in stage.counts.items())
    if n > 1 and len(stage.counts) == 1:
        words = f"all {n}"
    if stage.waits and stage.state == "done":
        words = f"{words}, will follow".removeprefix(", ")
    return words


def _some(stage: Stage, most: int = 5) -> list[tuple[str, int]]:
    return list(stage.reasons.items())[:most]


def _grid(found: Standing) -> list[str]:
    """Return one block per year: a line of ISO week numbers, then one line per seed with a mark per week."""
    marks = _MARKS if "utf" in (sys.stdout.encoding or "").lower() else _PLAIN_MARKS
    weeks = sorted({*found.weeks, *found.gaps})
    lines = []
    for year in sorted({week[:4] for week in weeks}):
        here = [week for week in weeks if week.startswith(year)]
        heads = "".join(f"{week[5:]:<5}" for week in here[::5])
        lines.append(f"  {year:<12}{heads}".rstrip())
        for seed in found.seeds:
            row = "".join(marks[found.grid.get(f"{week}/seed-{seed}", "gap")] for week in here)
            lines.append(f"  seed {seed:<7}{row}")
    legend = "  ".join(f"{marks[state]} {state}" for state in ("done", "partial", "stale", "missing"))
    return [*lines, f"  {legend}   (blank: a week without posts)"]


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command("report")(_report)
    app.command("status")(_status)
