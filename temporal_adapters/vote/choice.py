"""Conditional logit with one shared coefficient for "this class is my own party" (McFadden 1974).

Takes matrices, gives coefficients and probabilities. Knows no survey.

Utility of class k for respondent i: ``constant_k + x_i . slope_k + shared * own_ik``, where own_ik is 1 if k is the
party that i identifies with. Because `shared` belongs to no party, identifiers of a party that nobody in the training
part identifies with are still predicted to vote for it: what one-hot models cannot do, and what a language model that
reads the party's name twice can.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from temporal_adapters.ground.errors import VoteError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

PENALTY = 1.0
"""Weight of half the squared slopes against the summed log-likelihood (scikit-learn's C = 1)."""

_STEPS = 500


@dataclass(frozen=True)
class ConditionalLogit:
    """A fitted model.

    Attributes
    ----------
    constants
        shape (n_classes,), the first seen class is 0; minus infinity for a class that the training part lacks.
    slopes
        shape (n_features, n_classes).
    shared
        The own-party coefficient, in log-odds.
    log_likelihood
        Of the training part, without the penalty.
    """

    constants: Floats
    slopes: Floats
    shared: float
    log_likelihood: float

    def probabilities(self, features: Floats, own: Indices) -> Floats:
        """Return class probabilities, shape (n, n_classes); `own` is a class index or -1."""
        return _softmax(self.constants + features @ self.slopes + self.shared * _indicator(own, len(self.constants)))


def _indicator(own: Indices, n_classes: int) -> Floats:
    found = np.zeros((len(own), n_classes))
    rows = np.flatnonzero(own >= 0)
    found[rows, own[rows]] = 1.0
    return found


def _softmax(utility: Floats) -> Floats:
    odds = np.exp(utility - utility.max(axis=1, keepdims=True))
    shares: Floats = odds / odds.sum(axis=1, keepdims=True)
    return shares


def fit(features: Floats, own: Indices, truth: Indices, n_classes: int, penalty: float = PENALTY) -> ConditionalLogit:
    """Fit by maximum (penalised) likelihood.

    Parameters
    ----------
    features
        shape (n, n_features), on comparable scales.
    own
        Class index of the own party, -1 for none; shape (n,).
    truth
        Class index of the vote, shape (n,).
    n_classes
        Number of classes; one that `truth` lacks gets probability 0.
    penalty
        See `PENALTY`; constants and the shared coefficient are not penalised. At 0 the slopes of the first class are 0.

    Raises
    ------
    VoteError
        If fewer than two classes occur, or the likelihood has no maximum.
    """
    from scipy.optimize import minimize

    seen = np.unique(truth)
    if len(seen) < 2:
        raise VoteError("a conditional logit needs at least two classes in the training part")
    place = np.searchsorted(seen, truth)
    indicator = _indicator(own, n_classes)[:, seen]
    problem = _Problem(features, indicator, place, penalty)
    found = minimize(
        problem,
        np.zeros(problem.size),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _STEPS, "ftol": 1e-12, "gtol": 1e-6},
    )
    constants, slopes, shared = problem.unpack(found.x)
    if not np.isfinite(found.fun) or abs(shared) > 50:
        raise VoteError(
            "the conditional logit does not converge: somebody's own party predicts the vote without exception"
        )
    full_constants = np.full(n_classes, -np.inf)
    full_slopes = np.zeros((features.shape[1], n_classes))
    full_constants[seen], full_slopes[:, seen] = constants, slopes
    likelihood = -(found.fun - penalty / 2 * float((slopes**2).sum()))
    return ConditionalLogit(full_constants, full_slopes, float(shared), float(likelihood))


class _Problem:
    """Minus the penalised log-likelihood and its gradient."""

    def __init__(self, features: Floats, indicator: Floats, truth: Indices, penalty: float) -> None:
        self.features, self.indicator, self.truth, self.penalty = features, indicator, truth, penalty
        self.n_classes = indicator.shape[1]
        # Without a penalty only contrasts to the first class are identified; with one, all slopes are.
        self.free = slice(0 if penalty else 1, self.n_classes)
        n_free = self.n_classes - (0 if penalty else 1)
        self.size = self.n_classes - 1 + features.shape[1] * n_free + 1
        self.chosen = np.zeros_like(indicator)
        self.chosen[np.arange(len(truth)), truth] = 1.0

    def unpack(self, flat: Floats) -> tuple[Floats, Floats, float]:
        constants = np.concatenate([[0.0], flat[: self.n_classes - 1]])
        slopes = np.zeros((self.features.shape[1], self.n_classes))
        slopes[:, self.free] = flat[self.n_classes - 1 : -1].reshape(self.features.shape[1], -1)
        return constants, slopes, float(flat[-1])

    def __call__(self, flat: Floats) -> tuple[float, Floats]:
        constants, slopes, shared = self.unpack(flat)
        utility = constants + self.features @ slopes + shared * self.indicator
        shares = _softmax(utility)
        rows = np.arange(len(self.truth))
        loss = -float(np.log(np.maximum(shares[rows, self.truth], 1e-300)).sum())
        error = shares - self.chosen
        slope_gradient = self.features.T @ error + self.penalty * slopes
        gradient = np.concatenate(
            [error.sum(axis=0)[1:], slope_gradient[:, self.free].ravel(), [float((error * self.indicator).sum())]]
        )
        return loss + self.penalty / 2 * float((slopes**2).sum()), gradient
