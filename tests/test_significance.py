"""The arithmetic of the tests against R, statsmodels, brute force and hand computation."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest
from classic_series import FEMALE_DEATHS, MALE_DEATHS, SALES, SALES_LEAD
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.diagnostic import acorr_ljungbox
from statsmodels.tsa.ar_model import AutoReg, ar_select_order
from statsmodels.tsa.stattools import acf, ccf

from temporal_adapters.engines.significance import (
    adjusting,
    alternates,
    autoregression,
    effective,
    flips,
    levels,
    multiplicity,
    pairs,
    power,
    processes,
    stationarity,
    whitening,
)
from temporal_adapters.engines.significance.changes import changes, met, signed_ranks
from temporal_adapters.engines.significance.effort import Effort, Noise, Question, needed
from temporal_adapters.ground.errors import CorrelateError

DEATHS = (MALE_DEATHS[None], FEMALE_DEATHS[None])
LEAD = (SALES_LEAD[None], SALES[None])


def ar1(m: int, n: int, phi: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((m, n, 1))
    return autoregression.draw(np.full((m, 1), phi), n, noise)[..., 0]


@pytest.mark.parametrize(
    ("pair", "r", "n_effective", "p", "r_changes"),
    [(DEATHS, 0.9762, 7.6, 6e-5, 0.919), (LEAD, 0.9513, 5.0, 0.013, -0.003)],
)
def test_effective_weeks_of_the_r_data_sets_are_the_published_ones(
    pair: tuple[np.ndarray, np.ndarray], r: float, n_effective: float, p: float, r_changes: float
) -> None:
    found = pairs.pearson(*pair)
    weeks = effective.effective_weeks(*pair)
    assert found[0] == pytest.approx(r, abs=5e-5)
    assert weeks[0] == pytest.approx(n_effective, abs=0.05)
    assert effective.t_test(found, weeks)[0] == pytest.approx(p, rel=0.05)
    assert pairs.pearson(*(np.diff(side) for side in pair))[0] == pytest.approx(r_changes, abs=5e-4)


def test_autocorrelations_are_those_of_statsmodels_rescaled() -> None:
    n = len(SALES)
    reference = acf(SALES, nlags=30, fft=False)[1:] * n / (n - np.arange(1, 31))
    assert effective.autocorrelation(SALES[None], 30)[0] == pytest.approx(reference, abs=1e-12)


def test_a_positive_lag_means_that_the_first_series_leads_as_in_statsmodels() -> None:
    lags = range(6)
    ours = pairs.correlations(*LEAD, lags)[0]
    n = len(SALES)
    for lag in lags:
        assert ours[lag] == pytest.approx(np.corrcoef(SALES_LEAD[: n - lag], SALES[lag:])[0, 1], abs=1e-12)
    theirs = ccf(np.diff(SALES), np.diff(SALES_LEAD), adjusted=False, fft=False)[:6]
    changes = pairs.correlations(np.diff(LEAD[0]), np.diff(LEAD[1]), lags)[0]
    assert np.argmax(theirs) == np.argmax(changes) == 3


@pytest.mark.parametrize("order", [1, 2, 4])
def test_autoregressions_are_those_of_statsmodels(order: int) -> None:
    fitted = autoregression.fit(SALES[None], np.array([order]))
    reference = AutoReg(SALES, order, trend="c").fit()
    assert fitted.coefficients[0, :order] == pytest.approx(reference.params[1:], abs=1e-8)
    assert fitted.residuals[0, order:] * SALES.std() == pytest.approx(reference.resid, abs=1e-8)
    ours = autoregression.ljung_box(fitted.residuals, np.array([order]))[0]
    # Ljung and Box's own formula on the residuals; statsmodels divides by the residuals' sum of squares alike.
    theirs = acorr_ljungbox(reference.resid, lags=[10], model_df=order)["lb_pvalue"].iloc[0]
    assert ours == pytest.approx(theirs, abs=1e-8)


@pytest.mark.parametrize("criterion", ["aic", "bic"])
def test_the_order_is_the_one_statsmodels_chooses(criterion: autoregression.Criterion) -> None:
    series = np.vstack([MALE_DEATHS, FEMALE_DEATHS, ar1(6, 72, 0.7, 3)])
    ours = autoregression.choose_order(series, criterion, autoregression.order_limits(series))
    for row, order in zip(series, ours, strict=True):
        theirs = ar_select_order(row, 4, ic=criterion, trend="c").ar_lags
        assert order == (max(theirs) if theirs else 1)


def test_the_order_is_1_below_25_weeks_and_at_most_an_eighth_of_the_weeks() -> None:
    for n, limit in ((14, 1), (24, 1), (25, 3), (34, 4), (150, 4)):
        assert autoregression.order_limits(ar1(1, n, 0.5, 1))[0] == limit


def test_a_gap_drops_rows_of_the_regression_and_never_joins_weeks_across_it() -> None:
    series = ar1(1, 60, 0.6, 4)
    series[0, 20] = np.nan
    fitted = autoregression.fit(series, np.array([1]))
    rows = [t for t in range(1, 60) if t not in (20, 21)]
    design = np.column_stack([np.ones(len(rows)), series[0, [t - 1 for t in rows]]])
    slope = np.linalg.lstsq(design, series[0, rows], rcond=None)[0][1]
    assert fitted.coefficients[0, 0] == pytest.approx(slope, abs=1e-10)
    assert np.isnan(fitted.residuals[0, [0, 20, 21]]).all()
    assert fitted.n_rows[0] == len(rows)


def test_popes_bias_of_an_ar1_is_its_closed_form_and_corrected_fits_stay_stationary() -> None:
    fitted = autoregression.fit(ar1(50, 40, 0.9, 5), np.ones(50, dtype=np.int64))
    corrected = autoregression.correct_bias(fitted)[:, 0]
    phi = fitted.coefficients[:, 0]
    expected = phi + (1 + 3 * phi) / fitted.n_rows
    inside = expected < 0.99
    assert corrected[inside] == pytest.approx(expected[inside], abs=1e-10)
    assert (np.abs(corrected) < 1).all()
    assert abs(corrected.mean() - 0.9) < abs(phi.mean() - 0.9) / 3


def test_drawn_processes_are_stationary_from_the_first_week() -> None:
    coefficients = np.array([[0.5, 0.3]])
    noise = np.random.default_rng(1).standard_normal((1, 8, 200_000))
    drawn = autoregression.draw(coefficients, 8, noise)[0]
    variance = (1 - 0.3) / ((1 + 0.3) * ((1 - 0.3) ** 2 - 0.5**2))
    assert drawn.var(axis=1) == pytest.approx(np.full(8, variance), rel=0.02)
    assert np.mean(drawn[0] * drawn[1]) / variance == pytest.approx(0.5 / 0.7, abs=0.01)


def test_signed_ranks_are_those_of_scipy_and_are_centred() -> None:
    values = np.array([[3.0, -1.0, np.nan, 0.5, 7.0, -2.5, 0.5]])
    found = signed_ranks(values)[0]
    present = values[0][~np.isnan(values[0])]
    away = present - np.median(present)
    reference = np.sign(away) * stats.rankdata(np.abs(away)) / len(present)
    assert found[[0, 1, 3, 4, 5, 6]] == pytest.approx(reference - reference.mean(), abs=1e-12)
    assert np.isnan(found[2])


def test_products_pair_the_models_week_with_the_surveys_later_week() -> None:
    a, b = np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([[10.0, 20.0, np.nan, 40.0]])
    first, second = met(a[:, None], b[:, None], [1, 0, -2])
    found = (first * second)[0]
    assert found[0] == pytest.approx([20, np.nan, 120, np.nan], nan_ok=True)
    assert found[1] == pytest.approx([10, 40, np.nan, 160], nan_ok=True)
    assert found[2] == pytest.approx([np.nan, np.nan, 30, 80], nan_ok=True)


def test_max_t_over_all_sign_patterns_is_brute_force_permutation() -> None:
    rng = np.random.default_rng(2)
    terms = rng.standard_normal((3, 8))
    every = np.array(list(itertools.product([1.0, -1.0], repeat=8)))
    observed = flips.statistic(terms)
    drawn = flips.null(terms, every)
    peaks = []
    for pattern in itertools.product([1.0, -1.0], repeat=8):
        flipped = terms * np.array(pattern)
        peaks.append([abs(row.sum()) / np.sqrt((row**2).sum()) for row in flipped])
    brute = np.array(peaks)
    single = [(1 + sum(max(peak) >= abs(t) - 1e-9 for peak in peaks)) / 257 for t in observed]
    assert multiplicity.max_t(observed, drawn, step_down=False) == pytest.approx(single, abs=1e-12)
    order = np.argsort(-np.abs(observed))
    stepped, floor = np.empty(3), 0.0
    for rank, place in enumerate(order):
        left = brute[:, order[rank:]].max(axis=1)
        floor = max(floor, (1 + (left >= abs(observed[place]) - 1e-9).sum()) / 257)
        stepped[place] = floor
    assert multiplicity.max_t(observed, drawn) == pytest.approx(stepped, abs=1e-12)


def test_q_values_reproduce_benjamini_and_hochbergs_example() -> None:
    # Benjamini and Hochberg 1995, section 4.2: fifteen p-values, four of which are rejected at a rate of .05.
    p = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.324,
        0.4262,
        0.5719,
        0.6528,
        0.759,
        1,
    ]
    shuffled = np.array(p[::-1])
    q = multiplicity.benjamini_hochberg(shuffled)
    assert sorted(shuffled[q <= 0.05]) == p[:4]
    assert q[-4] == pytest.approx(0.0095 * 15 / 4)
    harmonic = sum(1 / k for k in range(1, 16))
    assert multiplicity.benjamini_yekutieli(shuffled)[-4] == pytest.approx(0.0095 * 15 / 4 * harmonic)
    assert len(multiplicity.benjamini_hochberg(np.empty(0))) == 0


def test_families_of_correlations_are_compared_on_the_scale_of_each_ones_own_null() -> None:
    rng = np.random.default_rng(4)
    drawn = np.tanh(rng.standard_normal((1999, 2)) * np.array([0.1, 0.8]))
    observed = np.array([0.45, 0.6])
    family = multiplicity.max_t(*multiplicity.studentised(observed, drawn))
    assert family[0] <= 3 / 2000
    assert family[1] == pytest.approx(2 * (1 - stats.norm.cdf(np.arctanh(0.6) / 0.8)), abs=0.03)
    assert multiplicity.max_t(observed, np.abs(drawn))[0] > 0.3


def test_one_week_of_a_crisis_carries_little_by_ranks_and_much_by_raw_products() -> None:
    """By hand: shares of the sum of absolute products of residuals about their means; r and p without the week."""
    x, y = ar1(1, 60, 0.3, 74), ar1(1, 60, 0.3, 75)
    x[0, 30] += 15
    y[0, 30] += 12
    found = changes(x, y, draws=999, seed=76)
    one, five = found.heaviest(), found.heaviest(5)
    u, v = (side.residuals[0] - np.nanmean(side.residuals) for side in found.white)
    products = np.nan_to_num(u * v)
    assert one.weeks[0, 0].tolist() == [30]
    assert one.share[0, 0] == pytest.approx(products[30] / np.abs(products).sum())
    assert one.share[0, 0] > 0.5
    assert np.abs(found.terms[0, 0, 30]) / np.nansum(np.abs(found.terms)) < 0.15
    rest = np.arange(60) != 30
    a, b = (side[0, 0][rest] for side in found.ranks)
    known = np.isfinite(a * b)
    assert one.r_without[0, 0] == pytest.approx(np.corrcoef(a[known], b[known])[0, 1])
    terms = np.where(rest, found.terms, np.nan)
    assert one.p_without[0, 0] == flips.p_values(flips.statistic(terms), flips.null(terms, found.signs))[0, 0]
    heaviest = np.sort(products * np.sign(found.statistic[0, 0]))[-5:]
    assert five.share[0, 0] == pytest.approx(heaviest.sum() / np.abs(products).sum())


def test_independent_series_of_any_persistence_are_rejected_about_as_often_as_stated() -> None:
    for phi in (0.0, 0.9):
        x, y = ar1(600, 40, phi, 11), ar1(600, 40, phi, 12)
        assert 0.02 < (changes(x, y, draws=499, seed=6).p <= 0.05).mean() < 0.09
        assert (levels.levels(x[:200], y[:200], draws=199, seed=7, joint=False).p <= 0.05).mean() < 0.1


def test_the_null_of_levels_keeps_the_correlation_between_questions() -> None:
    rng = np.random.default_rng(8)
    common = rng.standard_normal(80)
    series = np.vstack([common, common + 0.3 * rng.standard_normal(80), rng.standard_normal(80)])
    root = levels.mixing(series)
    kept = root @ root.T
    assert np.diag(kept) == pytest.approx(np.ones(3))
    assert kept[0, 1] > 0.9
    assert abs(kept[0, 2]) < 0.35


def test_too_few_consecutive_weeks_are_refused() -> None:
    series = ar1(1, 30, 0.5, 1)
    series[0, ::2] = np.nan
    with pytest.raises(CorrelateError, match="0 pairs of consecutive weeks"):
        autoregression.order_limits(series)


def test_intervals_are_fishers_and_say_nothing_with_three_effective_weeks() -> None:
    low, high = effective.fisher_interval(np.array([0.6, 0.6]), np.array([28.0, 3.0]))
    half = 1.959963984540054 / 5
    assert (low[0], high[0]) == pytest.approx((np.tanh(np.arctanh(0.6) - half), np.tanh(np.arctanh(0.6) + half)))
    assert (low[1], high[1]) == (-1.0, 1.0)


def test_the_adl_test_is_statsmodels_wald_test_with_hc3() -> None:
    x, y = ar1(2, 60, 0.6, 21)
    rows = np.column_stack([np.ones(59), y[:-1], x[1:], x[:-1]])
    reference = OLS(y[1:], rows).fit(cov_type="HC3", use_t=True).f_test(np.eye(4)[2:])
    found = alternates.alternate("adl-hc3", x, y)
    assert found.estimate == pytest.approx(float(reference.fvalue), rel=1e-8)
    assert found.p == pytest.approx(float(reference.pvalue), rel=1e-8)


def test_the_block_length_is_that_of_arch_at_the_same_bandwidth() -> None:
    bootstrap = pytest.importorskip("arch.bootstrap", reason="arch is the second source of this test only")
    for seed, phi in ((1, 0.3), (2, 0.7), (3, 0.9)):
        series = ar1(1, 200, phi, seed)[0]
        theirs = bootstrap.optimal_block_length(series)["circular"].iloc[0]
        width = alternates.bandwidth(series)
        near = [alternates.length_at(series, other) for other in range(1, width + 3)]
        assert min(abs(length / theirs - 1) for length in near) < 1e-9


def test_alternates_agree_on_a_strong_relation_and_say_when_they_cannot_answer() -> None:
    x = ar1(1, 160, 0.5, 22)[0]
    y = x + 0.4 * ar1(1, 160, 0.0, 23)[0]
    for name in alternates.ALTERNATES:
        found = alternates.alternate(name, x, y, draws=499)
        assert found.p is None or found.p < 0.01
        assert found.ci_low is None or found.ci_low > 0.5
    gappy = x.copy()
    gappy[50] = np.nan
    assert alternates.alternate("phase-randomisation", gappy, y).note == "not possible with missing weeks"
    assert alternates.alternate("block-bootstrap", x[:100], y[:100]).p is None
    with pytest.raises(CorrelateError, match="no test 'pearson'"):
        alternates.alternate("pearson", x, y)


def test_phase_randomisation_holds_its_level_on_gaussian_series() -> None:
    x, y = ar1(300, 60, 0.8, 24), ar1(300, 60, 0.8, 25)
    p = [alternates.alternate("phase-randomisation", a, b, draws=199).p for a, b in zip(x, y, strict=True)]
    assert np.mean(np.array(p) <= 0.05) < 0.11


@pytest.mark.parametrize(
    "design",
    [
        power.Design(40, 0.5, 0.5, alpha=0.01),
        power.Design(80, 0.4, 0.8),
        power.Design(60, 0.6, 0.7, 0.7, 0.8),
        power.Design(100, 0.7, 0.7, 0.5, n_lags=9),
        power.Design(60, 0.7, 0.5, 0.8, 0.9, n_questions=12),
    ],
)
def test_power_by_formula_is_within_a_tenth_of_power_by_simulation(design: power.Design) -> None:
    formula, simulated = power.analytic(design), power.simulated(design, 400, 3)
    assert formula["dynamics"] == pytest.approx(simulated["dynamics"], abs=0.1)
    assert formula["level"] == pytest.approx(simulated["level"], abs=0.1)
    assert simulated["both"] <= min(simulated["dynamics"], simulated["level"])


def test_power_without_a_relation_is_the_error_rate_and_grows_with_weeks() -> None:
    assert power.analytic(power.Design(60, 0.0))["dynamics"] == pytest.approx(0.05, abs=1e-6)
    rates = [power.analytic(power.Design(n, 0.4))["dynamics"] for n in (30, 60, 120)]
    assert rates == sorted(rates)
    weeks = needed(Question((Noise(),), 0.4), Effort(30), "weeks")
    assert weeks is not None
    assert power.analytic(power.Design(weeks, 0.4))["dynamics"] >= 0.8
    assert power.analytic(power.Design(weeks - 1, 0.4))["dynamics"] < 0.8
    r = power.detectable(power.Design(60, 0.4))
    assert r is not None
    assert power.analytic(power.Design(60, r))["dynamics"] == pytest.approx(0.8, abs=1e-3)


@pytest.mark.parametrize(("change", "words"), [({"weeks": 8}, "too few"), ({"r": 1.0}, "between -1 and 1")])
def test_impossible_designs_are_refused(change: dict[str, float], words: str) -> None:
    with pytest.raises(CorrelateError, match=words):
        power.Design(**{"weeks": 60, "r": 0.5, **change})


def test_innovations_of_noisy_series_are_less_correlated_than_their_levels() -> None:
    design = power.Design(60, 0.8, 0.9, 0.6, 0.6)
    x, y = power._observed(np.random.default_rng(26), 400, power.Design(400, 0.8, 0.9, 0.6, 0.6))
    fitted = [autoregression.fit(side, np.full(400, 4)).residuals for side in (x, y)]
    assert pairs.pearson(*fitted).mean() == pytest.approx(power._innovation_correlation(design), abs=0.02)
    assert power._innovation_correlation(design) < 0.8 * 0.6


def test_unit_root_tests_use_the_longest_run_of_weeks() -> None:
    series = ar1(1, 60, 0.5, 31)[0]
    series[[10, 45]] = np.nan
    found = stationarity.stationarity(series)
    assert found == stationarity.stationarity(series[11:45])
    assert found.n == 34
    assert len(stationarity.longest_run(np.full(5, np.nan))) == 0
    assert np.isnan(stationarity.stationarity(series[:11]).adf)


def test_the_dickey_fuller_statistic_is_the_t_of_the_level_by_hand() -> None:
    order = autoregression.choose_order(SALES[None], "bic", autoregression.order_limits(SALES[None]))[0]
    change = np.diff(SALES)
    lagged = [change[order - 1 - lag : -lag] for lag in range(1, order)]
    design = np.column_stack([SALES[order - 1 : -1], *lagged, np.ones(len(SALES) - order)])
    fitted = OLS(change[order - 1 :], design).fit()
    assert stationarity.stationarity(SALES).adf == pytest.approx(fitted.tvalues[0], rel=1e-8)


def test_a_random_walk_and_white_noise_are_told_apart() -> None:
    walk = stationarity.stationarity(np.cumsum(ar1(1, 150, 0.0, 32)[0]))
    noise = stationarity.stationarity(ar1(1, 150, 0.0, 33)[0])
    assert walk.adf_p > 0.1
    assert walk.kpss_p == pytest.approx(0.01)
    assert noise.adf_p < 0.001
    assert noise.kpss_p == pytest.approx(0.1)


@pytest.mark.parametrize(
    "name", ["random walks", "heavy-tailed common shocks", "common volatility bursts", "common trend"]
)
def test_what_is_shared_but_no_weekly_movement_does_not_fool_the_test_of_changes(name: str) -> None:
    x, y = processes.SHARED[name](np.random.default_rng(34), 600, 60)
    p = changes(x, y, draws=499, seed=35).p
    naive = effective.t_test(pairs.pearson(x, y), np.full(600, 60.0))
    assert (p <= 0.01).mean() <= 0.03
    assert (naive <= 0.01).mean() >= 0.15


def test_statistics_import_neither_the_gpu_stack_nor_anything_slow_before_it_is_needed() -> None:
    code = (
        "import sys\n"
        "from temporal_adapters.stages import correlate, series, survey, trust\n"
        "from temporal_adapters.engines.significance import alternates, power, stationarity\n"
        "print(sorted({'torch', 'transformers', 'peft', 'arch', 'statsmodels', 'pandas'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_a_statistic_that_does_not_exist_has_no_p_value() -> None:
    p = flips.p_values(np.array([np.nan, 5.0]), np.ones((99, 2)))
    assert np.isnan(p[0])
    assert p[1] == 0.01


def test_the_level_null_survives_draws_far_from_zero_and_draws_that_stand_still() -> None:
    """A unit root with a tiny innovation: single precision used to lose all movement beside the level."""
    rng = np.random.default_rng(31)
    walk = 1e4 + 1e-3 * np.cumsum(rng.standard_normal((1, 40)), axis=1)
    drawn = levels.null(walk, rng.standard_normal((1, 40)), [0], 200, [5], joint=False)
    assert np.isfinite(drawn).all() and (np.abs(drawn) <= 1).all()
    still = np.ones((40, 3), dtype=np.float32)
    moving = rng.standard_normal((40, 3)).astype(np.float32)
    np.testing.assert_array_equal(levels._columnwise(still, moving), 0.0)
    np.testing.assert_allclose(levels._columnwise(moving, moving), 1.0, atol=1e-6)


def test_the_whole_test_of_changes_is_that_of_a_plain_script_on_statsmodels() -> None:
    """Second source: AutoReg, its BIC, statsmodels' Ljung-Box, scipy's ranks, and a loop over sign patterns."""
    x, y = processes.correlated(np.random.default_rng(61), 1, 60, (0.6, 0.6), 0.5)
    found = changes(x[0], y[0], (0, 2), draws=299, seed=62)
    ranks = []
    for side in (x[0], y[0]):
        order = ar_select_order(side, 4, ic="bic").ar_lags[-1]
        residuals = AutoReg(side, order).fit().resid
        n_lags = max(order + 2, min(10, len(residuals) // 5))
        raised = acorr_ljungbox(residuals, [n_lags], model_df=order)["lb_pvalue"].iloc[0] < 0.05
        residuals = AutoReg(side, order + raised).fit().resid
        away = residuals - np.median(residuals)
        signed = np.sign(away) * stats.rankdata(np.abs(away)) / len(away)
        ranks.append(np.concatenate([np.full(60 - len(away), np.nan), signed - signed.mean()]))
    for place, lag in enumerate((0, 2)):
        terms = np.nan_to_num(ranks[0][: 60 - lag] * ranks[1][lag:])
        t = terms.sum() / np.sqrt((terms**2).sum())
        drawn = [abs((row[: 60 - lag] * terms).sum()) / np.sqrt((terms**2).sum()) for row in found.signs]
        assert found.statistic[0, place] == pytest.approx(t, abs=1e-9)
        assert found.p[0, place] == (1 + sum(one >= abs(t) - 1e-9 for one in drawn)) / 300


def test_one_call_shares_its_signs_over_pairs_lags_and_orders_and_takes_one_series_against_many() -> None:
    rng = np.random.default_rng(63)
    many, one = rng.standard_normal((3, 50)), rng.standard_normal(50)
    together = changes(many, one, (0, 1), draws=199, seed=[4, 2])
    for row in range(3):
        alone = changes(many[row], one, (1,), draws=199, seed=(4, 2))
        assert together.p[row, 1] == alone.p[0, 0]
        assert together.p_at_order(1)[row, 1] == alone.p_at_order(1)[0, 0]
        assert together.heaviest().p_without[row, 1] == alone.heaviest().p_without[0, 0]
    assert (together.p_family >= together.p).all()
    assert together.p_over_lags == pytest.approx(
        np.array([changes(row, one, (0, 1), draws=199, seed=(4, 2)).p_over_lags[0] for row in many])
    )
    assert together.critical(0.05) > changes(many[0], one, draws=199, seed=(4, 2)).critical(0.05)


def test_series_are_never_worth_more_weeks_than_they_have() -> None:
    """Alternating series against persistent ones: the formula would give more than n."""
    signs = np.tile([1.0, -1.0], 30) + 0.1 * np.random.default_rng(64).standard_normal(60)
    smooth = ar1(1, 60, 0.9, 65)[0]
    assert effective.effective_weeks(signs[None], smooth[None])[0] == 60
    assert effective.effective_weeks(smooth[None], smooth[None])[0] < 20


def test_a_correlation_of_changes_leaves_changes_over_a_gap_out_and_needs_three() -> None:
    """By hand: changes 1, -1, (over the gap), 2 against 1, 0, (gap), 1."""
    first, second = np.array([0.0, 1, 0, 9, 11]), np.array([0.0, 1, 1, 5, 6])
    gap = pairs.r_of_differences(first, second, np.array([0, 1, 2, 4, 5]))
    assert gap == pytest.approx(np.corrcoef([1, -1, 2], [1, 0, 1])[0, 1])
    assert pairs.r_of_differences(first, second, np.arange(5)) != pytest.approx(gap, abs=0.01)
    assert np.isnan(pairs.r_of_differences(first[:4], second[:4], np.array([0, 1, 2, 4])))


def test_the_joint_f_test_is_that_of_the_formula_of_hc3() -> None:
    """Second source: White's (1980) sandwich with squared residuals over (1 - leverage) squared, by hand."""
    x, y = processes.correlated(np.random.default_rng(66), 1, 80, (0.5, 0.5), 0.4)
    found = alternates.alternate("adl-hc3", x[0], y[0])
    a, b = (side[0] / side[0].std() - side[0].mean() / side[0].std() for side in (x, y))
    design = np.column_stack([np.ones(79), b[:-1], a[1:], a[:-1]])
    bread = np.linalg.inv(design.T @ design)
    beta = bread @ design.T @ b[1:]
    weight = ((b[1:] - design @ beta) / (1 - np.diag(design @ bread @ design.T))) ** 2
    covariance = bread @ (design.T * weight) @ design @ bread
    f = beta[2:] @ np.linalg.solve(covariance[2:, 2:], beta[2:]) / 2
    assert found.estimate == pytest.approx(f, rel=1e-9)
    assert found.p == pytest.approx(stats.f.sf(f, 2, 75), rel=1e-9)


def test_innovations_over_gaps_are_those_of_the_kalman_filter_of_statsmodels() -> None:
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    series = ar1(1, 70, 0.6, 71)
    holed = series.copy()
    holed[0, [9, 20, 21, 22, 40, 66]] = np.nan
    fitted = autoregression.fit(holed, np.array([2]))
    scaled = autoregression.standardise(holed)
    ours = autoregression.innovations(scaled, fitted)[0]
    model = SARIMAX(scaled[0], order=(2, 0, 0), trend="c", enforce_stationarity=False)
    model.ssm.initialize_approximate_diffuse(1e9)
    theirs = model.filter([fitted.constant[0], *fitted.coefficients[0], 1.0])
    standard = theirs.forecasts_error[0] / np.sqrt(theirs.forecasts_error_cov[0, 0])
    known = np.isfinite(ours)
    assert list(np.flatnonzero(~known)) == [0, 1, 9, 20, 21, 22, 40, 66]
    assert ours[known] == pytest.approx(standard[known], abs=1e-5)
    whole = autoregression.fit(series, np.array([2]))
    complete = autoregression.innovations(autoregression.standardise(series), whole)[0, 2:]
    assert complete == pytest.approx(whole.residuals[0, 2:], abs=1e-6)


def test_a_missing_week_costs_its_own_pair_and_no_other() -> None:
    x, y = processes.correlated(np.random.default_rng(72), 1, 60, (0.7, 0.7), 0.5)
    holed = y.copy()
    holed[0, [10, 30, 45]] = np.nan
    found, whole = changes(x, holed, (0, 3), draws=199), changes(x, y, (0, 3), draws=199)
    terms, complete = np.isfinite(found.terms[0]), np.isfinite(whole.terms[0])
    assert list(np.flatnonzero(complete[0] & ~terms[0])) == [10, 30, 45]
    assert list(np.flatnonzero(complete[1] & ~terms[1])) == [7, 27, 42]
    assert found.correlation((0, 3))[1].tolist() == [[terms[0].sum(), terms[1].sum()]]
    ends = y.copy()
    ends[0, [0, 1, 59]] = np.nan  # before the first and after the last week there is no gap
    shorter = changes(x[:, 2:-1], y[:, 2:-1])
    cut = changes(x, ends)
    assert cut.white[1].residuals[0, 2:-1] == pytest.approx(shorter.white[1].residuals[0], nan_ok=True)
    assert cut.white[0].residuals == pytest.approx(whole.white[0].residuals, nan_ok=True)


def test_gaps_leave_the_error_rate_and_most_of_the_power() -> None:
    """15 % missing on both sides: dropping every pair beside a gap found two thirds of what complete weeks find."""
    rng = np.random.default_rng(73)
    rates = {}
    for name, r, missing in (("whole", 0.5, 0.0), ("gaps", 0.5, 0.15), ("unrelated", 0.0, 0.15)):
        sides = processes.correlated(rng, 500, 60, (0.7, 0.7), r)
        holed = [np.where(rng.random(side.shape) < missing, np.nan, side) for side in sides]
        rates[name] = float((changes(*holed, draws=499, own_signs=True).p <= 0.05).mean())
    assert rates["gaps"] >= 0.82 * rates["whole"]
    assert 0.02 < rates["unrelated"] < 0.08


def test_what_regressors_leave_are_the_residuals_of_r_and_a_missing_week_takes_no_part() -> None:
    """R 4: residuals(lm(mdeaths ~ cos(2*pi*t/12) + sin(2*pi*t/12) + t)) at t = 1, 2, 40, 72; cor with fdeaths'."""
    t = np.arange(1, 73)
    season = np.stack([np.cos(2 * np.pi * t / 12), np.sin(2 * np.pi * t / 12), t.astype(float)])
    left = [adjusting.adjusted(side, season) for side in DEATHS]
    residuals = left[0][0] - MALE_DEATHS.mean()
    assert residuals[[0, 1, 39, 71]] == pytest.approx([-0.2989544081, -310.6412432065, 103.1484591628, -311.5364085234])
    assert pairs.pearson(*left)[0] == pytest.approx(0.8894651386, abs=1e-9)
    doubled = np.concatenate([season, season[:1], np.ones((1, 72))])  # what is said twice is taken out once
    assert adjusting.adjusted(DEATHS[0], doubled) == pytest.approx(left[0])
    holed = np.where(t == 10, np.nan, DEATHS[0])
    rest = adjusting.adjusted(DEATHS[0][:, t != 10], season[:, t != 10])
    assert adjusting.adjusted(holed, season)[:, t != 10] == pytest.approx(rest)
    with pytest.raises(CorrelateError, match=r"10 weeks are too few to take 3 regressors .* \(11 are needed\)"):
        adjusting.adjusted(DEATHS[0][:, :10], season[:, :10])


@pytest.mark.parametrize("period", [52.18, 4.0])
def test_a_shared_calendar_is_not_found_once_it_is_taken_out_of_series_and_draws(period: float) -> None:
    rng = np.random.default_rng(77)
    x, y = processes.independent(rng, 400, 100, 0.3)
    t = np.arange(100)
    shared = 2.2 * (t % 4 == 0) if period == 4 else 2.8 * np.cos(2 * np.pi * t / period)
    waves = [np.cos(2 * np.pi * t / period), np.sin(2 * np.pi * t / period), np.cos(np.pi * t)]
    given, taken = (
        changes(x + shared, y + shared, draws=499),
        changes(x + shared, y + shared, draws=499, adjust=np.array(waves)),
    )
    assert (given.p <= 0.05).mean() > 0.12
    assert 0.02 < (taken.p <= 0.05).mean() < 0.085
    level = levels.levels(x[:150] + shared, y[:150] + shared, draws=199, joint=False, adjust=np.array(waves))
    assert (level.p <= 0.05).mean() < 0.11


def test_regressors_cost_both_sides_the_same_directions_and_the_statistic_counts_that() -> None:
    """Without the factor sqrt((n - q) / n) twelve regressors of 40 weeks would double the error rate."""
    rng = np.random.default_rng(78)
    x, y = processes.independent(rng, 1500, 40, 0.0)
    found = changes(x, y, draws=499, adjust=rng.standard_normal((12, 40)))
    assert found.left[0, 0] == pytest.approx((39 - 12) / 39)
    plain = flips.p_values(flips.statistic(found.terms), found.drawn)
    assert (plain <= 0.05).mean() > 0.09
    assert 0.03 < (found.p <= 0.05).mean() < 0.075


def test_short_series_keep_order_one_and_longer_ones_are_raised_when_residuals_remember() -> None:
    rng = np.random.default_rng(79)
    season = np.sin(2 * np.pi * np.arange(40) / 4)
    series = season + 0.3 * rng.standard_normal((1, 40))
    assert whitening.whiten(series[:, :24]).order.tolist() == [1]
    assert not whitening.whiten(series[:, :24]).raised.any()
    assert whitening.whiten(series).order[0] > 1


def test_the_interval_of_a_rank_correlation_and_what_it_excludes_are_a_hand_calculation() -> None:
    """r = .2, n = 50: z = .2027, variance (1 + .02) / 47; 95 % and, for two one-sided tests, 90 %."""
    half = 1.959964 * np.sqrt(1.02 / 47)
    low, high = effective.rank_interval(np.array(0.2), np.array(50.0))
    assert (low, high) == pytest.approx((np.tanh(0.2027326 - half), np.tanh(0.2027326 + half)), abs=1e-6)
    bound = effective.excluded_r(np.array(0.2), np.array(50.0))
    assert bound == pytest.approx(np.tanh(0.2027326 + 1.644854 * np.sqrt(1.02 / 47)), abs=1e-6)
    assert effective.excluded_r(np.array(-0.2), np.array(50.0)) == bound
    # Two one-sided tests at that bound: the worse of them is exactly at 5 %.
    z = (np.arctanh(bound) - np.arctanh(0.2)) / np.sqrt(1.02 / 47)
    assert stats.norm.sf(z) == pytest.approx(0.05)
    assert effective.rank_interval(np.array(0.9), np.array(3.0)) == (-1.0, 1.0)


def test_the_interval_of_changes_covers_the_correlation_of_ranks() -> None:
    """The truth by one pair of 200,000 weeks."""
    long = processes.correlated(np.random.default_rng(80), 1, 200_000, (0.0, 0.0), 0.5)
    truth = float(pairs.pearson(*(signed_ranks(side) for side in long))[0])
    found = changes(*processes.correlated(np.random.default_rng(81), 800, 60, (0.6, 0.6), 0.5))
    r, n = found.correlation((0,))
    low, high = effective.rank_interval(r, n)
    assert 0.9 < ((low <= truth) & (truth <= high)).mean() < 0.98


def test_null_draws_of_single_precision_are_those_of_double_precision_over_the_same_weeks() -> None:
    """Second source: Pearson's r by numpy in double precision, of the same draws, over the weeks both sides have.

    The series drift, so that their processes are close to a unit root and draws lie far from 0.
    """
    rng = np.random.default_rng(0)
    x, y = (np.cumsum(rng.normal(size=(1, 60)), axis=1) + np.arange(60) * 0.5 for _ in range(2))
    x[0, [7, 30, 31]], y[0, [12, 33]] = np.nan, np.nan
    found = levels.null(x, y, (0, 2), 100, 5)
    stream = np.random.default_rng(5)
    noise = [stream.standard_normal((1, 60, 100), dtype=np.float32) for _ in range(2)]
    drawn = [
        autoregression.draw(levels.null_process(side), 60, part)[0] for side, part in zip((x, y), noise, strict=True)
    ]
    for place, lag in enumerate((0, 2)):
        weeks = [week for week in range(60 - lag) if np.isfinite(x[0, week]) and np.isfinite(y[0, week + lag])]
        first, second = drawn[0][weeks].astype(float), drawn[1][[week + lag for week in weeks]].astype(float)
        wanted = [abs(np.corrcoef(first[:, draw], second[:, draw])[0, 1]) for draw in range(100)]
        assert found[:, 0, place] == pytest.approx(wanted, abs=5e-5)


def test_questions_that_move_together_do_so_in_the_null_draws_of_levels_and_independent_worlds_do_not() -> None:
    """Two rows of which one is the other with a little noise: so must be their |r| with two such rows, draw by draw."""
    rng = np.random.default_rng(4)
    one, other = rng.normal(size=(2, 60))
    x, y = (np.stack([side, side + 0.05 * rng.normal(size=60)]) for side in (one, other))
    joint, apart = (levels.null(x, y, (0,), 400, 6, joint=joint)[:, :, 0] for joint in (True, False))
    assert np.corrcoef(joint.T)[0, 1] > 0.95
    assert abs(np.corrcoef(apart.T)[0, 1]) < 0.2
