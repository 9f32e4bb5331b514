"""What the order of the options does to an answer, and how to take it out.

Takes scores under several orders of the same options, gives scores without the order. Pure arithmetic; knows no model.

An answer to a list is a product of what is asked and where it stands: models prefer some positions or labels
(Dominguez-Olmedo et al. 2024; Zheng et al. 2024).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from temporal_adapters.engines.scoring.question import OptionScore, clr, logsumexp, softmax
from temporal_adapters.ground.errors import ScoringError
from temporal_adapters.study.questionnaire import Item, Option, Wording, is_fixed, option_orders

Scores = Mapping[str, OptionScore]
Array = npt.NDArray[np.float64]


def positions(item: Item, wording: Wording) -> dict[str, list[str]]:
    """Return order -> names of the options that change places, as they are listed (fixed ones are left out)."""
    return {
        order: [option.name for option in options if not is_fixed(option)]
        for order, options in option_orders(item, wording).items()
    }


def permutation(by_order: Mapping[str, Scores], options: Sequence[Option]) -> dict[str, OptionScore]:
    """Return the mean over orders: share = mean share; log-score = log of the mean probability.

    Over all K! orders (or K cyclic ones) every option stands equally often in every place, so that a preference for a
    place is the same for all options.
    """
    if len(by_order) < 2:
        raise ScoringError("the mean over orders needs at least two orders: set the item's `orders`")
    names = [option.name for option in options if option.role == "substantive"]
    shares = np.mean([softmax([scores[name].logprob for name in names]) for scores in by_order.values()], axis=0)
    ratios = clr([math.log(share) for share in shares])
    first = next(iter(by_order.values()))
    pooled = {name: _pool([scores[name] for scores in by_order.values()]) for name in first}
    for name, share, ratio in zip(names, shares, ratios, strict=True):
        pooled[name] = replace(pooled[name], share=float(share), clr=ratio)
    return pooled


def _pool(scores: Sequence[OptionScore]) -> OptionScore:
    logprob = logsumexp(score.logprob for score in scores) - math.log(len(scores))
    return OptionScore(logprob, scores[0].n_tokens, math.fsum(score.mass or 0.0 for score in scores) / len(scores))


def position_shares(by_order: Mapping[str, Scores], places: Mapping[str, Sequence[str]]) -> Array:
    """Return ``(n_positions,)``: the mean over orders of each position's share among those that change places.

    Without a preference for places every position gets 1/n_positions when all (or cyclic) orders are asked.
    """
    return np.asarray(np.mean(np.exp(_log_positions(by_order, places)), axis=0))


def position_prior(by_order: Sequence[tuple[Mapping[str, Scores], Mapping[str, Sequence[str]]]]) -> Array:
    """Return the position prior of PriDe, ``(n_positions,)``: softmax of the mean log-share of each position.

    Parameters
    ----------
    by_order
        One entry per question with the same number of positions: its scores by order, and who stands where.

    Notes
    -----
    Zheng et al. 2024 (arXiv 2309.03882), eq. 7: log P(position) is averaged over cyclic orders and questions. If the
    model's answer is a product of a prior and of what the options say, the average returns the prior exactly.
    """
    means = [_log_positions(scores, places).mean(axis=0) for scores, places in by_order]
    return np.asarray(softmax([float(value) for value in np.mean(means, axis=0)]))


def debias(scores: Scores, names: Sequence[str], prior: Array) -> dict[str, OptionScore]:
    """Return the scores of one order divided by the prior of each option's position.

    Parameters
    ----------
    scores
        Scores of one order.
    names
        Options that change places, as listed; the others keep their scores.
    prior
        Their positions' prior, ``(n_positions,)``.

    Notes
    -----
    What the options in `names` hold together stays what it was; only its division among them changes.
    """
    if len(names) != len(prior):
        raise ScoringError(f"a prior over {len(prior)} positions cannot be taken out of {len(names)} options")
    raw = [scores[name].logprob for name in names]
    moved = [value - math.log(weight) for value, weight in zip(raw, prior, strict=True)]
    level = logsumexp(raw) - logsumexp(moved)
    new = {name: replace(scores[name], logprob=value + level) for name, value in zip(names, moved, strict=True)}
    return {**scores, **new}


def _log_positions(by_order: Mapping[str, Scores], places: Mapping[str, Sequence[str]]) -> Array:
    """Return ``(n_orders, n_positions)`` log-shares of the positions."""
    rows = []
    for order, scores in by_order.items():
        values = [scores[name].logprob for name in places[order]]
        rows.append(np.asarray(values) - logsumexp(values))
    return np.stack(rows)
