"""Study files: what is accepted, and what a person is told when it is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

import temporal_adapters as ta
from temporal_adapters.cli import app
from temporal_adapters.ground import resources
from temporal_adapters.ground.errors import ConfigError, UsageError
from temporal_adapters.study.config import Study, load_study, scientific
from temporal_adapters.study.config.experiment import Experiment

MINIMAL = "study: small\npanel:\n  paths: [posts.csv]\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_minimal_study_is_complete(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, MINIMAL))
    assert study.panel.paths == (tmp_path / "posts.csv",)
    assert study.train.steps == 300


@pytest.mark.parametrize("name", resources.names("studies"))
def test_every_shipped_study_is_valid(name: str) -> None:
    assert load_study(name).study


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (MINIMAL + "train:\n  seeds: [1]\n  learing_rate: 0.1\n", 6, "did you mean 'learning_rate'"),
        (MINIMAL + "trian: {}\n", 4, "did you mean 'train'"),
        (MINIMAL + "weeks:\n  first_weekday: mon\n", 5, "'monday'"),
        (MINIMAL + "train:\n  steps: -3\n", 5, "-3 is not allowed"),
        (MINIMAL + "train:\n  seeds: [1\n", 6, "not valid YAML"),
        (MINIMAL + "train: {steps: 1}\ntrain: {steps: 2}\n", 5, "duplicate key"),
        ("study: a/b\npanel:\n  paths: [x]\n", 1, "cannot name a folder"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_study(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_contradiction_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="train: give either `epochs` or `steps`"):
        load_study(write(tmp_path, MINIMAL + "train:\n  steps: 5\n  epochs: 1\n"))


def test_yes_and_no_stay_words_as_in_yaml_1_2(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, MINIMAL + "report:\n  title: No\n"))
    assert study.report.title == "No"


def test_overrides_replace_values_and_create_sections(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, MINIMAL), overrides=["train.steps=7", "train.seeds=[1, 2]"])
    assert (study.train.steps, study.train.seeds) == (7, (1, 2))


def test_a_malformed_override_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"section\.key=value"):
        load_study(write(tmp_path, MINIMAL), overrides=["train"])


def test_a_missing_study_lists_the_shipped_ones() -> None:
    with pytest.raises(ConfigError, match="there is no such study file"):
        load_study("nowhere.yaml")


def test_operational_fields_are_not_part_of_the_scientific_settings(tmp_path: Path) -> None:
    first = load_study(write(tmp_path, MINIMAL))
    second = load_study(write(tmp_path, MINIMAL), overrides=["train.micro_batch=4", "model.device=cpu"])
    assert scientific(first.train) == scientific(second.train)
    assert scientific(first.model) == scientific(second.model)
    assert "r" in scientific(first.train)


def test_the_run_placeholder_becomes_the_run_folder(tmp_path: Path) -> None:
    text = "study: small\npanel:\n  paths: ['{run}/world/panel.jsonl.gz']\n"
    study = load_study(write(tmp_path, text), runs=tmp_path / "runs")
    assert study.panel.paths == (tmp_path / "runs" / "small" / "world" / "panel.jsonl.gz",)


@pytest.mark.parametrize("name", ["a/b", "", "..", ".hidden", "a b", "straße"])
def test_what_becomes_a_folder_follows_one_rule_in_studies_and_experiments(name: str) -> None:
    with pytest.raises(ValidationError, match="cannot name a folder"):
        Study.model_validate({"study": name, "panel": {"paths": ["x"]}})
    baseline = {"model": "majority", "name": "m"}
    good = {"experiment": "e", "survey": "s", "baselines": [baseline], "conditions": [{"name": "c"}]}
    assert Experiment.model_validate(good).experiment == "e"
    for place in ({"experiment": name}, {"conditions": [{"name": name}]}, {"baselines": [{**baseline, "name": name}]}):
        if place == {"baselines": [{**baseline, "name": ""}]}:
            continue  # without a name a baseline is called like its model
        with pytest.raises(ValidationError, match="cannot name a folder"):
            Experiment.model_validate({**good, **place})


def test_the_section_validate_is_read_under_its_name_of_0_1_0_with_a_hint(tmp_path: Path) -> None:
    new = load_study(write(tmp_path, MINIMAL + "validate:\n  block_weeks: 2\n"))
    path = write(tmp_path, MINIMAL + "validation:\n  block_weeks: 2\n")
    old = load_study(path)
    assert new.validation.block_weeks == old.validation.block_weeks == 2
    assert scientific(new) == scientific(old)
    assert new.hint == ""
    assert old.hint.startswith(f"{path}:4: ") and "`validation` is called `validate`" in old.hint


def test_an_override_of_validate_is_read_under_its_name_of_0_1_0_with_a_hint(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL + "validate:\n  block_weeks: 2\n")
    new = load_study(path, overrides=["validate.max_lag=3"])
    old = load_study(path, overrides=["validation.max_lag=3"])
    assert new.validation == old.validation
    assert (old.validation.max_lag, old.validation.block_weeks) == (3, 2)
    assert new.hint == "" and old.hint == "--set validation.max_lag: write `validate` for `validation`"
    assert Study.model_validate(new.model_dump()) == new == Study.model_validate(new.model_dump(by_alias=True))


@pytest.mark.parametrize("section", ["validate", "validation"])
def test_a_mistake_in_the_section_validate_is_named_by_the_name_of_today(tmp_path: Path, section: str) -> None:
    path = write(tmp_path, MINIMAL + f"{section}:\n  block_weeks: 0\n")
    with pytest.raises(ConfigError, match=r":5: validate\.block_weeks: 0 is not allowed"):
        load_study(path)
    path = write(tmp_path, MINIMAL + f"{section}:\n  blok_weeks: 2\n")
    with pytest.raises(ConfigError, match=r":5: unknown key 'validate\.blok_weeks'; did you mean 'block_weeks'"):
        load_study(path)
    path = write(tmp_path, MINIMAL + f"{section}: nothing\n")
    with pytest.raises(ConfigError, match=r":4: validate: 'nothing' is not allowed"):
        load_study(path)


def test_a_misspelt_section_is_told_of_validate_and_both_names_at_once_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL + "validat: {}\n")
    with pytest.raises(ConfigError, match="did you mean 'validate'"):
        load_study(path)
    path = write(tmp_path, MINIMAL + "validate: {}\nvalidation: {}\n")
    with pytest.raises(ConfigError, match=r":5: 'validation' is 'validate' under its name of 0\.1\.0: keep one"):
        load_study(path)


def test_the_hint_is_one_line_of_the_command_beside_its_result_and_a_warning_in_python(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL + "validation:\n  block_weeks: 2\n")
    found = CliRunner().invoke(app, ["status", "--json", "--study", str(path), "--runs", str(tmp_path / "runs")])
    assert found.exit_code == 0 and json.loads(found.stdout)["study"] == "small"
    assert found.stderr.count("hint: ") == 1 and found.stderr.count("\n") == 1
    with pytest.warns(FutureWarning, match="is called `validate` now"):
        ta.load_study(path)
