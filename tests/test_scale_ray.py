"""Training on a real Ray cluster of two nodes on this machine."""

from __future__ import annotations

import os
import re
import signal
import threading
import time

import pytest
from test_train_stage import open_study, weights
from tiny import save_tiny_base

from temporal_adapters.ground.errors import ScaleError, TrainError
from temporal_adapters.scale import Engine
from temporal_adapters.scale import train as train_with
from temporal_adapters.stages import train

pytestmark = [
    pytest.mark.heavy,
    # 2026-11: Ray 2.60 leaves sockets and processes to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


@pytest.fixture(scope="module")
def base_folder(tmp_path_factory):
    return save_tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def address():
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    ray = pytest.importorskip("ray")
    here = os.path.dirname(__file__)
    os.environ["PYTHONPATH"] = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
    options = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 100_000_000, "include_dashboard": False}
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=options)
    cluster.add_node(num_cpus=1, num_gpus=0, object_store_memory=100_000_000)
    yield cluster.address
    ray.shutdown()
    cluster.shutdown()


def kill_a_worker_in_mid_adapter(run, killed):
    """Kill the first process that has saved the state of an adapter in work."""
    for _ in range(3000):
        for state in run.root.glob("adapters/*/seed-*.partial-*/state.safetensors"):
            process = int(re.search(r"partial-.*-(\d+)", state.parent.name)[1])
            os.kill(process, signal.SIGKILL)
            killed.append(process)
            return
        time.sleep(0.02)


def test_a_worker_killed_in_mid_adapter_changes_no_byte(address, tmp_path, base_folder):
    (tmp_path / "alone").mkdir()
    (tmp_path / "ray").mkdir()
    more = "save_every_s: 0, together: 2"
    study, alone = open_study(tmp_path / "alone", base_folder, 60, more)
    train.run(study, alone)
    study, run = open_study(tmp_path / "ray", base_folder, 60, more)
    killed, ticks = [], []
    killer = threading.Thread(target=kill_a_worker_in_mid_adapter, args=(run, killed))
    killer.start()
    done = train_with(study, run, engine=Engine("ray", address=address), listener=ticks.append)
    killer.join()
    assert killed and len(done) == 6
    assert weights(run) == weights(alone)
    assert ticks and all(tick.done <= tick.total for tick in ticks)
    assert not list(run.root.glob("adapters/*/*.claim"))


def test_more_than_the_cluster_has_is_refused_at_once(address, tmp_path, base_folder):
    study, run = open_study(tmp_path, base_folder)
    started = time.monotonic()
    with pytest.raises(ScaleError, match=r"has 2 CPUs: ask for at most that many"):
        train_with(study, run, engine=Engine("ray", 5, address))
    on_gpu = study.model_copy(update={"model": study.model.model_copy(update={"device": "cuda"})})
    with pytest.raises(ScaleError, match="the Ray cluster has no GPU"):
        train_with(on_gpu, run, engine=Engine("ray", address=address))
    assert time.monotonic() - started < 20


def test_the_sentence_of_a_remote_worker_arrives_as_it_is(address, tmp_path, base_folder):
    study, run = open_study(tmp_path, base_folder, more="max_grad_norm: null")
    wild = study.model_copy(update={"train": study.train.model_copy(update={"learning_rate": 1e30})})
    with pytest.raises(TrainError, match=r"lower train\.learning_rate"):
        train_with(wild, run, engine=Engine("ray", address=address))


def test_answers_from_a_cluster_are_those_of_one_process(address, tmp_path, base_folder):
    import polars as pl
    from polars.testing import assert_frame_equal

    from temporal_adapters import scale

    found = []
    for name, engine in (("alone", Engine()), ("ray", Engine("ray", address=address))):
        (tmp_path / name).mkdir()
        study, run = open_study(tmp_path / name, base_folder)
        train.run(study, run)
        assert scale.probe(study, run, engine=engine).facts["n_models"] == 7
        found.append(pl.read_parquet(run.answers / "answers.parquet"))
    assert_frame_equal(*found)


def test_a_cluster_that_is_not_there_is_one_sentence(tmp_path, base_folder):
    import ray

    ray.shutdown()
    study, run = open_study(tmp_path, base_folder)
    with pytest.raises(ScaleError, match="no Ray cluster can be reached there"):
        train_with(study, run, engine=Engine("ray", address="127.0.0.1:1"))
