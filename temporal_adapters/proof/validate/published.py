"""The published recipe on the posts of a study: the floor that a newer recipe has to leave behind.

Takes a study, gives variants trained as published and the two series that can be read off each: scored by the published
script, and scored as the study scores. Knows no truth: who picks the best one by it says so.

Recipe: Ahnert, Pellert, Garcia, Strohmaier (arXiv 2409.17990): LoRA r = 128, alpha = 128 on PEFT's default modules,
AdamW at 5e-6 falling linearly, posts in chunks that see each other, one wording, `legacy-v1` scoring. What cannot be
as published on a small world stays as in the study, in the recipe's favour: block length and blocks per step (chunks of
512 tokens by 24 would leave a week of short posts one step per pass), and with them the training tokens and steps. The
series is read on the study's scale; min-max scaling, as published, changes no correlation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temporal_adapters.ground.errors import ValidityError
from temporal_adapters.ground.tables import ADAPTERS
from temporal_adapters.proof.validate.variants import Variant, variant
from temporal_adapters.stages import probe
from temporal_adapters.stages.series import pool
from temporal_adapters.study.artifacts import RunFolder, load_table
from temporal_adapters.study.config import Tokens

if TYPE_CHECKING:
    import polars as pl

    from temporal_adapters.study.config import Study

RECIPE: dict[str, Any] = {
    "r": 128,
    "alpha": 128.0,
    "rslora": False,
    "dropout": 0.0,
    "targets": "default",
    "layers": "all",
    "schedule": "linear",
    "warmup_steps": 0,
    "weight_decay": 0.0,
    "betas": (0.9, 0.999),
    "max_grad_norm": 1.0,
    "ema_decay": None,
    "checkpoint_steps": (),
    "held_out_every": None,
}
"""Settings of `train` that the published recipe fixes, beside the rate; the others are the study's."""

LEGACY = "legacy-v1"
"""Scoring of the published script."""


def published(study: Study, run: RunFolder, rate: float) -> Variant:
    """Return the study trained as published, at one learning rate, with the study's own training tokens."""
    train = study.train.model_copy(update={**RECIPE, "learning_rate": rate})
    method = study.series.method or study.probe.methods[0]
    changes = {
        "train": train.model_dump(),
        "tokens": Tokens(block_length=study.tokens.block_length, attention="chunk").model_dump(),
        "probe.methods": tuple(dict.fromkeys((LEGACY, method))),
        "series.method": method,
    }
    return variant(study, run, f"published-{rate:g}", changes)


def survey_wording(study: Study, question: str) -> str:
    """Return the first wording of `question` that the published scoring can read: the survey's own.

    Raises
    ------
    ValidityError
        If there is none.
    """
    for questionnaire in probe.load_questionnaires(study):
        for item in questionnaire.items:
            if item.name == question:
                for wording in item.wordings:
                    if wording.ask == "whole" and not wording.chat:
                        return wording.name
    raise ValidityError(
        f"the published scoring needs a plain wording of the item {question!r} (ask: whole, no chat template): add one"
        " to the questionnaire, or leave the reference `published` out"
    )


def as_published(answered: Variant, wording: str) -> pl.DataFrame:
    """Return the SERIES of an answered variant by the published scoring and one wording."""
    import polars as pl

    answers = load_table(answered.run.answers_table)
    series = pool(answers, answered.study.series.scale, LEGACY, [wording]).series
    return series.filter(pl.col("source") == ADAPTERS)
