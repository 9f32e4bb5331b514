"""The commands `ta survey check`, `align` and `profile`."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from temporal_adapters.cli.session import (
    DEFAULT_RUNS,
    DEFAULT_STUDY,
    RunsOption,
    Session,
    SetOption,
    StudyOption,
    open_session,
)
from temporal_adapters.ground.errors import SurveyError

if TYPE_CHECKING:
    import polars as pl

    from temporal_adapters.stages.survey import Aligned, Observations
    from temporal_adapters.study import questionnaire
    from temporal_adapters.study.config import Survey

_group = typer.Typer(help="Look at a survey before it is used.", no_args_is_help=True)

WavesOption = Annotated[bool, typer.Option("--waves", help="Print every wave, and which codes became which option.")]
PageOption = Annotated[Path | None, typer.Option("--html", help="Write a page with every wave to this file.")]


@_group.callback()
def _survey() -> None:
    """Look at a survey before it is used."""


@dataclass(frozen=True)
class _Seen:
    """A study's survey as read, with the days of posts that its waves stand for."""

    session: Session
    settings: Survey
    observed: Observations
    aligned: list[Aligned]


def _read(study: str, runs: Path, overrides: list[str]) -> _Seen:
    session = open_session(study, runs, overrides, keep_log=False)
    settings = session.study.survey
    if settings is None:
        raise SurveyError("the study has no section `survey`")
    from temporal_adapters.stages import survey
    from temporal_adapters.stages.weeks import covered_days

    observed = survey.read_observations(settings)
    weeks = session.study.weeks
    aligned = survey.align(observed, settings.fieldwork_date, lambda day: covered_days(weeks, day))
    return _Seen(session, settings, observed, aligned)


@_group.command("check")
def _check(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    waves: WavesOption = False,
    html: PageOption = None,
) -> None:
    """Print the study's survey as weekly series: n, standard errors, missing waves, sums, names without a partner."""
    seen = _read(study, runs, overrides)
    from temporal_adapters.stages import survey
    from temporal_adapters.stages.weeks import wave_keys
    from temporal_adapters.study import questionnaire

    weeks = seen.session.study.weeks
    series = survey.read(seen.settings, weeks.first_weekday, wave_keys(weeks), seen.observed)
    asked = [questionnaire.load(name) for name in seen.session.study.probe.questionnaires]
    width, breaks = shutil.get_terminal_size().columns, survey.breaks(seen.observed)
    unstated = survey.unstated(seen.observed, "fieldwork_date" in seen.settings.model_fields_set)
    said = [*([unstated] if unstated else []), *_unlinked(seen, asked, series)]
    table = survey.lines(series, asked, seen.observed.is_mean, width)
    for line in [*seen.observed.notes, *table, *(one.sentence for one in breaks), *said]:
        typer.echo(line)
    if waves:
        for line in [
            *survey.wave_lines(seen.observed, seen.aligned, width),
            *survey.mapping_lines(seen.observed.mapped, width),
        ]:
            typer.echo(line)
    if html is not None:
        survey.write_page(html, seen.settings.source, seen.observed, series, seen.aligned, breaks, said)
        typer.echo(f"page: {html}")


def _unlinked(seen: _Seen, asked: list[questionnaire.Questionnaire], series: pl.DataFrame) -> list[str]:
    """Return what has no partner; nothing in common is an error where the study names its questionnaires."""
    from temporal_adapters.stages import survey

    try:
        linked = survey.link(series, asked)
    except SurveyError as error:
        if "questionnaires" in seen.session.study.probe.model_fields_set:
            raise
        return [f"not linked: {error}"]
    return [
        *(f"asked, but not in the survey: {missing}" for missing in linked.without_survey),
        *(f"in the survey, but not asked: {missing}" for missing in linked.without_questionnaire),
    ]


@_group.command("align")
def _align(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """Print and draw which days of posts stand for which wave; decide it before any test."""
    seen = _read(study, runs, overrides)
    from temporal_adapters.stages import survey

    unstated = survey.unstated(seen.observed, "fieldwork_date" in seen.settings.model_fields_set)
    for line in [*survey.aligned_lines(seen.aligned), *([unstated] if unstated else [])]:
        typer.echo(line)


@_group.command("profile")
def _profile(
    daily: Annotated[Path, typer.Option("--daily", help="Tidy file (date, question, option, value) with every day.")],
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """Show test D for windows moved by -7 to 7 days: exploratory, one family; it never chooses the day."""
    seen = _read(study, runs, overrides)
    from temporal_adapters.stages import correlate, survey
    from temporal_adapters.stages.weeks.windows import window_offsets
    from temporal_adapters.study.config.survey import Survey

    days = survey.read_observations(Survey(paths=(daily,), format="tidy", unit="mean", min_base=1, period="week"))
    window, settings = window_offsets(seen.session.study.weeks), seen.session.study.correlate
    for (item, option), waves in survey.decided(seen.observed, seen.settings.fieldwork_date).items():
        values = survey.decided(days, "start").get((item, option))
        if values is None:
            typer.echo(f"{item} / {option}: not in {daily}")
            continue
        found = correlate.profile(
            dict(values), waves, window, alpha=settings.alpha, draws=settings.draws, seed=settings.seed
        )
        typer.echo(f"{item} / {option}: windows of {window[0]:+d} to {window[1]:+d} days, moved by the offset")
        for line in found.lines():
            typer.echo(line)


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.add_typer(_group, name="survey")
