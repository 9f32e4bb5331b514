"""Readings of single posts to weekly values with standard errors.

Takes masses per post and their users, gives rows per item, option and wording, and SERIES. Knows no model.

A week's share is the mean over its posts (or users) of the share that the options have among themselves after the
post; wordings count alike. The standard error resamples users with replacement (cluster bootstrap: posts of one person
are no independent witnesses), so groups and deletion of users are sums over posts as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Scale = Literal["share", "clr", "log-odds", "base"]
Cell = tuple[str, str, str]


def shares(masses: NDArray[np.float64], columns: Sequence[Cell]) -> NDArray[np.float64]:
    """Return shares among the options of the same item and wording, (n_posts, n_cells)."""
    found = np.empty_like(masses)
    for mine in groups(columns):
        total = masses[:, mine].sum(1, keepdims=True)
        found[:, mine] = np.divide(masses[:, mine], total, out=np.full_like(masses[:, mine], np.nan), where=total > 0)
    return found


def groups(columns: Sequence[Cell]) -> list[list[int]]:
    """Return the numbers of the columns of each item and wording."""
    keys = list(dict.fromkeys((item, wording) for item, wording, _ in columns))
    return [[n for n, (item, wording, _) in enumerate(columns) if (item, wording) == key] for key in keys]


def weights(users: Sequence[str], kind: Literal["posts", "users"]) -> NDArray[np.float64]:
    """Return the weight of each post, summing to the number of posts."""
    if kind == "posts":
        return np.ones(len(users))
    _, number, counts = np.unique(np.asarray(users), return_inverse=True, return_counts=True)
    found = 1.0 / counts[number]
    return np.asarray(found * len(users) / found.sum())


def values(mean: NDArray[np.float64], columns: Sequence[Cell], scale: Scale) -> NDArray[np.float64]:
    """Return mean shares (..., n_cells) on a scale: log-odds of the share, or clr among the options of a wording."""
    if scale == "share":
        return mean
    with np.errstate(divide="ignore", invalid="ignore"):
        if scale == "log-odds":
            return np.asarray(np.log(mean / (1 - mean)))
        found = np.log(mean)
        for mine in groups(columns):
            found[..., mine] -= found[..., mine].mean(-1, keepdims=True)
    return np.asarray(found)


def pooled(
    masses: NDArray[np.float64],
    users: Sequence[str],
    columns: Sequence[Cell],
    scale: Scale,
    *,
    user_weight: Literal["posts", "users"],
    resamples: int,
    seed: int,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return a week's rows per item and option, and those per wording.

    Returns
    -------
    list of dict
        item, option, value, se, n (posts).
    list of dict
        item, wording, option, share, value, se, mass (mean probability of all options of the wording), n.
    """
    per_post, weight = shares(masses, columns), weights(users, user_weight)
    draws = _draws(users, resamples, seed) * weight[None, :]
    known = np.nan_to_num(per_post)
    present = (~np.isnan(per_post)).astype(float)
    with np.errstate(invalid="ignore"):  # no post of a draw gives the wording any probability: not a number
        mean, drawn = (weight @ known) / (weight @ present), (draws @ known) / (draws @ present)
    value, spread = values(mean, columns, scale), values(drawn, columns, scale)
    mass = {n: float((weight @ masses[:, mine]).sum() / weight.sum()) for mine in groups(columns) for n in mine}
    by_wording = [
        {
            **dict(zip(("item", "wording", "option"), cell, strict=True)),
            "share": _finite(mean[n]),
            "value": _finite(value[n]),
            "se": _finite(np.nanstd(spread[:, n], ddof=1)),
            "mass": mass[n],
            "n": len(users),
        }
        for n, cell in enumerate(columns)
    ]
    names = list(dict.fromkeys((item, option) for item, _, option in columns))
    pools = {name: [n for n, (item, _, option) in enumerate(columns) if (item, option) == name] for name in names}
    whole = [
        {
            "item": item,
            "option": option,
            "value": _finite(value[mine].mean()),
            "se": _finite(np.nanstd(spread[:, mine].mean(1), ddof=1)),
            "n": len(users),
        }
        for (item, option), mine in pools.items()
    ]
    return whole, by_wording


def _finite(value: Any) -> float | None:
    """Return `value`, or None for what does not exist."""
    return float(value) if np.isfinite(value) else None


def _draws(users: Sequence[str], resamples: int, seed: int) -> NDArray[np.float64]:
    """Return how often each post is drawn, (resamples, n_posts): users are drawn, with all their posts."""
    names, number = np.unique(np.asarray(users), return_inverse=True)
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    return np.asarray(counts[:, number], dtype=float)
