"""What every reader gives: posts with the platform's own ids and text, and what was damaged.

Takes nothing, gives the columns and a record type. Knows no format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

POSTS = pa.schema(
    [
        ("number", pa.int64()),
        ("post_id", pa.string()),
        ("user_id", pa.string()),
        ("created_us", pa.int64()),
        ("text", pa.string()),
        ("lang", pa.string()),
        ("is_repost", pa.bool_()),
        ("is_reply", pa.bool_()),
        ("is_quote", pa.bool_()),
        ("client", pa.string()),
        ("platform", pa.string()),
        ("problem", pa.string()),
    ]
)
"""One row per record of the file, also for records that are no post.

`number` is the line or row of the file, from 1; `created_us` microseconds since 1970 in UTC; `client` the application
that wrote the post; `problem` is null, ``not_json``, ``not_a_post`` or ``no_zone``. Ids, time and text are null where
the record lacks them.
"""

CORRUPT = frozenset({"not_json", "bad_row", "too_long", "no_id", "no_user", "bad_date", "no_zone"})
"""Problems that mean a damaged or misread file, as opposed to posts that are left out on purpose."""


@dataclass(frozen=True)
class Chunk:
    """Posts of one stretch of a file.

    Attributes
    ----------
    posts
        The columns of `POSTS`.
    consumed
        Bytes of the file on disk read so far.
    lost
        Reason -> records that could not even become a row.
    repaired
        Kind of damage -> records that were repaired.
    excerpt
        Row number -> what may be said of that record in a message: its length or its time, never its text or ids,
        because messages end in logs.
    """

    posts: pa.Table
    consumed: int
    lost: Mapping[str, int] = field(default_factory=dict)
    repaired: Mapping[str, int] = field(default_factory=dict)
    excerpt: Callable[[int], str] = str
