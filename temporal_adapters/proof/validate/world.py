"""A study with a simulated world, made up to its series in one process; and what is known of it.

Takes a study and its run folder, gives a finished run and its tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporal_adapters import line, scale
from temporal_adapters.ground.errors import ValidityError
from temporal_adapters.ground.progress import Listener, silent
from temporal_adapters.study.artifacts import RunFolder, load_table

if TYPE_CHECKING:
    import polars as pl

    from temporal_adapters.study.config import Study


IN_PROCESS = scale.Engine(workers=1)
"""Measurements run many small studies, in processes of their own where that pays."""


def require_world(study: Study) -> None:
    """Raise ValidityError if a study has no simulated world."""
    if study.simulate is None:
        raise ValidityError(
            f"the study {study.study!r} has no world with a known truth: recovery is measured on studies with a section"
            " `simulate`, such as the shipped study `demo`"
        )


def make(study: Study, run: RunFolder, listener: Listener = silent) -> None:
    """Run the stages up to the series, as far as they are not done.

    Raises
    ------
    ValidityError
        If the study has no world.
    TemporalAdaptersError
        Whatever the stages raise.
    """
    require_world(study)
    line.make(line.Work(study, run, IN_PROCESS, listener), until="series")


def read_series(study: Study, run: RunFolder, question: str) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Return the adapters' SERIES of one item and the survey's (None without a survey).

    Raises
    ------
    ValidityError
        If the series do not exist yet, or hold no answers to the item.
    """
    import polars as pl

    from temporal_adapters.ground.tables import ADAPTERS

    path = run.series_table
    if not path.is_file():
        raise ValidityError(f"{path} does not exist: run `ta series` (or `ta run`) first")
    table = load_table(path).filter(pl.col("item") == question)
    ours = table.filter(pl.col("source") == ADAPTERS)
    if ours.is_empty():
        raise ValidityError(f"{path} holds no answers to the item {question!r}: ask the questionnaire `demo-mood`")
    theirs = table.filter(pl.col("source") == study.survey.source) if study.survey is not None else None
    return ours, None if theirs is None or theirs.is_empty() else theirs
