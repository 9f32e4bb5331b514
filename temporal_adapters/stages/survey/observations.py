"""What every reader of survey files gives: one row per wave, question and option, before weeks exist.

Takes nothing, gives the schema of that table and the record around it. Knows no file format.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

COLUMNS: dict[str, type[pl.DataType]] = {
    "wave": pl.String,
    "start": pl.Date,
    "end": pl.Date,
    "item": pl.String,
    "option": pl.String,
    "value": pl.Float64,
    "se": pl.Float64,
    "n": pl.Int64,
}
"""Name of the wave or poll (empty where days tell waves apart); first and last day of fieldwork; question and option as
the survey names them; value a share (0-1) or a mean; standard error where the file gives one or it follows from
weights; n respondents (unweighted)."""


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
    """

    frame: pl.DataFrame
    is_mean: bool = False
    rounding: float | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)
