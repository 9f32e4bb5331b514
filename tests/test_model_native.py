"""The fused kernels and lean layers against PyTorch and the Hugging Face modules, and training without a compiler."""

from __future__ import annotations

import logging
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from test_train import Memory, base_of, documents, furthest, job, plain_loop, recipe, same_bits
from tiny import tiny_model

from temporal_adapters.engines.model import LoraShape, native, new_adapter
from temporal_adapters.engines.model.lean import is_fusable, lean
from temporal_adapters.engines.model.stacked import stacked
from temporal_adapters.stages.tokens import pack
from temporal_adapters.stages.train import Job, fit
from temporal_adapters.stages.train.folder import facts

needs_compiler = pytest.mark.skipif(native.kernels() is None, reason="there is no C compiler on this machine")
SOME = torch.Generator().manual_seed(1)


def draw(*shape, requires_grad=False):
    return torch.randn(shape, generator=SOME).requires_grad_(requires_grad)


@needs_compiler
@pytest.mark.parametrize(
    ("lengths", "heads", "kv_heads", "d", "window"),
    [
        ([5, 1, 17, 33, 64], 4, 2, 16, None),
        ([40, 3, 90], 2, 2, 48, 16),
        ([130], 4, 1, 72, None),
        ([31, 32, 2], 3, 3, 8, 7),
        ([70], 2, 2, 128, 40),
    ],
)
def test_fused_attention_and_its_gradients_are_those_of_pytorch(lengths, heads, kv_heads, d, window):
    n, starts = sum(lengths), np.concatenate([[0], np.cumsum(lengths)])
    q, k, v = (draw(n, h, d, requires_grad=True) for h in (heads, kv_heads, kv_heads))
    numbers = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(n)
    seen = (numbers[:, None] == numbers) & (place[:, None] >= place) & (place[:, None] - place < (window or n))
    parts = [x.transpose(0, 1)[None].repeat_interleave(heads // x.shape[1], 1) for x in (q, k, v)]
    theirs = F.scaled_dot_product_attention(*parts, attn_mask=torch.from_numpy(seen), scale=d**-0.5)[0].transpose(0, 1)
    outer = draw(n, heads, d)
    expected = torch.autograd.grad(theirs, (q, k, v), outer)
    known = native.Documents(torch.from_numpy(starts))
    out, shifts = torch.empty(n, heads, d), torch.empty(n, heads)
    grads = tuple(torch.full_like(x, torch.nan) for x in (q, k, v))
    native.attend(q, k, v, out, shifts, known, d**-0.5, window)
    native.attend_back(outer, q, k, v, out, shifts, grads, known, d**-0.5, window)
    torch.testing.assert_close(out, theirs.detach(), atol=2e-6, rtol=1e-5)
    for ours, other in zip(grads, expected, strict=True):
        torch.testing.assert_close(ours, other, atol=1e-5, rtol=1e-5)


@needs_compiler
@pytest.mark.parametrize("d", [7, 16, 48, 100])
def test_fused_norm_and_gate_are_those_of_pytorch(d):
    x, weight, gate, up, outer, add = (draw(9, d, requires_grad=True) for _ in range(6))
    weight = weight[0].detach()
    theirs = F.rms_norm(x, (d,), weight, 1e-5)
    out, rstd, back = torch.empty(9, d), torch.empty(9), torch.empty(9, d)
    native.rms_norm(x, weight, 1e-5, out, rstd)
    native.rms_norm_back(outer, x, weight, rstd, add, back)
    torch.testing.assert_close(out, theirs.detach(), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(back, add.detach() + torch.autograd.grad(theirs, x, outer)[0], atol=1e-5, rtol=1e-5)
    theirs = F.silu(10 * gate) * up
    expected = torch.autograd.grad(theirs, (gate, up), outer)
    scaled, kept = (10 * gate).detach(), up.detach().clone()
    native.swiglu(scaled, kept, out)
    native.swiglu_back(outer, scaled, kept)
    torch.testing.assert_close(out, theirs.detach(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close((10 * scaled, kept), expected, atol=1e-4, rtol=1e-5)


@needs_compiler
@pytest.mark.parametrize("size", [5, 64, 1003])
def test_the_fused_loss_is_that_of_pytorch_and_keeps_what_is_no_number(size):
    logits, labels, factors = 20 * draw(11, size), torch.arange(11) % size, draw(11).abs()
    mine, theirs = logits.clone(), logits.clone().requires_grad_()
    loss = (F.cross_entropy(theirs, labels, reduction="none") * factors).sum()
    loss.backward()
    assert native.cross_entropy(mine, labels, factors, True) == pytest.approx(loss.item(), rel=1e-6)
    torch.testing.assert_close(mine, theirs.grad, atol=1e-6, rtol=1e-5)
    for odd in (torch.nan, torch.inf):
        broken = logits.clone()
        broken[3, 4] = odd
        assert np.isnan(native.cross_entropy(broken, labels, None, False))


@needs_compiler
@pytest.mark.parametrize("architecture", ["llama", "mistral", "qwen2"])
@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_lean_layers_train_what_the_modules_themselves_train(architecture, dropout):
    model = tiny_model(architecture)
    shape = LoraShape(4, 8, dropout=dropout, targets="all-linear")
    with stacked(model, []) as stack:
        assert lean(stack) is not None
    plan = {"shape": shape, "attention": "document", "learning_rate": 3e-3}
    ours = next(fit(base_of(model), [job()], recipe(**plan)))
    plain = next(fit(base_of(model), [job()], recipe(**plan, kernels="off")))
    assert furthest(ours.adapter, plain.adapter) < 1e-5
    assert ours.losses == pytest.approx(plain.losses, abs=1e-5)


@pytest.mark.parametrize("kernels", ["auto", "off"])
@pytest.mark.parametrize(("targets", "r"), [("default", 3), (("o_proj", "down_proj"), 3), ("all-linear", 1)])
def test_adapters_on_some_layers_are_the_same_bits_whatever_is_trained_beside_them(targets, r, kernels):
    base = base_of(tiny_model(hidden_size=48, intermediate_size=80, num_hidden_layers=3))
    plan = recipe(shape=LoraShape(r, 8, targets=targets), blocks_per_step=1, kernels=kernels)
    jobs = [job(number, 20 + 5 * number) for number in range(4)]
    together = list(fit(base, jobs, plan, together=4))
    for task, done in zip(jobs, together, strict=True):
        alone = next(fit(base, [task], plan))
        assert same_bits(alone.adapter, done.adapter)
        assert alone.losses == done.losses
        assert {lora.a.shape[0] for lora in done.adapter.modules.values()} == {r}


@needs_compiler
def test_layers_of_odd_width_are_the_same_bits_whatever_is_trained_beside_them():
    base = base_of(tiny_model(hidden_size=36, intermediate_size=51, num_hidden_layers=1, num_attention_heads=2))
    plan = recipe(shape=LoraShape(5, 8, targets="all-linear"), blocks_per_step=2)
    jobs = [job(number, 20 + 5 * number) for number in range(3)]
    alone = [next(fit(base, [task], plan)).adapter for task in jobs]
    assert all(map(same_bits, alone, [done.adapter for done in fit(base, jobs, plan, together=3)]))


@pytest.mark.parametrize("kernels", ["auto", "off"])
def test_an_adapter_of_rank_one_is_trained_as_peft_would_and_goes_on_where_it_was(kernels, tmp_path):
    model, shape = tiny_model(), LoraShape(1, 8, targets="all-linear")
    plan = recipe(shape=shape, kernels=kernels, weight_decay=0.1, max_grad_norm=0.05, learning_rate=3e-3)
    start = new_adapter(model, shape, job().generator("init"))
    memory = Memory()
    ours = next(fit(base_of(model), [job()], plan, keeper=memory))
    again = next(fit(base_of(model), [job()], plan, keeper=memory))
    assert same_bits(ours.adapter, again.adapter)
    theirs = plain_loop(tiny_model(), start, job(), plan, tmp_path)
    for name, lora in ours.adapter.modules.items():
        torch.testing.assert_close(lora.a, theirs[f"{name}.lora_A.default.weight"], atol=1e-5, rtol=0)
        torch.testing.assert_close(lora.b, theirs[f"{name}.lora_B.default.weight"], atol=1e-5, rtol=0)


@needs_compiler
def test_values_of_another_width_than_keys_take_pytorchs_attention():
    import transformers as hf

    experts = {"moe_intermediate_size": 32, "n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1}
    groups = {"n_group": 1, "topk_group": 1, "first_k_dense_replace": 2, "kv_lora_rank": 16, "q_lora_rank": 16}
    heads = {"qk_rope_head_dim": 8, "v_head_dim": 8, "qk_nope_head_dim": 16, "num_attention_heads": 4}
    sizes = {"vocab_size": 260, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    torch.manual_seed(0)
    model = hf.DeepseekV3ForCausalLM(hf.DeepseekV3Config(**experts, **groups, **heads, **sizes, num_key_value_heads=4))
    base, shape = base_of(model.eval().requires_grad_(False)), LoraShape(4, 8, targets=("o_proj",))
    ours, plain = (next(fit(base, [job()], recipe(shape=shape, kernels=kernels))) for kernels in ("auto", "off"))
    assert ours.losses == pytest.approx(plain.losses, abs=1e-5)
    assert furthest(ours.adapter, plain.adapter) < 1e-5


@needs_compiler
def test_adapters_on_the_last_layer_alone_leave_the_layers_below_without_gradients():
    model = tiny_model()
    shape = LoraShape(4, 8, targets=("model.layers.1.self_attn.q_proj",))
    ours = next(fit(base_of(model), [job()], recipe(shape=shape)))
    plain = next(fit(base_of(model), [job()], recipe(shape=shape, kernels="off")))
    assert list(ours.adapter.modules) == ["model.layers.1.self_attn.q_proj"]
    assert furthest(ours.adapter, plain.adapter) < 1e-5


def test_weights_of_documents_mean_the_same_with_and_without_kernels():
    base, docs = base_of(tiny_model()), documents(12)
    task = Job("j", pack(docs, 64, weights=[1.0, 0.25] * 6), 1, "j")
    fused, plain = (next(fit(base, [task], recipe(steps=3, kernels=kernels))) for kernels in ("auto", "off"))
    assert fused.losses == pytest.approx(plain.losses, abs=1e-5)
    assert furthest(fused.adapter, plain.adapter) < 1e-5


@needs_compiler
def test_it_is_known_how_many_steps_the_kernels_computed_although_another_process_finished():
    base, memory = base_of(tiny_model()), Memory(stop=4)
    with pytest.raises(KeyboardInterrupt):
        list(fit(base, [job()], recipe(steps=6), keeper=memory))
    memory.stop = None
    done = next(fit(base, [job()], recipe(steps=6, kernels="off"), keeper=memory))
    assert (done.n_fused, facts(done)["n_fused_steps"]) == (4, 4)


def test_without_a_compiler_training_says_so_once_and_goes_on(monkeypatch, caplog):
    monkeypatch.setattr(native.shutil, "which", lambda name: None)
    native.kernels.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            model = tiny_model()
            assert not is_fusable(model)
            plain = next(fit(base_of(model), [job()], recipe()))
            again = next(fit(base_of(model), [job()], recipe(kernels="off")))
        assert same_bits(plain.adapter, again.adapter)
        assert [record.message for record in caplog.records if "C compiler" in record.message] == [
            "no C compiler was found: adapters are trained with PyTorch's own operations, which is slower"
        ]
    finally:
        native.kernels.cache_clear()


def test_a_compiler_that_fails_is_one_sentence_with_its_reason(monkeypatch, caplog, tmp_path):
    bad = tmp_path / "cc"
    bad.write_text("#!/bin/sh\n[ $1 = --version ] && echo odd 1.0 && exit 0\necho 'cannot find crt1.o' >&2; exit 1\n")
    bad.chmod(0o755)
    monkeypatch.setattr(native.shutil, "which", lambda name: str(bad))
    native.kernels.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            assert native.kernels() is None
        assert "cannot find crt1.o" in caplog.text
    finally:
        native.kernels.cache_clear()


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """The folder of compiled kernels of a user whose cache is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    native.kernels.cache_clear()
    yield tmp_path / "temporal-adapters"
    native.kernels.cache_clear()


@needs_compiler
@pytest.mark.parametrize("what", ["another library", "rubbish"])
def test_a_library_that_is_not_the_kernels_is_compiled_anew(cache, monkeypatch, tmp_path, what):
    assert native.kernels() is not None
    native.kernels.cache_clear()
    (library,) = cache.iterdir()
    # Planted in another place, because the loader holds what it has found under the first path.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "second"))
    planted, odd = tmp_path / "second" / "temporal-adapters" / library.name, tmp_path / "odd.c"
    planted.parent.mkdir(parents=True)
    odd.write_text("int odd(void) { return 1; }\n")
    if what == "rubbish":
        planted.write_text(what)
    else:
        compiler = next(found for name in ("cc", "gcc", "clang") if (found := shutil.which(name)))
        subprocess.run([compiler, "-shared", "-fPIC", "-o", str(planted), str(odd)], check=True)
    assert native.kernels() is not None
    assert not planted.exists()


@needs_compiler
def test_libraries_that_others_may_have_written_are_not_loaded(cache, monkeypatch):
    assert native.kernels() is not None
    (library,) = cache.iterdir()
    loaded = []
    monkeypatch.setattr(native.ctypes, "CDLL", lambda path: loaded.append(Path(path)))
    monkeypatch.setattr(native, "_declare", lambda library: library)
    for place, mode in ((library, 0o722), (cache, 0o770), (cache, 0o707)):
        before, inode = place.stat().st_mode, library.stat().st_ino
        place.chmod(mode)
        native.kernels.cache_clear()
        native.kernels()
        assert loaded[-1] != library or library.stat().st_ino != inode
        place.chmod(before)
    monkeypatch.setattr(native.os, "getuid", lambda: cache.stat().st_uid + 1)
    native.kernels.cache_clear()
    native.kernels()
    assert loaded[-1] != library


@needs_compiler
def test_without_a_home_the_kernels_lie_in_a_folder_of_their_own(cache, monkeypatch):
    def fail():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(native.Path, "home", fail)
    assert native.kernels() is not None
    assert not cache.exists()
