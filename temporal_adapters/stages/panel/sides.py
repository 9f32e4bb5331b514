"""Files that lie beside posts and hold none, and those that complete the posts beside them.

Takes a path or the first bytes of a file, says what it is. Knows the names that exporters give.
"""

from __future__ import annotations

import re
from pathlib import Path

_NO_POSTS = frozenset(
    ".jpg .jpeg .png .gif .webp .heic .svg .ico .mp4 .mov .webm .mp3 .ogg .opus .m4a .wav .pdf .html .htm .css .md "  # noqa: SIM905
    ".rst .py .r .rmd .ipynb .log .lock .yaml .yml .toml .xml .woff .woff2 .ttf .docx .sqlite .db .exe .sh .sha256 "
    ".md5".split()
)
"""Endings of files that hold no posts in any layout."""

_NAMES = re.compile(
    r"(readme|license|licence|manifest|actor\.json|likes\.json|bookmarks\.json|users_.*\.json|query$|"
    r"account\.js|note-tweet.*\.js|deleted-.*\.js|ds_store|thumbs\.db)",
    re.IGNORECASE,
)
_ARCHIVE = re.compile(rb"\s*window\.(YTD\.(\w+)\.part\d+|__THAR_CONFIG)\s*=")
_POSTS_IN_ARCHIVE = (b"tweets", b"tweet", b"community_tweet")
_HEAD_BYTES = 4096


_LONG_NUMBER = re.compile(r"\d{10,}")


def shown(path: Path | str) -> str:
    """Return a path for messages and manifests: a file that is named after a post does not tell its id."""
    head, _, name = str(path).rpartition("/")
    return f"{head}{'/' if head else ''}{_LONG_NUMBER.sub(lambda match: f'<{len(match[0])} digits>', name)}"


def is_side(path: Path, head: bytes | None = None) -> bool:
    """Return whether a file of a folder holds no posts, by its name or its first bytes (read if not given)."""
    if path.suffix.lower() in _NO_POSTS or _NAMES.match(path.name):
        return True
    if head is None:
        try:
            with path.open("rb") as file:
                head = file.read(_HEAD_BYTES)
        except OSError:
            return False
        if not head:
            return True
    found = _ARCHIVE.match(head)
    return found is not None and found[2] not in _POSTS_IN_ARCHIVE


def beside(path: Path) -> list[Path]:
    """Return the files beside `path` that its posts are completed from: what a file means depends on them."""
    if path.suffix == ".js":
        return sorted(file for file in path.parent.glob("*.js") if file.name.startswith(("account.js", "note-tweet")))
    if path.suffix == ".json" and path.stem.startswith("data_"):
        pair = path.with_name(f"users_{path.stem.removeprefix('data_')}.json")
        return [pair] if pair.exists() else []
    return []
