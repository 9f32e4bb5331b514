"""The base that a language model of the vote study stands on: a plain one, or one with a week's adapter added.

Takes settings, gives a resident base and its digest. The adapter of a week, or of a group, becomes the base of the vote
study by adding its product to the weights, so that another adapter can be trained on top.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from temporal_adapters.ground.errors import VoteError
from temporal_adapters.study.artifacts import digest_file, digest_json, read_manifest
from temporal_adapters.study.artifacts.manifest import NAME as MANIFEST

if TYPE_CHECKING:
    from temporal_adapters.engines.model import Base
    from temporal_adapters.study.config import AdaptedModel

_WEIGHTS = "adapter_model.safetensors"


def load_adapted(settings: AdaptedModel) -> Base:
    """Load a base, with its adapter added where the settings name one.

    Raises
    ------
    ModelError
        If the base or the adapter cannot be read, or the adapter has modules that the base lacks.
    VoteError
        If there is no such adapter, or it was trained on another base.
    """
    from temporal_adapters.engines.model import load_base, merge, read_adapter

    digest = digest_adapted(settings)
    base = load_base(settings)
    if settings.adapter is None:
        return base
    merge(base.model, read_adapter(settings.adapter))
    return replace(base, name=f"{base.name} with {settings.adapter}", digest=digest)


def digest_adapted(settings: AdaptedModel) -> str:
    """Return the digest of the base and of the adapter on it.

    Raises
    ------
    VoteError
        If there is no such adapter, or it was trained on another base.
    """
    from temporal_adapters.engines.model import digest_base

    digest = str(digest_base(settings))
    if settings.adapter is None:
        return digest
    weights = settings.adapter / _WEIGHTS
    if not weights.is_file():
        raise VoteError(
            f"base.adapter: {settings.adapter} holds no adapter ({_WEIGHTS} is missing): name a folder such as"
            " runs/demo/adapters/2023-W14/seed-7"
        )
    _require_same_base(settings.adapter, digest)
    return digest_json({"base": digest, "adapter": digest_file(weights)})


def _require_same_base(folder: Path, digest: str) -> None:
    manifest = read_manifest(folder) if (folder / MANIFEST).is_file() else None  # other programs write none
    trained_on = manifest.inputs.get("base") if manifest is not None else None
    if trained_on is not None and trained_on != digest:
        raise VoteError(
            f"base.adapter: {folder} was trained on another base than `base.base` names: name the base of that study"
        )
