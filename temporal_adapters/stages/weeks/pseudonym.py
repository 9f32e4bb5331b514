"""The secret key that turns ids into pseudonyms, and the turning.

Takes a path, gives the key as text and its fingerprint; takes posts and a key, gives posts without raw ids. Knows no
week.

The key lies outside every run folder: who gets a run folder cannot turn pseudonyms back by hashing known ids.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from temporal_adapters.ground import resources
from temporal_adapters.ground.errors import WeeksError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_KEY_CHARACTERS = 64

HMAC = "hmac:"
"""Beginning of a key that makes pseudonyms by HMAC."""


def default_path() -> Path:
    """Return the key file of this account, ``~/.config/temporal-adapters/pseudonym.key`` (or in XDG_CONFIG_HOME)."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "temporal-adapters" / "pseudonym.key"


def read_key(path: Path, run_folder: Path) -> str:
    """Return the key, 64 hexadecimal characters; make it on first use.

    Raises
    ------
    WeeksError
        If others than the owner may read the file, it lies in the run folder, or it holds something else.
    """
    if path.resolve().is_relative_to(run_folder.resolve()):
        raise WeeksError(f"panel.pseudonym_key: {path} lies in the run folder it protects: put it elsewhere")
    try:
        if not path.exists():
            _make(path)
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise WeeksError(
            f"the key for pseudonyms {path} cannot be used ({error}): set panel.pseudonym_key to another file"
        ) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise WeeksError(f"the key for pseudonyms {path} can be read by others: run `chmod 600 {path}`")
    if len(text) != _KEY_CHARACTERS or set(text) - set("0123456789abcdef"):
        raise WeeksError(f"{path} is no key for pseudonyms: it must hold {_KEY_CHARACTERS} hexadecimal characters")
    return text


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # O_EXCL: of two runs that start at once one makes the key and the other reads it.
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(_KEY_CHARACTERS // 2) + "\n")


def fingerprint(key: str) -> str:
    """Return a digest that tells two keys apart without giving either away; empty for no key."""
    return hashlib.sha256(f"fingerprint {key}".encode()).hexdigest() if key else ""


def pseudonymised(posts: pa.Table, key: str, connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return posts with pseudonyms in `post_id` and `user_id`, 24 hexadecimal characters; unchanged without key.

    A key that begins with `HMAC` makes them by HMAC-SHA-256, any other by ``queries/weeks_pseudonyms.sql`` (SHA-256 of
    key and id, as versions before 0.2 did). A user is hashed once per process: users repeat, posts do not.
    """
    if not key or not posts.num_rows:
        return posts
    users = posts["user_id"].combine_chunks().dictionary_encode()
    named = {
        "post_id": _pseudonyms(posts["post_id"].combine_chunks(), key, connection),
        "user_id": _of_users(users.dictionary, key, connection).take(users.indices),
    }
    for name, column in named.items():
        posts = posts.set_column(posts.schema.get_field_index(name), name, column)
    return posts


_known_users: dict[tuple[str, str], str] = {}
_REMEMBERED = 1_000_000
"""Users whose pseudonyms a process remembers: some 200 MB."""


def _of_users(users: pa.Array, key: str, connection: duckdb.DuckDBPyConnection) -> pa.Array:
    """Return the pseudonyms of users, hashing those that this process has not met: they are in every file."""
    import pyarrow as pa

    names = users.to_pylist()
    new = [name for name in names if name and (key, name) not in _known_users]
    if len(_known_users) + len(new) > _REMEMBERED:
        _known_users.clear()
        new = [name for name in names if name]
    made = _pseudonyms(pa.array(new, pa.string()), key, connection).to_pylist() if new else []
    _known_users.update(zip(((key, name) for name in new), made, strict=True))
    return pa.array([_known_users[key, name] if name else name for name in names], pa.string())


def _pseudonyms(ids: pa.Array, key: str, connection: duckdb.DuckDBPyConnection) -> pa.Array | pa.ChunkedArray:
    import pyarrow as pa

    if key.startswith(HMAC):
        return _by_hmac(ids, key.removeprefix(HMAC).encode())
    connection.register("ids", pa.table({"id": ids}))
    try:
        query = resources.text("queries", "weeks_pseudonyms")
        return connection.sql(query, params={"key": key}).to_arrow_table()["pseudonym"]
    finally:
        connection.unregister("ids")


def _by_hmac(ids: pa.Array, key: bytes) -> pa.Array:
    """Return the first half of HMAC-SHA-256 (RFC 2104) of every id; null and '' stay as they are.

    The states behind the padded key are made once and copied: `hmac.digest` makes them anew for every id.
    """
    import pyarrow as pa

    padded = key.ljust(64, b"\0")
    inner, outer = (hashlib.sha256(bytes(byte ^ pad for byte in padded)).copy for pad in (0x36, 0x5C))
    found: list[str | None] = []
    for one in ids.to_pylist():
        if not one:
            found.append(one)
            continue
        first, second = inner(), outer()
        first.update(one.encode())
        second.update(first.digest())
        found.append(second.hexdigest()[:24])
    return pa.array(found, pa.string())
