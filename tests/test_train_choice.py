"""Kernels chosen by measurement: the faster wins, once per machine, base and shape, and the manifest says so."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from test_train import base_of, job, recipe, same_bits
from tiny import ARCHITECTURES, tiny_model

from temporal_adapters.engines.model import document_attention, native
from temporal_adapters.engines.model.depth import shallow
from temporal_adapters.engines.model.kernels import FusedKernels, Kernels
from temporal_adapters.stages.tokens import pack
from temporal_adapters.stages.train import choice, fit
from temporal_adapters.stages.train.choice import Shape, choose
from temporal_adapters.stages.train.folder import facts

pytestmark = pytest.mark.skipif(native.kernels() is None, reason="there is no C compiler on this machine")
SHAPE = Shape(micro=3, block_length=64)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """The user's cache, empty."""
    monkeypatch.setattr(choice, "cache_folder", lambda: tmp_path)
    return tmp_path / "choices"


@pytest.fixture
def slow(monkeypatch):
    """Make one of the ways look slow, and count the trials."""
    trials = []

    def seconds(trial, clock=None):
        trials.append(trial.kernels.name)
        return trial.depth * (1.0 if trial.kernels.name == slow.name else 0.25)

    def slow(name):
        slow.name = name
        return trials

    monkeypatch.setattr(choice._Trial, "seconds", seconds)
    return slow


@pytest.mark.parametrize(("loser", "kind"), [("pytorch", FusedKernels), ("fused", Kernels)])
def test_the_faster_way_is_taken_and_written_down(loser, kind, slow):
    slow(loser)
    base = base_of(tiny_model(num_hidden_layers=5))
    found = choose(base, recipe(), SHAPE, job().blocks)
    assert type(found.kernels) is kind
    assert found.seconds == {loser: 5.0, "fused" if loser == "pytorch" else "pytorch": 1.25}
    assert found.sentence() == f"kernels: {found.kernels.name}, 4.00x the other"
    assert facts(next(fit(base, [job()], recipe())))["kernels"]["name"] == found.kernels.name


def test_a_choice_is_made_once_per_machine_base_and_shape(slow, cache, monkeypatch):
    trials = slow("pytorch")
    base, plan, blocks = base_of(tiny_model()), recipe(), job().blocks
    first = choose(base, plan, SHAPE, blocks)
    n_trials = len(trials)
    slow("fused")
    assert choose(base, plan, SHAPE, blocks).facts() == first.facts()
    assert len(trials) == n_trials and len(list(cache.iterdir())) == 1
    others = [
        (base_of(tiny_model(num_hidden_layers=3)), plan, SHAPE),
        (base, recipe(attention="chunk"), SHAPE),
        (base, plan, replace(SHAPE, micro=1)),
        (replace(base, digest="another"), plan, SHAPE),
    ]
    assert [choose(*other, blocks).kernels.name for other in others] == ["pytorch"] * 4
    monkeypatch.setattr(choice, "identity", lambda: "another processor")
    assert choose(base, plan, SHAPE, blocks).kernels.name == "pytorch"
    assert len(list(cache.iterdir())) == 6


def test_of_two_processes_that_measure_at_once_the_first_one_counts(slow, cache, monkeypatch):
    slow("pytorch")
    measure = choice._Trials.kernels

    def late(*given):
        mine = measure(*given)
        slow("fused")
        choice._keep(next(paths), {"name": "pytorch", "seconds": {"pytorch": 1.0}})
        return mine

    paths = iter([cache / f"{choice._key(base_of(tiny_model()), recipe(), SHAPE)}.json"])
    monkeypatch.setattr(choice._Trials, "kernels", late)
    assert choose(base_of(tiny_model()), recipe(), SHAPE, job().blocks).kernels.name == "pytorch"


@pytest.mark.parametrize("rubbish", ["", "{", "[1]", '{"name": "abacus", "seconds": {}}'])
def test_a_damaged_note_is_measured_again(rubbish, slow, cache):
    slow("pytorch")
    given = base_of(tiny_model()), recipe(), SHAPE, job().blocks
    choose(*given)
    (note,) = cache.iterdir()
    note.write_text(rubbish)
    assert choose(*given).kernels.name == "fused"
    assert json.loads(note.read_text())["name"] == "fused"


def test_a_cache_that_cannot_be_written_costs_a_measurement_and_nothing_else(slow, monkeypatch, tmp_path):
    slow("pytorch")
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(choice, "cache_folder", lambda: tmp_path / "file")
    assert choose(base_of(tiny_model()), recipe(), SHAPE, job().blocks).kernels.name == "fused"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_measuring_leaves_the_base_as_it_was(architecture):
    base = base_of(tiny_model(architecture, num_hidden_layers=3) if architecture != "gpt2" else tiny_model("gpt2"))
    before = {name: tensor.clone() for name, tensor in base.model.state_dict().items()}
    names = [name for name, _ in base.model.named_modules()]
    with document_attention(base.model):
        found = choose(base, recipe(), SHAPE, pack([[1, 5, 6, 7, 8]] * 9, 64))
    assert found.because == "measured" and set(found.seconds) == {"pytorch", "fused"}
    assert [name for name, _ in base.model.named_modules()] == names
    assert all(torch.equal(tensor, before[name]) for name, tensor in base.model.state_dict().items())


def test_the_first_layers_stand_for_all():
    base = base_of(tiny_model(num_hidden_layers=12))
    with shallow(base.model, 2):
        assert len(base.model.model.layers) == 2
    assert len(base.model.model.layers) == 12


@pytest.mark.parametrize("loser", ["pytorch", "fused"])
def test_a_rerun_computes_with_what_was_chosen_and_gives_the_same_bits(loser, slow):
    slow(loser)
    base = base_of(tiny_model())
    first, again = (next(fit(base, [job()], recipe())) for _ in range(2))
    assert same_bits(first.adapter, again.adapter) and first.kernels == again.kernels
    assert first.n_fused == (6 if loser == "pytorch" else 0)


def test_the_way_does_not_depend_on_the_number_of_threads(slow):
    slow("pytorch")
    given = base_of(tiny_model()), recipe(), SHAPE, job().blocks
    first = choose(*given)
    slow("fused")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert choose(*given).kernels.name == first.kernels.name == "fused"
    finally:
        torch.set_num_threads(before)


def test_one_thread_computes_unless_more_gain_half_again(slow):
    slow("pytorch")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        found = choose(base_of(tiny_model()), recipe(), SHAPE, job().blocks)
        with found.threads():
            assert torch.get_num_threads() == found.n_threads == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
