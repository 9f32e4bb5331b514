"""The command `ta simulate`, and what the demo says about recovery."""

from __future__ import annotations

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
        open_session(study, runs, overrides, quiet).make(since="simulate", until="simulate")
    else:
        _write_labelled(open_session(study, runs, overrides, quiet, keep_log=False), labelled, per_label)


def _write_labelled(session: Session, path: Path, per_label: int) -> None:
    from temporal_adapters.study.config import Simulate
    from temporal_adapters.worlds import write_labelled

    n_posts = write_labelled(session.study.simulate or Simulate(), per_label, path)
    session.display.say(f"{path}: {n_posts} posts, {per_label} of every mood")


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command("simulate")(_simulate)
