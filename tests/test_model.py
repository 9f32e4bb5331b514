"""The base, adapters as PEFT folders, and stacked adapters; PEFT is the second source."""

from __future__ import annotations

import pytest
import torch
from tiny import ARCHITECTURES, tiny_model

from temporal_adapters.engines.model import LoraShape, find_targets, new_adapter, read_adapter, stacked, write_adapter
from temporal_adapters.ground.errors import ModelError


def random_adapter(model, shape, seed):
    """An adapter whose B is not zero."""
    generator = torch.Generator().manual_seed(seed)
    adapter = new_adapter(model, shape, generator)
    for lora in adapter.modules.values():
        lora.b.normal_(0, 0.2, generator=generator)
    return adapter


def tokens(rows, length=24, seed=3):
    return torch.randint(3, 260, (rows, length), generator=torch.Generator().manual_seed(seed))


SHAPES = (
    LoraShape(4, 8),
    LoraShape(2, 6, rslora=True, targets="all-linear"),
    LoraShape(8, 4, targets="all-linear"),
)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_stacked_adapters_of_different_rank_and_targets_give_pefts_logits(architecture, tmp_path):
    from peft import PeftModel

    model = tiny_model(architecture)
    adapters = [random_adapter(model, shape, seed) for seed, shape in enumerate(SHAPES)]
    ids = tokens(6)
    with stacked(model, adapters), torch.no_grad():
        ours = model(ids, use_cache=False).logits
    for number, adapter in enumerate(adapters):
        write_adapter(tmp_path / str(number), adapter)
        peft = PeftModel.from_pretrained(tiny_model(architecture), tmp_path / str(number)).eval()
        with torch.no_grad():
            theirs = peft(input_ids=ids[2 * number : 2 * number + 2], use_cache=False).logits
        torch.testing.assert_close(ours[2 * number : 2 * number + 2], theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_stacked_gradients_are_those_of_peft(architecture, tmp_path):
    from peft import PeftModel

    model, shape = tiny_model(architecture), LoraShape(4, 8)
    adapters = [random_adapter(model, shape, seed) for seed in (1, 2)]
    ids = tokens(4)
    with stacked(model, adapters) as stack:
        for layer in stack.layers.values():
            layer.a.requires_grad_()
            layer.b.requires_grad_()
        model(ids, use_cache=False).logits.pow(2).sum().backward()
    write_adapter(tmp_path, adapters[1])
    peft = PeftModel.from_pretrained(tiny_model(architecture), tmp_path, is_trainable=True).eval()
    peft(input_ids=ids[2:], use_cache=False).logits.pow(2).sum().backward()
    theirs = {name: p.grad for name, p in peft.named_parameters() if p.requires_grad}
    for name, layer in stack.layers.items():
        for half, ours in (("A", layer.a.grad), ("B", layer.b.grad)):
            expected = theirs[f"base_model.model.{name}.lora_{half}.default.weight"]
            torch.testing.assert_close(ours[1], expected, atol=1e-4, rtol=1e-4)


def test_leaving_the_block_restores_the_plain_base_bit_by_bit_even_after_an_error():
    model, ids = tiny_model(), tokens(2)
    before = model(ids).logits
    with pytest.raises(RuntimeError), stacked(model, [random_adapter(model, SHAPES[0], 1)]):
        assert not torch.equal(model(ids).logits, before)
        raise RuntimeError
    assert torch.equal(model(ids).logits, before)


def test_exact_stacking_gives_the_same_bits_whatever_stands_beside():
    model = tiny_model()
    adapters = [random_adapter(model, SHAPES[0], seed) for seed in range(5)]
    ids = tokens(10)
    with stacked(model, adapters, exact=True):
        together = model(ids, use_cache=False).logits
    for number, adapter in enumerate(adapters):
        rows = slice(2 * number, 2 * number + 2)
        with stacked(model, [adapter], exact=True):
            assert torch.equal(model(ids[rows], use_cache=False).logits[:, :-1], together[rows][:, :-1])


def test_an_adapter_without_modules_is_the_base():
    from temporal_adapters.engines.model import Adapter

    model, ids = tiny_model(), tokens(2)
    with stacked(model, [random_adapter(model, SHAPES[0], 1), Adapter({})], exact=True):
        both = model(ids, use_cache=False).logits
    torch.testing.assert_close(both[1:], model(ids[1:], use_cache=False).logits, atol=1e-6, rtol=1e-6)


def test_written_adapters_read_back_unchanged_and_the_same_adapter_gives_the_same_bytes(tmp_path):
    model = tiny_model()
    adapter = random_adapter(model, SHAPES[1], 1)
    write_adapter(tmp_path / "a", adapter, "some/base")
    write_adapter(tmp_path / "b", adapter, "some/base")
    again = read_adapter(tmp_path / "a")
    for name, lora in adapter.modules.items():
        assert torch.equal(again.modules[name].a, lora.a) and torch.equal(again.modules[name].b, lora.b)
        assert again.modules[name].scale == pytest.approx(lora.scale)
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_adapters_of_another_base_are_refused_with_a_sentence():
    adapter = random_adapter(tiny_model(hidden_size=64), SHAPES[0], 1)
    with pytest.raises(ModelError, match="trained on another base"), stacked(tiny_model(), [adapter]):
        pass
    with pytest.raises(ModelError, match="no linear layer of this base"), stacked(tiny_model("gpt2"), [adapter]):
        pass


def test_unknown_targets_are_refused_with_the_names_there_are():
    with pytest.raises(ModelError, match=r"'query'.*q_proj"):
        find_targets(tiny_model(), ("query",))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("targets", ["default", "all-linear"])
def test_targets_mean_what_peft_means(architecture, targets):
    from peft import LoraConfig, get_peft_model

    model = tiny_model(architecture)
    ours = find_targets(model, targets)
    wanted = None if targets == "default" else targets
    fan = architecture == "gpt2"
    peft = get_peft_model(model, LoraConfig(r=2, target_modules=wanted, task_type="CAUSAL_LM", fan_in_fan_out=fan))
    named = (name for name, module in peft.named_modules() if hasattr(module, "lora_A"))
    assert ours == [name.removeprefix("base_model.model.") for name in named]


def test_the_table_of_defaults_is_pefts():
    from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as MAPPING

    from temporal_adapters.engines.model.names import _PEFT_DEFAULTS

    assert {kind: list(names) for kind, names in _PEFT_DEFAULTS.items()} == {k: MAPPING[k] for k in _PEFT_DEFAULTS}
