"""Answers of a base and some adapters, without a study and a run folder.

Takes a base, a questionnaire and adapter folders, gives ANSWERS. Publishes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from temporal_adapters.engines.scoring import LEGACY, METHODS, Reference, Source, answer_rows
from temporal_adapters.ground.errors import ProbeError
from temporal_adapters.stages.probe.encode import Encoder
from temporal_adapters.stages.probe.plan import plan
from temporal_adapters.study.questionnaire import Questionnaire

if TYPE_CHECKING:
    import polars as pl

    from temporal_adapters.engines.model import Base


def answer(
    base: Base, questionnaire: Questionnaire, adapters: Sequence[Path], methods: Sequence[str], temperature: float = 1.0
) -> pl.DataFrame:
    """Put a questionnaire to a base and to adapters on it.

    Parameters
    ----------
    base
        A loaded base.
    questionnaire
        What is asked.
    adapters
        PEFT folders; each is asked alone.
    methods
        Names of scoring methods.
    temperature
        Of the softmax over options.

    Returns
    -------
    DataFrame
        ANSWERS; adapter is `base` or the folder as given, week and seed are null.

    Raises
    ------
    ProbeError
        If there is no such method, it needs a study's run folder, or it fits no wording.
    """
    import polars as pl

    from temporal_adapters.engines.model import read_adapter
    from temporal_adapters.ground import tables
    from temporal_adapters.stages.probe.forward import Engine
    from temporal_adapters.stages.probe.shards import form_score

    _require_methods(methods)
    encoder = Encoder(base.tokenizer)
    asks = plan(questionnaire, encoder, methods)
    terminators = encoder.terminators() if any(METHODS[name].ends for name in methods) else ()
    engine = Engine(base.model, [ask.path for ask in asks], terminators)
    engine.verify()
    models = [[], *([read_adapter(folder, str(base.device))] for folder in adapters)]
    forms = [
        [form_score(ask, score) for ask, score in zip(asks, engine.score(model)[0], strict=True)] for model in models
    ]
    reference = Reference(forms[0], questionnaire)
    rows = [
        row
        for name, scored in zip(["base", *map(str, adapters)], forms, strict=True)
        for row in answer_rows(Source(name), scored, reference, methods, temperature)
    ]
    return tables.check(pl.DataFrame(rows, schema=dict(tables.ANSWERS.columns)), tables.ANSWERS)


def _require_methods(methods: Sequence[str]) -> None:
    known = [name for name in METHODS if name not in LEGACY]
    for name in methods:
        if name not in known:
            raise ProbeError(f"there is no method {name!r} without a study (there are: {', '.join(known)})")
