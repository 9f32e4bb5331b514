"""The memory limit: what it decides, and that it never decides what comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from raw_posts import build, tweet, write_lines

from temporal_adapters.stages.weeks import memory, spread, staged
from temporal_adapters.study.artifacts import RunFolder, read_corpora


@pytest.fixture(autouse=True)
def _one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))


def test_processes_are_as_many_as_the_memory_and_the_cores_allow() -> None:
    assert [memory.n_processes(limit, 8) for limit in ("500MB", "1GB", "2GB", "4GB", "64GB")] == [1, 1, 2, 5, 8]


@pytest.mark.parametrize("cores", [2, 3, 8, 64, 512])
def test_processes_and_what_duckdb_gets_in_each_fit_into_the_limit(cores: int) -> None:
    for limit in [f"{mb}MB" for mb in range(500, 20_000, 7)] + ["4GB", "64GB", "1000GB"]:
        for n in range(2, memory.n_processes(limit, cores) + 1):
            duckdb_mb = memory.megabytes(memory.duckdb_limit(memory.part(limit, n + 1)))
            assert n * (memory.PROCESS_MB + duckdb_mb) + memory.PROCESS_MB <= memory.megabytes(limit), (limit, n)
        if memory.megabytes(limit) >= 600:
            assert memory.PROCESS_MB + memory.megabytes(memory.duckdb_limit(limit)) <= memory.megabytes(limit), limit


def test_a_large_week_is_worked_on_alone(tmp_path: Path) -> None:
    counts = staged.Counts(1, 1, 0, {}, {}, {})
    (tmp_path / "a.arrow").write_bytes(bytes(100_000_000))
    even = staged.Staged(tmp_path / "a.arrow", {}, dict.fromkeys(range(100), 10), counts)
    odd = staged.Staged(tmp_path / "a.arrow", {}, {1: 990, 2: 10}, counts)
    assert memory.n_weeks("1GB", 8, [even]) == 8
    assert memory.n_weeks("1GB", 8, [odd]) == 1
    assert memory.n_weeks("4GB", 8, [odd, odd]) == 4


def test_what_the_writer_holds_back_does_not_change_a_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = some_files(tmp_path, 1)
    first = digests(tmp_path, raw)
    monkeypatch.setattr("temporal_adapters.stages.weeks.split.flush_bytes", lambda limit: 1)
    assert digests(tmp_path / "again", raw) == first


@pytest.mark.slow
def test_the_limit_decides_processes_weeks_and_passes_but_not_a_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = some_files(tmp_path, 3)
    monkeypatch.setattr(spread, "_WORTH_BYTES", 0)
    # Posts as few as these would come under no threshold of real limits.
    monkeypatch.setattr(memory, "_COPIES", 20_000)
    monkeypatch.setattr(
        "temporal_adapters.stages.weeks.identity.flush_bytes", lambda limit: memory.megabytes(limit) // 2
    )
    decided, found = set(), []
    for limit in ("500MB", "4GB"):
        found.append(digests(tmp_path / limit, raw, memory_limit=limit, workers=2))
        staged_files = [staged.read_staged(path) for path in (tmp_path / limit / "run" / "panel").glob("*.arrow")]
        n_weeks = memory.n_weeks(limit, 2, [file for file in staged_files if file is not None])
        decided.add((memory.n_processes(limit, 2), n_weeks))
    assert decided == {(1, 1), (2, 2)}
    assert found[0] == found[1]


def some_files(folder: Path, n_files: int) -> list[Path]:
    """Files of posts in three weeks, some with an id that another file dates otherwise."""
    days = ["Wed Apr 05", "Wed Apr 12", "Sun Apr 09"]
    posts = [tweet(n % 190, created_at=f"{days[n % 3]} 12:{n % 60:02}:00 +0000 2023") for n in range(200)]
    return [write_lines(folder / f"{number}.jsonl", *posts[number::n_files]) for number in range(n_files)]


def digests(folder: Path, raw: list[Path], **settings: Any) -> list[str]:
    """The digests of the weeks of these files, built in `folder`."""
    folder.mkdir(exist_ok=True)
    build(folder, *raw, **settings)
    return [corpus.sha256 for corpus in read_corpora(RunFolder(folder / "run"))]
