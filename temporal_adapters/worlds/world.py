"""The world behind the posts: weekly moods, users, and who is asked by the survey.

Takes the section `simulate` of a study, gives arrays over weeks, users and moods. Knows neither text nor files.

The generative model. Every mood k has a latent log-odds level in week t,

    eta[t, k] = level[k] + spread * (sqrt(1 - c) * z[t, k] + sqrt(c) * valence[k] * z[t, 0])
                + season[t, k] + shock[t, k]

with c the share of variance that the moods have in common and z a standardised AR(1) process (or random walk). A user i
has an own lasting offset, and the mood of a post of user i in week t is drawn from

    p[i, t, k] = softmax over k of (eta[t, k] + offset[i, k]).

The truth of a week is the mean of p over all users of the panel, whether or not they post. A user's offset is a draw of
their own plus what their age group and gender have in common; who is asked by the survey may be of other ages.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from temporal_adapters.study.config import Simulate
from temporal_adapters.worlds.language import MOODS, SUBJECTS, VALENCE

Array = npt.NDArray[np.float64]


MOOD_STREAM, USER_STREAM, POST_STREAM, SURVEY_STREAM, GAP_STREAM, GROUP_STREAM, TOPIC_STREAM = range(7)
AGES = ("18-34", "35-54", "55+")
GENDERS = ("female", "male")


def stream(world: Simulate, part: int) -> np.random.Generator:
    """Return the random stream of one part of the world."""
    return np.random.default_rng([world.seed, part])


def week_starts(world: Simulate) -> list[date]:
    """Return the first day of every week, gaps included."""
    return [world.start + timedelta(weeks=week) for week in range(world.n_weeks)]


@dataclass(frozen=True)
class Population:
    """The hidden state of a world.

    Attributes
    ----------
    eta
        ``(n_weeks, n_moods)`` latent log-odds of the weeks.
    offset
        ``(n_users, n_moods)`` lasting log-odds offsets of the users.
    activity
        ``(n_users,)`` expected posts per week while a user is there; sums to `posts_per_week`.
    last_week
        ``(n_users,)`` the last week (from 0) in which a user posts.
    age, gender
        ``(n_users,)`` place in `AGES` and in `GENDERS`.
    """

    eta: Array
    offset: Array
    activity: Array
    last_week: npt.NDArray[np.int64]
    age: npt.NDArray[np.int64]
    gender: npt.NDArray[np.int64]

    def mood_probabilities(self, week: int) -> Array:
        """Return p, ``(n_users, n_moods)``, of one week."""
        return softmax(self.eta[week] + self.offset)

    def truth(self) -> Array:
        """Return the mean of p over all users, ``(n_weeks, n_moods)``."""
        return np.stack([self.mood_probabilities(week).mean(axis=0) for week in range(len(self.eta))])


def softmax(x: Array) -> Array:
    """Return exp(x) normalised over the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    result: Array = e / e.sum(axis=-1, keepdims=True)
    return result


def populate(world: Simulate) -> Population:
    """Draw the weekly moods and the users of the world."""
    rng = stream(world, USER_STREAM)
    weight = rng.lognormal(0.0, world.activity, world.n_users)
    stay = rng.geometric(max(world.attrition, 1e-12), world.n_users) if world.attrition else None
    last = np.full(world.n_users, world.n_weeks) if stay is None else np.minimum(stay, world.n_weeks)
    own = rng.normal(0.0, world.user_spread, (world.n_users, len(MOODS)))
    age, gender, shared = _groups(world)
    return Population(
        eta=_latent(world),
        offset=own + shared,
        activity=weight / weight.sum() * world.posts_per_week,
        last_week=last.astype(np.int64),
        age=age,
        gender=gender,
    )


def _groups(world: Simulate) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Array]:
    """Return every user's age group and gender, and the offsets that these bring, ``(n_users, n_moods)``."""
    rng = stream(world, GROUP_STREAM)
    of_age = rng.normal(0.0, 1.0, (len(AGES), len(MOODS))) * world.demographic_spread
    of_gender = rng.normal(0.0, 1.0, (len(GENDERS), len(MOODS))) * world.demographic_spread
    age = np.searchsorted(np.cumsum(world.ages[:-1]), rng.random(world.n_users), side="right").astype(np.int64)
    gender = (rng.random(world.n_users) < 0.5).astype(np.int64)
    return age, gender, of_age[age] + of_gender[gender]


def subjects_by_week(world: Simulate) -> Array | None:
    """Return the cumulative probabilities of the subjects by week, ``(n_weeks, n_subjects)``; None if all are alike."""
    if not world.topic_spread:
        return None
    noise = stream(world, TOPIC_STREAM).standard_normal((world.n_weeks, len(SUBJECTS)))
    return np.cumsum(softmax(world.topic_spread * _process(world, noise)), axis=1)


def _latent(world: Simulate) -> Array:
    rng = stream(world, MOOD_STREAM)
    n_moods = len(MOODS)
    z = _process(world, rng.standard_normal((world.n_weeks, n_moods + 1)))
    valence = np.array([VALENCE[mood] for mood in MOODS], dtype=np.float64)
    level = rng.normal(0.0, 0.35, n_moods)
    moving = np.sqrt(1 - world.common) * z[:, 1:] + np.sqrt(world.common) * z[:, :1] * valence
    phase = rng.uniform(0, 2 * np.pi, n_moods)
    season = world.season * np.sin(2 * np.pi * np.arange(world.n_weeks)[:, None] / 52.18 + phase)
    return level + world.spread * moving + season + _shocks(world, rng, valence)


def _process(world: Simulate, noise: Array) -> Array:
    z = noise.copy()
    for week in range(1, len(z)):
        if world.process == "random-walk":
            z[week] = z[week - 1] + noise[week] / np.sqrt(world.n_weeks / 2)
        else:
            z[week] = world.persistence * z[week - 1] + np.sqrt(1 - world.persistence**2) * noise[week]
    return z


def _shocks(world: Simulate, rng: np.random.Generator, valence: Array) -> Array:
    hits = rng.random(world.n_weeks) < world.shock_rate
    sign = rng.choice([-1.0, 1.0], world.n_weeks)
    level = np.zeros(world.n_weeks)
    for week in range(world.n_weeks):
        level[week] = (level[week - 1] / 2 if week else 0.0) + (sign[week] * world.shock_size if hits[week] else 0.0)
    shocks: Array = level[:, None] * valence
    return shocks
