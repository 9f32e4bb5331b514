"""How good the instrument is: the same study with changed settings, measured against what is known.

Takes a study, its run folder and a truth, gives variants and tables of recovery. Knows no command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temporal_adapters.progress import Listener, silent
from temporal_adapters.validate.stage import build, read
from temporal_adapters.validate.table import lines
from temporal_adapters.validate.variants import Variant, answer, variant
from temporal_adapters.validate.world import linked_survey, make, others, require_world

if TYPE_CHECKING:
    from temporal_adapters.artifacts import RunFolder
    from temporal_adapters.config import Study

__all__ = [
    "Variant",
    "answer",
    "build",
    "lines",
    "linked_survey",
    "make",
    "others",
    "read",
    "require_world",
    "variant",
    "world_table",
]


def world_table(study: Study, run: RunFolder, listener: Listener = silent) -> dict[str, Any]:
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
    dict
        The content of ``validate/recovery/validate.json``: n_weeks, methods (name -> what, tokens, mean, spread,
        efficiency, options), sweep.

    Raises
    ------
    ValidityError
        If the study has no world.
    """
    make(study, run, listener)
    build(study, run, listener)
    return read(run) or {}
