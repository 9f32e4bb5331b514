"""The stage: shards, answers, resume, and what it refuses."""

from __future__ import annotations

import json
import shutil
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
import torch
from test_probe_engine import plain, random_adapter
from tiny import tiny_model
from tokenizers_for_tests import byte_bpe

from temporal_adapters.engines.model import write_adapter
from temporal_adapters.engines.scoring import METHODS
from temporal_adapters.ground import tables
from temporal_adapters.ground.dates import parse_week, week_label
from temporal_adapters.ground.errors import ArtifactError, ConfigError, ProbeError, QuestionnaireError
from temporal_adapters.stages import probe, train
from temporal_adapters.stages.probe.encode import Encoder
from temporal_adapters.stages.probe.plan import plan
from temporal_adapters.stages.probe.tree import Path as TokenPath
from temporal_adapters.study.artifacts import RunFolder, publish, read_manifest
from temporal_adapters.study.config import Study, load_study

WEEKS = [date(2023, 4, 3) + timedelta(weeks=n) for n in range(2)]
SEEDS = (1, 2)

QUESTIONS = """
questionnaire: small
choices:
  yesno:
    - {text: "Yes", code: 1, value: 1}
    - {text: "No", code: 2, value: 0}
    - {text: Don't know, role: nonresponse}
items:
  - item: approve
    type: select_one
    choices: yesno
    cases: [as-written, lower]
    wordings:
      - {wording: plain, text: "Do you approve?"}
      - {wording: felt, text: "Do you approve?", prefix: "I say"}
  - item: mood
    type: select_multiple
    options: [Happy, {text: Sad, aliases: [unhappy]}]
    wordings:
      - {wording: short, text: I feel}
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    tiny_model().save_pretrained(folder)
    byte_bpe().save_pretrained(folder)
    return folder


def make_run(folder: Path, base: Path, **probe_settings: object) -> tuple[Study, RunFolder]:
    """Write weeks and adapters as the stages before would, and a study that asks the small questionnaire."""
    (folder / "small.yaml").write_text(QUESTIONS)
    settings = {"questionnaires": ["small.yaml"], **probe_settings}
    study_path = folder / "study.yaml"
    study_path.write_text(
        f"study: test\npanel: {{paths: [none.csv]}}\nmodel: {{base: {base}}}\n"
        f"train: {{seeds: {list(SEEDS)}, steps: 1}}\n"
        f"probe: {json.dumps(settings)}\n"
    )
    run = RunFolder(folder / "runs" / "test")
    work = {"version": 1, "config": {}, "inputs": {}}
    with publish(run.weeks, stage="weeks", key="k", **work) as weeks:
        facts = []
        for start in WEEKS:
            tables.PANEL.empty().write_parquet(weeks.folder / f"{week_label(start)}.parquet")
            end = start + timedelta(days=6)
            facts.append({"label": week_label(start), "start": str(start), "end": str(end), "n_posts": 1, "n_users": 1})
        weeks.facts["weeks"] = facts
    model = tiny_model()
    study = load_study(study_path, folder / "runs")
    for wanted in train.expected(study, run):
        number, seed = WEEKS.index(parse_week(wanted.config["week"])), wanted.config["seed"]
        details = {"version": wanted.version, "config": wanted.config, "inputs": wanted.inputs}
        with publish(wanted.folder, stage="train", key=wanted.key, **details) as adapter:
            write_adapter(adapter.folder, random_adapter(model, 10 * number + seed, r=1 + number), base=str(base))
    return study, run


@pytest.fixture
def study_run(tmp_path: Path, base: Path) -> tuple[Study, RunFolder]:
    return make_run(tmp_path, base)


def answers(run: RunFolder) -> pl.DataFrame:
    return tables.check(pl.read_parquet(run.answers / "answers.parquet"), tables.ANSWERS)


def test_answers_equal_a_plain_forward_per_answer_under_peft(study_run: tuple[Study, RunFolder]) -> None:
    from peft import PeftModel

    study, run = study_run
    probe.run(study, run)
    frame = answers(run)
    assert frame.height == 5 * (3 + 3 + 2)
    asks = plan(probe.load_questionnaires(study)[0], Encoder(byte_bpe()), ["sequence"])
    folders = {
        "base": None,
        "2023-W14/seed-2": run.adapter("2023-W14", 2),
        "2023-W15/seed-1": run.adapter("2023-W15", 1),
    }
    for adapter, folder in folders.items():
        model = tiny_model()
        if folder is not None:
            model = PeftModel.from_pretrained(model, str(folder)).eval()
        for wording, option in (("plain", "Yes"), ("felt", "Don't know"), ("short", "Sad")):
            totals = [
                sum(plain(model, TokenPath(ask.encoded.context, ask.encoded.answer)))
                for ask in asks
                if (ask.wording, ask.option) == (wording, option)
            ]
            row = frame.filter(adapter=adapter, wording=wording, option=option).row(0, named=True)
            assert row["logprob"] == pytest.approx(torch.logsumexp(torch.tensor(totals), 0).item(), abs=1e-4)


def test_shares_exclude_nonresponse_and_masses_stay_apart(study_run: tuple[Study, RunFolder]) -> None:
    study, run = study_run
    probe.run(study, run)
    frame = answers(run).filter(item="approve")
    sums = frame.group_by("adapter", "wording").agg(pl.col("share").sum(), pl.col("clr").sum())
    assert sums["share"].to_list() == pytest.approx([1.0] * 10)
    assert sums["clr"].to_list() == pytest.approx([0.0] * 10, abs=1e-9)
    unsure = frame.filter(role="nonresponse")
    assert unsure["share"].null_count() == unsure["clr"].null_count() == unsure.height
    assert (unsure["logprob"].exp() - unsure["mass_nonresponse"]).abs().max() < 1e-12
    base = frame.filter(adapter="base")
    assert base["week"].null_count() == base.height and base["seed"].null_count() == base.height
    assert (base["logprob"] == base["base_logprob"]).all()
    assert set(frame["week"].drop_nulls()) == set(WEEKS)


def test_a_second_run_computes_nothing(study_run: tuple[Study, RunFolder], monkeypatch: pytest.MonkeyPatch) -> None:
    study, run = study_run
    assert [one.state for one in probe.expected(study, run)] == ["missing"] * 5
    first = probe.run(study, run)
    monkeypatch.setattr(
        "temporal_adapters.engines.model.load_base", lambda settings: pytest.fail("the base was loaded")
    )
    assert probe.run(study, run).created == first.created
    assert all(one.state == "done" for one in probe.expected(study, run))


def test_a_lost_shard_and_a_corrupt_one_are_redone_alone(study_run: tuple[Study, RunFolder]) -> None:
    study, run = study_run
    probe.run(study, run)
    before = answers(run)
    stamps = {path: path.stat().st_mtime_ns for path in run.root.glob("logprobs/small/**/forms.parquet")}
    corrupt, lost = run.logprobs("small", "2023-W14/seed-1"), run.logprobs("small", "2023-W15/seed-2")
    (corrupt / "forms.parquet").write_bytes(b"PAR1 cut off")
    shutil.rmtree(lost)
    probe.run(study, run)
    touched = {path.parent for path, stamp in stamps.items() if path.stat().st_mtime_ns != stamp}
    assert touched == {corrupt, lost}
    assert answers(run).equals(before), "the same bits, though the neighbours in the stack are others"


def test_a_shard_without_manifest_is_redone(study_run: tuple[Study, RunFolder]) -> None:
    study, run = study_run
    probe.run(study, run)
    (run.logprobs("small", "base") / "manifest.json").unlink()
    probe.run(study, run)
    assert read_manifest(run.logprobs("small", "base")) is not None


def test_a_changed_question_recomputes_only_itself(
    study_run: tuple[Study, RunFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from temporal_adapters.stages.probe import forward

    study, run = study_run
    probe.run(study, run)
    before = answers(run).filter(item="approve")
    (tmp_path / "small.yaml").write_text(QUESTIONS.replace("I feel", "I am"))
    asked: list[int] = []
    original = forward.Engine.score

    def spy(self: forward.Engine, adapters: list[object]) -> object:
        asked.append(len(self.paths))
        return original(self, adapters)

    monkeypatch.setattr(forward.Engine, "score", spy)
    probe.run(study, run)
    assert set(asked) == {1, 3}, "only Happy, Sad and unhappy follow the changed prompt; one path checks the tree"
    assert answers(run).filter(item="approve").equals(before)


SHARED_PROMPT = """
questionnaire: small
choices:
  short: [{text: "Yes"}, {text: "No"}]
  long: [{text: "Yes"}, {text: "Yes."}, {text: "No"}]
items:
  - {item: long, type: select_one, choices: long, wordings: [{wording: plain, text: "Do you approve?"}]}
  - {item: short, type: select_one, choices: short, wordings: [{wording: plain, text: "Do you approve?"}]}
  - {item: mood, type: select_one, choices: short, wordings: [{wording: plain, text: "Happy?"}]}
"""


def test_questions_with_one_prompt_and_other_options_keep_their_own_ends_after_an_edit(
    tmp_path: Path, base: Path
) -> None:
    study, run = make_run(tmp_path, base, methods=["sequence+end", "trie"])
    (tmp_path / "small.yaml").write_text(SHARED_PROMPT)
    probe.run(study, run)
    before = answers(run).filter(pl.col("item") != "mood")
    yes = before.filter(adapter="base", method="sequence+end", option="Yes")
    assert yes["logprob"].n_unique() == 2, "behind 'Yes' the full stop ends the short list's answer only"
    (tmp_path / "small.yaml").write_text(SHARED_PROMPT.replace("Happy?", "Sad?"))
    probe.run(study, run)
    assert answers(run).filter(pl.col("item") != "mood").equals(before)


def test_a_changed_role_changes_the_answers_without_any_forward_pass(
    study_run: tuple[Study, RunFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from temporal_adapters.stages.probe import forward

    study, run = study_run
    probe.run(study, run)
    (tmp_path / "small.yaml").write_text(QUESTIONS.replace("role: nonresponse", "value: 0.5"))
    monkeypatch.setattr(forward.Engine, "score", lambda self, adapters: pytest.fail("a model was run"))
    probe.run(study, run)
    unsure = answers(run).filter(option="Don't know")
    assert unsure["share"].null_count() == 0 and set(unsure["role"]) == {"substantive"}


def test_two_questionnaires_with_the_same_item_are_refused(study_run: tuple[Study, RunFolder], tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(QUESTIONS.replace("questionnaire: small", "questionnaire: other"))
    both = tuple(str(tmp_path / name) for name in ("small.yaml", "other.yaml"))
    study = study_run[0].model_copy(update={"probe": study_run[0].probe.model_copy(update={"questionnaires": both})})
    with pytest.raises(QuestionnaireError, match=r"small.yaml and .*other.yaml both hold the item 'approve'"):
        probe.run(study, study_run[1])


def test_missing_adapters_are_refused_unless_the_study_allows_them(study_run: tuple[Study, RunFolder]) -> None:
    study, run = study_run
    gone = run.adapter("2023-W15", 2)
    gone.rename(gone.with_name("seed-2.partial-999999"))
    with pytest.raises(ProbeError, match=r"1 of 4 adapters are missing or half-written \(first 2023-W15/seed-2\)"):
        probe.run(study, run)
    allowed = study.model_copy(update={"series": study.series.model_copy(update={"allow_missing": True})})
    probe.run(allowed, run)
    assert answers(run)["adapter"].n_unique() == 4


def test_a_damaged_adapter_is_named_and_nothing_is_lost(study_run: tuple[Study, RunFolder]) -> None:
    study, run = study_run
    weights = run.adapter("2023-W14", 2) / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(ProbeError, match="2023-W14/seed-2 is damaged"):
        probe.run(study, run)
    assert read_manifest(run.logprobs("small", "base")) is not None
    assert not list(run.root.glob("**/*.partial-*"))
    assert not run.answers.exists()


def test_an_adapter_folder_without_manifest_is_refused(study_run: tuple[Study, RunFolder]) -> None:
    study, run = study_run
    (run.adapter("2023-W14", 2) / "manifest.json").unlink()
    with pytest.raises(ArtifactError, match=r"seed-2 has no readable manifest.json"):
        probe.run(study, run)


def test_options_with_the_same_text_are_refused_with_their_line(
    study_run: tuple[Study, RunFolder], tmp_path: Path
) -> None:
    study, run = study_run
    (tmp_path / "small.yaml").write_text(QUESTIONS.replace("aliases: [unhappy]", "aliases: [happy]"))
    with pytest.raises(QuestionnaireError, match=r"small.yaml:18: .*'Happy' and 'Sad' share the text 'happy'"):
        probe.run(study, run)


def test_the_names_of_the_methods_in_the_study_file_are_those_of_scoring() -> None:
    from temporal_adapters.study.config.probe import METHOD_NAMES, Probe

    assert set(METHOD_NAMES) == set(METHODS)
    with pytest.raises(ValueError, match="did you mean 'sequence'"):
        Probe(methods=("sequnce",))


def test_an_unknown_method_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("study: s\npanel: {paths: [a.csv]}\nprobe:\n  methods: [sequnce]\n")
    with pytest.raises(ConfigError, match=r"study.yaml:4: .*no scoring method 'sequnce'"):
        load_study(path)


EVERYTHING = """
questionnaire: everything
items:
  - item: approve
    type: select_one
    options: [Good, Bad, {text: Unsure, role: nonresponse}]
    cases: [as-written, lower]
    orders: all
    wordings:
      - {wording: plain, text: "Well?", delimiter: "", premise: "Now:", content_free: ["N/A", "-"]}
      - {wording: listed, text: "Well?", listing: letters, prefix: "Answer:", delimiter: ""}
  - item: mood
    type: select_multiple
    options: [Happy, Sad]
    wordings:
      - {wording: each, ask: each, text: "Are you {option}?"}
  - item: scale
    type: scale
    options: [{text: High, value: 3}, {text: Middle, value: 2}, {text: Low, value: 1}]
    wordings:
      - {wording: plain, text: "How much?", delimiter: ""}
"""


def test_every_method_goes_through_the_stage_and_legacy_rows_are_flagged(tmp_path: Path, base: Path) -> None:
    study, run = make_run(tmp_path, base, questionnaires=["everything.yaml"], methods=[*METHODS])
    (tmp_path / "everything.yaml").write_text(EVERYTHING)
    probe.run(study, run)
    frame = answers(run)
    assert set(frame["method"]) == set(METHODS)
    assert set(frame.filter(pl.col("method").str.starts_with("legacy"))["order"]) == {"as-written", "lower"}
    assert set(frame.filter(method="permutation")["order"]) == {"all"}
    assert set(frame.filter(method="pride")["order"]) == {"as-written", "1-0"}
    assert set(frame.filter(method="inclusion")["item"]) == {"mood"}
    assert set(frame.filter(method="pmi-dc")["wording"]) == {"plain"}
    contrast = frame.filter(method="base", adapter="base")
    assert contrast["logprob"].abs().max() == 0.0
    scales = pl.read_parquet(run.answers / "scales.parquet").filter(method="sequence")
    assert scales.height == 5 and scales["mean"].is_between(1, 3).all()
    assert scales.filter(adapter="base")["base_distance"].abs().max() < 1e-12
    positions = pl.read_parquet(run.answers / "positions.parquet")
    assert positions.group_by("adapter", "wording", "method").agg(pl.col("share").sum())["share"].to_list() == (
        pytest.approx([1.0] * 10)
    )


def test_options_that_share_a_first_token_are_refused_before_any_forward_pass(tmp_path: Path, base: Path) -> None:
    study, run = make_run(tmp_path, base, methods=["first"])
    with pytest.raises(ProbeError, match="'Yes' and 'No' share a first token"):
        probe.run(study, run)
    assert not (run.root / "logprobs").exists()


def published(
    model: object, tokenizer: object, question: str, texts: list[str], temperature: float
) -> list[list[float]]:
    """The published script's three scores per option, from its description, without its bookkeeping in data frames."""
    rows = [tokenizer(f"{tokenizer.eos_token}{question} {text}")["input_ids"] for text in texts]
    width, n_question = max(map(len, rows)), len(tokenizer(question)["input_ids"])
    ids = torch.tensor([row + [tokenizer.eos_token_id] * (width - len(row)) for row in rows])
    mask = torch.tensor([[0] + [1] * (len(row) - 1) + [0] * (width - len(row)) for row in rows])
    with torch.no_grad():
        logits = model(ids, attention_mask=mask).logits[:, :-1]
    following = ids[:, 1:, None]
    chosen = logits.gather(2, following)[..., 0]
    tables = [
        torch.log_softmax(logits / temperature, -1).gather(2, following)[..., 0],
        torch.log_softmax(chosen / temperature, 0),
        chosen,
    ]
    special = torch.tensor(tokenizer.all_special_ids)
    counted = ~torch.isin(ids[:, 1:], special)
    counted[:, :n_question] = False
    return [(table * counted).sum(1).tolist() for table in tables]


@pytest.mark.parametrize("bos", [True, False])
def test_the_legacy_methods_reproduce_the_published_script(bos: bool) -> None:
    from temporal_adapters.engines.model import Adapter
    from temporal_adapters.stages.probe.legacy import batches, legacy_rows

    tokenizer, model = byte_bpe(bos=bos, vocab=260), tiny_model()
    from temporal_adapters.study.questionnaire import Item, Option, Questionnaire, Wording

    texts = ["Happy", "Sad", "Apathetic"]
    item = Item("q", "select_one", tuple(Option(t, t) for t in texts), (Wording("w", "How are you?", prefix="I felt"),))
    asked = batches(Questionnaire("t", (item,)), tokenizer)
    assert len(asked) == 1
    adapter = random_adapter(model, 3)
    rows = legacy_rows(model, [adapter, Adapter({})], asked, tokenizer, temperature=0.5)
    for number, variant in enumerate(("legacy-v1", "legacy-v2", "legacy-v3")):
        truth = published(model, tokenizer, "How are you? I felt", texts, 0.5)[number]
        ours = [row.total for row in rows[1] if row.context == variant]
        assert ours == pytest.approx(truth, abs=1e-3)
    assert [row.total for row in rows[0]] != pytest.approx([row.total for row in rows[1]], abs=1e-2)


# The command line.


@pytest.fixture
def command(study_run: tuple[Study, RunFolder], tmp_path: Path):
    from typer.testing import CliRunner

    from temporal_adapters.cli import app

    def call(*words: str):
        return CliRunner().invoke(app, list(words))

    return call


def test_a_dry_run_prints_prompts_and_runs_no_model(
    command, tmp_path: Path, study_run: tuple[Study, RunFolder]
) -> None:
    done = command("probe", "--dry-run", "--study", str(tmp_path / "study.yaml"), "--runs", str(tmp_path / "runs"))
    assert done.exit_code == 0, done.output
    assert "approve / felt / as-written / prompt" in done.output
    assert "║" in done.output and "5 models" in done.output and "estimate" in done.output
    assert not (study_run[1].root / "logprobs").exists()


def test_the_probe_command_warns_of_low_mass(command, tmp_path: Path) -> None:
    done = command("probe", "--study", str(tmp_path / "study.yaml"), "--runs", str(tmp_path / "runs"))
    assert done.exit_code == 0, done.output
    assert "warning: under the base, the options of approve (wording plain, sequence) hold only" in done.output


def test_a_check_reports_shared_first_tokens_and_mass(command, base: Path, tmp_path: Path) -> None:
    done = command("questionnaire", "check", str(tmp_path / "small.yaml"), "--base", str(base))
    assert done.exit_code == 0, done.output
    assert "note: approve / plain: these options share a first token" in done.output
    assert "warning: mood / short: the base puts" in done.output
    failed = command("questionnaire", "check", str(tmp_path / "small.yaml"), "--base", str(base), "--method", "first")
    assert failed.exit_code == 1 and "error: approve / plain" in failed.output


def test_an_import_writes_a_questionnaire_that_loads(command, tmp_path: Path) -> None:
    from temporal_adapters.study.questionnaire import load

    source = tmp_path / "drinks.csv"
    source.write_text("questionnaire_item_id,question_content\ncoffee,Do you like coffee?\n")
    words = ["questionnaire", "import", str(source), "--to", str(tmp_path / "out.yaml"), "--option", "1=Yes"]
    done = command(*words, "--option", "2=No", "--scale", "coffee")
    assert done.exit_code == 0, done.output
    assert [option.value for option in load(tmp_path / "out.yaml").items[0].options] == [1.0, 2.0]


def test_some_models_alone_can_be_asked_by_one_of_many_workers(study_run: tuple[Study, RunFolder]) -> None:
    study, run = study_run
    probe.fill(study, run, ["base", "2023-W15/seed-1"])
    assert sorted(path.parent.name for path in run.root.glob("logprobs/**/forms.parquet")) == ["base", "seed-1"]
    assert not run.answers.exists()
    with pytest.raises(ProbeError, match="there is no finished adapter '2023-W16/seed-1'"):
        probe.fill(study, run, ["2023-W16/seed-1"])
    probe.run(study, run)
    assert answers(run)["adapter"].n_unique() == 5
