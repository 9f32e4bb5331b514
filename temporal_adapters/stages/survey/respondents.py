"""Files of respondents: SPSS, Stata, CSV and Parquet to columns with labels and declared missing values.

Takes a path, gives `Respondents`. Knows no question and no wave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages.survey import cells, table

SUFFIXES = (".sav", ".zsav", ".por", ".dta")
"""Endings of data files, in any case."""

_ENCODINGS = (None, "utf-8", "cp1252")


@dataclass(frozen=True)
class Respondents:
    """One file.

    Attributes
    ----------
    where
        How messages name it.
    columns
        Variable -> value per respondent, None where there is none.
    labels
        Variable -> {code: label}.
    declared
        Variable -> ranges (lowest, highest, both included) and single values that the file declares missing.
    notes
        What was noticed.
    """

    where: str
    columns: Mapping[str, Sequence[Any]]
    labels: Mapping[str, Mapping[Any, str]] = field(default_factory=dict)
    declared: Mapping[str, Sequence[tuple[Any, Any]]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        """Respondents."""
        return len(next(iter(self.columns.values()), ()))

    def column(self, name: str, setting: str) -> Sequence[Any]:
        """Return a variable; SurveyError naming the setting that asks for it where there is none."""
        if name in self.columns:
            return self.columns[name]
        folded = [other for other in self.columns if other.casefold() == name.casefold()]
        if len(folded) == 1:
            return self.columns[folded[0]]
        listed = ", ".join(list(self.columns)[:8])
        raise SurveyError(f"{self.where} has no variable {name!r} ({setting}; it has {listed} ...)")

    def labels_of(self, name: str) -> Mapping[Any, str]:
        """Return code -> label of a variable."""
        key = name if name in self.columns else next((c for c in self.columns if c.casefold() == name.casefold()), name)
        return self.labels.get(key, {})

    def is_declared(self, name: str, value: Any) -> bool:
        """Say whether the file declares a value of a variable missing."""
        return any(_between(value, low, high) for low, high in self.declared.get(name, ()))

    def only(self, wanted: Sequence[bool]) -> Respondents:
        """Return the respondents where `wanted` holds."""
        columns = {
            name: [value for value, keep in zip(column, wanted, strict=True) if keep]
            for name, column in self.columns.items()
        }
        return replace(self, columns=columns)


def _between(value: Any, low: Any, high: Any) -> bool:
    try:
        return bool(low <= value <= high)
    except TypeError:
        return False


def load(path: Path, encoding: str | None = None, delimiter: str | None = None) -> Respondents:
    """Read one file of respondents.

    Raises
    ------
    SurveyError
        If it is missing or not what its ending says.
    """
    if not path.is_file():
        raise SurveyError(f"{path}: there is no such survey file")
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _parquet(path)
    if suffix not in SUFFIXES:
        whole = table.table(cells.grids(path, encoding, delimiter)[0])
        columns = {name: [cell or None for cell in column] for name, column in whole.columns.items()}
        return Respondents(whole.where, {name: _numbers(column) for name, column in columns.items()}, notes=whole.notes)
    return _labelled(path, suffix)


def _labelled(path: Path, suffix: str) -> Respondents:
    import pyreadstat

    reader = {".dta": pyreadstat.read_dta, ".por": pyreadstat.read_por}.get(suffix, pyreadstat.read_sav)
    options = {} if suffix == ".por" else {"user_missing": suffix != ".dta"}
    problem: Exception | None = None
    for encoding in _ENCODINGS if suffix != ".por" else (None,):
        try:
            more = {**options, **({"encoding": encoding} if suffix != ".por" else {})}
            columns, meta = reader(str(path), output_format="dict", **more)
        except (pyreadstat.ReadstatError, UnicodeDecodeError, OSError) as error:
            problem = error
            continue
        return Respondents(
            str(path),
            {name: [_plain(value) for value in column] for name, column in columns.items()},
            meta.variable_value_labels,
            {name: [(r["lo"], r["hi"]) for r in ranges] for name, ranges in (meta.missing_ranges or {}).items()},
            (f"{path}: read as {encoding}",) if encoding else (),
        )
    raise SurveyError(f"{path}: cannot be read as an SPSS or Stata file ({problem})")


def _parquet(path: Path) -> Respondents:
    import polars as pl

    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SurveyError(f"{path}: cannot be read as a Parquet file ({str(error).splitlines()[0]})") from None
    return Respondents(str(path), {name: [_plain(v) for v in frame[name].to_list()] for name in frame.columns})


def parquet_columns(path: Path) -> list[str]:
    """Return the names of a Parquet file's columns."""
    import polars as pl

    try:
        return list(pl.read_parquet_schema(path))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SurveyError(f"{path}: cannot be read as a Parquet file ({str(error).splitlines()[0]})") from None


def parquet_table(path: Path) -> table.Table:
    """Return a Parquet file as a table of text, for tidy files and lists of polls."""
    people = _parquet(path)
    columns = {
        name: ["" if value is None else str(value) for value in column] for name, column in people.columns.items()
    }
    return table.Table(str(path), columns, list(range(1, people.height + 1)), {})


def _plain(value: Any) -> Any:
    """Return a value with None for NaN and empty text, dates for timestamps, and text without spaces around."""
    if value is None or value != value:
        return None
    if isinstance(value, str):
        return value.strip() or None
    if hasattr(value, "item") and not isinstance(value, datetime | date):
        value = value.item()
    if isinstance(value, datetime) or (hasattr(value, "date") and callable(value.date)):
        day = value.date()
        return date(day.year, day.month, day.day)
    return value


def _numbers(column: Sequence[str | None]) -> Sequence[Any]:
    """Return a column of text as numbers where every value is one (no leading zeros, no decimal commas)."""
    try:
        return [None if cell is None else float(cell) for cell in column]
    except ValueError:
        return column
