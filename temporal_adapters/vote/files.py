"""Survey files: SPSS, Stata, CSV and Parquet, as columns of codes.

Takes a path, gives names, labels and columns of codes (text, see `config.vote.code_text`). Knows no mapping.

Variable and value labels of German surveys come in every state: the encoding stated in a file is tried first, then
UTF-8, then Windows-1252; a reading whose labels are UTF-8 bytes shown as Windows-1252 ("GrÃ¼ne") is rejected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temporal_adapters.ground.errors import VoteError
from temporal_adapters.study.config import SYSTEM_MISSING, code_text

if TYPE_CHECKING:
    import polars as pl

_STATED = "as stated in the file"
_ENCODINGS = (_STATED, "utf-8", "cp1252")
_CELLS_PER_BYTE = {".zsav": 1100}
"""Cells that one byte can hold at most: deflate shrinks at most to about 1/1032; other formats need a byte a cell."""

_SUFFIXES = (".sav", ".zsav", ".por", ".dta", ".csv", ".tsv", ".parquet")


@dataclass(frozen=True)
class DeclaredMissing:
    """What a file declares missing in one column: ranges of numbers (single codes are ranges of one), and words."""

    ranges: tuple[tuple[float, float], ...] = ()
    words: tuple[str, ...] = ()

    def holds(self, code: str) -> bool:
        """Return whether `code` is declared missing."""
        try:
            value = float(code)
        except ValueError:
            return code in self.words
        return any(low <= value <= high for low, high in self.ranges)


@dataclass(frozen=True)
class SurveyFile:
    """What the header of a survey file says.

    Attributes
    ----------
    path
        The file.
    columns
        Name -> variable label (empty where there is none), in the file's order.
    value_labels
        Name -> code -> value label.
    declared_missing
        Name -> what the file declares missing (SPSS); Stata's extended missing values are codes of their own.
    encoding
        The encoding that was used.
    n_rows
        Respondents that the header claims; None where it does not say.
    """

    path: Path
    columns: Mapping[str, str]
    value_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    encoding: str = "utf-8"
    n_rows: int | None = None
    declared_missing: Mapping[str, DeclaredMissing] = field(default_factory=dict)


def open_survey(path: Path, encoding: str | None = None) -> SurveyFile:
    """Read the header of a survey file.

    Parameters
    ----------
    path
        A file that ends in .sav, .zsav, .por, .dta, .csv, .tsv or .parquet.
    encoding
        Encoding to use instead of trying.

    Raises
    ------
    VoteError
        If there is no such file, it is of no known kind, broken, or unreadable in every encoding tried.
    """
    if not path.is_file():
        raise VoteError(f"{path}: there is no such survey file")
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        raise VoteError(f"{path}: a survey file ends in one of {', '.join(_SUFFIXES)}")
    if suffix == ".parquet":
        import polars as pl

        return SurveyFile(path, dict.fromkeys(_guard(path, lambda: pl.read_parquet_schema(path)), ""))
    if suffix in (".csv", ".tsv"):
        return _open_text(path, encoding)
    return _open_labelled(path, encoding)


def read_columns(survey: SurveyFile, names: Sequence[str]) -> pl.DataFrame:
    """Return the columns `names`, one row per row of the file, every cell a code.

    Raises
    ------
    VoteError
        If the file holds no rows or breaks off.
    """
    import polars as pl

    wanted = list(dict.fromkeys(names))
    suffix = survey.path.suffix.lower()
    if suffix == ".parquet":
        frame = _guard(survey.path, lambda: pl.read_parquet(survey.path, columns=wanted))
        columns = {name: frame[name].to_list() for name in wanted}
    elif suffix in (".csv", ".tsv"):
        frame = _guard(survey.path, lambda: _read_text(survey, wanted))
        columns = {name: frame[name].to_list() for name in wanted}
    else:
        columns = _read_labelled(survey, wanted)
    if not columns or not len(next(iter(columns.values()))):
        raise VoteError(f"{survey.path}: the file has a header but no respondents")
    return pl.DataFrame(
        {name: _codes(values) for name, values in columns.items()}, schema=dict.fromkeys(wanted, pl.String)
    )


def _codes(values: Iterable[Any]) -> list[str]:
    known: dict[Any, str] = {}
    found = []
    for value in values:
        if value != value:
            found.append(SYSTEM_MISSING)
            continue
        if value not in known:
            known[value] = code_text(value.item() if hasattr(value, "item") else value)
        found.append(known[value])
    return found


def _guard(path: Path, read: Any) -> Any:
    import polars.exceptions

    try:
        return read()
    except (OSError, UnicodeError, polars.exceptions.PolarsError) as error:
        raise VoteError(f"{path}: cannot be read ({' '.join(str(error).split())[:200]})") from None


def _open_text(path: Path, encoding: str | None) -> SurveyFile:
    for candidate in (encoding,) if encoding else ("utf-8-sig", "cp1252"):
        try:
            with path.open(encoding=candidate, newline="") as file:
                header = file.readline().rstrip("\r\n")
                for line in file:
                    line.isascii()
        except (UnicodeDecodeError, LookupError):
            continue
        if not header:
            raise VoteError(f"{path}: the file is empty")
        names = [name.strip().strip('"') for name in header.split(_separator(path, header))]
        doubled = next((name for name in names if name and names.count(name) > 1), None)
        if doubled is not None:
            places = [place for place, name in enumerate(names, start=1) if name == doubled]
            raise VoteError(
                f"{path}: the columns {', '.join(map(str, places))} are all called {doubled!r}: rename them, so that"
                " one can be meant"
            )
        return SurveyFile(path, dict.fromkeys(names, ""), encoding="utf-8" if candidate == "utf-8-sig" else candidate)
    raise VoteError(f"{path}: is not text in {encoding or 'UTF-8 or Windows-1252'}; give its encoding")


def _separator(path: Path, header: str) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=header.count)


def _read_text(survey: SurveyFile, names: list[str]) -> pl.DataFrame:
    import polars as pl

    with survey.path.open(encoding=survey.encoding, newline="") as file:
        separator = _separator(survey.path, file.readline())
    return pl.read_csv(
        survey.path,
        columns=names,
        separator=separator,
        infer_schema=False,
        encoding=survey.encoding,
        truncate_ragged_lines=False,
    )


def _open_labelled(path: Path, encoding: str | None) -> SurveyFile:
    complaints = []
    for candidate in (encoding,) if encoding else _ENCODINGS:
        try:
            _, meta = _read_stat(path, candidate, metadataonly=True)
        except (UnicodeDecodeError, LookupError) as error:
            complaints.append(f"{candidate}: {error}")
            continue
        survey = _described(path, meta, candidate)
        broken = None if encoding else _mojibake(survey)
        if broken is None:
            return survey
        complaints.append(f"{candidate}: label {broken!r}")
    raise VoteError(
        f"{path}: the labels are unreadable in every encoding tried ({'; '.join(complaints)}); give the encoding"
    )


def _described(path: Path, meta: Any, encoding: str) -> SurveyFile:
    labels = {name: label or "" for name, label in meta.column_names_to_labels.items()}
    values = {
        name: {code_text(code): str(text) for code, text in known.items()}
        for name, known in meta.variable_value_labels.items()
    }
    used = f"{meta.file_encoding or 'utf-8'} ({_STATED})" if encoding == _STATED else encoding
    n_rows = meta.number_rows if meta.number_rows is not None and meta.number_rows >= 0 else None
    _refuse_empty_claim(path, n_rows, len(labels))
    return SurveyFile(path, labels, values, used, n_rows, _declared(meta))


def _declared(meta: Any) -> dict[str, DeclaredMissing]:
    found = {}
    for name, ranges in (getattr(meta, "missing_ranges", None) or {}).items():
        numbers = tuple((one["lo"], one["hi"]) for one in ranges if not isinstance(one["lo"], str))
        words = tuple(code_text(one["lo"]) for one in ranges if isinstance(one["lo"], str))
        found[name] = DeclaredMissing(numbers, words)
    return found


def _refuse_empty_claim(path: Path, n_rows: int | None, n_columns: int) -> None:
    """Refuse a file that is too small for what its header claims: the reader would reserve the memory all the same."""
    cells = path.stat().st_size * _CELLS_PER_BYTE.get(path.suffix.lower(), 1)
    if n_rows is not None and n_rows * n_columns > cells:
        raise VoteError(
            f"{path}: the header claims {n_rows} respondents with {n_columns} columns, but the file has "
            f"{path.stat().st_size} bytes: it breaks off (an unfinished download?)"
        )


def _read_stat(path: Path, encoding: str, **options: Any) -> Any:
    import pyreadstat

    read = {".dta": pyreadstat.read_dta, ".por": pyreadstat.read_por}.get(path.suffix.lower(), pyreadstat.read_sav)
    if encoding != _STATED and not encoding.endswith(f"({_STATED})"):
        options["encoding"] = encoding
    if path.suffix.lower() != ".por":
        options["user_missing"] = True
    try:
        return read(str(path), output_format="dict", disable_datetime_conversion=True, **options)
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError) as error:
        reason = " ".join(str(error).split())
        if "convert" in reason.lower() or "encoding" in reason.lower():
            raise LookupError(reason) from None
        raise VoteError(f"{path}: is not a readable {path.suffix} file ({reason}); is it complete?") from None


def _read_labelled(survey: SurveyFile, names: list[str]) -> dict[str, list[Any]]:
    columns, meta = _read_stat(survey.path, survey.encoding, usecols=names)
    if survey.n_rows is not None and len(columns[names[0]]) != survey.n_rows:
        raise VoteError(
            f"{survey.path}: the header claims {survey.n_rows} respondents, {len(columns[names[0]])} can be read: "
            "the file breaks off (an unfinished download?)"
        )
    found: dict[str, list[Any]] = {}
    for name in names:
        extended = set((meta.missing_user_values or {}).get(name, ()))
        values = columns[name]
        found[name] = [f".{value}" if value in extended else value for value in values] if extended else list(values)
    return found


def _mojibake(survey: SurveyFile) -> str | None:
    """Return a label that is UTF-8 read as Windows-1252 or holds a replacement character, or None."""
    for text in (
        *survey.columns.values(),
        *(text for known in survey.value_labels.values() for text in known.values()),
    ):
        if text.isascii():
            continue
        if "\ufffd" in text or any("\x80" <= char <= "\x9f" for char in text):
            return text
        try:
            text.encode("cp1252").decode("utf-8")
        except UnicodeError:
            continue
        return text
    return None
