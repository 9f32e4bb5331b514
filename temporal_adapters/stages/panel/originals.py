"""What completes the posts of a file from the files beside it: whole texts, and whose archive it is.

Takes a path, gives ids and texts. Knows the files that exporters put beside posts.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa

from temporal_adapters.ground.errors import PanelError
from temporal_adapters.stages.panel.sides import beside

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
