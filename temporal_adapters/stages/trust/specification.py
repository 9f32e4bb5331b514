"""Every way of extracting a series against one survey: the specification curve, with an honest p for the best.

Takes series by setting, gives statistics. Knows no setting's meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from temporal_adapters.engines.significance import Array, changes, correlations
from temporal_adapters.ground.errors import ValidityError


@dataclass(frozen=True)
class Specification:
    """One setting.

    Attributes
    ----------
    setting
        Its name.
    r
        Correlation of levels.
    statistic, p
        Test D's statistic and own p-value.
    p_family
        p-value over all settings (max-T): what may be claimed after choosing the best.
    """

    setting: str
    r: float
    statistic: float
    p: float
    p_family: float


def curve(settings: Mapping[str, Array], survey: Array, lag: int, draws: int, seed: int) -> list[Specification]:
    """Return all settings, sorted by r; every setting is tested with the same random signs.

    Parameters
    ----------
    settings
        Name -> weekly series on one grid (NaN where missing).
    survey
        The survey's series on the same grid.
    lag
        Weeks by which the model leads.
    draws, seed
        Null draws and their seed.

    Raises
    ------
    ValidityError
        If there is no setting.
    """
    if not settings:
        raise ValidityError("a specification curve needs at least one setting")
    model = np.stack(list(settings.values()))
    found = changes(model, survey, [lag], draws=draws, seed=seed)
    r = correlations(model, np.broadcast_to(survey, model.shape), [lag])[:, 0]
    rows = [
        Specification(name, float(r[i]), *(float(array[i, 0]) for array in (found.statistic, found.p, found.p_family)))
        for i, name in enumerate(settings)
    ]
    return sorted(rows, key=lambda row: row.r)
