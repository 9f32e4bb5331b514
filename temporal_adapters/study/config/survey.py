"""Section `survey`: the survey tracker to compare with."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Literal

from pydantic import Field

from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.study.config.base import Section, StudyPath


class Survey(Section):
    """A survey series."""

    paths: tuple[StudyPath, ...] = Field(min_length=1)
    """Survey files: CSV or xlsx of a tracker, `.sav` or `.dta` waves of respondents, or a list of polls."""

    source: str = Field("survey", pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")
    """Name of the survey in tables and figures; `adapters` is taken."""

    format: Literal["auto", "tidy", "yougov", "waves", "polls"] = "auto"
    """`tidy`: date, question, option, value, n; `yougov`: one column per wave; `waves`: one file of respondents per
    wave; `polls`: one row per poll. `auto` looks at the file."""

    columns: dict[str, str] = Field(default_factory=dict)
    """Our column name -> theirs, where they differ (tidy: date, question, option, value, n, se, end)."""

    unit: Literal["auto", "share", "percent", "mean"] = "auto"
    """What a value is: a share (0-1), a percentage (0-100), or a mean on a scale. `auto` reads signs `%` as percent and
    values from 0 to 1 as shares, and refuses anything else."""

    date_format: str | None = None
    """How dates are written (Python's strptime, such as `%d/%m/%Y`); needed only where a file is ambiguous."""

    fieldwork_date: Literal["start", "middle", "end"] = "middle"
    """Day of the fieldwork that decides the week of a wave."""

    same_week: Literal["refuse", "mean"] = "refuse"
    """What two waves in one week mean: a mistake, or an average weighted by n."""

    design_effect: float = Field(1.0, ge=1, le=20)
    """Factor on the sampling variance where a file gives no weights; 1 = simple random sample, online panels are
    typically 1.2 to 1.6."""

    rounding: float | None = Field(None, ge=0, lt=0.2)
    """Step to which published shares were rounded (0-1), such as 0.01; without it the step is read off the values."""

    question: str | None = None
    """Name of the question where the file gives none (a YouGov tracker's file name otherwise)."""

    split: str = "All adults"
    """Sheet or demographic split of a tracker with several."""

    variables: dict[str, str | dict[str, str]] = Field(default_factory=dict)
    """`waves`: question -> variable with one code per answer, or question -> {option: variable that is 1 where ticked};
    `polls` with one column per answer: question -> {option: column}."""

    keep: dict[str, str] = Field(default_factory=dict)
    """`polls`: column -> value of the rows that count, such as {population: lv}."""

    weight: str | None = None
    """Weight column of `waves` of respondents; without it every respondent counts once."""

    missing_codes: tuple[float, ...] = ()
    """Codes of `waves` that count as no answer, beside those the file declares."""

    def files(self) -> list[Path]:
        """Return the files that `paths` names, folders and globs expanded, in order.

        Raises
        ------
        SurveyError
            If a path matches no file.
        """
        found: list[Path] = []
        for path in self.paths:
            matches = sorted(path.glob("*")) if path.is_dir() else [Path(name) for name in sorted(glob.glob(str(path)))]
            matches = [match for match in matches if match.is_file()]
            if not matches:
                raise SurveyError(f"{path}: there is no such survey file")
            found += [match for match in matches if match not in found]
        return found
