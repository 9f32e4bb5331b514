"""How `weeks.memory_limit` is shared out.

Takes the limit, gives the parts of it. Knows no stage.

A process needs some memory before it reads a post: the libraries, one chunk of posts in three forms (raw, cleaned, by
week) and what the writer holds back. The limit decides how many processes run, what DuckDB may use in each, how many
weeks are in work at once and how much the writer holds back. What it cannot bound: a single process, a single chunk (32
MB of raw JSON, 131,072 rows of a table), a single week, which must fit on its own, and the posts of ids that have
several dates (`identity`).
"""

from __future__ import annotations

from collections.abc import Sequence

from temporal_adapters.stages.weeks.staged import Staged

PROCESS_MB = 450
"""Megabytes of a process that reads, cleans and splits, as measured (`benchmarks/weeks.py`), and of the one that waits
for it."""

_LEAST_MB = 100
"""DuckDB cannot work with less."""

_SHARE_MB = 600
"""Least share of each of several processes: below, the quarter that DuckDB always gets does not fit beside the rest."""

_COPIES = 4
"""Forms of a week in memory while it is ordered and written: mapped, ordered, as Arrow, encoded as Parquet."""


def megabytes(limit: str) -> int:
    """Return a limit such as ``800MB`` or ``2GB`` in megabytes."""
    return int(limit[:-2]) * (1000 if limit.endswith("GB") else 1)


def n_processes(limit: str, workers: int) -> int:
    """Return how many processes may split raw files at once, beside the one that waits for them."""
    return max(1, min(workers, megabytes(limit) // _SHARE_MB - 1))


def part(limit: str, n: int) -> str:
    """Return the limit of each of `n` processes."""
    return f"{max(_LEAST_MB, megabytes(limit) // n)}MB"


def duckdb_limit(limit: str) -> str:
    """Return DuckDB's part of a process's limit; it writes to disk what does not fit."""
    return f"{max(_LEAST_MB, megabytes(limit) - PROCESS_MB, megabytes(limit) // 4)}MB"


def flush_bytes(limit: str) -> int:
    """Return the bytes of cleaned posts that the writer may hold back."""
    return min(128, max(8, megabytes(limit) // 16)) * 1_000_000


def n_weeks(limit: str, workers: int, staged: Sequence[Staged]) -> int:
    """Return how many weeks may be in work at once, from the size of the largest."""
    largest: dict[int, float] = {}
    for file in staged:
        per_row = file.path.stat().st_size / max(1, sum(file.rows.values()))
        for week, rows in file.rows.items():
            largest[week] = largest.get(week, 0.0) + rows * per_row
    needed_mb = _COPIES * max(largest.values(), default=0.0) / 1e6
    return max(1, min(workers, int((megabytes(limit) - PROCESS_MB / 2) / max(needed_mb, 1.0))))
