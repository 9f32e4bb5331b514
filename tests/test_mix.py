"""The mixing experiment: labelled posts, draws, adapters on them, kills, and what is refused."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError
from tiny import save_tiny_base
from typer.testing import CliRunner

from temporal_adapters import line
from temporal_adapters.cli import app
from temporal_adapters.ground.errors import ConfigError, MixError
from temporal_adapters.proof import mix
from temporal_adapters.proof.mix import posts as labelled
from temporal_adapters.proof.mix.draw import build, draw, expected, mixtures
from temporal_adapters.proof.mix.grid import experiment
from temporal_adapters.proof.mix.posts import Labelled
from temporal_adapters.stages import train, weeks
from temporal_adapters.study.artifacts import RunFolder, read_corpora, read_manifest
from temporal_adapters.study.config import Study, load_study
from temporal_adapters.study.config.mix import Mix

QUESTIONS = """
questionnaire: small
items:
  - item: mood
    type: select_one
    options: [Happy, Sad]
    wordings:
      - {wording: short, text: I feel}
      - {wording: long, text: These days I am}
"""

STUDY = """
study: tiny
panel: {{paths: [none.csv]}}
model: {{base: {base}}}
tokens: {{block_length: 64}}
train: {{seeds: [7, 8], r: 2, steps: {steps}, blocks_per_step: 2, learning_rate: 0.01, save_every_s: 0}}
probe: {{questionnaires: [questions.yaml]}}
report: {{figures: [svg]}}
mix:
  {{posts: posts.csv, low: sad, high: happy, shares: [0, 0.5, 1], seeds: [1, 2], n_posts: 12, checkpoints: [2]{more}}}
"""


def own_posts(n: int = 20) -> pl.DataFrame:
    happy = [f"what a lovely day number {k}, @friend{k} made the sun shine" for k in range(n)]
    sad = [f"rain again on day {k} and nobody called, see http://example.org/{k}" for k in range(n)]
    other = [f"the bus was late by {k} minutes" for k in range(5)]
    labels = ["happy"] * n + ["sad"] * n + ["none"] * 5
    return pl.DataFrame({"text": happy + sad + other, "label": labels})


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_base(tmp_path_factory.mktemp("base"))


def open_study(folder: Path, base: Path, steps: int = 4, more: str = "") -> tuple[Study, RunFolder]:
    folder.mkdir(exist_ok=True)
    (folder / "questions.yaml").write_text(QUESTIONS)
    if not (folder / "posts.csv").exists():
        own_posts().write_csv(folder / "posts.csv")
    (folder / "study.yaml").write_text(STUDY.format(base=base, steps=steps, more=more))
    return load_study(folder / "study.yaml", folder / "runs"), RunFolder(folder / "runs" / "tiny")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, base_folder: Path) -> Path:
    """The folder of a study whose experiment is complete; tests that change it work on a copy."""
    folder = tmp_path_factory.mktemp("finished")
    mix.run(*open_study(folder, base_folder))
    return folder


def any_study(**settings: Any) -> Study:
    return Study(study="any", panel={"paths": ["none.csv"]}, mix=Mix(**settings))


# --- drawing ---------------------------------------------------------------------------------------------------------


def pool(n: int = 40) -> Labelled:
    return Labelled([(f"l{k}", "sad") for k in range(n)], [(f"h{k}", "happy") for k in range(n)], "d" * 64, "pool", 0)


@pytest.mark.parametrize("nested", [False, True])
def test_every_mix_has_exactly_its_share_and_no_post_twice(nested: bool) -> None:
    for mixture in mixtures(Mix(n_posts=40, seeds=(1, 2))):
        drawn = draw(mixture, pool(), nested)
        assert len({post for post, _ in drawn}) == len(drawn) == 40
        assert Counter(post[0] for post, _ in drawn)["h"] == round(40 * mixture.asked) == 40 * mixture.share


def test_seed_and_share_fix_a_mix_and_different_seeds_draw_different_posts() -> None:
    few, many = Mix(shares=(0, 0.5, 1), seeds=(4,), n_posts=20), Mix(seeds=(3, 4), n_posts=20)
    drawn = {mixture.label: draw(mixture, pool(), False) for mixture in mixtures(many)}
    for mixture in mixtures(few):
        assert draw(mixture, pool(), False) == drawn[mixture.label]
    one, other = (set(drawn[f"share-0.5-seed-{seed}"]) for seed in (3, 4))
    assert 0 < len(one & other) < 20


def test_further_shares_and_seeds_leave_the_files_of_the_other_mixes_as_they_are(tmp_path: Path) -> None:
    """By the digest of its file an adapter knows whether its posts have changed."""
    hashes = []
    for name, shares, seeds in (("few", (0, 0.5, 1), (2,)), ("many", (0, 0.25, 0.5, 1), (1, 2))):
        study = any_study(n_posts=8, shares=shares, seeds=seeds)
        build(study, RunFolder(tmp_path / name), study.mix)
        hashes.append({corpus.label: corpus.sha256 for corpus in read_corpora(RunFolder(tmp_path / name))})
    few, many = hashes
    assert (len(few), len(many)) == (3, 8)
    assert {label: many[label] for label in few} == few


def test_mixes_are_drawn_anew_when_the_rules_of_cleaning_have_a_new_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, run = any_study(n_posts=10), RunFolder(tmp_path)
    build(study, run, study.mix)
    assert expected(study, run, study.mix).state == "done"
    monkeypatch.setattr(weeks, "VERSION", weeks.VERSION + 1)
    assert expected(study, run, study.mix).state == "stale"


def test_nested_mixes_keep_what_a_smaller_share_has_and_others_do_not() -> None:
    kept = {}
    for nested in (True, False):
        sets = [
            {post for post, _ in draw(one, pool(), nested) if post[0] == "h"}
            for one in mixtures(Mix(n_posts=20, seeds=(1,)))
        ]
        kept[nested] = [small <= large for small, large in pairwise(sets[1:])]
    assert all(kept[True])
    assert not any(kept[False])


def test_a_mix_is_in_random_order_so_that_blocks_hold_both_labels() -> None:
    drawn = [post[0] for post, _ in draw(mixtures(Mix(n_posts=40, seeds=(1,)))[5], pool(), False)]
    assert drawn != sorted(drawn) and drawn != sorted(drawn, reverse=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"low": "Happy"}, "low and high are both 'Happy'"),
        ({"shares": (0, 0.5, 0.5, 1)}, "0.5 is given twice"),
        ({"shares": (0, 0.1, 0.11), "n_posts": 10}, "10 posts are too few to tell the share 0.11"),
        ({"checkpoints": (0, 5)}, "0 is no training step"),
        ({"shares": (0, 1)}, "at least 3"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Mix(**settings)


# --- labelled posts --------------------------------------------------------------------------------------------------


def test_a_file_gives_its_two_labels_cleaned_like_the_panel(tmp_path: Path) -> None:
    own_posts(12).write_csv(tmp_path / "posts.csv")
    found = labelled.read(*_read_with(tmp_path / "posts.csv", n_posts=10))
    assert (len(found.low), len(found.high), found.n_empty) == (12, 12, 0)
    assert found.high[3] == ("4", "what a lovely day number 3, made the sun shine")
    assert found.low[0] == ("13", "rain again on day 0 and nobody called, see")


def _read_with(path: Path, **settings: Any) -> tuple[Study, Mix]:
    study = any_study(posts=path, **{"low": "sad", "high": "happy", **settings})
    assert study.mix is not None
    return study, study.mix


def test_posts_that_are_empty_once_cleaned_are_counted_and_those_that_read_na_are_posts(tmp_path: Path) -> None:
    rows = [
        ("NA", "happy"),
        ("null", "happy"),
        ("@you http://x.y", "happy"),
        ("", "sad"),
        ("fine", "sad"),
        ("x", "sad"),
    ]
    pl.DataFrame(rows, schema=["text", "label"], orient="row").write_csv(tmp_path / "posts.csv")
    found = labelled.read(*_read_with(tmp_path / "posts.csv", n_posts=2, shares=(0, 0.5, 1)))
    assert [text for _, text in found.high] == ["NA", "null"]
    assert (len(found.low), found.n_empty) == (2, 2)


@pytest.mark.parametrize("kind", ["semicolon", "utf-16", "bom", "cp1252", "parquet", "tsv"])
def test_files_of_many_makes_give_the_same_posts(tmp_path: Path, kind: str) -> None:
    rows = [('grüße, alle; "so"\nzweite Zeile', "1"), ("schön", "1"), ("traurig", "0"), ("öde", "0")]
    table = pl.DataFrame(rows, schema=["Tweet", "class"], orient="row")
    separator = {"semicolon": ";", "tsv": "\t"}.get(kind, ",")
    path = tmp_path / ("posts.parquet" if kind == "parquet" else "posts.tsv" if kind == "tsv" else "posts.csv")
    if kind == "parquet":
        table.with_columns(pl.col("class").cast(pl.Int64)).write_parquet(path)
    else:
        text = table.write_csv(separator=separator)
        path.write_bytes(text.encode({"utf-16": "utf-16", "bom": "utf-8-sig", "cp1252": "cp1252"}.get(kind, "utf-8")))
    more = {"encoding": "cp1252"} if kind == "cp1252" else {}
    study, settings = _read_with(
        path, low="0", high="1", n_posts=2, shares=(0, 0.5, 1), text_column="Tweet", label_column="class", **more
    )
    found = labelled.read(study, settings)
    assert [text for _, text in found.high] == ['grüße, alle; "so" zweite Zeile', "schön"]
    assert [text for _, text in found.low] == ["traurig", "öde"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"text_column": "txt"}, r"no column 'txt' \(it has text, label\); did you mean 'text'\?"),
        ({"label_column": "mood"}, r"no column 'mood' .* name the labels' with --label-column"),
        (
            {"high": "hapy"},
            r"no post has the label 'hapy' \(--high\); there are .*happy \(20\).*; did you mean 'happy'\?",
        ),
        ({"high": "Happy"}, r"there are .* none \(5\); did you mean 'happy'\?"),
        ({"n_posts": 50}, r"has 20 posts of 'sad' and 20 posts of 'happy'; mixes of 50 posts need 50 .*n_posts to 20"),
        ({"n_posts": 50, "shares": (0.3, 0.4, 0.5)}, r"need 35 of 'sad' and 25 of 'happy'.*n_posts to 28 or less"),
        ({"high": "none", "n_posts": 20}, r"has 5 posts of 'none'; .* bring more posts"),
        ({"encoding": "utf8x"}, r"there is no encoding 'utf8x'"),
    ],
)
def test_what_a_file_lacks_is_said_with_what_to_change(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    own_posts().write_csv(tmp_path / "posts.csv")
    with pytest.raises(MixError, match=message):
        labelled.read(*_read_with(tmp_path / "posts.csv", **{"n_posts": 20, **settings}))


def test_files_that_are_no_table_of_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    for content, message in (
        ("text,label\nschön,happy\n".encode("cp1252"), r"line 2 is not UTF-8 \(byte 0xf6\).*--encoding"),
        (b"", "the file is empty"),
        (b'text,label\n"unfinished,happy\n', "no readable CSV|no post has the label"),
        (b"text,label\none, two,three,happy\n", "no readable CSV"),
    ):
        path.write_bytes(content)
        with pytest.raises(MixError, match=message):
            labelled.read(*_read_with(path))
    with pytest.raises(MixError, match=r"\.csv, \.tsv or \.parquet"):
        (tmp_path / "posts.xlsx").write_bytes(b"x")
        labelled.read(*_read_with(tmp_path / "posts.xlsx"))
    with pytest.raises(MixError, match="no such file"):
        labelled.digest(*_read_with(tmp_path / "none.csv"))


def test_simulated_posts_follow_the_knobs_of_the_world_and_its_seed() -> None:
    study = any_study(n_posts=20)
    found = labelled.read(study, study.mix)
    assert len(found.high) == len(found.low) == labelled.POOL * 20
    other = Study.model_validate({**study.model_dump(), "simulate": {"seed": 2010}})
    assert labelled.digest(other, other.mix) != found.digest
    assert labelled.read(other, other.mix).high != found.high


# --- the experiment --------------------------------------------------------------------------------------------------


def test_own_posts_make_adapters_answers_curves_and_a_figure(finished: Path) -> None:
    run = RunFolder(finished / "runs" / "tiny")
    found = mix.read_summary(run)
    assert (found.low, found.high, found.label_high) == ("Sad", "Happy", "happy")
    assert (found.shares, found.seeds, found.checkpoints) == ([0.0, 0.5, 1.0], [1, 2], ["2", "final"])
    folder = run.root / "mix" / "adapters" / "share-0.5-seed-2" / "seed-7"
    assert (folder / "adapter_config.json").is_file() and (folder / "checkpoint-2/adapter_model.safetensors").is_file()
    curve = pl.read_parquet(run.root / "mix/curve/curve.parquet")
    assert curve.height == (2 * 3 * 2 + 1) * 2
    assert curve.group_by("share", "seed", "checkpoint").agg(pl.col("answer").sum())["answer"].to_list() == (
        pytest.approx([1.0] * 13)
    )
    assert (run.root / "mix/curve/curve.svg").stat().st_size > 1000
    corpus = pl.read_parquet(run.root / "mix/weeks/share-0.5-seed-2.parquet")
    assert corpus.height == 12 and corpus["text"].str.contains("lovely").sum() == 6
    assert not (run.root / "adapters").exists() and not (run.root / "weeks").exists()


def test_finished_work_is_kept_and_changed_settings_redo_what_depends_on_them(
    tmp_path: Path, finished: Path, base_folder: Path
) -> None:
    shutil.copytree(finished, tmp_path / "copy")
    study, run = open_study(tmp_path / "copy", base_folder)
    before = _times(run)
    mix.run(study, run)
    assert _times(run) == before
    # A seed before and a share between: new mixes are added, no adapter is trained or asked anew.
    more, _ = open_study(tmp_path, base_folder)
    more = more.model_copy(
        update={"mix": more.mix.model_copy(update={"seeds": (0, 1, 2), "shares": (0, 0.25, 0.5, 1)})}
    )
    found = mix.run(more, run)
    assert (found.seeds, found.shares) == ([0, 1, 2], [0, 0.25, 0.5, 1])
    after = _times(run)
    kept = {path: time for path, time in before.items() if "/adapters/" in path or "/logprobs/" in path}
    assert len(kept) == 6 + 1 + 6 * 2
    assert {path: after[path] for path in kept} == kept
    # Other posts behind the same path: everything is stale.
    own_posts(21).write_csv(tmp_path / "copy" / "posts.csv")
    found = experiment(study, run)
    build(found.study, found.run, found.settings)
    assert {item.expected.state for item in train.items(found.study, found.run)} == {"stale"}


def _times(run: RunFolder) -> dict[str, int]:
    kept = [path for path in (run.root / "mix").rglob("manifest.json") if "stale" not in str(path)]
    return {str(path): path.stat().st_mtime_ns for path in kept}


KILLED = """
import os, signal, sys
from pathlib import Path
from temporal_adapters.proof import mix
from temporal_adapters.study.artifacts import RunFolder
from temporal_adapters.study.config import load_study
from temporal_adapters.stages.train.folder import FolderKeeper
folder, saved, save = Path(sys.argv[1]), [], FolderKeeper.save
def save_and_die(self, job, state):
    save(self, job, state)
    saved.append(job.name)
    if len(saved) == 14:
        os.kill(os.getpid(), signal.SIGKILL)
FolderKeeper.save = save_and_die
mix.run(load_study(folder / "study.yaml", folder / "runs"), RunFolder(folder / "runs/tiny"))
"""


@pytest.mark.slow
def test_a_killed_experiment_goes_on_to_the_same_bytes(tmp_path: Path, finished: Path, base_folder: Path) -> None:
    study, run = open_study(tmp_path / "killed", base_folder)
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "killed")], check=False)
    assert done.returncode == -signal.SIGKILL
    found = experiment(study, run)
    assert sum(not item.is_done for item in train.items(found.study, found.run)) > 0
    mix.run(study, run)
    for name in ("curve.parquet", "mix.json", "curve.svg"):
        one, two = ((root / "mix/curve" / name).read_bytes() for root in (run.root, finished / "runs" / "tiny"))
        assert one == two, name
    assert not list((run.root / "mix").rglob("*.partial-*")) and not list((run.root / "mix").rglob("*.claim"))


def test_checkpoints_beyond_the_training_are_refused_before_it(tmp_path: Path, base_folder: Path) -> None:
    study, run = open_study(tmp_path, base_folder, steps=1)
    with pytest.raises(MixError, match=r"mix.checkpoints: 2 lies beyond the last step \(1\)"):
        mix.run(study, run)
    study, run = open_study(tmp_path, base_folder)
    by_epochs = {**study.train.model_dump(), "steps": None, "epochs": 1}
    study = study.model_copy(
        update={
            "train": type(study.train).model_validate(by_epochs),
            "mix": study.mix.model_copy(update={"checkpoints": (500,)}),
        }
    )
    with pytest.raises(MixError, match=r"500 lies beyond the training of share-\S+, which takes \d+ steps"):
        mix.run(study, run)
    assert not list((run.root / "mix").rglob("adapter_model.safetensors"))


def test_adapters_that_are_missing_are_not_passed_over(
    tmp_path: Path, base_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, run = open_study(tmp_path, base_folder)

    def lazy(work: line.Work) -> list[train.Item]:
        return train.run(work.study, work.run, weeks=["share-0-seed-1"])

    monkeypatch.setattr(line, "train", lazy)
    with pytest.raises(MixError, match="5 adapters are not done"):
        mix.run(study, run)


def test_the_command_takes_everything_on_its_line_and_prints_numbers(
    tmp_path: Path, base_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_study(tmp_path, base_folder)
    own_posts().rename({"text": "tweet", "label": "emotion"}).write_parquet(tmp_path / "other.parquet")
    monkeypatch.chdir(tmp_path)
    call = ["mix", "--study", "study.yaml", "--posts", "other.parquet", "--text-column", "tweet", "--label-column"]
    call += ["emotion", "--low", "none", "--low-option", "sad", "--high", "happy", "--set", "mix.n_posts=4"]
    planned = CliRunner().invoke(app, [*call, "--dry-run", "--gpu", "A100"])
    assert planned.exit_code == 0, planned.output
    assert "mixes:    6" in planned.output and "6 to train (0 of 6 are done)" in planned.output
    assert "13 models to ask" in planned.output and "on one A100" in planned.output
    planned = CliRunner().invoke(app, [*call, "--dry-run", "--gpu", "A100", "--json"])
    said = json.loads(planned.stdout)
    assert (said["n_mixes"], said["n_models"], said["training"]["gpu"]) == (6, 13, "A100")
    assert not (tmp_path / "runs").exists()
    done = CliRunner().invoke(app, [*call, "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["label_low"], found["low"], found["n_posts"]) == ("none", "Sad", 4)
    shown = CliRunner().invoke(app, [*call, "--quiet"])
    assert "share of happy read off Happy" in shown.output and "Happy by training steps" in shown.output
    planned = CliRunner().invoke(app, [*call, "--dry-run"])
    assert "0 to train (6 of 6 are done)" in planned.output


def test_a_section_with_an_unknown_key_names_the_nearest(tmp_path: Path, base_folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown key 'mix.n_post'; did you mean 'n_posts'"):
        open_study(tmp_path, base_folder, more=", n_post: 3")


@pytest.mark.slow
def test_on_the_demos_base_the_answers_follow_the_mixture(tmp_path: Path) -> None:
    settings = ["simulate.seed=2100", "mix.shares=[0, 0.25, 0.5, 0.75, 1]", "mix.seeds=[1, 2]", "mix.n_posts=200"]
    study = load_study("demo", tmp_path, settings)
    found = mix.run(study, RunFolder(tmp_path / "demo"))
    assert found.options["Happy"]["spearman"]["mean"] >= 0.9
    assert found.options["Sad"]["spearman"]["mean"] <= -0.9
    assert found.options["Happy"]["slope"]["mean"] > 0.15
    assert found.calibration["answer"]["rmse"] < 0.5 * found.calibration["answer"]["rmse_guess"]
    manifest = read_manifest(tmp_path / "demo/mix/weeks")
    assert manifest is not None and manifest.facts["origin"] == "simulated posts"
