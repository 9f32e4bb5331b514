"""Model folders made to hurt: code, pickles, absurd sizes; every folder is written here, by torch and json alone."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny import save_tiny_base

from temporal_adapters.engines.model import digest_base, load_base, load_tokenizer
from temporal_adapters.engines.model.convert import convert
from temporal_adapters.ground.errors import ModelError
from temporal_adapters.study.config import scientific
from temporal_adapters.study.config.model import Model


class _Payload:
    """An object whose unpickling makes a folder: what a hostile weight file holds."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def pickled(folder, extra=None):
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save({**weights, **(extra or {})}, folder / "pytorch_model.bin")
    return folder


def changed(folder, name="config.json", **entries):
    found = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(found | entries))
    return folder


def refuse(folder, match, **settings):
    """Every way to a base refuses it: the key of a plan, the tokenizer, the weights."""
    study = Model(base=str(folder), device="cpu", **settings)
    for load in (digest_base, load_tokenizer, load_base):
        with pytest.raises(ModelError, match=match) as told:
            load(study)
        assert "\n" not in str(told.value)


def test_pickled_weights_are_refused_until_the_study_allows_them(tmp_path):
    plain = load_base(Model(base=str(save_tiny_base(tmp_path / "plain")), device="cpu"))
    folder = pickled(save_tiny_base(tmp_path / "old"))
    refuse(folder, r"holds its weights as a pickle \(pytorch_model.bin\).*ta base convert.*model.allow_code: true")
    allowed = load_base(Model(base=str(folder), device="cpu", allow_code=True))
    for (name, one), two in zip(plain.model.named_parameters(), allowed.model.parameters(), strict=True):
        assert torch.equal(one, two), name


def test_a_pickle_beside_safetensors_is_never_read(tmp_path):
    folder = save_tiny_base(tmp_path / "both")
    torch.save({"a": _Payload(tmp_path / "ran")}, folder / "pytorch_model.bin")
    load_base(Model(base=str(folder), device="cpu"))
    assert not (tmp_path / "ran").exists()


def test_a_pickle_with_a_payload_runs_nowhere(tmp_path):
    folder = pickled(save_tiny_base(tmp_path / "hostile"), {"lm_head.extra": _Payload(tmp_path / "ran")})
    with pytest.raises(ModelError, match="ask for code to be run, which is never done") as told:
        load_base(Model(base=str(folder), device="cpu", allow_code=True))
    assert "\n" not in str(told.value)
    with pytest.raises(ModelError, match="ask for code to be run, which is never done"):
        convert(folder, tmp_path / "base")
    assert not (tmp_path / "ran").exists() and not (tmp_path / "base").exists()


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_code_of_a_folder_is_refused_until_the_study_allows_it(tmp_path, name):
    folder = changed(save_tiny_base(tmp_path / "own"), name, auto_map={"AutoConfig": "mine.Mine"})
    (folder / "mine.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'ran')!r})\n")
    refuse(folder, rf"needs code of its own \(auto_map in {name}\).*model.allow_code: true")
    assert not (tmp_path / "ran").exists()


def test_allowed_code_is_run_and_is_part_of_the_digest(tmp_path, monkeypatch):
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    own = {"AutoConfig": "mine.Mine", "AutoModelForCausalLM": "mine.Model"}
    folder = changed(save_tiny_base(tmp_path / "own"), model_type="mine", auto_map=own)
    (folder / "mine.py").write_text(
        "from transformers import LlamaConfig, LlamaForCausalLM\n"
        "class Mine(LlamaConfig):\n    model_type = 'mine'\n"
        "class Model(LlamaForCausalLM):\n    config_class = Mine\n"
    )
    study = Model(base=str(folder), device="cpu", allow_code=True)
    base = load_base(study)
    assert type(base.model).__name__ == "Model"
    (folder / "mine.py").write_text((folder / "mine.py").read_text() + "# another\n")
    assert digest_base(study) != base.digest


def test_the_permission_counts_in_keys_only_where_it_is_given():
    assert "allow_code" not in scientific(Model(base="demo"))
    assert scientific(Model(base="demo", allow_code=True))["allow_code"] is True


@pytest.mark.parametrize(
    "entries",
    [
        {"num_hidden_layers": 10**9},
        {"hidden_size": 10**12},
        {"vocab_size": 10**10},
        {"intermediate_size": 1e300},
        {"head_dim": -(10**9)},
        {"text_config": {"num_hidden_layers": 5_000}},
    ],
)
def test_sizes_that_no_model_has_are_refused_before_anything_is_made(tmp_path, entries):
    folder = changed(save_tiny_base(tmp_path / "absurd"), **entries)
    begun = time.process_time()
    name = next(iter(entries.get("text_config", entries)))
    refuse(folder, f"config.json says {name}: .* but no model has more than")
    with pytest.raises(ModelError, match="no model has more than"):
        convert(folder, tmp_path / "base")
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "{" + " " * (17 << 20) + "}"], ids=["lists", "objects", "long"]
)
def test_a_configuration_that_is_nested_or_long_without_end_is_a_sentence(tmp_path, text):
    folder = save_tiny_base(tmp_path / "deep")
    (folder / "config.json").write_text(text)
    refuse(folder, "nested too deep|16 MiB")


@pytest.mark.filterwarnings("ignore:Initializing zero-element")
@pytest.mark.parametrize("entries", [{"hidden_size": -8}, {"hidden_size": 0}, {"num_attention_heads": 0}])
def test_sizes_that_are_no_sizes_are_a_sentence(tmp_path, entries):
    folder = changed(save_tiny_base(tmp_path / "odd"), **entries)
    with pytest.raises(ModelError, match=r"model\.base"):
        load_base(Model(base=str(folder), device="cpu"))
