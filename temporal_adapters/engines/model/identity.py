"""Which base a study means: its files, their digest, and the precision it computes in here.

Takes the `model` section of a study, gives what keys are made of. Loads no weights and no library that could.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from temporal_adapters.engines.model.folder import require_harmless
from temporal_adapters.ground.errors import ModelError

if TYPE_CHECKING:
    from temporal_adapters.study.config import Model

DEMO = Path(__file__).resolve().parents[2] / "worlds" / "base"
_TOKENIZER_FILES = ("tokenizer*", "special_tokens_map.json", "vocab.*", "merges.txt", "*.model", "chat_template*")
_WEIGHT_FILES = ("config.json", "*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin")
_GPU_DEVICES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")
"""Device files of NVIDIA and AMD drivers, and of GPUs inside WSL; Tegra boards have none of them but the library."""


def precision(settings: Model) -> str:
    """Return the precision that a study computes in here: part of every key, since `auto` depends on the machine."""
    if settings.dtype != "auto":
        return settings.dtype
    on_gpu = settings.device == "cuda" or (settings.device == "auto" and has_gpu())
    return "bfloat16" if on_gpu else "float32"


def has_gpu() -> bool:
    """Return what PyTorch says; where no driver is installed it is not even loaded to say no."""
    if "torch" not in sys.modules and not _has_driver():
        return False
    import torch

    return torch.cuda.is_available()


@functools.cache
def _has_driver() -> bool:
    if any(Path(device).exists() for device in _GPU_DEVICES):
        return True
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def base_path(settings: Model) -> str:
    """Return the folder or hub name of the base (``demo`` is the model that ships with the package).

    Raises
    ------
    ModelError
        If it is a file, or a folder that asks for more trust than the study gives (`folder.require_harmless`).
    """
    if settings.base == "demo":
        return str(DEMO)
    folder = Path(settings.base).expanduser()
    if folder.is_file():
        raise ModelError(
            f"model.base: {settings.base!r} is a file: run `ta base convert {settings.base} FOLDER` and set model.base"
            " to that folder"
        )
    if not folder.is_dir():
        return settings.base
    require_harmless(folder, settings.allow_code)
    return str(folder)


def digest_base(settings: Model) -> str:
    """Return the digest of the base's files (a folder) or of its name and commit (a hub model)."""
    where = Path(base_path(settings))
    if where.is_dir():
        stamps = tuple((str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in _files(where, settings.allow_code))
        return _digest_files(stamps)
    return hashlib.sha256(f"{settings.base}@{commit(settings)}".encode()).hexdigest()


def _files(folder: Path, with_code: bool) -> list[Path]:
    code = ("*.py",) if with_code else ()
    return sorted({path for pattern in (*_WEIGHT_FILES, *_TOKENIZER_FILES, *code) for path in folder.glob(pattern)})


@functools.cache
def _digest_files(stamps: tuple[tuple[str, int, int], ...]) -> str:
    whole = hashlib.sha256()
    for name, _, _ in stamps:
        with open(name, "rb") as file:
            whole.update(Path(name).name.encode() + b"\0" + hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


def commit(settings: Model) -> str:
    """Return the commit of a hub model that is used: the cache resolves branches and tags."""
    from huggingface_hub import hf_hub_download

    try:  # .../snapshots/<commit>/config.json
        return Path(hf_hub_download(settings.base, "config.json", revision=settings.revision)).parent.name
    except (OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise ModelError(f"model.base: {settings.base!r} cannot be found ({first})") from None
