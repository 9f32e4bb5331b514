"""The command `ta power`: how often a correlation would be found, and how much work finds it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from temporal_adapters.cli.session import DEFAULT_RUNS, RunsOption, open_session

if TYPE_CHECKING:
    from temporal_adapters.engines.significance.effort import Effort, Noise, Question
    from temporal_adapters.stages.trust import Measured

HALVES = "ta validate --halves"
"""The command that measures the noise of posts and users."""

_CURVE_WEEKS = (20, 30, 40, 60, 80, 100, 150, 200)
_PLOT_POINTS = (30, 60, 100, 150)
_TESTS = {"changes": "dynamics", "levels": "level"}
WEEKS, PERSISTENCE = 60, 0.7
"""Planned with where nothing was measured and nothing said."""


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
    from dataclasses import asdict

    from temporal_adapters.engines.significance import effort as efforts
    from temporal_adapters.engines.significance import power
    from temporal_adapters.ground.errors import UsageError

    if not 0 < alpha < 0.5:
        raise UsageError(f"--alpha {alpha:g}: a family-wise error rate lies above 0 and below 0.5")
    _require_place(plot)
    measured, aside = _measured(study, runs) if study else (None, [])
    noise = _noise(measured, noise_at, users_noise_at, reliability_model, reliability_survey)
    own = measured.effort if measured is not None else efforts.Effort(WEEKS)
    given = {"weeks": weeks, "posts": posts, "users": users, "seeds": seeds, "wordings": wordings}
    given["respondents"] = respondents
    effort = efforts.changed(own, given)
    guessed = persistence is None and (measured is None or measured.persistence is None)
    known = persistence if persistence is not None or measured is None else measured.persistence
    usual = PERSISTENCE if known is None else known
    question = efforts.Question(noise, r, usual, lag, n_lags=lags, n_questions=questions, alpha=alpha)
    _require_known(question, given, effort, bool(study))
    design = question.design(effort)
    found: dict[str, Any] = {
        "effort": asdict(effort),
        "design": asdict(design),
        "formula": power.analytic(design),
        "simulated": power.simulated(design, worlds, seed) if worlds else None,
        "weeks_for_80_percent": efforts.needed(question, effort, "weeks"),
        "detectable_r": power.detectable(design),
        "target": target,
        "needed": {part: _needed(question, effort, part, target) for part in efforts.PARTS if question.knows(part)},
        "what_if": [asdict(row) for row in efforts.what_if(question, effort)],
        "curve": {
            str(n): question.power(efforts.changed(effort, {"weeks": n})) for n in _CURVE_WEEKS if n - abs(lag) >= 12
        },
        "notes": [*_notes(measured, question, guessed), *aside],
    }
    typer.echo(json.dumps(found) if as_json else "\n".join(_lines(design.family, found)))
    if plot is not None:
        _draw(plot, question, effort, target, worlds, seed)


def _require_place(plot: Path | None) -> None:
    """Refuse a plot that cannot be written before anything is reckoned."""
    from temporal_adapters.ground.errors import UsageError

    if plot is not None and plot.suffix not in (".svg", ".pdf", ".png"):
        raise UsageError(f"--plot {plot}: the name must end in .svg, .pdf or .png")
    if plot is not None and not plot.parent.is_dir():
        raise UsageError(f"--plot {plot}: the folder {plot.parent} does not exist")


def _measured(study: str, runs: Path) -> tuple[Measured, list[str]]:
    """Return what a study measured, and what of it is left out."""
    from temporal_adapters.proof.validate import halves
    from temporal_adapters.stages import trust

    session = open_session(study, runs, [], keep_log=False)
    aside = [
        f"The halves of {kind} were made when the study had other answers than now, and are left out:"
        f" run `{HALVES} {kind}` again."
        for kind in halves.stale(session.run)
    ]
    return trust.measure(trust.read(session.run), halves.read(session.run)), aside


def _noise(
    measured: Measured | None,
    noise_at: float | None,
    users_noise_at: float | None,
    reliability_model: float | None,
    reliability_survey: float | None,
) -> tuple[Noise, ...]:
    """Return the measured noise with what was said by hand in its place."""
    from dataclasses import replace

    from temporal_adapters.engines.significance.effort import Noise

    found = []
    for one in measured.noise if measured is not None else (Noise(),):
        if reliability_model is not None:
            one = Noise(rest=_over(reliability_model), survey=one.survey, survey_rest=one.survey_rest)
        if noise_at is not None:
            one = replace(one, posts=noise_at * one.signal)
        if users_noise_at is not None:
            one = replace(one, users=users_noise_at * one.signal)
        if reliability_survey is not None:
            one = replace(one, survey=None, survey_rest=_over(reliability_survey))
        found.append(one)
    return tuple(found)


def _over(reliability: float) -> float:
    from temporal_adapters.ground.errors import UsageError

    if not 0 < reliability <= 1:
        raise UsageError(f"a reliability of {reliability:g} does not exist: it lies above 0 and up to 1")
    return 1 / reliability - 1


_TELLING = {
    "seeds": "several seeds that differ",
    "wordings": "several wordings that differ",
    "respondents": "a survey with numbers of respondents and standard errors",
}
"""What a study must have for the noise of these to be known."""


def _require_known(question: Question, given: Mapping[str, float | None], effort: Effort, of_study: bool) -> None:
    """Refuse numbers whose noise nobody knows: they would change nothing and look as if they did."""
    from temporal_adapters.ground.errors import UsageError

    ways = {"posts": ("users", "--noise-at"), "users": ("posts", "--users-noise-at")}
    for part, value in given.items():
        if value is None or question.knows(part):
            continue
        if part in ways:
            kind, option = ways[part]
            first = f"measure it by `{HALVES} {kind}`, or give" if of_study else "give"
            raise UsageError(f"--{part}: the noise of {part} is not known: {first} it by {option}")
        first = f"--{part}: the noise of {part} is not known"
        if not of_study:
            raise UsageError(f"{first}: take it from a finished study with --study")
        raise UsageError(
            f"{first}, so that their number changes nothing: it takes a study with {_TELLING[part]}, and no reliability"
            " given by hand"
        )
    for part, (_, option) in ways.items():
        if question.knows(part) and getattr(effort, part) is None:
            raise UsageError(f"{option} needs --{part}")


def _needed(question: Question, effort: Effort, part: str, target: float) -> dict[str, int | None]:
    from temporal_adapters.engines.significance.effort import needed

    return {name: needed(question, effort, part, target, test) for name, test in _TESTS.items()}


def _notes(measured: Measured | None, question: Question, guessed: bool) -> list[str]:
    """Return what is not known, and how it gets known."""
    if measured is None:
        return []
    notes = []
    if guessed:
        notes.append(
            f"The persistence is not known and taken as {PERSISTENCE:g}: the survey has no values of neighbouring"
            " weeks, or no signal; give it by --persistence."
        )
    if not measured.halves:
        notes.append(
            "How many posts are needed is not known: the study measures no noise of posts and users, which looks like"
            f" signal here. `{HALVES} users` measures it (about as much training as the study)."
        )
    elif measured.halves == ("users",):
        notes.append(f"Posts are meant with as many more users; for more posts of the same users: `{HALVES} posts`.")
    elif measured.halves == ("posts",):
        notes.append(f"Posts are meant of the same users; what more users are worth: `{HALVES} users`.")
    if measured.effort.seeds == 1 and not question.knows("seeds"):
        inside = " and is counted with the posts" if measured.halves else ""
        notes.append(f"The noise of seeds is not known: the study has one seed{inside}.")
    return notes


def _draw(path: Path, question: Question, effort: Effort, target: float, worlds: int, seed: int) -> None:
    from temporal_adapters.engines.significance import effort as efforts
    from temporal_adapters.engines.significance import power
    from temporal_adapters.stages.report.figures import save
    from temporal_adapters.stages.report.power import power_figure

    known = [part for part in ("posts", "users", "seeds", "wordings") if question.knows(part)]
    part = known[0] if known else "weeks"
    planned = getattr(effort, part)
    numbers = [max(1, round(planned * factor)) for factor in (0.25, 0.5, 1, 2, 4)] if known else [effort.weeks]
    weeks = list(range(max(20, 12 + abs(question.lag)), max(160, effort.weeks) + 1, 5))
    curves = efforts.curves(question, effort, weeks, part, dict.fromkeys(numbers)) if known else {}
    if not known:
        curves = {effort.weeks: [question.power(efforts.changed(effort, {"weeks": n})) for n in weeks]}
    names = {number: f"{number:,.0f} {part}" if known else "as planned" for number in curves}
    points = {}
    for n in _PLOT_POINTS if worlds else ():
        if weeks[0] <= n:
            points[n] = power.simulated(question.design(efforts.changed(effort, {"weeks": n})), worlds, seed)
    title = f"true r = {question.r:g} at lag {question.lag:+d}, family-wise error {question.alpha:g}"
    named = {names[number]: rows for number, rows in curves.items()}
    figure = power_figure(weeks, named, points, names.get(planned, ""), target, title)
    save(figure, path, path.suffix[1:], 200)


def _lines(family: int, found: Mapping[str, Any]) -> list[str]:
    lines = [", ".join(f"{name} {value:.4g}" for name, value in found["design"].items())]
    parts = ", ".join(f"{name} {value:,.4g}" for name, value in found["effort"].items() if value is not None)
    lines += [f"planned: {parts}", f"family of {family} tests, changes (D) and levels (L):"]
    for name in ("formula", "simulated"):
        rates = found[name]
        if rates is not None:
            both = f", both {rates['both']:.2f}" if "both" in rates else ""
            lines.append(f"  power by {name}: D {rates['dynamics']:.2f}, L {rates['level']:.2f}{both}")
    r = found["detectable_r"]
    lines.append(f"  smallest correlation found with .80 (D, formula): {'none' if r is None else f'{r:.2f}'}")
    lines += _needed_lines(found["needed"], found["target"])
    lines.append("what if (formula)      D     L")
    lines += [f"  {row['change']:<20}{row['dynamics']:.2f}  {row['level']:.2f}" for row in found["what_if"]]
    lines.append("  weeks   D     L")
    lines += [f"  {n:>5}  {rates['dynamics']:.2f}  {rates['level']:.2f}" for n, rates in found["curve"].items()]
    return lines + list(found["notes"])


def _needed_lines(needed: Mapping[str, Mapping[str, int | None]], target: float) -> Sequence[str]:
    """Return what a power of `target` takes, each part alone with the others as planned."""
    lines = [f"needed for a power of {target:.2f}, all else as planned (D, L):"]
    for part, tests in needed.items():
        shown = [f"{value:,}" if value is not None else "no number is enough" for value in tests.values()]
        lines.append(f"  {part:<12}{shown[0]:>20}{shown[1]:>22}")
    return lines


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command("power")(_power)
