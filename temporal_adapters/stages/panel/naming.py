"""How the columns of a table are called, and how its cells become the columns of posts.

Takes a layout's names and the study's, gives our columns. Knows no file format.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from temporal_adapters.ground.errors import PanelError
from temporal_adapters.stages.panel.posts import RAW
from temporal_adapters.study.config import REQUIRED, Panel
from temporal_adapters.study.config.panel import COLUMNS

FLAGS = ("is_repost", "is_reply", "is_quote")
AUTO = "auto"
"""What the study writes for `post_id` to number the rows."""

_NO = ("false", "f", "0", "0.0", "no", "n", "none", "null", "nan", "-1", "-1.0", "na", "<na>", "nil", "[]", "{}")
"""Words and numbers for no in a flag, in small letters; the marks of `panel.missing` are no as well."""

Choice = str | tuple[str, ...]
"""A name that a column may have, or several that are read together."""

Header = Mapping[str, tuple[Choice, ...]]


@dataclass(frozen=True)
class Naming:
    """How the columns of a table are called.

    Attributes
    ----------
    layout
        Name of the layout.
    known
        Our column -> the names it may have in this layout, the best first.
    settings
        The study's; the names it gives win over `known`.
    platform
        What the posts' platform is called.
    zone
        Zone of times that carry none, if the layout promises one.
    prefix
        What numbered ids begin with (see `AUTO`).
    """

    layout: str
    known: Header
    settings: Panel
    platform: str = "table"
    zone: str | None = None
    prefix: str = ""

    @property
    def zone_or_default(self) -> str | None:
        """The zone of times that carry none, if it is known."""
        return self.settings.source_timezone or self.zone

    def columns(self, name: str, found: Sequence[str], *, printable: bool = True) -> dict[str, tuple[str, ...]]:
        """Return our column -> the file's, one or several, for those that the file has.

        Parameters
        ----------
        name
            What messages call the file.
        found
            The names of its columns, in order.
        printable
            Whether `found` are names; a row of values is not shown in messages.

        Raises
        ------
        PanelError
            If the file lacks a required column, or one that the study names.
        """
        chosen: dict[str, tuple[str, ...]] = {}
        for ours in COLUMNS:
            given = self.settings.named(ours)
            if given:
                chosen[ours] = tuple(self._theirs(name, ours, theirs, found, printable) for theirs in given)
                continue
            choices = (choice if isinstance(choice, tuple) else (choice,) for choice in self.known.get(ours, ()))
            there = (tuple(part for part in choice if part in found) for choice in choices)
            chosen[ours] = next((parts for parts in there if parts), ())
            if not chosen[ours] and ours in REQUIRED:
                choice = next(iter(self.known.get(ours, (ours,))), ours)
                first = choice if isinstance(choice, str) else choice[0]
                raise PanelError(f"{name}: {_lacks(first, ours, found, printable)}")
        return {ours: parts for ours, parts in chosen.items() if parts}

    def _theirs(self, name: str, ours: str, theirs: str | int, found: Sequence[str], printable: bool) -> str:
        if ours == "post_id" and theirs == AUTO:
            return AUTO
        if isinstance(theirs, int):
            if not 1 <= theirs <= len(found):
                raise PanelError(
                    f"{name}: panel.columns: {ours} is column {theirs}, but there are {len(found)} columns"
                )
            return found[theirs - 1]
        if theirs not in found and not any(theirs.startswith(f"{root}.") for root in found):
            raise PanelError(f"{name}: {_lacks(theirs, ours, found, printable)}")
        return theirs


def _lacks(theirs: str, ours: str, found: Sequence[str], printable: bool) -> str:
    if not printable:
        return (
            f"its first row holds values, not names of columns (no column {theirs!r} for {ours}): set panel.header: "
            f"false and the numbers of the {len(found)} columns under panel.columns, such as `{ours}: 1`"
        )
    listed = ", ".join(found[:40]) or "none"
    return f"has no column {theirs!r} for {ours} (it has: {listed}): write `{ours}: <its name>` under panel.columns"


_VALUE = re.compile(r"\d{5,}|\d{1,4}[-/.:]\d{1,2}[-/.:]\d|\d:\d\d|^\d+$")
_NAME_CHARACTERS = 60


def are_names(cells: Sequence[str]) -> bool:
    """Return whether a first row looks like names of columns; a row of values must not be shown in any message.

    Every post has a time or an id, and no name of a column looks like one.
    """
    return all(
        len(cell) <= _NAME_CHARACTERS and "\n" not in cell and not _VALUE.search(cell) for cell in cells
    ) and any(cell.strip() for cell in cells)


# --- cells to posts ---------------------------------------------------------------------------------------------------


def assemble(
    columns: Mapping[str, Sequence[pa.Array]], first: int, n_rows: int, naming: Naming, broken: pa.Array | None = None
) -> pa.Table:
    """Return the columns of `RAW` from the cells of a table.

    Parameters
    ----------
    columns
        Our column -> the cells of the file's columns that make it up: text, or booleans for flags, or times.
    first
        Number of the first row.
    n_rows
        Number of rows.
    naming
        What the study and the layout say.
    broken
        Whether a row is none at all; None if all are sound.
    """
    marks = pa.array(naming.settings.missing)
    numbers = pa.array(np.arange(first, first + n_rows, dtype=np.int64))
    made: dict[str, pa.Array] = {"number": numbers}
    for ours in ("post_id", "user_id", "lang", "client"):
        parts = [_known(part, marks) for part in columns.get(ours, ())]
        made[ours] = _joined(ours, parts, n_rows)
    made["lang"] = tags(made["lang"])
    if naming.settings.named("post_id") == (AUTO,):
        made["post_id"] = pc.binary_join_element_wise(naming.prefix, numbers.cast(pa.string()), "/")
    for ours in FLAGS:
        made[ours] = _any([_flag(part, marks) for part in columns.get(ours, ())], n_rows)
    made["text"] = _joined("text", [_text(part) for part in columns.get("text", ())], n_rows)
    times = columns.get("created_at", ())
    is_moment = len(times) == 1 and times[0].type == pa.int64()
    made["moment_us"] = times[0] if is_moment else pa.nulls(n_rows, pa.int64())
    made["created"] = pa.nulls(n_rows, pa.string()) if is_moment else _joined("created", list(times), n_rows)
    made["platform"] = pa.repeat(naming.platform, n_rows)
    problem = pa.nulls(n_rows, pa.string())
    made["problem"] = problem if broken is None else pc.if_else(broken, "not_json", problem)
    return pa.table({name: made[name] for name in RAW.names}).cast(RAW)


def _text(values: pa.Array) -> pa.Array:
    return values if pa.types.is_string(values.type) else values.cast(pa.string())


def _known(values: pa.Array, marks: pa.Array) -> pa.Array:
    values = pc.utf8_trim_whitespace(_text(values))
    return pc.if_else(pc.is_in(values, value_set=marks), None, values)


def _joined(ours: str, parts: list[pa.Array], n_rows: int) -> pa.Array:
    if not parts:
        return pa.nulls(n_rows, pa.string())
    if len(parts) == 1:
        return parts[0]
    if ours in ("post_id", "user_id"):
        return pc.binary_join_element_wise(*parts, "/")
    if ours in ("text", "created"):
        filled = [pc.if_else(pc.equal(pc.utf8_trim_whitespace(part), ""), None, part) for part in parts]
        between = "\n\n" if ours == "text" else " "
        joined = pc.binary_join_element_wise(*filled, between, null_handling="skip")
        return pc.if_else(pc.equal(joined, ""), None, joined)
    return pc.coalesce(*parts)


def _flag(values: pa.Array, marks: pa.Array) -> pa.Array:
    """Return a column as yes or no: anything but a mark of no value or a word for no is yes.

    So a column with the id of the post that was reposted, answered or quoted serves as its flag.
    """
    if pa.types.is_boolean(values.type):
        return values.fill_null(False)
    values = pc.utf8_trim_whitespace(_text(values))
    no = pc.or_(pc.is_in(pc.utf8_lower(values), value_set=pa.array(_NO)), pc.is_in(values, value_set=marks))
    return pc.invert(pc.or_(pc.fill_null(no, True), pc.is_null(values)))


def _any(flags: list[pa.Array], n_rows: int) -> pa.Array:
    if not flags:
        return pa.repeat(False, n_rows)
    found = flags[0]
    for flag in flags[1:]:
        found = pc.or_(found, flag)
    return found


def tags(values: pa.Array) -> pa.Array:
    """Return languages written as a list (`["de","en"]`, `de,en`) as tags separated by spaces."""
    listed = pc.match_substring_regex(values, r'[\[\],;"]')
    if not pc.any(listed).as_py():
        return values
    plain = pc.utf8_trim_whitespace(pc.replace_substring_regex(values, r"""[\[\]"',;\s]+""", " "))
    return pc.if_else(pc.equal(plain, ""), None, plain)
