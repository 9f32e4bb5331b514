"""What disks and memory refuse, in one sentence, whichever library says so.

Takes an exception, gives the error that a person can act on. Knows no stage.

Python raises `OSError` with a number; safetensors, Polars, DuckDB, PyArrow and PyTorch raise errors of their own that
carry the system's words only.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from temporal_adapters.ground.errors import OutOfMemoryError, StorageError, TemporalAdaptersError

_REFUSALS = {
    errno.ENOSPC: "the disk is full (no space or no inodes left): free some, or put the folder elsewhere (--runs)",
    getattr(errno, "EDQUOT", -1): "your quota there is used up: free some space, or put the folder elsewhere (--runs)",
    errno.EFBIG: "the file would be larger than this disk or a limit of this shell (ulimit -f) allows",
    errno.EROFS: "the disk is read-only: put the folder elsewhere (--runs)",
    errno.EACCES: "this user may not use it: change its owner or rights, or put the folder elsewhere (--runs)",
    errno.EPERM: "this user may not use it: change its owner or rights, or put the folder elsewhere (--runs)",
    errno.EIO: "the disk does not answer (input/output error): look at its health before running again",
    errno.EMFILE: "too many files are open: raise the limit of this shell (ulimit -n 4096)",
    errno.ENFILE: "too many files are open on this machine: close some programs",
    errno.ENAMETOOLONG: "the name is too long for this disk: use a shorter study name or folder",
    errno.ENOTDIR: "a part of that path is a file where a folder is needed: remove it, or use another folder (--runs)",
    errno.EISDIR: "there is a folder where a file is needed: remove it",
    errno.ELOOP: "a symbolic link on that path points to itself: remove it",
    errno.EEXIST: "something else has that name: remove it, or use another folder (--runs)",
    errno.ENOTEMPTY: "something else has that name: remove it, or use another folder (--runs)",
    errno.ESTALE: "the network disk has lost it: run the same command again",
    errno.ENOENT: "it is gone, or a link on that path leads nowhere: look who removes it, and run the command again",
}

_WORDS = {
    r"no space left on device|os error 28\b|errno 28\b|not enough space|could not write.*disk": errno.ENOSPC,
    r"disk quota exceeded|os error 122\b|errno 122\b": getattr(errno, "EDQUOT", errno.ENOSPC),
    r"file too large|os error 27\b|errno 27\b": errno.EFBIG,
    r"read-only file system|os error 30\b|errno 30\b": errno.EROFS,
    r"permission denied|os error 13\b|errno 13\b": errno.EACCES,
    r"input/output error|os error 5\b|errno 5\b": errno.EIO,
    r"too many open files|os error 24\b|errno 24\b": errno.EMFILE,
    r"file name too long|os error 36\b|errno 36\b": errno.ENAMETOOLONG,
}
"""How libraries that speak through Rust or C++ pass the system's refusal on."""

_SHORT_OF_MEMORY = re.compile(
    r"out of memory|not enough memory|cannot allocate memory|can't allocate|bad_alloc|memory allocation of|"
    r"DefaultCPUAllocator|failed to allocate|os error 12\b|realloc of size|malloc of size",
    re.IGNORECASE,
)

_LIBRARIES = ("safetensors", "polars", "duckdb", "_duckdb", "pyarrow", "torch", "tokenizers", "pyo3_runtime")
"""Modules whose exceptions are read for the system's words; errors of this project and of the interpreter are not."""


def explain(error: BaseException, where: Path | None = None) -> TemporalAdaptersError | None:
    """Return what a disk or the memory refused as an error in one sentence; None for every other error.

    Parameters
    ----------
    error
        What was raised.
    where
        The folder in work, named where the error names no path.
    """
    if isinstance(error, TemporalAdaptersError):
        return None
    if _is_short_of_memory(error):
        return OutOfMemoryError(
            "more memory was needed than there is: use fewer workers (--workers 1), lower weeks.memory_limit,"
            " train.together or train.micro_batch, or a machine with more memory; finished items are kept"
        )
    code = _code(error)
    if code is None or code not in _REFUSALS:
        return None
    path = getattr(error, "filename", None) or where
    place = f"{os.fspath(path)}: " if path is not None else ""
    return StorageError(f"{place}{_REFUSALS[code]}{_free(path)}; nothing finished is lost, run the same command again")


def _code(error: BaseException) -> int | None:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    if not _is_of_a_library(error):
        return None
    said = str(error).lower()
    return next((code for words, code in _WORDS.items() if re.search(words, said)), None)


def _is_short_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return _is_of_a_library(error) and _SHORT_OF_MEMORY.search(str(error)) is not None


def _is_of_a_library(error: BaseException) -> bool:
    return type(error) in (RuntimeError, OSError) or type(error).__module__.partition(".")[0] in _LIBRARIES


def _free(path: str | bytes | os.PathLike[str] | None) -> str:
    """Return how much is free where something could not be written, as the end of a phrase."""
    if path is None or isinstance(path, bytes):
        return ""
    try:
        free = shutil.disk_usage(_existing(Path(path))).free
    except OSError:
        return ""
    return f" ({free / 1e6:,.0f} MB are free there)" if free < 1e9 else ""


def private_folder(path: Path) -> None:
    """Make a folder and those above it that are not there yet, for this user alone: posts of people lie in them.

    Folders that exist keep their rights: who shares a run folder with a group goes on doing so.
    """
    missing = [one for one in (path, *path.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
    path.mkdir(exist_ok=True)


def without_places(value: Any) -> Any:
    """Return a JSON value in which of every path on this machine only the last part is left.

    What is passed on (a report, an export) says nothing about whose machine it was made on.
    """
    if isinstance(value, dict):
        return {without_places(name): without_places(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [without_places(entry) for entry in value]
    if isinstance(value, str) and (PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute()):
        return PureWindowsPath(value).name if "\\" in value else PurePosixPath(value).name
    return PurePosixPath(value).name if isinstance(value, str) and value.startswith("~/") else value


def _existing(path: Path) -> Path:
    """Return the nearest folder above a path that exists."""
    return next((one for one in (path, *path.absolute().parents) if one.is_dir()), Path.cwd())


def require_space(folder: Path, n_bytes: float, what: str) -> None:
    """Refuse work whose results will not fit.

    Parameters
    ----------
    folder
        Where they will be written; it need not exist yet.
    n_bytes
        Bytes that are needed, estimated.
    what
        What needs them, as the beginning of a sentence.

    Raises
    ------
    StorageError
        With what is needed, what is free and what to do.
    """
    try:
        free = shutil.disk_usage(_existing(folder)).free
    except OSError:
        return
    if n_bytes > free:
        raise StorageError(
            f"{what} will take about {n_bytes / 1e6:,.0f} MB in {folder}, and {free / 1e6:,.0f} MB are free there:"
            " free some space, or put the folder elsewhere (--runs)"
        )
