"""How much work a study is, and what of the noise it takes away: posts, users, seeds, wordings, respondents.

Takes variances of the parts of an answer, gives reliabilities, the power that follows from them, and the effort that a
wanted power needs. Knows no file and no study.

A weekly answer is modelled as

    answer = signal + posts / P + users / U + seed / S + wording / W + cell / (S W)

where each name stands for independent weekly noise with that variance for a single post, user, seed ..., and P, U, S, W
are their numbers. With Poisson posting, more posts of the same users take away the first part only: the second is what
the users at hand do otherwise than the public (who has left, who moves on their own), and it saturates. A user's
lasting level moves no correlation and is no noise. This is Kish's (1965) design effect for clusters,
p(1-p)((1-rho)/P + rho/U), with what lasts taken out.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from temporal_adapters.engines.significance import power
from temporal_adapters.ground.errors import CorrelateError

PARTS = ("weeks", "posts", "users", "seeds", "wordings", "respondents")
"""What a study can have more of."""

MOST = {"weeks": 2000, "posts": 100_000_000, "users": 100_000_000, "seeds": 200, "wordings": 200, "respondents": 10**7}
"""Numbers beyond which nothing is called needed any more."""

LEAST_RELIABILITY = 0.02
"""Reliability that stands for none: power is then the error rate."""


@dataclass(frozen=True)
class Effort:
    """Numbers of a study.

    Attributes
    ----------
    weeks
        Shared weeks.
    posts, users
        Posts per week, and users who write them; None where their noise is not known.
    seeds, wordings
        Adapters per week, ways of asking.
    respondents
        Respondents per wave; None where the survey's noise is not known.
    """

    weeks: int
    posts: float | None = None
    users: float | None = None
    seeds: int = 1
    wordings: int = 1
    respondents: float | None = None


def changed(effort: Effort, numbers: Mapping[str, Any]) -> Effort:
    """Return the effort with other numbers of some parts; None leaves a part as it is."""
    return replace(effort, **{part: number for part, number in numbers.items() if number is not None})


@dataclass(frozen=True)
class Noise:
    """Variances over weeks of the parts of one option's answers, each for a single unit.

    Attributes
    ----------
    signal
        Variance of what is asked for; at or below 0 nothing was found.
    posts, users
        Sampling of posts and of users, times their number; None: not measured.
    seeds, wordings, cells
        Of one seed, one wording, and one wording under one seed.
    rest
        What no number takes away.
    survey, survey_rest
        Noise of the survey times respondents (None: not measured) and what respondents do not take away, both over the
        survey's own signal.
    """

    signal: float = 1.0
    posts: float | None = None
    users: float | None = None
    seeds: float = 0.0
    wordings: float = 0.0
    cells: float = 0.0
    rest: float = 0.0
    survey: float | None = None
    survey_rest: float = 0.0

    def reliability_model(self, effort: Effort) -> float:
        """Return the share of signal in the variance of the mean answer; parts that are not known count as none."""
        if self.signal <= 0:
            return LEAST_RELIABILITY
        noise = self.rest + self.seeds / effort.seeds + self.wordings / effort.wordings
        noise += self.cells / (effort.seeds * effort.wordings)
        for part, number in ((self.posts, effort.posts), (self.users, effort.users)):
            if part is not None and number is not None:
                noise += part / number
        return max(self.signal / (self.signal + noise), LEAST_RELIABILITY)

    def reliability_survey(self, effort: Effort) -> float:
        """Return the share of signal in the variance of the survey."""
        noise = self.survey_rest
        if self.survey is not None and effort.respondents is not None:
            noise += self.survey / effort.respondents
        return max(1 / (1 + noise), LEAST_RELIABILITY)


@dataclass(frozen=True)
class Question:
    """What is to be found, with which noise.

    Attributes
    ----------
    noise
        One per option; reliabilities are medians over options.
    r
        Correlation of the true series.
    persistence, lag, n_lags, n_questions, alpha, missing
        As in `power.Design`.
    """

    noise: tuple[Noise, ...]
    r: float
    persistence: float = 0.7
    lag: int = 0
    n_lags: int = 1
    n_questions: int = 1
    alpha: float = 0.05
    missing: float = 0.0

    def knows(self, part: str) -> bool:
        """Say whether the noise that `part` takes away is known, so that its number can be asked for."""
        if part == "weeks":
            return True
        if part == "seeds":
            return any(one.seeds > 0 or one.cells > 0 for one in self.noise)
        if part == "wordings":
            return any(one.wordings > 0 or one.cells > 0 for one in self.noise)
        return any(getattr(one, "survey" if part == "respondents" else part) is not None for one in self.noise)

    @property
    def least_weeks(self) -> int:
        """Weeks below which there is no design."""
        return power.least_weeks(self.lag, self.missing)

    def design(self, effort: Effort) -> power.Design:
        """Return the study in numbers that `power` takes."""
        return power.Design(
            weeks=effort.weeks,
            r=self.r,
            persistence=self.persistence,
            reliability_model=statistics.median(one.reliability_model(effort) for one in self.noise),
            reliability_survey=statistics.median(one.reliability_survey(effort) for one in self.noise),
            n_lags=self.n_lags,
            n_questions=self.n_questions,
            alpha=self.alpha,
            lag=self.lag,
            missing=self.missing,
        )

    def power(self, effort: Effort) -> dict[str, float]:
        """Return the power of both tests by formula."""
        return power.analytic(self.design(effort))


def needed(question: Question, effort: Effort, part: str, wanted: float = 0.8, test: str = "dynamics") -> int | None:
    """Return the smallest number of one part, all others as given, with which the formula promises `wanted`.

    Returns
    -------
    int or None
        None where no number is enough: what the other parts leave over is too much.

    Raises
    ------
    CorrelateError
        If the noise of that part is not known.
    """
    if not question.knows(part):
        raise CorrelateError(f"the noise of {part} is not known: nothing says how many are needed")
    low = question.least_weeks if part == "weeks" else 1
    high = MOST[part]

    def enough(number: int) -> bool:
        return question.power(changed(effort, {part: number}))[test] >= wanted

    if not enough(high):
        return None
    while low < high:  # the formula grows with every part
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


@dataclass(frozen=True)
class WhatIf:
    """One changed effort and its power by formula."""

    change: str
    effort: Effort
    dynamics: float
    level: float


def what_if(question: Question, effort: Effort, factors: Sequence[float] = (0.5, 2, 4)) -> list[WhatIf]:
    """Return the power of the effort as it is, and with each known part changed by a factor, one at a time."""
    rows = [_row("as planned", question, effort)]
    for part in PARTS:
        number = getattr(effort, part)
        if number is None or not question.knows(part):
            continue
        for factor in factors:
            other = _times(part, number, factor, question.least_weeks)
            if other != number:
                rows.append(_row(f"{part} {other:g}", question, changed(effort, {part: other})))
    return rows


def _times(part: str, number: float, factor: float, least_weeks: int) -> int:
    least = least_weeks if part == "weeks" else 1
    return min(max(math.floor(number * factor + 0.5), least), MOST[part])


def _row(change: str, question: Question, effort: Effort) -> WhatIf:
    found = question.power(effort)
    return WhatIf(change, effort, found["dynamics"], found["level"])


def curves(
    question: Question, effort: Effort, weeks: Iterable[int], part: str, numbers: Iterable[float]
) -> dict[float, list[dict[str, float]]]:
    """Return, for several numbers of one part, the power by formula over the weeks."""
    span = list(weeks)
    return {number: [question.power(changed(effort, {part: number, "weeks": n})) for n in span] for number in numbers}
