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
from temporal_adapters.ground.errors import ModelError
from temporal_adapters.stages.tokens import pack
from temporal_adapters.stages.train import Job, fit
from temporal_adapters.stages.train.folder import facts

needs_compiler = pytest.mark.skipif(native.kernels() is None, reason="there is no C compiler on this machine")
SOME = torch.Generator().manual_seed(1)


LANES = {"x86-64-v4": 16, "x86-64-v3": 8, "x86-64-v2": 4}
"""Instruction set -> floats per register."""
NEEDS = {"x86-64-v4": "avx512f avx512bw avx512cd avx512dq avx512vl", "x86-64-v3": "avx2 fma f16c bmi2",
         "x86-64-v2": "sse4_2 popcnt"}  # fmt: skip


@pytest.fixture(params=["native", *LANES])
def instructions(request, monkeypatch):
    """Let the kernels be compiled for other processors than this one, if it can run them."""
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split() if Path("/proc/cpuinfo").is_file() else []
    if not set(NEEDS.get(request.param, "").split()) <= set(flags):
        pytest.skip(f"this processor does not know {request.param}")
    monkeypatch.setenv("TA_KERNELS_MARCH", request.param)
    native.kernels.cache_clear()
    yield request.param
    native.kernels.cache_clear()


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
def test_fused_attention_and_its_gradients_are_those_of_pytorch(instructions, lengths, heads, kv_heads, d, window):
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
def test_fused_norm_and_gate_are_those_of_pytorch(instructions, d):
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
def test_the_fused_loss_is_that_of_pytorch_and_keeps_what_is_no_number(instructions, size):
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
def test_vectors_are_as_wide_as_the_registers(instructions):
    assert native.kernels().lanes() == LANES.get(instructions, native.kernels().lanes())


DRIVER = r"""
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
int64_t lanes(void);
void attend(const float *, const float *, const float *, float *, float *, const int64_t *, int64_t, int64_t, int64_t,
            int64_t, int64_t, int64_t, int64_t, int64_t, float, int64_t, float *);
void attend_back(const float *, const float *, const float *, const float *, const float *, const float *, float *,
                 float *, float *, const int64_t *, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t,
                 int64_t, float, int64_t, float *);
double cross_entropy(float *, const int64_t *, const float *, int64_t, int64_t, int64_t);
enum { N = 61, HEADS = 4, KV = 2, D = 24 };
static float q[N * HEADS * D], k[N * KV * D], v[N * KV * D], grad[N * HEADS * D], out[N * HEADS * D];
static float shifts[N * HEADS], dq[N * HEADS * D], dk[N * KV * D], dv[N * KV * D], scratch[1 << 16];
int main(void) {
    int64_t starts[] = {0, 5, 6, 23, N}, labels[N] = {3};
    if (!fread(q, sizeof q, 1, stdin) || !fread(k, sizeof k, 1, stdin) || !fread(v, sizeof v, 1, stdin)
        || !fread(grad, sizeof grad, 1, stdin)) return 1;
    attend(q, k, v, out, shifts, starts, 4, HEADS, KV, D, HEADS * D, KV * D, KV * D, HEADS * D, 0.25f, 7, scratch);
    attend_back(grad, q, k, v, out, shifts, dq, dk, dv, starts, 4, HEADS, KV, D, HEADS * D, KV * D, KV * D, HEADS * D,
                0.25f, 7, scratch);
    float loss = cross_entropy(q, labels, NULL, N, HEADS * D, 1), n = lanes();
    fwrite(&n, 4, 1, stdout); fwrite(&loss, 4, 1, stdout); fwrite(out, sizeof out, 1, stdout);
    fwrite(dq, sizeof dq, 1, stdout); fwrite(dk, sizeof dk, 1, stdout); fwrite(dv, sizeof dv, 1, stdout);
    fwrite(q, sizeof q, 1, stdout);
    return 0;
}
"""


@needs_compiler
def test_on_arm_the_kernels_give_the_numbers_of_this_processor(tmp_path):
    compiler, emulator = shutil.which("aarch64-linux-gnu-gcc"), shutil.which("qemu-aarch64")
    if compiler is None or emulator is None:
        pytest.skip("no compiler and emulator for aarch64 (gcc-aarch64-linux-gnu, qemu-user)")
    (tmp_path / "driver.c").write_text(DRIVER)
    program = tmp_path / "driver"
    files = (tmp_path / "driver.c", native._SOURCE)
    subprocess.run([compiler, "-O3", "-ffp-contract=fast", "-static", "-o", program, *files, "-lm"], check=True)
    q, k, v, grad = draw(61, 4, 24), draw(61, 2, 24), draw(61, 2, 24), draw(61, 4, 24)
    sent = b"".join(x.numpy().tobytes() for x in (q, k, v, grad))
    theirs = torch.frombuffer(
        bytearray(subprocess.run([emulator, program], input=sent, capture_output=True, check=True).stdout),
        dtype=torch.float32,
    )
    known, shifts = native.Documents(torch.tensor([0, 5, 6, 23, 61])), torch.empty(61, 4)
    out, grads = torch.empty(61, 4, 24), (torch.empty(61, 4, 24), torch.empty(61, 2, 24), torch.empty(61, 2, 24))
    native.attend(q, k, v, out, shifts, known, 0.25, 7)
    native.attend_back(grad, q, k, v, out, shifts, grads, known, 0.25, 7)
    logits = q.reshape(61, 96).clone()
    labels = torch.tensor([3] + [0] * 60)
    loss = native.cross_entropy(logits, labels, None, True)
    ours = torch.cat([torch.tensor([4.0, loss]), *(x.reshape(-1) for x in (out, *grads, logits))])
    torch.testing.assert_close(theirs, ours, atol=1e-5, rtol=1e-5)


@needs_compiler
@pytest.mark.parametrize("architecture", ["llama", "mistral", "qwen2"])
@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_lean_layers_train_what_the_modules_themselves_train(architecture, dropout):
    model = tiny_model(architecture)
    shape = LoraShape(4, 8, dropout=dropout, targets="all-linear")
    with stacked(model, []) as stack:
        assert lean(stack) is not None
    plan = {"shape": shape, "attention": "document", "learning_rate": 3e-3}
    ours = next(fit(base_of(model), [job()], recipe(**plan, kernels="on")))
    plain = next(fit(base_of(model), [job()], recipe(**plan, kernels="off")))
    assert furthest(ours.adapter, plain.adapter) < 1e-5
    assert ours.losses == pytest.approx(plain.losses, abs=1e-5)


@pytest.mark.parametrize("kernels", [pytest.param("on", marks=needs_compiler), "off"])
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
    plan = recipe(shape=LoraShape(5, 8, targets="all-linear"), blocks_per_step=2, kernels="on")
    jobs = [job(number, 20 + 5 * number) for number in range(3)]
    alone = [next(fit(base, [task], plan)).adapter for task in jobs]
    assert all(map(same_bits, alone, [done.adapter for done in fit(base, jobs, plan, together=3)]))


@pytest.mark.parametrize("kernels", [pytest.param("on", marks=needs_compiler), "off"])
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
    ours, plain = (next(fit(base, [job()], recipe(shape=shape, kernels=kernels))) for kernels in ("on", "off"))
    assert ours.losses == pytest.approx(plain.losses, abs=1e-5)
    assert furthest(ours.adapter, plain.adapter) < 1e-5


@needs_compiler
def test_adapters_on_the_last_layer_alone_leave_the_layers_below_without_gradients():
    model = tiny_model()
    shape = LoraShape(4, 8, targets=("model.layers.1.self_attn.q_proj",))
    ours = next(fit(base_of(model), [job()], recipe(shape=shape, kernels="on")))
    plain = next(fit(base_of(model), [job()], recipe(shape=shape, kernels="off")))
    assert list(ours.adapter.modules) == ["model.layers.1.self_attn.q_proj"]
    assert furthest(ours.adapter, plain.adapter) < 1e-5


def test_weights_of_documents_mean_the_same_with_and_without_kernels():
    base, docs = base_of(tiny_model()), documents(12)
    task = Job("j", pack(docs, 64, weights=[1.0, 0.25] * 6), 1, "j")
    fused, plain = (next(fit(base, [task], recipe(steps=3, kernels=kernels))) for kernels in ("on", "off"))
    assert fused.losses == pytest.approx(plain.losses, abs=1e-5)
    assert furthest(fused.adapter, plain.adapter) < 1e-5


@needs_compiler
def test_it_is_known_how_many_steps_the_kernels_computed_although_another_process_finished():
    base, memory = base_of(tiny_model()), Memory(stop=4)
    with pytest.raises(KeyboardInterrupt):
        list(fit(base, [job()], recipe(steps=6, kernels="on"), keeper=memory))
    memory.stop = None
    done = next(fit(base, [job()], recipe(steps=6, kernels="off"), keeper=memory))
    assert (done.n_fused, facts(done)["n_fused_steps"]) == (4, 4)


def test_kernels_that_cannot_be_had_are_refused_by_name_where_they_are_asked_for(monkeypatch):
    monkeypatch.setattr(native, "kernels", lambda: None)
    with pytest.raises(ModelError, match=r"train\.kernels: on: .* a C compiler: use auto or off"):
        next(fit(base_of(tiny_model()), [job()], recipe(kernels="on")))


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
