"""The commands `ta survey check`, `align` and `profile`."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import date
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
from temporal_adapters.ground.errors import CorrelateError, SurveyError

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
    said = [*([unstated] if unstated else []), *_unlinked(seen, asked, series), *_groups(seen), *_raw(seen, series)]
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


def _groups(seen: _Seen) -> list[str]:
    """Return one sentence per group: sheets of a tracker, or levels of a variable of respondents."""
    if "split" not in seen.settings.model_fields_set and not seen.settings.split_groups:
        return []
    from temporal_adapters.stages import survey
    from temporal_adapters.stages.weeks import wave_keys

    weeks = seen.session.study.weeks
    found = survey.read_groups(seen.settings, weeks.first_weekday, wave_keys(weeks))
    told = []
    for (group, level), table in found.items():
        n = table["n"].median()
        size = "no numbers of respondents" if n is None else f"median n {n!s}"
        told.append(
            f"group {group} = {level}: {table['week'].n_unique()} weeks, {table['option'].n_unique()} options, {size}"
        )
    return told


def _raw(seen: _Seen, series: pl.DataFrame) -> list[str]:
    """Return one sentence per option on what taking house effects out changed."""
    if seen.settings.house_effects == "none":
        return []
    from temporal_adapters.stages import survey
    from temporal_adapters.stages.weeks.windows import wave_keys

    weeks = seen.session.study.weeks
    plain = seen.settings.model_copy(update={"house_effects": "none"})
    raw = survey.read(plain, weeks.first_weekday, wave_keys(weeks), seen.observed)
    return survey.moved_by_houses(series, raw)


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


DailyOption = Annotated[
    Path | None,
    typer.Option(
        "--daily", help="Tidy file (date, question, option, value) with every day; counts of words without it."
    ),
]


@_group.command("profile")
def _profile(
    daily: DailyOption = None,
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """Show test D for windows moved by -7 to 7 days: exploratory, one family; it never chooses the day."""
    seen = _read(study, runs, overrides)
    from temporal_adapters.stages import correlate, survey
    from temporal_adapters.stages.weeks import window_offsets

    weeks, settings = seen.session.study.weeks, seen.session.study.correlate
    # A calendar week holds its wave's day on any weekday: its nearest window is the week that ends on that day.
    window = window_offsets(weeks) if weeks.waves or weeks.waves_path else (-6, 0)
    observed = _linked(seen) if daily is None else seen.observed
    values = _counted(seen) if daily is None else _values_of(daily)
    for name, waves in survey.decided(observed, seen.settings.fieldwork_date).items():
        if name not in values:
            typer.echo(f"{' / '.join(name)}: {'no words of it are known' if daily is None else f'not in {daily}'}")
            continue
        typer.echo(f"{' / '.join(name)}: windows of {window[0]:+d} to {window[1]:+d} days, moved by the offset")
        try:
            found = correlate.profile(
                values[name], waves, window, alpha=settings.alpha, draws=settings.draws, seed=settings.seed
            )
            told = found.lines()
        except CorrelateError as error:
            told = [f"no profile: {error}"]
        for line in told:
            typer.echo(line)


Daily = dict[tuple[str, str], dict[date, float]]


def _values_of(daily: Path) -> Daily:
    from temporal_adapters.stages import survey
    from temporal_adapters.study.config import Survey

    days = survey.read_observations(Survey(paths=(daily,), format="tidy", unit="mean", min_base=1))
    return {name: dict(values) for name, values in survey.decided(days, "start").items()}


def _linked(seen: _Seen) -> Observations:
    """Return the waves in the questionnaires' names."""
    from dataclasses import replace

    from temporal_adapters.stages import survey
    from temporal_adapters.study import questionnaire

    asked = [questionnaire.load(name) for name in seen.session.study.probe.questionnaires]
    return replace(seen.observed, frame=survey.link(seen.observed.frame, asked).series)


def _counted(seen: _Seen) -> Daily:
    """Return the share of every day's posts that hold a word of each option; the weeks must be built."""
    from temporal_adapters.stages.weeks import daily_shares
    from temporal_adapters.study import questionnaire
    from temporal_adapters.study.artifacts import read_corpora

    study, run = seen.session.study, seen.session.run
    asked = [questionnaire.load(name) for name in study.probe.questionnaires]
    words = {
        (item.name, option.name): item.forms(option)
        for one in asked
        for item in one.items
        for option in item.options
        if option.role == "substantive"
    }
    corpora = [corpus.path for corpus in read_corpora(run) if corpus.n_posts]
    return daily_shares(corpora, study.weeks.timezone, words)


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.add_typer(_group, name="survey")
