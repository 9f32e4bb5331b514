"""Loading a base: devices, precision, 4 and 8 bits, memory, digests, sentences."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
import torch
from tiny import save_tiny_base, tiny_model

from temporal_adapters.engines.model import Base, LoraShape, digest_base, load_base, new_adapter, precision, stacked
from temporal_adapters.engines.model import memory as memory_module
from temporal_adapters.engines.model.fp8 import replace_layers
from temporal_adapters.engines.model.quantized import quantize_nf4
from temporal_adapters.ground.errors import ModelError
from temporal_adapters.study.config.model import Model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny_base(tmp_path_factory.mktemp("base"), hidden_size=64)


def settings(folder, **more):
    return Model(base=str(folder), **more)


IDS = torch.randint(3, 250, (2, 24), generator=torch.Generator().manual_seed(1))


def test_a_base_is_frozen_in_evaluation_mode_and_float32_on_a_cpu(folder):
    base = load_base(settings(folder, device="cpu"))
    assert not base.model.training and not any(p.requires_grad for p in base.model.parameters())
    assert base.dtype == torch.float32 == next(base.model.parameters()).dtype
    assert base.tokenizer("a")["input_ids"][0] == base.tokenizer.bos_token_id
    assert base.digest == digest_base(settings(folder))


def test_the_digest_follows_the_content_and_not_the_place(folder, tmp_path):
    copy = tmp_path / "elsewhere"
    shutil.copytree(folder, copy)
    assert digest_base(settings(copy)) == digest_base(settings(folder))
    (copy / "config.json").write_text((copy / "config.json").read_text() + " ")
    assert digest_base(settings(copy)) != digest_base(settings(folder))


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_packed_and_materialised_nf4_are_the_same_numbers_and_those_of_transformers(architecture, tmp_path):
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    save_tiny_base(tmp_path, architecture, **({} if architecture == "gpt2" else {"hidden_size": 64}))
    models = {kind: load_base(settings(tmp_path, quantization="nf4", nf4_weights=kind, device="cpu")).model
              for kind in ("packed", "materialised")}  # fmt: skip
    config = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )  # fmt: skip
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, quantization_config=config, dtype=torch.float32)
    for module in theirs.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    with torch.no_grad():
        packed, dense = models["packed"](IDS).logits, models["materialised"](IDS).logits
        plain = load_base(settings(tmp_path, device="cpu")).model(IDS).logits
        torch.testing.assert_close(packed, dense, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(packed, theirs(IDS).logits, atol=1e-5, rtol=1e-5)
    assert (packed - plain).abs().max() > 1e-3


def test_training_on_nf4_after_probing_it_gives_the_gradients_of_the_dense_weights():
    """bitsandbytes repacks weights at the first evaluation on some CPUs; gradients then are wrong without an error."""
    grads = []
    for packed in (True, False):
        model = tiny_model(hidden_size=64)
        quantize_nf4(model, packed)
        model.eval().requires_grad_(False)
        adapter = new_adapter(model, LoraShape(2, 4), torch.Generator().manual_seed(1))
        for _ in range(2):
            with stacked(model, [adapter]), torch.no_grad():
                model(IDS, use_cache=False)
        with stacked(model, [adapter]) as stack:
            leaves = [layer.b.requires_grad_() for layer in stack.layers.values()]
            model(IDS, use_cache=False).logits.pow(2).mean().backward()
            grads.append([leaf.grad.clone() for leaf in leaves])
    for first, second in zip(*grads, strict=True):
        torch.testing.assert_close(first, second, atol=1e-6, rtol=1e-4)


def test_training_on_packed_nf4_equals_training_on_the_materialised_weights():
    from temporal_adapters.stages.tokens import pack
    from temporal_adapters.stages.train import Job, Recipe, fit

    docs = [[1, *range(3 + n, 20 + n)] for n in range(30)]
    job = Job("j", pack(docs, 64), 1, "j")
    found = []
    for packed in (True, False):
        model = tiny_model(hidden_size=64)
        quantize_nf4(model, packed)
        model.eval().requires_grad_(False)
        base = Base(model, None, "tiny", "d", torch.device("cpu"), torch.float32)
        found.append(next(fit(base, [job], Recipe(LoraShape(2, 4), 1e-3, steps=4, blocks_per_step=2))).adapter)
    for name, lora in found[0].modules.items():
        torch.testing.assert_close(lora.a, found[1].modules[name].a, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(lora.b, found[1].modules[name].b, atol=1e-5, rtol=1e-5)


def test_emulated_fp8_layers_follow_the_dense_ones_forward_and_backward():
    dense, small = (tiny_model(hidden_size=64, intermediate_size=96) for _ in range(2))
    replace_layers(small)
    grads = []
    for model in (dense, small):
        x = model.get_input_embeddings()(IDS).detach().requires_grad_()
        logits = model(inputs_embeds=x, use_cache=False).logits
        logits.pow(2).mean().backward()
        grads.append((logits.detach(), x.grad))
    for ours, theirs in zip(grads[1], grads[0], strict=True):
        cosine = torch.nn.functional.cosine_similarity(ours.flatten(), theirs.flatten(), dim=0)
        assert cosine > 0.995


def test_fp8_without_the_hardware_is_refused(folder):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ModelError, match=r"fp8 needs an NVIDIA GPU"):
        load_base(settings(folder, quantization="fp8"))


def test_a_base_that_will_not_fit_is_refused_before_it_is_loaded(folder, monkeypatch):
    monkeypatch.setattr(memory_module, "_available", lambda: 100_000)
    with pytest.raises(ModelError, match=r"needs 0\.0 GiB .*free: use model\.quantization"):
        load_base(settings(folder, device="cpu"))


def test_the_estimate_counts_tied_weights_once_and_nf4_as_four_bits():
    size = memory_module.measure(memory_module.on_meta(tiny_model(tie_word_embeddings=True).config))
    model = tiny_model(tie_word_embeddings=True)
    assert size.n_parameters == sum(p.numel() for p in model.parameters())
    dense = size.weight_bytes("none", False, torch.float32)
    assert dense == 4 * size.n_parameters
    assert dense - size.weight_bytes("nf4", True, torch.float32) == pytest.approx(
        size.n_linear * (4 - 4.127 / 8), rel=1e-3
    )


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"dtype": "bfloat16", "device": "cpu"}, "bfloat16 matrix products crash"),
        ({"device": "cuda"}, "no usable CUDA GPU"),
    ],
)
def test_what_this_machine_cannot_do_is_refused(folder, more, sentence):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ModelError, match=sentence):
        load_base(settings(folder, **more))


def test_an_unreachable_or_broken_base_is_one_sentence(tmp_path, folder):
    with pytest.raises(ModelError, match=r"'nobody/nothing' cannot be (loaded|found) .*"):
        load_base(Model(base="nobody/nothing"))
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_base(settings(broken))
    (broken / "config.json").unlink()
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_base(settings(broken))


PEAK = """
import resource, sys
import torch, transformers.models.llama.modeling_llama, peft, safetensors.torch
from temporal_adapters.study.config.model import Model
from temporal_adapters.engines.model import digest_base, load_base, load_tokenizer
settings = Model(base=sys.argv[1], quantization=sys.argv[2], nf4_weights="materialised", device="cpu")
load_tokenizer(settings)
load_base(Model(base=sys.argv[3], quantization=sys.argv[2], device="cpu"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
base = load_base(settings)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("quantization", ["none", "nf4"])
def test_a_base_never_has_two_copies_in_one_process(quantization, tmp_path, folder):
    wide = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 10, "num_key_value_heads": 4}
    large = save_tiny_base(tmp_path, **wide)
    size = (large / "model.safetensors").stat().st_size
    assert size > 600e6
    call = [sys.executable, "-W", "ignore", "-c", PEAK, str(large), quantization, str(folder)]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 1.5 * size


def test_the_precision_in_keys_is_the_one_computed_in_not_the_word_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert precision(Model()) == "float32"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert precision(Model()) == "bfloat16"
    assert precision(Model(device="cpu")) == "float32"
    assert precision(Model(dtype="float32")) == "float32"
