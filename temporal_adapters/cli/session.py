"""What every study command shares: the study, its run folder, and somebody who shows progress.

Takes the common options, gives a `Session`.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from temporal_adapters import __version__
from temporal_adapters.cli.display import Display
from temporal_adapters.front import given

if TYPE_CHECKING:
    from temporal_adapters.line import Work
    from temporal_adapters.scale import Engine
    from temporal_adapters.study.artifacts import RunFolder
    from temporal_adapters.study.config import Study

DEFAULT_STUDY, DEFAULT_RUNS = given.DEFAULT_STUDY, given.DEFAULT_RUNS

StudyOption = Annotated[str, typer.Option("--study", "-s", help="Study file, or the name of a shipped study.")]
RunsOption = Annotated[Path, typer.Option("--runs", help="Folder of all runs.")]
SetOption = Annotated[list[str], typer.Option("--set", help="Replace a setting: section.key=value (value in YAML).")]
QuietOption = Annotated[
    bool | None,
    typer.Option("--quiet/--verbose", "-q/-v", help="Print results and errors only, or a line for every item."),
]


@dataclass(frozen=True)
class Session:
    """One command at work on one study.

    Attributes
    ----------
    study
        The study file, validated.
    run
        Its run folder.
    display
        Shows progress and prints lines.
    """

    study: Study
    run: RunFolder
    display: Display

    def make(self, *, since: str | None = None, until: str | None = None, engine: Engine | None = None) -> None:
        """Run stages of the line; they speak through this session's display."""
        from temporal_adapters import front

        said = self.display.say
        front.run(self.study, until, since=since, engine=engine, listener=self.display, say=said)

    def work(self, engine: Engine | None = None) -> Work:
        """Return what stages of the line run on; they speak through this session's display."""
        from temporal_adapters.line import Work

        return Work(self.study, self.run, engine, self.display, self.display.say)


def open_session(
    reference: str, runs: Path, overrides: list[str], quiet: bool | None = None, *, keep_log: bool = True
) -> Session:
    """Read the study and open its run folder; the command keeps a log there, ``logs/<time>-<pid>.log``."""
    from temporal_adapters.study.artifacts import RunFolder
    from temporal_adapters.study.config import load_study

    study = load_study(reference, runs, overrides)
    run = RunFolder(runs / study.study)
    log = run.logs / f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.log" if keep_log else None
    display = Display(quiet, log)
    if study.hint:
        typer.echo(f"hint: {study.hint}", err=True)  # also where results alone are printed, or JSON
    ending = _ending.get()
    if ending is not None:
        ending.enter_context(display.whole(f"ta {__version__}: {shlex.join(sys.argv[1:])}"))
    return Session(study, run, display)


_ending: ContextVar[contextlib.ExitStack | None] = ContextVar("ending", default=None)


@contextlib.contextmanager
def command() -> Iterator[None]:
    """Surround one command: what it opens is closed when it ends, and its log says how it ended."""
    with contextlib.ExitStack() as stack:
        token = _ending.set(stack)
        try:
            yield
        finally:
            _ending.reset(token)
