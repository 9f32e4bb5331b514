"""What a study's settings and inputs of today would produce, and why a finished folder is not that.

Takes settings, inputs and a manifest, gives a state and sentences. Knows no stage: every stage says what it expects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporal_adapters.study.artifacts.keys import stage_key
from temporal_adapters.study.artifacts.manifest import Manifest, read_manifest
from temporal_adapters.study.artifacts.publish import State, lacking, state


@dataclass(frozen=True)
class Expected:
    """One folder that a stage would publish under the settings and inputs of today.

    Attributes
    ----------
    folder
        Where it lies.
    stage, version, config, inputs
        What `stage_key` takes and `publish` records: stage name, version of its computation, scientific settings,
        name -> digest of every input.
    """

    folder: Path
    stage: str
    version: int
    config: Mapping[str, Any]
    inputs: Mapping[str, str]

    @property
    def key(self) -> str:
        """The stage key."""
        return stage_key(self.stage, self.version, self.config, self.inputs)

    @property
    def state(self) -> State:
        """How far the work is."""
        return state(self.folder, self.key)

    def reasons(self) -> list[str]:
        """Return one phrase per difference between the finished folder and what is expected; empty if none."""
        manifest = read_manifest(self.folder)
        if manifest is None:
            return []
        if manifest.key == self.key:
            lost = lacking(self.folder, manifest)
            return [f"{name} is gone or has another size than it was written with" for name in lost]
        return differences(manifest, self) or ["the key differs though version, settings and inputs are alike"]


def differences(manifest: Manifest, expected: Expected) -> list[str]:
    """Return one phrase per version, setting or input in which a finished folder differs from what is expected.

    Settings that only the manifest knows are operational ones and are left out.
    """
    found = []
    if manifest.version != expected.version:
        found.append(f"version {manifest.version} -> {expected.version} of the stage")
    was, now = dict(_leaves(manifest.config)), dict(_leaves(expected.config))
    found += [f"{name} {was.get(name)!r} -> {value!r}" for name, value in now.items() if was.get(name) != value]
    for name in sorted({*manifest.inputs, *expected.inputs}):
        if name not in manifest.inputs:
            found.append(f"input {name} is new")
        elif name not in expected.inputs:
            found.append(f"input {name} is gone")
        elif manifest.inputs[name] != expected.inputs[name]:
            found.append(f"input {name} changed")
    return found


def _leaves(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", list(value) if isinstance(value, tuple) else value
