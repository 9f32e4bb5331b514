"""Vote experiments: conditions, models, folds.

Takes a YAML file (or the name of a shipped experiment), gives a frozen `Experiment`. Knows no survey file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from temporal_adapters.ground import resources
from temporal_adapters.ground.errors import ConfigError
from temporal_adapters.study.config.base import FolderName, Operational, Section, StudyPath
from temporal_adapters.study.config.document import read_yaml, validate
from temporal_adapters.study.config.model import Model
from temporal_adapters.study.config.train import Train
from temporal_adapters.study.config.vote_columns import Code


class Only(Section):
    """A part of the training respondents."""

    item: str
    """Name of an item."""

    codes: tuple[Code, ...] = Field(min_length=1)
    """Codes (after recoding) of the respondents to train on."""


class Condition(Section):
    """What a model may learn from and see; the test part is always whole."""

    name: FolderName
    """Name of the condition; conditions of a family get a suffix (the party, the percentage)."""

    leave_out_party: str | None = None
    """Leave out of the training part everybody who identifies with this class; `each` makes one condition per class."""

    fractions: tuple[float, ...] = ()
    """Stratified fractions (0-1] of the training part; one condition each."""

    only: tuple[Only, ...] = ()
    """Train on these respondents only (a convenience sample); all must hold."""

    test_period: str | None = None
    """Predict this election (a code of the mapping's `period`) and learn from the others; `each`: one condition per
    election."""

    test_shares: tuple[float, ...] = (0.0,)
    """With `test_period`: shares (0-1) of that election's own training part that are learned from, too; one condition
    each."""

    without_items: tuple[str, ...] = ()
    """Items that no model sees, neither in training nor in the test."""

    mask_party_names: bool = False
    """Rename the parties in the own-party item to neutral words (`masked` in the mapping)."""

    @field_validator("test_shares")
    @classmethod
    def _are_shares(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        for value in values:
            if not 0 <= value <= 1:
                raise ValueError(f"{value:g} is not a share: allowed is 0 to 1")
        return values

    @field_validator("fractions")
    @classmethod
    def _are_fractions(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        for value in values:
            if not 0 < value <= 1:
                raise ValueError(f"{value:g} is not a fraction: allowed is above 0 up to 1")
        return values


TABULAR = Literal[
    "majority", "party-id", "own-party-logit", "conditional-logit", "logit", "forest", "boosting", "xgboost", "catboost"
]


class Baseline(Section):
    """A model of the tabular kind."""

    model: TABULAR
    """Which model."""

    encoding: Literal["one-hot", "ordinal", "chosen"] = "ordinal"
    """`one-hot`: every answer a category, numbers too (the papers' way); `ordinal`: scales and numbers stay numbers;
    `chosen`: whichever predicts better within the training part."""

    tune: bool = True
    """Choose penalty, depth and leaf size by log-loss in an inner cross-validation of the training part; without it the
    libraries' defaults, as in the published studies."""

    name: FolderName = ""
    """Name in tables; without it the model and, where there is a choice, its encoding."""

    @model_validator(mode="before")
    @classmethod
    def _has_a_name(cls, given: Any) -> Any:
        if isinstance(given, str):
            given = {"model": given}
        if isinstance(given, dict) and not given.get("name"):
            encoding = given.get("encoding", "ordinal")
            plain = given.get("model") in ("majority", "party-id", "own-party-logit", "conditional-logit")
            return {**given, "name": f"{given.get('model')}" if plain else f"{given.get('model')}-{encoding}"}
        return given


class PromptStyle(Section):
    """How a respondent becomes text."""

    style: Literal["lines", "story"] = "lines"
    """`lines`: instruction and `item: answer` lines; `story`: first-person running text."""

    language: str | None = None
    """Language of the wordings; without it the survey's first."""

    instruction: bool = True
    """Begin with the mapping's instruction; a fine-tuned model can do without, which makes prompts shorter."""

    order: Literal["fixed", "shuffled"] = "fixed"
    """Order of the items: the mapping's, or shuffled per respondent (seeded)."""

    chat: bool = False
    """Use the tokenizer's chat template: instruction as system, respondent as user, label as assistant."""

    answers: Literal["probabilities", "samples"] = "probabilities"
    """Read the labels' probabilities, or sample completions and count (what a model behind an API allows)."""

    samples: int = Field(20, ge=1)
    """Completions per respondent under `samples`."""

    temperature: float = Field(1.0, gt=0)
    """Sampling temperature under `samples`."""

    scoring: Literal["auto", "first", "sequence"] = "auto"
    """`first`: softmax over the labels' first tokens, which must differ; `sequence`: log-prob of the whole label;
    `auto`: `first` where the first tokens differ, else `sequence`, and the manifest says which."""


_NOT_HONOURED = {
    "seeds": "the experiment's own `seeds` decide",
    "together": "in an experiment it is called `stacked`, beside `train`",
    "checkpoint_steps": "an experiment keeps no checkpoints of its adapters",
    "held_out_every": "an experiment holds no respondents out of a training part",
    "save_every_s": "an experiment saves no adapters in work",
    "tensorboard": "an experiment writes no losses for TensorBoard",
}
"""Settings of `train` that mean nothing here -> why; they are refused, not ignored."""


class AdaptedModel(Model):
    """A base model, with or without an adapter on it."""

    adapter: StudyPath | None = Operational(None)
    """Adapter folder whose weights are added to the base first, such as a week's of a study
    (``runs/demo/adapters/2023-W14/seed-7``); its digest, not its place, is part of every key."""

    @model_validator(mode="after")
    def _is_dense(self) -> Self:
        if self.adapter is not None and self.quantization != "none":
            raise ValueError("adapter: it is added to dense weights; set quantization to none, or convert it to a base")
        return self


class LanguageModel(Section):
    """A language model, as it is, with examples, or fine-tuned."""

    name: FolderName
    """Name in tables."""

    mode: Literal["zero-shot", "few-shot", "fine-tuned"]
    """How it learns from the training part."""

    shots: int = Field(5, ge=1)
    """Examples in the prompt under `few-shot`, drawn per respondent from the training part (seeded)."""

    base: AdaptedModel = AdaptedModel()
    """Base model."""

    prompt: PromptStyle = PromptStyle()
    """How a respondent becomes text."""

    train: Train = Train(epochs=3)
    """Adapter and optimizer under `fine-tuned`; `blocks_per_step` counts respondents; settings without a meaning here
    (`seeds`, `together`, `checkpoint_steps`, ...) are refused."""

    stacked: int | None = Operational(None, ge=1)
    """Adapters trained side by side on the resident base; without it as many as pay."""

    keep_adapters: bool = Operational(False)
    """Keep the fine-tuned adapter of every fold, as a PEFT folder beside its votes."""

    rows: int | None = Operational(None, ge=1)
    """Respondents per forward pass when answering."""

    @model_validator(mode="before")
    @classmethod
    def _has_a_length(cls, given: Any) -> Any:
        # A study's default number of steps has nothing to do with the size of a survey.
        train = given.get("train") if isinstance(given, dict) else None
        if isinstance(train, dict) and train.get("epochs") is None and train.get("steps") is None:
            raise ValueError("train: a fine-tuned model needs `epochs` or `steps`")
        return given

    @model_validator(mode="after")
    def _honours_its_training(self) -> Self:
        for name, reason in _NOT_HONOURED.items():
            if name in self.train.model_fields_set:
                raise ValueError(f"train.{name}: {reason}: remove it")
        return self


class Experiment(Section):
    """Conditions x models x folds on one survey file."""

    experiment: FolderName
    """Name of the experiment and of its run folder."""

    description: str = ""
    """What it is about."""

    survey: str
    """Mapping: the name of a shipped one, or a path."""

    folds: int = Field(5, ge=2)
    """Stratified folds."""

    seeds: tuple[int, ...] = Field((24,), min_length=1)
    """One repetition of the folds per seed; fold numbers go on counting."""

    conditions: tuple[Condition, ...] = Field((Condition(name="full"),), min_length=1)
    """Conditions."""

    baselines: tuple[Baseline, ...] = ()
    """Tabular models."""

    language_models: tuple[LanguageModel, ...] = ()
    """Language models."""

    published: str | None = None
    """Published results to print as a labelled reference row: `gpt-3.5-gles2017`."""

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [*(one.name for one in self.baselines), *(one.name for one in self.language_models)]
        if not names:
            raise ValueError("name at least one model under `baselines` or `language_models`")
        for kind, given in (("model", names), ("condition", [condition.name for condition in self.conditions])):
            doubled = next((name for name in given if given.count(name) > 1), None)
            if doubled is not None:
                raise ValueError(f"two {kind}s are called {doubled!r}: give one of them another `name`")
        return self


def load_experiment(reference: str | Path, runs: Path = Path("runs")) -> tuple[Experiment, Path]:
    """Read an experiment by path or by the name of a shipped one; also return the folder its paths are relative to.

    ``{run}`` in a base's path stands for ``runs/<experiment>``.

    Raises
    ------
    ConfigError
        With file:line, the bad value, what is allowed and the nearest known key.
    """
    path = Path(reference)
    shipped = path.suffix not in (".yaml", ".yml")
    if shipped:
        path = resources.path("experiments", str(reference))
    elif not path.is_file():
        names = ", ".join(resources.names("experiments"))
        raise ConfigError(f"{path}: there is no such experiment file (shipped: {names})")
    document = read_yaml(path)
    folder = Path() if shipped else path.parent
    name = document.get("experiment", "experiment") if isinstance(document, dict) else "experiment"
    return validate(Experiment, document, path, {"folder": folder, "run": runs / str(name)}), folder
