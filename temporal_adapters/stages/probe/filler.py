"""The missing shards of one questionnaire, computed and published: as many adapters at a time as fit.

Takes a resident base, a plan and targets, gives shards. Knows neither study files nor answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temporal_adapters.engines.scoring import LEGACY, FormScore
from temporal_adapters.ground.errors import ArtifactError
from temporal_adapters.stages.probe.targets import Target
from temporal_adapters.study.artifacts import Expected, make, read_manifest, verify
from temporal_adapters.study.questionnaire import Questionnaire

if TYPE_CHECKING:
    from temporal_adapters.engines.model import Adapter, Base
    from temporal_adapters.stages.probe.forward import Engine, Score
    from temporal_adapters.stages.probe.plan import Ask
    from temporal_adapters.study.config import Study

STAGE = "probe"
VERSION = 2
"""Raised when the same settings give other log-probs."""


@dataclass
class Work:
    """One questionnaire and everybody it is put to."""

    questionnaire: Questionnaire
    targets: list[Target]
    expected: list[Expected]
    todo: list[int] = field(default_factory=list)


class Filler:
    """Computes the missing shards of one questionnaire, as many adapters at a time as fit."""

    def __init__(self, study: Study, base: Base, encoder: Any, work: Work, asks: list[Ask]) -> None:
        from temporal_adapters.stages.probe.legacy import batches
        from temporal_adapters.stages.probe.shards import path_key

        self.keys = [path_key(ask) for ask in asks]
        self.study, self.base, self.work, self.asks = study, base, work, asks
        self.ends = bool(work.expected[0].config["ends"])
        self.terminators = encoder.terminators() if self.ends else ()
        self.engines: dict[tuple[int, ...], Engine] = {}
        asks_legacy = set(LEGACY) & set(work.expected[0].config["contexts"])
        self.legacy = batches(work.questionnaire, base.tokenizer) if asks_legacy else []

    def fill(self) -> Iterator[list[str]]:
        """Publish all missing shards; yield the names of each group of models that is finished."""
        groups: dict[tuple[int, ...], list[int]] = {}
        known = {number: self._known(number) for number in self.work.todo}
        for number in self.work.todo:
            need = tuple(n for n in self._first_of_each() if self.keys[n] not in known[number])
            groups.setdefault(need, []).append(number)
        for need, numbers in groups.items():
            for members in self._batches(need, numbers):
                adapters = self._adapters(members) if need or self.legacy else []
                scores = self._score(need, adapters, len(members))
                legacy = self._legacy(adapters, len(members))
                for number, new, more in zip(members, scores, legacy, strict=True):
                    self._publish(number, {**known[number], **new}, more)
                yield [self.work.targets[number].source.adapter for number in members]

    def _first_of_each(self) -> Iterator[int]:
        """Yield one ask per distinct path: the same prompt may serve several wordings."""
        seen = set()
        for number, key in enumerate(self.keys):
            if key not in seen:
                seen.add(key)
                yield number

    def _known(self, number: int) -> dict[Any, Score]:
        from temporal_adapters.stages.probe.shards import reusable

        shard = self.work.expected[number]
        _remove_unreadable(shard.folder)
        return reusable(shard, self.asks)

    def _engine(self, need: tuple[int, ...]) -> Engine:
        from temporal_adapters.stages.probe.forward import Engine

        if need not in self.engines:
            settings = self.study.probe
            paths = [self.asks[n].path for n in need]
            nodes = 1 if settings.layout == "rows" else settings.tree_tokens
            engine = Engine(self.base.model, paths, self.terminators, nodes, settings.batch_tokens)
            if not self.engines:
                engine.verify()
            self.engines[need] = engine
        return self.engines[need]

    def _batches(self, need: tuple[int, ...], numbers: list[int]) -> Iterator[list[int]]:
        plain = [number for number in numbers if self.work.targets[number].folder is None]
        others = [number for number in numbers if self.work.targets[number].folder is not None]
        yield from ([number] for number in plain)
        size = self._engine(need).stack_size if need and others else max(len(others), 1)
        yield from (others[start : start + size] for start in range(0, len(others), size))

    def _adapters(self, members: list[int]) -> list[Adapter]:
        from temporal_adapters.engines.model import read_adapter

        adapters = []
        for number in members:
            target = self.work.targets[number]
            if target.folder is not None:
                target.check_files()
                adapters.append(read_adapter(target.folder, str(self.base.device)))
        return adapters

    def _legacy(self, adapters: list[Adapter], n_models: int) -> list[list[FormScore]]:
        from temporal_adapters.stages.probe.legacy import legacy_rows

        if not self.legacy:
            return [[] for _ in range(n_models)]
        temperature = self.study.probe.legacy_temperature
        return legacy_rows(self.base.model, adapters, self.legacy, self.base.tokenizer, temperature)

    def _score(self, need: tuple[int, ...], adapters: list[Adapter], n_models: int) -> list[dict[Any, Score]]:
        if not need:
            return [{} for _ in range(n_models)]
        rows = self._engine(need).score(adapters)
        return [{self.keys[n]: score for n, score in zip(need, row, strict=True)} for row in rows]

    def _publish(self, number: int, scores: dict[Any, Score], legacy: list[FormScore]) -> None:
        from temporal_adapters.stages.probe import shards

        shard = self.work.expected[number]
        rows = [shards.form_score(ask, scores[key]) for ask, key in zip(self.asks, self.keys, strict=True)]
        rows += legacy

        def write(folder: Path) -> dict[str, int]:
            shards.write(folder, rows)
            return {"n_prompts": len({row.context_sha for row in rows}), "n_forms": len(rows)}

        config = {**shard.config, "probe": self.study.probe.model_dump(mode="json")}
        make(shard, write, config=config, device=str(self.base.device))


def _remove_unreadable(folder: Path) -> None:
    """Remove a shard that is damaged, so that it is computed anew."""
    import shutil

    try:
        damaged = read_manifest(folder) is not None and bool(verify(folder))
    except ArtifactError:
        damaged = True
    if damaged:
        shutil.rmtree(folder)
