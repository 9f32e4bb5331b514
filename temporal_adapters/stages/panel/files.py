"""Raw files as streams of bytes: folders and globs, compression, archives, damaged ends.

Takes paths, gives files in a fixed order and their decompressed content block by block. Knows no layout of posts.
"""

from __future__ import annotations

import bz2
import codecs
import glob
import io
import itertools
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from temporal_adapters.ground.errors import PanelError
from temporal_adapters.ground.workbooks import require_modest
from temporal_adapters.stages.panel.sides import is_side, shown
from temporal_adapters.study.config import Panel

BLOCK_BYTES = 32 << 20
"""Decompressed bytes per block: some ten thousand posts, so that preparing a query costs little beside running it."""

LOOK_BYTES = 1 << 20
"""Bytes looked at to find out what a file is."""

_READ_BYTES = 1 << 20
_ZSTD_BYTES = 8 << 10
"""Compressed bytes given to zstd at once: every four may unpack to 128 kB, so that 256 MB is the most in one piece."""

_FREE_BYTES = 256 << 20
"""Unpacked bytes from which `panel.max_expansion` counts: what fits into memory harms nobody."""

_WIDEST_WINDOW = 1 << 31
"""Reddit dumps are compressed with a window of 2^31 bytes, above zstd's default limit."""

_SKIPPABLE = tuple(bytes([0x50 + n]) + b"\x2a\x4d\x18" for n in range(16))
_MAGIC: dict[bytes, str] = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    **dict.fromkeys(_SKIPPABLE, "zstd"),
}
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

Kind = Literal["text", "parquet", "arrow", "xlsx"]


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


@dataclass(frozen=True)
class Source:
    """One file of posts, by itself or inside an archive.

    Attributes
    ----------
    path
        The file on disk.
    name
        What messages call it: the path, and the member's name inside an archive.
    kind
        ``text`` (CSV or JSON, as UTF-8), or a container with its own reader.
    head
        The first bytes of a text.
    blocks
        The whole content of a text, from its beginning.
    file
        Path or content of a container with its own reader.
    """

    path: Path
    name: str
    kind: Kind
    head: bytes = b""
    blocks: Iterator[Block] = field(default_factory=lambda: iter(()))
    file: Any = None


def find_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files of posts that `paths` name (files, folders searched through, globs), each once, in sorted order.

    Hidden files and folders are left out, and so are files in folders and globs that hold no posts (see `left_out`).

    Raises
    ------
    PanelError
        If a path names no file.
    """
    found = _found(paths)
    return sorted(file for file, named in found.items() if named or not is_side(file))


def left_out(paths: Iterable[Path]) -> list[Path]:
    """Return the files in the folders and globs of `paths` that belong to a panel but hold no posts of it."""
    return sorted(file for file, named in _found(paths).items() if not named and is_side(file))


def _found(paths: Iterable[Path]) -> dict[Path, bool]:
    """Return file -> whether the study names it itself."""
    found: dict[Path, bool] = {}
    for path in paths:
        matches = [path] if path.exists() else [Path(name) for name in glob.glob(str(path), recursive=True)]
        files = [file for match in matches for file in _inside(match)]
        if not files:
            what = "is an empty folder" if path.is_dir() else "names no file"
            raise PanelError(f"panel.paths: {path} {what}: name a file, a folder or a glob that holds raw posts")
        for file in files:
            found[file] = found.get(file, False) or file == path
    return found


def _inside(match: Path) -> Iterator[Path]:
    if match.is_file():
        yield match
    elif match.is_dir():
        for file in match.rglob("*"):
            if file.is_file() and not any(part.startswith(".") for part in file.relative_to(match).parts):
                yield file


def open_sources(path: Path, settings: Panel, block_bytes: int = BLOCK_BYTES) -> Iterator[Source]:
    """Yield what a file holds: itself, or one source after the other for the members of an archive.

    A source must be read before the next is asked for. A leading byte order mark is removed.

    Raises
    ------
    PanelError
        If the file cannot be opened, is damaged, ends too early, unpacks to more than the study allows, or is of a
        kind that has to be unpacked by hand.
    """
    try:
        with path.open("rb") as file:
            yield from _sources(path, shown(path), file, settings, block_bytes)
    except OSError as error:
        raise PanelError(f"{shown(path)}: cannot be read: {error.strerror or type(error).__name__}") from None


def _sources(path: Path, name: str, file: Any, settings: Panel, block_bytes: int) -> Iterator[Source]:
    start = file.peek(6)[:6]
    if start.startswith(b"PAR1"):
        yield Source(path, name, "parquet", file=path)
    elif start.startswith(b"ARROW1"):
        yield Source(path, name, "arrow", file=path)
    elif start.startswith(b"PK\x03\x04"):
        yield from _zipped(path, name, file, settings, block_bytes)
    elif start.startswith(b"7z\xbc\xaf") or start.startswith(b"Rar!"):
        raise PanelError(f"{name}: is a 7z or rar archive: unpack it, or pack it as zip or tar.gz instead")
    else:
        kind = next((known for magic, known in _MAGIC.items() if start.startswith(magic)), None)
        pieces = _plain(file) if kind is None else _bounded(name, file, kind, settings.max_expansion)
        yield from _unpacked(path, name, pieces, file, settings, block_bytes)


def _unpacked(
    path: Path, name: str, pieces: Iterator[bytes], file: Any, settings: Panel, block_bytes: int
) -> Iterator[Source]:
    head = _take(pieces, LOOK_BYTES)
    if head[257:262] == b"ustar":
        yield from _tarred(path, name, _Stream(itertools.chain([head], pieces)), settings, block_bytes)
        return
    if head.startswith(b"PAR1"):
        yield Source(path, name, "parquet", file=io.BytesIO(head + b"".join(pieces)))
        return
    yield text_source(path, name, head, pieces, file.tell, settings, block_bytes)


def text_source(
    path: Path, name: str, head: bytes, pieces: Iterator[bytes], tell: Callable[[], int], settings: Panel, size: int
) -> Source:
    """Return a source of text as UTF-8, from its first bytes and the pieces after them."""
    mark, marked = next(((mark, name) for mark, name in _MARKS if head.startswith(mark)), (b"", None))
    encoding = settings.encoding or marked
    if encoding is None and head[:2000].count(0) > 0.3 * len(head[:2000]):
        raise PanelError(f"{name}: is no text in UTF-8: set panel.encoding, for example utf-16-le")
    if encoding and codecs.lookup(encoding).name not in ("utf-8", "utf-8-sig"):
        decode = codecs.getincrementaldecoder(encoding)("replace").decode
        head, pieces = decode(head).encode(), (decode(piece).encode() for piece in pieces)
    elif mark == codecs.BOM_UTF8:
        head = head[len(mark) :]
    return Source(path, name, "text", head, _blocks(itertools.chain([head], pieces), tell, size))


def _take(pieces: Iterator[bytes], n_bytes: int) -> bytes:
    taken: list[bytes] = []
    while sum(map(len, taken)) < n_bytes and (piece := next(pieces, None)) is not None:
        taken.append(piece)
    return b"".join(taken)


def _blocks(pieces: Iterator[bytes], tell: Callable[[], int], block_bytes: int) -> Iterator[Block]:
    waiting: list[bytes] = []
    n_bytes = 0
    cut = (piece[at : at + block_bytes] for piece in pieces for at in range(0, len(piece), block_bytes))
    for piece in cut:
        waiting.append(piece)
        n_bytes += len(piece)
        if n_bytes >= block_bytes:
            yield Block(b"".join(waiting), tell())
            waiting, n_bytes = [], 0
    if n_bytes:
        yield Block(b"".join(waiting), tell())


def _plain(file: IO[bytes]) -> Iterator[bytes]:
    while data := file.read(_READ_BYTES):
        yield data


# --- compression ------------------------------------------------------------------------------------------------------


def _bounded(name: str, file: Any, kind: str, most: float) -> Iterator[bytes]:
    """Yield unpacked pieces, and stop a file that unpacks to more than the study allows."""
    n_bytes = 0
    damaged = _damages(kind)
    pieces = _zstd(name, file) if kind == "zstd" else _plain(_opened(file, kind))
    while True:
        try:
            piece = next(pieces, None)
        except EOFError:
            raise PanelError(
                f"{name}: the {kind} stream ends too early (the file is truncated): fetch the file again"
            ) from None
        except damaged as error:
            raise PanelError(
                f"{name}: the {kind} stream is damaged after about {file.tell()} bytes ({type(error).__name__}): "
                "fetch or compress the file again"
            ) from None
        if piece is None:
            return
        n_bytes += len(piece)
        if n_bytes > max(_FREE_BYTES, most * file.tell()):
            raise PanelError(
                f"{name}: unpacks to more than {most:g} times its size: if that is right, raise panel.max_expansion"
            )
        yield piece


def _opened(file: IO[bytes], kind: str) -> IO[bytes]:
    if kind == "gzip":
        from isal import igzip

        opened: IO[bytes] = igzip.open(file, "rb")
        return opened
    return bz2.open(file, "rb") if kind == "bzip2" else lzma.open(file, "rb")


def _damages(kind: str) -> tuple[type[Exception], ...]:
    if kind == "gzip":
        from isal import isal_zlib

        damaged: type[Exception] = getattr(isal_zlib, "IsalError")  # noqa: B009 (its stub calls it an instance)
        return (damaged, OSError)
    import zstandard

    return (zstandard.ZstdError,) if kind == "zstd" else (OSError, lzma.LZMAError)


def _zstd(name: str, file: IO[bytes]) -> Iterator[bytes]:
    """Yield the unpacked pieces of all frames: dumps are often concatenations, and some frames hold nothing."""
    import zstandard

    engine: Any = None
    while data := file.read(_READ_BYTES):
        place = 0
        while place < len(data):
            part = data[place : place + _ZSTD_BYTES]
            engine = engine or zstandard.ZstdDecompressor(max_window_size=_WIDEST_WINDOW).decompressobj()
            piece = engine.decompress(part)
            place += len(part)
            if engine.eof:
                place -= len(engine.unused_data)
                engine = None
                while data[place : place + 1] == b"\0":  # padding between frames
                    place += 1
            if piece:
                yield piece
    if engine is not None:
        raise EOFError(name)


# --- archives ---------------------------------------------------------------------------------------------------------


class _Stream(io.RawIOBase):
    """Pieces of bytes as a file that is read from its beginning to its end."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        n = min(len(buffer), len(self._rest))
        buffer[:n] = self._rest[:n]
        self._rest = self._rest[n:]
        return n


def _tarred(path: Path, name: str, stream: io.RawIOBase, settings: Panel, block_bytes: int) -> Iterator[Source]:
    try:
        with tarfile.open(fileobj=io.BufferedReader(stream), mode="r|") as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isfile() else None
                if file is not None and _wanted(member.name):
                    yield from _member(path, f"{name}/{shown(member.name)}", file, settings, block_bytes)
    except tarfile.TarError as error:
        raise PanelError(f"{name}: the tar archive is damaged ({type(error).__name__}): fetch it again") from None


def _zipped(path: Path, name: str, file: Any, settings: Panel, block_bytes: int) -> Iterator[Source]:
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, OSError):
        what = "xlsx workbook" if path.suffix.lower() in (".xlsx", ".xlsm") else "zip archive"
        raise PanelError(f"{name}: is a damaged {what}: save or fetch it again") from None
    with archive:
        names = set(archive.namelist())
        if "xl/workbook.xml" in names:
            _require_modest(path, name, settings)
            yield Source(path, name, "xlsx", file=path)
            return
        if "word/document.xml" in names or "content.xml" in names:
            raise PanelError(f"{name}: is an office document: save it as CSV or xlsx")
        for member in sorted(archive.infolist(), key=lambda member: member.filename):
            if member.is_dir() or not _wanted(member.filename):
                continue
            if member.file_size > max(_FREE_BYTES, settings.max_expansion * max(1, member.compress_size)):
                raise PanelError(f"{name}: unpacks to more than {settings.max_expansion:g} times its size: if that is "
                                 "right, raise panel.max_expansion")  # fmt: skip
            try:
                with archive.open(member) as opened:
                    yield from _member(path, f"{name}/{shown(member.filename)}", opened, settings, block_bytes)
            except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
                raise PanelError(f"{name}: a member cannot be unpacked ({type(error).__name__}): unpack it") from None


def _require_modest(path: Path, name: str, settings: Panel) -> None:
    cure = "raise panel.max_expansion"
    most = settings.max_expansion
    require_modest(path, lambda what: PanelError(f"{name}: {what}"), most=most, free=_FREE_BYTES, cells=None, cure=cure)


def _wanted(name: str) -> bool:
    return not any(part.startswith((".", "__MACOSX")) for part in Path(name).parts) and not is_side(Path(name), b"")


def _member(path: Path, name: str, file: Any, settings: Panel, block_bytes: int) -> Iterator[Source]:
    buffered = io.BufferedReader(file) if not hasattr(file, "peek") else file
    start = buffered.peek(6)[:6]
    if start.startswith((b"PAR1", b"ARROW1", b"PK\x03\x04", b"7z\xbc\xaf")):
        raise PanelError(f"{name}: is a container inside an archive: unpack the archive")
    kind = next((known for magic, known in _MAGIC.items() if start.startswith(magic)), None)
    pieces = _plain(buffered) if kind is None else _bounded(name, buffered, kind, settings.max_expansion)
    head = _take(pieces, LOOK_BYTES)
    if head and not is_side(Path(name), head):
        yield text_source(path, name, head, pieces, lambda: 0, settings, block_bytes)
