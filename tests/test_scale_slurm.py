"""Training through SLURM: a real SLURM of one node where its packages are installed, sentences everywhere."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from slurm_cluster import missing, slurm
from test_scale_ray import kill_a_worker_in_mid_adapter
from test_train_stage import open_study, weights
from tiny import save_tiny_base

from temporal_adapters.ground.errors import ScaleError
from temporal_adapters.scale import Engine
from temporal_adapters.scale import slurm as engine_slurm
from temporal_adapters.scale import train as train_with
from temporal_adapters.stages import train


@pytest.fixture(scope="module")
def base_folder(tmp_path_factory):
    return save_tiny_base(tmp_path_factory.mktemp("base"))


def on_cpu(study):
    return study.model_copy(update={"model": study.model.model_copy(update={"device": "cpu"})})


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    if missing():
        pytest.skip(f"SLURM is not installed here: {', '.join(missing())} (Debian: slurmctld slurmd munge)")
    if os.geteuid() != 0:
        pytest.skip("the SLURM daemons need root")
    pytest.importorskip("submitit")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    with slurm(tmp_path / "slurm") as folder:
        yield folder


@pytest.mark.heavy
def test_slurm_tasks_make_the_files_of_one_process_although_one_is_killed(cluster, tmp_path, base_folder):
    (tmp_path / "alone").mkdir()
    (tmp_path / "array").mkdir()
    more = "save_every_s: 0, together: 1"
    study, alone = open_study(tmp_path / "alone", base_folder, 60, more)
    train.run(study, alone)
    study, run = open_study(tmp_path / "array", base_folder, 60, more)
    killed, ticks = [], []
    killer = threading.Thread(target=kill_a_worker_in_mid_adapter, args=(run, killed))
    killer.start()
    done = train_with(
        on_cpu(study), run, engine=Engine("slurm", 2, options=(("gres", "gpu:1"),)), listener=ticks.append
    )
    killer.join()
    assert killed and len(done) == 6
    assert weights(run) == weights(alone)
    assert ticks[-1].done == ticks[-1].total
    assert not list(run.root.glob("adapters/*/*.claim"))


@pytest.mark.heavy
def test_answers_from_slurm_tasks_are_those_of_one_process(cluster, tmp_path, base_folder):
    import polars as pl
    from polars.testing import assert_frame_equal

    from temporal_adapters import scale

    found = []
    for name, engine in (("alone", Engine()), ("array", Engine("slurm", 2, options=(("gres", "gpu:1"),)))):
        (tmp_path / name).mkdir()
        study, run = open_study(tmp_path / name, base_folder)
        train.run(on_cpu(study), run)
        ticks = []
        assert scale.probe(on_cpu(study), run, engine=engine, listener=ticks.append).facts["n_models"] == 7
        found.append(pl.read_parquet(run.answers / "answers.parquet"))
    assert_frame_equal(*found)
    assert ticks[-1].done == ticks[-1].total == 7
    assert list((run.root / "slurm").glob("*_result.pkl"))


def test_models_that_slurm_tasks_leave_unasked_are_asked_again_and_then_named(tmp_path, base_folder, monkeypatch):
    study, run = open_study(tmp_path, base_folder, steps=1)
    study = on_cpu(study)
    train.run(study, run, weeks=["2023-W14"])
    submitted = pretend(tmp_path, monkeypatch, "*) ;;")
    with pytest.raises(ScaleError, match=r"ended 3 times with 2 models not asked \(first base"):
        engine_slurm.ask(study, run, ["base", "2023-W14/seed-1"], Engine("slurm", 2), lambda tick: None)
    assert len(submitted) == 3


@pytest.mark.heavy
def test_a_partition_that_is_not_there_is_one_sentence(cluster, tmp_path, base_folder):
    study, run = open_study(tmp_path, base_folder)
    with pytest.raises(ScaleError, match="SLURM refused the job"):
        train_with(on_cpu(study), run, engine=Engine("slurm", options=(("partition", "nowhere"),)))
    assert subprocess.run(["squeue", "-h"], capture_output=True, text=True, check=True).stdout == ""


def test_a_machine_without_slurm_says_where_to_go(tmp_path, base_folder, monkeypatch):
    study, run = open_study(tmp_path, base_folder)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ScaleError, match="login node"):
        train_with(on_cpu(study), run, engine=Engine("slurm"))


def test_a_precision_left_open_is_refused_where_workers_have_gpus_and_this_machine_has_none(tmp_path, base_folder):
    study, run = open_study(tmp_path, base_folder)
    with pytest.raises(ScaleError, match=r"model\.dtype is auto"):
        train_with(study, run, engine=Engine("slurm"))


class OneItem:
    """An item in work on another machine; done when its file exists."""

    name = "2023-W14/seed-1"

    def __init__(self, folder: Path) -> None:
        self.claim_path, self.published = folder / "item.claim", folder / "item.done"
        self.claim_path.write_text("node17 4711\n")

    @property
    def is_done(self) -> bool:
        return self.published.exists()


def pretend(folder: Path, monkeypatch, answers: str) -> list[str]:
    """Let `squeue` give `answers`, a shell's cases of the number of the call; return where submissions are noted."""
    program = folder / "squeue"
    count = f"n=$(cat {folder}/n 2>/dev/null || echo 0); n=$((n+1)); echo $n > {folder}/n"
    program.write_text(f"#!/bin/sh\ncd {folder}\n{count}\ncase $n in\n{answers}\nesac\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    submitted: list[str] = []
    monkeypatch.setattr(engine_slurm, "_LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(engine_slurm, "_executor", lambda *_: None)
    monkeypatch.setattr(engine_slurm, "_submit", lambda *_: submitted.append("12") or "12")
    return submitted


def work_on(item: OneItem, folder: Path) -> None:
    run = SimpleNamespace(root=folder)
    engine_slurm.work(None, run, [item], {item.name: 1}, Engine("slurm", 1), lambda tick: None)


def test_neither_a_silent_slurm_nor_a_young_claim_is_taken_for_a_dead_task(tmp_path, monkeypatch):
    item = OneItem(tmp_path)
    answers = """
    1) echo "slurm_load_jobs error: Socket timed out on send/recv operation" >&2; exit 1;;
    2) test -e item.claim || touch lost; echo RUNNING;;
    3) echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1;;
    4) test -e item.claim || touch lost;;
    *) touch item.done; rm -f item.claim;;"""
    submitted = pretend(tmp_path, monkeypatch, answers)
    work_on(item, tmp_path)
    assert submitted == ["12"]
    assert not (tmp_path / "lost").exists()


def test_an_abandoned_claim_is_removed_and_its_item_submitted_again(tmp_path, monkeypatch):
    item = OneItem(tmp_path)
    os.utime(item.claim_path, (0, 0))
    submitted = pretend(tmp_path, monkeypatch, "1) ;;\n*) test -e item.claim || touch item.done;;")
    work_on(item, tmp_path)
    assert submitted == ["12", "12"]


@pytest.mark.parametrize(
    ("answers", "bound", "message"),
    [
        ("*) echo 'Socket timed out' >&2; exit 1;;", "_SILENT_S", "squeue has not answered.*Socket timed out"),
        ("*) ;;", "_CLAIMED_S", r"item\.claim.*another process"),
    ],
)
def test_waiting_for_slurm_or_for_a_claim_ends_with_a_sentence(tmp_path, monkeypatch, answers, bound, message):
    item = OneItem(tmp_path)
    submitted = pretend(tmp_path, monkeypatch, answers)
    monkeypatch.setattr(engine_slurm, bound, 0.05)
    with pytest.raises(ScaleError, match=message):
        work_on(item, tmp_path)
    assert submitted == ["12"]
    assert item.claim_path.exists()
