"""Claims: many processes, also on many machines that share a file system, divide the items of a study among them.

Takes the path of a claim file, gives yes or no. Knows no adapters.

A claim is a small file, created exclusively. Its holder touches it while at work; a claim whose holder is dead, or that
nobody has touched for a while, can be taken over.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path

from temporal_adapters.study.artifacts.publish import ABANDONED_AFTER_S

TOUCH_EVERY_S = 30.0


class Claim:
    """The right to work on one item.

    Parameters
    ----------
    path
        The claim file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._touched_s = time.monotonic()

    @classmethod
    def take(cls, path: Path) -> Claim | None:
        """Return the claim, or None if somebody alive holds it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if _create(path):
            return cls(path)
        if not is_abandoned(path):
            return None
        # Only one of several who notice can rename it away.
        aside = path.with_name(f"{path.name}.{socket.gethostname()}.{os.getpid()}")
        try:
            path.rename(aside)
        except FileNotFoundError:
            return None
        aside.unlink(missing_ok=True)
        return cls(path) if _create(path) else None

    def touch(self) -> None:
        """Say that the holder is alive, if it was not said lately."""
        if time.monotonic() - self._touched_s > TOUCH_EVERY_S:
            with contextlib.suppress(FileNotFoundError):
                os.utime(self.path)
            self._touched_s = time.monotonic()

    def release(self) -> None:
        """Give the item free."""
        self.path.unlink(missing_ok=True)


def _create(path: Path) -> bool:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(f"{socket.gethostname()} {os.getpid()}\n")
    except FileExistsError:
        return False
    return True


def is_abandoned(path: Path) -> bool:
    """Return whether the claim's holder is dead, as far as this machine can tell; False where there is no claim."""
    try:
        age_s = time.time() - path.stat().st_mtime
        host, _, process = path.read_text(encoding="utf-8").strip().partition(" ")
    except FileNotFoundError:
        return False
    if host != socket.gethostname() or not process.isdigit():
        return age_s > ABANDONED_AFTER_S
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
