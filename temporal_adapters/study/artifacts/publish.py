"""Publish a finished folder atomically; say whether one is done, stale, partial or missing.

Takes a target folder and a key, gives a folder to work in, and moves it into place when the work has succeeded.
Knows no stage.

Work happens in ``<name>.partial-<host>-<pid>/`` (a pid alone says nothing on a file system that hosts share);
``manifest.json`` is written last, then one rename. A folder without ``.partial`` is complete. A folder of another key
is kept aside as ``<name>.stale-<key>``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from temporal_adapters.ground.processes import HOST, Holder
from temporal_adapters.ground.storage import explain, private_folder
from temporal_adapters.study.artifacts.checked import changed
from temporal_adapters.study.artifacts.keys import digest_file
from temporal_adapters.study.artifacts.manifest import (
    Manifest,
    describe_outputs,
    environment,
    now,
    read_manifest,
    write_manifest,
)

State = Literal["done", "stale", "partial", "missing"]

_KEY = ".key"

ABANDONED_AFTER_S = 600.0
"""Seconds without a change after which the partial folder of another host counts as left behind."""


@dataclass
class Work:
    """A folder in work.

    Attributes
    ----------
    folder
        Where to write. It may hold files of an interrupted run of the same key if `publish` was told to resume.
    facts
        What the stage wants in the manifest; fill it while working.
    """

    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)


def state(folder: Path, key: str) -> State:
    """Return how far the work of `key` in `folder` is.

    `stale` means finished under another key; `partial` in work, or files of it are gone or have another size.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        return "partial" if any(_partials(folder)) else "missing"
    if manifest.key != key:
        return "stale"
    return "partial" if lacking(folder, manifest) else "done"


def lacking(folder: Path, manifest: Manifest) -> list[str]:
    """Return the output files of a finished folder that are gone or have another size: what a look can tell."""
    found = []
    for name, entry in manifest.outputs.items():
        try:
            if (folder / name).stat().st_size != entry["bytes"]:
                found.append(name)
        except OSError:
            found.append(name)
    return found


def verify(folder: Path) -> list[str]:
    """Return one sentence per output file of a finished folder that is missing or changed since it was written."""
    manifest = read_manifest(folder)
    if manifest is None:
        return [f"{folder} does not exist"]
    wrong = []
    for name, entry in manifest.outputs.items():
        path = folder / name
        if not path.is_file():
            wrong.append(f"{path} is missing")
        elif digest_file(path) != entry["sha256"]:
            wrong.append(changed(path))
    return wrong


@contextlib.contextmanager
def publish(
    folder: Path,
    *,
    stage: str,
    key: str,
    version: int,
    config: Mapping[str, Any],
    inputs: Mapping[str, str],
    device: str = "cpu",
    resume: bool = False,
) -> Iterator[Work]:
    """Give a folder to work in and publish it as `folder` if the block ends without an error.

    Parameters
    ----------
    folder
        The folder to publish.
    stage, key, version, config, inputs, device
        What the manifest says (see `Manifest`).
    resume
        Take over the partial folder of a dead process that worked on the same key, and keep this one's partial folder
        when the block fails, so that the next run can take it over.

    Raises
    ------
    StorageError, OutOfMemoryError
        If the folder cannot be written, or memory runs out.
    """
    started = time.monotonic()
    with _explained(folder):
        partial = _open_partial(folder, key, resume)
    work = Work(partial)
    try:
        with _explained(folder):
            yield work
            (partial / _KEY).unlink()
            manifest = Manifest(
                stage=stage,
                key=key,
                version=version,
                created=now(),
                seconds=round(time.monotonic() - started, 3),
                config=config,
                inputs=inputs,
                outputs=describe_outputs(partial),
                facts=work.facts,
                environment=environment(device),
            )
            write_manifest(partial, manifest)
            _move_into_place(partial, folder, key)
    except BaseException:
        if not resume or not (partial / _KEY).is_file():
            shutil.rmtree(partial, ignore_errors=True)
        raise


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Say what a disk or the memory refuses in one sentence, whichever library met it."""
    try:
        yield
    except Exception as error:
        known = explain(error, folder)
        if known is None:
            raise
        raise known from error


def _open_partial(folder: Path, key: str, resume: bool) -> Path:
    private_folder(folder.parent)
    mine = folder.with_name(f"{folder.name}.partial-{HOST}-{os.getpid()}")
    for partial in list(_partials(folder)):
        if partial != mine and _is_alive(partial):
            continue
        if resume and _read_key(partial) == key and not mine.exists():
            with contextlib.suppress(FileNotFoundError):
                partial.rename(mine)
        elif partial != mine or _read_key(partial) != key or not resume:
            shutil.rmtree(partial, ignore_errors=True)
    mine.mkdir(exist_ok=True)
    (mine / _KEY).write_text(f"{key}\n{Holder.here()}\n", encoding="utf-8")
    return mine


def _partials(folder: Path) -> Iterator[Path]:
    return folder.parent.glob(f"{folder.name}.partial-*")


def _read_key(partial: Path) -> str:
    return _noted(partial)[0]


def _holder(partial: Path) -> Holder | None:
    return Holder.parse("".join(_noted(partial)[1:]))


def _noted(partial: Path) -> list[str]:
    """Return the key of the work in a partial folder and, since 0.2.0, who does it."""
    try:
        return (partial / _KEY).read_text(encoding="utf-8").splitlines() or [""]
    except (OSError, ValueError):
        return [""]


def _is_alive(partial: Path) -> bool:
    """Return whether a process of this host, or (as far as the files tell) of another, still works in `partial`."""
    host, _, pid = partial.name.rpartition(".partial-")[2].rpartition("-")
    named = _holder(partial)
    holder = named if named is not None else Holder(host, int(pid)) if pid.isdigit() else None
    is_alive = None if holder is None else holder.is_alive()
    return time.time() - _last_touched(partial) < ABANDONED_AFTER_S if is_alive is None else is_alive


def is_in_work(path: Path) -> bool:
    """Return whether somebody may still work on a ``.partial-`` folder or file."""
    if path.is_dir():
        return _is_alive(path)
    pid = path.name.rpartition("-")[2]
    holder = Holder(HOST, int(pid)) if pid.isdigit() else None
    return bool(holder is not None and holder.is_alive())


def _last_touched(partial: Path) -> float:
    try:
        return max(path.stat().st_mtime for path in (partial, *partial.rglob("*")))
    except FileNotFoundError:
        return time.time()


def _move_into_place(partial: Path, folder: Path, key: str) -> None:
    """Rename `partial` to `folder`; whoever finds the same key already there has lost the race and withdraws."""
    present = read_manifest(folder)
    if present is not None and present.key == key and not verify(folder):
        shutil.rmtree(partial)
        return
    if present is not None:
        aside = folder.with_name(f"{folder.name}.stale-{present.key[:12]}")
        shutil.rmtree(aside, ignore_errors=True)
        os.replace(folder, aside)
    try:
        os.replace(partial, folder)
    except OSError:
        present = read_manifest(folder)
        if present is None or present.key != key:
            raise
        shutil.rmtree(partial)
