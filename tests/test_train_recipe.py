"""Every setting of `train` reaches each of the engines that train (train, vote, validate), or is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from test_train_stage import open_study
from tiny import save_tiny_base, tiny_model
from vote_worlds import word_tokenizer

from temporal_adapters.engines.model import Base
from temporal_adapters.proof.validate.published import RECIPE, published
from temporal_adapters.stages.train import items, stage
from temporal_adapters.stages.train.job import Recipe
from temporal_adapters.study.artifacts import RunFolder
from temporal_adapters.study.config import Study
from temporal_adapters.study.config.experiment import LanguageModel
from temporal_adapters.study.config.train import Train
from temporal_adapters.vote import language

OTHER: dict[str, Any] = {
    "seeds": (5, 6), "r": 3, "alpha": 5.0, "rslora": True, "dropout": 0.25, "targets": ("o_proj",), "layers": "last 1",
    "learning_rate": 0.5, "schedule": "cosine", "warmup_steps": 1, "weight_decay": 0.125, "betas": (0.5, 0.75),
    "max_grad_norm": 9.0, "epochs": 2.5, "steps": 7, "blocks_per_step": 3, "ema_decay": 0.5, "checkpoint_steps": (2,),
    "held_out_every": 3, "micro_batch": 2, "together": 3, "kernels": "off", "save_every_s": 7.0, "tensorboard": True,
}  # fmt: skip
"""Setting -> a valid value that is not its default."""

REFUSED = {"seeds", "together", "checkpoint_steps", "held_out_every", "save_every_s", "tensorboard"}
"""Settings without a meaning in a vote study."""


class Seen(Exception):
    """What an engine has given to the training loop."""


def seen_by(engine: Any, monkeypatch: pytest.MonkeyPatch, call: Any) -> dict[str, Any]:
    def fit(base: Any, jobs: Any, recipe: Any, **more: Any) -> Any:
        layers = "all" if recipe.shape.last is None else f"last {recipe.shape.last}"
        raise Seen({**vars(recipe), **vars(recipe.shape), "layers": layers, "together": more["together"]})

    monkeypatch.setattr(engine, "fit", fit)
    with pytest.raises(Seen) as caught:
        call()
    return caught.value.args[0]


def in_training(study: Study, run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    kept = {}

    class Keeper(stage.FolderKeeper):
        def __init__(self, *given: Any) -> None:
            kept.update(zip(("save_every_s", "tensorboard"), given[-2:], strict=True))
            super().__init__(*given[:-1], False)

    monkeypatch.setattr(stage, "FolderKeeper", Keeper)
    base = Base(tiny_model(), None, "tiny", "digest", torch.device("cpu"), torch.float32)
    found = seen_by(stage, monkeypatch, lambda: stage.work(study, run, [], base=base))
    return {**found, **kept, "seeds": tuple(dict.fromkeys(item.seed for item in items(study, run)))}


def length(name: str) -> dict[str, Any]:
    return {} if name in ("epochs", "steps") else {"steps": 8}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, RunFolder]:
    return open_study(tmp_path_factory.mktemp("study"), save_tiny_base(tmp_path_factory.mktemp("base")))


def test_every_setting_is_tried() -> None:
    assert OTHER.keys() == Train.model_fields.keys()
    assert all(getattr(Train(**length(name), **{name: value}), name) == value for name, value in OTHER.items())
    assert all(getattr(Train(epochs=1), name) != value for name, value in OTHER.items())


@pytest.mark.parametrize("name", OTHER)
def test_ta_train_honours_every_setting(
    name: str, opened: tuple[Study, RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    study, run = opened
    changed = study.model_copy(update={"train": Train(**length(name), **{name: OTHER[name]})})
    assert in_training(changed, run, monkeypatch)[name] == OTHER[name]


@pytest.mark.parametrize("name", OTHER)
def test_ta_validate_honours_what_the_published_recipe_leaves_open(
    name: str, opened: tuple[Study, RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    study, run = opened
    changed = study.model_copy(update={"train": Train(**length(name), **{name: OTHER[name]})})
    one = published(changed, run, 5e-6)
    wanted = {**RECIPE, "learning_rate": 5e-6}.get(name, OTHER[name])
    assert in_training(one.study, RunFolder(run.root), monkeypatch)[name] == wanted


def in_experiment(monkeypatch: pytest.MonkeyPatch, **model: Any) -> dict[str, Any]:
    base = Base(None, word_tokenizer(["a b c"]), "words", "digest", torch.device("cpu"), torch.float32)
    predictor = language.Predictor(LanguageModel(name="one", mode="fine-tuned", **model), base)
    return seen_by(language, monkeypatch, lambda: list(predictor._fine_tune([], 8)))


@pytest.mark.parametrize("name", sorted(OTHER.keys() - REFUSED))
def test_ta_vote_honours_what_has_a_meaning_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert in_experiment(monkeypatch, train={**length(name), name: OTHER[name]})[name] == OTHER[name]


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_ta_vote_refuses_by_name_what_has_none(name: str) -> None:
    with pytest.raises(ValidationError, match=rf"train\.{name}: .*: remove it"):
        LanguageModel.model_validate({"name": "one", "mode": "fine-tuned", "train": {"steps": 8, name: OTHER[name]}})


def test_adapters_side_by_side_in_a_vote_study_are_called_stacked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert in_experiment(monkeypatch, stacked=3)["together"] == 3


@pytest.mark.parametrize(
    ("epochs", "n_blocks", "blocks_per_step", "steps"), [(1, 9, 4, 3), (1.5, 9, 4, 4), (2, 8, 4, 4), (0.1, 3, 4, 1)]
)
def test_a_pass_that_ends_inside_a_step_is_finished(
    epochs: float, n_blocks: int, blocks_per_step: int, steps: int
) -> None:
    """By hand: nine blocks by four are two full steps and one that goes on into the next pass."""
    recipe = Recipe.of(Train(epochs=epochs, blocks_per_step=blocks_per_step), "document")
    assert recipe.n_steps(n_blocks) == steps
