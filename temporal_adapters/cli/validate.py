"""The command `ta validate`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from temporal_adapters.cli.placebo import HalvesOption, PlaceboOption, halves_stage, placebo_stage, split
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

ReferencesOption = Annotated[
    str | None,
    typer.Option(
        "--references",
        help="lexicon, classifier, published, published-best, joined by commas; none; or what the study says.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the whole result as JSON.")]


def stage(session: Session) -> None:
    """Measure how well the session's study, and the references that it names, recover the truth of its world."""
    from temporal_adapters.proof import validate

    validate.require_world(session.study)
    session.make(until="series")
    manifest = validate.build(session.study, session.run, listener=session.display)
    session.display.say(f"validate: {manifest.facts['n_methods']} methods over {manifest.facts['n_weeks']} weeks")


def _validate(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    references: ReferencesOption = None,
    placebo: PlaceboOption = False,
    halves: HalvesOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = None,
) -> None:
    """Say how well a study recovers the known truth of its world, beside other instruments on the same posts."""
    import json

    from temporal_adapters.proof import validate

    if placebo or halves is not None:
        _refuse({"--references": references is not None, "--json": as_json})
        by = None if halves is None else split(halves)
        session = open_session(study, runs, overrides, quiet)
        for line in [*(placebo_stage(session) if placebo else []), *(halves_stage(session, by) if by else [])]:
            typer.echo(line)
        return
    asked = [] if references is None else [f"validate.references={listed(references)}"]
    session = open_session(study, runs, [*overrides, *asked], quiet)
    stage(session)
    found = validate.read(session.run)
    if found is None:
        return
    if as_json:
        typer.echo(json.dumps(found.values(), indent=2, ensure_ascii=False))
        return
    for line in validate.lines(found):
        typer.echo(line)


def _refuse(given: Mapping[str, bool]) -> None:
    from temporal_adapters.ground.errors import UsageError

    for option, is_given in given.items():
        if is_given:
            raise UsageError(
                f"{option} belongs to the recovery of a known truth: leave out {option}, or --placebo and --halves"
            )


def listed(references: str) -> str:
    """Return names joined by commas, or none, as the value of the setting `validate.references`.

    Raises
    ------
    UsageError
        If there is no such reference.
    """
    from temporal_adapters.ground.errors import UsageError
    from temporal_adapters.study.config import REFERENCES

    names = [name.strip() for name in references.split(",") if name.strip()]
    if names == ["none"]:
        return "[]"
    for name in names:
        if name not in REFERENCES:
            raise UsageError(f"--references: there is no reference {name!r} (there are: {', '.join(REFERENCES)}, none)")
    return f"[{', '.join(names)}]"


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command("validate")(_validate)
