"""Adapters in the upper layers only: what PEFT trains, with everything below them computed once per block."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from test_train import base_of, job, plain_loop, recipe, same_bits
from tiny import ARCHITECTURES, tiny_model

from temporal_adapters.engines.model import LoraShape, find_targets, native, new_adapter, write_adapter
from temporal_adapters.engines.model.depth import starting_at, states_below
from temporal_adapters.ground.errors import ModelError
from temporal_adapters.stages.train import fit
from temporal_adapters.stages.train.forward import Forward
from temporal_adapters.stages.train.lower import Memory
from temporal_adapters.study.config import scientific
from temporal_adapters.study.config.train import Train

needs_compiler = pytest.mark.skipif(native.kernels() is None, reason="there is no C compiler on this machine")
KERNELS = [pytest.param("on", marks=needs_compiler), "off"]
UPPER = LoraShape(4, 8, targets="all-linear", last=1)


def deep(architecture="llama"):
    return tiny_model(architecture, num_hidden_layers=3) if architecture != "gpt2" else tiny_model("gpt2")


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("attention", ["document", "chunk"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_training_the_upper_layers_equals_peft_in_a_plain_loop(architecture, attention, kernels, tmp_path):
    model, plan = (
        deep(architecture),
        recipe(shape=UPPER, attention=attention, kernels=kernels, learning_rate=3e-3, steps=3),
    )
    start = new_adapter(model, UPPER, job().generator("init"))
    ours = next(fit(base_of(model), [job()], plan)).adapter
    theirs = plain_loop(deep(architecture), start, job(), plan, tmp_path)
    assert len(theirs) == 2 * len(ours.modules) > 0
    for name, lora in ours.modules.items():
        torch.testing.assert_close(lora.a, theirs[f"{name}.lora_A.default.weight"], atol=1e-4, rtol=0)
        torch.testing.assert_close(lora.b, theirs[f"{name}.lora_B.default.weight"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("kernels", KERNELS)
def test_what_lies_below_is_computed_once_per_block_for_all_seeds_and_epochs(kernels, monkeypatch):
    computed = []
    below = Forward._below

    def count(self, block, documents):
        computed.append(block.tobytes())
        return below(self, block, documents)

    monkeypatch.setattr(Forward, "_below", count)
    jobs = [job(0, seed=seed) for seed in (1, 2, 3)]
    plan = recipe(shape=UPPER, steps=None, epochs=2, kernels=kernels)
    list(fit(base_of(deep()), jobs, plan))
    assert len(computed) == len(set(computed)) == len(jobs[0].blocks)


@pytest.mark.parametrize("kernels", KERNELS)
def test_an_adapter_is_the_same_bits_beside_others_and_without_memory(kernels, monkeypatch):
    base, plan = base_of(deep()), recipe(shape=UPPER, kernels=kernels)
    jobs = [job(number) for number in range(3)]
    alone = [next(fit(base, [task], plan, together=1)).adapter for task in jobs]
    assert all(map(same_bits, alone, [one.adapter for one in fit(base, jobs, plan, together=3)]))
    monkeypatch.setattr(Memory, "__init__", lambda self, device: self.__dict__.update(_room=1, _held=Held(), _bytes=0))
    assert all(map(same_bits, alone, [one.adapter for one in fit(base, jobs, plan, together=3)]))


class Held(dict):
    """Keeps the order of use, as an OrderedDict does."""

    def move_to_end(self, key):
        self[key] = self.pop(key)

    def popitem(self, last=True):
        key = next(iter(self))
        return key, self.pop(key)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_pass_that_begins_in_the_middle_ends_as_a_whole_one(architecture):
    model = deep(architecture)
    ids = torch.arange(1, 25).view(2, 12)
    with torch.no_grad():
        whole = model(ids, use_cache=False).logits
        states = states_below(model, 1, input_ids=ids, use_cache=False)
        with starting_at(model, 1, states):
            upper = model(ids, use_cache=False).logits
        with starting_at(model, 1, torch.zeros_like(states)):
            assert not torch.allclose(model(ids, use_cache=False).logits, whole)
        assert torch.equal(model(ids, use_cache=False).logits, whole)
    torch.testing.assert_close(upper, whole, atol=1e-6, rtol=1e-6)


def test_peft_reads_which_layers_have_adapters(tmp_path):
    from peft import PeftModel

    model = deep()
    done = next(fit(base_of(model), [job()], recipe(shape=UPPER)))
    write_adapter(tmp_path, done.adapter)
    peft = PeftModel.from_pretrained(deep(), tmp_path)
    names = {
        name.partition(".lora_A")[0].removeprefix("base_model.model.")
        for name, _ in peft.named_parameters()
        if ".lora_A" in name
    }
    assert names == set(done.adapter.modules) == set(find_targets(model, "all-linear", 1))
    assert {name.split(".")[2] for name in names} == {"2"}


def test_more_layers_than_there_are_and_odd_words_are_refused_by_name():
    with pytest.raises(ModelError, match=r"train\.layers: last 9: the base has 3 layers"):
        find_targets(deep(), "default", 9)
    for odd in ("last 0", "last", "first 2", "3"):
        with pytest.raises(ValidationError, match="layers"):
            Train(layers=odd)


def test_all_layers_leave_keys_as_they_were_and_others_change_them():
    assert "layers" not in scientific(Train(steps=3))
    assert scientific(Train(steps=3, layers="last 2"))["layers"] == "last 2"
