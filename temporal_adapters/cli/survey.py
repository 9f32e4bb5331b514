"""The command `ta survey check`."""

from __future__ import annotations

import typer

from temporal_adapters.cli.session import DEFAULT_RUNS, DEFAULT_STUDY, RunsOption, SetOption, StudyOption, open_session
from temporal_adapters.ground.errors import SurveyError

_group = typer.Typer(help="Look at a survey before it is used.", no_args_is_help=True)


@_group.callback()
def _survey() -> None:
    """Look at a survey before it is used."""


@_group.command("check")
def _check(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """Print the study's survey as weekly series: n, standard errors, missing waves, sums, names without a partner."""
    session = open_session(study, runs, overrides, keep_log=False)
    if session.study.survey is None:
        raise SurveyError("the study has no section `survey`")
    from temporal_adapters.stages import survey
    from temporal_adapters.stages.weeks.windows import wave_keys
    from temporal_adapters.study import questionnaire

    settings = session.study.survey
    observed = survey.read_observations(settings)
    series = survey.read(settings, session.study.weeks.first_weekday, wave_keys(session.study.weeks), observed)
    asked = [questionnaire.load(name) for name in session.study.probe.questionnaires]
    broken = [found.sentence for found in survey.breaks(observed)]
    for line in [*observed.notes, *survey.lines(series, asked, observed.is_mean), *broken]:
        typer.echo(line)
    try:
        linked = survey.link(series, asked)
    except SurveyError as error:
        if "questionnaires" in session.study.probe.model_fields_set:
            raise
        typer.echo(f"not linked: {error}")
        return
    for missing in linked.without_survey:
        typer.echo(f"asked, but not in the survey: {missing}")
    for missing in linked.without_questionnaire:
        typer.echo(f"in the survey, but not asked: {missing}")


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.add_typer(_group, name="survey")
