"""Where the training of a study runs.

Takes a study and an engine, gives finished adapters. The engines differ in how they start workers; every worker does
the same: it keeps one base resident and claims items on the shared file system.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from temporal_adapters.ground.progress import Listener, silent
from temporal_adapters.scale.settings import Engine, Name, require_one_precision

if TYPE_CHECKING:
    from temporal_adapters.stages.train import Item
    from temporal_adapters.study.artifacts import Manifest, RunFolder
    from temporal_adapters.study.config import Study

_LOCAL = Engine()


def train(
    study: Study,
    run: RunFolder,
    *,
    engine: Engine = _LOCAL,
    weeks: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    listener: Listener = silent,
) -> list[Item]:
    """Train every adapter that is not done, with `engine`; return the items that are done now.

    Raises
    ------
    ScaleError
        If the engine cannot do what is asked, or workers died again and again.
    ModelError
        If the base is not fit for what the study wants of it.
    """
    from temporal_adapters.stages.base import ensure_study
    from temporal_adapters.stages.train import items, n_tokens, prepare_tokens

    wanted = items(study, run, weeks, seeds)
    todo = [item for item in wanted if not item.is_done]
    if not todo:
        return wanted
    prepare_tokens(study, run, todo, listener)
    if _can_try(study, engine):
        ensure_study(study, run, {item.corpus.label for item in todo})
    sizes = n_tokens(study, run, todo)
    STARTED[engine.name].train(study, run, todo, sizes, engine, listener)
    return [item for item in wanted if item.is_done]


def _can_try(study: Study, engine: Engine) -> bool:
    """Return whether this machine can try the base: the head of a cluster may lack the GPUs that its workers have."""
    from temporal_adapters.engines.model import has_gpu

    return engine.name == "local" or study.model.device != "cuda" or has_gpu()


def probe(study: Study, run: RunFolder, *, engine: Engine = _LOCAL, listener: Listener = silent) -> Manifest:
    """Put the study's questions to the base and all adapters, with `engine`; return the manifest of the answers.

    Raises
    ------
    ScaleError
        If the engine cannot do what is asked.
    """
    from temporal_adapters.stages import probe as stage

    ask = STARTED[engine.name].ask
    if ask is not None and (wanted := _unasked(study, run)):
        ask(study, run, wanted, engine, listener)
    return stage.run(study, run, listener=listener)


@dataclass(frozen=True)
class Start:
    """How an engine starts workers.

    Attributes
    ----------
    train
        Trains items: study, run, items, tokens of each item, engine, listener.
    ask
        Asks models by name: study, run, names, engine, listener; None where the stage itself does it here.
    """

    train: Callable[[Study, RunFolder, list[Item], dict[str, int], Engine, Listener], None]
    ask: Callable[[Study, RunFolder, list[str], Engine, Listener], None] | None = None


def _train_here(
    study: Study, run: RunFolder, todo: list[Item], sizes: dict[str, int], engine: Engine, listener: Listener
) -> None:
    from temporal_adapters.scale import local
    from temporal_adapters.stages.train import work

    total = sum(sizes.values())
    count = engine.workers or local.choose_workers(study, total, len(todo))
    if count > 1:
        local.work(study, run, todo, sizes, count, listener)
    else:
        work(study, run, todo, listener=lambda tick: listener(replace(tick, total=total)))


def _train_on_ray(
    study: Study, run: RunFolder, todo: list[Item], sizes: dict[str, int], engine: Engine, listener: Listener
) -> None:
    from temporal_adapters.scale import ray_cluster

    ray_cluster.work(study, run, todo, sizes, engine, listener)


def _ask_on_ray(study: Study, run: RunFolder, names: list[str], engine: Engine, listener: Listener) -> None:
    from temporal_adapters.scale import ray_cluster

    ray_cluster.ask(study, run, names, engine, listener)


def _train_on_slurm(
    study: Study, run: RunFolder, todo: list[Item], sizes: dict[str, int], engine: Engine, listener: Listener
) -> None:
    from temporal_adapters.scale import slurm

    if study.model.device != "cpu":
        require_one_precision(study)
    slurm.work(study, run, todo, sizes, engine, listener)


def _ask_on_slurm(study: Study, run: RunFolder, names: list[str], engine: Engine, listener: Listener) -> None:
    from temporal_adapters.scale import slurm

    if study.model.device != "cpu":
        require_one_precision(study)
    slurm.ask(study, run, names, engine, listener)


STARTED: dict[Name, Start] = {
    "local": Start(_train_here),
    "ray": Start(_train_on_ray, _ask_on_ray),
    "slurm": Start(_train_on_slurm, _ask_on_slurm),
}
"""Every engine by its name; heavy libraries are imported when it starts."""


def _unasked(study: Study, run: RunFolder) -> list[str]:
    """Return the names of the models that have not answered everything."""
    from temporal_adapters.stages import probe as stage

    missing = [shard.folder.as_posix() for shard in stage.expected(study, run) if shard.state != "done"]
    models = ["base", *(f"{path.parent.name}/{path.name}" for path in _adapters(study, run))]
    return [name for name in models if any(folder.endswith(f"/{name}") for folder in missing)]


def _adapters(study: Study, run: RunFolder) -> list[Path]:
    from temporal_adapters.study.artifacts import read_corpora

    folders = [run.adapter(corpus.label, seed) for corpus in read_corpora(run) for seed in study.train.seeds]
    return [folder for folder in folders if folder.is_dir()]
