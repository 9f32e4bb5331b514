"""The command `ta mix`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from temporal_adapters.cli.engines import AddressOption, EngineOption, SlurmOption, WorkersOption, choose_engine
from temporal_adapters.cli.session import (
    DEFAULT_RUNS,
    QuietOption,
    RunsOption,
    Session,
    SetOption,
    StudyOption,
    open_session,
)

if TYPE_CHECKING:
    from temporal_adapters.scale import Engine
    from temporal_adapters.study.artifacts import Mixed

PostsOption = Annotated[
    Path | None, typer.Option("--posts", help="CSV, TSV or Parquet file of labelled posts; without it simulated ones.")
]
TextOption = Annotated[str | None, typer.Option("--text-column", help="Column of the texts (text if not given).")]
LabelOption = Annotated[str | None, typer.Option("--label-column", help="Column of the labels (label if not given).")]
EncodingOption = Annotated[str | None, typer.Option("--encoding", help="Encoding of a CSV file that is not UTF-8.")]
LowOption = Annotated[str | None, typer.Option("--low", help="Label of the posts at a share of 0.")]
HighOption = Annotated[str | None, typer.Option("--high", help="Label of the posts at a share of 1.")]
LowAnswerOption = Annotated[str | None, typer.Option("--low-option", help="Answer option that stands for --low.")]
HighAnswerOption = Annotated[str | None, typer.Option("--high-option", help="Answer option that stands for --high.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what it will take, and do nothing.")]
GpuOption = Annotated[str | None, typer.Option("--gpu", help="Device that --dry-run reckons with: H200, A100, CPU, ..")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def _mix(
    study: StudyOption = "demo",
    posts: PostsOption = None,
    text_column: TextOption = None,
    label_column: LabelOption = None,
    encoding: EncodingOption = None,
    low: LowOption = None,
    high: HighOption = None,
    low_option: LowAnswerOption = None,
    high_option: HighAnswerOption = None,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    engine: EngineOption = "local",
    workers: WorkersOption = None,
    address: AddressOption = None,
    slurm: SlurmOption = [],  # noqa: B006
    dry_run: DryRunOption = False,
    gpu: GpuOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = None,
) -> None:
    """Train adapters on known mixes of two kinds of posts, and say how their answers follow the mixture.

    Shares, seeds, posts per mix and checkpoints are fields of the section `mix`, for example: ta mix --set
    mix.n_posts=300. What is complete is skipped.
    """
    given = {
        "posts": str(posts.resolve()) if posts is not None else None,
        "text_column": text_column,
        "label_column": label_column,
        "encoding": encoding,
        "low": low,
        "high": high,
        "low_option": low_option,
        "high_option": high_option,
    }
    own = [f"mix.{name}={json.dumps(value)}" for name, value in given.items() if value is not None]
    session = open_session(study, runs, [*overrides, *own], quiet or (True if as_json else None), keep_log=not dry_run)
    if dry_run:
        _say_plan(session, gpu, as_json)
        return
    found = stage(session, choose_engine(engine, workers, address, slurm))
    if as_json:
        typer.echo(json.dumps(found.values(), ensure_ascii=False))
    else:
        _say(session, found)


def stage(session: Session, engine: Engine | None = None) -> Mixed:
    """Run the mixing experiment of the session's study; return its summary."""
    from temporal_adapters.proof import mix

    return mix.run(session.study, session.run, engine=engine, listener=session.display)


def _say(session: Session, found: Mixed) -> None:
    from temporal_adapters.proof.mix import sentences

    for line in sentences(found):
        typer.echo(line)
    typer.echo(f"\nresults: {session.run.mixed} (curve.parquet, mix.json, figures)")


def _say_plan(session: Session, gpu: str | None, as_json: bool) -> None:
    from temporal_adapters.engines.model import choose_device
    from temporal_adapters.proof import mix

    device = gpu or ("H200" if choose_device(session.study.model.device).type == "cuda" else "CPU")
    plan = mix.plan(session.study, session.run, device)
    if as_json:
        typer.echo(json.dumps(asdict(plan)))
        return
    for sentence in plan.sentences():
        typer.echo(sentence)


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command("mix")(_mix)
