"""One question under one model, and the arithmetic that all methods share.

Takes form scores, gives them by context and option; log-sum-exp, softmax, centred log-ratios in float64. Knows no
method.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from temporal_adapters.engines.scoring.records import FormScore
from temporal_adapters.ground.errors import ScoringError


@dataclass(frozen=True)
class OptionScore:
    """The score of one option.

    Attributes
    ----------
    logprob
        Log-score s.
    n_tokens
        Tokens of the option's most probable form.
    mass
        Probability that the option's forms take in the model's own distribution: what a share must be read beside.
        None where a method has no such thing.
    share, clr
        Set by methods without a sum over options (`inclusion`); otherwise None, to be normalised over the options.
    """

    logprob: float
    n_tokens: int
    mass: float | None
    share: float | None = None
    clr: float | None = None


@dataclass
class Question:
    """All form scores of one item, wording and order under one adapter.

    Attributes
    ----------
    rows
        The form scores.
    base
        The same question under the base, for methods that compare with it.
    """

    rows: Sequence[FormScore]
    base: Question | None = None
    _by_context: dict[str, dict[str, list[FormScore]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for row in self.rows:
            self._by_context.setdefault(row.context, {}).setdefault(row.option, []).append(row)

    def contexts(self, kind: str) -> list[str]:
        """Return the contexts of a kind."""
        return [name for name in self._by_context if name == kind or name.startswith(f"{kind}-")]

    def options(self, context: str) -> Mapping[str, list[FormScore]]:
        """Return option -> its form scores in `context`.

        Raises
        ------
        ScoringError
            If the context was not asked.
        """
        if context not in self._by_context:
            first = self.rows[0]
            raise ScoringError(f"item {first.item!r}, wording {first.wording!r}: the context {context!r} was not asked")
        return self._by_context[context]


def logsumexp(values: Iterable[float]) -> float:
    """Return log sum exp in float64; -inf for nothing."""
    listed = list(values)
    top = max(listed, default=-math.inf)
    if math.isinf(top):
        return top
    return top + math.log(math.fsum(math.exp(value - top) for value in listed))


def clr(scores: Sequence[float]) -> list[float]:
    """Return the centred log-ratios x(a) - mean over b of x(b)."""
    values = np.asarray(scores, dtype=np.float64)
    return [float(value) for value in values - values.mean()]


def softmax(scores: Sequence[float], temperature: float = 1.0) -> list[float]:
    """Return the shares exp(s/T) / sum exp(s/T); T works on options, never on tokens."""
    values = np.asarray(scores, dtype=np.float64) / temperature
    weights = np.exp(values - values.max())
    return [float(value) for value in weights / weights.sum()]
