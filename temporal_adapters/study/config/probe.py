"""Section `probe`: which questions, and how answers are scored."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from temporal_adapters.study.config.base import Operational, Section, in_study

FILE_ENDINGS = (".yaml", ".yml", ".csv")

METHOD_NAMES = (
    "sequence", "sequence+end", "trie", "first", "label", "token-mean", "byte", "pmi-dc", "contextual", "base",
    "inclusion",
    "permutation", "pride", "legacy-v1", "legacy-v2", "legacy-v3",
)  # fmt: skip
"""Names of the scoring methods, as in `temporal_adapters.engines.scoring.METHODS` (a test holds the two together)."""


class Probe(Section):
    """Asking every adapter the questions."""

    questionnaires: tuple[str, ...] = Field(("britains-mood",), min_length=1)
    """Shipped names, or paths of questionnaire files (.yaml, .csv; relative to the study file)."""

    methods: tuple[str, ...] = Field(("sequence",), min_length=1)
    """Scoring methods, such as `sequence`, `label`, `inclusion` (all: `engines.scoring.METHODS`)."""

    temperature: float = Field(1.0, gt=0)
    """T of share = softmax(log-score / T) over options; clr and log-scores are not touched."""

    legacy_temperature: float = Field(1.0, gt=0)
    """Token-level temperature of the method `legacy-v1`, which no other method has."""

    ends: bool = False
    """Also compute the probability that an answer ends where it ends (methods that need it do so in any case)."""

    layout: Literal["tree", "rows"] = Operational("tree")
    """`tree`: shared beginnings are computed once; `rows`: every answer is a sequence of its own (slow)."""

    tree_tokens: int = Operational(256, ge=1)
    """Tokens of one tree."""

    batch_tokens: int = Operational(16384, ge=64)
    """Tokens per forward pass, all stacked adapters together."""

    proof_posts: int = Operational(16, ge=0)
    """Posts per week on which its adapter is compared with its neighbours' (a forward pass each); 0: not compared."""

    @field_validator("questionnaires")
    @classmethod
    def _finds_files(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        return tuple(str(in_study(Path(one), info)) if one.endswith(FILE_ENDINGS) else one for one in value)

    @field_validator("methods")
    @classmethod
    def _knows_methods(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in METHOD_NAMES:
                near = difflib.get_close_matches(name, METHOD_NAMES, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise ValueError(f"there is no scoring method {name!r}{hint} (allowed: {', '.join(METHOD_NAMES)})")
        if len(set(value)) < len(value):
            raise ValueError("a scoring method is named twice")
        return value
