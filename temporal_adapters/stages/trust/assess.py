"""All figures of trust of one option at one lag.

Takes aligned arrays, gives one JSON object. A figure that cannot be computed is null, with the reason beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from temporal_adapters.engines.significance import Array, effective, pearson
from temporal_adapters.ground.errors import CorrelateError, ValidityError
from temporal_adapters.stages.trust.components import components
from temporal_adapters.stages.trust.contrast import contrast
from temporal_adapters.stages.trust.nowcast import gain
from temporal_adapters.stages.trust.placebo import by_kind, null_kind
from temporal_adapters.stages.trust.reliability import agreement, disattenuate, sampling_reliability
from temporal_adapters.stages.trust.smoothing import local_level
from temporal_adapters.stages.trust.specification import curve
from temporal_adapters.stages.trust.stability import stability

ROLLING_WEEKS = 20
"""Weeks of a rolling correlation; half of the series where that is shorter."""


@dataclass(frozen=True)
class Case:
    """One option on a grid of consecutive weeks.

    Attributes
    ----------
    model, survey
        (n,) values; the survey is shifted so that place t holds its value `lag` weeks later.
    survey_se
        (n,) standard errors of the survey, shifted alike.
    cells
        (n, seeds, wordings) answers before pooling, NaN where a week was not asked; empty without answers.
    settings
        Setting -> (n,) series extracted in another way.
    baselines
        Source -> (n,) other series to compare with.
    placebos
        Kind -> (k, n) series that should not be related; the model's own series out of time are always among them.
    """

    model: Array
    survey: Array
    survey_se: Array
    cells: Array
    settings: Mapping[str, Array] = field(default_factory=dict)
    baselines: Mapping[str, Array] = field(default_factory=dict)
    placebos: Mapping[str, Array] = field(default_factory=dict)


def assess(case: Case, draws: int, seed: int) -> dict[str, Any]:
    """Return every figure of one case; ``not_available`` says why some are null."""
    reasons: dict[str, str] = {}

    def figure(name: str, compute: Callable[[], Any]) -> Any:
        try:
            return compute()
        except (ValidityError, CorrelateError) as error:
            reasons[name] = str(error)
            return None

    n = len(case.model)
    window = min(ROLLING_WEEKS, n // 2)
    found: dict[str, Any] = {
        "survey_reliability": figure("survey_reliability", lambda: sampling_reliability(case.survey, case.survey_se)),
        "seeds": figure("seeds", lambda: asdict(agreement(_complete(case.cells).mean(axis=2)))),
        "components": figure("components", lambda: asdict(components(_complete(case.cells)))),
        "model_reliability": figure("model_reliability", lambda: components(_complete(case.cells)).reliability()),
        "persistence": figure("persistence", lambda: _persistence(case)),
        "nowcast": figure("nowcast", lambda: asdict(gain(case.model, case.survey))),
        "stability": figure("stability", lambda: asdict(stability(case.model, case.survey, window))),
        "specification": figure(
            "specification", lambda: [asdict(row) for row in curve(case.settings, case.survey, 0, draws, seed)]
        ),
        "placebo": figure("placebo", lambda: _placebo(case)),
        "smoothed_survey": figure("smoothed_survey", lambda: _smoothed(case)),
        "contrasts": {
            name: figure(f"contrast with {name}", lambda other=other: asdict(contrast(case.model, other, case.survey)))  # type: ignore[misc]
            for name, other in case.baselines.items()
        },
    }
    found["corrected"] = figure("corrected", lambda: _corrected(case, found))
    for side, known in found["persistence"].items():
        if not math.isfinite(known):
            reasons[f"persistence of the {side}"] = "needs values of neighbouring weeks, and that they vary"
    return {**_plain(found), "not_available": reasons}


def _complete(cells: Array) -> Array:
    if cells.size == 0:
        raise ValidityError("there are no answers by seed and wording")
    return cells[np.isfinite(cells).all(axis=(1, 2))]


def _corrected(case: Case, found: Mapping[str, Any]) -> dict[str, float]:
    reliabilities = [found["model_reliability"], found["survey_reliability"]]
    if any(value is None for value in reliabilities):
        raise ValidityError("needs the reliabilities of both sides")
    r = pearson(case.model[None], case.survey[None])
    weeks = effective.effective_weeks(case.model[None], case.survey[None])
    n = int((np.isfinite(case.model) & np.isfinite(case.survey)).sum())
    return asdict(disattenuate(float(r[0]), float(weeks[0]), reliabilities[0], reliabilities[1], n))


def _persistence(case: Case) -> dict[str, float]:
    """Return the autocorrelation from one week to the next of both observed series; NaN without such weeks."""
    sides = (("model", case.model), ("survey", case.survey))
    return {name: float(effective.autocorrelation(side[None], 1)[0, 0]) for name, side in sides}


def _placebo(case: Case) -> dict[str, Any]:
    """Return the ranks among the placebos that are the null, and those of every kind."""
    kinds = by_kind(case.model, case.placebos, case.survey)
    kind = null_kind(kinds)
    chosen = kinds[kind]
    r = float(pearson(case.model[None], case.survey[None])[0])
    own = float(effective.autocorrelation(case.model[None], 1)[0, 0])
    found = {"kind": kind, "r": r, "real_persistence": own, **asdict(chosen)}
    return {**found, "kinds": {name: asdict(one) for name, one in kinds.items()}}


def _smoothed(case: Case) -> dict[str, Any]:
    smooth = local_level(case.survey, case.survey_se)
    return {"level": smooth.level.tolist(), "se": smooth.se.tolist(), "step_variance": smooth.step_variance}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
