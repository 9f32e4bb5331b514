"""The table between the forward passes and the scores: one row per surface form after one context.

Takes nothing, gives the record and its column types. Knows no model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FormScore:
    """Token log-probs of one surface form under one adapter.

    Attributes
    ----------
    item, wording, order, option
        Names, as in ANSWERS.
    context
        Kind of context: `prompt`, `label`, `premise`, `content-free-<j>`, `inclusion`, `legacy`.
    form
        The surface form.
    answer
        `yes` or `no` under an inclusion context, otherwise empty.
    token_ids
        Ids of the answer's tokens.
    logprobs
        Natural log-probability of each of them given all before it.
    logits
        Raw logits of the same tokens, for the legacy methods.
    end
        Log of the summed probability of the terminators behind the answer, or None if it was not computed.
    n_chars, n_bytes
        Length of the form in characters and in UTF-8 bytes, without the delimiter (as lm-eval counts).
    context_sha
        Hash of the context's token ids.
    barred
        Tokens left out of `end`, because another form of the same question goes on with them.
    """

    item: str
    wording: str
    order: str
    context: str
    option: str
    form: str
    answer: str
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    logits: tuple[float, ...]
    end: float | None
    n_chars: int
    n_bytes: int
    context_sha: str
    barred: tuple[int, ...] = ()

    @property
    def total(self) -> float:
        """Summed log-probability (float64)."""
        return float(sum(self.logprobs))

    @property
    def n_tokens(self) -> int:
        """Number of tokens of the answer."""
        return len(self.token_ids)


def columns() -> dict[str, Any]:
    """Return the column types (Polars) of a file of form scores."""
    import polars as pl

    return {
        "item": pl.String,
        "wording": pl.String,
        "order": pl.String,
        "context": pl.String,
        "option": pl.String,
        "form": pl.String,
        "answer": pl.String,
        "token_ids": pl.List(pl.Int64),
        "logprobs": pl.List(pl.Float64),
        "logits": pl.List(pl.Float64),
        "end": pl.Float64,
        "n_chars": pl.Int64,
        "n_bytes": pl.Int64,
        "context_sha": pl.String,
        "barred": pl.List(pl.Int64),
        "sum": pl.Float64,
        "n_tokens": pl.Int64,
    }
