"""What a finished study says about noise: the inputs of a power analysis for the next one.

Takes the figures of trust and, where they were made, those of split halves; gives variances, reliabilities
and persistence. Knows no test.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from temporal_adapters.engines.significance import LEAST_RELIABILITY, Effort, Noise
from temporal_adapters.ground.errors import ValidityError
from temporal_adapters.stages.trust.components import Components
from temporal_adapters.study.artifacts import Halved, Trust

MOST_PERSISTENCE = 0.98
"""Largest persistence that a power analysis is given."""


@dataclass(frozen=True)
class Halves:
    """One option's answers in both halves of the same weeks.

    Attributes
    ----------
    components
        Variance components with the factor ``half``. With one seed its noise is part of ``week:half``.
    posts, users
        Posts per week, and users of a week, in one half.
    """

    components: Components
    posts: float
    users: float

    @property
    def shared(self) -> float:
        """Variance over weeks of what both halves have in common."""
        return max(self.components.variance["week"], 0.0)

    @property
    def apart(self) -> float:
        """Variance over weeks by which one half misses that."""
        return max(self.components.variance["week:half"], 0.0)


def noise(
    components: Components | None,
    by_users: Halves | None = None,
    by_posts: Halves | None = None,
    survey_reliability: float | None = None,
    respondents: float | None = None,
) -> Noise:
    """Return the noise of one option.

    Halves of posts share their users, so that they differ by the sampling of posts alone; halves of users differ by
    both. With one kind of halves, its whole noise is put on posts: it then holds for as many more users as posts
    (halves of users), or for more posts of the same users (halves of posts).

    Parameters
    ----------
    components
        Of weeks, seeds and wordings in the whole study; None with one of each.
    by_users, by_posts
        Split halves, where they were made.
    survey_reliability, respondents
        Of the survey; without a number of respondents its noise is what none of them takes away.
    """
    variance = components.variance if components is not None else {"week": 1.0}
    parts = {name: max(variance.get(f"week:{factor}", 0.0), 0.0) for name, factor in _FACTORS.items()}
    found = replace(_survey(survey_reliability, respondents), signal=max(variance["week"], 0.0), **parts)
    whole = by_users or by_posts
    if whole is None:
        return found
    both = by_users is not None and by_posts is not None
    if whole.shared <= 0:  # nothing but noise: no number of posts makes a signal of it
        return replace(found, signal=0.0, posts=0.0, users=0.0 if both else None)
    # Half of a half's noise is left in the whole study, and there it looks like signal.
    signal = found.signal / (1 + whole.apart / whole.shared / 2)
    one = by_posts or whole
    # What halves of the posts have in common holds the noise of their users: only halves of users show the signal.
    found = replace(found, signal=signal, posts=one.apart * one.posts / whole.shared * signal)
    if by_users is not None and by_posts is not None:
        more = max(by_users.apart - by_posts.apart * by_posts.posts / by_users.posts, 0.0)
        found = replace(found, users=more * by_users.users / whole.shared * signal)
    return found


def _survey(reliability: float | None, respondents: float | None) -> Noise:
    if reliability is None:
        return Noise()
    over = 1 / max(reliability, LEAST_RELIABILITY) - 1
    return Noise(survey=over * respondents) if respondents else Noise(survey_rest=over)


_FACTORS = {"seeds": "seed", "wordings": "wording", "cells": "seed:wording"}


@dataclass(frozen=True)
class Measured:
    """The noise of a finished study and the effort it took.

    Attributes
    ----------
    noise
        One per option.
    persistence
        Median over options, of the survey's signal; None where no option has a survey in neighbouring weeks.
    effort
        The study's own numbers.
    halves
        Kinds of halves that were made: ``users``, ``posts``.
    """

    noise: tuple[Noise, ...]
    persistence: float | None
    effort: Effort
    halves: tuple[str, ...]


def measure(document: Trust, halves: Mapping[str, Halved] | None = None) -> Measured:
    """Return the noise of every option of a study.

    Parameters
    ----------
    document
        The figures of trust.
    halves
        Kind (``users``, ``posts``) -> what the halves have in common.

    Raises
    ------
    ValidityError
        If no option has what is needed, or an older version wrote the document.
    """
    given = halves or {}
    found, surveys, persistence, sizes = [], [], [], {"seed": 1, "wording": 1}
    for option in document.options:
        split = {kind: _halves(one, option) for kind, one in given.items()}
        known = Components(**option["components"]) if option["components"] is not None else None
        if known is None and not any(split.values()):
            continue
        sizes = {**sizes, **({name: known.n[name] for name in sizes if name in known.n} if known else {})}
        reliability = option["survey_reliability"]
        found.append(noise(known, split.get("users"), split.get("posts"), reliability, option.get("respondents")))
        if reliability is not None:
            surveys.append(reliability)
        seen = (option.get("persistence") or {}).get("survey")
        if reliability and seen is not None:
            persistence.append(seen / reliability)
    if not found or not surveys:
        raise ValidityError(
            "the study measures no noise: it needs several seeds or wordings, or halves (ta validate --halves users),"
            " and a survey with standard errors or numbers of respondents"
        )
    return Measured(
        noise=tuple(found),
        persistence=min(max(statistics.median(persistence), 0.0), MOST_PERSISTENCE) if persistence else None,
        effort=_effort(document, sizes, given),
        halves=tuple(given),
    )


def _halves(document: Halved, option: Mapping[str, Any]) -> Halves | None:
    for one in document.options:
        if (one["item"], one["option"]) == (option["item"], option["option"]):
            return Halves(Components(**one["components"]), document.posts, document.users)
    return None


def _effort(document: Trust, sizes: Mapping[str, int], halves: Mapping[str, Halved]) -> Effort:
    options = document.options
    if not all("n_shared" in one for one in options):
        raise ValidityError("trust.json does not say how many weeks are shared: run `ta correlate` again")
    respondents = [one["respondents"] for one in options if one.get("respondents")]
    some = next(iter(halves.values()), None)
    return Effort(
        weeks=int(statistics.median(one["n_shared"] for one in options)),
        posts=2 * some.posts if some else None,
        users=2 * some.users if some and len(halves) > 1 else None,
        seeds=sizes["seed"],
        wordings=sizes["wording"],
        respondents=statistics.median(respondents) if respondents else None,
    )
