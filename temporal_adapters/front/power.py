"""How often a correlation would be found, and how much of what is needed for it.

Takes numbers of a planned study (or a finished one's), gives a `Power`. Knows no terminal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from temporal_adapters.engines.significance import Effort, Noise, Question
from temporal_adapters.engines.significance import effort as efforts
from temporal_adapters.engines.significance import power as formulas
from temporal_adapters.front.studies import Reference, opened
from temporal_adapters.ground.errors import UsageError
from temporal_adapters.stages import trust
from temporal_adapters.stages.trust import Measured

HALVES = "ta validate --halves"
"""The command that measures the noise of posts and users."""

_CURVE_WEEKS = (20, 30, 40, 60, 80, 100, 150, 200)
_PLOT_POINTS = (30, 60, 100, 150)
_TESTS = {"changes": "dynamics", "levels": "level"}
WEEKS, PERSISTENCE = 60, 0.7
"""Planned with where nothing was measured and nothing said."""


@dataclass(frozen=True)
class Power:
    """What `power` found; ``print`` shows what `ta power` shows.

    Attributes
    ----------
    question, effort
        What is asked, and the numbers planned with.
    worlds, seed
        Worlds of the simulations, and their seed.
    target
        Power that is wanted.
    found
        effort, design, formula and simulated (dynamics, level: power of tests D and L), detectable_r, needed (part ->
        changes, levels -> number), what_if, curve (weeks -> power), notes.
    """

    question: Question
    effort: Effort
    worlds: int
    seed: int
    target: float
    found: Mapping[str, Any]

    @property
    def changes(self) -> float:
        """Power of test D by the formula."""
        return float(self.found["formula"]["dynamics"])

    @property
    def levels(self) -> float:
        """Power of test L by the formula."""
        return float(self.found["formula"]["level"])

    def __str__(self) -> str:
        return "\n".join(_lines(self.question.design(self.effort).family, self.found))

    def plot(self, path: str | Path) -> None:
        """Draw power over weeks into a file.

        Raises
        ------
        UsageError
            If its name does not end in .svg, .pdf or .png, or its folder does not exist.
        """
        place = Path(path)
        require_place(place)
        _draw(place, self.question, self.effort, self.target, self.worlds, self.seed)


def power(
    weeks: int | None = None,
    r: float = 0.5,
    *,
    lag: int = 0,
    posts: float | None = None,
    users: float | None = None,
    seeds: int | None = None,
    wordings: int | None = None,
    respondents: float | None = None,
    noise_at: float | None = None,
    users_noise_at: float | None = None,
    persistence: float | None = None,
    reliability_model: float | None = None,
    reliability_survey: float | None = None,
    lags: int = 1,
    questions: int = 1,
    missing: float = 0.0,
    alpha: float = 0.05,
    target: float = 0.8,
    worlds: int = 0,
    seed: int = 1,
    study: Reference | None = None,
    runs: str | Path | None = None,
) -> Power:
    """Say how often a correlation of this size would be found, and how much of what is needed for it.

    Parameters
    ----------
    weeks
        Shared weeks; what the study has, or 60.
    r
        True correlation.
    lag
        Weeks by which the model leads.
    posts, users, seeds, wordings, respondents
        Numbers to plan with: posts per week, users of a week, adapters per week, ways of asking, respondents of a wave.
    noise_at, users_noise_at
        Posts (users) at which their noise equals the signal.
    persistence
        Autocorrelation from week to week; what the study has, or .7.
    reliability_model, reliability_survey
        Share of signal in the answers (apart from the noise of posts and users) and in the survey.
    lags, questions
        Numbers of lags and of options that are tested together.
    missing
        Share of the weeks in which one of the two series has no value.
    alpha
        Family-wise error rate.
    target
        Power that is wanted.
    worlds, seed
        Worlds to simulate beside the formula (0: none), and their seed.
    study, runs
        Finished study to take the noise from, and the folder of all runs.

    Returns
    -------
    Power
        ``.changes`` and ``.levels`` for the tests D and L, ``.found``, ``.plot(path)``.

    Raises
    ------
    UsageError
        If a number needs a noise that nobody knows.
    CorrelateError
        If there is no such design.

    Examples
    --------
    >>> import temporal_adapters as ta
    >>> few, many = ta.power(weeks=34, r=0.5), ta.power(weeks=100, r=0.5)
    >>> few.changes < 0.9 < many.changes
    True
    """
    if not 0 < alpha < 0.5:
        raise UsageError(f"`alpha` {alpha:g}: a family-wise error rate lies above 0 and below 0.5")
    measured, aside = _measured(study, runs) if study is not None else (None, [])
    noise = planned_noise(measured, noise_at, users_noise_at, reliability_model, reliability_survey)
    own = measured.effort if measured is not None else Effort(WEEKS)
    given = {"weeks": weeks, "posts": posts, "users": users, "seeds": seeds, "wordings": wordings}
    given["respondents"] = respondents
    effort = efforts.changed(own, given)
    guessed = persistence is None and (measured is None or measured.persistence is None)
    known = persistence if persistence is not None or measured is None else measured.persistence
    usual = PERSISTENCE if known is None else known
    question = Question(noise, r, usual, lag, n_lags=lags, n_questions=questions, alpha=alpha, missing=missing)
    _require_known(question, given, effort, study is not None)
    notes = [*_notes(measured, question, guessed), *aside]
    found = _reckoned(question, effort, target, worlds, seed, notes)
    return Power(question, effort, worlds, seed, target, found)


def _reckoned(
    question: Question, effort: Effort, target: float, worlds: int, seed: int, notes: Sequence[str]
) -> dict[str, Any]:
    design = question.design(effort)
    weeks = [n for n in _CURVE_WEEKS if n >= question.least_weeks]
    return {
        "effort": asdict(effort),
        "design": asdict(design),
        "formula": formulas.analytic(design),
        "simulated": formulas.simulated(design, worlds, seed) if worlds else None,
        "weeks_for_80_percent": efforts.needed(question, effort, "weeks"),
        "detectable_r": formulas.detectable(design),
        "target": target,
        "needed": {part: _needed(question, effort, part, target) for part in efforts.PARTS if question.knows(part)},
        "what_if": [asdict(row) for row in efforts.what_if(question, effort)],
        "curve": {str(n): question.power(efforts.changed(effort, {"weeks": n})) for n in weeks},
        "notes": list(notes),
    }


def require_place(plot: Path) -> None:
    """Refuse a plot that cannot be written before anything is reckoned."""
    if plot.suffix not in (".svg", ".pdf", ".png"):
        raise UsageError(f"`plot` {plot}: the name must end in .svg, .pdf or .png")
    if not plot.parent.is_dir():
        raise UsageError(f"`plot` {plot}: the folder {plot.parent} does not exist")


def _measured(study: Reference, runs: str | Path | None) -> tuple[Measured, list[str]]:
    """Return what a study measured, and what of it is left out."""
    from temporal_adapters.proof.validate import halves

    _, run = opened(study, runs)
    aside = [
        f"The halves of {kind} were made when the study had other answers than now, and are left out:"
        f" run `{HALVES} {kind}` again."
        for kind in halves.stale(run)
    ]
    return trust.measure(trust.read(run), halves.read(run)), aside


def planned_noise(
    measured: Measured | None,
    noise_at: float | None,
    users_noise_at: float | None,
    reliability_model: float | None,
    reliability_survey: float | None,
) -> tuple[Noise, ...]:
    """Return the measured noise with what was said by hand in its place."""
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
    ways = {"posts": ("users", "noise_at"), "users": ("posts", "users_noise_at")}
    for part, value in given.items():
        if value is None or question.knows(part):
            continue
        if part in ways:
            kind, option = ways[part]
            first = f"measure it by `{HALVES} {kind}`, or give" if of_study else "give"
            raise UsageError(f"`{part}`: the noise of {part} is not known: {first} it by `{option}`")
        first = f"`{part}`: the noise of {part} is not known"
        if not of_study:
            raise UsageError(f"{first}: take it from a finished study with `study`")
        raise UsageError(
            f"{first}, so that their number changes nothing: it takes a study with {_TELLING[part]}, and no reliability"
            " given by hand"
        )
    for part, (_, option) in ways.items():
        if question.knows(part) and getattr(effort, part) is None:
            raise UsageError(f"`{option}` needs `{part}`")


def _needed(question: Question, effort: Effort, part: str, target: float) -> dict[str, int | None]:
    return {name: efforts.needed(question, effort, part, target, test) for name, test in _TESTS.items()}


def _notes(measured: Measured | None, question: Question, guessed: bool) -> list[str]:
    """Return what is not known, and how it gets known."""
    if measured is None:
        return []
    notes = []
    if guessed:
        notes.append(
            f"The persistence is not known and taken as {PERSISTENCE:g}: the survey has no values of neighbouring"
            " weeks, or no signal; give it by `persistence`."
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
    from temporal_adapters.stages.report import power_figure
    from temporal_adapters.stages.report.figures import save

    known = [part for part in ("posts", "users", "seeds", "wordings") if question.knows(part)]
    part = known[0] if known else "weeks"
    planned = getattr(effort, part)
    numbers = [max(1, round(planned * factor)) for factor in (0.25, 0.5, 1, 2, 4)] if known else [effort.weeks]
    weeks = list(range(max(20, question.least_weeks), max(160, effort.weeks) + 1, 5))
    curves = efforts.curves(question, effort, weeks, part, dict.fromkeys(numbers)) if known else {}
    if not known:
        curves = {effort.weeks: [question.power(efforts.changed(effort, {"weeks": n})) for n in weeks]}
    names = {number: f"{number:,.0f} {part}" if known else "as planned" for number in curves}
    points = {}
    for n in _PLOT_POINTS if worlds else ():
        if weeks[0] <= n:
            points[n] = formulas.simulated(question.design(efforts.changed(effort, {"weeks": n})), worlds, seed)
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
