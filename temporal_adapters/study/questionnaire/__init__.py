"""Items, wordings, answer options: what is asked.

Takes YAML or CSV files, gives a `Questionnaire` of frozen records. Knows no tokenizer and no model. Reading files needs
pydantic and ruamel.yaml, the records need nothing: `load` imports them when it is called.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from temporal_adapters.study.questionnaire.records import Item, Option, Questionnaire, Wording

__all__ = ["Item", "Option", "Questionnaire", "Wording", "load"]


def load(reference: str | Path, folder: Path = Path(), methods: Iterable[str] = ()) -> Questionnaire:
    """Read a questionnaire: a path relative to `folder`, or a shipped name (see `native.load`)."""
    from temporal_adapters.study.questionnaire import native

    return native.load(reference, folder, methods)
