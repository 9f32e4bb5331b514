"""What a raw file holds, on one page: layout, columns, counts, days, users, languages, doubts and weekly volume.

Takes a path and the settings of `panel`, gives a page. Writes nothing, and tells no text, id or author.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.compute as pc

from temporal_adapters.stages.panel.breaks import language_breaks, volume_breaks
from temporal_adapters.stages.panel.layouts import Layout
from temporal_adapters.stages.panel.naming import Naming
from temporal_adapters.stages.panel.posts import DOUBTS, Chunk
from temporal_adapters.stages.panel.read import read_parts
from temporal_adapters.study.config import Panel

_DAY_US = 86_400_000_000
_MONDAY = 4
"""Days from 1970-01-01, a Thursday, to the first Monday."""

_BARS = " ▁▂▃▄▅▆▇█"


@dataclass
class Page:
    """What one file, or one member of an archive, holds.

    Attributes
    ----------
    name
        The file.
    layout
        How it is read.
    used
        Our column -> the file's, where the file has columns.
    n_records, n_posts
        Records, and those that are posts.
    left_out, repaired, noted, doubtful
        Reason or kind -> records.
    flags
        ``is_repost``, ``is_reply``, ``is_quote`` -> posts.
    languages
        Tag -> posts.
    by_week
        First day of a week (Monday, UTC) -> language -> posts.
    """

    name: str
    layout: Layout
    used: dict[str, str]
    n_records: int = 0
    n_posts: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)
    doubtful: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    by_week: dict[int, Counter[str]] = field(default_factory=dict)
    first_us: int | None = None
    last_us: int | None = None
    _users: set[str] = field(default_factory=set)
    _id_lengths: Counter[int] = field(default_factory=Counter)

    def add(self, chunk: Chunk) -> None:
        """Count some posts."""
        posts = chunk.posts
        self.n_records += posts.num_rows + sum(chunk.lost.values())
        self.left_out.update(chunk.lost)
        self.repaired.update(chunk.repaired)
        self.noted.update(chunk.noted)
        self.doubtful.update(chunk.doubtful)
        for entry in posts["problem"].drop_null().value_counts().to_pylist():
            self.left_out[entry["values"]] += entry["counts"]
        posts = posts.filter(pc.is_null(posts["problem"]))
        self.n_posts += posts.num_rows
        self._users.update(posts["user_id"].drop_null().unique().to_pylist())
        for name in ("is_repost", "is_reply", "is_quote"):
            self.flags[name] += pc.sum(posts[name]).as_py() or 0
        for entry in pc.utf8_length(posts["post_id"]).drop_null().value_counts().to_pylist():
            self._id_lengths[entry["values"]] += entry["counts"]
        self._add_weeks(posts["created_us"].to_numpy(), posts["lang"].fill_null("?").to_pylist())

    def _add_weeks(self, created: np.ndarray, langs: list[str]) -> None:
        if not len(created):
            return
        days = created.astype(np.int64) // _DAY_US
        self.first_us = min(int(created.min()), self.first_us if self.first_us is not None else 1 << 62)
        self.last_us = max(int(created.max()), self.last_us or 0)
        for week, lang in zip((days - (days - _MONDAY) % 7).tolist(), langs, strict=True):
            self.by_week.setdefault(week, Counter())[lang] += 1
            self.languages[lang] += 1

    @property
    def n_users(self) -> int:
        """Users."""
        return len(self._users)

    def weeks(self) -> list[tuple[date, int]]:
        """Return first day and posts of every week from the first to the last."""
        if not self.by_week:
            return []
        numbers = range(min(self.by_week), max(self.by_week) + 1, 7)
        return [
            (date(1970, 1, 1) + timedelta(number), sum(self.by_week.get(number, {}).values())) for number in numbers
        ]

    def breaks(self) -> list[str]:
        """Return sentences on the weeks at which volume or languages break."""
        weeks = self.weeks()
        found = [
            f"the volume breaks in the week of {weeks[at][0]} ({weeks[at - 1][1]:,} posts, then {weeks[at][1]:,})"
            for at in volume_breaks([n for _, n in weeks])
        ]
        shares = [
            {tag: n / max(total, 1) for tag, n in self.by_week.get((day - date(1970, 1, 1)).days, Counter()).items()}
            for day, total in weeks
        ]
        return [*found, *(f"the languages break in the week of {weeks[at][0]}" for at in language_breaks(shares))]

    def lines(self) -> list[str]:
        """Return the page as lines of text."""
        fine = dict(self.languages.most_common(6))
        used = ", ".join(f"{ours} = {theirs}" for ours, theirs in self.used.items())
        rows = [
            ("layout", f"{self.layout.platform.name} ({self.layout.framing})"),
            ("columns", used),
            ("records", f"{self.n_records:,}, of which {self.n_posts:,} are posts"),
            ("days", f"{_day(self.first_us)} to {_day(self.last_us)}"),
            ("users", f"{self.n_users:,}"),
            ("languages", ", ".join(f"{tag} {n / max(self.n_posts, 1):.0%}" for tag, n in fine.items())),
            ("kinds", ", ".join(f"{n:,} {name.removeprefix('is_')}" for name, n in self.flags.items())),
            ("ids", ", ".join(f"{n:,} of {length} characters" for length, n in self._id_lengths.most_common(3))),
            *((f"left out: {reason}", f"{n:,}") for reason, n in self.left_out.items()),
            *((f"mended: {kind}", f"{n:,}") for kind, n in self.repaired.items()),
            *((f"noted: {kind}", f"{n:,}") for kind, n in self.noted.items()),
            *((f"doubtful: {kind}", f"{n:,} records {DOUBTS[kind]}") for kind, n in self.doubtful.items()),
            *(("warning", sentence) for sentence in self.breaks()),
            ("weekly volume", bars([n for _, n in self.weeks()])),
        ]
        width = max(len(name) for name, _ in rows)
        return [self.name, *(f"  {name:<{width}}  {value}" for name, value in rows if value)]


def _day(moment: int | None) -> str:
    return "no day" if moment is None else datetime.fromtimestamp(moment / 1e6, UTC).date().isoformat()


def bars(volumes: list[int]) -> str:
    """Return numbers as one line of bars, at most 80: the longer the series, the more weeks in a bar."""
    step = -(-len(volumes) // 80) or 1
    joined = [sum(volumes[at : at + step]) for at in range(0, len(volumes), step)]
    most = max(joined, default=0) or 1
    return "".join(_BARS[-(-8 * n // most)] for n in joined)


def check_file(path: Path, settings: Panel, connection: duckdb.DuckDBPyConnection, day_zone: str = "UTC") -> list[Page]:
    """Return a page per file in `path` (one, or one per member of an archive), read to its end.

    Raises
    ------
    PanelError
        If the file cannot be read at all.
    """
    pages: dict[str, Page] = {}
    for part in read_parts(path, settings, connection, day_zone):
        if part.name not in pages:
            pages[part.name] = Page(part.name, part.layout, _used(part.name, part.layout, settings))
        pages[part.name].add(part.chunk)
    return list(pages.values())


def _used(name: str, layout: Layout, settings: Panel) -> dict[str, str]:
    """Return our column -> the file's, where the file has columns."""
    found = layout.dialect.header if layout.dialect is not None else list(layout.fields)
    if layout.platform.queries or not found:
        return {ours: str(theirs) for ours, theirs in settings.columns.items()}
    naming = Naming(layout.platform.name, layout.platform.header(found), settings)
    return {ours: " + ".join(theirs) for ours, theirs in naming.columns(name, found).items()}
