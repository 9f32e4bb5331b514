"""The training core: equal to PEFT in a plain loop, independent of neighbours, exact across documents and restarts."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tiny import ARCHITECTURES, tiny_model

from temporal_adapters.engines.model import Base, LoraShape, document_attention, inside, lay_out, stacked, write_adapter
from temporal_adapters.engines.model.kernels import Kernels
from temporal_adapters.ground.errors import TrainError
from temporal_adapters.stages.tokens import IGNORED, chunk, pack
from temporal_adapters.stages.train import Job, Keeper, Recipe, fit
from temporal_adapters.stages.train.forward import Forward


def base_of(model):
    return Base(model, None, "tiny", "digest", torch.device("cpu"), torch.float32)


def documents(n, seed=0, longest=30):
    rng = np.random.default_rng(seed)
    return [[1, *rng.integers(3, 60, int(rng.integers(4, longest))).tolist()] for _ in range(n)]


def job(number=0, n=80, seed=42, **more):
    return Job(f"w{number}/seed-{seed}", pack(documents(n, number), 64), seed, f"w{number}", **more)


def recipe(**changes):
    settings = {"shape": LoraShape(4, 8), "learning_rate": 1e-2, "steps": 6, "blocks_per_step": 4}
    return Recipe(**{**settings, **changes})


def same_bits(first, second):
    return all(
        torch.equal(lora.a, second.modules[name].a) and torch.equal(lora.b, second.modules[name].b)
        for name, lora in first.modules.items()
    )


def furthest(first, second):
    return max(
        max((lora.a - second.modules[name].a).abs().max(), (lora.b - second.modules[name].b).abs().max()).item()
        for name, lora in first.modules.items()
    )


def plain_loop(model, start, job, plan, folder):
    """PEFT, a mask per batch and torch's AdamW, written down as a tutorial would: the second source."""
    from peft import PeftModel

    write_adapter(folder, start)
    peft = PeftModel.from_pretrained(model, folder, is_trainable=True).eval()
    weights = [p for p in peft.parameters() if p.requires_grad]
    rates = {"lr": plan.learning_rate, "betas": plan.betas, "eps": plan.epsilon}
    optimizer = torch.optim.AdamW(weights, weight_decay=plan.weight_decay, **rates)
    n_steps = plan.n_steps(len(job.blocks))
    for step in range(n_steps):
        rows = job.order(step * plan.blocks_per_step, plan.blocks_per_step)
        ids = torch.from_numpy(job.blocks.input_ids[rows]).long()
        labels = torch.from_numpy(job.blocks.labels[rows]).long()
        numbers = torch.from_numpy(job.blocks.documents[rows])
        if plan.attention == "chunk":
            numbers = torch.zeros_like(numbers)
        same = numbers[:, :, None] == numbers[:, None, :]
        seen = same & torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
        positions = same.tril().sum(-1) - 1
        window = getattr(model.config, "sliding_window", None)
        if window and model.config.model_type == "mistral":
            seen = seen & ~torch.ones_like(seen).tril(-window)
        mask = torch.where(seen, 0.0, torch.finfo(torch.float32).min)[:, None]
        if model.config.model_type == "gemma2":
            near = seen & ~torch.ones_like(seen).tril(-window)
            near = torch.where(near, 0.0, torch.finfo(torch.float32).min)[:, None]
            mask = {"full_attention": mask, "sliding_attention": near}
        logits = peft(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False).logits
        wanted = (labels[:, 1:] != IGNORED) & (numbers[:, 1:] == numbers[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits[:, :-1][wanted], labels[:, 1:][wanted])
        loss.backward()
        if plan.max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(weights, plan.max_grad_norm)
        for group in optimizer.param_groups:
            group["lr"] = plan.rate(step, n_steps)
        optimizer.step()
        optimizer.zero_grad()
    return {n.removeprefix("base_model.model."): p.detach() for n, p in peft.named_parameters() if p.requires_grad}


def fresh(model, plan, task):
    from temporal_adapters.engines.model import new_adapter

    return new_adapter(model, plan.shape, task.generator("init"))


@pytest.mark.parametrize("attention", ["document", "chunk"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_training_equals_peft_in_a_plain_loop(architecture, attention, tmp_path):
    plan = recipe(attention=attention, warmup_steps=2, weight_decay=0.01, learning_rate=3e-3)
    model, task = tiny_model(architecture), job()
    ours = next(fit(base_of(model), [task], plan)).adapter
    theirs = plain_loop(tiny_model(architecture), fresh(model, plan, task), task, plan, tmp_path)
    for name, lora in ours.modules.items():
        torch.testing.assert_close(lora.a, theirs[f"{name}.lora_A.default.weight"], atol=1e-5, rtol=0)
        torch.testing.assert_close(lora.b, theirs[f"{name}.lora_B.default.weight"], atol=1e-5, rtol=0)


def test_the_decay_rates_and_epsilon_of_the_recipe_are_those_of_the_optimiser(tmp_path):
    """Second source: torch's own AdamW; with torch's defaults the weights differ by more than the tolerance."""
    model, task = tiny_model("llama"), job()
    plan = recipe(betas=(0.5, 0.9), epsilon=1e-3, learning_rate=3e-3)
    ours = next(fit(base_of(model), [task], plan)).adapter
    theirs = plain_loop(tiny_model("llama"), fresh(model, plan, task), task, plan, tmp_path)
    for name, lora in ours.modules.items():
        torch.testing.assert_close(lora.b, theirs[f"{name}.lora_B.default.weight"], atol=1e-5, rtol=0)
    assert furthest(ours, next(fit(base_of(model), [task], recipe(learning_rate=3e-3))).adapter) > 1e-3


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_an_adapter_is_the_same_bits_whatever_is_trained_beside_it(dropout):
    base = base_of(tiny_model())
    plan = recipe(shape=LoraShape(4, 8, dropout=dropout, targets="all-linear"), steps=None, epochs=1.5, ema_decay=0.9)
    jobs = [job(number, 50 + 25 * number) for number in range(5)]
    alone = {done.job.name: done for task in jobs for done in fit(base, [task], plan)}
    together = {done.job.name: done for done in fit(base, jobs[::-1], plan, together=3)}
    assert together.keys() == alone.keys()
    for name, done in alone.items():
        assert same_bits(done.adapter, together[name].adapter)
        assert done.losses == together[name].losses


def test_the_seed_and_the_week_alone_decide_the_random_numbers():
    base, plan = base_of(tiny_model()), recipe(shape=LoraShape(4, 8, dropout=0.1))
    first, again, other = (next(fit(base, [job(seed=seed)], plan)).adapter for seed in (42, 42, 43))
    assert same_bits(first, again)
    assert not same_bits(first, other)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nothing_leaks_between_documents_of_a_block(architecture):
    model, ids = tiny_model(architecture), torch.randint(3, 60, (2, 48))
    numbers = np.repeat([[0, 1, 2], [0, 1, 2]], 16, axis=1)
    numbers[1, :40], numbers[1, 40:] = 0, 1
    layout, changed = lay_out(numbers), ids.clone()
    changed[:, :16] = torch.randint(60, 250, (2, 16))
    with document_attention(model), inside(layout), torch.no_grad():
        options = {"position_ids": layout.positions, "use_cache": False}
        first, second = model(ids, **options).logits, model(changed, **options).logits
        alone = model(ids, **options).logits
    assert torch.equal(first, alone)
    assert torch.equal(first[0, 16:], second[0, 16:])
    assert torch.equal(first[1, 40:], second[1, 40:])
    assert not torch.equal(first[1, 16:40], second[1, 16:40])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_packed_document_has_the_logits_of_the_document_alone(architecture):
    model, docs = tiny_model(architecture), documents(9, longest=45)
    blocks = pack(docs, 64)
    layout = lay_out(blocks.documents)
    with document_attention(model), inside(layout), torch.no_grad():
        ids = torch.from_numpy(blocks.input_ids).long()
        packed = model(ids, position_ids=layout.positions, use_cache=False).logits
    for row, numbers in enumerate(blocks.documents):
        for number in np.unique(numbers):
            mine = torch.from_numpy(numbers == number)
            with torch.no_grad():
                alone = model(ids[row, mine][None], use_cache=False).logits[0]
            torch.testing.assert_close(packed[row, mine], alone, atol=2e-5, rtol=1e-4)


def test_micro_batches_follow_the_whole_batch():
    base = base_of(tiny_model())
    whole, parts = (next(fit(base, [job()], recipe(micro_batch=size))) for size in (4, 1))
    assert furthest(whole.adapter, parts.adapter) < 1e-5
    assert whole.losses == pytest.approx(parts.losses, abs=1e-5)


class Memory(Keeper):
    """Keeps every state, and stops the run at a step."""

    def __init__(self, stop=None):
        self.states, self.stop = {}, stop

    def load(self, job):
        return self.states.get(job.name)

    def due(self, job, step):
        return True

    def save(self, job, state):
        self.states[job.name] = state
        if int(state["counts"][0]) == self.stop:
            raise KeyboardInterrupt


def test_an_interrupted_adapter_goes_on_to_the_same_bits():
    base = base_of(tiny_model())
    plan = recipe(shape=LoraShape(4, 8, dropout=0.1), ema_decay=0.9, checkpoint_steps=(2,))
    held = pack(documents(10, 9), 64)
    jobs = [job(number, held_out=held) for number in range(3)]
    whole = {done.job.name: done for done in fit(base, jobs, plan, together=3)}
    memory = Memory(stop=3)
    with pytest.raises(KeyboardInterrupt):
        list(fit(base, jobs, plan, together=2, keeper=memory))
    memory.stop = None
    assert memory.states
    for done in fit(base, jobs, plan, together=3, keeper=memory):
        assert same_bits(done.adapter, whole[done.job.name].adapter)
        assert done.losses == whole[done.job.name].losses
        assert done.held_out == whole[done.job.name].held_out


def test_held_out_loss_begins_at_the_base_and_is_measured_alone():
    base, held = base_of(tiny_model()), pack(documents(12, 5), 64)
    plan = recipe(held_out_every=2, learning_rate=2e-2)
    done = list(fit(base, [job(n, held_out=held) for n in range(2)], plan, together=2))
    assert list(done[0].held_out) == [0, 2, 4, 6]
    assert done[0].held_out[0] == done[1].held_out[0] != done[0].held_out[6]
    alone = next(fit(base, [job(0, held_out=held)], plan))
    assert alone.held_out == done[0].held_out


def test_only_labelled_tokens_are_learned():
    base = base_of(tiny_model())
    docs = documents(40)
    masked = [[IGNORED] * (len(ids) - 1) + ids[-1:] for ids in docs]
    done = next(fit(base, [Job("j", pack(docs, 64, labels=masked), 1, "j")], recipe(steps=4)))
    blocks = pack(docs, 64, labels=masked)
    assert done.n_tokens == sum((blocks.labels[done.job.order(step * 4, 4)] != IGNORED).sum() for step in range(4))


def test_weights_of_documents_scale_their_loss():
    base, docs = base_of(tiny_model()), documents(2, longest=20)
    task = Job("j", pack(docs, 64, weights=[1.0, 0.0]), 1, "j")
    only = Job("j", pack(docs, 64, labels=[docs[0], [IGNORED] * len(docs[1])]), 1, "j")
    plan = recipe(steps=2, blocks_per_step=1)
    weighted, masked = (next(fit(base, [each], plan)) for each in (task, only))
    assert weighted.losses == pytest.approx(masked.losses, abs=1e-6)
    assert furthest(weighted.adapter, masked.adapter) < 1e-6


def test_the_moving_average_follows_its_formula():
    base, steps = base_of(tiny_model()), 3
    plain = next(fit(base, [job()], recipe(steps=steps, schedule="constant")))
    averaged = next(fit(base, [job()], recipe(steps=steps, schedule="constant", ema_decay=0.5)))

    class Each(Keeper):
        def __init__(self):
            self.adapters = []

        def checkpoint(self, job, step, adapter):
            self.adapters.append(adapter)

    each = Each()
    list(fit(base, [job()], recipe(steps=steps, schedule="constant", checkpoint_steps=(1, 2, 3)), keeper=each))
    name = next(iter(plain.adapter.modules))
    expected = fresh(base.model, recipe(), job()).modules[name].b
    for step, adapter in enumerate(each.adapters):
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * adapter.modules[name].b
    torch.testing.assert_close(averaged.adapter.modules[name].b, expected)
    assert same_bits(each.adapters[-1], plain.adapter)


def test_the_held_out_loss_is_that_of_the_moving_average_and_measuring_changes_no_bit():
    base, held = base_of(tiny_model()), pack(documents(12, 5), 64)
    plan = recipe(ema_decay=0.9, held_out_every=2, learning_rate=2e-2)
    measured = next(fit(base, [job(held_out=held)], plan))
    with document_attention(base.model), stacked(base.model, [measured.adapter]) as stack:
        loss = Forward(base, stack, plan.attention, Kernels()).mean_loss(held, 0, plan.blocks_per_step)
    assert measured.held_out[6] == pytest.approx(loss, rel=1e-6)
    unmeasured = next(fit(base, [job()], plan))
    assert same_bits(measured.adapter, unmeasured.adapter)
    assert measured.losses == unmeasured.losses


def test_schedules_are_those_of_the_names():
    plan = recipe(learning_rate=1.0, warmup_steps=2, steps=10)
    rates = [plan.rate(step, 10) for step in range(10)]
    assert rates[:2] == [0.5, 1.0]
    assert rates[2:] == pytest.approx([(10 - step) / 8 for step in range(2, 10)])
    cosine = recipe(learning_rate=1.0, schedule="cosine", steps=8)
    assert [cosine.rate(step, 8) for step in (0, 4)] == pytest.approx([1.0, 0.5])
    assert cosine.rate(6, 8) == pytest.approx((1 + math.cos(math.pi * 6 / 8)) / 2)
    assert recipe(schedule="constant").rate(5, 6) == 1e-2


def test_schedules_equal_those_of_transformers():
    from transformers import get_scheduler

    for name in ("linear", "cosine"):
        plan = recipe(learning_rate=0.1, warmup_steps=3, schedule=name, steps=12)
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
        theirs = get_scheduler(name, optimizer, num_warmup_steps=3, num_training_steps=12)
        for step in range(3, 12):
            while theirs.last_epoch < step:
                optimizer.step()
                theirs.step()
            assert plan.rate(step, 12) == pytest.approx(theirs.get_last_lr()[0])


def test_every_epoch_sees_every_block_once():
    task = job()
    size = len(task.blocks)
    stream = task.order(0, 3 * size)
    assert all(sorted(stream[at : at + size]) == list(range(size)) for at in (0, size, 2 * size))
    assert stream[:size].tolist() != stream[size : 2 * size].tolist()
    assert task.order(5, 4).tolist() == stream[5:9].tolist()


def test_a_loss_that_is_no_number_stops_with_the_learning_rate_named():
    with pytest.raises(TrainError, match=r"step [23] on: lower train\.learning_rate"):
        list(fit(base_of(tiny_model()), [job()], recipe(learning_rate=1e30, max_grad_norm=None)))


def test_a_corpus_without_blocks_is_refused():
    with pytest.raises(TrainError, match="no block"):
        list(fit(base_of(tiny_model()), [Job("w", chunk([[1, 2]], 64), 1, "w")], recipe()))


def test_an_untied_special_head_gives_the_same_losses_as_the_fused_one():
    model = tiny_model()
    fused = next(fit(base_of(model), [job()], recipe(steps=3)))
    model.config.model_type = "something-new"
    plain = next(fit(base_of(model), [job()], recipe(steps=3, shape=LoraShape(4, 8, targets=("q_proj", "v_proj")))))
    assert fused.losses == pytest.approx(plain.losses, abs=1e-5)
    assert furthest(fused.adapter, plain.adapter) < 1e-5


def test_adapters_stay_float32_on_a_base_of_another_precision():
    model = tiny_model().double()
    base = Base(model, None, "tiny", "digest", torch.device("cpu"), torch.float64)
    other = next(fit(base, [job()], recipe(steps=3))).adapter
    plain = next(fit(base_of(tiny_model()), [job()], recipe(steps=3))).adapter
    assert next(iter(other.modules.values())).a.dtype == torch.float32
    assert furthest(other, plain) < 1e-4
