"""Where the real series stands among placebos: any series that should not be related.

Takes one real series, placebo series by kind and the survey, gives ranks. Knows not how placebos were made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from temporal_adapters.errors import ValidityError
from temporal_adapters.significance import dynamics
from temporal_adapters.significance.autoregression import Array

NEAREST_WEEKS = 8
"""Weeks by which a series must be moved to lose its dates; a quarter of a shorter series."""


OUT_OF_TIME = "out-of-time"
"""Kind of the placebos that every study has: its own series, moved round the calendar."""

NULLS = ("shuffled", "questionnaire", OUT_OF_TIME)
"""Kinds that can be the null of the report, the most telling first: the same posts trained anew on dealt out weeks; the
same adapters asked something else; the same series at other dates. Permuted weeks have no persistence and never are."""

LEAST_NULL = 19
"""Placebos that vary below which a kind is no null: its smallest p would be above .05."""


@dataclass(frozen=True)
class Placebo:
    """The real statistic among those of placebos.

    Attributes
    ----------
    r, placebo_r
        Correlation of levels with the survey: real, and of every placebo.
    p_level, p_changes
        (1 + placebos with at least as large a value) / (placebos + 1), for |r| and for test D's |T|.
    """

    r: float
    placebo_r: tuple[float, ...]
    p_level: float
    p_changes: float


def rank(real: Array, placebos: Array, survey: Array) -> Placebo:
    """Return the rank p-values of `real` (n,) among `placebos` (k, n) against `survey` (n,).

    Raises
    ------
    ValidityError
        If there is no placebo, or lengths differ.
    """
    if placebos.ndim != 2 or not len(placebos) or placebos.shape[1:] != real.shape or survey.shape != real.shape:
        raise ValidityError(f"placebos must be a table of k series of {len(real)} weeks, not {placebos.shape}")
    every = np.vstack([real[None], placebos])
    target = np.broadcast_to(survey, every.shape)
    r = dynamics.pearson(every, target)
    if not np.isfinite(r).all():
        raise ValidityError("the series or a placebo does not vary in the weeks of the survey")
    ranks = dynamics.signed_ranks(dynamics.whiten(every).residuals)
    other = dynamics.signed_ranks(dynamics.whiten(survey[None]).residuals)
    t = dynamics.statistic(dynamics.products(ranks, np.broadcast_to(other, ranks.shape), [0])[:, 0])
    return Placebo(float(r[0]), tuple(r[1:].tolist()), _rank_p(np.abs(r)), _rank_p(np.abs(t)))


def out_of_time(series: Array) -> Array:
    """Return placebos of one series (n,): itself moved round the calendar by 8 weeks or more, forwards and reversed.

    They keep its values and memory and lose its dates, so they cost nothing where no placebo adapters were trained.
    Neighbouring shifts resemble each other: their rank says less than as many independent placebos would.
    """
    n = len(series)
    near = min(NEAREST_WEEKS, n // 4)
    forwards = [np.roll(series, shift) for shift in range(near, n - near + 1)]
    backwards = [np.roll(series[::-1], shift) for shift in range(n)]
    return np.stack([*forwards, *backwards])


def _rank_p(size: Array) -> float:
    return float((1 + (size[1:] >= size[0] - 1e-12).sum()) / len(size))


@dataclass(frozen=True)
class Kind:
    """The real series among the placebos of one kind.

    Attributes
    ----------
    n, n_constant
        Placebos, and how many of them do not vary in the weeks of the survey: those have no correlation.
    placebo_r
        r of every placebo that varies.
    p_level, p_changes
        As in `Placebo`; None where none varies.
    smallest_p
        1 / (placebos that vary + 1): what the best possible series would get.
    """

    n: int
    n_constant: int
    placebo_r: tuple[float, ...]
    p_level: float | None
    p_changes: float | None
    smallest_p: float | None


def by_kind(real: Array, placebos: Mapping[str, Array], survey: Array) -> dict[str, Kind]:
    """Return the ranks of `real` (n,) among the placebos (k, n) of every kind, and among itself out of time.

    Raises
    ------
    ValidityError
        If the real series does not vary.
    """
    every = {**placebos, OUT_OF_TIME: out_of_time(real)}
    return {kind: _kind(real, series, survey) for kind, series in every.items() if len(series)}


def _kind(real: Array, series: Array, survey: Array) -> Kind:
    varies = np.array([varying(one, survey) for one in series])
    constant = int((~varies).sum())
    if not varies.any():
        return Kind(len(series), constant, (), None, None, None)
    found = rank(real, series[varies], survey)
    smallest = 1 / (len(found.placebo_r) + 1)
    return Kind(len(series), constant, found.placebo_r, found.p_level, found.p_changes, smallest)


def varying(series: Array, survey: Array) -> bool:
    """Say whether a series varies in the weeks in which the survey has a value."""
    both = series[np.isfinite(series) & np.isfinite(survey)]
    return bool(len(both) > 1 and np.ptp(both) > 1e-12 * max(1.0, float(np.abs(both).max())))


def null_kind(kinds: Mapping[str, Kind]) -> str:
    """Return the kind whose ranks are the headline: the most telling one with enough placebos that vary."""
    for kind in NULLS:
        if kind in kinds and len(kinds[kind].placebo_r) >= LEAST_NULL:
            return kind
    return OUT_OF_TIME
