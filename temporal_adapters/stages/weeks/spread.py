"""Many raw files over the cores of one machine.

Takes files and where each is to be staged, gives the staged files. Knows no rule: every file goes through `split_file`.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from queue import Empty
from typing import Any

from temporal_adapters.ground.errors import OutOfMemoryError
from temporal_adapters.ground.processes import end_with_parent, starting_children
from temporal_adapters.stages.weeks.memory import n_processes, part
from temporal_adapters.stages.weeks.split import SplitSettings, split_file
from temporal_adapters.stages.weeks.staged import Staged

_WORTH_BYTES = 16 << 20
"""Bytes of raw files below which starting processes costs more than it saves."""

_POLL_S = 0.2

_KILLED = (
    "a process that read raw files was killed, as Linux does when memory runs out: lower weeks.memory_limit, or use a"
    " machine with more memory; files that are read already are kept"
)

Job = tuple[Path, Path]
"""A raw file and the staged file to write."""

Spread = Callable[[Sequence[Job], SplitSettings, int, Callable[[Path, int], None]], Iterator[tuple[Path, Staged]]]
"""Stages many files: jobs, settings, cores to use, and whom to tell of a raw file's bytes read so far."""


def split_files(
    jobs: Sequence[Job], settings: SplitSettings, workers: int, on_bytes: Callable[[Path, int], None]
) -> Iterator[tuple[Path, Staged]]:
    """Yield each raw file with its staged file as it is finished.

    Parameters
    ----------
    jobs
        What to do.
    settings
        The same for all; `threads` and `memory_limit` are shared out.
    workers
        Processor cores to use; as many processes as the memory allows.
    on_bytes
        Told a raw file and how many of its bytes are read.
    """
    processes = min(n_processes(settings.memory_limit, workers), len(jobs))
    if processes < 2 or sum(raw.stat().st_size for raw, _ in jobs) < _WORTH_BYTES:
        for raw, target in jobs:
            yield raw, split_file(raw, target, settings, lambda consumed, raw=raw: on_bytes(raw, consumed))  # type: ignore[misc]
        return
    limit = part(settings.memory_limit, processes + 1)
    share = replace(settings, threads=max(1, workers // processes), memory_limit=limit)
    # Spawned, not forked: the threads of DuckDB, Arrow and Polars do not survive a fork.
    context = multiprocessing.get_context("spawn")
    news = context.Queue()
    with ProcessPoolExecutor(processes, context, initializer=_listen_to, initargs=(news,)) as pool:
        before = set(multiprocessing.active_children())
        with starting_children():
            waiting = {pool.submit(_work, job, share): job for job in jobs}
        try:
            yield from _finished(waiting, news, on_bytes)
        except BaseException as error:
            for child in set(multiprocessing.active_children()) - before:
                child.kill()
            pool.shutdown(wait=True, cancel_futures=True)
            if isinstance(error, BrokenProcessPool):
                raise OutOfMemoryError(_KILLED) from None
            raise


def _finished(
    waiting: dict[Future[Staged], Job], news: Any, on_bytes: Callable[[Path, int], None]
) -> Iterator[tuple[Path, Staged]]:
    while waiting:
        done, _ = wait(waiting, timeout=_POLL_S, return_when=FIRST_COMPLETED)
        for name, consumed in _read_all(news):
            on_bytes(Path(name), consumed)
        for future in done:
            raw, _ = waiting.pop(future)
            yield raw, future.result()


def _read_all(news: Any) -> Iterator[tuple[str, int]]:
    while True:
        try:
            yield news.get_nowait()
        except Empty:
            return


_news: Any = None


def _listen_to(news: Any) -> None:
    global _news
    end_with_parent()
    _news = news


def _work(job: Job, settings: SplitSettings) -> Staged:
    raw, target = job
    return split_file(raw, target, settings, lambda consumed: _news.put((str(raw), consumed)))
