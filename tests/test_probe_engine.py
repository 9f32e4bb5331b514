"""Forward passes: trees under stacked adapters equal one plain forward per answer."""

from __future__ import annotations

import math
from pathlib import Path as FilePath

import pytest
import torch
from tiny import ARCHITECTURES, tiny_model
from tokenizers_for_tests import byte_bpe

from temporal_adapters.engines.model import Adapter, Lora, LoraShape, new_adapter, read_adapter, write_adapter
from temporal_adapters.ground.errors import ProbeError
from temporal_adapters.stages.probe.encode import Encoder
from temporal_adapters.stages.probe.forward import Engine, float32_head
from temporal_adapters.stages.probe.plan import plan
from temporal_adapters.stages.probe.tree import Path, plant
from temporal_adapters.study.questionnaire import load


def some_paths(seed: int = 0) -> list[Path]:
    """Paths that share beginnings, with answers of one to four tokens, longer than the sliding windows of 16."""
    generator = torch.Generator().manual_seed(seed)

    def draw(n: int) -> tuple[int, ...]:
        return tuple(torch.randint(3, 260, (n,), generator=generator).tolist())

    stem, middle = draw(20), draw(9)
    contexts = [stem, stem + middle, stem + draw(5), draw(7)]
    answers = [draw(1), draw(2), draw(4), draw(3)]
    answers.append(answers[2][:2] + draw(1))
    return [Path(context, answer) for context in contexts for answer in answers]


def random_adapter(model, seed: int, r: int = 3, targets: str | tuple[str, ...] = "all-linear") -> Adapter:
    generator = torch.Generator().manual_seed(seed)
    fresh = new_adapter(model, LoraShape(r=r, alpha=2.0 * r, targets=targets), generator)
    filled = {
        name: Lora(lora.a, torch.randn(lora.b.shape, generator=generator) * 0.3, lora.scale)
        for name, lora in fresh.modules.items()
    }
    return Adapter(filled, fresh.config)


def plain(model, path: Path) -> list[float]:
    """One unbatched, uncached forward of the whole sequence: the definition."""
    ids = torch.tensor([path.context + path.answer])
    with torch.no_grad():
        logprobs = torch.log_softmax(model(ids).logits[0].double(), dim=-1)
    start = len(path.context)
    return [float(logprobs[start + t - 1, token]) for t, token in enumerate(path.answer)]


def gap(one: list[float] | tuple[float, ...], other: list[float] | tuple[float, ...]) -> float:
    assert len(one) == len(other)
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_trees_under_stacked_adapters_equal_peft_one_by_one(architecture: str, tmp_path: FilePath) -> None:
    from peft import PeftModel

    model, paths = tiny_model(architecture), some_paths()
    adapters = [random_adapter(model, 1), random_adapter(model, 2, r=5), Adapter({})]
    for number, adapter in enumerate(adapters[:2]):
        write_adapter(tmp_path / str(number), adapter, base="tiny")
    read = [read_adapter(tmp_path / "0"), read_adapter(tmp_path / "1"), Adapter({})]
    scores = Engine(model, paths, max_nodes=64).score(read)
    for number in range(3):
        reference = tiny_model(architecture)
        wrapped = PeftModel.from_pretrained(reference, str(tmp_path / str(number))) if number < 2 else reference
        for path, score in zip(paths, scores[number], strict=True):
            assert gap(score.logprobs, plain(wrapped.eval(), path)) < 1e-4
    assert gap(scores[0][0].logprobs, scores[1][0].logprobs) > 1e-3, "they must differ to prove anything"


@pytest.mark.parametrize("max_nodes", [1, 30, 64, 10_000])
def test_the_size_of_trees_does_not_change_a_score(max_nodes: int) -> None:
    model, paths = tiny_model("mistral"), some_paths()
    scores = Engine(model, paths, max_nodes=max_nodes).score([])[0]
    assert max(gap(score.logprobs, plain(model, path)) for path, score in zip(paths, scores, strict=True)) < 1e-4


def test_eager_attention_reads_the_tree_mask_too() -> None:
    model, paths = tiny_model("llama", attn_implementation="eager"), some_paths()
    assert model.config._attn_implementation == "eager"
    scores = Engine(model, paths).score([])[0]
    assert max(gap(score.logprobs, plain(model, path)) for path, score in zip(paths, scores, strict=True)) < 1e-4


def test_going_from_one_adapter_to_another_and_back_gives_the_same_bits() -> None:
    model, paths = tiny_model(), some_paths()
    one, other = random_adapter(model, 1), random_adapter(model, 2, r=7, targets=("v_proj",))
    engine = Engine(model, paths, terminators=(2, 10))
    before, base_before = engine.score([one]), engine.score([])
    engine.score([other, one])
    assert engine.score([one]) == before
    assert engine.score([]) == base_before


def test_the_base_row_is_the_plain_base_to_the_bit() -> None:
    model, paths = tiny_model(), some_paths()[:1]
    Engine(model, paths).score([random_adapter(model, 1)])
    score = Engine(model, paths).score([])[0][0]
    ids = torch.tensor([paths[0].context + paths[0].answer])
    with torch.inference_mode():
        logits = tiny_model()(ids, use_cache=False).logits[0, len(paths[0].context) - 1].float()
    expected = logits[paths[0].answer[0]].double() - torch.logsumexp(logits, -1).double()
    assert score.logprobs[0] == float(expected)


def test_adapters_do_not_see_their_neighbours() -> None:
    model, paths = tiny_model(), some_paths()
    adapters = [random_adapter(model, seed) for seed in range(5)]
    together = Engine(model, paths).score(adapters)
    for number, adapter in enumerate(adapters):
        assert Engine(model, paths).score([adapter])[0] == together[number], "the same bits, alone or in company"


def test_the_end_of_an_answer_is_the_mass_of_the_terminators() -> None:
    model, path = tiny_model(), some_paths()[0]
    barred = Path(path.context, path.answer, barred=(10,))
    free, without_ten = Engine(model, [path, barred], terminators=(2, 10, 46)).score([])[0]
    ids = torch.tensor([path.context + path.answer])
    with torch.no_grad():
        p = torch.softmax(model(ids).logits[0, -1].double(), dim=-1)
    assert free.end == pytest.approx(float((p[2] + p[10] + p[46]).log()), abs=1e-5)
    assert without_ten.end == pytest.approx(float((p[2] + p[46]).log()), abs=1e-5)


def test_every_path_is_planted_once_and_trees_keep_their_size() -> None:
    paths = some_paths()
    trees = plant(paths, 40)
    assert sorted(index for tree in trees for index in tree.paths) == list(range(len(paths)))
    assert all(len(tree) <= 40 for tree in trees)
    assert len(plant(paths, 10_000)) == 1


def test_a_half_precision_head_computes_in_float32() -> None:
    model = tiny_model().to(torch.bfloat16)
    x = torch.randn(1, 3, 32, dtype=torch.bfloat16)
    with float32_head(model):
        assert model.lm_head(x).dtype == torch.float32
        assert model.model.norm(x).dtype == torch.float32
    assert model.lm_head(x).dtype == torch.bfloat16
    assert model.model.norm(x).dtype == torch.bfloat16


def test_the_shipped_mood_questionnaire_runs_under_a_byte_tokenizer() -> None:
    encoder = Encoder(byte_bpe())
    asks = plan(load("britains-mood"), encoder, ["sequence"])
    model = tiny_model()
    scores = Engine(model, [ask.path for ask in asks[:40]]).score([])[0]
    for ask, score in zip(asks[:40:7], scores[::7], strict=True):
        assert gap(score.logprobs, plain(model, ask.path)) < 1e-4


def test_all_continuations_of_a_five_token_vocabulary_hold_all_of_the_probability() -> None:
    model = tiny_model(vocab_size=5, pad_token_id=None, bos_token_id=None, eos_token_id=None)
    context = (0, 3, 1)
    paths = [Path(context, (a, b, c)) for a in range(5) for b in range(5) for c in range(5)]
    paths += [Path(context, (2,)), Path(context, (2, 4))]
    scores = Engine(model, paths, terminators=(3,)).score([random_adapter(model, 1)])[0]
    p = {path.answer: math.exp(sum(score.logprobs)) for path, score in zip(paths, scores, strict=True)}
    longest = [answer for answer in p if len(answer) == 3]
    assert sum(p[answer] for answer in longest) == pytest.approx(1.0, abs=1e-6)
    assert p[2,] == pytest.approx(sum(p[answer] for answer in longest if answer[:1] == (2,)), rel=1e-5)
    assert p[2, 4] == pytest.approx(sum(p[answer] for answer in longest if answer[:2] == (2, 4)), rel=1e-5)
    assert math.exp(scores[-1].end or 0) == pytest.approx(p[2, 4, 3] / p[2, 4], rel=1e-5)


def test_order_number_and_company_of_the_options_change_nothing() -> None:
    model, paths = tiny_model(), some_paths()
    adapters = [random_adapter(model, 1), random_adapter(model, 2)]
    reference = Engine(model, paths).score(adapters)[1]
    backwards = Engine(model, paths[::-1]).score(adapters)[1][::-1]
    alone = Engine(model, paths[7:8]).score(adapters)[1]
    crowded = Engine(model, [*paths, *some_paths(5)]).score(adapters)[1][: len(paths)]
    for other in (backwards, crowded):
        assert max(gap(a.logprobs, b.logprobs) for a, b in zip(reference, other, strict=True)) < 1e-4
    assert gap(alone[0].logprobs, reference[7].logprobs) < 1e-4


def test_padding_side_and_pad_token_of_the_tokenizer_change_nothing() -> None:
    plain_tokenizer, odd_tokenizer = byte_bpe(vocab=400), byte_bpe(vocab=400)
    odd_tokenizer.padding_side, odd_tokenizer.pad_token = "left", odd_tokenizer.eos_token
    asked = [plan(load("nhs"), Encoder(tokenizer), ["sequence"]) for tokenizer in (plain_tokenizer, odd_tokenizer)]
    assert [ask.path for ask in asked[0]] == [ask.path for ask in asked[1]]


def test_memory_does_not_grow_with_the_number_of_adapters() -> None:
    model, paths = tiny_model(), some_paths()
    few, many = Engine(model, paths, batch_tokens=200), Engine(model, paths, batch_tokens=1_000_000)
    assert few.stack_size == 200 // few.n_nodes
    assert many.stack_size * max(len(tree.rows) for tree in many.trees) * 260 * 4 <= 256 << 20


def test_a_model_that_ignores_the_tree_mask_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    model, paths = tiny_model(), some_paths()
    Engine(model, paths).verify()
    monkeypatch.setattr(Engine, "_mask", lambda self, tree: None)
    with pytest.raises(
        ProbeError, match=r"LlamaForCausalLM gives other log-probs for a tree .* set `probe.layout: rows`"
    ):
        Engine(model, paths).verify()
