"""Workbooks (xlsx) opened only after a look at what they would become in memory.

Takes a path, gives an openpyxl workbook. A workbook is a zip archive of XML: a few kB can unpack to gigabytes, one cell
in the last row makes a sheet of 17 billion cells, and XML can define entities; none of it is for openpyxl to meet.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.parsers import expat

from temporal_adapters.ground.errors import TemporalAdaptersError

MOST_CELLS = 4_000_000
"""Cells of all sheets, gaps and merged areas counted: about 1 GB in openpyxl."""

MOST_PARTS = 1_000_000
"""Styles, links, notes and whatever else is no cell, in one part: openpyxl makes an object of half a kB of each."""

MOST_EXPANSION = 50.0
"""Unpacked bytes per byte of a file: sheets that people save have 5 to 20."""

FREE_BYTES = 64 << 20
"""Unpacked bytes from which the expansion counts."""

_READ_BYTES = 1 << 20
_OF_CELLS = frozenset({"c", "v", "f", "is", "t", "row"})
_STRINGS = "sharedstrings.xml"
_PLACE = re.compile(r"\$?([A-Za-z]{1,3})\$?([0-9]{1,7})")

Refuse = Callable[[str], TemporalAdaptersError]


def open_workbook(path: Path, refuse: Refuse, *, streamed: bool = False) -> Any:
    """Return the workbook at `path`, values instead of formulas.

    Parameters
    ----------
    path
        Where.
    refuse
        The reader's class of errors; what is wrong is said without the path.
    streamed
        Whether openpyxl reads row by row (``read_only``).

    Raises
    ------
    TemporalAdaptersError
        Made by `refuse`: the file is damaged, no workbook, unpacks to too much, or its XML defines a document type.
    """
    import openpyxl

    require_modest(path, refuse, most=MOST_EXPANSION, free=FREE_BYTES, cells=MOST_CELLS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return openpyxl.load_workbook(path, read_only=streamed, data_only=True)
    except Exception as error:  # openpyxl raises errors of a dozen kinds on damaged files
        raise refuse(f"cannot be read as an xlsx workbook ({type(error).__name__}): save it again or as CSV") from None


def require_modest(
    path: Path, refuse: Refuse, *, most: float, free: int, cells: int | None, cure: str = "save it as CSV"
) -> None:
    """Refuse a workbook that is no harmless one, without unpacking it into memory.

    Parameters
    ----------
    path
        Where.
    refuse
        The reader's class of errors.
    most
        Unpacked bytes allowed per byte of the file.
    free
        Unpacked bytes that are always allowed.
    cells
        Cells allowed, gaps and merged areas counted; None for a reader that holds one row at a time.
    cure
        What to do if a workbook really is that large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _require_size(path, archive, lambda what: refuse(f"{what}: if its data are real, {cure}"), most, free)
            left = cells
            for member in archive.infolist():
                if member.filename.lower().endswith((".xml", ".rels", ".vml")):
                    most_parts = MOST_CELLS if member.filename.lower().endswith(_STRINGS) else MOST_PARTS
                    count = _Look(refuse, left, most_parts).read(archive.open(member))
                    left = None if left is None else left - count
    except expat.ExpatError as error:
        raise refuse(f"is a damaged xlsx workbook (XML: {expat.ErrorString(error.code)}): save it again") from None
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError, EOFError) as error:
        raise refuse(f"cannot be read as an xlsx workbook ({type(error).__name__}): save it again or as CSV") from None


def _require_size(path: Path, archive: zipfile.ZipFile, refuse: Refuse, most: float, free: int) -> None:
    """Add up what the members say of themselves: `zipfile` never gives more of a member than that."""
    unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > max(free, most * path.stat().st_size):
        raise refuse(f"unpacks to {unpacked / 2**20:,.0f} MiB, more than {most:g} times its size")


class _Look:
    """One pass of expat over a part of a workbook: no document type, and not too many cells."""

    def __init__(self, refuse: Refuse, left: int | None, most_parts: int) -> None:
        self._refuse, self._left, self._most_parts = refuse, left, most_parts
        self._parts = self._met = self._merged = self._row = self._column = 0

    def read(self, file: Any) -> int:
        """Return the number of cells that a sheet would have in memory (0 for other parts)."""
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._element
        with file:
            while data := file.read(_READ_BYTES):
                parser.Parse(data, False)
                self._require()
            parser.Parse(b"", True)
        self._require()
        return self._cells

    @property
    def _cells(self) -> int:
        return max(self._met, self._row * self._column) + self._merged

    def _require(self) -> None:
        if self._parts > self._most_parts:
            raise self._refuse(
                f"holds more than {self._most_parts:,} strings, styles or links in one part: save it as CSV"
            )
        if self._left is not None and self._cells > self._left:
            raise self._refuse(
                f"would have more than {MOST_CELLS:,} cells in memory (empty ones between filled ones counted): remove"
                " stray cells far out, or save the sheet as CSV"
            )

    def _doctype(self, *_: Any) -> None:
        raise self._refuse("its XML defines a document type or entities, which no spreadsheet program writes: save it"
                           " again as xlsx or CSV")  # fmt: skip

    def _element(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if name not in _OF_CELLS:
            self._parts += 1
        if name == "c":
            self._met += 1
            self._reach(attributes.get("r", ""))
        elif name == "mergeCell":
            self._merged += _area(attributes.get("ref", ""))
        elif name == "row" and attributes.get("r", "").isdecimal():
            self._row = max(self._row, int(attributes["r"][:9]))
        elif name == "dimension":
            self._reach(attributes.get("ref", "").rpartition(":")[2])

    def _reach(self, place: str) -> None:
        row, column = _place(place)
        self._row, self._column = max(self._row, row), max(self._column, column)


def _area(reference: str) -> int:
    first, _, last = reference.partition(":")
    (top, left), (bottom, right) = _place(first), _place(last or first)
    return max(0, bottom - top + 1) * max(0, right - left + 1)


def _place(text: str) -> tuple[int, int]:
    """Return row and column of a cell such as ``AB12``, counted from 1; (0, 0) if `text` is none."""
    if (found := _PLACE.fullmatch(text)) is None:
        return 0, 0
    column = 0
    for letter in found[1].upper():
        column = 26 * column + ord(letter) - 64
    return int(found[2]), column
