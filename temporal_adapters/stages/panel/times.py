"""Times of posts to moments, one file at a time.

Takes a column of times as text (or as numbers of microseconds) and what the study says of them, gives moments and why a
time is none. Knows no layout.

The forms that whole files are written in are read by one query; what is left is read value by value (`moments`), where
the order of day and month is decided by the file itself and never guessed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from temporal_adapters.ground import resources
from temporal_adapters.stages.panel.moments import Found, Order, is_time_word, order_of, parse, words

EARLIEST_US = 631_152_000_000_000
"""1990-01-01: earlier posts are misread times."""

_AHEAD_US = 366 * 86_400_000_000
"""How far in the future a time may lie: clocks of phones are wrong, and made-up panels run ahead."""

_REMEMBERED = 500_000
"""Times of unusual forms that are remembered: files repeat them seldom, and memory is bounded."""


def latest_us() -> int:
    """Return the moment from which times are misread: a year from now."""
    return time.time_ns() // 1000 + _AHEAD_US


@dataclass
class Times:
    """How the times of one file are read.

    Attributes
    ----------
    zone
        Zone of times that carry none; None if nobody says.
    day_zone
        Zone in which a day without a time begins: the study's.
    forms
        The study's `panel.date_format`.
    """

    zone: str | None
    day_zone: str | None
    forms: tuple[str, ...] = ()
    order: Order = None
    n_rounded: int = 0
    _known: dict[str, Found] = field(default_factory=dict)
    _has_times: bool | None = None

    def moments(self, created: pa.Array, connection: duckdb.DuckDBPyConnection) -> tuple[pa.Array, pa.Array]:
        """Return moments (microseconds since 1970 in UTC, int64) and problems (text: `bad_date`, `no_zone` or null).

        Parameters
        ----------
        created
            Times as text; null where there is none.
        connection
            Where to run ``queries/panel_times.sql``.
        """
        created = pc.utf8_trim_whitespace(created)
        if self.forms:
            utc = local = pa.nulls(len(created), pa.int64())
        else:
            utc, local = _usual(created, connection)
        left = pc.and_(pc.and_(pc.is_null(utc), pc.is_null(local)), pc.is_valid(created))
        days = pa.nulls(len(created), pa.int64())
        if pc.any(left).as_py():
            utc, local, days = self._one_by_one(created, left, utc, local)
        return self._placed(utc, local, days)

    def _one_by_one(
        self, created: pa.Array, left: pa.Array, utc: pa.Array, local: pa.Array
    ) -> tuple[pa.Array, pa.Array, pa.Array]:
        texts = pc.if_else(left, created, None).dictionary_encode()
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        new = [text for text in texts.dictionary.to_pylist() if text and text not in self._known]
        self.order = self.order or order_of(new)
        for text in new:
            self._known[text] = parse(text, self.forms, self.order)
        values = [self._known.get(text, Found()) for text in texts.dictionary.to_pylist()]

        def column(name: str) -> pa.Array:
            found = pa.array([getattr(value, name) for value in values], pa.int64())
            return found.take(texts.indices) if len(found) else pa.nulls(len(created), pa.int64())

        rounded = pa.array([value.rounded for value in values], pa.bool_())
        if len(rounded):
            self.n_rounded += pc.sum(rounded.take(texts.indices)).as_py() or 0
        return pc.coalesce(utc, column("utc_us")), pc.coalesce(local, column("local_us")), column("day_us")

    def _placed(self, utc: pa.Array, local: pa.Array, days: pa.Array) -> tuple[pa.Array, pa.Array]:
        n_rows = len(utc)
        problem = pa.nulls(n_rows, pa.string())
        if days.null_count < n_rows:
            n_days, n_times = n_rows - days.null_count, 2 * n_rows - utc.null_count - local.null_count
            if self._has_times is None:
                self._has_times = n_times >= n_days
            if self._has_times:  # a day among times has lost its time
                days = pa.nulls(n_rows, pa.int64())
            utc = pc.coalesce(utc, in_zone(days, self.day_zone or self.zone or "UTC"))
        elif self._has_times is None:
            self._has_times = utc.null_count < n_rows or local.null_count < n_rows
        if local.null_count < n_rows:
            if self.zone is None:
                problem = pc.if_else(pc.is_valid(local), "no_zone", problem)
            else:
                utc = pc.coalesce(utc, in_zone(local, self.zone))
        utc, wrong = self.plausible(utc)
        return utc, pc.coalesce(problem, wrong)

    @staticmethod
    def plausible(moments: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Return moments that can be those of posts, others as null, and the problem `bad_date` where there is none."""
        sound = pc.and_(pc.greater_equal(moments, EARLIEST_US), pc.less(moments, latest_us()))
        moments = pc.if_else(pc.fill_null(sound, False), moments, pa.scalar(None, pa.int64()))
        return moments, pc.if_else(pc.is_null(moments), "bad_date", pa.scalar(None, pa.string()))

    def remark(self, text: str | None, problem: str | None) -> str:
        """Return what may be said of a time that was not taken: the value, and how to have it read if it was not."""
        if text is None or not text.strip():
            return "no time"
        if problem == "no_zone":
            return f"created_at {shape(text.strip())!r}"
        shown, why = shape(text.strip()), self._known.get(text.strip(), Found()).why
        if self._has_times and self._known.get(text.strip(), Found()).day_us is not None:
            why = "a day without a time among times: write all times out, or all days"
        why = why or "a form that is not read by itself: set panel.date_format, such as '%d/%m/%y %H:%M'"
        return f"created_at {shown!r} ({why})"


def _usual(created: pa.Array, connection: duckdb.DuckDBPyConnection) -> tuple[pa.Array, pa.Array]:
    connection.register("records", pa.table({"created": created}))
    try:
        found = connection.sql(resources.text("queries", "panel_times")).to_arrow_table()
    finally:
        connection.unregister("records")
    return found["utc_us"].combine_chunks(), found["local_us"].combine_chunks()


def in_zone(local: pa.Array, zone: str) -> pa.Array:
    """Return moments by a clock of `zone`; a time that summer time skips or repeats is the later or earlier moment."""
    if zone == "UTC":
        return local
    clock = local.cast(pa.timestamp("us"))
    return pc.assume_timezone(clock, zone, ambiguous="earliest", nonexistent="latest").cast(pa.int64())


def shape(text: str) -> str:
    """Return a time for a message: never a text, never an id.

    Words that are no part of a time become `xxx`, and long numbers lose their end: a column named by mistake may hold
    anything.
    """
    parts = words(text[:60])
    shown = "".join(
        part if is_time_word(part) else f"<{len(part)} digits>" if part.isdigit() else "xxx" for part in parts
    )
    return shown if len(shown) <= 40 else shown[:37] + "..."
