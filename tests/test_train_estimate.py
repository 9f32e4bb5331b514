"""What training will take: against published figures for Llama 3 8B, and against what a tiny study really took."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from test_train_stage import open_study
from tiny import save_tiny_base
from typer.testing import CliRunner

from temporal_adapters.cli import app
from temporal_adapters.engines.model import find_targets, read_config
from temporal_adapters.engines.model.memory import measure, on_meta
from temporal_adapters.engines.model.outline import read_outline
from temporal_adapters.engines.model.targets import sizes
from temporal_adapters.ground import resources
from temporal_adapters.stages import train
from temporal_adapters.stages.train.estimate import flops_per_token
from temporal_adapters.stages.train.stage import n_tokens
from temporal_adapters.study.artifacts import read_manifest
from temporal_adapters.study.config import load_study
from temporal_adapters.study.config.model import Model


@pytest.fixture(scope="module")
def base_folder(tmp_path_factory):
    return save_tiny_base(tmp_path_factory.mktemp("base"))


def test_llama_3_8b_takes_the_published_operations_per_token():
    """30.8 GFLOP per token with q/v LoRA of rank 128 and blocks of 512; 8.03 billion parameters (model card)."""
    from transformers import LlamaConfig

    model = on_meta(
        LlamaConfig(
            vocab_size=128256, hidden_size=4096, intermediate_size=14336, num_hidden_layers=32,
            num_attention_heads=32, num_key_value_heads=8,
        )
    )  # fmt: skip
    size = measure(model)
    assert size.n_parameters == pytest.approx(8.03e9, rel=1e-3)
    n_lora = sum(sum(sizes(model.get_submodule(name))) for name in find_targets(model, "default")) * 128
    assert n_lora == 54_525_952
    assert flops_per_token(size, n_lora, 512) == pytest.approx(30.8e9, rel=5e-3)
    assert size.weight_bytes("nf4", True, torch.bfloat16) / 2**30 == pytest.approx(5.3, abs=0.2)


@pytest.mark.parametrize("architecture", ["llama", "mistral", "qwen2", "gemma2"])
@pytest.mark.parametrize("targets", ["default", "all-linear", ("o_proj", "down_proj"), ("lm_head",)])
@pytest.mark.parametrize("last", [None, 1])
def test_the_headers_of_the_files_tell_what_the_model_itself_tells(architecture, targets, last, tmp_path):
    if targets == ("lm_head",) and last:
        pytest.skip("the head lies in no layer")
    folder = save_tiny_base(tmp_path, architecture)
    settings = Model(base=str(folder))
    found, model = read_outline(settings), on_meta(read_config(settings))
    assert found.size == measure(model)
    names = find_targets(model, targets, last)
    assert found.n_lora(targets, last, 3) == 3 * sum(sum(sizes(model.get_submodule(name))) for name in names)


def test_other_architectures_and_damaged_files_are_left_to_the_model_itself(tmp_path):
    assert read_outline(Model(base=str(save_tiny_base(tmp_path / "gpt2", "gpt2")))) is None
    folder = save_tiny_base(tmp_path / "llama")
    assert read_outline(Model(base=str(tmp_path / "nowhere"))) is None
    (weights,) = folder.glob("*.safetensors")
    for rubbish in (b"", b"12345678", b"\xff" * 8 + b"{}", (3).to_bytes(8, "little") + b"[1]"):
        weights.write_bytes(rubbish)
        assert read_outline(Model(base=str(folder))) is None


def test_a_dry_run_loads_nothing_that_computes(tmp_path, base_folder):
    """It is a question about files; PyTorch and the model's code take seconds to import."""
    open_study(tmp_path, base_folder)
    code = (
        "import atexit, sys\nfrom temporal_adapters.cli import app\n"
        "heavy = {'torch', 'datasets', 'peft', 'statsmodels', 'sympy'}\n"
        "atexit.register(lambda: print(sorted(heavy & set(sys.modules))))\n"
        "sys.argv = ['ta', 'train', '--all', '--dry-run', '--study', 'study.yaml']\napp()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "on one core of this CPU" in done.stdout
    assert done.stdout.rstrip().endswith("[]")


@pytest.mark.parametrize("length", ["steps: 4", "epochs: 1.5"])
def test_the_estimate_of_tokens_is_what_training_then_takes(length, tmp_path, base_folder):
    study, run = open_study(tmp_path, base_folder)
    if length.startswith("epochs"):
        study = study.model_copy(update={"train": study.train.model_copy(update={"steps": None, "epochs": 1.5})})
    wanted = train.items(study, run)
    before = train.estimate(study, run, wanted, "CPU")
    assert (before.n_adapters, before.n_done) == (6, 0)
    train.run(study, run)
    after = n_tokens(study, run, wanted)
    assert before.n_tokens == sum(after.values())
    folders = [item.folder / "adapter_model.safetensors" for item in wanted]
    assert sum(path.stat().st_size for path in folders) == pytest.approx(before.disk_bytes, rel=0.5)
    assert all(read_manifest(item.folder).facts["n_tokens"] for item in wanted)
    assert train.estimate(study, run, wanted, "CPU").n_tokens == 0


def test_the_command_says_what_training_takes_and_does_nothing(tmp_path, base_folder, monkeypatch):
    _, run = open_study(tmp_path, base_folder)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["train", "--all", "--dry-run", "--gpu", "a100"])
    assert done.exit_code == 0, done.output
    for word in ("6 to train", "tokens:", "on one a100", "memory:", "disk:"):
        assert word in done.output
    assert not (run.root / "adapters").exists() and not (run.root / "tokens").exists()
    unknown = CliRunner().invoke(app, ["train", "--all", "--dry-run", "--gpu", "TPU"])
    assert "nothing is known of this device" in str(unknown.exception)


@pytest.mark.parametrize("name", ["paper-llama3-8b", "qlora", "fast"])
def test_the_presets_are_valid_studies(name):
    assert name in resources.names("studies")
    assert load_study(name).study == name


def test_the_published_preset_is_the_published_recipe():
    study = load_study("paper-llama3-8b")
    settings = study.train
    assert (settings.r, settings.alpha, settings.dropout, settings.targets) == (128, 128, 0, "default")
    assert (settings.learning_rate, settings.schedule, settings.steps) == (5e-6, "linear", 300)
    assert (settings.blocks_per_step, study.tokens.block_length, study.tokens.attention) == (24, 512, "chunk")
    assert settings.seeds == (42, 99, 13)
