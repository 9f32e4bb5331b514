"""The command `ta power`: how often a correlation would be found, and how much work finds it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from temporal_adapters.cli.session import DEFAULT_RUNS, RunsOption


def _power(
    weeks: Annotated[int | None, typer.Option("--weeks", min=12, help="Shared weeks.")] = None,
    r: Annotated[float, typer.Option("--r", help="True correlation.")] = 0.5,
    lag: Annotated[int, typer.Option("--lag", help="Weeks by which the model leads.")] = 0,
    posts: Annotated[
        float | None, typer.Option("--posts", "--posts-per-week", min=1, help="Posts per week to plan with.")
    ] = None,
    users: Annotated[float | None, typer.Option("--users", min=1, help="Users of a week to plan with.")] = None,
    seeds: Annotated[int | None, typer.Option("--seeds", min=1, help="Seeds to plan with.")] = None,
    wordings: Annotated[int | None, typer.Option("--wordings", min=1, help="Wordings to plan with.")] = None,
    respondents: Annotated[float | None, typer.Option("--respondents", min=1, help="Respondents of a wave.")] = None,
    noise_at: Annotated[
        float | None, typer.Option("--noise-at", min=0, help="Posts at which their noise equals the signal.")
    ] = None,
    users_noise_at: Annotated[float | None, typer.Option("--users-noise-at", min=0, help="The same for users.")] = None,
    persistence: Annotated[float | None, typer.Option("--persistence", help="Autocorrelation by week.")] = None,
    reliability_model: Annotated[
        float | None, typer.Option("--reliability-model", help="Signal in the answers, apart from --noise-at.")
    ] = None,
    reliability_survey: Annotated[
        float | None, typer.Option("--reliability-survey", help="Signal share: survey.")
    ] = None,
    lags: Annotated[int, typer.Option("--lags", min=1, help="Lags tested together.")] = 1,
    questions: Annotated[int, typer.Option("--questions", min=1, help="Options tested together.")] = 1,
    missing: Annotated[float, typer.Option("--missing", help="Share of weeks that one side lacks.")] = 0.0,
    alpha: Annotated[float, typer.Option("--alpha", help="Family-wise error rate.")] = 0.05,
    target: Annotated[float, typer.Option("--target", min=0.05, max=0.999, help="Power that is wanted.")] = 0.8,
    worlds: Annotated[int, typer.Option("--worlds", min=0, help="Worlds to simulate; 0: formula only.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the simulation.")] = 1,
    study: Annotated[str, typer.Option("--study", "-s", help="Finished study to take the noise from.")] = "",
    runs: RunsOption = DEFAULT_RUNS,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw the curves: .svg, .pdf or .png.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say how often a correlation of this size would be found, and how much of what is needed for it."""
    import temporal_adapters as ta
    from temporal_adapters.front.power import require_place
    from temporal_adapters.ground.errors import UsageError

    try:
        if plot is not None:
            require_place(plot)
        found = ta.power(
            weeks,
            r,
            lag=lag,
            posts=posts,
            users=users,
            seeds=seeds,
            wordings=wordings,
            respondents=respondents,
            noise_at=noise_at,
            users_noise_at=users_noise_at,
            persistence=persistence,
            reliability_model=reliability_model,
            reliability_survey=reliability_survey,
            lags=lags,
            questions=questions,
            missing=missing,
            alpha=alpha,
            target=target,
            worlds=worlds,
            seed=seed,
            study=study or None,
            runs=runs,
        )
    except UsageError as error:
        raise UsageError(_as_options(str(error))) from None
    typer.echo(json.dumps(found.found) if as_json else _as_options(str(found)))
    if plot is not None:
        found.plot(plot)


def _as_options(text: str) -> str:
    """Return a text of the library with its parameters spelled as options."""
    return re.sub(r"`(\w+)`", lambda found: f"--{found[1].replace('_', '-')}", text)


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command("power")(_power)
