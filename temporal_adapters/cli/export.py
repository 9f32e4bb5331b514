"""The command `ta export`: what of a study may be shared, in one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from temporal_adapters.cli.session import (
    DEFAULT_RUNS,
    DEFAULT_STUDY,
    RunsOption,
    SetOption,
    StudyOption,
    open_session,
)


def _export(
    target: Annotated[Path, typer.Argument(help="A folder that does not exist yet; with --check a bundle.")],
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    adapters: bool = typer.Option(False, "--adapters", help="The adapters, too: they can remember posts."),
    check: bool = typer.Option(False, "--check", help="Read a bundle instead: is every file as it was exported?"),
) -> None:
    """Write a bundle to share and deposit: answers, series, lags, report, plan, codebook; no posts."""
    from temporal_adapters.front.export import check_bundle, export

    if check:
        wrong = check_bundle(target)
        for sentence in wrong:
            typer.echo(sentence)
        if wrong:
            raise typer.Exit(1)
        typer.echo(f"{target}: every file is as it was exported")
        return
    session = open_session(study, runs, overrides, quiet=True, keep_log=False)
    files = export(session.study, session.run, target, adapters=adapters)
    n_bytes = sum((target / file).stat().st_size for file in files)
    typer.echo(f"export: {len(files)} files, {n_bytes / 1e6:,.1f} MB in {target}; no posts are in it")


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command("export")(_export)
