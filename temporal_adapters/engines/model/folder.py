"""What a model folder may hold before any library opens it: no code, no pickles, no absurd sizes.

Takes a folder, gives nothing or a sentence. Loads no weights and no library that could.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from temporal_adapters.ground.errors import ModelError

MOST_LAYERS = 1_024
"""The deepest published decoders have 126 layers."""

MOST_UNITS = 1 << 24
"""Widths, vocabularies, heads, positions: the largest published number is a context of 10 million tokens."""

_MOST_BYTES = 16 << 20  # of a JSON file
_LAYERS = re.compile(r"layers?$|n_layer|depth|blocks?$")
_UNITS = re.compile(
    r"size$|dim$|heads$|_head$|embd$|inner$|ffn|d_model|d_ff|d_kv|positions|n_ctx|experts|channels|rank$"
)
_SETTINGS = ("config.json", "tokenizer_config.json", "processor_config.json")


def require_harmless(folder: Path, allow_code: bool) -> None:
    """Refuse a model folder that asks for code or pickled weights, unless the study allows it; and absurd sizes.

    Raises
    ------
    ModelError
        One sentence.
    """
    for name in _SETTINGS:
        found = _read(folder / name)
        if isinstance(found, dict) and found.get("auto_map") and not allow_code:
            raise ModelError(
                f"model.base: {str(folder)!r} needs code of its own (auto_map in {name}), which is not run: remove that"
                " entry if transformers has the architecture built in, or set model.allow_code: true if you trust"
                " whoever wrote it"
            )
    if not allow_code and (pickled := _only_pickled(folder)):
        raise ModelError(
            f"model.base: {str(folder)!r} holds its weights as a pickle ({pickled}), a format that can run code: run"
            f" `ta base convert {folder} FOLDER` and set model.base to FOLDER, or set model.allow_code: true"
        )
    require_sizes(folder)


def require_sizes(folder: Path) -> None:
    """Refuse a ``config.json`` whose sizes no model has, before anything of that size is made.

    Raises
    ------
    ModelError
        One sentence that names the entry.
    """
    for name, value in _numbers(_read(folder / "config.json")):
        most = MOST_LAYERS if _LAYERS.search(name) else MOST_UNITS if _UNITS.search(name) else None
        if most is not None and abs(value) > most:
            shown = f"{value:,}" if abs(value) < 10**15 else f"a number of {len(f'{abs(value):.0f}')} digits"
            raise ModelError(
                f"model.base: {str(folder)!r}: config.json says {name}: {shown}, but no model has more than {most:,}:"
                " the file is damaged or made to hurt; download it again"
            )


def _only_pickled(folder: Path) -> str | None:
    """Return the name of a pickled weight file of a folder that has no other weights."""
    if any(folder.glob("*.safetensors")):
        return None
    return next((path.name for path in sorted(folder.glob("pytorch_model*.bin"))), None)


def _read(path: Path) -> Any:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ModelError(f"{path}: holds more than {_MOST_BYTES >> 20} MiB of settings: it is no file of a model")
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ModelError(f"{path}: is nested too deep to be the settings of a model: download it again") from None
    except (OSError, ValueError):
        return None  # whoever loads it says what is wrong


def _numbers(found: Any) -> Iterator[tuple[str, float]]:
    """Yield every number of a configuration with its name, those of parts (``text_config``) too."""
    waiting = [found]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            for name, value in part.items():
                if isinstance(value, int | float) and not isinstance(value, bool):
                    yield name, value
                else:
                    waiting.append(value)
