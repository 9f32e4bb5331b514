"""The reader: the base asked after each post, checked against plain forward passes and summed up by week."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch
from tiny import save_tiny_base, tiny_tokenizer, write_weeks

from temporal_adapters import line
from temporal_adapters.engines.model import load_base
from temporal_adapters.ground import tables
from temporal_adapters.ground.errors import ProbeError, ReadError
from temporal_adapters.stages.read import posts as reading
from temporal_adapters.stages.read import stage, weekly
from temporal_adapters.stages.read.preview import preview
from temporal_adapters.study import questionnaire
from temporal_adapters.study.artifacts import RunFolder, read_manifest
from temporal_adapters.study.config import load_study
from temporal_adapters.study.config.model import Model
from temporal_adapters.study.config.read import Read

QUESTIONS = """questionnaire: moods
language: en
choices:
  moods:
    - {text: happy, aliases: [glad]}
    - {text: sad}
items:
  - item: mood
    type: select_one
    choices: moods
    wordings:
      - wording: today
        text: "My mood today:"
      - wording: feel
        text: ""
        prefix: "I feel"
      - wording: listed
        text: "How are you?"
        listing: letters
"""
TEXTS = ["a fine day", "rain, rain, rain and more", "goal! what a match it was"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "moods.yaml").write_text(QUESTIONS)
    return tmp_path


@pytest.fixture
def base(folder):
    return load_base(Model(base=str(save_tiny_base(folder / "base", initializer_range=0.2)), device="cpu"))


def asked(folder, tokenizer, wordings=()):
    return reading.questions([questionnaire.load(str(folder / "moods.yaml"))], tokenizer, wordings)


def plain(base, text, answer):
    """Log-probability of `answer` after `text` by one forward pass of Hugging Face, token by token."""
    ids = base.tokenizer(text + answer)["input_ids"]
    n = len(base.tokenizer(text)["input_ids"])
    with torch.no_grad():
        logprobs = base.model(input_ids=torch.tensor([ids])).logits[0].float().log_softmax(-1)
    return sum(float(logprobs[at - 1, ids[at]]) for at in range(n, len(ids)))


@pytest.mark.parametrize("max_nodes", [1, 40, 256, 2000])
def test_every_option_after_every_post_has_the_mass_of_plain_forward_passes(folder, base, max_nodes):
    mine = asked(folder, base.tokenizer)
    columns = reading.cells(mine)
    assert {wording for _, wording, _ in columns} == {"today", "feel"}
    found, n_cut = reading.masses(base, TEXTS, mine, Read(), max_nodes=max_nodes)
    assert n_cut == 0
    for row, text in enumerate(TEXTS):
        opening = f'"{text}"\n'
        forms = {"happy": ["happy", "glad"], "sad": ["sad"]}
        prompts = {"today": "My mood today:", "feel": "I feel"}
        for number, (_, wording, option) in enumerate(columns):
            mass = sum(np.exp(plain(base, opening + prompts[wording], f" {form}")) for form in forms[option])
            assert found[row, number] == pytest.approx(mass, rel=1e-4)


def test_long_posts_are_cut_and_counted(folder, base):
    mine = asked(folder, base.tokenizer)
    long = "x" * 300
    whole, n_cut = reading.masses(base, [long, "x" * 20], mine, Read(post_tokens=20), max_nodes=256)
    assert n_cut == 1
    np.testing.assert_allclose(whole[0], whole[1], rtol=1e-5)


def test_shares_values_and_weights_by_hand():
    columns = [("mood", "a", "up"), ("mood", "a", "down"), ("mood", "b", "up"), ("mood", "b", "down")]
    masses = np.array([[0.2, 0.2, 0.3, 0.1], [0.1, 0.3, 0.2, 0.2], [0.4, 0.1, 0.0, 0.0]])
    found = weekly.shares(masses, columns)
    np.testing.assert_allclose(found[:2], [[0.5, 0.5, 0.75, 0.25], [0.25, 0.75, 0.5, 0.5]])
    np.testing.assert_allclose(found[2, :2], [0.8, 0.2])
    assert np.isnan(found[2, 2:]).all()
    np.testing.assert_allclose(weekly.weights(["x", "x", "y"], "users"), [0.75, 0.75, 1.5])
    whole, wordings = weekly.pooled(
        masses, ["x", "x", "y"], columns, "share", user_weight="users", resamples=50, seed=1
    )
    a = (0.5 * 0.75 + 0.25 * 0.75 + 0.8 * 1.5) / 3
    b = (0.75 * 0.75 + 0.5 * 0.75) / 1.5
    assert wordings[0]["share"] == pytest.approx(a) and wordings[2]["share"] == pytest.approx(b)
    assert whole[0]["value"] == pytest.approx((a + b) / 2) and whole[0]["n"] == 3
    assert wordings[0]["mass"] == pytest.approx((0.4 * 0.75 + 0.4 * 0.75 + 0.5 * 1.5) / 3)


@pytest.mark.parametrize("scale", ["log-odds", "clr"])
def test_scales_are_those_of_the_mean_share(scale):
    columns = [("mood", "a", "up"), ("mood", "a", "down")]
    mean = np.array([0.8, 0.2])
    expected = {"log-odds": [np.log(4), -np.log(4)], "clr": [np.log(4) / 2, -np.log(4) / 2]}[scale]
    np.testing.assert_allclose(weekly.values(mean, columns, scale), expected)


def test_the_standard_error_is_that_of_users_not_of_posts():
    """Second source: the standard error of a mean of independent users, each with ten equal posts."""
    rng = np.random.default_rng(0)
    per_user = rng.beta(2, 2, 60)
    masses = np.repeat(np.stack([per_user, 1 - per_user], 1) * 0.1, 10, axis=0)
    users = [f"u{n // 10}" for n in range(600)]
    columns = [("mood", "a", "up"), ("mood", "a", "down")]
    whole, _ = weekly.pooled(masses, users, columns, "share", user_weight="posts", resamples=2000, seed=3)
    assert whole[0]["se"] == pytest.approx(per_user.std(ddof=1) / np.sqrt(60), rel=0.08)


@pytest.fixture
def study(folder):
    base = save_tiny_base(folder / "base")
    (folder / "study.yaml").write_text(
        f"study: x\npanel: {{paths: [none.csv]}}\nmodel: {{base: {base}, device: cpu}}\n"
        "probe: {questionnaires: [moods.yaml]}\nseries: {scale: share}\nread: {resamples: 20}\n"
    )
    run = RunFolder(folder / "runs" / "x")
    write_weeks(run, [[f"{text} {n}" for n in range(4)] for text in TEXTS])
    return load_study(str(folder / "study.yaml"), folder / "runs"), run


def test_the_stage_gives_a_series_and_leaves_finished_weeks_alone(study):
    said = []
    manifest = line.read(line.Work(*study, say=said.append))
    series = tables.check(pl.read_parquet(study[1].read / stage.SERIES_FILE), tables.SERIES)
    assert series["source"].unique().to_list() == ["reader"] and series.height == 3 * 2
    totals = series.group_by("week").agg(pl.col("value").sum())["value"].to_list()
    np.testing.assert_allclose(totals, 1.0)
    assert (series["se"] > 0).all() and series["n"].to_list() == [4] * 6
    assert "12 posts in 3 weeks" in said[0]
    before = {path: path.stat().st_mtime_ns for path in study[1].root.glob("readings/*/posts.parquet")}
    assert line.read(line.Work(*study)).key == manifest.key
    assert {path: path.stat().st_mtime_ns for path in before} == before and len(before) == 3


def test_the_series_is_a_baseline_as_correlate_takes_it(study, folder):
    line.read(line.Work(*study))
    text = (folder / "study.yaml").read_text() + (
        "correlate: {baselines: ['{run}/read/reader.csv']}\nsurvey: {paths: [polls.csv], source: polls, format: tidy}\n"
    )
    (folder / "both.yaml").write_text(text)
    weeks = ["2023-04-03", "2023-04-10", "2023-04-17"]
    rows = [f"{week},mood,{option},{value}" for week in weeks for option, value in (("happy", 40), ("sad", 60))]
    (folder / "polls.csv").write_text("date,question,option,percent\n" + "\n".join(rows) + "\n")
    both = load_study(str(folder / "both.yaml"), folder / "runs")
    reader = next(one for one in line.others(both) if "reader" in one["source"].to_list())
    ours = pl.read_parquet(study[1].read / stage.SERIES_FILE)
    key = ["item", "option", "week"]
    assert reader.sort(key).select(*key, "value").equals(ours.sort(key).select(*key, "value"))


def test_the_report_takes_what_the_stage_wrote_for_the_studys_and_not_for_another_base(study):
    from temporal_adapters.engines.model import digest_base
    from temporal_adapters.stages.report.readings import is_current

    written, run = study
    manifest = stage.build(written, run)
    assert is_current(written, run, manifest, {digest_base(written.model)})
    assert not is_current(written, run, manifest, {"0" * 64})


def test_another_weight_does_not_read_again(study, folder):
    line.read(line.Work(*study))
    before = [read_manifest(study[1].reading(label)).created for label in ("2023-W14", "2023-W15")]
    other = load_study(str(folder / "study.yaml"), folder / "runs", ["read.user_weight=users"])
    line.read(line.Work(other, study[1]))
    assert [read_manifest(study[1].reading(label)).created for label in ("2023-W14", "2023-W15")] == before


def test_a_study_without_the_section_has_no_such_step(study, folder):
    (folder / "plain.yaml").write_text((folder / "study.yaml").read_text().replace("read: {resamples: 20}\n", ""))
    plain_study = load_study(str(folder / "plain.yaml"), folder / "runs")
    assert "read" not in [step.name for step in line.steps(plain_study)]
    assert "read" in [step.name for step in line.steps(study[0])]
    with pytest.raises(ReadError, match="has no section `read`"):
        line.read(line.Work(plain_study, study[1]))


def test_some_posts_are_drawn_by_their_ids(study, folder):
    some = load_study(str(folder / "study.yaml"), folder / "runs", ["read.max_posts=2"])
    assert line.read(line.Work(some, study[1])).facts["n_posts"] == 6


def test_the_dry_run_counts_tokens_and_runs_no_model(study):
    lines = preview(*study)
    assert "3 to read" in lines[0] and "12 posts" in lines[0]
    assert "4 options of wordings, 6 forms" in lines[1] and "times as many one by one" in lines[2]


def test_what_cannot_be_read_is_one_sentence(folder):
    with pytest.raises(ReadError, match=r"names 'listed', which no question"):
        asked(folder, tiny_tokenizer(), ("listed",))
    listed = "      - wording: listed\n        text: Q\n        listing: letters\n"
    (folder / "moods.yaml").write_text(QUESTIONS.split("      - wording: today")[0] + listed)
    with pytest.raises(ReadError, match="no wording of the questionnaires asks for an option"):
        asked(folder, tiny_tokenizer())


def test_options_that_cannot_be_told_apart_are_refused(folder):
    (folder / "moods.yaml").write_text(QUESTIONS.replace("{text: sad}", "{text: happyish}"))
    with pytest.raises(ProbeError, match="cannot tell apart"):
        asked(folder, tiny_tokenizer())
