"""Read a file of a run only if it is the file that was written: the same bytes are hashed and parsed.

Takes paths of finished folders, gives bytes and tables. Knows no stage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from temporal_adapters.ground.errors import ArtifactError
from temporal_adapters.study.artifacts.manifest import NAME, read_manifest

if TYPE_CHECKING:
    import polars as pl


def read_checked(path: Path) -> bytes:
    """Return the bytes of a file of a finished folder.

    A file without a manifest beside it, and one that the manifest does not know, is read as it is.

    Raises
    ------
    ArtifactError
        If the file is not the one that was written.
    """
    data = path.read_bytes()
    manifest = read_manifest(path.parent) if (path.parent / NAME).is_file() else None
    entry = manifest.outputs.get(path.name) if manifest is not None else None
    if entry is not None and hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise ArtifactError(f"{changed(path)}: {mend(path.parent)}")
    return data


def load_table(path: Path, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Return a Parquet table of a finished folder, or some of its columns (see `read_checked`)."""
    import polars as pl

    return pl.read_parquet(BytesIO(read_checked(path)), columns=list(columns) if columns is not None else None)


def changed(path: Path) -> str:
    """Return the beginning of the sentence about a file that is not the one that was written."""
    return f"{path} is not the file that was written (its sha256 differs from the manifest)"


def mend(folder: Path) -> str:
    """Return the end of the sentence about a folder that holds a changed file."""
    return f"nothing is computed from it: remove {folder} and run its stage again, or restore the file (`ta verify`)"
