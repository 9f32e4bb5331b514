"""Content digests and stage keys.

Takes files and settings, gives hexadecimal digests. Knows no folder layout.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_json(value: Any) -> str:
    """Return the SHA-256 of a JSON value in canonical form (sorted keys, no spaces)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def stage_key(stage: str, version: int, config: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """Return the key of one piece of work.

    Parameters
    ----------
    stage
        Name of the stage.
    version
        Version of the stage's computation; raised when the same settings give other results.
    config
        The scientific settings (see `temporal_adapters.study.config.scientific`), as JSON values.
    inputs
        Name -> content digest of every input.
    """
    return digest_json({"stage": stage, "version": version, "config": dict(config), "inputs": dict(inputs)})
