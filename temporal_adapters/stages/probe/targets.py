"""Which models are asked: the base and every adapter of the study's weeks and seeds.

Takes a study and its run folder, gives targets, or says which adapters are missing. Knows no model weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from temporal_adapters.engines.scoring import Source
from temporal_adapters.ground.errors import ProbeError
from temporal_adapters.study.artifacts import RunFolder, digest_json, read_corpora, read_manifest, verify

if TYPE_CHECKING:
    from temporal_adapters.study.config import Study

BASE = Source("base")


@dataclass(frozen=True)
class Target:
    """One model to ask.

    Attributes
    ----------
    source
        Its name, week and seed in ANSWERS.
    folder
        Adapter folder; None for the base.
    digest
        Digest of the adapter's files; empty for the base.
    within
        The finished folder that holds `folder`, where that has no manifest of its own (a checkpoint).
    """

    source: Source
    folder: Path | None
    digest: str
    within: Path | None = None

    def check_files(self) -> None:
        """Raise ProbeError if a file of the adapter is missing or is not what training wrote."""
        wrong = verify(self.within or self.folder) if self.folder is not None else []
        if wrong:
            name = self.source.adapter
            raise ProbeError(f"the adapter {name} is damaged: {wrong[0]}; remove {self.folder} and train again")


def find_targets(study: Study, run: RunFolder, *, strict: bool = True) -> list[Target]:
    """Return the base, then every finished adapter in order of week and seed.

    Parameters
    ----------
    study, run
        What was trained and where.
    strict
        Refuse gaps that the study does not allow; otherwise return what there is.

    Raises
    ------
    ProbeError
        If adapters are missing and the study does not allow it, or there is none at all.
    """
    targets, missing = [Target(BASE, None, "")], []
    for corpus in read_corpora(run):
        for seed in study.train.seeds:
            source = Source(f"{corpus.label}/seed-{seed}", corpus.start, seed)
            folder = run.adapter(corpus.label, seed)
            manifest = read_manifest(folder)
            if manifest is None:
                missing.append(source.adapter)
            else:
                hashes = {name: entry["sha256"] for name, entry in manifest.outputs.items()}
                targets.append(Target(source, folder, digest_json(hashes)))
    if not strict:
        return targets
    if len(targets) == 1:
        raise ProbeError(f"{run.adapters} holds no finished adapter of this study: run `ta train --all` first")
    if missing and not study.series.allow_missing:
        total = len(missing) + len(targets) - 1
        raise ProbeError(
            f"{len(missing)} of {total} adapters are missing or half-written (first {missing[0]}): run `ta train --all`"
            " or set series.allow_missing: true to go on without them"
        )
    return targets
