"""The commands `ta series` and `ta correlate`.

Here the survey meets the questionnaires and the adapters' series.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from temporal_adapters.cli.session import (
    DEFAULT_RUNS,
    DEFAULT_STUDY,
    QuietOption,
    RunsOption,
    Session,
    SetOption,
    StudyOption,
    open_session,
)

if TYPE_CHECKING:
    import polars as pl


def linked_survey(session: Session) -> list[pl.DataFrame]:
    """Return the survey's series in the questionnaires' names, and those of baselines; empty without a survey."""
    if session.study.survey is None:
        return []
    from temporal_adapters import validate

    linked = validate.linked_survey(session.study)
    for missing in linked.without_survey:
        session.display.say(f"series: {missing} is not in the survey")
    return validate.others(session.study, linked)


def series_stage(session: Session) -> None:
    """Pool the answers into weekly series and put the survey beside them."""
    from temporal_adapters import series

    manifest = series.build(session.study, session.run, lambda: linked_survey(session))
    facts = manifest.facts
    session.display.say(f"series: {facts['options']} options over {facts['weeks']} weeks on the scale {facts['scale']}")


def stage(session: Session) -> None:
    """Correlate the study's series with its survey, and say how far that can be trusted."""
    from temporal_adapters import correlate, validity

    correlate.run(session.study, session.run)
    validity.run(session.study, session.run)
    headline = (session.run.lags / "sentences.txt").read_text(encoding="utf-8").splitlines()[0]
    session.display.say(f"correlate: {headline}")


def _series(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    quiet: QuietOption = None,
) -> None:
    """Pool the answers into weekly series and put the survey beside them."""
    series_stage(open_session(study, runs, overrides, quiet))


def _correlate(
    study: StudyOption = DEFAULT_STUDY,
    runs: RunsOption = DEFAULT_RUNS,
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    deviate: Annotated[str | None, typer.Option("--deviate", help="Reason for deviating from the frozen plan.")] = None,
    quiet: QuietOption = None,
) -> None:
    """Correlate the series with the survey: lags, honest p-values, verdicts."""
    from temporal_adapters import correlate

    session = open_session(study, runs, overrides, quiet)
    series_stage(session)
    for one in correlate.accept(session.study, session.run, deviate) if deviate is not None else []:
        session.display.say(f"correlate: deviation from the plan recorded: {one.what}")
    stage(session)
    typer.echo((session.run.lags / "sentences.txt").read_text(encoding="utf-8").rstrip())


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command("series")(_series)
    app.command("correlate")(_correlate)
