"""Posts that are taken out: ids and users that the study leaves out, and those that somebody asked to be forgotten.

Takes files of ids and the run's list of forgotten pseudonyms, gives posts marked as dropped. Knows no week.

The list of a run (``runs/<study>/panel/forgotten.json``) holds keyed digests, never an id: who has it cannot tell whose
posts are gone, but the next build leaves them out as well.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temporal_adapters.ground.errors import WeeksError
from temporal_adapters.study.artifacts import RunFolder, digest_json
from temporal_adapters.study.config import Panel

if TYPE_CHECKING:
    import pyarrow as pa

FORGOTTEN = "forgotten.json"
"""Name of a run's list, in its folder ``panel/``."""


@dataclass(frozen=True)
class Drops:
    """What is left out of a panel.

    Attributes
    ----------
    posts, users
        Ids as the platform writes them.
    forgotten_posts, forgotten_users
        Keyed digests (see `seal`) of ids that somebody asked to be forgotten.
    salt
        The key of these digests.
    """

    posts: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    forgotten_posts: frozenset[str] = frozenset()
    forgotten_users: frozenset[str] = frozenset()
    salt: str = ""

    @property
    def any(self) -> bool:
        """Whether anything is left out."""
        return bool(self.posts or self.users or self.forgotten_posts or self.forgotten_users)

    @property
    def digest(self) -> str:
        """A digest of everything that is left out; empty for nothing."""
        parts = [sorted(part) for part in (self.posts, self.users, self.forgotten_posts, self.forgotten_users)]
        return digest_json(parts) if self.any else ""


def read_ids(path: Path, setting: str) -> frozenset[str]:
    """Return the ids of a file, one a line; a first line that names the column is left out.

    Raises
    ------
    WeeksError
        If the file cannot be read or holds no id.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise WeeksError(
            f"{setting}: {path} cannot be read ({type(error).__name__}): give a text file, one id a line"
        ) from None
    ids = {line.strip().strip('"').strip() for line in lines} - {
        "",
        "id",
        "post_id",
        "user_id",
        "tweet_id",
        "status_id",
    }
    if not ids:
        raise WeeksError(f"{setting}: {path} holds no id: write one id a line")
    return frozenset(ids)


def drops_of(settings: Panel, run: RunFolder) -> Drops:
    """Return what a study and its run leave out."""
    listed = read_forgotten(run)
    return Drops(
        posts=read_ids(settings.drop_ids, "panel.drop_ids") if settings.drop_ids else frozenset(),
        users=read_ids(settings.drop_users, "panel.drop_users") if settings.drop_users else frozenset(),
        forgotten_posts=frozenset(listed.get("posts", ())),
        forgotten_users=frozenset(listed.get("users", ())),
        salt=str(listed.get("salt", "")),
    )


def read_forgotten(run: RunFolder) -> dict[str, Any]:
    """Return a run's list of what was forgotten; empty if there is none.

    Raises
    ------
    WeeksError
        If the list is there but broken: building without it would bring back what was forgotten.
    """
    path = run.panel / FORGOTTEN
    if not path.exists():
        return {}
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        return dict(listed)
    except (OSError, ValueError, TypeError) as error:
        raise WeeksError(
            f"{path}: cannot be read ({type(error).__name__}): restore it, it lists what must stay out"
        ) from None


def write_forgotten(run: RunFolder, listed: dict[str, Any]) -> None:
    """Write a run's list of what was forgotten, readable by its owner only."""
    path = run.panel / FORGOTTEN
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial-{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(json.dumps(listed, indent=1))
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def seal(ids: Iterable[str], salt: str) -> frozenset[str]:
    """Return keyed digests of ids."""
    key = salt.encode()
    return frozenset(hmac.new(key, one.encode(), hashlib.sha256).hexdigest()[:32] for one in ids)


def marked(posts: pa.Table, drops: Drops) -> pa.Table:
    """Return posts (columns of `panel.POSTS`) of which those left out have the problem `left_out`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not drops.any:
        return posts
    out = pc.or_(
        _is_in(posts["post_id"], drops.posts, drops.forgotten_posts, drops.salt),
        _is_in(posts["user_id"], drops.users, drops.forgotten_users, drops.salt),
    )
    if not pc.any(out).as_py():
        return posts
    position = posts.schema.get_field_index("problem")
    problem = pc.if_else(pc.and_(out, pc.is_null(posts["problem"])), "left_out", posts["problem"])
    return posts.set_column(position, "problem", problem.cast(pa.string()))


def _is_in(ids: pa.ChunkedArray, plain: frozenset[str], sealed: frozenset[str], salt: str) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.is_in(ids, value_set=pa.array(sorted(plain), pa.string()))
    if not sealed:
        return found
    names = ids.combine_chunks().dictionary_encode()
    key = salt.encode()
    known = [
        one is not None and hmac.new(key, one.encode(), hashlib.sha256).hexdigest()[:32] in sealed
        for one in names.dictionary.to_pylist()
    ]
    listed = pa.array(known, pa.bool_()).take(names.indices) if known else pa.nulls(len(ids), pa.bool_())
    return pc.or_(found, pa.chunked_array([pc.fill_null(listed, False)]))
