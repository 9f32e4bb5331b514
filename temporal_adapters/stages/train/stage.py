"""The stage `train` in one process: token blocks, then every adapter that is missing or stale.

Takes ``weeks/``, gives ``tokens/`` and ``adapters/<label>/seed-<n>/``. Knows no questions.

Several processes may run this on the same study, on one machine or on several that share the file system: each claims
the items that it works on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from temporal_adapters.engines.model import Base, load_base, load_tokenizer, precision
from temporal_adapters.ground.errors import TokensError
from temporal_adapters.ground.progress import Listener, silent
from temporal_adapters.stages.tokens import HELD_OUT, read_blocks
from temporal_adapters.stages.tokens import build as build_tokens
from temporal_adapters.stages.train.claim import Claim
from temporal_adapters.stages.train.folder import FolderKeeper
from temporal_adapters.stages.train.job import Job
from temporal_adapters.stages.train.loop import fit
from temporal_adapters.stages.train.plan import Item, items, recipe
from temporal_adapters.study.artifacts import RunFolder, mend, verify

if TYPE_CHECKING:
    from temporal_adapters.study.config import Study


def run(
    study: Study,
    run: RunFolder,
    *,
    weeks: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    listener: Listener = silent,
    base: Base | None = None,
) -> list[Item]:
    """Train every adapter that is not done; return the items that are done now.

    Parameters
    ----------
    study, run
        The study and its folder.
    weeks
        Labels; None means all weeks with posts.
    seeds
        Some of the study's seeds; None means all.
    listener
        Hears of progress in tokens.
    base
        A base that is already resident; None loads it (only if there is something to train).

    Raises
    ------
    TrainError, TokensError, ModelError
        With one sentence.
    """
    wanted = items(study, run, weeks, seeds)
    todo = [item for item in wanted if not item.is_done]
    if todo:
        prepare_tokens(study, run, todo, listener)
        total = sum(n_tokens(study, run, todo).values())
        work(study, run, todo, base=base, listener=lambda tick: listener(replace(tick, total=total)))
    return [item for item in wanted if item.is_done]


def prepare_tokens(study: Study, run: RunFolder, todo: Sequence[Item], listener: Listener = silent) -> None:
    """Pack the weeks of `todo` where that is not done yet."""
    corpora = list(dict.fromkeys(item.corpus for item in todo))
    tokenizer = load_tokenizer(study.model)
    build_tokens(study, run, corpora, tokenizer, todo[0].expected.inputs["base"], listener=listener)


def n_tokens(study: Study, run: RunFolder, todo: Sequence[Item]) -> dict[str, int]:
    """Return the tokens (with padding) that training each item of `todo` takes, by name."""
    plan, sizes = recipe(study), {}
    for label in dict.fromkeys(item.corpus.label for item in todo):
        blocks = read_blocks(run.tokens(label))
        sizes[label] = plan.n_steps(len(blocks)) * plan.blocks_per_step * blocks.block_length
    return {item.name: sizes[item.corpus.label] for item in todo}


def work(
    study: Study, run: RunFolder, todo: Sequence[Item], *, base: Base | None = None, listener: Listener = silent
) -> None:
    """Train those items of `todo` that nobody else has claimed; their tokens are packed already.

    The listener hears of the tokens of this process only; a total of 0 means that it does not know any.
    """
    settings, base = study.train, base or load_base(study.model)
    config = {name: getattr(study, name).model_dump(mode="json") for name in ("train", "model", "tokens")}
    config["model"]["dtype"] = precision(study.model)
    keeper = FolderKeeper(base, config, str(base.device), settings.save_every_s, settings.tensorboard)
    try:
        jobs = _claimed(study, run, todo, keeper)
        for fitted in fit(base, jobs, recipe(study), together=settings.together, keeper=keeper, listener=listener):
            keeper.finish(fitted)
    finally:
        keeper.abandon()


def _claimed(study: Study, run: RunFolder, todo: Sequence[Item], keeper: FolderKeeper) -> Iterator[Job]:
    """Yield a job for every item that this process could claim."""
    for item in todo:
        # Before the claim, because it is cheap; after it, because the former holder may just have finished the item.
        claim = None if item.is_done else Claim.take(item.claim_path)
        if claim is None:
            continue
        if item.is_done:
            claim.release()
            continue
        keeper.open(item, claim)
        yield job(study, run, item)


def job(study: Study, run: RunFolder, item: Item) -> Job:
    """Return the training job of an item whose tokens are packed."""
    folder = run.tokens(item.corpus.label)
    if wrong := verify(folder):
        raise TokensError(f"{wrong[0]}: {mend(folder)}")
    held_out = read_blocks(folder / HELD_OUT) if study.tokens.held_out else None
    return Job(item.name, read_blocks(folder), item.seed, item.corpus.label, held_out)
