"""The bar is tuned: settings chosen within the training part, scales cut at its range."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from vote_worlds import gles_people

from temporal_adapters.study.config.experiment import Baseline, Condition
from temporal_adapters.vote import baselines, encode, folds, metrics, respondents, tuning


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> folds.Task:
    """A task that learns from a twelfth of the respondents."""
    people = gles_people(tmp_path_factory.mktemp("gles"), 1500)
    case = folds.expand([Condition(name="part", fractions=(0.08,))], people.mapping)[0]
    return folds.make_task(people, case, *next(iter(folds.splits(people, 5, [24]))))


def loss(task: folds.Task, baseline: Baseline) -> float:
    return metrics.log_loss(folds.class_indices(task.test, task.mapping), baselines.predict(baseline, task))


def test_the_chosen_penalty_is_the_best_of_all_in_the_inner_folds(few: folds.Task) -> None:
    # Second source: every penalty fitted by scikit-learn on the same inner folds, enumerated here.
    from sklearn.linear_model import LogisticRegression

    means = {}
    for penalty in (1.0, 0.3, 3.0, 10.0, 30.0, 100.0):
        total, n = 0.0, 0
        for part in tuning._inner(few):
            train, test = encode.encode(part, "ordinal")
            model = LogisticRegression(C=1 / penalty, max_iter=1000).fit(train, part.truth)
            shares = np.zeros((part.test.height, len(part.mapping.labels)))
            shares[:, model.classes_] = model.predict_proba(test)
            truth = folds.class_indices(part.test, part.mapping)
            chosen = np.maximum(shares[np.arange(len(truth)), truth], 1e-3)
            total, n = total - np.log(chosen).sum(), n + len(truth)
        means[penalty] = total / n
    found = baselines.settings_of(Baseline.model_validate("logit"), few)
    assert found == {"encoding": "ordinal", "penalty": min(means, key=lambda penalty: means[penalty])}


def test_inner_folds_divide_the_training_part_and_never_see_the_test_part(few: folds.Task) -> None:
    parts = tuning._inner(few)
    ids = [part.test["respondent_id"].to_list() for part in parts]
    assert (
        sorted(one for part in ids for one in part) == sorted(few.train["respondent_id"].to_list())
        and len(parts) == tuning.FOLDS
    )
    for part in parts:
        assert not set(part.train["respondent_id"]) & set(part.test["respondent_id"])


def test_a_tuned_conditional_logit_beats_a_fixed_penalty_where_few_are_learned_from(few: folds.Task) -> None:
    fixed = Baseline.model_validate({"model": "conditional-logit", "tune": False})
    tuned = Baseline.model_validate("conditional-logit")
    assert baselines.settings_of(tuned, few)["penalty"] >= 3
    assert loss(few, tuned) < loss(few, fixed) - 0.02


def test_the_encoding_can_be_chosen_and_tune_false_is_the_libraries_default(few: folds.Task) -> None:
    assert baselines.settings_of(Baseline.model_validate({"model": "forest", "tune": False}), few) == {
        "encoding": "ordinal"
    }
    chosen = baselines.settings_of(Baseline.model_validate({"model": "logit", "encoding": "chosen"}), few)
    assert set(chosen) == {"encoding", "penalty"} and chosen["encoding"] in ("ordinal", "one-hot")


def test_scales_beyond_the_training_range_count_as_its_end(tmp_path: Path) -> None:
    people = gles_people(tmp_path, 300)
    ages = ["95" if row < 10 else str(20 + row % 12) for row in range(people.frame.height)]
    young = respondents.Respondents(people.mapping, people.frame.with_columns(age=pl.Series(ages)))
    everybody, case = np.arange(len(ages)), folds.Case("x", Condition(name="x"))
    task = folds.make_task(young, case, 0, 1, everybody[10:], everybody[:10])
    train, test = encode.encode(task, "ordinal")
    column = [item.name for item in task.items].index("age")
    assert column == 0 and np.unique(test[:, 0]).tolist() == [train[:, 0].max()]
