"""Digests of the raw files, each computed once.

Takes paths and a run folder, gives path -> SHA-256. Knows nothing of what is in the files.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from temporal_adapters.ground.storage import private_folder
from temporal_adapters.stages.panel import beside
from temporal_adapters.study.artifacts import RunFolder, digest_file, digest_json

DIGESTS = "digests.json"

_SETTLED_NS = 2_000_000_000
"""A file changed this recently may change again within the clock's resolution: its digest is not remembered."""


def raw_digests(paths: Sequence[Path], run: RunFolder, *, remember: bool) -> dict[Path, str]:
    """Return the digest of each file; unchanged files (place, size, time, inode) are not read again.

    Parameters
    ----------
    paths
        The raw files.
    run
        The run folder, which remembers digests in ``panel/digests.json``.
    remember
        Write that file.
    """
    store = run.panel / DIGESTS
    known = _read(store)
    found: dict[Path, str] = {}
    fresh: dict[str, list[object]] = {}
    for path in paths:
        status = path.stat()
        sign: list[object] = [status.st_size, status.st_mtime_ns, status.st_ino]
        place = _place(path)
        entry = known.get(place, [])
        found[path] = str(entry[-1]) if entry[:-1] == sign else digest_file(path)
        if time.time_ns() - status.st_mtime_ns > _SETTLED_NS:
            fresh[place] = [*sign, found[path]]
    for path in paths:
        # What a file means depends on the files beside it that complete its posts.
        others = [digest_file(other) for other in beside(path) if other != path]
        if others:
            found[path] = digest_json([found[path], *others])
    if remember and fresh != known:
        with contextlib.suppress(OSError):  # nothing but time is lost without it
            private_folder(store.parent)
            partial = store.with_name(f"{store.name}.partial-{os.getpid()}")
            signed = {"files": fresh, "digest": digest_json(fresh)}
            partial.write_text(json.dumps(signed, indent=1, sort_keys=True), encoding="utf-8")
            os.replace(partial, store)
    return found


def _read(store: Path) -> dict[str, list[object]]:
    try:
        known = json.loads(store.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    # A file that was changed since is none: the digests are computed anew.
    files = known.get("files") if isinstance(known, dict) else None
    return files if isinstance(files, dict) and known.get("digest") == digest_json(files) else {}


def _place(path: Path) -> str:
    """Return what stands for a path: a run folder is passed on, and says nothing about the machine it comes from."""
    return hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32]
