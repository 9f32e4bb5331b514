"""Upkeep of a run folder: what interrupted work left behind, and whether every byte is what was written.

Takes a study and its run folder, gives records and sentences; removes only what it is told to.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from temporal_adapters.ground.errors import TemporalAdaptersError
from temporal_adapters.line import steps
from temporal_adapters.study.artifacts import Recovery, RunFolder, digest_json, is_in_work, read_manifest, verify
from temporal_adapters.study.artifacts.manifest import NAME
from temporal_adapters.study.config import Study

Kind = Literal["partial", "stale", "claim"]


@dataclass(frozen=True)
class Leftover:
    """Something that no finished work needs.

    Attributes
    ----------
    path
        A file or a folder.
    kind
        ``partial``: half-written by a process that is gone (training goes on from it). ``stale``: finished under
        earlier settings or inputs, and set aside. ``claim``: a claim whose holder is gone.
    n_bytes
        Its size.
    """

    path: Path
    kind: Kind
    n_bytes: int


def leftovers(run: RunFolder) -> list[Leftover]:
    """Return what interrupted and earlier work left in a run folder, by path.

    What a living process has in work is none, nor is an adapter whose answers the finished report shows.
    """
    return sorted(_leftovers(run.root, _cited(run)), key=lambda one: one.path)


def _leftovers(folder: Path, cited: frozenset[str]) -> Iterator[Leftover]:
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        kind = _kind(path, cited)
        if kind is not None:
            yield Leftover(path, kind, _size(path))
        elif path.is_dir() and not path.is_symlink() and not _is_named(path, ".partial-", ".stale-"):
            yield from _leftovers(path, cited)


def _kind(path: Path, cited: frozenset[str]) -> Kind | None:
    if _is_named(path, ".partial-"):
        return None if is_in_work(path) else "partial"
    if _is_named(path, ".stale-"):
        return None if _answered(path) in cited else "stale"
    if path.name.endswith(".claim"):
        from temporal_adapters.stages.train import is_abandoned

        return "claim" if is_abandoned(path) else None
    return None


def _is_named(path: Path, *marks: str) -> bool:
    return any(mark in path.name for mark in marks)


def _cited(run: RunFolder) -> frozenset[str]:
    """Return the digests of the adapters whose answers a finished report shows."""
    if read_manifest(run.report) is None:
        return frozenset()
    shards = (path.parent for path in run.all_logprobs.glob(f"*/*/seed-*/{NAME}"))
    manifests = [read_manifest(folder) for folder in shards if not _is_named(folder, ".partial-", ".stale-")]
    return frozenset(one.inputs["adapter"] for one in manifests if one is not None and "adapter" in one.inputs)


def _answered(folder: Path) -> str:
    """Return the digest by which answers name the adapter of a folder; empty where it holds none."""
    try:
        manifest = read_manifest(folder)
    except TemporalAdaptersError:
        return ""
    return digest_json({name: entry["sha256"] for name, entry in manifest.outputs.items()}) if manifest else ""


def _size(path: Path) -> int:
    files = [path] if not path.is_dir() else [one for one in path.rglob("*") if one.is_file()]
    return sum(one.lstat().st_size for one in files)


def remove(found: list[Leftover]) -> None:
    """Remove leftovers.

    Raises
    ------
    OSError
        If one cannot be removed.
    """
    for one in found:
        if one.path.is_dir() and not one.path.is_symlink():
            shutil.rmtree(one.path)
        else:
            one.path.unlink(missing_ok=True)


def problems(run: RunFolder, study: Study | None = None) -> Iterator[str]:
    """Read every byte of a run folder and yield one sentence per thing that is not as it was written.

    Files against the digests in the manifest beside them, manifests and documents against their own digests, and
    (with a study) every finished folder against what the folders before it give today; files that nobody wrote, and
    those that are gone. What is in work, set aside or left behind is not looked at.
    """
    yield from _unlike(run.root, run)
    if study is not None:
        yield from _unchained(run, study)


_UNSIGNED = ("logs", "slurm", "panel")
"""Folders without manifests: logs, and what is made anew from the raw files where it is damaged."""


def _unlike(folder: Path, run: RunFolder) -> Iterator[str]:
    if not folder.is_dir():
        yield f"{folder} does not exist"
        return
    for path in sorted(folder.iterdir()):
        if _is_named(path, ".partial-", ".stale-") or path.name.endswith(".claim"):
            continue
        if path.is_dir():
            if not (folder == run.root and path.name in _UNSIGNED):
                yield from _of_folder(path) if (path / NAME).is_file() else _unlike(path, run)
        else:
            yield from _of_file(path, run)


def _of_folder(folder: Path) -> Iterator[str]:
    try:
        manifest = read_manifest(folder)
    except TemporalAdaptersError as error:
        yield str(error)
        return
    yield from verify(folder)
    known = set(manifest.outputs) if manifest else set()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in known and path.name != NAME:
            yield f"{path} is not a file that this stage wrote"


def _of_file(path: Path, run: RunFolder) -> Iterator[str]:
    """Look at a file that stands outside finished folders: the plan, the recovery, and whatever does not belong."""
    from temporal_adapters.stages.correlate import read_plan

    try:
        if path == run.plan:
            read_plan(run)
        elif path == run.recovery:
            Recovery.load(path)
        else:
            yield f"{path} is not a file that this program wrote"
    except TemporalAdaptersError as error:
        yield str(error)


def _unchained(run: RunFolder, study: Study) -> Iterator[str]:
    for step in steps(study):
        for ask in dict.fromkeys(step.folders.values()):
            try:
                for one in ask(study, run):
                    if one.state == "stale":
                        yield f"{one.folder} does not follow from what lies before it: {'; '.join(one.reasons())}"
                    elif one.state == "missing":
                        yield f"{one.folder} is not there (run `{step.command}`)"
            except TemporalAdaptersError as error:
                yield str(error)
