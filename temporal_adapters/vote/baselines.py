"""Models of the tabular kind: what a language model has to beat.

Takes a task, gives class probabilities for its test part. Knows no language model.

Every model is tuned within its training part (`tuning`), unless the experiment says `tune: false`.
`own_party_logit` and `conditional_logit` treat the own party as such, whichever it is. A language model that beats the
one-hot models alone has shown that it can read a party's name twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from temporal_adapters.ground.errors import VoteError
from temporal_adapters.study.config import Baseline
from temporal_adapters.vote import choice, tuning
from temporal_adapters.vote.encode import encode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from temporal_adapters.vote.folds import Task

    Floats = NDArray[np.float64]

NEED_OWN_PARTY = frozenset({"party-id", "own-party-logit", "conditional-logit"})
"""Models that make no sense where the own-party item is hidden or does not exist."""


def applies(baseline: Baseline, task: Task) -> bool:
    """Return whether the model can be run under the task's condition."""
    return baseline.model not in NEED_OWN_PARTY or task.own_party_item is not None


def predict(baseline: Baseline, task: Task) -> Floats:
    """Fit on the training part and return the test part's class probabilities, shape (n_test, n_classes).

    Raises
    ------
    VoteError
        If the model needs a package that is not installed, or an item that the condition hides.
    """
    if not applies(baseline, task):
        raise VoteError(
            f"the model {baseline.name!r} needs the own-party item, which condition {task.case.name!r} hides"
        )
    from threadpoolctl import threadpool_limits

    # Free threads make boosting and L-BFGS up to 100 times slower on small machines.
    with threadpool_limits(1):
        return _MODELS[baseline.model](task, settings_of(baseline, task))


def settings_of(baseline: Baseline, task: Task) -> tuning.Settings:
    """Return the settings that a model gets in a task: tuned within the training part, or the libraries' defaults."""
    encodings = ("ordinal", "one-hot") if baseline.encoding == "chosen" else (baseline.encoding,)
    grid = _GRID.get(baseline.model, {}) if baseline.tune else {}
    names = ("encoding", *grid)
    candidates = [dict(zip(names, values, strict=True)) for values in product(encodings, *grid.values())]
    if baseline.model in _PLAIN:
        return candidates[0]
    return tuning.choose(task, candidates, _MODELS[baseline.model])


def _marginals(task: Task, rows: NDArray[np.bool_] | None = None) -> Floats:
    truth = task.truth if rows is None or not rows.any() else task.truth[rows]
    counts = np.bincount(truth, minlength=len(task.mapping.labels)).astype(float)
    shares: Floats = counts / counts.sum()
    return shares


def _majority(task: Task, settings: tuning.Settings) -> Floats:
    """Everybody gets the training part's shares."""
    return np.tile(_marginals(task), (task.test.height, 1))


def _loyalty(task: Task) -> float:
    """Return the share of identifiers who vote their own party, over all parties."""
    own = task.own_party(task.train)
    return float((own == task.truth)[own >= 0].mean()) if (own >= 0).any() else 0.0


def _own_party_first(task: Task, others: Floats) -> Floats:
    """Give identifiers their own party with the shared loyalty, and spread the rest as `others` does."""
    own = task.own_party(task.test)
    rows = np.flatnonzero(own >= 0)
    found = others.copy()
    found[rows, own[rows]] = 0.0
    rest = found[rows].sum(axis=1, keepdims=True)
    loyalty = _loyalty(task)
    found[rows] = np.divide((1 - loyalty) * found[rows], rest, out=np.zeros_like(found[rows]), where=rest > 0)
    found[rows, own[rows]] = 1 - found[rows].sum(axis=1)
    return found


def _party_id(task: Task, settings: tuning.Settings) -> Floats:
    """Identifiers vote their party; the others as the training part's others do."""
    return _own_party_first(task, np.tile(_marginals(task, task.own_party(task.train) < 0), (task.test.height, 1)))


def _own_party_logit(task: Task, settings: tuning.Settings) -> Floats:
    """Identifiers vote their party; a logistic regression without the own-party item decides the rest."""
    name = task.mapping.own_party.item if task.mapping.own_party is not None else ""
    return _own_party_first(task, _fit(_logit(settings), task, settings, without=(name,)))


def _conditional_logit(task: Task, settings: tuning.Settings) -> Floats:
    """McFadden's conditional logit with one shared own-party coefficient; see `choice`."""
    name = task.mapping.own_party.item if task.mapping.own_party is not None else ""
    train, test = encode(task, settings["encoding"], without=(name,))
    own_train, own_test = task.own_party(task.train), task.own_party(task.test)
    train = np.column_stack([train, own_train >= 0])
    test = np.column_stack([test, own_test >= 0])
    model = choice.fit(train, own_train, task.truth, len(task.mapping.labels), settings.get("penalty", choice.PENALTY))
    return model.probabilities(test, own_test)


def _fit(model: Any, task: Task, settings: tuning.Settings, without: tuple[str, ...] = ()) -> Floats:
    """Fit a scikit-learn classifier; classes that the training part lacks get probability 0."""
    train, test = encode(task, settings["encoding"], without)
    seen, place = np.unique(task.truth, return_inverse=True)
    found = np.zeros((task.test.height, len(task.mapping.labels)))
    found[:, seen] = model.fit(train, place).predict_proba(test)
    return found


def _logit(settings: tuning.Settings) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000, C=1 / settings.get("penalty", choice.PENALTY))


def _sklearn_logit(task: Task, settings: tuning.Settings) -> Floats:
    return _fit(_logit(settings), task, settings)


def _forest(task: Task, settings: tuning.Settings) -> Floats:
    from sklearn.ensemble import RandomForestClassifier

    return _fit(RandomForestClassifier(random_state=task.seed, **_own(settings)), task, settings)


def _boosting(task: Task, settings: tuning.Settings) -> Floats:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return _fit(HistGradientBoostingClassifier(random_state=task.seed, **_own(settings)), task, settings)


def _xgboost(task: Task, settings: tuning.Settings) -> Floats:
    try:
        from xgboost import XGBClassifier
    except ImportError:
        raise VoteError("the model 'xgboost' needs a package: pip install 'temporal-adapters[boost]'") from None
    return _fit(XGBClassifier(random_state=task.seed, n_jobs=1, **_own(settings)), task, settings)


def _catboost(task: Task, settings: tuning.Settings) -> Floats:
    try:
        from catboost import CatBoostClassifier
    except ImportError:
        raise VoteError("the model 'catboost' needs a package: pip install 'temporal-adapters[boost]'") from None
    fixed = {"random_seed": task.seed, "verbose": False, "allow_writing_files": False, "thread_count": 1}
    return _fit(CatBoostClassifier(**fixed, **_own(settings)), task, settings)


def _own(settings: tuning.Settings) -> dict[str, Any]:
    """Return the settings that the library's model takes by name."""
    return {name: value for name, value in settings.items() if name != "encoding"}


_PLAIN = frozenset({"majority", "party-id"})
"""Models that have nothing to choose."""

_PENALTIES = (1.0, 0.3, 3.0, 10.0, 30.0, 100.0)

_GRID: dict[str, Mapping[str, tuple[Any, ...]]] = {
    "own-party-logit": {"penalty": _PENALTIES},
    "conditional-logit": {"penalty": _PENALTIES},
    "logit": {"penalty": _PENALTIES},
    "forest": {"min_samples_leaf": (1, 3, 10, 30)},
    "boosting": {"max_leaf_nodes": (31, 4), "learning_rate": (0.1, 0.03)},
    "xgboost": {"max_depth": (6, 2), "learning_rate": (0.3, 0.05)},
    "catboost": {"depth": (6, 3)},
}
"""Candidates by model; the first of each are the libraries' defaults."""

_MODELS: dict[str, Callable[[Task, tuning.Settings], Floats]] = {
    "majority": _majority,
    "party-id": _party_id,
    "own-party-logit": _own_party_logit,
    "conditional-logit": _conditional_logit,
    "logit": _sklearn_logit,
    "forest": _forest,
    "boosting": _boosting,
    "xgboost": _xgboost,
    "catboost": _catboost,
}
