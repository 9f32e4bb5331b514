"""The stage `train` on disk: folders that PEFT loads, what is skipped and redone, kills and restarts, claims."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
import torch
from tiny import save_tiny_base, write_weeks
from typer.testing import CliRunner

from temporal_adapters import line
from temporal_adapters.cli import app
from temporal_adapters.ground.errors import StorageError, TrainError
from temporal_adapters.ground.processes import HOST, Holder
from temporal_adapters.stages import train
from temporal_adapters.stages.train.claim import Claim, holder, is_abandoned
from temporal_adapters.study.artifacts import RunFolder, read_manifest
from temporal_adapters.study.artifacts.publish import ABANDONED_AFTER_S
from temporal_adapters.study.config import load_study

STUDY = """
study: tiny
panel: {{paths: [none.csv]}}
model: {{base: {base}}}
tokens: {{block_length: 64}}
train: {{seeds: [1, 2], r: 2, steps: {steps}, blocks_per_step: 2, learning_rate: 0.01, {more}}}
"""


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory):
    return save_tiny_base(tmp_path_factory.mktemp("base"))


def open_study(folder: Path, base: Path, steps=4, more="") -> tuple:
    (folder / "study.yaml").write_text(STUDY.format(base=base, steps=steps, more=more))
    study = load_study(folder / "study.yaml", folder / "runs")
    run = RunFolder(folder / "runs" / "tiny")
    if not run.weeks.is_dir():
        write_weeks(run, [[f"post {n} of week {week} is here" for n in range(30)] for week in range(3)])
    return study, run


def weights(run: RunFolder) -> dict[str, bytes]:
    found = sorted(run.root.glob("adapters/*/seed-*/adapter_model.safetensors"))
    return {path.relative_to(run.root).as_posix(): path.read_bytes() for path in found}


def test_the_stage_makes_plain_peft_folders_with_a_manifest(tmp_path, base_folder):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from temporal_adapters.engines.model import read_adapter, stacked

    study, run = open_study(tmp_path, base_folder)
    assert len(train.run(study, run)) == 6
    folder = run.adapter("2023-W15", 2)
    assert sorted(path.name for path in folder.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "losses.parquet",
        "manifest.json",
    ]
    ids = torch.randint(3, 250, (2, 12))
    plain = AutoModelForCausalLM.from_pretrained(base_folder).eval()
    peft = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base_folder), folder).eval()
    with torch.no_grad(), stacked(plain, [read_adapter(folder)]):
        torch.testing.assert_close(plain(ids).logits, peft(input_ids=ids).logits, atol=1e-5, rtol=1e-5)
    manifest = read_manifest(folder)
    losses = pl.read_parquet(folder / "losses.parquet")
    assert losses["loss"].len() == manifest.facts["n_steps"] == 4
    assert manifest.facts["loss"] == pytest.approx(losses["loss"][-1])
    assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] == str(base_folder)


def test_what_is_done_is_left_alone_and_a_changed_setting_is_redone_and_kept_aside(tmp_path, base_folder):
    study, run = open_study(tmp_path, base_folder)
    train.run(study, run, weeks=["2023-W14"], seeds=[1])
    created = run.adapter("2023-W14", 1).stat().st_mtime_ns
    train.run(study, run, weeks=["2023-W14"], seeds=[1])
    assert run.adapter("2023-W14", 1).stat().st_mtime_ns == created
    study, run = open_study(tmp_path, base_folder, steps=5)
    (stale,) = train.items(study, run, ["2023-W14"], [1])
    assert stale.expected.state == "stale"
    assert stale.expected.reasons() == ["train.steps 4 -> 5"]
    train.run(study, run, weeks=["2023-W14"], seeds=[1])
    assert len(list(run.adapter("2023-W14", 1).parent.glob("seed-1.stale-*"))) == 1
    assert {one.state for one in train.expected(study, run)} == {"done", "missing"}


def test_operational_settings_do_not_change_the_key(tmp_path, base_folder):
    study, run = open_study(tmp_path, base_folder)
    train.run(study, run, weeks=["2023-W14"])
    study, run = open_study(tmp_path, base_folder, more="together: 2, save_every_s: 1, kernels: off")
    assert all(item.is_done for item in train.items(study, run, ["2023-W14"]))


def test_unknown_weeks_and_seeds_are_refused_with_what_there_is(tmp_path, base_folder):
    study, run = open_study(tmp_path, base_folder)
    with pytest.raises(TrainError, match=r"no week '2024-W01' with posts .* 2023-W14 to 2023-W16"):
        train.run(study, run, weeks=["2024-W01"])
    with pytest.raises(TrainError, match=r"seed 7 is not one of the study's seeds \(1, 2\)"):
        train.run(study, run, seeds=[7])


def test_the_command_trains_one_week(tmp_path, base_folder, monkeypatch):
    open_study(tmp_path, base_folder)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["train", "--week", "2023-W16", "--seed", "2"])
    assert done.exit_code == 0, done.output
    assert "1 of 1 adapters are done" in done.output
    assert (tmp_path / "runs/tiny/adapters/2023-W16/seed-2/manifest.json").is_file()


def test_checkpoints_and_held_out_losses_lie_beside_the_weights(tmp_path, base_folder):
    study, run = open_study(tmp_path, base_folder, more="checkpoint_steps: [2], held_out_every: 2")
    study = study.model_copy(update={"tokens": study.tokens.model_copy(update={"held_out": 0.3})})
    train.run(study, run, weeks=["2023-W14"], seeds=[1])
    folder = run.adapter("2023-W14", 1)
    assert (folder / "checkpoint-2" / "adapter_model.safetensors").is_file()
    assert list(read_manifest(folder).facts["held_out"]) == ["0", "2", "4"]
    assert pl.read_parquet(folder / "losses.parquet")["held_out"].is_null().to_list() == [True, False, True, False]


KILLED = """
import os, signal, sys
from pathlib import Path
from temporal_adapters.stages import train
from temporal_adapters.study.artifacts import RunFolder
from temporal_adapters.study.config import load_study
from temporal_adapters.stages.train.folder import FolderKeeper
folder = Path(sys.argv[1])
save, saved = FolderKeeper.save, []
def save_and_die(self, job, state):
    save(self, job, state)
    saved.append(job.name)
    if len(saved) == 7:
        os.kill(os.getpid(), signal.SIGKILL)
FolderKeeper.save = save_and_die
train.run(load_study(folder / "study.yaml", folder / "runs"), RunFolder(folder / "runs/tiny"))
"""


def test_a_killed_run_goes_on_in_mid_adapter_to_the_same_bytes(tmp_path, base_folder):
    more = "dropout: 0.1, ema_decay: 0.5, together: 2, save_every_s: 0"
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    study, whole = open_study(tmp_path / "whole", base_folder, 6, more)
    train.run(study, whole)
    study, run = open_study(tmp_path / "killed", base_folder, 6, more)
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "killed")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert list(run.root.glob("adapters/*/seed-*.partial-*/state.safetensors"))
    assert not all(item.is_done for item in train.items(study, run))
    train.run(study, run)
    assert weights(run) == weights(whole)
    assert not list(run.root.glob("adapters/*/*.partial-*")) and not list(run.root.glob("adapters/*/*.claim"))


def test_items_claimed_by_somebody_alive_are_left_to_them(tmp_path, base_folder):
    study, run = open_study(tmp_path, base_folder)
    claim = Claim.take(run.adapter("2023-W14", 1).with_name("seed-1.claim"))
    assert [item.name for item in train.run(study, run, weeks=["2023-W14"])] == ["2023-W14/seed-2"]
    claim.release()
    assert len(train.run(study, run, weeks=["2023-W14"])) == 2


def test_the_line_stops_at_adapters_that_another_process_has_in_work(tmp_path, base_folder):
    from temporal_adapters import line
    from temporal_adapters.cli.session import open_session

    _, run = open_study(tmp_path, base_folder, steps=1)
    claim = Claim.take(run.adapter("2023-W15", 2).with_name("seed-2.claim"))
    session = open_session(str(tmp_path / "study.yaml"), tmp_path / "runs", ["series.allow_missing=true"], True)
    with pytest.raises(TrainError, match=r"1 adapters are in work in another process \(first 2023-W15/seed-2"):
        line.make(session.work(), since="train", until="train")
    claim.release()
    line.make(session.work(), since="train", until="train")
    assert len(weights(run)) == 6


def test_claims_are_exclusive_and_those_of_the_dead_are_taken_over(tmp_path):
    path = tmp_path / "x.claim"
    claim = Claim.take(path)
    assert claim is not None and Claim.take(path) is None
    sleeper = subprocess.Popen([sys.executable, "-c", "pass"])
    sleeper.wait()
    path.write_text(f"{os.uname().nodename} {sleeper.pid}\n")
    assert Claim.take(path) is not None
    path.write_text("another-host 1\n")
    assert Claim.take(path) is None
    long_ago = time.time() - 3600
    os.utime(path, (long_ago, long_ago))
    assert Claim.take(path) is not None


def test_tensorboard_is_asked_for_before_training_and_not_after_it(tmp_path, base_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    study, run = open_study(tmp_path, base_folder, more="tensorboard: true")
    with pytest.raises(TrainError, match=r"pip install tensorboard"):
        train.run(study, run, weeks=["2023-W14"])
    assert not (run.root / "adapters").exists()


def test_a_failure_leaves_states_and_no_claims(tmp_path, base_folder):
    study, run = open_study(tmp_path, base_folder, more="max_grad_norm: null")
    wild = study.model_copy(update={"train": study.train.model_copy(update={"learning_rate": 1e30})})
    with pytest.raises(TrainError, match=r"lower train\.learning_rate"):
        train.run(wild, run, weeks=["2023-W14"])
    assert not list(run.root.glob("adapters/*/*.claim"))
    assert not weights(run)


def test_two_worker_processes_make_the_files_of_one(tmp_path, base_folder):
    from temporal_adapters.scale import Engine
    from temporal_adapters.scale import train as train_with

    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    study, one = open_study(tmp_path / "one", base_folder)
    train.run(study, one)
    study, two = open_study(tmp_path / "two", base_folder)
    ticks = []
    assert len(train_with(study, two, engine=Engine(workers=2), listener=ticks.append)) == 6
    assert weights(two) == weights(one)
    assert all(tick.done <= tick.total for tick in ticks)


@pytest.mark.slow
def test_the_sentence_of_a_worker_reaches_the_user(tmp_path, base_folder):
    from temporal_adapters.scale import Engine
    from temporal_adapters.scale import train as train_with

    study, run = open_study(tmp_path, base_folder, more="max_grad_norm: null")
    wild = study.model_copy(update={"train": study.train.model_copy(update={"learning_rate": 1e30})})
    with pytest.raises(TrainError, match=r"lower train\.learning_rate"):
        train_with(wild, run, engine=Engine(workers=2))


def test_the_number_of_threads_changes_no_byte(tmp_path, base_folder):
    found, before = [], torch.get_num_threads()
    for threads in (1, 2):
        (tmp_path / str(threads)).mkdir()
        study, run = open_study(tmp_path / str(threads), base_folder)
        torch.set_num_threads(threads)
        try:
            train.run(study, run, weeks=["2023-W14"])
            assert torch.get_num_threads() == threads
        finally:
            torch.set_num_threads(before)
        found.append(weights(run))
    assert found[0] == found[1]


def test_a_claim_of_a_process_id_that_was_given_out_again_and_one_without_a_name_are_taken_over(tmp_path):
    path = tmp_path / "x.claim"
    path.write_text(f"{HOST} {os.getpid()} 12345.0\n")
    assert is_abandoned(path)
    claim = Claim.take(path)
    assert claim is not None and holder(path) == Holder.here()
    claim.release()
    path.write_text("")  # a disk that was full when it was written
    assert not is_abandoned(path)
    os.utime(path, (time.time() - 60, time.time() - 60))
    assert is_abandoned(path)


def test_a_claim_from_another_machine_is_taken_over_by_its_age_alone(tmp_path):
    path = tmp_path / "x.claim"
    path.write_text("elsewhere 1 12345.0\n")
    assert Claim.take(path) is None
    old = time.time() - ABANDONED_AFTER_S - 1
    os.utime(path, (old, old))
    assert Claim.take(path) is not None


def test_training_that_will_not_fit_on_the_disk_is_refused_before_it_starts(tmp_path, base_folder, monkeypatch):
    study, run = open_study(tmp_path, base_folder)
    usage = type(shutil.disk_usage(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 100, 100))
    with pytest.raises(StorageError, match=r"train: \d+ adapters will take about .* and 0 MB are free there"):
        line.train(line.Work(study, run))
    assert not run.adapters.exists()
