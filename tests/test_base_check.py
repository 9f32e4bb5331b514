"""What a base must be fit for, on tiny models of every kind: leaks, positions, tokens, PEFT, asking."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from tiny import save_tiny_base, tiny_model, tiny_tokenizer

from temporal_adapters.engines.model import Base, LoraShape, load_base, stacked
from temporal_adapters.engines.model.kernels import Kernels
from temporal_adapters.ground.errors import ModelError
from temporal_adapters.stages.base import trials
from temporal_adapters.stages.base.check import CHECKS, Wanted, examine, position_limit, require
from temporal_adapters.study.config.model import Model

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from architectures import ARCHITECTURES, COLUMNS, build, table
from architectures import examine as examine_architecture

ALL = LoraShape(4, 8.0, targets="all-linear")
GENERATOR = torch.Generator().manual_seed(3)
A, B = (torch.randint(3, 250, (n,), generator=GENERATOR).tolist() for n in (30, 41))


def base_of(architecture, tmp_path, **changes) -> Base:
    return load_base(Model(base=str(save_tiny_base(tmp_path / architecture, architecture, **changes)), device="cpu"))


def wild(kind, tmp_path) -> Base:
    """Return a tiny model of any architecture, as the table of architectures builds it."""
    return load_base(Model(base=str(build(kind, tmp_path / kind)), device="cpu"))


def sentence(results, name):
    return next(result.sentence for result in results if result.name == name)


@pytest.mark.parametrize("attention", ["document", "chunk", "padded"])
@pytest.mark.parametrize("architecture", ["llama", "mistral", "gemma2", "gpt2"])
def test_common_architectures_pass_every_check(architecture, attention, tmp_path):
    results = examine(base_of(architecture, tmp_path), Wanted(attention, longest=64, shape=ALL))
    assert [result.name for result in results] == list(CHECKS)
    assert [result.sentence for result in results if result.sentence] == []


def test_examining_leaves_the_base_as_it_was(tmp_path):
    base = base_of("llama", tmp_path)
    before = {name: type(module) for name, module in base.model.named_modules()}
    logits = trials.plain_logits(base, A)
    examine(base, Wanted(shape=ALL))
    assert {name: type(module) for name, module in base.model.named_modules()} == before
    assert torch.equal(trials.plain_logits(base, A), logits)


@pytest.mark.parametrize("kind", ["bloom", "qwen3_next", "gpt_neo", "rwkv"])
def test_posts_that_see_each_other_are_refused_and_padded_rows_help(kind, tmp_path):
    base = wild(kind, tmp_path)
    name = "documents do not see each other"
    refused = sentence(examine(base, Wanted(shape=ALL)), name)
    assert refused.startswith("tokens.attention: `document` cannot keep posts apart in " + kind)
    assert "set attention to `padded`" in refused
    assert sentence(examine(base, Wanted("padded", shape=ALL)), name) == ""


def test_the_loss_of_a_padded_post_is_that_of_the_plain_forward_pass_on_an_architecture_that_leaks(tmp_path):
    """Second source: Hugging Face's own loss of the post alone."""
    base = wild("bloom", tmp_path)
    adapter = trials.trial_adapter(base, ALL)
    for ours, plain in trials.document_losses(base, A, B, "padded", Kernels(), adapter):
        assert ours == pytest.approx(plain, rel=1e-5)
    leaking = trials.document_losses(base, A, B, "document", Kernels(), adapter)
    assert max(abs(ours - plain) / plain for ours, plain in leaking) > 0.01


def test_plain_losses_are_those_of_hugging_face(tmp_path):
    base = base_of("llama", tmp_path)
    adapter = trials.trial_adapter(base, ALL)
    plain = trials.document_losses(base, A, B[:2], "padded", Kernels(), adapter)
    ids = torch.tensor([B[:2]])
    with stacked(base.model, [adapter]), torch.no_grad():
        theirs = float(base.model(input_ids=ids, labels=ids).loss)
    assert plain[0][1] == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize("kind", ["deepseek_v3", "qwen3_next"])
def test_targets_that_peft_reads_as_other_weights_are_refused_with_those_that_work(kind, tmp_path):
    base, name = wild(kind, tmp_path), "PEFT reads an adapter to the same logits"
    refused = sentence(examine(base, Wanted("padded", shape=ALL)), name)
    assert refused.startswith("train.targets: PEFT reads these targets on " + kind)
    offered = tuple(refused.partition("some of [")[2].partition("]")[0].split(", "))
    assert "o_proj" in offered and "gate_proj" not in offered
    assert sentence(examine(base, Wanted("padded", shape=LoraShape(4, 8.0, targets=offered))), name) == ""


def test_a_model_that_sees_ahead_is_no_decoder(tmp_path):
    results = examine(wild("bert", tmp_path), Wanted(shape=ALL))
    assert "no causal language model" in results[-1].sentence and len(results) == 2


def test_an_encoder_decoder_is_refused_when_it_is_loaded(tmp_path):
    with pytest.raises(ModelError, match="T5 is no causal decoder"):
        wild("t5", tmp_path)


def test_a_block_longer_than_the_positions_is_refused_with_the_number_that_fits(tmp_path):
    base = base_of("gpt2", tmp_path)
    assert position_limit(base.model.config) == 256
    with pytest.raises(ModelError, match=r"tokens.block_length: a block has 512 tokens.* set block_length to 256"):
        require(base, Wanted("chunk", longest=512))
    require(base, Wanted("chunk", longest=256))


def test_a_token_without_an_embedding_is_refused():
    model = tiny_model(vocab_size=200)
    base = Base(model, tiny_tokenizer(), "small", "0", torch.device("cpu"), torch.float32)
    with pytest.raises(ModelError, match=r"gives the number 258 .* the model has 200 embeddings"):
        require(base, Wanted())


def test_weights_that_are_no_numbers_are_refused():
    model = tiny_model()
    model.model.norm.weight.data[0] = float("inf")
    base = Base(model, tiny_tokenizer(), "bad", "0", torch.device("cpu"), torch.float32)
    with pytest.raises(ModelError, match=r"model.norm.weight holds values that are no finite numbers"):
        require(base, Wanted())


def test_a_tokenizer_that_begins_twice_is_refused():
    from tokenizers import processors

    tokenizer = tiny_tokenizer()
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> <s> $A", special_tokens=[("<s>", 1)]
    )
    base = Base(tiny_model(), tokenizer, "twice", "0", torch.device("cpu"), torch.float32)
    with pytest.raises(ModelError, match=r"tokens.bos: .* twice"):
        require(base, Wanted())
    require(base, Wanted(bos="always"))


def test_trees_are_refused_where_they_differ_and_rows_help(tmp_path):
    base, name = wild("mpt", tmp_path), "asking gives the log-probabilities of a plain forward pass"
    assert "set layout to `rows`" in sentence(examine(base, Wanted("padded", shape=ALL)), name)
    assert sentence(examine(base, Wanted("padded", shape=ALL, layout="rows")), name) == ""


def test_targets_that_do_not_exist_are_one_sentence(tmp_path):
    base = base_of("gpt2", tmp_path)
    with pytest.raises(ModelError, match=r"train.targets: no linear layer is called 'q_proj'"):
        require(base, Wanted(shape=LoraShape(4, 8.0, targets=("q_proj",))))


@pytest.mark.slow
def test_at_least_forty_decoders_work_or_are_refused_with_one_sentence():
    """The table of docs/bases.md, computed: nothing ends in a traceback, and what was said to work does."""
    found = {kind: examine_architecture(kind) for kind in ARCHITECTURES}
    assert len(found) >= 42
    padded = [kind for kind, results in found.items() if results.get("padded") == ""]
    assert len(padded) >= 40 and set(found) - set(padded) <= {"bert", "t5"}
    sentences = [text for results in found.values() for text in results.values() if text]
    assert not [text for text in sentences if "Traceback" in text or "\n" in text]
    written = (Path(__file__).resolve().parents[1] / "docs" / "bases.md").read_text(encoding="utf-8")
    rows = [line for line in written.splitlines() if line.startswith("| ") and line.count("|") == len(COLUMNS) + 2]
    columns = [line.replace("`", "").split(" | ") for line in table(found).splitlines() if line.startswith("| ")]
    assert [[cell[:3] for cell in line.split(" | ")] for line in rows] == [[c[:3] for c in line] for line in columns]


def test_an_adapter_on_modules_whose_weights_are_read_elsewhere_is_refused(tmp_path):
    """Mamba multiplies with the weight of its dt_proj itself: PEFT's adapters and ours do nothing there."""
    base = wild("mamba", tmp_path)
    refused = examine(base, Wanted("padded", shape=LoraShape(4, 8.0, targets=("dt_proj",))))
    assert "an adapter on these targets changes nothing in mamba" in refused[-4].sentence


def test_the_longest_document_is_counted_in_blocks():
    from temporal_adapters.stages.base.stage import longest_document
    from temporal_adapters.stages.tokens import chunk, pack

    documents = [[5] * 7, [6] * 3, [7] * 12]
    assert longest_document(pack(documents, 16), "document") == 12
    assert longest_document(pack(documents, 16, alone=True), "padded") == 12
    assert longest_document(pack([[5] * 3], 16), "document") == 3
    assert longest_document(chunk(documents, 8), "chunk") == 8


def test_what_passed_is_remembered_and_what_failed_is_not(tmp_path, monkeypatch):
    from temporal_adapters.stages.base import stage

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    asked = []
    monkeypatch.setattr(stage, "require", lambda base, wanted: asked.append(wanted))
    settings = Model(base=str(save_tiny_base(tmp_path / "base")), device="cpu")
    for _ in range(2):
        stage.ensure(settings, Wanted())
    stage.ensure(settings, Wanted("chunk"))
    assert [one.attention for one in asked] == ["document", "chunk"]

    def refuse(base, wanted):
        raise ModelError("no")

    monkeypatch.setattr(stage, "require", refuse)
    for _ in range(2):
        with pytest.raises(ModelError):
            stage.ensure(settings, Wanted("padded"))


def test_ta_base_check_says_everything_and_ends_with_1_where_something_fails(tmp_path):
    from typer.testing import CliRunner

    from temporal_adapters.cli import app

    folder = str(build("bloom", tmp_path / "bloom"))
    shown = CliRunner().invoke(app, ["base", "check", folder, "--target", "all-linear"])
    assert shown.exit_code == 1 and "no   documents do not see each other: tokens.attention" in shown.output
    fit = ["base", "check", folder, "--target", "all-linear", "--attention", "padded", "--layout", "rows"]
    assert CliRunner().invoke(app, fit).exit_code == 0
