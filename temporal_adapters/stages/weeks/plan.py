"""What today's settings and raw files would make of the weeks.

Takes a study and its run folder, gives what is expected. Reads no post.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from temporal_adapters.stages import panel
from temporal_adapters.stages.weeks.digests import raw_digests
from temporal_adapters.stages.weeks.drops import drops_of
from temporal_adapters.stages.weeks.pseudonym import HMAC, default_path, fingerprint, read_key
from temporal_adapters.study.artifacts import Expected, RunFolder, digest_json, read_manifest
from temporal_adapters.study.config import Study, scientific

_KEY_INPUT = "key of the pseudonyms"

VERSION = 4
"""Raised when the same settings and files give other weeks."""


def expected(study: Study, run: RunFolder) -> list[Expected]:
    """Return what today's settings and raw files would produce."""
    return [expected_of(study, run, raw_digests(panel.find_files(study.panel.paths), run, remember=False))]


def expected_of(study: Study, run: RunFolder, raw: Mapping[Path, str]) -> Expected:
    """Return what raw files with these digests would produce."""
    config = {"panel": scientific(study.panel), "weeks": scientific(study.weeks)}
    return Expected(run.weeks, "weeks", VERSION, config, _inputs(study, run, raw))


def _inputs(study: Study, run: RunFolder, raw: Mapping[Path, str]) -> dict[str, str]:
    """Return name -> digest of what the weeks are made of: the raw files, the key's fingerprint, the waves."""
    names = Counter(path.name for path in raw)
    inputs = {_name(path, digest, names): digest for path, digest in raw.items()}
    left_out = drops_of(study.panel, run).digest
    if left_out:
        inputs["what is left out"] = left_out
    if study.panel.pseudonyms:
        inputs[_KEY_INPUT] = fingerprint(key_of(study, run))
    if study.weeks.waves_path:
        from temporal_adapters.stages.weeks.windows import wave_windows

        inputs["waves"] = digest_json([window.label for window in wave_windows(study.weeks)])
    return inputs


def _name(path: Path, digest: str, names: Counter[str]) -> str:
    name = path.name if names[path.name] == 1 else str(path)
    # A file that is named after a post is called after its content: a manifest tells no id.
    return name if panel.shown(path) == str(path) else f"file {digest[:16]}"


def key_of(study: Study, run: RunFolder) -> str:
    """Return the key of the pseudonyms; empty where the study makes none.

    Weeks that an earlier version made by plain SHA-256 keep its pseudonyms, so that what learned from them stays valid;
    all others are made by HMAC.
    """
    if not study.panel.pseudonyms:
        return ""
    key = read_key(study.panel.pseudonym_key or default_path(), run.root)
    manifest = read_manifest(run.weeks)
    if manifest is not None and manifest.inputs.get(_KEY_INPUT) == fingerprint(key):
        return key
    return HMAC + key
