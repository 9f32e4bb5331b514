"""What a YAML file may be before anything is built from it: its size, depth and aliases; and which values exist.

Takes text and values, gives nothing or `ConfigError`. Knows no section.

Files come from other people. A file of a few lines can stand for billions of values (aliases of aliases), or nest so
deep that a parser fails in its own way; both are refused from the stream of events, in which nothing is built yet.
"""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent

from temporal_adapters.ground.errors import ConfigError

MOST_BYTES = 5_000_000
"""The largest shipped file has 40 kB; a questionnaire of a thousand items has some 2 MB."""

MOST_DEEP = 40
MOST_ALIASES = 1000
MOST_DIGITS = 18
"""Whole numbers of more digits fit neither a table nor a generator's seed."""


def check_text(text: str, path: Path) -> None:
    """Refuse a file that is too large, nests too deep or repeats too much.

    Raises
    ------
    ConfigError
        With the line, what is allowed and what to change.
    YAMLError
        If it is no YAML.
    """
    if len(text) > MOST_BYTES:
        raise ConfigError(f"{path}: holds {len(text):,} characters, at most {MOST_BYTES:,} are read: split the file")
    depth = aliases = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        aliases += isinstance(event, AliasEvent)
        line = event.start_mark.line + 1
        if depth > MOST_DEEP:
            raise ConfigError(f"{path}:{line}: nests more than {MOST_DEEP} levels deep: no setting needs that")
        if aliases > MOST_ALIASES or (aliases and isinstance(event, AliasEvent) and depth > MOST_DEEP // 4):
            raise ConfigError(f"{path}:{line}: repeats too much by aliases (*name): write the values out")


def check_values(value: Any, path: Path, most: int = 500_000) -> None:
    """Refuse values that cannot be kept or computed with: infinite numbers, broken characters, endless integers.

    Raises
    ------
    ConfigError
        With the name of the value, its line where known, and what is allowed.
    """
    waiting: list[tuple[tuple[Any, ...], Any]] = [((), value)]
    seen = 0
    while waiting:
        place, one = waiting.pop()
        seen += 1
        if seen > most:
            raise ConfigError(f"{path}: stands for more than {most:,} values (aliases repeat them): write them out")
        name = ".".join(map(str, place))
        if isinstance(one, dict):
            odd = next((key for key in one if not isinstance(key, str | int | float | date)), None)
            if odd is not None:
                raise ConfigError(f"{path}: {name or 'the file'}: has a name that is no word ({type(odd).__name__})")
            waiting += [((*place, _shown(key)), entry) for key, entry in one.items()]
            waiting += [((*place, "(name)"), key) for key in one if isinstance(key, str)]
        elif isinstance(one, list | tuple):
            waiting += [((*place, number), entry) for number, entry in enumerate(one)]
        elif isinstance(one, float) and not math.isfinite(one):
            raise ConfigError(f"{path}: {name}: {one} is no number to compute with: give a finite one, or leave it out")
        elif isinstance(one, int) and abs(one) >= 10**MOST_DIGITS:
            raise ConfigError(f"{path}: {name}: has more than {MOST_DIGITS} digits: use a smaller number")
        elif isinstance(one, str) and any("\ud800" <= sign <= "\udfff" for sign in one):
            raise ConfigError(f"{path}: {name}: holds half a character (a lone surrogate): write the character itself")


def _shown(key: Any) -> str:
    text = str(key) if not isinstance(key, int) or abs(key) < 10**MOST_DIGITS else "(number)"
    return text.encode("utf-8", "replace").decode()[:60]
