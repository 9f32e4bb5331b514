"""Languages detected offline, where a platform's tag is missing or not to be trusted.

Takes posts and the study's choice, gives the same posts with `lang` filled. Knows no week.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Literal

import pyarrow as pa

from temporal_adapters.ground.errors import WeeksError

_NOISE = re.compile(r"https?\S+|[@#]\S+")
_UNKNOWN = ("", "und", "zxx", "qme", "qst", "qht", "qam", "qct")
"""Tags by which platforms say that they do not know, or that a post holds only links, mentions or media."""


def with_languages(posts: pa.Table, mode: Literal["none", "missing", "all"]) -> pa.Table:
    """Return posts with languages detected by py3langid: two-letter codes, `und` where a post has no words.

    Raises
    ------
    WeeksError
        If py3langid is not installed.
    """
    if mode == "none":
        return posts
    tags = posts["lang"].to_pylist()
    missing = [mode == "all" or tag is None or tag in _UNKNOWN for tag in tags]
    texts = posts["text"].to_pylist()
    found = [_detect(text) if ask else tag for tag, text, ask in zip(tags, texts, missing, strict=True)]
    position = posts.schema.get_field_index("lang")
    return posts.set_column(position, "lang", pa.array(found, pa.string()))


def _detect(text: str | None) -> str:
    words = _NOISE.sub(" ", text or "").strip()
    return str(_classify()(words)[0]) if any(character.isalpha() for character in words) else "und"


@functools.cache
def _classify() -> Callable[[str], tuple[str, float]]:
    try:
        import py3langid
    except ImportError:
        raise WeeksError(
            "weeks.language_detector needs the package py3langid: pip install 'temporal-adapters[text]'"
        ) from None
    classify: Callable[[str], tuple[str, float]] = py3langid.classify
    return classify
