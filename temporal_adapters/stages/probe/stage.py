"""The stage: every questionnaire put to the base and to every adapter; what is complete is skipped.

Takes a study and its run folder, gives ``logprobs/`` shards and ``answers/``. Knows neither posts nor survey.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from temporal_adapters.engines.scoring import LEGACY, METHODS
from temporal_adapters.ground.errors import ArtifactError, ProbeError, QuestionnaireError
from temporal_adapters.ground.progress import Listener, Tick, silent
from temporal_adapters.stages.probe.filler import STAGE, VERSION, Filler, Work
from temporal_adapters.stages.probe.targets import Target, find_targets
from temporal_adapters.study.artifacts import Expected, Manifest, RunFolder, digest_json, read_manifest, verify
from temporal_adapters.study.questionnaire import Questionnaire, load

if TYPE_CHECKING:
    from temporal_adapters.study.config import Model, Study


def load_questionnaires(study: Study) -> list[Questionnaire]:
    """Return the study's questionnaires, checked against its scoring methods and against each other.

    Raises
    ------
    QuestionnaireError
        If two have the same name, or an item of the same name.
    """
    found = [load(reference, methods=study.probe.methods) for reference in study.probe.questionnaires]
    owner: dict[str, str] = {}
    for reference, questionnaire in zip(study.probe.questionnaires, found, strict=True):
        for name in (f"questionnaire {questionnaire.name!r}", *(f"item {item.name!r}" for item in questionnaire.items)):
            if name in owner:
                raise QuestionnaireError(f"{owner[name]} and {reference} both hold the {name}: rename one of them")
            owner[name] = reference
    return found


def count_parameters(settings: Model) -> int | None:
    """Return the number of parameters of a base without loading it; None if its architecture needs its own code."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from temporal_adapters.engines.model import base_path

    try:
        config = AutoConfig.from_pretrained(base_path(settings), revision=settings.revision)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
    except (OSError, ValueError):
        return None
    return sum(parameter.numel() for parameter in model.parameters())


def expected(study: Study, run: RunFolder) -> list[Expected]:
    """Return what the stage would publish today: one shard per questionnaire and model, and the answers.

    Where adapters are missing there is nothing to expect yet.
    """
    if read_manifest(run.weeks) is None:
        return []
    targets = find_targets(study, run, strict=False)
    if len(targets) == 1:
        return []
    shards = [shard for one in _shards(study, run, targets) for shard in one.expected]
    answers = expected_answers(study, run, shards)
    return [*shards, *([answers] if answers else [])]


def run(
    study: Study, run: RunFolder, *, targets: Sequence[Target] | None = None, listener: Listener = silent
) -> Manifest:
    """Put every questionnaire to every model and score the answers.

    Parameters
    ----------
    study
        Sections `model`, `train` (seeds), `probe` and `series` (allow_missing) are read.
    run
        The study's run folder with weeks and adapters.
    targets
        Models to ask, the base first; None asks the base and all adapters of the study.
    listener
        Told after every group of adapters.

    Returns
    -------
    Manifest
        Of ``answers/``.

    Raises
    ------
    ProbeError, QuestionnaireError, ModelError, ArtifactError
        One sentence each; finished shards are kept.
    """
    from temporal_adapters.stages.probe.answers import publish_answers

    work = _shards(study, run, list(targets) if targets is not None else find_targets(study, run))
    for one in work:
        one.todo = [n for n, shard in enumerate(one.expected) if not _is_done(shard)]
    if any(one.todo for one in work):
        _fill(study, work, listener)
    return publish_answers(study, run, [(one.questionnaire, one.targets, one.expected) for one in work])


def fill(study: Study, run: RunFolder, adapters: Collection[str], *, listener: Listener = silent) -> None:
    """Put every questionnaire to some of the models only, and score nothing.

    Parameters
    ----------
    study, run
        As for `run`; adapters that are not there yet are no fault here.
    adapters
        Names of the models: ``base``, ``2023-W14/seed-42``. Their complete shards are left as they are.
    listener
        Told after every group of models.

    Raises
    ------
    ProbeError
        If one of the named adapters does not exist.
    """
    targets = find_targets(study, run, strict=False)
    unknown = sorted(set(adapters) - {target.source.adapter for target in targets})
    if unknown:
        raise ProbeError(f"there is no finished adapter {unknown[0]!r} to ask: run `ta train` first")
    work = _shards(study, run, [target for target in targets if target.source.adapter in adapters])
    for one in work:
        one.todo = [n for n, shard in enumerate(one.expected) if not _is_done(shard)]
    if any(one.todo for one in work):
        _fill(study, work, listener)


def expected_answers(study: Study, run: RunFolder, shards: Sequence[Expected]) -> Expected | None:
    """Return what ``answers/`` would be, or None while a shard is missing or stale."""
    from temporal_adapters.stages.probe.answers import answers_expected

    return answers_expected(study, run, shards)


def _shards(study: Study, run: RunFolder, targets: list[Target]) -> list[Work]:
    from temporal_adapters.engines.model import digest_base

    base, found = digest_base(study.model), []
    for questionnaire in load_questionnaires(study):
        config = shard_config(study, questionnaire)
        shards = [
            Expected(
                folder=run.logprobs(questionnaire.name, target.source.adapter),
                stage=STAGE,
                version=VERSION,
                config=config,
                inputs={"base": base, **({"adapter": target.digest} if target.digest else {})},
            )
            for target in targets
        ]
        found.append(Work(questionnaire, targets, shards))
    return found


def shard_config(study: Study, questionnaire: Questionnaire) -> dict[str, Any]:
    """Return the settings a shard depends on: the questions (by digest), the contexts asked, the base's precision."""
    from temporal_adapters.engines.model import precision
    from temporal_adapters.study.config import scientific

    methods = [METHODS[name] for name in study.probe.methods]
    return {
        "questionnaire": {item.name: digest_json(asdict(item)) for item in questionnaire.items},
        "contexts": sorted({kind for method in methods for kind in method.contexts}),
        "ends": study.probe.ends or any(method.ends for method in methods),
        "legacy_temperature": study.probe.legacy_temperature if set(LEGACY) & set(study.probe.methods) else None,
        "model": {**scientific(study.model), "dtype": precision(study.model)},
    }


def _is_done(shard: Expected) -> bool:
    """Say whether a shard is complete, of today's key, and the file that was written."""
    try:
        return shard.state == "done" and not verify(shard.folder)
    except ArtifactError:
        return False


def _fill(study: Study, work: Sequence[Work], listener: Listener) -> None:
    from temporal_adapters.engines.model import load_base
    from temporal_adapters.stages.probe.encode import Encoder
    from temporal_adapters.stages.probe.plan import plan

    base = load_base(study.model)
    encoder = Encoder(base.tokenizer)
    plans = [plan(one.questionnaire, encoder, study.probe.methods) for one in work]
    total = sum(len(one.todo) for one in work)
    done = 0
    for one, asks in zip(work, plans, strict=True):
        filler = Filler(study, base, encoder, one, asks)
        for names in filler.fill():
            done += len(names)
            listener(Tick(STAGE, done, total, "models", f"{one.questionnaire.name} {names[-1]}"))
