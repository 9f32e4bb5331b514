"""Adapters of a run act, each fits its own week, and one that does nothing stops the run by its name."""

from __future__ import annotations

import polars as pl
import pytest
import torch
from tiny import save_tiny_base, write_weeks

from temporal_adapters import line
from temporal_adapters.engines.model import Adapter, LoraShape, load_base, stacked
from temporal_adapters.ground.errors import ProbeError
from temporal_adapters.stages.base import proof
from temporal_adapters.stages.base.trials import trial_adapter
from temporal_adapters.stages.report.proof import proof_table
from temporal_adapters.stages.tokens import chunk, pack
from temporal_adapters.study.artifacts import RunFolder
from temporal_adapters.study.config import load_study
from temporal_adapters.study.config.model import Model

WORDS = ["the cat sat on the mat and purred", "rain again all day in the grey city", "goals goals goals what a match"]


@pytest.fixture
def study(tmp_path):
    base = save_tiny_base(tmp_path / "base")
    (tmp_path / "study.yaml").write_text(
        f"study: x\npanel: {{paths: [none.csv]}}\nmodel: {{base: {base}, device: cpu}}\n"
        "tokens: {block_length: 64, held_out: 0.3}\n"
        "train: {steps: 30, r: 4, targets: all-linear, learning_rate: 0.01, blocks_per_step: 2, seeds: [1]}\n"
        "probe: {questionnaires: [demo-mood], proof_posts: 6}\n"
    )
    run = RunFolder(tmp_path / "runs" / "x")
    write_weeks(run, [[f"{text}, {n}" for n in range(30)] for text in WORDS])
    return load_study(str(tmp_path / "study.yaml"), tmp_path / "runs"), run


def test_each_week_s_adapter_fits_its_own_held_out_posts_best(study):
    said = []
    line.make(line.Work(*study, say=said.append), since="train", until="probe")
    assert any("proof: 3 of 3 adapters fit held-out posts of their own week better" in one for one in said)
    table = proof_table(pl.read_parquet(study[1].proof / proof.FILE))
    assert table["week"].to_list() == ["2023-W14", "2023-W15", "2023-W16"] and table["n_posts"].to_list() == [6] * 3
    assert table["before"].to_list()[0] is None and table["after"].to_list()[-1] is None
    assert (table["own"] < table["base"]).all()


def test_an_adapter_that_does_nothing_stops_the_run_with_its_name(study, tmp_path):
    """A learning rate that moves nothing, as a slip of the exponent makes it."""
    settings = load_study(str(tmp_path / "study.yaml"), tmp_path / "runs", ["train.learning_rate=1e-14"])
    with pytest.raises(ProbeError, match="the adapter 2023-W14/seed-1 answers like the base"):
        line.make(line.Work(settings, study[1]), since="train", until="series")
    assert not study[1].series.exists()


def test_values_that_are_no_numbers_stop_the_run(study):
    rows = {"adapter": ["base", "2023-W14/seed-1"], "logprob": [-1.0, float("nan")], "base_logprob": [-1.0, -1.0]}
    with pytest.raises(ProbeError, match="2023-W14/seed-1 gives log-probabilities that are no finite numbers"):
        proof.require_acting(pl.DataFrame(rows))
    rows = {"adapter": ["base", "a"], "logprob": [-1.0, -1.0 + 2 * proof.NOISE], "base_logprob": [-1.0, -1.0]}
    proof.require_acting(pl.DataFrame(rows))


def test_losses_are_those_of_hugging_face_on_each_post(tmp_path):
    """Second source: the model's own loss, post by post."""
    base = load_base(Model(base=str(save_tiny_base(tmp_path / "base")), device="cpu"))
    adapter, posts = trial_adapter(base, LoraShape(2, 4.0)), [list(range(10, 30)), list(range(40, 47))]
    found = proof.mean_losses(base, [adapter, Adapter({}, {})], posts)

    def total():
        ids = [torch.tensor([post]) for post in posts]
        with torch.no_grad():
            return sum(float(base.model(input_ids=one, labels=one).loss) * (one.numel() - 1) for one in ids)

    plain = total()
    with stacked(base.model, [adapter]):
        mine = total()
    assert found == pytest.approx([mine / 25, plain / 25], rel=1e-5)


def test_the_sample_is_whole_documents_evenly_spread():
    documents = [[n] * (3 + n % 4) for n in range(1, 21)]
    for blocks in (pack(documents, 16), pack(documents, 16, alone=True)):
        found = proof.sample(blocks, "document", 7)
        assert len(found) == 7 and all(post in documents for post in found)
        assert len({post[0] for post in found}) == 7
    assert len(proof.sample(pack(documents, 16), "document", 100)) == 20
    assert proof.sample(chunk(documents, 8), "chunk", 2)[0] == [1, 1, 1, 1, 2, 2, 2, 2]


def test_a_proof_that_cannot_be_made_is_said_and_does_not_stop_the_answers(study):
    import shutil

    settings, run = study
    line.make(line.Work(settings, run), since="train", until="train")
    shutil.rmtree(run.tokens("2023-W15"))
    said = []
    assert line.probe(line.Work(settings, run, say=said.append)).facts["n_models"] == 4
    assert any(one.startswith("proof: which weeks' posts adapters fit best was not measured") for one in said)
