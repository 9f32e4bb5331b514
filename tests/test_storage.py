"""What disks and memory refuse is one sentence, whichever library says so; everything else stays what it is."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import torch

from temporal_adapters.ground.errors import OutOfMemoryError, StorageError, UsageError
from temporal_adapters.ground.storage import explain, require_space
from temporal_adapters.study.artifacts import Expected, make


@pytest.fixture
def small_files() -> Iterator[None]:
    """Let no file of this process grow beyond 100 kB: what every library does then, it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def _by_python(path: Path) -> None:
    path.write_bytes(b"x" * 200_000)


def _by_polars(path: Path) -> None:
    pl.DataFrame({"a": torch.rand(200_000, dtype=torch.float64).numpy()}).write_parquet(path)


def _by_safetensors(path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(100_000)}, path)


def _by_pyarrow(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": torch.rand(200_000, dtype=torch.float64).numpy()}), path, compression="none")


def _by_duckdb(path: Path) -> None:
    import duckdb

    duckdb.sql(f"COPY (SELECT random() AS a FROM range(200000)) TO '{path}' (FORMAT csv)")


@pytest.mark.parametrize("write", [_by_python, _by_polars, _by_safetensors, _by_pyarrow, _by_duckdb])
def test_every_library_that_meets_a_limit_of_the_disk_ends_in_the_same_sentence(tmp_path, write, small_files) -> None:
    expected = Expected(tmp_path / "x", "series", 1, {}, {})
    with pytest.raises(StorageError, match=r"x.*: the file would be larger .* nothing finished is lost, run the same"):
        make(expected, lambda folder: write(folder / "table"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/a/b"), "/a/b: the disk is full"),
        (OSError(errno.EROFS, "Read-only file system", "/a/b"), "/a/b: the disk is read-only"),
        (PermissionError(errno.EACCES, "Permission denied", "/a/b"), "/a/b: this user may not use it"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "/a/b"), "/a/b: a part of that path is a file"),
        (OSError(errno.ELOOP, "Too many levels", "/a/b"), "/a/b: a symbolic link on that path points to itself"),
        (OSError(errno.EMFILE, "Too many open files"), "too many files are open"),
        (pl.exceptions.ComputeError("No space left on device (os error 28)"), "the disk is full"),
    ],
)
def test_a_refusal_names_the_path_and_what_to_do(error: Exception, said: str) -> None:
    found = explain(error)
    assert isinstance(found, StorageError)
    assert str(found).startswith(said)


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate")],
)
def test_memory_that_runs_out_says_what_to_lower(error: Exception) -> None:
    found = explain(error)
    assert isinstance(found, OutOfMemoryError)
    assert "--workers 1" in str(found)


@pytest.mark.parametrize(
    "error",
    [ValueError("permission denied by the rules of chess"), KeyError("x"), UsageError("no space left on device")],
)
def test_bugs_and_errors_that_speak_for_themselves_are_left_alone(error: Exception) -> None:
    assert explain(error) is None


def test_work_that_will_not_fit_is_refused_before_it_starts(tmp_path: Path) -> None:
    require_space(tmp_path / "not" / "yet", 1000, "this")
    free = shutil.disk_usage(tmp_path).free
    with pytest.raises(StorageError, match=r"12 adapters will take about .* MB in .*, and .* MB are free there"):
        require_space(tmp_path / "not" / "yet", free * 2, "12 adapters")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_somebody_else_is_a_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="this user may not use it"):
        make(Expected(tmp_path / "x", "series", 1, {}, {}), lambda folder: None)


@pytest.mark.parametrize("kind", ["file", "dangling", "loop"])
def test_an_odd_run_folder_is_a_sentence(tmp_path: Path, kind: str) -> None:
    runs = tmp_path / "runs"
    if kind == "file":
        runs.write_text("")
    else:
        runs.symlink_to("nowhere" if kind == "dangling" else "runs")
    with pytest.raises(StorageError, match=r"runs"):
        make(Expected(runs / "x" / "series", "series", 1, {}, {}), lambda folder: None)
