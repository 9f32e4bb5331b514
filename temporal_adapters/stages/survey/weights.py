"""Weights of respondents, and what becomes of those without one.

Takes respondents, gives them with a column of weights. Knows no question.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages.survey.respondents import Respondents
from temporal_adapters.stages.survey.ticks import number_of
from temporal_adapters.study.config import Survey

WEIGHT = "survey.weight of the respondents"
"""Name under which the weights travel with the respondents; no file has such a variable."""


def with_weights(people: Respondents, name: str | None, settings: Survey) -> tuple[Respondents, list[str]]:
    """Return the respondents with their weights as the column `WEIGHT`, and what was noticed.

    Raises
    ------
    SurveyError
        If a weight is missing or negative and `survey.no_weight` does not say what that means.
    """
    if name is None:
        return replace(people, columns={**people.columns, WEIGHT: [1.0] * people.height}), []
    weights, n_bad = [], 0
    for value in people.column(name, "survey.weight"):
        number = number_of(value)
        usable = number is not None and np.isfinite(number) and number >= 0 and not people.is_declared(name, value)
        weights.append(number if usable else None)
        n_bad += not usable
    notes = []
    if n_bad:
        said = f"{people.where}: {name} of {n_bad} of {people.height} respondents is missing or negative"
        if settings.no_weight == "refuse":
            raise SurveyError(f"{said}: give every one a weight, or set survey.no_weight to drop or one")
        notes = [f"{said}: {'left out' if settings.no_weight == 'drop' else 'they count once'} (survey.no_weight)"]
    if settings.no_weight == "drop":
        people = people.only([weight is not None for weight in weights])
        weights = [weight for weight in weights if weight is not None]
    filled = [1.0 if weight is None else weight for weight in weights]
    return replace(people, columns={**people.columns, WEIGHT: filled}), notes
