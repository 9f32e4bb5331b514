"""What every reader of survey files gives: one row per wave, question and option, before weeks exist.

Takes nothing, gives the schema of that table and the record around it. Knows no file format.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import polars as pl

COLUMNS: dict[str, type[pl.DataType]] = {
    "wave": pl.String,
    "start": pl.Date,
    "end": pl.Date,
    "published": pl.Date,
    "item": pl.String,
    "option": pl.String,
    "value": pl.Float64,
    "se": pl.Float64,
    "n": pl.Int64,
    "house": pl.String,
}
"""Name of the wave or poll (empty where days tell waves apart); first and last day of fieldwork; day it was published,
null where the file does not say; question and option as the survey names them; value a share (0-1) or a mean; standard
error where the file gives one or it follows from weights; n respondents (unweighted); pollster, null without one."""

MAPPED: dict[str, type[pl.DataType]] = {
    "wave": pl.String,
    "item": pl.String,
    "variable": pl.String,
    "code": pl.String,
    "label": pl.String,
    "option": pl.String,
    "n": pl.Int64,
}
"""Which code of which variable became which option in a wave, and how many respondents gave it; a null option was left
out as no answer."""


@dataclass(frozen=True)
class Observations:
    """Waves as read from files.

    Attributes
    ----------
    frame
        Table with the columns of `COLUMNS`; values that a file leaves empty are null.
    is_mean
        Values are means on a scale, not shares.
    rounding
        Step to which shares are rounded in the file (0-1); 0 if they are exact; None if not known.
    notes
        Sentences about what was noticed while reading, such as an encoding that had to be guessed.
    mapped
        Table with the columns of `MAPPED`, for files of respondents.
    n_dates
        Kinds of days the files give per wave: 1 where it cannot be told whether that is fieldwork or publication.
    """

    frame: pl.DataFrame
    is_mean: bool = False
    rounding: float | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)
    mapped: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=MAPPED))
    n_dates: int = 2

    def with_notes(self, *notes: str) -> Observations:
        """Return the same with further notes."""
        return replace(self, notes=(*self.notes, *notes))
