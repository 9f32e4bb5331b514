"""Section `survey`: the survey tracker to compare with."""

from __future__ import annotations

import datetime
import glob
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.study.config.base import Section, StudyPath

Kept = str | int | float | bool | list[str | int | float | bool]
Day = Literal["start", "middle", "end", "published"]

WHOLE = ("all adults", "all", "total", "all respondents", "overall", "everyone")
"""Values of `split` that mean everybody."""


class Wave(Section):
    """One file of respondents that is one wave, where names or codes differ between waves."""

    path: StudyPath
    """File of the wave."""

    date: datetime.date | None = None
    """First day of its fieldwork (or the day it was published); without it `survey.columns.date` or the file's name."""

    end: datetime.date | None = None
    """Last day of its fieldwork; the first day without it."""

    variables: dict[str, str | dict[str, str]] = Field(default_factory=dict)
    """Question -> variable in this file, where it differs from `survey.variables`."""

    codes: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Question -> {code or label in this file: option}, where labels differ between waves."""

    weight: str | None = None
    """Weight variable in this file, where it differs from `survey.weight`."""


class Survey(Section):
    """A survey series."""

    paths: tuple[StudyPath, ...] = ()
    """Survey files: CSV or xlsx of a tracker, `.sav`, `.dta`, `.por`, CSV or Parquet of respondents, or a list of
    polls."""

    source: str = Field("survey", pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")
    """Name of the survey in tables and figures; `adapters` is taken."""

    format: Literal["auto", "tidy", "wide", "yougov", "waves", "polls"] = "auto"
    """`tidy`: date, question, option, value, n; `wide`: one row per wave, one column per option; `yougov`: one column
    per wave; `waves`: files of respondents; `polls`: one row per poll. `auto` looks at the file."""

    columns: dict[str, str] = Field(default_factory=dict)
    """Our column name -> theirs, where they differ (tidy: date, end, question, option, value, n, se, lower, upper, sd;
    respondents: date, or year and month, or year and week)."""

    encoding: str | None = None
    """Encoding of CSV files, such as cp1252; without it UTF-8, or what can be told from the bytes, said."""

    delimiter: str | None = Field(None, min_length=1, max_length=1)
    """Character between the cells of CSV files; without it the one that gives rows of equal length."""

    decimal: Literal["auto", ".", ","] = "auto"
    """Sign between whole and decimal digits; `auto` reads a comma as such where no value holds a point."""

    unit: Literal["auto", "share", "percent", "mean"] = "auto"
    """What a value is: a share (0-1), a percentage (0-100), or a mean on a scale (also an index). `auto` reads signs
    `%` as percent and values from 0 to 1 as shares, and refuses anything else."""

    interval: float = Field(0.95, gt=0.5, lt=1)
    """Level of the intervals that columns `lower` and `upper` hold; their width over twice the normal quantile is the
    standard error."""

    missing_marks: tuple[str, ...] = ()
    """Cells that hold no number beside the usual ones (`*`, `-`, `..`, `[c]`, `<1`, `n/a`)."""

    date_format: str | None = None
    """How dates are written (Python's strptime, such as "%d/%m/%Y"); needed only where a file is ambiguous."""

    fieldwork_date: Day = "middle"
    """Day of the fieldwork that decides the week of a wave; `published` says that the file's only date is the day of
    publication or of the tracker's header, not of interviews."""

    period: Literal["auto", "week", "month", "quarter"] = "auto"
    """Time that a value of the file stands for where it names no days; `auto` reads `Jan 2023` as a month and
    `2023-W14` as a week. `month` and `quarter` say so of a file that gives the first day only."""

    same_week: Literal["refuse", "mean", "first", "last"] = "refuse"
    """What two waves in one week mean: a mistake, an average weighted by n (respondents whom two overlapping waves
    share enter its error), or that only the first or the last of them counts."""

    design_effect: float = Field(1.0, ge=1, le=20)
    """Factor on the sampling variance where a file gives no weights; 1 = simple random sample, online panels are
    typically 1.2 to 1.6."""

    rounding: float | None = Field(None, ge=0, lt=0.2)
    """Step to which published shares were rounded (0-1), such as 0.01; without it the step is read off the values."""

    min_base: int = Field(50, ge=1)
    """Respondents below which a value is left out; how many were is said."""

    question: str | None = None
    """Name of the question where the file gives none (a YouGov tracker's file name otherwise)."""

    split: str = "All adults"
    """Sheet or demographic split of a tracker with several; `all` reads every sheet, those beside the first as
    groups. Of respondents the variable whose levels are groups."""

    split_groups: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Group -> {level: name of the sheet}, such as {gender: {male: Male, female: Female}}; with `split: all` sheets
    that are not named are groups of their own. Of respondents variable -> {level: label or code}."""

    variables: dict[str, str | dict[str, str]] = Field(default_factory=dict)
    """`waves`: question -> variable with one code per answer, or question -> {option: variable that is 1 where ticked};
    `polls` with one column per answer: question -> {option: column}."""

    keep: dict[str, Kept] = Field(default_factory=dict)
    """Column -> value, list of values or range of the rows that count, such as {country: [DE, AT], age: ">= 18"}."""

    aliases: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Option -> other names that it has in some waves, such as {Don't know: [Not sure]}."""

    wave_by: str | None = None
    """Respondents of several waves in one file: `date` for one wave per `wave_days`, or the variable that tells waves
    apart."""

    wave_days: int = Field(7, ge=1, le=366)
    """Days of fieldwork that one wave may span."""

    wave_dates: dict[str, datetime.date] = Field(default_factory=dict)
    """Value of the variable `wave_by` -> first day of that wave's fieldwork, where no variable holds days."""

    waves: tuple[Wave, ...] = ()
    """Files of respondents with their own day, variables or codes, beside or instead of `paths`."""

    weight: str | None = None
    """Weight column of `waves` of respondents; without it every respondent counts once."""

    strata: str | None = None
    """Variable of strata; with it or `clusters` standard errors are linearised instead of Kish's."""

    clusters: str | None = None
    """Variable of primary sampling units."""

    no_weight: Literal["refuse", "drop", "one"] = "refuse"
    """What becomes of respondents without a weight: an error, left out, or a weight of 1."""

    missing_codes: tuple[float | str, ...] = ()
    """Codes of `waves` that count as no answer, beside those the file declares and those whose label says so."""

    answer_codes: tuple[float | str, ...] = ()
    """Codes of `waves` that are answers although the file declares them, or their label reads, as missing."""

    dont_know: Literal["answer", "missing"] = "answer"
    """What "don't know" is where a file of respondents does not declare it missing."""

    ticked_codes: tuple[float | str, ...] = ()
    """Codes of ticked variables that mean yes; without it 1, or the code whose label says yes."""

    one_of: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """`polls`: column -> values in order of preference of which each poll keeps the first it has, such as
    {population: [lv, rv, a]}."""

    house_effects: Literal["none", "centred", "model"] = "none"
    """`polls`: pollsters as they are, their mean deviation taken out, or a local level with pollsters as random
    effects."""

    max_bad_rows: float = Field(0.0, ge=0, lt=1)
    """Share of rows (0-1) without a readable day or value that may be left out; above it the file is refused."""

    @field_validator("keep", mode="after")
    @classmethod
    def _names_something(cls, value: dict[str, Kept]) -> dict[str, Kept]:
        for column, wanted in value.items():
            if isinstance(wanted, list) and not wanted:
                raise ValueError(f"keep of {column!r} is an empty list: nothing would be left")
        return value

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if not self.paths and not self.waves:
            raise ValueError("give `paths`, or `waves` with a path each")
        if self.wave_dates and self.wave_by in (None, "date"):
            raise ValueError("`wave_dates` needs `wave_by`, the variable whose values it lists")
        return self

    def files(self) -> list[Path]:
        """Return the files that `paths` and `waves` name, folders and globs expanded, in order.

        Raises
        ------
        SurveyError
            If a path matches no file.
        """
        found: list[Path] = []
        for path in (*self.paths, *(wave.path for wave in self.waves)):
            matches = [match for match in _matches(path) if match.is_file()]
            if not matches:
                raise SurveyError(f"{path}: there is no such survey file")
            found += [match for match in matches if match not in found]
        return found

    def split_variables(self) -> list[str]:
        """Return the variable that splits respondents, if `split` does not mean everybody."""
        return [] if self.split.strip().casefold() in WHOLE else [self.split]

    def wave_of(self, path: Path) -> Wave | None:
        """Return the entry of `waves` for a file, if it has one."""
        return next((wave for wave in self.waves if path in _matches(wave.path)), None)


def _matches(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(child for child in path.glob("*") if not child.name.startswith((".", "~$")))
    return [path] if path.exists() else [Path(name) for name in sorted(glob.glob(str(path)))]
