"""Processes: who holds something, whether they still live, and children that do not outlive their parent.

Takes and gives process ids with their start times. Knows no stage and no file.

A process id alone says little: it is given out again, and means nothing on another machine. So whoever holds something
is written as host, process id and start time.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import psutil

HOST = socket.gethostname().replace(os.sep, "_").replace(" ", "_")
"""Name of this machine, as it is written into files and their names."""

_SAME_START_S = 2.0
"""Seconds between two readings of one start time: clocks are adjusted, and some systems count in whole seconds."""

_LOOK_EVERY_S = 0.5
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Holder:
    """A process that holds something.

    Attributes
    ----------
    host, pid
        Machine and process id.
    started
        Start time, seconds since 1970; None where that is unknown (files of 0.1.0).
    """

    host: str
    pid: int
    started: float | None = None

    @classmethod
    def here(cls) -> Self:
        """Return this process."""
        return cls(HOST, os.getpid(), _started(os.getpid()))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return who is written in a file; None where that cannot be read."""
        words = text.split()
        if len(words) not in (2, 3) or not words[1].isdigit():
            return None
        try:
            return cls(words[0], int(words[1]), float(words[2]) if len(words) == 3 else None)
        except ValueError:
            return None

    def __str__(self) -> str:
        started = "" if self.started is None else f" {self.started:.2f}"
        return f"{self.host} {self.pid}{started}"

    @property
    def is_here(self) -> bool:
        """Whether the process runs on this machine, where it can be asked for."""
        return self.host == HOST

    def is_alive(self) -> bool | None:
        """Return whether the process lives; None on another machine, where nobody can say."""
        if not self.is_here:
            return None
        started = _started(self.pid)
        if started is None:
            return False
        return self.started is None or abs(started - self.started) <= _SAME_START_S


def _started(pid: int) -> float | None:
    """Return when a process of this machine started; None where there is none, or it is a zombie."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.NoSuchProcess:
        return None
    except psutil.Error:  # it is there, and does not tell us more
        return time.time() if psutil.pid_exists(pid) else None


def end_with_parent() -> None:
    """Let this process end at once when the one that started it is gone, and leave Ctrl-C to that one.

    Nothing can be left half-finished by that: whatever is published is published by one rename.
    """
    with contextlib.suppress(ValueError):  # only the main thread of a process may say so
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = os.getppid()
    threading.Thread(target=_watch, args=(parent,), daemon=True, name="end-with-parent").start()


def _watch(parent: int) -> None:
    """End this process when its parent is another one: the first has gone, also where nothing signals that."""
    while os.getppid() == parent and psutil.pid_exists(parent):
        time.sleep(_LOOK_EVERY_S)
    os._exit(1)


@contextlib.contextmanager
def starting_children() -> Iterator[None]:
    """Start children that Ctrl-C does not reach, not even while Python starts in them: their parent ends them."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ended_by(code: int) -> str:
    """Return how a process ended, from its exit code, in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed ({name}{'; that is what Linux does when memory runs out' if -code == 9 else ''})"
