"""Base models that are known: sizes, licences, and until when the texts that they have read were written.

Takes a name or folder, gives facts and sentences. Loads nothing, fetches nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from temporal_adapters.study.config import Model

MADE_UP = "made-up language"


@dataclass(frozen=True)
class Known:
    """One base model.

    Attributes
    ----------
    name
        What `model.base` takes: a hub name, or ``demo``.
    architecture
        Model type in transformers.
    millions
        Weights in millions.
    licence
        As its publisher calls it.
    cutoff
        Last month of its training texts (``2023-03``), as its publisher says; None where they do not.
    cpu_rate
        Training tokens per CPU second, documents of 128 tokens, r 8, one core; None where nobody has measured it.
    """

    name: str
    architecture: str
    millions: float
    licence: str
    cutoff: str | None = None
    cpu_rate: str | None = None

    def gib(self, n_bytes: int) -> float:
        """Return the memory of the frozen weights in GiB at `n_bytes` each."""
        return self.millions * 1e6 * n_bytes / 2**30


KNOWN = (
    Known("demo", "llama", 0.8, "MIT (ships with the package)", MADE_UP),
    Known("openai-community/gpt2", "gpt2", 124.4, "MIT", "2017-12"),
    Known("HuggingFaceTB/SmolLM2-135M", "llama", 134.5, "Apache-2.0", None, "48-50 on an AMD EPYC Zen 4"),
    Known("EleutherAI/pythia-160m", "gpt_neox", 162.3, "Apache-2.0", "2020-12"),
    Known("HuggingFaceTB/SmolLM2-360M", "llama", 361.8, "Apache-2.0"),
    Known("Qwen/Qwen2.5-0.5B", "qwen2", 494.0, "Apache-2.0"),
    Known("meta-llama/Llama-3.2-1B", "llama", 1235.8, "Llama 3.2 Community License", "2023-12"),
    Known("allenai/OLMo-2-0425-1B", "olmo2", 1484.9, "Apache-2.0", "2023-12"),
    Known("HuggingFaceTB/SmolLM2-1.7B", "llama", 1711.4, "Apache-2.0"),
    Known("mistralai/Mistral-7B-v0.3", "mistral", 7248.0, "Apache-2.0"),
    Known("Qwen/Qwen2.5-7B", "qwen2", 7615.6, "Apache-2.0"),
    Known("meta-llama/Meta-Llama-3-8B", "llama", 8030.3, "Meta Llama 3 Community License", "2023-03"),
    Known("meta-llama/Llama-3.1-8B", "llama", 8030.3, "Llama 3.1 Community License", "2023-12"),
)
"""Bases whose architecture passes every check; sizes, licences and cut-offs are their publishers' statements."""


def lines() -> list[str]:
    """Return the known bases as a table for people."""
    head = ("base", "weights", "float32", "bfloat16", "cut-off", "CPU tokens/s", "licence")
    rows = [
        (
            one.name,
            f"{one.millions:,.0f} M" if one.millions >= 1 else f"{one.millions:.1f} M",
            f"{one.gib(4):.1f} GiB",
            f"{one.gib(2):.1f} GiB",
            one.cutoff or "not stated",
            one.cpu_rate or "not measured",
            one.licence,
        )
        for one in KNOWN
    ]
    widths = [max(len(row[n]) for row in (head, *rows)) for n in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)
    ]


def cutoff(settings: Model) -> str | None:
    """Return the month until which the base has read, as the study or its publisher says; None if nobody does."""
    if settings.cutoff is not None:
        return settings.cutoff
    name = settings.base.rstrip("/")
    known = {one.name: one.cutoff for one in KNOWN}
    if name in known:
        return known[name]
    if _is_pretrained_here(Path(name)):
        return MADE_UP
    return None


def _is_pretrained_here(folder: Path) -> bool:
    """Return whether `ta pretrain` made this base: it has read the study's own first weeks, and says so itself."""
    try:
        return json.loads((folder / "manifest.json").read_text(encoding="utf-8")).get("stage") == "pretrain"
    except (OSError, ValueError, AttributeError):
        return False


def cutoff_sentence(settings: Model, weeks: Sequence[date]) -> str | None:
    """Return what the base's cut-off means for these weeks (their first days), or None where it means nothing."""
    until = cutoff(settings)
    if until == MADE_UP or not weeks:
        return None
    if until is None:
        return (
            f"it is not known until when the texts were written that the base {settings.base!r} has read: weeks before"
            " that are no news to it; set model.cutoff (such as 2023-03) if you know"
        )
    year, month = map(int, until.split("-"))
    known = sum((week.year, week.month) <= (year, month) for week in weeks)
    if not known:
        return None
    return (
        f"the base {settings.base!r} has read texts until {until}: {known} of {len(weeks)} weeks lie before that,"
        " it may know them without any adapter"
    )
