"""Files that lie beside posts and hold none, and those that complete the posts beside them.

Takes a path or the first bytes of a file, says what it is. Knows the names that exporters give.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa

from temporal_adapters.ground.errors import PanelError

_NO_POSTS = frozenset(
    ".jpg .jpeg .png .gif .webp .heic .svg .ico .mp4 .mov .webm .mp3 .ogg .opus .m4a .wav .pdf .html .htm .css .md "
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


ORIGINALS = pa.schema([("id", pa.string()), ("text", pa.string())])
"""Whole texts of posts that are cut, or cited by their id alone, elsewhere."""


def originals(path: Path) -> pa.Table:
    """Return the whole texts that lie beside a file (columns of `ORIGINALS`).

    Raises
    ------
    PanelError
        If such a file cannot be read.
    """
    found: dict[str, str] = {}
    for file in beside(path):
        if file.name == "account.js":
            continue
        try:
            text = file.read_text(encoding="utf-8-sig")
            value = json.loads(text[text.index("=") + 1 :] if file.suffix == ".js" else text)
        except (OSError, ValueError, RecursionError) as error:
            raise PanelError(f"{file}: cannot be read ({type(error).__name__}): {path.name} needs it") from None
        found.update(_texts(value))
    return pa.table({"id": list(found), "text": list(found.values())}, schema=ORIGINALS)


def _texts(value: object) -> dict[str, str]:
    """Return id -> text of the long posts of an archive, or of the posts that a page of the API v2 includes."""
    if isinstance(value, list):
        notes = [entry.get("noteTweet", {}) for entry in value if isinstance(entry, dict)]
        return {str(note["noteTweetId"]): note["core"]["text"] for note in notes if "core" in note}
    posts = value.get("tweets", []) if isinstance(value, dict) else []
    return {
        str(post["id"]): post.get("note_tweet", {}).get("text") or post.get("text", "")
        for post in posts
        if isinstance(post, dict) and "id" in post
    }


def account_of(path: Path) -> str:
    """Return the id of the account whose archive holds `path`.

    Raises
    ------
    PanelError
        If there is no ``account.js`` beside ``tweets.js``: posts do not say whose they are.
    """
    account = path.with_name("account.js")
    try:
        match = re.search(r'"accountId"\s*:\s*"(\d+)"', account.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError):
        match = None
    if match is None:
        raise PanelError(f"{path}: needs account.js of the same archive beside it, which says whose posts these are")
    return match[1]
