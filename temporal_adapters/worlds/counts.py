"""The posts of a world as counts, without a word of text: the cheap estimator for experiments with hundreds of worlds.

Takes the section `simulate`, gives how many cleaned posts of every week hold a word of each mood, and the survey. Knows
no model.

Posts of one user and week are Poisson and each tells a mood by itself, so the counts of the moods over any group of
users are independent Poisson variables: drawing them is exact and needs no post. What is not in it: posts that the
weeks stage drops for other reasons than being a repost, a copy or in another language.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize

from temporal_adapters.study.config import Simulate
from temporal_adapters.worlds.language import MOODS, OPPOSITE
from temporal_adapters.worlds.survey import asked_weights
from temporal_adapters.worlds.world import (
    GAP_STREAM,
    POST_STREAM,
    SURVEY_STREAM,
    Array,
    Population,
    populate,
    stream,
)

COUNT_STREAM = 1
"""Part of the stream of posts from which counts are drawn: not the one that draws texts."""


@dataclass(frozen=True)
class Counted:
    """A world as its cheapest observers see it.

    Attributes
    ----------
    posts
        ``(n_weeks, n_moods)`` cleaned posts with a word of each mood; NaN in weeks without posts.
    survey
        ``(n_weeks, n_moods)`` share of the wave's respondents who tick each mood; NaN in weeks without a wave.
    posts_signal, survey_signal
        The same without the noise of finite numbers: expected counts over their sum, expected shares.
    """

    posts: Array
    survey: Array
    posts_signal: Array
    survey_signal: Array

    @property
    def shares(self) -> Array:
        """Counts over their sum by week, ``(n_weeks, n_moods)``: what counting words answers."""
        return over_sum(self.posts)


def over_sum(counts: Array) -> Array:
    """Return the shares of the last axis; NaN where there is nothing to share."""
    total = counts.sum(axis=-1, keepdims=True)
    shares: Array = np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)
    return shares


def count_world(world: Simulate) -> Counted:
    """Return the counts and the survey of one world; the same section gives the same numbers."""
    people = populate(world)
    rates = expected_posts(world, people)
    ticked = tick_shares(world, people)
    answers = stream(world, SURVEY_STREAM).binomial(world.n_respondents, ticked) / world.n_respondents
    answers[np.arange(world.n_weeks) % world.wave_every != 0] = np.nan
    return Counted(draw_posts(world, rates), answers, over_sum(rates), ticked)


def draw_posts(world: Simulate, rates: Array, part: int = 0) -> Array:
    """Return Poisson counts with these expectations; another `part` is an independent draw. Gap weeks are NaN."""
    counts = np.random.default_rng([world.seed, POST_STREAM, COUNT_STREAM, part]).poisson(rates).astype(np.float64)
    counts[..., list(world.gap_weeks), :] = np.nan
    return counts


def expected_posts(world: Simulate, people: Population, users: npt.NDArray[np.bool_] | None = None) -> Array:
    """Return the expected cleaned posts with a word of each mood, ``(n_weeks, n_moods)``.

    Parameters
    ----------
    world, people
        The world and its users.
    users
        ``(n_users,)`` whose posts count; everybody's without it.
    """
    chosen = np.ones(len(people.activity), dtype=bool) if users is None else users
    week = np.arange(len(people.eta))
    there = people.last_week[chosen] >= week[:, None]
    # softmax(eta + offset) summed over users needs two matrix products instead of weeks x users x moods exponentials.
    up, own = np.exp(people.eta), np.exp(people.offset[chosen])
    told = up * ((there * people.activity[chosen]) / (up @ own.T) @ own)
    clean = 1 - world.repost_share - world.duplicate_share - world.other_language_share
    return np.asarray(_as_written(world, told) * clean * world.mood_share)


def _as_written(world: Simulate, told: Array) -> Array:
    """Return the moods whose words are used: negation and irony use the opposite's."""
    names = list(MOODS)
    twisted = world.negation_share + world.irony_share
    written = (1 - twisted) * told
    for place, mood in enumerate(names):
        written[:, names.index(OPPOSITE[mood])] += twisted * told[:, place]
    return written


def tick_shares(world: Simulate, people: Population) -> Array:
    """Return each mood's expected share of ticks in every week, ``(n_weeks, n_moods)``.

    The same as `temporal_adapters.worlds.survey.tick_probabilities` to eight digits, ten times as fast.
    """
    gap = stream(world, GAP_STREAM).normal(0.0, 1.0, len(MOODS)) * world.selection_gap
    weight = asked_weights(world, people)
    down, own = np.exp(-people.eta), np.exp(-(people.offset + gap))
    odds = [np.outer(down[:, mood], own[:, mood]) for mood in range(len(MOODS))]

    def shares(shift: float) -> Array:
        scale = np.exp(-shift)
        return np.stack([np.average(1.0 / (1.0 + scale * one), axis=1, weights=weight) for one in odds], axis=1)

    shift = optimize.brentq(lambda at: float(shares(at).sum(axis=1).mean()) - world.ticks, -20.0, 20.0, xtol=1e-10)
    return shares(shift)
