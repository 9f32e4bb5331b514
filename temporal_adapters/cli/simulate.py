"""The command `ta simulate`, and what the demo says about recovery."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from temporal_adapters.cli.session import (
    DEFAULT_RUNS,
    QuietOption,
    RunsOption,
    Session,
    SetOption,
    StudyOption,
    open_session,
)

LabelledOption = Annotated[
    Path | None,
    typer.Option("--labelled", help="Write posts with the mood of their authors into this CSV file, and no world."),
]
PerLabelOption = Annotated[int, typer.Option("--per-label", min=1, help="Posts of every mood in that file.")]


def stage(session: Session) -> None:
    """Write the world of the session's study."""
    from temporal_adapters.simulate import stage as simulate

    made = simulate.build(session.study, session.run)
    session.display.say(f"simulate: {session.run.world}" + ("" if made else " is complete"))


def recovery_stage(session: Session) -> None:
    """Compare the answers with the world's truth."""
    from temporal_adapters.simulate import stage as simulate

    found = simulate.measure(session.run)
    session.display.say(f"recovery: mean r {found['mean_r']:.2f}, counting words {found['ceiling_r']:.2f}")


def write_seconds(session: Session, seconds: Mapping[str, float]) -> None:
    """Keep the seconds of every stage beside the recovery."""
    from temporal_adapters.simulate import stage as simulate

    simulate.add_seconds(session.run, seconds)


def recovery_summary(session: Session) -> str:
    """Return the recovery as lines for the terminal."""
    from temporal_adapters.simulate import stage as simulate

    return simulate.summary(session.run)


def _simulate(
    study: StudyOption = "demo",
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    quiet: QuietOption = None,
    labelled: LabelledOption = None,
    per_label: PerLabelOption = 1000,
) -> None:
    """Write a world with a known truth: raw posts, a survey of the same people, and the truth.

    All knobs are fields of the section `simulate`, for example: ta simulate --set simulate.seed=11
    """
    if labelled is None:
        stage(open_session(study, runs, overrides, quiet))
    else:
        _write_labelled(open_session(study, runs, overrides, quiet, keep_log=False), labelled, per_label)


def _write_labelled(session: Session, path: Path, per_label: int) -> None:
    from temporal_adapters.config.simulate import Simulate
    from temporal_adapters.simulate.labelled import write_labelled

    n_posts = write_labelled(session.study.simulate or Simulate(), per_label, path)
    session.display.say(f"{path}: {n_posts} posts, {per_label} of every mood")


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command("simulate")(_simulate)
