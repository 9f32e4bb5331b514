"""The adapters of the experiment as a study of its own, whose weeks are mixes.

Takes a study, gives the changed study, its run folder, and the models to ask. Loads no weights.

    runs/<study>/mix/weeks/     share-0.3-seed-1.parquet ...
                     tokens/    share-0.3-seed-1/
                     adapters/  share-0.3-seed-1/seed-42/    (plain PEFT folders; checkpoint-<step>/ inside)
                     logprobs/, answers/
                     curve/     curve.parquet, mix.json, curve.svg ...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from temporal_adapters.engines.scoring import Source
from temporal_adapters.ground.errors import MixError
from temporal_adapters.proof.mix.draw import Mixture, mixtures
from temporal_adapters.stages import train
from temporal_adapters.stages.probe import BASE, Target
from temporal_adapters.study.artifacts import RunFolder, digest_json, read_manifest
from temporal_adapters.study.config import Mix, Study

FINAL = "final"
"""Name of the finished adapter among the checkpoints."""


@dataclass(frozen=True)
class Experiment:
    """A study and what its mixing experiment needs.

    Attributes
    ----------
    settings
        The section `mix`, its options filled in.
    study
        The study with one training seed and the experiment's checkpoints; everything random in training hangs on the
        corpus's label, too, and so on the seed of the mix.
    run
        Its run folder, ``runs/<study>/mix``.
    """

    settings: Mix
    study: Study
    run: RunFolder

    @property
    def mixtures(self) -> list[Mixture]:
        """All mixes."""
        return mixtures(self.settings)

    @property
    def n_models(self) -> int:
        """Models that are asked: the base, all adapters, all checkpoints."""
        return 1 + len(self.mixtures) * (1 + len(self.study.train.checkpoint_steps))


def experiment(study: Study, run: RunFolder) -> Experiment:
    """Return the mixing experiment of a study.

    Raises
    ------
    MixError
        If its checkpoints do not fit the study's training.
    """
    settings = study.mix or Mix()
    steps = settings.checkpoints or study.train.checkpoint_steps
    changes = {"seeds": study.train.seeds[:1], "checkpoint_steps": steps}
    try:
        changed = type(study.train).model_validate({**study.train.model_dump(), **changes})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, checkpoint_steps: ")
        raise MixError(f"mix.checkpoints: {problem}") from None
    own = study.model_copy(update={"train": changed, "survey": None, "mix": settings})
    return Experiment(settings, own, RunFolder(run.mix))


def require_steps(found: Experiment, todo: Sequence[train.Item]) -> None:
    """Refuse checkpoints beyond the end of a training whose tokens are packed.

    Raises
    ------
    MixError
        Naming the shortest training.
    """
    settings = found.study.train
    if not settings.checkpoint_steps or not todo:
        return
    from temporal_adapters.stages.train import n_tokens

    per_step = settings.blocks_per_step * found.study.tokens.block_length
    counts = {name: n // per_step for name, n in n_tokens(found.study, found.run, todo).items()}
    shortest = min(counts, key=lambda name: counts[name])
    late = [step for step in settings.checkpoint_steps if step > counts[shortest]]
    if late:
        raise MixError(
            f"mix.checkpoints: {late[0]} lies beyond the training of {shortest}, which takes {counts[shortest]} steps:"
            " leave it out, or bring more mix.n_posts"
        )


def models(found: Experiment) -> list[Target]:
    """Return the models to ask: the base, then every adapter with its checkpoints.

    Raises
    ------
    MixError
        If an adapter is missing, or was trained under other settings.
    """
    undone = [item for item in train.items(found.study, found.run) if not item.is_done]
    if undone:
        raise MixError(
            f"{len(undone)} adapters are not done (first {undone[0].name}; another process may work on them):"
            " run `ta mix` again"
        )
    return [Target(BASE, None, ""), *(target for mixture in found.mixtures for target in _targets(found, mixture))]


def names(mixture: Mixture, steps: Sequence[int]) -> dict[str, str]:
    """Return name of the model in ANSWERS -> its checkpoint (a step, or `FINAL`)."""
    return {**{f"{mixture.label}/step-{step}": str(step) for step in steps}, f"{mixture.label}/{FINAL}": FINAL}


def _targets(found: Experiment, mixture: Mixture) -> list[Target]:
    folder = found.run.adapter(mixture.label, found.study.train.seeds[0])
    manifest = read_manifest(folder)
    if manifest is None:
        raise MixError(f"{folder} vanished while it was read: run `ta mix` again")
    targets = []
    for name, checkpoint in names(mixture, found.study.train.checkpoint_steps).items():
        prefix = "" if checkpoint == FINAL else f"checkpoint-{checkpoint}/"
        own = {
            path.removeprefix(prefix): entry["sha256"]
            for path, entry in manifest.outputs.items()
            if path.startswith(prefix) and (prefix or not path.startswith("checkpoint-"))
        }
        source = Source(name, mixture.start, mixture.seed)
        at = folder / prefix if prefix else folder
        targets.append(Target(source, at, digest_json(own), folder))
    return targets
