"""`ta settings`: every setting is explained, truly, and the page, the schema and the example are the same knowledge."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from temporal_adapters.ground.errors import TemporalAdaptersError, UsageError
from temporal_adapters.study.config import Study, explain, load_study, scientific, settings_text

ROOT = Path(__file__).resolve().parents[1]


def ta(*argv: str) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-m", "temporal_adapters.cli", "settings", *argv]
    return subprocess.run(call, capture_output=True, text=True, check=False)


def fields(section: Any, prefix: str = "") -> dict[str, Any]:
    """Walk the models themselves, not their schema."""
    from typing import get_args, get_origin

    from pydantic import BaseModel

    found: dict[str, Any] = {}
    for attribute, info in section.model_fields.items():
        name = info.serialization_alias or attribute
        # A list of sections (survey.waves) is one setting, a section is its fields.
        kinds = [] if get_origin(info.annotation) is tuple else [info.annotation, *get_args(info.annotation)]
        below = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        found |= fields(below[0], f"{prefix}{name}.") if below else {f"{prefix}{name}": info}
    return found


def test_every_field_of_every_section_is_explained_with_its_default() -> None:
    known = fields(Study)
    explained = {one.name: one for one in explain.settings()}
    assert list(explained) == list(known)
    assert [name for name, one in explained.items() if not one.meaning or not one.kind] == []
    for name, info in known.items():
        default = None if info.is_required() else info.get_default(call_default_factory=True)
        written = YAML(typ="safe").load(explained[name].default) if explained[name].default else None
        plain = list(default) if isinstance(default, tuple) else default
        assert written == plain or str(written) == str(plain), name


def test_the_page_of_the_documentation_is_up_to_date() -> None:
    now = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert now == settings_text.page(), "run: ta settings --markdown > docs/settings.md"


def test_a_setting_is_printed_with_type_default_unit_meaning_and_what_it_changes() -> None:
    printed = ta("weeks.window_days").stdout
    for wanted in ("Days in the window", "whole number (at least 1, at most 366)", "default   7", "unit      days"):
        assert wanted in printed
    assert "changes   weeks and what follows" in printed
    assert "changes   nothing" in ta("train.together").stdout
    assert "by its content" in ta("panel.paths").stdout
    assert ta("weeks.clean").stdout.count("weeks.clean.") == 5
    assert len(ta().stdout.splitlines()) == len(explain.settings())


def test_a_misspelt_setting_gets_the_nearest_and_exit_code_2() -> None:
    done = ta("trian.seeds")
    assert done.returncode == 2
    assert done.stderr.strip() == "ta: there is no setting 'trian.seeds'; did you mean train.seeds?"
    assert ta("train", "--schema").returncode == 2
    with pytest.raises(UsageError, match="sections: panel, weeks"):
        explain.chosen("zzzzzzzz")


def test_the_schema_is_json_schema_that_knows_every_section() -> None:
    schema = json.loads(ta("--schema").stdout)
    assert schema["$schema"].endswith("2020-12/schema")
    assert {name.partition(".")[0] for name in fields(Study)} == set(schema["properties"])
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Train"]["properties"]["r"]["description"] == "LoRA rank."


def test_the_example_is_a_study_as_it_is_and_with_every_comment_of_a_setting_taken_away(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(ta("--example").stdout, encoding="utf-8")
    plain = load_study(tmp_path / "study.yaml")
    full = re.sub(r"(?m)^#(?=\w|  )", "", (tmp_path / "study.yaml").read_text(encoding="utf-8"))
    document = YAML(typ="safe").load(full)
    assert {one.name.split(".")[0] for one in explain.settings()} == set(document)
    for section in ("survey", "mix", "pretrain", "simulate", "read"):
        del document[section]
    (tmp_path / "full.yaml").write_text(json.dumps(document, default=str), encoding="utf-8")
    assert scientific(load_study(tmp_path / "full.yaml")) == scientific(plain)


def test_a_unit_is_said_for_numbers_that_have_one() -> None:
    units = {one.name: one.unit for one in explain.settings()}
    assert units["train.save_every_s"] == "seconds"
    assert units["correlate.lags"] == "weeks"
    assert units["simulate.spread"] == "log-odds"
    assert units["mix.shares"] == units["correlate.alpha"] == units["survey.rounding"] == "0 to 1"
    assert units["train.learning_rate"] == units["weeks.timezone"] == units["train.seeds"] == ""


def other(value: Any, kind: str) -> Any:
    """Return another value that the setting may have, or None where that cannot be known from its kind."""
    if kind.startswith("one of "):
        return next(word for word in kind.removeprefix("one of ").split(" or ")[0].split(", ") if word != str(value))
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 2
    if isinstance(value, float) and value:
        return value * 0.9
    return None


@pytest.mark.slow
def test_a_setting_changes_the_key_of_the_stage_that_it_names_and_of_none_before(tmp_path: Path) -> None:
    """Second source: the keys that the stages of a finished study expect, before and after the change."""
    from test_line import write_study

    from temporal_adapters import line
    from temporal_adapters.study.artifacts import RunFolder

    path = write_study(tmp_path) / "study.yaml"
    study = load_study(path, tmp_path / "runs")
    run = RunFolder(tmp_path / "runs" / study.study)
    line.make(line.Work(study, run))
    before = keys(study, run)
    wrong, n_changed = [], 0
    for one in explain.settings():
        section, _, key = one.name.partition(".")
        held = {"validate": "validation"}.get(section, section)  # pydantic has a method `validate`
        if "." in key or getattr(study, held, None) is None or not key:
            continue
        value = other(getattr(getattr(study, held), key), one.kind)
        if value is None:
            continue
        try:
            changed = load_study(path, tmp_path / "runs", [f"{one.name}={json.dumps(value)}"])
            after = keys(changed, run)
        except TemporalAdaptersError:  # a value that its neighbours do not allow says nothing about keys
            continue
        first = next((name for name in before if before[name] != after[name]), "")
        n_changed += bool(first)
        beside = one.stage in ("placebo", "validate")
        wrong += [] if first == one.stage or (beside and not first) else [(one.name, first, one.stage)]
    # Here `auto` is float32 already, the method needs the ends anyway, and is no legacy method.
    silent = {"model.dtype", "probe.ends", "probe.legacy_temperature"}
    assert [one for one in wrong if one[0] not in silent or one[1]] == []
    assert n_changed > 40


def keys(study: Study, run: Any) -> dict[str, list[str]]:
    from temporal_adapters import line

    return {
        step.name: sorted(expected.key for ask in step.folders.values() for expected in ask(study, run))
        for step in line.LINE
        if step.folders and (not step.section or getattr(study, step.section) is not None)
    }
