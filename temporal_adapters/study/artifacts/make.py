"""Make one expected folder: what is finished is left alone, everything else is written and published whole.

Takes what a stage expects and who writes it, gives the manifest. Knows no stage.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from temporal_adapters.ground.errors import ArtifactError
from temporal_adapters.study.artifacts.expected import Expected
from temporal_adapters.study.artifacts.manifest import Manifest, read_manifest
from temporal_adapters.study.artifacts.publish import Work, publish

Write = Callable[[Path], Mapping[str, Any] | None]
"""Writes the files of a stage into the folder that it is given, and returns the facts for the manifest."""


def make(expected: Expected, write: Write, *, config: Mapping[str, Any] | None = None, device: str = "cpu") -> Manifest:
    """Return the manifest of a folder; it is written only if it is not finished under today's key.

    Parameters
    ----------
    expected
        The folder and what its key is made of.
    write
        Called with the folder to write into, which is published when it returns; not called for finished work.
    config
        Settings that the manifest records, operational ones included; those of `expected` without it.
    device
        Device that the manifest records.

    Raises
    ------
    ArtifactError
        If the folder cannot be written, or is gone once it has been.
    TemporalAdaptersError
        Whatever `write` raises; nothing is published then.
    """
    if expected.state != "done":
        with in_work(expected, config=config, device=device) as work:
            work.facts.update(write(work.folder) or {})
    manifest = read_manifest(expected.folder)
    if manifest is None:
        raise ArtifactError(f"{expected.folder} vanished while it was written: run the same command again")
    return manifest


@contextlib.contextmanager
def in_work(
    expected: Expected, *, config: Mapping[str, Any] | None = None, device: str = "cpu", resume: bool = False
) -> Iterator[Work]:
    """Give the folder in work of what is expected; it is published if the block ends without an error."""
    with publish(
        expected.folder,
        stage=expected.stage,
        key=expected.key,
        version=expected.version,
        config=expected.config if config is None else config,
        inputs=expected.inputs,
        device=device,
        resume=resume,
    ) as work:
        yield work
