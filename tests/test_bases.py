"""Known bases and what their training cut-off means for a panel's weeks."""

from __future__ import annotations

import json
from datetime import date

import pytest
from pydantic import ValidationError

from temporal_adapters.study.bases import KNOWN, cutoff, cutoff_sentence, lines
from temporal_adapters.study.config.model import Model

WEEKS = [date(2023, 2, 27), date(2023, 3, 27), date(2023, 4, 3)]


def test_weeks_before_the_cutoff_are_counted_by_month():
    said = cutoff_sentence(Model(base="meta-llama/Meta-Llama-3-8B"), WEEKS)
    assert said is not None and "has read texts until 2023-03: 2 of 3 weeks lie before that" in said
    assert cutoff_sentence(Model(base="openai-community/gpt2"), WEEKS) is None


def test_what_the_study_says_counts_more_than_what_is_known():
    said = cutoff_sentence(Model(base="openai-community/gpt2", cutoff="2023-02"), WEEKS)
    assert said is not None and "1 of 3 weeks" in said


def test_an_unknown_cutoff_is_said_and_a_made_up_language_needs_none(tmp_path):
    said = cutoff_sentence(Model(base=str(tmp_path)), WEEKS)
    assert said is not None and "set model.cutoff" in said
    assert cutoff_sentence(Model(base="demo"), WEEKS) is None
    (tmp_path / "manifest.json").write_text(json.dumps({"stage": "pretrain"}))
    assert cutoff_sentence(Model(base=str(tmp_path)), WEEKS) is None


@pytest.mark.parametrize("wrong", ["2023", "2023-13", "March 2023"])
def test_a_cutoff_is_a_month(wrong):
    with pytest.raises(ValidationError):
        Model(cutoff=wrong)


def test_the_cutoff_is_no_part_of_a_key():
    from temporal_adapters.study.config import scientific

    assert scientific(Model(cutoff="2023-03")) == scientific(Model())


def test_the_list_names_every_base_with_its_licence_and_memory():
    table = lines()
    assert len(table) == len(KNOWN) + 1 and all(one.licence in line for one, line in zip(KNOWN, table[1:], strict=True))
    llama = next(line for line in table if "Meta-Llama-3-8B" in line)
    assert "29.9 GiB" in llama and "15.0 GiB" in llama and "2023-03" in llama  # 8.03e9 weights of 4 and 2 bytes


def test_the_size_of_the_shipped_base_is_that_of_its_file():
    from safetensors import safe_open

    from temporal_adapters.engines.model.base import base_path

    with safe_open(f"{base_path(Model())}/model.safetensors", "pt") as file:
        shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118 (no mapping)
    n_weights = sum(rows * (columns[0] if columns else 1) for rows, *columns in shapes)
    assert n_weights / 1e6 == pytest.approx(next(one.millions for one in KNOWN if one.name == "demo"), abs=0.05)
    assert cutoff(Model()) is not None
