"""The command `ta init`: a first study file from what posts and survey files say of themselves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from temporal_adapters.ground.errors import UsageError


def _init(
    posts: Annotated[list[Path], typer.Argument(help="Raw posts: files, folders or globs.")],
    surveys: Annotated[list[Path], typer.Option("--survey", help="Survey file; give it again for several.")] = [],  # noqa: B006
    target: Annotated[Path, typer.Option("--to", help="Study file to write.")] = Path("study.yaml"),
    name: Annotated[str, typer.Option("--name", help="Name of the study; the file's without it.")] = "",
    base: Annotated[str, typer.Option("--base", help="Base model at hand: a folder or a hub name.")] = "",
) -> None:
    """Write a first study file: layouts, days, questions, a recipe; and print what could not be known."""
    from temporal_adapters.front.first_study import draft, write

    if target.suffix not in (".yaml", ".yml"):
        raise UsageError(f"--to {target}: a study is a .yaml file")
    called = name or re.sub(r"[^A-Za-z0-9._-]+", "-", target.stem).strip("-._") or "study"
    found = draft(called, posts, surveys, target.parent, base)
    written = write(found, target)
    for line in found.seen:
        typer.echo(line)
    for path in written:
        typer.echo(f"written: {path}")
    for line in found.open_questions:
        typer.echo(f"not known: {line}")
    typer.echo(f"next: ta panel check -s {target}; ta survey check -s {target}; ta run -s {target} --dry-run")


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command("init")(_init)
