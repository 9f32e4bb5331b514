"""The tokenizer of a base, loaded without any library that computes where its files say how.

Takes the `model` section of a study, gives a Hugging Face tokenizer. Knows no weights.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temporal_adapters.engines.model.identity import base_path
from temporal_adapters.ground.errors import ModelError

if TYPE_CHECKING:
    from temporal_adapters.study.config import Model

_PLAIN = frozenset({"PreTrainedTokenizerFast", "TokenizersBackend"})
"""Classes that are what ``tokenizer.json`` says and nothing else."""


def load_tokenizer(settings: Model) -> Any:
    """Load the tokenizer of a study's base model.

    Raises
    ------
    ModelError
        If it cannot be found or read.
    """
    if _is_plain(Path(base_path(settings))):
        from transformers import PreTrainedTokenizerFast

        return from_pretrained(PreTrainedTokenizerFast, settings)
    from transformers import AutoTokenizer

    return from_pretrained(AutoTokenizer, settings, revision=settings.revision, trust_remote_code=settings.allow_code)


def _is_plain(folder: Path) -> bool:
    """Return whether asking the model's configuration, which takes seconds, would give the same class."""
    try:
        found = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
        return found.get("tokenizer_class") in _PLAIN and bool(kind) and (folder / "tokenizer.json").is_file()
    except (OSError, ValueError, AttributeError):
        return False


def from_pretrained(loader: Any, settings: Model, **options: Any) -> Any:
    """Return what a class of the library loads from a study's base, or refuse it in one sentence."""
    try:
        return loader.from_pretrained(base_path(settings), **options)
    except (OSError, ValueError, RuntimeError, KeyError, ImportError, TypeError, ArithmeticError) as error:
        from temporal_adapters.engines.model.weights import explain

        raise ModelError(
            f"model.base: {settings.base!r} cannot be loaded ({explain(error)}): give a folder with config.json,"
            " weights and tokenizer, or a Hugging Face name that this machine can reach or has in its cache"
        ) from None
