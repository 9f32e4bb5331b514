"""The whole line through the command line: runs, skips, resumes after a kill, says what is stale."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from temporal_adapters.cli import main
from temporal_adapters.ground.tables import ANSWERS, LAGS, SERIES, check
from temporal_adapters.study.artifacts import RunFolder, read_manifest

N_WEEKS = 14
FIRST = datetime(2023, 1, 2, 9, tzinfo=UTC)
STUDY = """
study: small
panel:
  paths: [posts.csv]
pretrain: {first_weeks: 2, vocab_size: 300, d_model: 16, n_layers: 2, n_heads: 2, epochs: 1}
model: {base: "{run}/base", device: cpu}
tokens: {block_length: 32}
train: {seeds: [1, 2], r: 2, alpha: 4, targets: all-linear, learning_rate: 0.01, steps: 6, blocks_per_step: 4}
probe: {questionnaires: [weather.yaml]}
survey: {paths: [survey.csv]}
correlate: {lags: [0], shown_lags: [-1, 0, 1]}
"""
QUESTIONNAIRE = """
questionnaire: weather
items:
  - item: weather
    type: select_one
    options: [{text: sun}, {text: rain}]
    wordings: [{wording: plain, text: Today we had}, {wording: short, text: We had}]
"""


def write_study(folder: Path) -> Path:
    """A folder with a study: posts about the weather, and a survey of the same."""
    rng = random.Random(5)
    sunny = [rng.uniform(0.2, 0.8) for _ in range(N_WEEKS)]
    with (folder / "posts.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["post_id", "user_id", "created_at", "text"])
        for week, share in enumerate(sunny):
            for post in range(24):
                when = FIRST + timedelta(days=7 * week + post % 7, minutes=post)
                word = "sun" if rng.random() < share else "rain"
                writer.writerow(
                    [week * 100 + post, f"u{post % 9}", when.isoformat(), f"Today we had {word} number {post}"]
                )
    with (folder / "survey.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["date", "question", "option", "value", "n"])
        for week, share in enumerate(sunny):
            for option, value in (("sun", share), ("rain", 1 - share)):
                writer.writerow([(FIRST + timedelta(days=7 * week)).date(), "weather", option, round(value, 3), 1000])
    (folder / "weather.yaml").write_text(QUESTIONNAIRE)
    (folder / "study.yaml").write_text(STUDY)
    return folder


@dataclass
class Shown:
    returncode: int
    stdout: str
    stderr: str


def ta(folder: Path, *argv: str) -> Shown:
    """Run `ta` in this process (importing torch for each call would take longer than the calls)."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["ta", *argv])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
    return Shown(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose line has been run; tests must not change it."""
    folder = write_study(tmp_path_factory.mktemp("finished"))
    shown = ta(folder, "run")
    assert shown.returncode == 0, shown.stderr
    return folder


@pytest.fixture
def study(finished: Path, tmp_path: Path) -> Path:
    """A copy of a finished study."""
    return Path(shutil.copytree(finished, tmp_path / "study"))


def contents(run: Path) -> dict[str, str]:
    """Relative path -> digest of every file that is a result; manifests, logs and the report tell the time."""
    return {
        path.relative_to(run).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.suffix in {".parquet", ".safetensors", ".arrow"} and "report" not in path.parts
    }


def test_the_line_runs_skips_what_is_complete_and_redoes_what_is_stale(study: Path) -> None:
    run = RunFolder(study / "runs" / "small")
    assert (run.report / "index.html").is_file()
    answers = check(pl.read_parquet(run.answers / "answers.parquet"), ANSWERS)
    assert answers["adapter"].n_unique() == N_WEEKS * 2 + 1
    check(pl.read_parquet(run.series / "series.parquet"), SERIES)
    lags = check(pl.read_parquet(run.lags / "lags.parquet"), LAGS)
    assert set(lags["lag"]) == {-1, 0, 1}

    before = {path: path.stat().st_mtime_ns for path in run.root.rglob("*.parquet")}
    assert ta(study, "run").returncode == 0
    assert {path: path.stat().st_mtime_ns for path in run.root.rglob("*.parquet")} == before

    text = (study / "study.yaml").read_text()
    (study / "study.yaml").write_text(text.replace("steps: 6", "steps: 7"))
    status = ta(study, "status")
    assert "stale" in status.stdout
    assert "steps" in status.stdout
    one = ta(study, "train", "--week", "2023-W01", "--seed", "1")
    assert one.returncode == 0, one.stderr
    manifest = read_manifest(run.adapter("2023-W01", 1))
    assert manifest is not None
    assert manifest.config["train"]["steps"] == 7
    other = read_manifest(run.adapter("2023-W02", 1))
    assert other is not None
    assert other.config["train"]["steps"] == 6
    assert list(run.adapter("2023-W01", 1).parent.glob("seed-1.stale-*"))
    mixed = ta(study, "probe")
    assert mixed.returncode == 1
    assert "27 adapters were trained under other settings" in mixed.stderr
    assert "train.steps 6 -> 7" in mixed.stderr


def test_a_run_killed_in_training_ends_with_the_same_files_as_an_undisturbed_one(study: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "temporal_adapters.cli", "run", "--runs", "disturbed"],
        cwd=study,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    adapters = study / "disturbed" / "small" / "adapters"
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline and not list(adapters.glob("*/seed-*")):
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (study / "disturbed" / "small" / "answers").exists()
    assert ta(study, "run", "--runs", "disturbed").returncode == 0
    assert contents(study / "disturbed" / "small") == contents(study / "runs" / "small")
    assert not list((study / "disturbed").rglob("*.partial-*"))


def test_the_zone_of_the_machine_changes_nothing(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for zone in ("UTC", "Pacific/Kiritimati"):
        monkeypatch.setenv("TZ", zone)
        assert ta(study, "build-weeks", "--runs", zone.replace("/", "-")).returncode == 0
        found.append(contents(study / zone.replace("/", "-") / "small"))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("name", "old", "new", "command", "words"),
    [
        ("posts.csv", "created_at", "when", "build-weeks", "created_at"),
        ("posts.csv", "2023-01-02T", "yesterday ", "build-weeks", "yesterday"),
        ("weather.yaml", "{text: rain}", "{text: sun}", "probe", "sun"),
        ("survey.csv", "2023-", "1999-", "correlate", "shares no week"),
        ("survey.csv", "option", "antwoord", "correlate", "option"),
    ],
)
def test_bad_input_is_one_sentence_that_names_it(
    study: Path, name: str, old: str, new: str, command: str, words: str
) -> None:
    path = study / name
    path.write_text(path.read_text().replace(old, new))
    shown = ta(study, command)
    assert shown.returncode == 1, shown.stderr
    assert shown.stderr.splitlines()[-1].startswith("ta: ")
    assert words in shown.stderr
    assert "Traceback" not in shown.stderr


def test_an_adapter_folder_without_manifest_is_refused_not_probed(study: Path) -> None:
    run = RunFolder(study / "runs" / "small")
    (run.adapter("2023-W03", 1) / "manifest.json").unlink()
    shown = ta(study, "probe")
    assert shown.returncode == 1
    assert "2023-W03" in shown.stderr


def test_operational_settings_make_nothing_stale(study: Path) -> None:
    path = study / "runs" / "small" / "adapters" / "2023-W01" / "seed-1" / "manifest.json"
    before = path.read_bytes()
    assert ta(study, "train", "--week", "2023-W01", "--seed", "1", "--set", "train.micro_batch=1").returncode == 0
    assert path.read_bytes() == before


def test_training_without_the_base_says_what_to_do(study: Path) -> None:
    shown = ta(study, "train", "--week", "2023-W01", "--set", "model.base=nowhere")
    assert shown.returncode == 1
    assert "model.base" in shown.stderr
