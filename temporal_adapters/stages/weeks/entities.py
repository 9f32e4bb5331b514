"""HTML entities in texts, turned into characters once.

Takes posts, gives the same posts with plain text and which of them had entities. Knows no platform.
"""

from __future__ import annotations

import html
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_ENTITY = re.compile("&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_PATTERN = "&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});"
_KNOWN: dict[str, str] = {"&nbsp;": " "}
_MOST = 100_000


def with_characters(posts: pa.Table, wanted: bool) -> pa.Table:
    """Return posts whose entities (all named and numeric ones) are characters, and the column `had_entity`.

    Every entity is turned once: what a person wrote as `&amp;lt;` stays `&lt;`. An entity needs its semicolon, so that
    addresses (`?a=1&copy=2`) stay as they are; a non-breaking space becomes a space.
    """
    texts = posts["text"].combine_chunks()
    if not wanted or not _may_hold_entity(texts):
        return posts.append_column("had_entity", pa.repeat(False, posts.num_rows))
    had = pc.fill_null(pc.match_substring_regex(texts, _PATTERN), False)
    rows = np.flatnonzero(had.to_numpy(zero_copy_only=False))
    plain = [_ENTITY.sub(_character, text) for text in texts.take(pa.array(rows)).to_pylist()]
    if len(rows):
        texts = pc.replace_with_mask(texts, had, pa.array(plain, texts.type))
    position = posts.schema.get_field_index("text")
    return posts.set_column(position, "text", texts).append_column("had_entity", had)


def _character(match: re.Match[str]) -> str:
    entity = match[0]
    found = _KNOWN.get(entity)
    if found is None:
        found = html.unescape(entity)
        if len(_KNOWN) < _MOST:
            _KNOWN[entity] = found
    return found


def _may_hold_entity(texts: pa.Array) -> bool:
    content = texts.buffers()[2]
    return content is not None and re.search(b"&", memoryview(content)) is not None
