"""Metrics and inference against scikit-learn, statsmodels, published examples and hand computation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temporal_adapters.ground.errors import VoteError
from temporal_adapters.vote import inference, metrics

RNG = np.random.default_rng(5)
TRUTH = RNG.integers(0, 4, 400)
SHARES = RNG.dirichlet(np.ones(4), 400) * 0.5 + np.eye(4)[TRUTH] * 0.5 * RNG.random((400, 1))
SHARES = SHARES / SHARES.sum(axis=1, keepdims=True)
WEIGHTS = RNG.lognormal(0, 0.6, 400)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_figures_equal_scikit_learn(weights: np.ndarray | None) -> None:
    from sklearn import metrics as sk

    predicted = SHARES.argmax(axis=1)
    found = metrics.all_figures(TRUTH, SHARES, weights)
    options = {"sample_weight": weights, "zero_division": 0}
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(TRUTH, predicted, sample_weight=weights))
    assert found["macro_f1"] == pytest.approx(sk.f1_score(TRUTH, predicted, average="macro", **options))
    assert found["weighted_f1"] == pytest.approx(sk.f1_score(TRUTH, predicted, average="weighted", **options))
    assert found["log_loss"] == pytest.approx(sk.log_loss(TRUTH, SHARES, sample_weight=weights))
    matrix = metrics.confusion(TRUTH, predicted, 4, weights)
    assert matrix[:, :4] == pytest.approx(sk.confusion_matrix(TRUTH, predicted, sample_weight=weights))
    each = [sk.brier_score_loss(k == TRUTH, SHARES[:, k], sample_weight=weights) for k in range(4)]
    assert found["brier"] == pytest.approx(sum(each))


def test_calibration_error_equals_a_hand_computation() -> None:
    truth = np.array([0, 0, 1, 1])
    shares = np.array([[0.95, 0.05], [0.92, 0.08], [0.55, 0.45], [0.3, 0.7]])
    # bins: .9-1 holds two, both right (confidence .935); .5-.6 one, wrong (.55); .7-.8 one, right (.7)
    assert metrics.ece(truth, shares) == pytest.approx((2 * abs(0.935 - 1) + abs(0.55 - 0) + abs(0.7 - 1)) / 4)


def test_total_variation_equals_a_hand_computation() -> None:
    truth, shares = np.array([0, 0, 1, 2]), np.array([[0.6, 0.3, 0.1]] * 4)
    found = metrics.all_figures(truth, shares)
    assert found["tvd_argmax"] == pytest.approx(0.5)
    assert found["tvd_mean"] == pytest.approx((0.1 + 0.05 + 0.15) / 2)


def test_no_answer_is_wrong_but_no_false_positive_of_any_class() -> None:
    truth, shares = np.array([0, 0, 1]), np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert metrics.most_probable(shares).tolist() == [2, 0, 1]
    matrix = metrics.confusion(truth, metrics.most_probable(shares), 2)
    assert metrics.accuracy(matrix) == pytest.approx(2 / 3)
    assert metrics.f1_by_class(matrix) == pytest.approx([2 / 3, 1.0])
    assert metrics.all_figures(truth, shares)["tvd_mean"] == pytest.approx(1 / 3)


@given(st.integers(0, 10_000), st.floats(0.1, 50))
@settings(max_examples=25, deadline=None)
def test_scaling_the_weights_changes_nothing(seed: int, factor: float) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.lognormal(0, 1, 400)
    first, second = (metrics.all_figures(TRUTH, SHARES, weights * scale) for scale in (1.0, factor))
    assert first == pytest.approx(second)


def test_whole_number_weights_equal_repeated_respondents() -> None:
    times = RNG.integers(1, 4, 400)
    repeated = metrics.all_figures(np.repeat(TRUTH, times), np.repeat(SHARES, times, axis=0))
    assert metrics.all_figures(TRUTH, SHARES, times.astype(float)) == pytest.approx(repeated)


def test_the_effective_sample_size_is_kishs() -> None:
    # Kish (1965): n / (1 + cv^2); weights 1 and 3 in equal numbers have cv^2 = 1/4.
    assert metrics.n_effective(np.array([1.0, 3.0] * 50)) == pytest.approx(100 / 1.25)


@pytest.mark.parametrize("weights", [np.zeros(400), -np.ones(400), np.ones(3)])
def test_impossible_weights_are_refused(weights: np.ndarray) -> None:
    with pytest.raises(VoteError, match="weights must be"):
        metrics.all_figures(TRUTH, SHARES, weights)


# SAS/STAT 9.22 User's Guide, MIANALYZE, example 57.1: means and standard errors of five imputed data sets, n = 31.
SAS = {
    "Oxygen": ([47.0120, 47.2407, 47.4995, 47.1485, 47.0042], [0.95984, 0.93540, 1.00766, 0.95439, 0.96528]),
    "RunTime": ([10.4441, 10.5040, 10.5922, 10.5279, 10.4913], [0.28520, 0.26661, 0.26302, 0.26405, 0.27275]),
    "RunPulse": ([171.216, 171.244, 171.909, 171.146, 172.072], [1.59910, 1.75638, 1.85795, 1.75011, 1.84807]),
}


@pytest.mark.parametrize(
    ("name", "between", "within", "total", "df"),
    [
        ("Oxygen", 0.041478, 0.930853, 0.980626, 26.298),
        ("RunTime", 0.002948, 0.073142, 0.076679, 26.503),
        ("RunPulse", 0.191086, 3.114442, 3.343744, 25.463),
    ],
)
def test_rubins_rules_give_the_published_worked_example(
    name: str, between: float, within: float, total: float, df: float
) -> None:
    means, errors = SAS[name]
    pooled = inference.rubin(means, [error**2 for error in errors], df_complete=30)
    assert (pooled.between, pooled.within) == pytest.approx((between, within), rel=1e-3)
    assert (pooled.variance, pooled.df) == pytest.approx((total, df), rel=1e-4)


def test_rubins_rules_without_disagreement_leave_the_complete_data_variance() -> None:
    pooled = inference.rubin([0.4, 0.4, 0.4], [0.01, 0.01, 0.01])
    assert (pooled.variance, pooled.missing_information) == pytest.approx((0.01, 0))
    assert (pooled.low, pooled.high) == pytest.approx((0.4 - 1.959964 * 0.1, 0.4 + 1.959964 * 0.1))


def test_the_pooled_interval_covers_the_true_share() -> None:
    hits = 0
    for seed in range(600):
        rng = np.random.default_rng([seed, 7])
        seen = rng.random(200) < 0.3
        # 100 further people are missing at random; each data set draws them from the posterior of the share
        sets = [np.r_[seen, rng.random(100) < rng.beta(seen.sum() + 1, 201 - seen.sum())] for _ in range(10)]
        pooled = inference.pool_shares([one.astype(np.int64) for one in sets], 2)[1]
        hits += pooled.low <= 0.3 <= pooled.high
    assert 0.92 <= hits / 600 <= 0.975


def test_the_variance_of_a_weighted_share_equals_statsmodels() -> None:
    from statsmodels.stats.weightstats import DescrStatsW

    hit = (TRUTH == 1).astype(np.int64)
    plain = inference.pool_shares([hit, hit], 2)[1]
    assert plain.within == pytest.approx(DescrStatsW(hit.astype(float)).std_mean ** 2, rel=1e-6)
    times = np.full(400, 3.0)
    assert inference.pool_shares([hit, hit], 2, times)[1].within == pytest.approx(plain.within)


def test_holm_is_the_step_down_of_a_hand_calculation_in_the_order_given() -> None:
    """Sorted .005 x 4, .01 x 3, .03 x 2, and .04 x 1 raised to the .06 before it."""
    assert inference.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert inference.holm([0.9, 0.8]) == [1.0, 1.0]
    assert inference.holm([]) == []


def test_the_corrected_t_equals_a_hand_computation_and_is_wider_than_the_naive_one() -> None:
    from scipy import stats

    differences = [0.02, 0.05, -0.01, 0.03, 0.04]
    t, p = inference.corrected_t(differences, n_train=800, n_test=200)
    mean, variance = np.mean(differences), np.var(differences, ddof=1)
    assert t == pytest.approx(mean / np.sqrt((1 / 5 + 200 / 800) * variance))
    assert p == pytest.approx(2 * stats.t.sf(t, 4))
    assert p > stats.ttest_1samp(differences, 0).pvalue


def test_the_bootstrap_draws_the_same_people_for_all_models_and_keeps_their_rows_together() -> None:
    person = np.repeat(np.arange(100), 2)
    truth, predicted = TRUTH[:200], SHARES[:200].argmax(axis=1)
    (one, two), (first, second) = inference.bootstrap_matrices(person, truth, [predicted, predicted], 4, draws=200)
    assert np.array_equal(one, two) and np.array_equal(first, second)
    assert (first.sum(axis=(1, 2)) == 200).all()
    same = inference.difference(0.4, 0.4, metrics.macro_f1(first), metrics.macro_f1(second))
    assert (same.low, same.high, same.p) == (0, 0, 1)


def test_the_bootstrap_interval_of_accuracy_is_the_binomial_one() -> None:
    truth = np.zeros(400, dtype=np.int64)
    predicted = (np.arange(400) >= 280).astype(np.int64)
    (matrix,), (drawn,) = inference.bootstrap_matrices(np.arange(400), truth, [predicted], 2, draws=2000)
    accuracies = np.trace(drawn, axis1=1, axis2=2) / 400
    found = inference.interval(metrics.accuracy(matrix), accuracies)
    half = 1.96 * np.sqrt(0.7 * 0.3 / 400)
    assert (found.low, found.high) == pytest.approx((0.7 - half, 0.7 + half), abs=0.006)


def test_the_paired_bootstrap_keeps_its_level_and_finds_a_real_difference() -> None:
    found = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 2, 200)
        right = rng.random((2, 200)) < 0.7
        predicted = [np.where(row, truth, 1 - truth) for row in right]
        matrices, drawn = inference.bootstrap_matrices(np.arange(200), truth, predicted, 2, draws=200, seed=seed)
        values = [np.trace(one, axis1=-2, axis2=-1) / 200 for one in (*matrices, *drawn)]
        found.append(inference.difference(*values).p <= 0.05)
    assert np.mean(found) <= 0.13


def test_floors_are_what_a_right_model_gets_by_chance() -> None:
    # Second source: samples drawn from a model whose probabilities are the truth.
    rng = np.random.default_rng(3)
    probabilities = rng.dirichlet([4.0, 2.0, 1.0], 300)
    draws = [(probabilities.cumsum(axis=1) > rng.random((300, 1))).argmax(axis=1) for _ in range(600)]
    found = [metrics.all_figures(truth, probabilities) for truth in draws]
    floors = [metrics.floors(truth, probabilities) for truth in draws]
    for figure, least, most in (("ece", 0.85, 1.15), ("tvd_mean", 0.7, 1.15)):
        drawn, floor = (np.mean([one[figure] for one in rows]) for rows in (found, floors))
        assert least < drawn / floor < most, figure
    # Shares of people drawn with one common probability have exactly the multinomial's spread.
    same = np.tile([0.5, 0.3, 0.2], (300, 1))
    drawn = [metrics.all_figures(rng.choice(3, 300, p=[0.5, 0.3, 0.2]), same)["tvd_mean"] for _ in range(600)]
    truth = np.repeat([0, 1, 2], [150, 90, 60])
    assert np.mean(drawn) == pytest.approx(metrics.floors(truth, same)["tvd_mean"], rel=0.06)
    heavy = np.where(np.arange(300) < 30, 10.0, 1.0)
    assert metrics.floors(truth, same, heavy)["tvd_mean"] > metrics.floors(truth, same)["tvd_mean"]
