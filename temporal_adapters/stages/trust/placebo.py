"""Where the real series stands among placebos: any series that should not be related.

Takes one real series, placebo series by kind and the survey, gives ranks. Knows not how placebos were made.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from temporal_adapters.engines.significance import Array, changes, effective, pearson
from temporal_adapters.ground.errors import ValidityError
from temporal_adapters.study.artifacts import Trust

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
    r = pearson(every, np.broadcast_to(survey, every.shape))
    if not np.isfinite(r).all():
        raise ValidityError("the series or a placebo does not vary in the weeks of the survey")
    t = changes(every, survey).statistic[:, 0]
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
    persistence
        Median autocorrelation of the placebos from one week to the next. Where it is far below the real series', the
        ranks of levels are too good: what persists correlates by chance.
    """

    n: int
    n_constant: int
    placebo_r: tuple[float, ...]
    p_level: float | None
    p_changes: float | None
    smallest_p: float | None
    persistence: float | None


def by_kind(real: Array, placebos: Mapping[str, Array], survey: Array) -> dict[str, Kind]:
    """Return the ranks of `real` (n,) among the placebos (k, n) of every kind, and among itself out of time.

    Raises
    ------
    ValidityError
        If the real series does not vary in the weeks of the survey.
    """
    if not varying(real, survey):
        raise ValidityError("the series does not vary in the weeks that it shares with the survey")
    every = {**placebos, OUT_OF_TIME: out_of_time(real)}
    return {kind: _kind(real, series, survey) for kind, series in every.items() if len(series)}


def _kind(real: Array, series: Array, survey: Array) -> Kind:
    varies = np.array([varying(one, survey) for one in series])
    constant = int((~varies).sum())
    if not varies.any():
        return Kind(len(series), constant, (), None, None, None, None)
    found = rank(real, series[varies], survey)
    smallest = 1 / (len(found.placebo_r) + 1)
    persistence = float(np.median(effective.autocorrelation(series[varies], 1)))
    return Kind(len(series), constant, found.placebo_r, found.p_level, found.p_changes, smallest, persistence)


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


_WORDS = {
    "shuffled": "adapters trained on posts dealt out anew to the weeks",
    "questionnaire": "answers of the same adapters to questions that have nothing to do with the survey",
    OUT_OF_TIME: "the series itself at other dates and backwards, which resemble each other",
}


def placebo_sentence(document: Trust) -> str:
    """Return what the ranks in the figures of trust are compared with, and what they can show at best."""
    found = [one["placebo"] for one in document.options if one["placebo"] is not None]
    if not found:
        return "No option could be compared with placebos."
    kinds = sorted({one["kind"] for one in found}, key=NULLS.index)
    parts = []
    for kind in kinds:
        n = [len(one["placebo_r"]) for one in found if one["kind"] == kind]
        few, many = min(n), max(n)
        count = f"{few}" if few == many else f"{few} to {many}"
        parts.append(f"{count} placebos each ({kind}: {_WORDS[kind]}), so that no p can be below {1 / (many + 1):.3f}")
    words = f"Placebos: {'; '.join(parts)}."
    if kinds == [OUT_OF_TIME]:
        words += " `ta validate --placebo` makes placebos with adapters."
    # Documents of earlier versions hold options without a rank, too.
    known = [pair for pair in map(_persistences, found) if None not in pair]
    real, theirs = (statistics.median(values) for values in zip(*known, strict=True)) if known else (0.0, 0.0)
    if theirs < real - LESS_PERSISTENT:
        words += (
            f" They persist less from week to week ({theirs:.2f}) than the real series ({real:.2f}):"
            " p of levels is too small, p of changes is not."
        )
    return words


LESS_PERSISTENT = 0.2
"""Difference of autocorrelations from which on it is said."""


def _persistences(one: Mapping[str, Any]) -> tuple[Any, Any]:
    return one["real_persistence"], one["persistence"]
