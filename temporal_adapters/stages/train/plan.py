"""Which adapters a study needs, under which keys, and how far they are.

Takes a study and its weeks, gives items. Loads no weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temporal_adapters.engines.model import digest_base, precision
from temporal_adapters.ground.errors import TrainError
from temporal_adapters.stages.tokens import tokens_expected
from temporal_adapters.study.artifacts import Expected, RunFolder, WeekCorpus, read_corpora

if TYPE_CHECKING:
    from temporal_adapters.stages.train.job import Recipe
    from temporal_adapters.study.config import Study

VERSION = 2


@dataclass(frozen=True)
class Item:
    """One adapter of a study.

    Attributes
    ----------
    corpus, seed
        Week and seed.
    expected
        Its folder, settings and inputs (the base and the token blocks).
    """

    corpus: WeekCorpus
    seed: int
    expected: Expected

    @property
    def name(self) -> str:
        """Name of the adapter, such as ``2023-W14/seed-42``."""
        return f"{self.corpus.label}/seed-{self.seed}"

    @property
    def folder(self) -> Path:
        """Where it is published."""
        return self.expected.folder

    @property
    def claim_path(self) -> Path:
        """Where whoever works on it says so."""
        return self.folder.with_name(f"{self.folder.name}.claim")

    @property
    def is_done(self) -> bool:
        """Whether it is published under today's settings and inputs."""
        return self.expected.state == "done"


def recipe(study: Study) -> Recipe:
    """Return how the study fits adapters."""
    from temporal_adapters.stages.train.job import Recipe

    return Recipe.of(study.train, study.tokens.attention)


def choose_corpora(run: RunFolder, weeks: Sequence[str] | None, n_required: int = 1) -> list[WeekCorpus]:
    """Return the weekly corpora called `weeks`, or all that hold posts.

    Raises
    ------
    TrainError
        If a week does not exist or is empty.
    """
    corpora = [corpus for corpus in read_corpora(run) if corpus.n_posts]
    if weeks is None:
        chosen = corpora
    else:
        known = {corpus.label: corpus for corpus in corpora}
        known |= {corpus.start.isoformat(): corpus for corpus in corpora}
        missing = [week for week in weeks if week not in known]
        if missing:
            first, last = (corpora[0].label, corpora[-1].label) if corpora else ("none", "none")
            raise TrainError(f"there is no week {missing[0]!r} with posts in {run.weeks} (it holds {first} to {last})")
        chosen = list(dict.fromkeys(known[week] for week in weeks))
    if len(chosen) < n_required:
        raise TrainError(f"{run.weeks} holds no week with posts: look at panel and weeks in the study file")
    return chosen


def items(
    study: Study, run: RunFolder, weeks: Sequence[str] | None = None, seeds: Sequence[int] | None = None
) -> list[Item]:
    """Return the adapters of a study (or of some of its weeks and seeds), week by week.

    Raises
    ------
    TrainError
        If a week or seed is not part of the study.
    """
    odd = [seed for seed in seeds or () if seed not in study.train.seeds]
    if odd:
        known = ", ".join(map(str, study.train.seeds))
        raise TrainError(f"seed {odd[0]} is not one of the study's seeds ({known}): add it to train.seeds")
    corpora, digest = choose_corpora(run, weeks), digest_base(study.model)
    settings, found = science(study), []
    for corpus in corpora:
        inputs = {"base": digest, "tokens": tokens_expected(study, run, corpus, digest).key}
        for seed in seeds or study.train.seeds:
            config = {**settings, "seed": seed, "week": corpus.label}
            folder = run.adapter(corpus.label, seed)
            found.append(Item(corpus, seed, Expected(folder, "train", VERSION, config, inputs)))
    return found


def expected(study: Study, run: RunFolder) -> list[Expected]:
    """Return every adapter folder that the study expects; none while its weeks are not built."""
    return [item.expected for item in items(study, run)] if run.weeks.is_dir() else []


def science(study: Study) -> dict[str, Any]:
    """Return the settings that change an adapter: what the base is called and which seeds there are do not."""
    from temporal_adapters.study.config import scientific

    train = {name: value for name, value in scientific(study.train).items() if name != "seeds"}
    model = {name: value for name, value in scientific(study.model).items() if name not in ("base", "revision")}
    model["dtype"] = precision(study.model)
    return {"train": train, "model": model, "tokens": {"attention": study.tokens.attention}}
