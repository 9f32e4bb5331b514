"""Models of the tabular kind: what a language model has to beat.

Takes a task, gives class probabilities for its test part. Knows no language model.

`own_party_logit` and `conditional_logit` treat the own party as such, whichever it is. A language model that beats the
one-hot models alone has shown that it can read a party's name twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from temporal_adapters.ground.errors import VoteError
from temporal_adapters.study.config.experiment import Baseline
from temporal_adapters.vote import choice
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
        return _MODELS[baseline.model](baseline, task)


def _marginals(task: Task, rows: NDArray[np.bool_] | None = None) -> Floats:
    truth = task.truth if rows is None or not rows.any() else task.truth[rows]
    counts = np.bincount(truth, minlength=len(task.mapping.labels)).astype(float)
    shares: Floats = counts / counts.sum()
    return shares


def _majority(baseline: Baseline, task: Task) -> Floats:
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


def _party_id(baseline: Baseline, task: Task) -> Floats:
    """Identifiers vote their party; the others as the training part's others do."""
    return _own_party_first(task, np.tile(_marginals(task, task.own_party(task.train) < 0), (task.test.height, 1)))


def _own_party_logit(baseline: Baseline, task: Task) -> Floats:
    """Identifiers vote their party; a logistic regression without the own-party item decides the rest."""
    name = task.mapping.own_party.item if task.mapping.own_party is not None else ""
    return _own_party_first(task, _fit(_logit(), task, baseline, without=(name,)))


def _conditional_logit(baseline: Baseline, task: Task) -> Floats:
    """McFadden's conditional logit with one shared own-party coefficient; see `choice`."""
    name = task.mapping.own_party.item if task.mapping.own_party is not None else ""
    train, test = encode(task, baseline.encoding, without=(name,))
    own_train, own_test = task.own_party(task.train), task.own_party(task.test)
    train = np.column_stack([train, own_train >= 0])
    test = np.column_stack([test, own_test >= 0])
    model = choice.fit(train, own_train, task.truth, len(task.mapping.labels))
    return model.probabilities(test, own_test)


def _fit(model: Any, task: Task, baseline: Baseline, without: tuple[str, ...] = ()) -> Floats:
    """Fit a scikit-learn classifier; classes that the training part lacks get probability 0."""
    train, test = encode(task, baseline.encoding, without)
    seen, place = np.unique(task.truth, return_inverse=True)
    found = np.zeros((task.test.height, len(task.mapping.labels)))
    found[:, seen] = model.fit(train, place).predict_proba(test)
    return found


def _logit() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000)


def _sklearn_logit(baseline: Baseline, task: Task) -> Floats:
    return _fit(_logit(), task, baseline)


def _forest(baseline: Baseline, task: Task) -> Floats:
    from sklearn.ensemble import RandomForestClassifier

    return _fit(RandomForestClassifier(random_state=task.seed), task, baseline)


def _boosting(baseline: Baseline, task: Task) -> Floats:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return _fit(HistGradientBoostingClassifier(random_state=task.seed), task, baseline)


def _xgboost(baseline: Baseline, task: Task) -> Floats:
    try:
        from xgboost import XGBClassifier
    except ImportError:
        raise VoteError("the model 'xgboost' needs a package: pip install 'temporal-adapters[boost]'") from None
    return _fit(XGBClassifier(random_state=task.seed, n_jobs=1), task, baseline)


def _catboost(baseline: Baseline, task: Task) -> Floats:
    try:
        from catboost import CatBoostClassifier
    except ImportError:
        raise VoteError("the model 'catboost' needs a package: pip install 'temporal-adapters[boost]'") from None
    model = CatBoostClassifier(random_seed=task.seed, verbose=False, allow_writing_files=False, thread_count=1)
    return _fit(model, task, baseline)


_MODELS: dict[str, Callable[[Baseline, Task], Floats]] = {
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
