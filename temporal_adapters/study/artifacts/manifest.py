"""The manifest of one finished folder: what was done, from what, with what.

Takes and gives `manifest.json`. Knows no stage.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import platform
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from temporal_adapters import __version__
from temporal_adapters.ground.errors import ArtifactError
from temporal_adapters.study.artifacts.keys import digest_file, digest_json

NAME = "manifest.json"

SCHEMA = 2
"""Version of the format: 1 is that of 0.1.0, which had no version and no digest of its own."""

_PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "datasets", "polars", "duckdb", "statsmodels", "scipy")


@dataclass(frozen=True)
class Manifest:
    """What `manifest.json` holds.

    Attributes
    ----------
    stage, key, version
        Stage name, stage key, version of the stage's computation.
    created
        Time of completion, ISO 8601 in UTC.
    seconds
        Wall-clock seconds of the work.
    config
        Resolved settings: scientific and operational.
    inputs
        Name -> sha256.
    outputs
        Relative path -> {sha256, bytes, rows (Parquet only)}.
    facts
        Whatever the stage counted (posts, tokens, losses, dropped rows by reason).
    environment
        Packages, git commit, host, device.
    """

    stage: str
    key: str
    version: int
    created: str
    seconds: float
    config: Mapping[str, Any]
    inputs: Mapping[str, str]
    outputs: Mapping[str, Mapping[str, Any]]
    facts: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)


def read_manifest(folder: Path) -> Manifest | None:
    """Return the manifest of a finished folder, or None where there is no such folder.

    Raises
    ------
    ArtifactError
        If the folder exists without a readable manifest, a newer version wrote it, or it was changed since.
    """
    if not folder.is_dir():
        return None
    try:
        stamp = (folder / NAME).stat()
    except OSError:
        return _parsed(folder, (0, 0, 0))
    return _parsed(folder, (stamp.st_ino, stamp.st_mtime_ns, stamp.st_size))


@functools.lru_cache(maxsize=4096)
def _parsed(folder: Path, stamp: tuple[int, int, int]) -> Manifest:
    """Read a manifest; one that did not change since is parsed once: a look at a study asks for each several times."""
    try:
        found = json.loads((folder / NAME).read_text(encoding="utf-8"))
        schema, digest = int(found.pop("schema", 1)), found.pop("digest", None)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ArtifactError(
            f"{folder} has no readable {NAME} ({error}): remove the folder and run the stage again"
        ) from None
    if schema > SCHEMA:
        raise ArtifactError(
            f"{folder} was written by a newer version of temporal-adapters (format {schema} of {NAME}, this version"
            f" reads up to {SCHEMA}): update temporal-adapters, or use another folder (--runs)"
        )
    if digest is not None and digest != digest_json({"schema": schema, **found}):
        raise ArtifactError(
            f"{folder / NAME} is not the file that was written (it carries another digest): remove the folder and run"
            " the stage again, or restore the file"
        )
    try:
        return Manifest(**found)
    except TypeError as error:
        raise ArtifactError(
            f"{folder} has no readable {NAME} ({error}): remove the folder and run the stage again"
        ) from None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `manifest.json` into `folder` and force everything in it to the disk, the manifest last."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            _sync(path)
    target = folder / NAME
    plain = json.loads(json.dumps({"schema": SCHEMA, **asdict(manifest)}, default=str))
    signed = {**plain, "digest": digest_json(plain)}
    target.write_text(json.dumps(signed, indent=1, ensure_ascii=False), encoding="utf-8")
    _sync(target)
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def describe_outputs(folder: Path) -> dict[str, dict[str, Any]]:
    """Return relative path -> sha256, bytes and (Parquet) rows of every file in `folder`."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name == NAME:
            continue
        entry: dict[str, Any] = {"sha256": digest_file(path), "bytes": path.stat().st_size}
        if path.suffix == ".parquet":
            import pyarrow.parquet

            entry["rows"] = pyarrow.parquet.read_metadata(path).num_rows
        found[path.relative_to(folder).as_posix()] = entry
    return found


@functools.cache
def _fixed_environment() -> dict[str, Any]:
    packages = {"temporal-adapters": __version__}
    for name in _PACKAGES:
        try:
            packages[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "packages": packages,
        "python": platform.python_version(),
        "git_commit": _git_commit(),
        "host": socket.gethostname(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }


def _git_commit() -> str | None:
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return None
    call = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def environment(device: str) -> dict[str, Any]:
    """Return packages, Python, git commit, host and device of this process."""
    return {**_fixed_environment(), "device": device}


def now() -> str:
    """Return the current time, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
