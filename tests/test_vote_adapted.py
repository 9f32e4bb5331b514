"""A week's adapter as the base of the vote study: added to the weights, known by its digest."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from vote_worlds import gles_file, small_mapping, tiny_base

from temporal_adapters.engines.model import write_adapter
from temporal_adapters.ground.errors import VoteError
from temporal_adapters.study.config.experiment import AdaptedModel, Condition, LanguageModel
from temporal_adapters.study.config.train import Train
from temporal_adapters.vote import folds, language, metrics, respondents
from temporal_adapters.vote.base import digest_adapted, load_adapted

TRAIN = Train(r=16, alpha=32, epochs=12, learning_rate=3e-3, blocks_per_step=32, targets="all-linear", warmup_steps=5)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[respondents.Respondents, AdaptedModel, Path]:
    """Respondents, a base on disk, and a folder for adapters."""
    folder = tmp_path_factory.mktemp("world")
    people = respondents.load(gles_file(folder, ".parquet", 500), small_mapping()).voters()
    base = tiny_base(people, hidden_size=64, intermediate_size=96)
    with torch.no_grad():
        base.model.lm_head.weight.mul_(20)  # a random head as it is cannot be sure of any token
    base.model.save_pretrained(folder / "base")
    base.tokenizer.save_pretrained(folder / "base")
    return people, AdaptedModel(base=str(folder / "base")), folder


def task(people: respondents.Respondents, seed: int = 24) -> folds.Task:
    case = folds.expand([Condition(name="full")], people.mapping)[0]
    return folds.make_task(people, case, *next(iter(folds.splits(people, 2, [seed]))))


def write(settings: AdaptedModel, learned: folds.Task, folder: Path) -> AdaptedModel:
    """Train on `learned`, as a week whose posts say how people vote would, and return the base with that adapter."""
    model = LanguageModel(name="week", mode="fine-tuned", base=settings, train=TRAIN)
    (found,) = language.Predictor(model, load_adapted(settings)).predict([learned])
    assert found.adapter is not None
    write_adapter(folder, found.adapter, base=settings.base)
    return settings.model_copy(update={"adapter": folder})


def loss(settings: AdaptedModel, asked: folds.Task) -> float:
    (found,) = language.Predictor(
        LanguageModel(name="z", mode="zero-shot", base=settings), load_adapted(settings)
    ).predict([asked])
    return metrics.log_loss(folds.class_indices(asked.test, asked.mapping), found.reading.probabilities)


def test_a_week_that_knows_helps_and_a_placebo_week_does_not(world: Any) -> None:
    people, plain, folder = world
    one = task(people)
    shuffled = one.train["vote"].sample(fraction=1.0, shuffle=True, seed=1)
    knows = write(plain, one, folder / "knows")
    placebo = write(plain, dataclasses.replace(one, train=one.train.with_columns(vote=shuffled)), folder / "placebo")
    without, helped, fooled = (loss(settings, one) for settings in (plain, knows, placebo))
    shares = np.bincount(one.truth, minlength=8) / len(one.truth)
    marginal = metrics.log_loss(folds.class_indices(one.test, one.mapping), np.tile(shares, (one.test.height, 1)))
    assert helped < marginal - 0.2 and helped < without and fooled > marginal - 0.05


def test_an_adapter_on_the_base_answers_as_peft_merged_it(world: Any) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    people, plain, folder = world
    adapted = write(plain, task(people, 7), folder / "merged")
    merged = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(plain.base), folder / "merged"
    ).merge_and_unload()
    ids = torch.arange(5, 40)[None]
    with torch.no_grad():
        ours = load_adapted(adapted).model(input_ids=ids).logits
        theirs = merged(input_ids=ids).logits
    assert torch.allclose(ours, theirs, atol=1e-4)
    assert digest_adapted(adapted) != digest_adapted(plain)
    assert digest_adapted(adapted.model_copy(update={"adapter": folder / "knows"})) != digest_adapted(adapted)


def test_what_is_no_adapter_or_another_bases_is_refused(world: Any, tmp_path: Path) -> None:
    _, plain, _ = world
    with pytest.raises(VoteError, match=r"base.adapter: .* holds no adapter"):
        digest_adapted(plain.model_copy(update={"adapter": tmp_path}))
    with pytest.raises(ValueError, match="set quantization to none"):
        AdaptedModel(base="demo", adapter=tmp_path, quantization="nf4")


def test_the_adapters_place_is_no_part_of_the_key_but_its_digest_is() -> None:
    from temporal_adapters.study.config import scientific

    one = LanguageModel(name="z", mode="zero-shot", base=AdaptedModel(adapter=Path("/somewhere/adapter")))
    assert scientific(one) == scientific(LanguageModel(name="z", mode="zero-shot"))
