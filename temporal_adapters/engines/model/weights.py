"""Weights of a checkpoint folder, whole and finite or refused.

Takes a folder, gives a causal language model. transformers fills what a file lacks with random numbers and says so in a
warning at most; here that is an error.
"""

from __future__ import annotations

import contextlib
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from temporal_adapters.engines.model.folder import require_sizes
from temporal_adapters.ground.errors import ModelError

_SHOWN = 3  # names of weights in a sentence


def load_weights(folder: Path | str, **options: Any) -> Any:
    """Return the causal language model of a folder or hub name, in the precision of its files unless `options` say so.

    Parameters
    ----------
    folder
        Where.
    options
        Passed on to transformers (`dtype`, `revision`, `device_map`).

    Raises
    ------
    ModelError
        If files are missing, cut short, of another shape, or hold only a part of the weights, or if the architecture
        is no causal decoder or would have to run code of its own.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    if Path(folder).is_dir():
        require_sizes(Path(folder))
    options = {"dtype": "auto", "trust_remote_code": False, **options, "weights_only": True}
    damaged = (OSError, ValueError, RuntimeError, KeyError, EOFError, SafetensorError, pickle.UnpicklingError)
    try:
        with quiet():
            model, report = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True, **options)
    except (*damaged, zipfile.BadZipFile, ImportError) as error:
        raise ModelError(f"model.base: {str(folder)!r} cannot be loaded: {explain(error)}") from None
    _require_whole(folder, report)
    return model


def explain(error: Exception) -> str:
    """Return in one clause why transformers could not load a model, and what to change."""
    text = str(error).strip()
    first = (text.splitlines() or [type(error).__name__])[0].rstrip(".")
    if "trust_remote_code" in text:
        return (
            "this model needs code of its own, which would have to be executed: it is not; use a model whose"
            " architecture transformers has built in"
        )
    if "weights_only" in text or "Weights only load" in text:
        return "its pickled weights ask for code to be run, which is never done: use a model saved as safetensors"
    if "Unrecognized configuration class" in text:
        kind = first.partition("<class '")[2].partition("'>")[0].rpartition(".")[2] or "this architecture"
        return f"{kind.removesuffix('Config')} is no causal decoder (or not one that transformers can build): use one"
    if "size mismatch" in text or "ignore_mismatched_sizes" in text:
        return "its weights have other shapes than config.json says: the two are not of one model; download both again"
    if (
        isinstance(error, EOFError | pickle.UnpicklingError | zipfile.BadZipFile)
        or "SafetensorError" in type(error).__name__
    ):
        return f"its weight file is damaged or cut short ({first}): download it again"
    return first


def _require_whole(folder: Path | str, report: Any) -> None:
    wrong = sorted(str(entry[0] if isinstance(entry, tuple) else entry) for entry in report.get("mismatched_keys", ()))
    if wrong:
        raise ModelError(
            f"model.base: {str(folder)!r}: its weights have other shapes than config.json says ({_listed(wrong)}):"
            " the two are not of one model; download both again"
        )
    missing = sorted(report.get("missing_keys", ()))
    if missing:
        raise ModelError(
            f"model.base: {str(folder)!r}: the weight files lack {len(missing)} weights of the architecture"
            f" ({_listed(missing)}): they would be random numbers; download the files again"
        )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def require_finite(model: Any, where: Path | str) -> None:
    """Raise ModelError if a weight of `model` is no finite number."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.is_floating_point() and not bool(torch.isfinite(weight.sum(dtype=torch.float64))):
                raise ModelError(
                    f"{where}: the weight {name} holds values that are no finite numbers: the file is damaged;"
                    " download it again"
                )


def require_vocabulary(model: Any, tokenizer: Any, where: Path | str) -> None:
    """Raise ModelError if the tokenizer can give a token for which the model has no embedding."""
    rows, highest = model.get_input_embeddings().weight.shape[0], max(tokenizer.get_vocab().values(), default=-1)
    if highest >= rows:
        token = tokenizer.convert_ids_to_tokens(highest)
        raise ModelError(
            f"{where}: the tokenizer gives the number {highest} for {token!r}, but the model has {rows:,} embeddings:"
            " the tokenizer is that of another model"
        )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the bar of a loading that takes a blink, and warnings that become errors here."""
    from transformers.utils import logging

    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
