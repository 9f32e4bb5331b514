"""Placebos from other worlds: the answers of one world beside the survey of another, which cannot be related.

Takes seeds of worlds, or finished runs of several worlds, gives p-values of pairs of series (`Unrelated`). One option
of each world is taken, another one in each: the options of a world share its common factor, and p-values that depend on
each other are not the sample that Kolmogorov and Smirnov's test wants.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from temporal_adapters.ground.errors import ValidityError
from temporal_adapters.ground.tables import ADAPTERS
from temporal_adapters.stages.correlate import fill
from temporal_adapters.stages.trust import Unrelated, unrelated
from temporal_adapters.study.artifacts import RunFolder, load_table
from temporal_adapters.study.config import Simulate
from temporal_adapters.worlds import MOODS, count_world

if TYPE_CHECKING:
    from temporal_adapters.engines.significance import Array


def counted(world: Simulate, seeds: Sequence[int], draws: int = 999, seed: int = 1) -> Unrelated:
    """Test the share of counted mood words of every world against the survey of the next.

    Parameters
    ----------
    world
        Knobs of all worlds.
    seeds
        Their seeds; the last world meets the survey of the first. World i takes option i, round and round.
    draws, seed
        Null draws of the tests, and their seed.
    """
    worlds = [count_world(world.model_copy(update={"seed": one})) for one in seeds]
    place = [number % len(MOODS) for number in range(len(worlds))]
    answers = np.array([one.shares[:, mood] for one, mood in zip(worlds, place, strict=True)])
    surveys = [worlds[(number + 1) % len(worlds)].survey for number in range(len(worlds))]
    asked = np.array([one[:, mood] for one, mood in zip(surveys, place, strict=True)])
    return unrelated(answers, asked, draws, seed)


def of_runs(
    runs: Sequence[RunFolder], survey: str = "survey", steps: Sequence[int] = (1,), draws: int = 999, seed: int = 1
) -> Unrelated:
    """Test the adapters' series of every run against the survey of another run.

    Parameters
    ----------
    runs
        Finished runs of independent worlds with the same weeks and questions, at least up to the series.
    survey
        Name of the surveys' source.
    steps
        Run i meets the surveys of the runs i + step, round and round. One step gives as many pairs as runs, all of
        different series; more steps give more pairs, which share series and are no longer independent.
    draws, seed
        Null draws of the tests, and their seed.

    Raises
    ------
    ValidityError
        If a run has no series, no survey, or other weeks or options than the first.
    """
    tables = [_read(run, survey) for run in runs]
    names, weeks = tables[0][2], tables[0][3]
    for run, one in zip(runs, tables, strict=True):
        if one[2] != names or one[3] != weeks:
            raise ValidityError(f"{run.root} has other options or weeks than {runs[0].root}: they cannot be exchanged")
    pairs = [(number, (number + step) % len(runs)) for step in steps for number in range(len(runs))]
    if any(first == second for first, second in pairs):
        raise ValidityError(f"steps {list(steps)} let a run of {len(runs)} meet its own survey")
    first = np.array([tables[one][0][place % len(names)] for place, (one, _) in enumerate(pairs)])
    second = np.array([tables[other][1][place % len(names)] for place, (_, other) in enumerate(pairs)])
    return unrelated(first, second, draws, seed)


def _read(run: RunFolder, survey: str) -> tuple[Array, Array, list[tuple[str, str]], list[date]]:
    """Return both sources as (options, weeks), the options both have, and the weeks."""
    path = run.series_table
    if not path.is_file():
        raise ValidityError(f"{path} does not exist: run `ta series` first")
    table = load_table(path)
    sides = [table.filter(table["source"] == source) for source in (ADAPTERS, survey)]
    if any(side.is_empty() for side in sides):
        known = ", ".join(table["source"].unique().sort().to_list())
        raise ValidityError(f"{path} lacks the series of {ADAPTERS!r} or {survey!r} (it has {known})")
    named = [set(side.select("item", "option").rows()) for side in sides]
    names = sorted(named[0] & named[1])
    weeks = sorted(set(sides[0]["week"].to_list()) | set(sides[1]["week"].to_list()))
    return fill(sides[0], names, weeks), fill(sides[1], names, weeks), names, list(weeks)
