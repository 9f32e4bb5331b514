"""How good the instrument is: the same study with changed settings, measured against what is known.

Takes a study, its run folder and a truth, gives variants and tables of recovery. Knows no command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporal_adapters.ground.errors import ArtifactError
from temporal_adapters.ground.progress import Listener, silent
from temporal_adapters.proof.validate.stage import build, read
from temporal_adapters.proof.validate.table import lines
from temporal_adapters.proof.validate.variants import Variant, answer, variant
from temporal_adapters.proof.validate.world import make, require_world
from temporal_adapters.study.artifacts import Validated

if TYPE_CHECKING:
    from temporal_adapters.study.artifacts import RunFolder
    from temporal_adapters.study.config import Study

__all__ = [
    "Variant",
    "answer",
    "build",
    "lines",
    "make",
    "read",
    "require_world",
    "variant",
    "world_table",
]


def world_table(study: Study, run: RunFolder, listener: Listener = silent) -> Validated:
    """Make a study with a simulated world up to its series, and measure its recovery and its references'.

    Whatever is complete is kept, so that a killed call goes on where it was.

    Parameters
    ----------
    study, run
        The study and its folder; ``study.validation`` says which references.
    listener
        Hears of progress.

    Returns
    -------
    Validated
        The content of ``validate/recovery/validate.json``: n_weeks, methods (name -> what, tokens, mean, spread,
        efficiency, options), sweep.

    Raises
    ------
    ValidityError
        If the study has no world.
    """
    make(study, run, listener)
    build(study, run, listener)
    found = read(run)
    if found is None:
        raise ArtifactError(f"{run.validated} vanished while it was written: run `ta validate` again")
    return found
