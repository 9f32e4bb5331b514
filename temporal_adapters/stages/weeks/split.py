"""Stage A: one raw file, streamed, cleaned and put down by week.

Takes a raw file and the settings of a study, gives a staged file and counts. Knows no other file, so that files can be
spread over processes and machines.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from temporal_adapters.ground import resources
from temporal_adapters.ground.errors import PanelError
from temporal_adapters.stages import panel
from temporal_adapters.stages.panel import CORRUPT, DOUBTS, Chunk
from temporal_adapters.stages.weeks.ahead import ahead
from temporal_adapters.stages.weeks.drops import Drops, marked
from temporal_adapters.stages.weeks.entities import with_characters
from temporal_adapters.stages.weeks.languages import with_languages
from temporal_adapters.stages.weeks.memory import duckdb_limit, flush_bytes
from temporal_adapters.stages.weeks.pseudonym import pseudonymised
from temporal_adapters.stages.weeks.staged import Counts, Staged, Writer
from temporal_adapters.stages.weeks.windows import Window, bounds, slots
from temporal_adapters.study.config import Clean, Panel, Weeks

_ENOUGH_RECORDS = 10_000
"""Records after which a file with too many corrupt ones is given up before its end."""

RULES = ("mention", "url", "hash", "space", "entity", "email", "phone")
"""Cleaning rules that are counted; each has a column `had_<rule>` in the query."""

_MADE = ", ".join(("row", "text", "week", "dropped", *(f"had_{rule}" for rule in RULES)))
_PASSED = ("post_id", "user_id", "created_us", "lang", "is_repost", "is_reply", "platform")


@dataclass(frozen=True)
class SplitSettings:
    """What stage A needs of a study.

    Attributes
    ----------
    panel, weeks
        The study's sections.
    waves
        Windows before survey waves; empty for calendar weeks.
    key
        Secret of the pseudonyms; empty to leave ids as they are.
    threads, memory_limit
        Of one process.
    drops
        Posts and users that are left out.
    """

    panel: Panel
    weeks: Weeks
    waves: tuple[Window, ...]
    key: str
    threads: int = 1
    memory_limit: str = "1GB"
    drops: Drops = field(default_factory=Drops)


def clean_parameters(settings: SplitSettings) -> dict[str, Any]:
    """Return the parameters of ``queries/weeks_clean.sql``."""
    weeks, clean = settings.weeks, settings.weeks.clean
    from_us, until_us = bounds(weeks)
    return {
        "mention": _replacement(clean, "mentions", "@user"),
        "url": _replacement(clean, "urls", "http"),
        "hashes": clean.hashes,
        "spaces": clean.spaces,
        "from_us": from_us,
        "until_us": until_us,
        "reposts": weeks.keep_reposts,
        "replies": weeks.keep_replies,
        "quotes": weeks.keep_quotes,
        "languages": _languages(weeks.languages),
        "emails": "emails" in weeks.redact,
        "phones": "phones" in weeks.redact,
        "clients": "|".join(map(re.escape, weeks.automated.clients)) or None,
        "min_characters": weeks.min_characters,
        "include": weeks.include,
        "exclude": weeks.exclude,
    }


def _languages(tags: Sequence[str]) -> str | None:
    """Return a pattern of the tags that a study keeps: `en` keeps `en-GB` as well, and lists that hold either."""
    if not tags:
        return None
    return f"(?i)(^| )({'|'.join(map(re.escape, tags))})($|[ _-])"


def _replacement(clean: Clean, rule: str, placeholder: str) -> str | None:
    return {"remove": "", "placeholder": placeholder, "keep": None}[getattr(clean, rule)]


def split_file(
    raw: Path, target: Path, settings: SplitSettings, on_bytes: Callable[[int], None] = lambda consumed: None
) -> Staged:
    """Clean one raw file and write it, grouped by week, as `target`.

    Parameters
    ----------
    raw
        The raw file.
    target
        The Arrow file to write; it appears only when complete.
    settings
        What to do.
    on_bytes
        Called with the bytes of `raw` read so far.

    Raises
    ------
    PanelError
        If the file cannot be read, or more of it is corrupt than the study allows.
    """
    ledger = _Ledger(raw, settings.panel.max_corrupt_share)
    limit = settings.memory_limit
    with (
        panel.connect(settings.threads, duckdb_limit(limit)) as connection,
        Writer(target, flush_bytes(limit)) as writer,
    ):
        chunks = panel.read_posts(raw, settings.panel, connection.cursor(), settings.weeks.timezone)
        for chunk in ahead(chunks) if settings.threads > 1 else chunks:
            kept = ledger.enter(clean_chunk(chunk.posts, settings, connection), chunk)
            writer.add(pseudonymised(kept, settings.key, connection))
            on_bytes(chunk.consumed)
        ledger.close()
        return writer.finish(ledger.counts())


def clean_chunk(posts: pa.Table, settings: SplitSettings, connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return the result of ``queries/weeks_clean.sql`` for some posts (the columns of `panel.POSTS`)."""
    posts = marked(posts, settings.drops)
    posts = with_characters(with_languages(posts, settings.weeks.language_detector), settings.weeks.clean.entities)
    moments = posts["created_us"].drop_null().to_numpy().astype(np.int64)
    rows = pa.array(np.arange(posts.num_rows, dtype=np.int64))
    connection.register("posts", posts.append_column("row", rows))
    connection.register("slots", slots(settings.weeks, settings.waves, moments))
    try:
        query = f"SELECT {_MADE} FROM ({resources.text('queries', 'weeks_clean')})"
        made = connection.sql(query, params=clean_parameters(settings)).to_arrow_table()
    finally:
        connection.unregister("posts")
        connection.unregister("slots")
    # What the query only passes through is put beside its result instead of being copied twice.
    passed = posts.select(_PASSED)
    if not made["row"].combine_chunks().equals(rows):
        passed = passed.take(made["row"])
    for name in _PASSED:
        made = made.append_column(name, _first_tag(passed[name]) if name == "lang" else passed[name])
    return made


def _first_tag(langs: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the first of several tags of a post: the one its author named first."""
    several = pc.match_substring(langs, " ")
    return pc.replace_substring_regex(langs, " .*", "") if pc.any(several).as_py() else langs


_KEPT = pc.field("dropped").is_null()


class _Ledger:
    """Counts what becomes of every record of one file, and stops when too much of it is corrupt."""

    def __init__(self, raw: Path, max_corrupt_share: float) -> None:
        self._raw = panel.shown(raw)
        self._limit = max_corrupt_share
        self._n_records = 0
        self._n_kept = 0
        self._n_copies = 0
        self._dropped: Counter[str] = Counter()
        self._changed: Counter[str] = Counter()
        self._repaired: Counter[str] = Counter()
        self._noted: Counter[str] = Counter()
        self._doubtful: Counter[str] = Counter()
        self._first = ""
        self._hint = ""

    def enter(self, cleaned: pa.Table, chunk: Chunk) -> pa.Table:
        """Count the rows of `cleaned` and return those that are kept."""
        # Most often everything is kept: filtering would then only copy.
        kept = cleaned if cleaned["dropped"].null_count == cleaned.num_rows else cleaned.filter(_KEPT)
        n_posts = chunk.posts.num_rows
        dropped = _tally(cleaned, several=cleaned.num_rows > n_posts)
        n_kept = n_posts - sum(dropped.values())
        self._n_records += n_posts + sum(chunk.lost.values())
        self._n_kept += n_kept
        self._n_copies += kept.num_rows - n_kept
        self._dropped.update(dropped)
        self._dropped.update(chunk.lost)
        self._repaired.update(chunk.repaired)
        self._noted.update(chunk.noted)
        self._doubtful.update(chunk.doubtful)
        self._hint = chunk.hint or self._hint
        for rule in RULES:
            self._changed[rule] += pc.sum(kept[f"had_{rule}"]).as_py() or 0
        self._note_first(cleaned, chunk)
        self._judge(at_end=False)
        return kept

    def _note_first(self, cleaned: pa.Table, chunk: Chunk) -> None:
        if self._first:
            return
        bad = cleaned.filter(pc.is_in(cleaned["dropped"], value_set=pa.array(sorted(CORRUPT))))
        if bad.num_rows:
            row = bad.sort_by("row").slice(0, 1).to_pylist()[0]
            number = chunk.posts["number"][row["row"]].as_py()
            self._first = f"record {number} ({row['dropped']}): {chunk.excerpt(number)}"
            if row["dropped"] == "no_zone":
                raise PanelError(
                    f"{self._raw}: {self._first} has a time without a zone: set panel.source_timezone, for example UTC"
                )
        elif chunk.lost:
            self._first = f"({', '.join(chunk.lost)}) {chunk.excerpt(0)}".strip()

    def _judge(self, at_end: bool) -> None:
        if not (at_end or self._n_records >= _ENOUGH_RECORDS):
            return
        for kind, n in self._doubtful.items():
            if n > self._limit * self._n_records:
                hint = f" ({self._hint})" if self._hint and kind == "lost_digits" else ""
                raise PanelError(
                    f"{self._raw}: {n} of {self._n_records} records{hint} {DOUBTS[kind]}; to read them all the same, "
                    f"raise panel.max_corrupt_share = {self._limit:g}"
                )
        n_corrupt = sum(self._dropped[reason] for reason in CORRUPT)
        if n_corrupt > self._limit * self._n_records:
            raise PanelError(
                f"{self._raw}: {n_corrupt} of {self._n_records} records are corrupt, above "
                f"panel.max_corrupt_share = {self._limit:g}; the first is {self._first}"
            )

    def close(self) -> None:
        """Stop if too much of the whole file is corrupt."""
        self._judge(at_end=True)

    def counts(self) -> Counts:
        """Return what was counted."""
        return Counts(
            n_records=self._n_records,
            n_kept=self._n_kept,
            n_copies=self._n_copies,
            dropped=dict(sorted((reason, n) for reason, n in self._dropped.items() if n)),
            changed={rule: self._changed[rule] for rule in RULES},
            repaired=dict(sorted(self._repaired.items())),
            noted=dict(sorted({**self._noted, **{f"doubtful_{k}": n for k, n in self._doubtful.items()}}.items())),
        )


def _tally(cleaned: pa.Table, several: bool) -> dict[str, int]:
    """Return reason -> records; where windows overlap, `several` rows of a record share its fate."""
    dropped = cleaned.filter(pc.is_valid(cleaned["dropped"])).select(["row", "dropped"])
    if several:
        dropped = dropped.group_by(["row", "dropped"]).aggregate([])
    return {entry["values"]: entry["counts"] for entry in dropped["dropped"].value_counts().to_pylist()}
