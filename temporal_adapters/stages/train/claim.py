"""Claims: many processes, also on many machines that share a file system, divide the items of a study among them.

Takes the path of a claim file, gives yes or no. Knows no adapters.

A claim is a small file, created exclusively, that names its holder: host, process id, start time. Its holder touches it
while at work. On the holder's own machine a claim can be taken over as soon as that process is gone; from another one,
which cannot see the process, when nobody has touched it for ten minutes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from temporal_adapters.ground.processes import Holder
from temporal_adapters.ground.storage import private_folder
from temporal_adapters.study.artifacts import ABANDONED_AFTER_S

if TYPE_CHECKING:
    from temporal_adapters.stages.train.plan import Item

TOUCH_EVERY_S = 30.0

_WRITING_S = 10.0
"""Seconds after which a claim without a name in it counts as left behind: whoever made it could not write it."""


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
        private_folder(path.parent)
        if _create(path):
            return cls(path)
        if not is_abandoned(path):
            return None
        # Only one of several who notice can rename it away.
        here = Holder.here()
        aside = path.with_name(f"{path.name}.{here.host}.{here.pid}")
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
    """Create a claim that names its holder from the first moment: a kill between the two would leave it to nobody."""
    here = Holder.here()
    draft = path.with_name(f"{path.name}.partial-{here.host}-{here.pid}")
    try:
        draft.write_text(f"{here}\n", encoding="utf-8")
        os.link(draft, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK):
            raise
        return _create_unlinked(path, here)
    finally:
        draft.unlink(missing_ok=True)
    return True


def _create_unlinked(path: Path, here: Holder) -> bool:
    """Create a claim on a file system without hard links."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(f"{here}\n")
    except FileExistsError:
        return False
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return True


def holder(path: Path) -> Holder | None:
    """Return who holds a claim; None where there is no claim, or nobody is named in it."""
    try:
        return Holder.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def abandoned(wanted: Iterable[Item]) -> Iterator[tuple[str, Holder]]:
    """Yield the names of unfinished items that somebody claimed who is gone, and who that was."""
    for item in wanted:
        known = holder(item.claim_path)
        if known is not None and is_abandoned(item.claim_path) and not item.is_done:
            yield item.name, known


def is_abandoned(path: Path) -> bool:
    """Return whether the claim's holder is dead, as far as this machine can tell; False where there is no claim."""
    try:
        age_s = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return False
    known = holder(path)
    if known is None:
        return age_s > _WRITING_S
    is_alive = known.is_alive()
    return age_s > ABANDONED_AFTER_S if is_alive is None else not is_alive
