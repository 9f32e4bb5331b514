"""GGUF files, the format of llama.cpp: their weights dequantised, their tokenizer rebuilt.

Takes a file, gives a model and a tokenizer as Hugging Face has them. Knows no study.

transformers turns GGUF into its own names and undoes llama.cpp's permutation of query and key rows; its tokenizer for
byte-level BPE ignores how the file says text is split, which is put right here, or refused where it is not known.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from temporal_adapters.engines.model.weights import explain, quiet
from temporal_adapters.ground.errors import ModelError

_ASCII_WORD = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_SPLITS = {
    "llama-bpe": rf"{_CONTRACTIONS}|{_ASCII_WORD}|\p{{N}}{{1,3}}|{_REST}",
    "llama3": rf"{_CONTRACTIONS}|{_ASCII_WORD}|\p{{N}}{{1,3}}|{_REST}",
    "dbrx": rf"{_CONTRACTIONS}|{_ASCII_WORD}|\p{{N}}{{1,3}}|{_REST}",
    "smaug-bpe": rf"{_CONTRACTIONS}|{_ASCII_WORD}|\p{{N}}{{1,3}}|{_REST}",
    "qwen2": rf"{_CONTRACTIONS}|{_ASCII_WORD}|\p{{N}}|{_REST}",
    "stablelm2": rf"{_CONTRACTIONS}|{_ASCII_WORD}|\p{{N}}|{_REST}",
}
"""llama.cpp's names of splits (``tokenizer.ggml.pre``) -> regular expression, as the models' own tokenizers have it."""
_GPT2 = ("gpt-2", "gpt2", "default", "olmo", "jina-en", "mpt", "phi-2")
_DIGITS = ("smollm", "starcoder", "refact", "command-r", "codeshell")
_WHOLE_WORDS = ("llama-bpe", "llama3")  # words that are in the vocabulary are taken without merging
_CONTROL, _USER_DEFINED = 3, 4  # llama.cpp's token types
_DTYPES = {1: torch.float16, 32: torch.bfloat16}  # llama.cpp's file types that are not quantised, but float32


class GgufFile:
    """A GGUF file.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    ModelError
        If it is cut short or no GGUF, or the package `gguf` is not installed.
    """

    def __init__(self, path: Path) -> None:
        try:
            from gguf import GGUFReader
        except ImportError:
            raise ModelError(f"{path}: reading GGUF files needs the package gguf: `pip install gguf`") from None
        self.path = path
        try:
            self._fields = GGUFReader(str(path)).fields
        except (OSError, ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
            raise ModelError(
                f"{path} is no whole GGUF file ({error}): it is cut short or damaged; download it again"
            ) from None

    def _get(self, key: str, default: Any = None) -> Any:
        field = self._fields.get(key)
        return default if field is None else field.contents()

    @property
    def name(self) -> str:
        """What the file calls its model."""
        return str(self._get("general.name", self.path.stem))

    @property
    def licence(self) -> str | None:
        """What the file says about the licence."""
        parts = [self._get("general.license"), self._get("general.license.name"), self._get("general.license.link")]
        return ", ".join(str(part) for part in parts if part) or None

    def model(self) -> Any:
        """Return the causal language model to be saved, in float32 unless the file holds 16-bit floats."""
        from transformers import AutoModelForCausalLM

        dtype = _DTYPES.get(int(self._get("general.file_type", 0)), torch.float32)
        try:
            with quiet():
                loaded = AutoModelForCausalLM.from_pretrained(self.path.parent, gguf_file=self.path.name, dtype=dtype)
        except (OSError, ValueError, RuntimeError, KeyError, IndexError, ImportError, NotImplementedError) as error:
            raise ModelError(f"{self.path} cannot be converted: {explain(error)}") from None
        return _plain(loaded, dtype)

    def tokenizer(self) -> Any:
        """Return the tokenizer of the file.

        Raises
        ------
        ModelError
            If the file has none, or splits text in a way that is not known here.
        """
        kind, pre = self._get("tokenizer.ggml.model"), str(self._get("tokenizer.ggml.pre", "default"))
        if kind is None:
            raise ModelError(f"{self.path} holds no tokenizer: convert the model that it was made from")
        if kind == "gpt2":
            return self._byte_level(pre)
        from transformers import AutoTokenizer

        try:
            with quiet():
                return AutoTokenizer.from_pretrained(self.path.parent, gguf_file=self.path.name)
        except (OSError, ValueError, KeyError, ImportError, NotImplementedError) as error:
            raise ModelError(f"{self.path}: its tokenizer ({kind}) cannot be read: {explain(error)}") from None

    def _byte_level(self, pre: str) -> Any:
        from tokenizers import AddedToken, Tokenizer, decoders, models
        from transformers import PreTrainedTokenizerFast

        tokens, types = self._get("tokenizer.ggml.tokens"), self._get("tokenizer.ggml.token_type")
        merges = [tuple(merge.split(" ", 1)) for merge in self._get("tokenizer.ggml.merges", [])]
        vocabulary = {token: number for number, token in enumerate(tokens)}
        backend = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=pre in _WHOLE_WORDS))
        backend.pre_tokenizer = self._split(pre)
        backend.decoder = decoders.ByteLevel()
        kinds = dict(zip(tokens, types or [0] * len(tokens), strict=True))
        control = [token for token, kind in kinds.items() if kind == _CONTROL]
        backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
        given = [token for token, kind in kinds.items() if kind == _USER_DEFINED]
        backend.add_tokens([AddedToken(token, normalized=False) for token in given])
        names = self._special(tokens)
        if self._get("tokenizer.ggml.add_bos_token") and "bos_token" in names:
            self._put_first(backend, names["bos_token"], vocabulary)
        fast = PreTrainedTokenizerFast(tokenizer_object=backend, clean_up_tokenization_spaces=False, **names)
        template = self._get("tokenizer.chat_template")
        if template:
            fast.chat_template = template
        return fast

    def _special(self, tokens: list[str]) -> dict[str, str]:
        keys = {"bos": "bos", "eos": "eos", "unknown": "unk", "padding": "pad"}
        found = {ours: self._get(f"tokenizer.ggml.{theirs}_token_id") for theirs, ours in keys.items()}
        return {f"{ours}_token": tokens[number] for ours, number in found.items() if number is not None}

    @staticmethod
    def _put_first(backend: Any, token: str, vocabulary: dict[str, int]) -> None:
        from tokenizers import processors

        special = [(token, vocabulary[token])]
        backend.post_processor = processors.TemplateProcessing(
            single=f"{token} $A", pair=f"{token} $A {token} $B", special_tokens=special
        )

    def _split(self, pre: str) -> Any:
        from tokenizers import Regex, pre_tokenizers

        if pre in _GPT2:
            return pre_tokenizers.ByteLevel(add_prefix_space=False)
        if pre in _DIGITS:
            parts = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        elif pre in _SPLITS:
            split = pre_tokenizers.Split(Regex(_SPLITS[pre]), behavior="isolated")
            parts = [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        else:
            known = ", ".join(sorted({*_GPT2, *_DIGITS, *_SPLITS}))
            raise ModelError(
                f"{self.path}: it splits text by rules called {pre!r}, which are not known here (known: {known}):"
                " convert the model that it was made from"
            )
        return pre_tokenizers.Sequence(parts)


def _plain(loaded: Any, dtype: torch.dtype) -> Any:
    """Return the same weights in a model that knows nothing of GGUF, which `save_pretrained` would refuse.

    It is for saving: buffers that no file holds (rotary angles) stay on the meta device.
    """
    settings = json.loads(loaded.config.to_json_string(use_diff=False))
    for odd in ("quantization_config", "_name_or_path", "_model_name_or_path", "dtype", "transformers_version"):
        settings.pop(odd, None)
    config = type(loaded.config).from_dict(settings)
    weights = loaded.state_dict()
    with torch.device("meta"):
        plain = type(loaded)(config)
    plain.load_state_dict(weights, assign=True)
    plain.tie_weights()
    config.dtype = dtype
    return plain.eval()
