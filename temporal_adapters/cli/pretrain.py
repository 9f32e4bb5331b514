"""The command `ta pretrain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from temporal_adapters.cli.display import Display
from temporal_adapters.cli.session import (
    DEFAULT_RUNS,
    DEFAULT_STUDY,
    QuietOption,
    RunsOption,
    SetOption,
    StudyOption,
    open_session,
)

DemoOption = Annotated[Path | None, typer.Option("--demo-base", help="Remake the demo's base model in this folder.")]


def _pretrain(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    quiet: QuietOption = None,
    demo_base: DemoOption = None,
) -> None:
    """Make a small base model from a study's first weeks, for machines without a model hub."""
    if demo_base is not None:
        from temporal_adapters.worlds import demo_base as demo

        demo.write(demo_base, Display(quiet))
        return
    open_session(study, runs, overrides, quiet).make(since="pretrain", until="pretrain")


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command("pretrain")(_pretrain)
