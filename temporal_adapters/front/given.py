"""How a person named a study, and the commands that go on with it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from temporal_adapters.line import Step

DEFAULT_STUDY = "study.yaml"
DEFAULT_RUNS = Path("runs")


@dataclass(frozen=True)
class Given:
    """How a person named a study: the study file, the folder of runs, settings replaced."""

    study: str = DEFAULT_STUDY
    runs: Path = DEFAULT_RUNS
    overrides: tuple[str, ...] = ()

    def command(self, step: Step) -> str:
        """Return the command of a stage for the same study and runs, ready to be pasted into a shell."""
        words = step.command.split()
        if {self.study, step.default_study or DEFAULT_STUDY} != {DEFAULT_STUDY}:
            words += ["--study", self.study]
        if self.runs != DEFAULT_RUNS:
            words += ["--runs", str(self.runs)]
        return shlex.join([*words, *(word for override in self.overrides for word in ("--set", override))])
