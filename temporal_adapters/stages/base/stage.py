"""The check of a base before its first training step, remembered by the base's digest.

Takes the sections of a study, raises one sentence or returns. What has passed once is not tried again on this machine:
the user's cache remembers base, settings and versions of the packages that compute.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from temporal_adapters.engines.model import Base, digest_base, load_base, precision
from temporal_adapters.stages.base.check import Wanted, require
from temporal_adapters.stages.tokens import IGNORED, Blocks, read_blocks

if TYPE_CHECKING:
    from temporal_adapters.study.artifacts import RunFolder
    from temporal_adapters.study.config import Model, Study

VERSION = 1
"""Raised when a check is added or judges otherwise."""

_COMPUTE = ("temporal-adapters", "torch", "transformers", "peft")


def ensure_study(study: Study, run: RunFolder, labels: Iterable[str]) -> None:
    """Check the base of a study whose weeks `labels` are packed.

    Raises
    ------
    ModelError
        With the first reason why it is not fit, and the setting that helps.
    """
    longest = max(
        (longest_document(read_blocks(run.tokens(label)), study.tokens.attention) for label in labels), default=1
    )
    ensure(study.model, Wanted.of(study, longest))


def ensure(settings: Model, wanted: Wanted, base: Base | None = None) -> None:
    """Check a base, `base` if it is resident already, unless it has passed before.

    Raises
    ------
    ModelError
        As `ensure_study`.
    """
    path = _memory() / f"{_key(settings, wanted)}.json"
    if path.is_file():
        return
    require(base or load_base(settings), wanted)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"base": settings.base, "digest": digest_base(settings)}) + "\n", encoding="utf-8")
    except OSError:  # there is no home to remember it in: it is checked again next time
        return


def longest_document(blocks: Blocks, attention: str) -> int:
    """Return the tokens of the longest document; under ``chunk`` a block is one."""
    if attention == "chunk" or not len(blocks):
        return blocks.block_length
    ends = np.flatnonzero(np.diff(blocks.documents, axis=1, append=-1).ravel())
    lengths, labels = np.diff(ends, prepend=-1), np.asarray(blocks.labels).ravel()[ends]
    return int(lengths[labels != IGNORED].max(initial=1))  # padding is a document without labels


def _memory() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "temporal-adapters" / "bases"


def _key(settings: Model, wanted: Wanted) -> str:
    versions = {name: importlib.metadata.version(name) for name in _COMPUTE}
    science = {name: getattr(settings, name) for name in ("quantization", "device")}
    parts = [VERSION, digest_base(settings), precision(settings), science, asdict(wanted), versions]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
