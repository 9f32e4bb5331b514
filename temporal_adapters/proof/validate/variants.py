"""Variants: the same study with changed settings, trained and asked in a folder of its own.

Takes a study and its finished weeks, gives the series that the study would have had with other settings. Knows no truth
and no survey.

    runs/<study>/validate/<variant>/tokens/  adapters/  logprobs/  answers/  series/     (weeks/ only where changed)

A variant's folders are the stages' own artifacts: what is complete is skipped, what was interrupted is resumed, what is
stale is redone and the old folder kept aside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from temporal_adapters import line
from temporal_adapters.ground.errors import ValidityError
from temporal_adapters.ground.progress import Listener, silent
from temporal_adapters.proof.validate.world import IN_PROCESS
from temporal_adapters.study.artifacts import RunFolder

if TYPE_CHECKING:
    import polars as pl

    from temporal_adapters.study.config import Study


@dataclass(frozen=True)
class Variant:
    """A study with changed settings.

    Attributes
    ----------
    name
        Names its folder.
    study
        The changed study. It has no survey: its series are compared with the main study's.
    run
        Its run folder, ``runs/<study>/validate/<name>``.
    """

    name: str
    study: Study
    run: RunFolder


def variant(
    study: Study,
    run: RunFolder,
    name: str,
    changes: Mapping[str, Any] | None = None,
    *,
    own_weeks: bool = False,
    own_seeds: int = 0,
) -> Variant:
    """Return a variant of a study.

    Parameters
    ----------
    study, run
        The study and its run folder.
    name
        Name of the variant; also names its folder.
    changes
        ``section.key`` -> value, such as ``{"train.learning_rate": 5e-6}``.
    own_weeks
        Read ``weeks/`` of the variant's own folder, which the caller has made, instead of the study's.
    own_seeds
        From 1 on: train with the study's seeds moved by so many times 1000 (see `seeds_of`), the same order kept; 0:
        train with the study's seeds. Initialisation, order and dropout come from seed and week label alone, so
        that trainings on other posts of a week would otherwise have that noise in common.

    Raises
    ------
    ValidityError
        If the changes contradict the study's settings.
    """
    document = study.model_dump(mode="python")
    document["survey"] = None
    for key, value in (changes or {}).items():
        node = document
        *sections, last = key.split(".")
        for section in sections:
            node = node[section]
        node[last] = value
    document["train"]["seeds"] = seeds_of(document["train"]["seeds"], own_seeds)
    try:
        changed = type(study).model_validate(document)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(map(str, problem["loc"]))
        raise ValidityError(f"variant {name!r} of {study.study}: {place}: {problem['msg']}") from None
    return Variant(name, changed, RunFolder(run.validate / name, None if own_weeks else run.source or run.root))


HALVES = {"users": 1, "posts": 3}
OTHERS = 10
"""Numbers of variants with seeds of their own: halves of users are 1 and 2, of posts 3 and 4, shuffles 11, 12, ..."""

SEED_STRIDE = 1000
"""Least distance between the training seeds of a study and those of its variants with seeds of their own."""


def seeds_of(seeds: Sequence[int], number: int) -> tuple[int, ...]:
    """Return the training seeds of a variant: those of no other number, and none of the study's.

    They are moved by `number` times 1000, or times the next multiple of 1000 above the span of the seeds.
    """
    stride = SEED_STRIDE * (1 + (max(seeds) - min(seeds)) // SEED_STRIDE)
    return tuple(seed + number * stride for seed in seeds)


def answer(variant: Variant, listener: Listener = silent) -> pl.DataFrame:
    """Train, ask and pool a variant, whatever of it is missing, and return the adapters' series.

    Parameters
    ----------
    variant
        What to answer. Its weeks must have been built.
    listener
        Hears of the progress of training and asking.

    Returns
    -------
    polars.DataFrame
        SERIES with the source `adapters`.

    Raises
    ------
    TemporalAdaptersError
        Whatever its stages raise; finished adapters are kept.
    """
    return line.adapters_series(line.Work(variant.study, variant.run, IN_PROCESS, listener))
