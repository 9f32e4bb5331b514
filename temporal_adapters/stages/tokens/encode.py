"""Texts to token ids, with an explicit policy for the tokens that begin and end a text.

Takes texts and a Hugging Face tokenizer, gives lists of ids. Knows no blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from temporal_adapters.ground.errors import TokensError

Bos = Literal["auto", "always", "never"]


def encode(tokenizer: Any, texts: Sequence[str], bos: Bos = "auto", eos: bool = False) -> list[list[int]]:
    """Return the token ids of each text.

    Parameters
    ----------
    tokenizer
        Hugging Face tokenizer.
    texts
        One string per document.
    bos
        Begin-of-text token: as the tokenizer does by itself, always (its end-of-text token where it has no other,
        as GPT-2), or never.
    eos
        Whether each text ends with the end-of-text token (never twice).

    Raises
    ------
    TokensError
        If the tokenizer lacks a token that is asked for.
    """
    if not texts:
        return []
    ids = tokenizer(
        list(texts), add_special_tokens=bos == "auto", return_attention_mask=False, return_token_type_ids=False
    )["input_ids"]
    if bos == "always":
        first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        if first is None:
            raise TokensError("tokens.bos: the tokenizer has neither a begin- nor an end-of-text token: use `never`")
        ids = [[first, *document] for document in ids]
    if eos:
        last = tokenizer.eos_token_id
        if last is None:
            raise TokensError("tokens.eos: the tokenizer has no end-of-text token: set it to false")
        ids = [document if document[-1:] == [last] else [*document, last] for document in ids]
    return ids
