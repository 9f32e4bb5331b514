"""Raw files as streams of bytes: folders and globs, compression, damaged ends.

Takes paths, gives files in a fixed order and their decompressed content block by block. Knows no layout of posts.
"""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from temporal_adapters.ground.errors import PanelError

BLOCK_BYTES = 32 << 20
"""Decompressed bytes per block: some ten thousand posts, so that preparing a query costs little beside running it."""

_READ_BYTES = 1 << 20
_REDDIT_WINDOW = 1 << 31
"""Reddit dumps are compressed with a window of 2^31 bytes, above zstd's default limit."""

_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_OTHER_MAGIC = {b"PK\x03\x04": "a zip archive", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"7z\xbc\xaf": "a 7z archive"}


@dataclass(frozen=True)
class Block:
    """Some decompressed bytes.

    Attributes
    ----------
    data
        The bytes.
    consumed
        Bytes of the file on disk read so far.
    """

    data: bytes
    consumed: int


def find_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files that `paths` name (files, folders searched through, globs), each once, in sorted order.

    Hidden files and folders are left out.

    Raises
    ------
    PanelError
        If a path names no file.
    """
    found: set[Path] = set()
    for path in paths:
        matches = [path] if path.exists() else [Path(name) for name in glob.glob(str(path), recursive=True)]
        files = [file for match in matches for file in _inside(match)]
        if not files:
            what = "is an empty folder" if path.is_dir() else "names no file"
            raise PanelError(f"panel.paths: {path} {what}: name a file, a folder or a glob that holds raw posts")
        found.update(files)
    return sorted(found)


def _inside(match: Path) -> Iterator[Path]:
    if match.is_file():
        yield match
    elif match.is_dir():
        for file in match.rglob("*"):
            if file.is_file() and not any(part.startswith(".") for part in file.relative_to(match).parts):
                yield file


class _Decompressor(Protocol):
    def decompress(self, data: bytes) -> bytes: ...


def read_blocks(path: Path, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """Yield the decompressed content of a file (plain, gzip or zstd, told by its first bytes) in blocks.

    A leading UTF-8 byte order mark is removed.

    Raises
    ------
    PanelError
        If the file cannot be opened, is damaged, ends too early, or is compressed in another way.
    """
    try:
        with path.open("rb") as file:
            head = file.peek(6)[:6]
            kind = _kind(path, head)
            blocks = _plain(file, block_bytes) if kind is None else _compressed(path, file, kind, block_bytes)
            yield from _without_mark(blocks)
    except OSError as error:
        raise PanelError(f"{path}: cannot be read: {error.strerror or error}") from None


def _kind(path: Path, head: bytes) -> str | None:
    for magic, name in _OTHER_MAGIC.items():
        if head.startswith(magic):
            raise PanelError(f"{path}: is {name}: unpack it, or compress it with gzip or zstd instead")
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise PanelError(f"{path}: is UTF-16 text: convert it to UTF-8")
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


def _without_mark(blocks: Iterator[Block]) -> Iterator[Block]:
    for number, block in enumerate(blocks):
        if number == 0 and block.data.startswith(b"\xef\xbb\xbf"):
            yield Block(block.data[3:], block.consumed)
        else:
            yield block


def _plain(file: IO[bytes], block_bytes: int) -> Iterator[Block]:
    while data := file.read(block_bytes):
        yield Block(data, file.tell())


def _compressed(path: Path, file: IO[bytes], kind: str, block_bytes: int) -> Iterator[Block]:
    pieces: list[bytes] = []
    n_bytes = 0
    for piece in _members(path, file, kind):
        pieces.append(piece)
        n_bytes += len(piece)
        if n_bytes >= block_bytes:
            yield Block(b"".join(pieces), file.tell())
            pieces, n_bytes = [], 0
    if pieces:
        yield Block(b"".join(pieces), file.tell())


def _members(path: Path, file: IO[bytes], kind: str) -> Iterator[bytes]:
    """Yield the decompressed pieces of all members of the file: dumps are often concatenations."""
    engine: _Decompressor | None = None
    errors = _error_types(kind)
    while data := file.read(_READ_BYTES):
        while data:
            engine = engine or _decompressor(kind)
            try:
                piece = engine.decompress(data)
            except errors as error:
                raise PanelError(
                    f"{path}: the {kind} stream is damaged after about {file.tell()} bytes ({error}): "
                    "fetch or compress the file again"
                ) from None
            if piece:
                yield piece
            finished = bool(getattr(engine, "eof", False))
            data = getattr(engine, "unused_data", b"").lstrip(b"\0") if finished else b""
            engine = None if finished else engine
    if engine is not None:
        raise PanelError(f"{path}: the {kind} stream ends too early (the file is truncated): fetch the file again")


def _decompressor(kind: str) -> _Decompressor:
    if kind == "gzip":
        from isal import isal_zlib

        return isal_zlib.decompressobj(wbits=31)
    import zstandard

    return zstandard.ZstdDecompressor(max_window_size=_REDDIT_WINDOW).decompressobj()


def _error_types(kind: str) -> tuple[type[Exception], ...]:
    if kind == "gzip":
        from isal import isal_zlib

        damaged: type[Exception] = getattr(isal_zlib, "IsalError")  # noqa: B009 (its stub calls it an instance)
        return (damaged,)
    import zstandard

    return (zstandard.ZstdError,)
