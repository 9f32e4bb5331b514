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

`number` is the line or row of the file, from 1; `created_us` microseconds since 1970 in UTC; `lang` the platform's tag,
several separated by spaces; `client` the application that wrote the post; `problem` is null, ``not_json``,
``not_a_post``, ``unknown_layout``, ``deleted``, ``old_version``, ``bad_date`` or ``no_zone``. Ids, time and text are
null where the record lacks them.
"""

RAW = pa.schema(
    [
        *(field for field in POSTS if field.name != "created_us"),
        ("created", pa.string()),
        ("moment_us", pa.int64()),
    ]
)
"""What a reader knows of a post before its time is read: `created` as the file has it, `moment_us` (microseconds since
1970 in UTC) where the file holds times as such."""

CORRUPT = frozenset({"not_json", "bad_row", "too_long", "no_id", "no_user", "bad_date", "no_zone", "unknown_layout"})
"""Problems that mean a damaged or misread file, as opposed to posts that are left out on purpose."""

DOUBTS: dict[str, str] = {
    "lost_digits": "have ids that lost digits (exponents, decimals or a tail of zeros, as spreadsheets, R and floats "
    "write them): export the file again with ids as text",
    "damaged_text": "have damaged characters in their text: set panel.encoding, such as latin-1 or windows-1252",
    "swallowed_rows": "hold whole rows inside one field, as a quote was read as the beginning of a field: set "
    "panel.quote (empty for none) and panel.escape",
}
"""What may be doubtful about records that look sound, and what to do about it."""


@dataclass(frozen=True)
class Chunk:
    """Posts of one stretch of a file.

    Attributes
    ----------
    posts
        The columns of `POSTS` (of `RAW` inside this package, before times are read).
    consumed
        Bytes of the file on disk read so far.
    lost
        Reason -> records that could not even become a row.
    repaired
        Kind of damage -> records that were repaired.
    excerpt
        Row number -> what may be said of that record in a message: its length or its time, never its text or ids,
        because messages end in logs.
    doubtful
        Kind of doubt (see `DOUBTS`) -> records.
    noted
        What a reader should know and nothing can be done about -> records.
    hint
        What is known of the doubts, for a message: never a text or an id.
    """

    posts: pa.Table
    consumed: int
    lost: Mapping[str, int] = field(default_factory=dict)
    repaired: Mapping[str, int] = field(default_factory=dict)
    excerpt: Callable[[int], str] = str
    doubtful: Mapping[str, int] = field(default_factory=dict)
    noted: Mapping[str, int] = field(default_factory=dict)
    hint: str = ""
