"""Respondents of one file in groups by a variable: one table of observations per level.

Takes a file and the settings, gives observations per group. Knows no week and no sheet.

A group is a domain of the sample: waves, options and the design (strata, clusters) stay those of everybody, only the
answers of others do not count (Lohr, Sampling: Design and Analysis, section on domain estimation).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages.survey import waves
from temporal_adapters.stages.survey.observations import Observations
from temporal_adapters.stages.survey.respondents import Respondents
from temporal_adapters.stages.survey.ticks import spelled
from temporal_adapters.study.config import Survey


def variables_of(settings: Survey) -> list[str]:
    """Return the variables by which respondents are split: that of `survey.split`, and the groups of `split_groups`."""
    named = settings.split_variables()
    folded = {name.casefold() for name in named}
    return [*named, *(group for group in settings.split_groups if group.casefold() not in folded)]


def read(path: Path, settings: Survey) -> dict[tuple[str, str], Observations]:
    """Read one file of respondents: (variable, level) -> the observations of that group.

    Raises
    ------
    SurveyError
        If a variable is missing, a value that `split_groups` names never occurs, or a group answered nothing.
    """
    polled = waves.load(path, settings)
    found = {}
    for variable in variables_of(settings):
        polled.people.column(variable, "survey.split_groups")
        wanted = next((v for k, v in settings.split_groups.items() if k.casefold() == variable.casefold()), {})
        split = waves.single(polled.people, variable, variable, settings, {})
        for level, value in _levels(split, polled.people, wanted).items():
            column = polled.people.columns[split.variables[value]]
            member = np.array([code in split.codes[value] for code in column], dtype=bool)
            if member.any():
                found[variable, level] = polled.observed(settings, member, f"{variable} {level}")
    return found


def _levels(split: waves.Question, people: Respondents, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return level -> option of the variable; without names in the study every option is a level of its own."""
    if not wanted:
        return {option: option for option in split.variables}
    forms = {form.casefold(): option for option, codes in split.codes.items() for form in map(spelled, codes)}
    forms |= {option.casefold(): option for option in split.variables}
    for level, value in wanted.items():
        if value.strip().casefold() not in forms:
            there = ", ".join(split.variables)
            raise SurveyError(
                f"{people.where}: {split.name} is never {value!r}, which survey.split_groups gives to {level}; it has"
                f" {there}"
            )
    return {level: forms[value.strip().casefold()] for level, value in wanted.items()}
