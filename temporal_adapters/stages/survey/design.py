"""Sampling errors of weighted shares: Kish's design effect, or linearisation over strata and clusters.

Takes arrays of answers and weights, gives a share, its standard error and sizes. Knows no file.

References
----------
Kish, L. (1965). Survey Sampling. Wiley. deff = n sum(w^2) / sum(w)^2.
Binder, D. A. (1983). On the variances of asymptotically normal estimators from complex surveys. International
Statistical Review 51, 279-292: the linearised variance of a ratio, over primary sampling units within strata with
replacement; respondents outside the domain count with 0. A stratum with a single unit is centred at the mean of all
(R `survey`: ``lonely.psu = "adjust"``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Estimate:
    """One weighted share.

    Attributes
    ----------
    share, se
        Share (0-1) and its standard error.
    n, n_effective
        Respondents who answered, and the size of a simple random sample with the same error under Kish's effect.
    """

    share: float
    se: float
    n: int
    n_effective: float


@dataclass(frozen=True)
class Design:
    """Weights of all respondents of a wave, and the strata and clusters they were drawn in (None without)."""

    weights: Array
    strata: Array | None = None
    clusters: Array | None = None

    def share(self, ticked: Array, valid: Array) -> Estimate:
        """Return the share of those who ticked among those who answered.

        Parameters
        ----------
        ticked, valid
            Booleans per respondent, shape (n_respondents,).
        """
        weights = self.weights * valid
        total, n = float(weights.sum()), int(valid.sum())
        share = float((weights * ticked).sum() / total)
        effect = n * float((weights**2).sum()) / total**2
        if self.strata is None and self.clusters is None:
            return Estimate(share, float(np.sqrt(effect * share * (1 - share) / n)), n, n / effect)
        return Estimate(share, self._linearised(weights * (ticked - share) / total), n, n / effect)

    def _linearised(self, scores: Array) -> float:
        strata = self.strata if self.strata is not None else np.zeros(len(scores), dtype=int)
        clusters = self.clusters if self.clusters is not None else np.arange(len(scores))
        variance, lonely = 0.0, []
        sums: list[tuple[Any, Array]] = []
        for stratum in np.unique(strata):
            inside = strata == stratum
            _, place = np.unique(clusters[inside], return_inverse=True)
            sums.append((stratum, np.bincount(place, weights=scores[inside])))
        centre = float(np.mean(np.concatenate([totals for _, totals in sums])))
        for _, totals in sums:
            m = len(totals)
            if m == 1:
                lonely.append(float((totals[0] - centre) ** 2))
            else:
                variance += m / (m - 1) * float(((totals - totals.mean()) ** 2).sum())
        return float(np.sqrt(variance + sum(lonely)))
