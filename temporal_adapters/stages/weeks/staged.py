"""Cleaned posts of one raw file on disk, grouped by week.

Takes tables of posts with their week, gives an Arrow file whose record batches hold one week each, and reads single
weeks back without touching the rest. Knows no cleaning rule.

Such a file lies in ``runs/<study>/panel/``: it is the one copy between the raw files and the weeks, without raw ids,
and lets a new raw file rebuild only the weeks it touches.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from temporal_adapters.ground.errors import WeeksError
from temporal_adapters.ground.storage import private_folder
from temporal_adapters.stages.panel import CORRUPT

STAGED = pa.schema(
    [
        ("post_id", pa.string()),
        ("user_id", pa.string()),
        ("created_us", pa.int64()),
        ("text", pa.string()),
        ("lang", pa.string()),
        ("is_repost", pa.bool_()),
        ("is_reply", pa.bool_()),
        ("platform", pa.string()),
    ]
)

_FLUSH_BYTES = 64_000_000
"""Bytes held back so that an unsorted file does not end in thousands of tiny batches."""


@dataclass(frozen=True)
class Counts:
    """What became of the records of one raw file.

    Attributes
    ----------
    n_records
        Records in the file.
    n_kept
        Records that are in some week.
    n_copies
        Rows beyond one per kept record: posts that lie in several overlapping windows.
    dropped
        Reason -> records.
    changed
        Cleaning rule -> posts it applied to.
    repaired
        Kind of damage -> records repaired.
    noted
        What a reader should know -> records (cut texts, rounded times, doubts below the share that stops a run).
    """

    n_records: int
    n_kept: int
    n_copies: int
    dropped: Mapping[str, int]
    changed: Mapping[str, int]
    repaired: Mapping[str, int]
    noted: Mapping[str, int] = field(default_factory=dict)

    @property
    def n_corrupt(self) -> int:
        """Records dropped because they are damaged."""
        return sum(n for reason, n in self.dropped.items() if reason in CORRUPT)


@dataclass(frozen=True)
class Staged:
    """One finished file of cleaned posts.

    Attributes
    ----------
    path
        The Arrow file.
    weeks
        Week (see `Window.number`) -> positions of its record batches.
    rows
        Week -> rows.
    counts
        What became of the records.
    """

    path: Path
    weeks: Mapping[int, list[int]]
    rows: Mapping[int, int]
    counts: Counts

    def read(self, week: int) -> list[pa.RecordBatch]:
        """Return the record batches of one week, memory-mapped."""
        if week not in self.weeks:
            return []
        with pa.memory_map(str(self.path)) as source:
            reader = pa.ipc.open_file(source)
            return [reader.get_batch(position) for position in self.weeks[week]]


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into one sentence.

    Raises
    ------
    WeeksError
        If the block cannot write, for want of space or of permission.
    """
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise WeeksError(
            f"{path}: cannot be written ({reason}): free some space or use another folder (--runs)"
        ) from None


class Writer:
    """Writes one such file; use as a context manager, call `add`, then `finish`."""

    def __init__(self, path: Path, flush_bytes: int = _FLUSH_BYTES) -> None:
        self._path = path
        self._flush_bytes = flush_bytes
        self._partial = path.with_name(f"{path.name}.partial-{os.getpid()}")
        self._waiting: dict[int, list[pa.Table]] = {}
        self._n_waiting = 0
        self._weeks: dict[int, list[int]] = {}
        self._rows: dict[int, int] = {}
        self._n_batches = 0

    def __enter__(self) -> Writer:
        with writing(self._partial):
            private_folder(self._path.parent)
            self._sink = pa.OSFile(str(self._partial), "wb")
            self._writer = pa.ipc.new_file(self._sink, STAGED)
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError, pa.ArrowException):
            self._writer.close()
        with contextlib.suppress(OSError):
            self._sink.close()
        self._partial.unlink(missing_ok=True)

    def add(self, posts: pa.Table) -> None:
        """Add kept posts: the columns of `STAGED` and `week`, in any order of weeks."""
        posts, weeks = posts.select(STAGED.names).cast(STAGED), posts["week"].to_numpy()
        self._n_waiting += posts.nbytes
        for week, part in _by_week(posts, weeks):
            self._waiting.setdefault(week, []).append(part)
        if self._n_waiting >= self._flush_bytes:
            self._flush()

    def _flush(self) -> None:
        for week in sorted(self._waiting):
            for batch in pa.concat_tables(self._waiting[week]).combine_chunks().to_batches():
                with writing(self._partial):
                    self._writer.write_batch(batch)
                self._weeks.setdefault(week, []).append(self._n_batches)
                self._rows[week] = self._rows.get(week, 0) + batch.num_rows
                self._n_batches += 1
        self._waiting, self._n_waiting = {}, 0

    def finish(self, counts: Counts) -> Staged:
        """Write what is left and put the file in place."""
        self._flush()
        index = {"weeks": self._weeks, "rows": self._rows, "counts": asdict(counts)}
        with writing(self._partial):
            self._writer.close()
            self._sink.close()
            os.replace(self._partial, self._path)
            _write_json(index_path(self._path), index)
        return Staged(self._path, self._weeks, self._rows, counts)


def _by_week(posts: pa.Table, weeks: npt.NDArray[np.int32]) -> Iterator[tuple[int, pa.Table]]:
    if not len(weeks):
        return
    if (np.diff(weeks) < 0).any():
        order = np.argsort(weeks, kind="stable")
        posts, weeks = posts.take(pa.array(order)), weeks[order]
    edges = np.flatnonzero(np.diff(weeks)) + 1
    for first, last in zip([0, *edges], [*edges, len(weeks)], strict=True):
        yield int(weeks[first]), posts.slice(first, last - first)


def index_path(path: Path) -> Path:
    """Return the path of the index beside a staged file; it is written last."""
    return path.with_suffix(".json")


def _write_json(path: Path, value: Any) -> None:
    partial = path.with_name(f"{path.name}.partial-{os.getpid()}")
    partial.write_text(json.dumps(value, indent=1), encoding="utf-8")
    os.replace(partial, path)


def read_staged(path: Path) -> Staged | None:
    """Return a finished staged file, or None where there is none (or only a half-written one)."""
    try:
        index = json.loads(index_path(path).read_text(encoding="utf-8"))
        with pa.memory_map(str(path)) as source:
            n_batches = pa.ipc.open_file(source).num_record_batches
    except (OSError, ValueError, pa.ArrowException):
        return None
    weeks = {int(week): list(positions) for week, positions in index["weeks"].items()}
    if sum(map(len, weeks.values())) != n_batches:
        return None
    rows = {int(week): n for week, n in index["rows"].items()}
    return Staged(path, weeks, rows, Counts(**index["counts"]))
