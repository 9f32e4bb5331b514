"""Shards to ``answers/``: all methods, all models, one table.

Takes finished shards, gives ``answers.parquet``. Knows no model weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temporal_adapters.engines.scoring import Reference, answer_rows, position_rows, scale_rows
from temporal_adapters.ground.errors import ArtifactError
from temporal_adapters.stages.probe import shards
from temporal_adapters.stages.probe.targets import Target
from temporal_adapters.study.artifacts import ANSWERS_FILE, Expected, Manifest, RunFolder, make, read_manifest
from temporal_adapters.study.questionnaire import Questionnaire

if TYPE_CHECKING:
    import polars as pl

    from temporal_adapters.study.config import Study

STAGE = "answers"
VERSION = 2
FILE = ANSWERS_FILE
SCALES_FILE = "scales.parquet"
"""Mean, variance, top minus bottom and distance to the base of every scale."""
POSITIONS_FILE = "positions.parquet"
"""Mean share of every position over the orders asked: a model without position bias gives all the same."""
LOW_MASS = 0.1
"""Probability on all options of a question, under the base, below which its shares describe a corner of the answers."""

Asked = tuple[Questionnaire, list[Target], list[Expected]]


def answers_expected(study: Study, run: RunFolder, found: Sequence[Expected]) -> Expected | None:
    """Return what ``answers/`` would be, or None while a shard is missing or stale."""
    inputs, items = {}, {}
    for shard in found:
        # Roles, codes and values are no part of a shard's file, but of the answers.
        items.update(shard.config["questionnaire"])
        manifest = read_manifest(shard.folder)
        if manifest is None or manifest.key != shard.key:
            return None
        inputs[shard.folder.relative_to(run.root).as_posix()] = manifest.outputs[shards.FILE]["sha256"]
    config = {
        "probe": {"methods": list(study.probe.methods), "temperature": study.probe.temperature},
        "questionnaire": items,
    }
    return Expected(folder=run.answers, stage=STAGE, version=VERSION, config=config, inputs=inputs)


def publish_answers(study: Study, run: RunFolder, asked: Sequence[Asked]) -> Manifest:
    """Score every shard and publish ``answers/``; a complete one is left as it is."""
    target = answers_expected(study, run, [shard for _, _, found in asked for shard in found])
    if target is None:
        raise ArtifactError(f"{run.all_logprobs} was changed while it was read: probe again")
    return make(target, lambda folder: _write(study, asked, folder))


def _write_if_any(rows: list[dict[str, Any]], path: Path) -> None:
    import polars as pl

    if rows:
        pl.DataFrame(rows, infer_schema_length=None).write_parquet(path)


def _write(study: Study, asked: Sequence[Asked], folder: Path) -> dict[str, Any]:
    import polars as pl

    from temporal_adapters.ground import tables

    frames: list[pl.DataFrame] = []
    low: list[dict[str, Any]] = []
    scales: list[dict[str, Any]] = []
    places: list[dict[str, Any]] = []
    for questionnaire, targets, found in asked:
        reference = Reference(shards.read(found[0].folder), questionnaire)
        for target, shard in zip(targets, found, strict=True):
            rows = shards.read(shard.folder)
            records = list(answer_rows(target.source, rows, reference, study.probe.methods, study.probe.temperature))
            frames.append(pl.DataFrame(records, schema=dict(tables.ANSWERS.columns)))
            scales.extend(scale_rows(records, reference, study.probe.temperature))
            places.extend(position_rows(target.source, rows, reference))
        low.extend(_low_mass(questionnaire, frames[-len(targets)]))
    frame = tables.check(pl.concat(frames), tables.ANSWERS, str(folder / FILE))
    frame.write_parquet(folder / FILE)
    _write_if_any(scales, folder / SCALES_FILE)
    _write_if_any(places, folder / POSITIONS_FILE)
    return {"n_rows": frame.height, "n_models": len(asked[0][1]), "low_mass": low}


def _low_mass(questionnaire: Questionnaire, base: Any) -> list[dict[str, Any]]:
    """Return the questions whose options hold less than `LOW_MASS` of the base's probability."""
    import polars as pl

    mass = (pl.col("mass_valid") + pl.col("mass_nonresponse")).min().alias("mass")
    found = base.group_by("item", "wording", "method", maintain_order=True).agg(mass).filter(pl.col("mass") < LOW_MASS)
    return [{"questionnaire": questionnaire.name, **row} for row in found.iter_rows(named=True)]
