"""How well probabilities of classes agree with votes: agreement, calibration, shares.

Takes true classes, probabilities and weights as arrays, gives numbers. Knows no survey and no model.

In all functions `truth` holds class indices, shape (n,); `probabilities` has shape (n, n_classes) and rows that sum
to 1; `predicted` holds class indices; `weights` has shape (n,), and None means that everybody counts 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from temporal_adapters.ground.errors import VoteError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

FLOOR = 1e-15
"""Probability below which the log-loss counts no further: one certain mistake must not be infinite."""

BINS = 10
"""Bins of the calibration error, of equal width."""


def _weights(n: int, weights: Floats | None) -> Floats:
    if weights is None:
        return np.ones(n)
    if len(weights) != n or (weights < 0).any() or not weights.sum() > 0:
        raise VoteError("weights must be one number of at least 0 per respondent, and not all 0")
    return weights.astype(np.float64)


def confusion(truth: Indices, predicted: Indices, n_classes: int, weights: Floats | None = None) -> Floats:
    """Return the (weighted) counts, shape (n_classes, n_classes + 1): row = true class, column = predicted.

    The last column counts respondents for whom a model gave no answer (`predicted` is `n_classes`).
    """
    cells = truth * (n_classes + 1) + predicted
    flat = np.bincount(cells, weights=_weights(len(truth), weights), minlength=n_classes * (n_classes + 1))
    return flat.reshape(n_classes, n_classes + 1).astype(np.float64)


def most_probable(probabilities: Floats) -> Indices:
    """Return the most probable class, or n_classes where the row is all zeros: no answer."""
    found: Indices = np.where(probabilities.sum(axis=1) > 0, probabilities.argmax(axis=1), probabilities.shape[1])
    return found


def accuracy(matrix: Floats) -> float:
    """Return the share of correct predictions from a confusion matrix."""
    return float(matrix.trace() / matrix.sum())


def f1_by_class(matrix: Floats) -> Floats:
    """Return F1 = 2 TP / (2 TP + FP + FN) per class from confusion matrices, shape (..., n_classes).

    A class that is neither true nor predicted anywhere has F1 0 (as scikit-learn's ``zero_division=0``).
    """
    hits = np.diagonal(matrix, axis1=-2, axis2=-1)
    involved = matrix.sum(axis=-1) + matrix.sum(axis=-2)[..., : matrix.shape[-2]]
    return np.divide(2 * hits, involved, out=np.zeros_like(hits, dtype=np.float64), where=involved > 0)


def macro_f1(matrix: Floats) -> Floats:
    """Return the unweighted mean of the classes' F1, shape (...)."""
    mean: Floats = np.asarray(f1_by_class(matrix).mean(axis=-1))
    return mean


def weighted_f1(matrix: Floats) -> float:
    """Return the mean of the classes' F1, each weighted by how many truly belong to it."""
    support = matrix.sum(axis=1)
    return float((f1_by_class(matrix) * support).sum() / support.sum())


def log_loss(truth: Indices, probabilities: Floats, weights: Floats | None = None) -> float:
    """Return minus the mean natural log of the true class's probability, floored at `FLOOR`."""
    chosen = probabilities[np.arange(len(truth)), truth]
    return float(np.average(-np.log(np.maximum(chosen, FLOOR)), weights=_weights(len(truth), weights)))


def brier(truth: Indices, probabilities: Floats, weights: Floats | None = None) -> float:
    """Return Brier's (1950) original score: the mean of the squared error summed over all classes (0-2)."""
    errors = probabilities.astype(np.float64).copy()
    errors[np.arange(len(truth)), truth] -= 1
    return float(np.average((errors**2).sum(axis=1), weights=_weights(len(truth), weights)))


def calibration(truth: Indices, probabilities: Floats, weights: Floats | None = None, bins: int = BINS) -> Floats:
    """Return the calibration curve of the most probable class, shape (bins, 4).

    Columns: lower edge of the bin, (weighted) count, mean confidence, share correct; the last two are NaN where a bin
    is empty. A confidence on an edge belongs to the upper bin, 1.0 to the last. Rows of zeros are no answer: they have
    no confidence and count nowhere.
    """
    answered = probabilities.sum(axis=1) > 0
    truth, probabilities = truth[answered], probabilities[answered]
    weights = None if weights is None else weights[answered]
    if not len(truth):
        return np.column_stack([np.arange(bins) / bins, np.zeros(bins), *np.full((2, bins), np.nan)])
    confidence = probabilities.max(axis=1)
    correct = (probabilities.argmax(axis=1) == truth).astype(np.float64)
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    mass = _weights(len(truth), weights)
    count = np.bincount(place, weights=mass, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(place, weights=mass * confidence, minlength=bins) / count
        share = np.bincount(place, weights=mass * correct, minlength=bins) / count
    return np.column_stack([np.arange(bins) / bins, count, mean, share])


def ece(truth: Indices, probabilities: Floats, weights: Floats | None = None, bins: int = BINS) -> float:
    """Return the expected calibration error of the most probable class (Guo et al. 2017), with equal-width bins."""
    curve = calibration(truth, probabilities, weights, bins)
    full = curve[curve[:, 1] > 0]
    if not len(full):
        return float("nan")
    return float((full[:, 1] * np.abs(full[:, 2] - full[:, 3])).sum() / full[:, 1].sum())


def true_shares(truth: Indices, n_classes: int, weights: Floats | None = None) -> Floats:
    """Return the (weighted) share of each class among all respondents, shape (n_classes,); `n_classes` is no answer."""
    counts = np.bincount(truth, weights=_weights(len(truth), weights), minlength=n_classes + 1)
    return counts[:n_classes] / counts.sum()


def mean_shares(probabilities: Floats, weights: Floats | None = None) -> Floats:
    """Return the (weighted) mean probability of each class: the model's shares without rounding people to one class."""
    shares: Floats = np.average(probabilities, axis=0, weights=_weights(len(probabilities), weights))
    return shares


def total_variation(first: Floats, second: Floats) -> float:
    """Return the total variation distance of two vectors of shares: half the sum of absolute differences (0-1).

    Shares that are lacking (no answer) count as a class of their own.
    """
    lacking = abs(float(first.sum() - second.sum()))
    return float((np.abs(first - second).sum() + lacking) / 2)


def floors(truth: Indices, probabilities: Floats, weights: Floats | None = None) -> dict[str, float]:
    """Return what tvd_argmax, tvd_mean and ece come to by chance alone in a sample of this size under a right model.

    Mean absolute deviations of normal variables: half the sum of sqrt(2 p (1 - p) / (pi n)) over the classes for a
    total variation distance; the same over the bins of the calibration curve, weighted by their size, for the ECE. n
    is Kish's where there are weights.
    """
    n = float(len(truth)) if weights is None else n_effective(weights)
    shares = true_shares(truth, probabilities.shape[1], weights)
    distance = float(np.sqrt(2 * shares * (1 - shares) / (np.pi * n)).sum() / 2)
    curve = calibration(truth, probabilities, weights)
    full = curve[curve[:, 1] > 0]
    part = full[:, 1] / full[:, 1].sum() if len(full) else np.zeros(0)
    error = float((part * np.sqrt(2 * full[:, 2] * (1 - full[:, 2]) / (np.pi * n * part))).sum())
    return {"tvd_argmax": distance, "tvd_mean": distance, "ece": error}


def n_effective(weights: Floats) -> float:
    """Return Kish's (1965) effective sample size, (sum w)^2 / sum w^2."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def all_figures(truth: Indices, probabilities: Floats, weights: Floats | None = None) -> dict[str, float]:
    """Return every figure by name: accuracy, macro_f1, weighted_f1, log_loss, brier, ece, tvd_argmax, tvd_mean."""
    n_classes = probabilities.shape[1]
    predicted = most_probable(probabilities)
    matrix = confusion(truth, predicted, n_classes, weights)
    shares = true_shares(truth, n_classes, weights)
    return {
        "accuracy": accuracy(matrix),
        "macro_f1": float(macro_f1(matrix)),
        "weighted_f1": weighted_f1(matrix),
        "log_loss": log_loss(truth, probabilities, weights),
        "brier": brier(truth, probabilities, weights),
        "ece": ece(truth, probabilities, weights),
        "tvd_argmax": total_variation(true_shares(predicted, n_classes, weights), shares),
        "tvd_mean": total_variation(mean_shares(probabilities, weights), shares),
    }
