"""Adapters as PEFT itself writes them: equal to PEFT's own logits, or refused by the setting that differs."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import save_tiny_base, tiny_model

from temporal_adapters.engines.model import read_adapter, stacked
from temporal_adapters.ground.errors import ModelError

IDS = torch.randint(3, 250, (2, 24), generator=torch.Generator().manual_seed(1))


def write_with_peft(folder, architecture="llama", *, safe=True, **settings):
    """Let PEFT draw, perturb and save an adapter; return PEFT's logits and our model of the same weights."""
    from peft import LoraConfig, get_peft_model

    targets = "all-linear" if "target_modules" not in settings else settings.pop("target_modules")
    theirs = get_peft_model(
        tiny_model(architecture), LoraConfig(target_modules=targets, task_type="CAUSAL_LM", **settings)
    )
    generator = torch.Generator().manual_seed(7)
    for name, weight in theirs.named_parameters():
        if "lora_" in name:
            weight.data = torch.randn(weight.shape, generator=generator) * 0.1
    theirs.eval()
    theirs.save_pretrained(folder, safe_serialization=safe)
    with torch.no_grad():
        return theirs(input_ids=IDS).logits


PLAIN = {
    "rank and alpha": {"r": 4, "lora_alpha": 11},
    "rsLoRA": {"r": 4, "lora_alpha": 8, "use_rslora": True},
    "patterns": {
        "r": 4,
        "lora_alpha": 8,
        "rank_pattern": {"q_proj": 2, r"layers\.1\.mlp\.up_proj": 6},
        "alpha_pattern": {"q_proj": 3, "o_proj": 5},
    },
    "patterns and rsLoRA": {"r": 4, "rank_pattern": {"v_proj": 9}, "alpha_pattern": {"v_proj": 2}, "use_rslora": True},
    "some layers": {"target_modules": ["q_proj", "down_proj"], "layers_to_transform": [1], "layers_pattern": "layers"},
    "a regular expression": {"target_modules": r".*layers\.0\..*(q|v)_proj"},
    "dropout": {"r": 4, "lora_dropout": 0.3},
    "a Gaussian draw": {"r": 4, "init_lora_weights": "gaussian"},
    "excluded modules": {"r": 4, "exclude_modules": ["o_proj"]},
}


@pytest.mark.parametrize("kind", PLAIN)
def test_what_peft_writes_with_plain_lora_gives_pefts_logits(kind, tmp_path):
    expected, model = write_with_peft(tmp_path, **PLAIN[kind]), tiny_model()
    with stacked(model, [read_adapter(tmp_path)]), torch.no_grad():
        found = model(input_ids=IDS).logits
    assert (found - expected).abs().max() <= 1e-5 * max(1.0, float(expected.abs().max()))
    assert (expected - tiny_model()(input_ids=IDS).logits).abs().max() > 1e-2


@pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to False")
def test_transposed_layers_and_old_files_are_read_too(tmp_path):
    expected, model = write_with_peft(tmp_path, "gpt2", r=4), tiny_model("gpt2")
    torch.save(load_file(tmp_path / "adapter_model.safetensors"), tmp_path / "adapter_model.bin")
    for _ in range(2):
        with stacked(model, [read_adapter(tmp_path)]), torch.no_grad():
            torch.testing.assert_close(model(input_ids=IDS).logits, expected, atol=1e-5, rtol=1e-5)
        (tmp_path / "adapter_model.safetensors").unlink(missing_ok=True)


OTHER = {
    "lora_bias": {"lora_bias": True},
    "use_dora": {"use_dora": True},
    "bias": {"bias": "all"},
    "modules_to_save": {"modules_to_save": ["lm_head"]},
    "trainable_token_indices": {"trainable_token_indices": [5]},
    "layer_replication": {"layer_replication": [[0, 2], [1, 2]], "target_modules": ["q_proj"]},
    "init_lora_weights": {"init_lora_weights": "pissa"},
    "target_parameters": {"target_modules": ["q_proj"], "target_parameters": ["model.norm.weight"]},
}


@pytest.mark.filterwarnings("ignore:`lora_bias=True` was passed")
@pytest.mark.filterwarnings("ignore:Adapter 'default'")
@pytest.mark.parametrize("key", OTHER)
def test_a_setting_that_changes_numbers_is_refused_by_name(key, tmp_path):
    if key == "target_parameters":  # PEFT takes matrices only: what its file would hold is written here
        write_with_peft(tmp_path, r=4)
        config = json.loads((tmp_path / "adapter_config.json").read_text())
        (tmp_path / "adapter_config.json").write_text(json.dumps(config | {key: ["mlp.experts.down_proj"]}))
    else:
        write_with_peft(tmp_path, **OTHER[key])
    with pytest.raises(ModelError, match=key):
        read_adapter(tmp_path)


def test_a_setting_of_a_future_peft_is_refused_unless_it_is_off(tmp_path):
    write_with_peft(tmp_path, r=4)
    path = tmp_path / "adapter_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"use_later_lora": False, "later_config": None}))
    read_adapter(tmp_path)
    path.write_text(json.dumps(config | {"use_later_lora": True}))
    with pytest.raises(ModelError, match="use_later_lora: True"):
        read_adapter(tmp_path)


def test_every_setting_of_the_installed_peft_is_understood_or_refused():
    """No setting of PEFT's own list passes unread: it is read, harmless, or neutral where it is off."""
    from peft import LoraConfig

    from temporal_adapters.engines.model import adapter

    known = adapter._READ | adapter._HARMLESS | {"init_lora_weights"}
    off = {key for key, value in LoraConfig().to_dict().items() if value in adapter._NEUTRAL}
    assert set(LoraConfig().to_dict()) <= known | off


def test_weights_of_something_else_are_refused(tmp_path):
    write_with_peft(tmp_path, r=4)
    weights = load_file(tmp_path / "adapter_model.safetensors")
    for wrong in ("base_model.model.model.embed_tokens.lora_embedding_A", "x", "base_model.model.lm_head.lora_B.bias"):
        save_file({**weights, wrong: torch.zeros(2)}, tmp_path / "adapter_model.safetensors")
        with pytest.raises(ModelError, match="is not a LoRA weight of a linear layer"):
            read_adapter(tmp_path)


def test_ta_probe_asks_a_foreign_adapter_and_the_base(tmp_path):
    import polars as pl
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM
    from typer.testing import CliRunner

    from temporal_adapters.cli import app

    base = save_tiny_base(tmp_path / "base")
    theirs = get_peft_model(AutoModelForCausalLM.from_pretrained(base), LoraConfig(r=2, target_modules=["q_proj"]))
    for name, weight in theirs.named_parameters():
        if "lora_B" in name:
            weight.data.normal_(generator=torch.Generator().manual_seed(2))
    theirs.save_pretrained(tmp_path / "theirs")
    (tmp_path / "study.yaml").write_text(
        f"study: x\npanel: {{paths: [none.csv]}}\nmodel: {{base: {base}, device: cpu}}\n"
        "probe: {questionnaires: [demo-mood]}\n"
    )
    out = tmp_path / "answers.csv"
    shown = CliRunner().invoke(
        app, ["probe", "--study", str(tmp_path / "study.yaml"), "--adapter", str(tmp_path / "theirs"), "--to", str(out)]
    )
    assert shown.exit_code == 0, shown.output
    answers = pl.read_csv(out)
    assert set(answers["adapter"]) == {"base", str(tmp_path / "theirs")}
    assert answers.filter(pl.col("adapter") != "base")["share"].to_list() != (
        answers.filter(pl.col("adapter") == "base")["share"].to_list()
    )
    assert str(tmp_path / "theirs") in shown.output
    assert not (tmp_path / "runs").exists()
