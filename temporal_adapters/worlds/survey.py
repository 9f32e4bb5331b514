"""The survey of a simulated world: waves in which respondents of the same population tick their moods.

Takes the section `simulate` and its `Population`, gives rows of the tidy survey table and the respondents'
probabilities. Knows no posts.

A respondent ticks every mood k independently with probability ``sigmoid(eta[t, k] + offset + gap[k] + shift)``, where
`shift` is such that the mean number of ticks over all weeks is `ticks`, and `gap` the lasting difference between those
who are asked and those who post; those asked may also be of other ages (`asked_ages`). As in a poll with several
answers, the shares add up to more than one.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np

from temporal_adapters.study.config import Simulate
from temporal_adapters.worlds.language import MOODS
from temporal_adapters.worlds.world import AGES, GAP_STREAM, SURVEY_STREAM, Array, Population, stream, week_starts

QUESTION = "britains-mood"


def tick_probabilities(world: Simulate, people: Population) -> Array:
    """Return each mood's expected share of ticks in every week, ``(n_weeks, n_moods)``."""
    gap = stream(world, GAP_STREAM).normal(0.0, 1.0, len(MOODS)) * world.selection_gap
    weight = asked_weights(world, people)
    low, high = -20.0, 20.0
    while high - low > 1e-9:
        shift = (low + high) / 2
        shares = np.stack(
            [np.average(_sigmoid(eta + people.offset + gap + shift), axis=0, weights=weight) for eta in people.eta]
        )
        low, high = (shift, high) if shares.sum(axis=1).mean() < world.ticks else (low, shift)
    return shares


def asked_weights(world: Simulate, people: Population) -> Array | None:
    """Return how often each user's kind is asked; None if all alike."""
    if world.asked_ages is None:
        return None
    in_panel = np.bincount(people.age, minlength=len(AGES)) / len(people.age)
    weight: Array = (np.array(world.asked_ages) / np.maximum(in_panel, 1 / len(people.age)))[people.age]
    return weight


def waves(world: Simulate, people: Population) -> list[dict[str, Any]]:
    """Return the survey as rows of date, question, option, value (share who ticked), n."""
    shares = tick_probabilities(world, people)
    rng = stream(world, SURVEY_STREAM)
    counts = rng.binomial(world.n_respondents, shares)
    return [
        {
            "date": (start + timedelta(days=world.fieldwork_weekday)).isoformat(),
            "question": QUESTION,
            "option": option,
            "value": round(counts[week, k] / world.n_respondents, 6),
            "n": world.n_respondents,
        }
        for week, start in enumerate(week_starts(world))
        if week % world.wave_every == 0
        for k, option in enumerate(MOODS)
    ]


def _sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))
