"""The memory limit: what it decides, and that it never decides what comes out."""

from __future__ import annotations

from pathlib import Path

import pytest
from raw_posts import build, tweet, write_lines

from temporal_adapters.artifacts import RunFolder, read_corpora
from temporal_adapters.weeks import memory, staged


def test_processes_are_as_many_as_the_memory_and_the_cores_allow() -> None:
    assert [memory.n_processes(limit, 8) for limit in ("500MB", "1GB", "2GB", "4GB", "64GB")] == [1, 1, 3, 7, 8]
    for limit in ("500MB", "900MB", "2GB", "4GB", "64GB"):
        n = memory.n_processes(limit, 64)
        share = memory.part(limit, n + 1)
        # Each process: its libraries and chunks, and DuckDB's part beyond them.
        assert memory.megabytes(memory.duckdb_limit(share)) <= max(
            100, memory.megabytes(share) - memory.PROCESS_MB, 125
        )
        assert (n + 1) * memory.PROCESS_MB <= max(2 * memory.PROCESS_MB, memory.megabytes(limit))


def test_a_large_week_is_worked_on_alone(tmp_path: Path) -> None:
    counts = staged.Counts(1, 1, 0, {}, {}, {})
    (tmp_path / "a.arrow").write_bytes(bytes(100_000_000))
    even = staged.Staged(tmp_path / "a.arrow", {}, dict.fromkeys(range(100), 10), counts)
    odd = staged.Staged(tmp_path / "a.arrow", {}, {1: 990, 2: 10}, counts)
    assert memory.n_weeks("1GB", 8, [even]) == 8
    assert memory.n_weeks("1GB", 8, [odd]) == 1
    assert memory.n_weeks("4GB", 8, [odd, odd]) == 4


@pytest.mark.parametrize("name", ["flush", "limit"])
def test_neither_the_limit_nor_what_the_writer_holds_back_changes_a_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    days = ["Wed Apr 05", "Wed Apr 12", "Sun Apr 09"]
    posts = [tweet(n, created_at=f"{days[n % 3]} 12:{n % 60:02}:00 +0000 2023") for n in range(200)]
    raw = write_lines(tmp_path / "a.jsonl", *posts)
    build(tmp_path, raw)
    first = [corpus.sha256 for corpus in read_corpora(RunFolder(tmp_path / "run"))]
    if name == "flush":
        monkeypatch.setattr("temporal_adapters.weeks.split.flush_bytes", lambda limit: 1)
    (tmp_path / "again").mkdir()
    build(tmp_path / "again", raw, memory_limit="500MB" if name == "limit" else "2GB")
    assert [corpus.sha256 for corpus in read_corpora(RunFolder(tmp_path / "again" / "run"))] == first
