"""The straight line of a study with a simulated world, up to its series, in one process; and what is known of it.

Takes a study and its run folder, gives a finished run and its tables. Knows the order of the stages, like the command
line, because every measurement of an instrument begins with a finished study.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from temporal_adapters.artifacts import RunFolder
from temporal_adapters.errors import ValidityError
from temporal_adapters.progress import Listener, silent

if TYPE_CHECKING:
    import polars as pl

    from temporal_adapters.config import Study
    from temporal_adapters.config.survey import Survey
    from temporal_adapters.survey.link import Linked


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
    from temporal_adapters import probe, series, train, weeks
    from temporal_adapters.simulate import from_weeks
    from temporal_adapters.simulate import stage as simulate

    require_world(study)
    simulate.build(study, run)
    weeks.build(study, run, listener=listener)
    if study.pretrain is not None:
        from_weeks.build(study, run, listener=listener)
    train.run(study, run, listener=listener)
    probe.run(study, run, listener=listener)
    series.build(study, run, lambda: others(study))


def others(study: Study, linked: Linked | None = None) -> list[pl.DataFrame]:
    """Return the series that stand beside the adapters': the survey's and those of baselines; none without a survey.

    `linked` is what `linked_survey` returned; without it the survey is read here.
    """
    if study.survey is None:
        return []
    survey = linked_survey(study) if linked is None else linked
    return [survey.series, *(_baseline(study, path) for path in study.correlate.baselines)]


def _baseline(study: Study, path: Path) -> pl.DataFrame:
    """Return the series of one baseline file in the questionnaires' names; its weeks are the study's."""
    from temporal_adapters.config.survey import Survey

    return _link(study, Survey(paths=(path,), source=path.stem, format="tidy", unit="mean")).series


def linked_survey(study: Study) -> Linked:
    """Return the survey's series in the questionnaires' names, and what of the questionnaires it does not have.

    Raises
    ------
    ValidityError
        If the study has no survey.
    """
    if study.survey is None:
        raise ValidityError(f"the study {study.study!r} has no survey: add a section `survey`")
    return _link(study, study.survey)


def _link(study: Study, settings: Survey) -> Linked:
    from temporal_adapters import questionnaire, survey
    from temporal_adapters.weeks.windows import wave_keys

    found = survey.read(settings, study.weeks.first_weekday, wave_keys(study.weeks))
    return survey.link(found, [questionnaire.load(name) for name in study.probe.questionnaires])


def read_series(study: Study, run: RunFolder, question: str) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Return the adapters' SERIES of one item and the survey's (None without a survey).

    Raises
    ------
    ValidityError
        If the series do not exist yet, or hold no answers to the item.
    """
    import polars as pl

    from temporal_adapters.tables import ADAPTERS

    path = run.series / "series.parquet"
    if not path.is_file():
        raise ValidityError(f"{path} does not exist: run `ta series` (or `ta run`) first")
    table = pl.read_parquet(path).filter(pl.col("item") == question)
    ours = table.filter(pl.col("source") == ADAPTERS)
    if ours.is_empty():
        raise ValidityError(f"{path} holds no answers to the item {question!r}: ask the questionnaire `demo-mood`")
    theirs = table.filter(pl.col("source") == study.survey.source) if study.survey is not None else None
    return ours, None if theirs is None or theirs.is_empty() else theirs
