"""Reliability, agreement, nowcast gain and the rest against published tables, statsmodels and hand computation."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from statsmodels.tsa.statespace.mlemodel import MLEModel
from synthetic_run import write_run, write_study

from temporal_adapters.engines.significance import autoregression
from temporal_adapters.engines.significance.effort import Question, changed
from temporal_adapters.ground.errors import ValidityError
from temporal_adapters.stages import series, trust
from temporal_adapters.stages.trust import nowcast, reliability, smoothing
from temporal_adapters.stages.trust.placebo import out_of_time
from temporal_adapters.stages.trust.stability import _smooth as smooth_series
from temporal_adapters.study.artifacts.documents import Trust

# Shrout and Fleiss 1979, table 2: six targets rated by four judges.
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=np.float64
)


def ar1(m: int, n: int, phi: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((m, n, 1))
    return autoregression.draw(np.full((m, 1), phi), n, noise)[..., 0]


def test_agreement_reproduces_the_published_table() -> None:
    found = trust.agreement(SHROUT_FLEISS)
    rows, columns, error = reliability.mean_squares(SHROUT_FLEISS)
    assert (rows, columns, error) == pytest.approx((11.24, 32.49, 1.02), abs=0.005)
    assert found.single == pytest.approx(0.29, abs=0.005)
    assert found.average == pytest.approx(0.62, abs=0.005)
    assert found.consistency == pytest.approx(0.71, abs=0.006)
    # McGraw and Wong's interval as R's irr::icc and psych::ICC print it for this table: .02 to .76.
    assert (found.single_low, found.single_high) == pytest.approx((0.02, 0.76), abs=0.005)


def test_variance_components_of_the_published_table() -> None:
    found = trust.components(SHROUT_FLEISS[:, :, None], ("week", "seed", "wording"))
    expected = {"week": (11.24 - 1.02) / 4, "seed": (32.49 - 1.02) / 6, "week:seed": 1.02}
    assert found.variance == pytest.approx(expected, abs=0.005)
    assert found.reliability() == pytest.approx(0.91, abs=0.005)
    assert found.reliability({"seed": 1}) == pytest.approx(0.71, abs=0.006)


def test_three_way_components_follow_the_textbook_formulas() -> None:
    table = np.random.default_rng(1).standard_normal((7, 3, 4)) + np.arange(7)[:, None, None]
    found = trust.components(table).variance
    grand = table.mean()
    week, seed, wording = (table.mean(axis=axes) for axes in ((1, 2), (0, 2), (0, 1)))
    pair = {"ws": table.mean(axis=2), "wo": table.mean(axis=1)}
    ms_w = 12 * ((week - grand) ** 2).sum() / 6
    ms_ws = 4 * ((pair["ws"] - week[:, None] - seed[None] + grand) ** 2).sum() / 12
    ms_wo = 3 * ((pair["wo"] - week[:, None] - wording[None] + grand) ** 2).sum() / 18
    rest = (
        table - pair["ws"][:, :, None] - pair["wo"][:, None, :] - table.mean(axis=0)[None]
        + week[:, None, None] + seed[None, :, None] + wording[None, None, :] - grand
    )  # fmt: skip
    ms_rest = (rest**2).sum() / 36
    assert found["week:seed:wording"] == pytest.approx(ms_rest)
    assert found["week:seed"] == pytest.approx((ms_ws - ms_rest) / 4)
    assert found["week:wording"] == pytest.approx((ms_wo - ms_rest) / 3)
    assert found["week"] == pytest.approx((ms_w - ms_ws - ms_wo + ms_rest) / 12)


def test_spearman_brown_says_how_many_seeds_reach_a_wanted_reliability() -> None:
    assert trust.spearman_brown(0.5, 9) == pytest.approx(0.9)
    assert reliability.spearman_brown_raters(0.5, 0.9) == 9
    assert reliability.spearman_brown_raters(0.95, 0.9) == 1
    assert reliability.spearman_brown_raters(0.0, 0.9) is None


def test_sampling_error_gives_the_share_of_variance_that_is_signal() -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(0, 2, 20_000)
    seen = truth + rng.normal(0, 1, 20_000)
    assert trust.sampling_reliability(seen, np.ones(20_000)) == pytest.approx(0.8, abs=0.01)
    with pytest.raises(ValidityError, match="2 values have a standard error"):
        trust.sampling_reliability(seen[:5], np.array([1, 1, np.nan, np.nan, np.nan]))


def test_attenuation_is_undone_and_the_ceiling_is_that_of_both_reliabilities() -> None:
    found = trust.disattenuate(0.42, 50, 0.49, 0.81, 60)
    assert found.ceiling == pytest.approx(0.63)
    assert found.r == pytest.approx(0.42 / 0.63)
    none = trust.disattenuate(0.0, 50, 0.49, 0.81, 60)
    assert none.ci_high == -none.ci_low == pytest.approx(1.959964 / (0.63 * 47**0.5), rel=1e-5)
    known = trust.disattenuate(0.42, 50, 1.0, 1.0, 60)
    assert (known.ci_high - known.ci_low) / 2 == pytest.approx(1.96 * (1 - 0.42**2) / math.sqrt(47), rel=1e-3)
    assert found.ci_high - found.ci_low > known.ci_high - known.ci_low
    with pytest.raises(ValidityError, match="all error"):
        trust.disattenuate(0.4, 50, 0.0, 0.8, 60)


def test_the_corrected_interval_covers_the_true_correlation() -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(400):
        a = rng.standard_normal(60)
        b = 0.6 * a + 0.8 * rng.standard_normal(60)
        x, y = a + 0.6 * rng.standard_normal(60), b + 0.5 * rng.standard_normal(60)
        rel = [trust.sampling_reliability(s, np.full(60, e)) for s, e in ((x, 0.6), (y, 0.5))]
        found = trust.disattenuate(float(np.corrcoef(x, y)[0, 1]), 60, *rel, 60)
        hits += found.ci_low <= 0.6 <= found.ci_high
    assert 0.91 <= hits / 400 <= 0.985


ACTUAL = np.array([1.0, 2.0, 1.5, 3.0, 2.5, 2.0])
SMALL = np.array([1.2, 1.5, 1.9, 2.2, 2.4, 2.6])
LARGE = np.array([1.1, 1.8, 1.4, 2.7, 2.9, 2.1])


def test_clark_west_and_diebold_mariano_are_the_hand_computation() -> None:
    one, two = (ACTUAL - SMALL) ** 2, (ACTUAL - LARGE) ** 2
    adjusted = one - two + (SMALL - LARGE) ** 2
    t = adjusted.mean() / math.sqrt(adjusted.var(ddof=1) / 6)
    found = trust.clark_west(ACTUAL, SMALL, LARGE)
    assert found.statistic == pytest.approx(t, rel=1e-12)
    assert found.gain == pytest.approx(1 - two.mean() / one.mean())
    plain = one - two
    dm = plain.mean() / math.sqrt(plain.var(ddof=0) / 6)
    hln = dm * math.sqrt((6 + 1 - 2 * 1 + 1 * 0 / 6) / 6)
    assert trust.diebold_mariano(ACTUAL, SMALL, LARGE).statistic == pytest.approx(hln, rel=1e-12)


def test_forecasts_use_the_past_only() -> None:
    x, y = ar1(2, 60, 0.5, 4)
    actual, small, large = nowcast.forecasts(x, y)
    changed = y.copy()
    changed[-1] += 100
    again = nowcast.forecasts(x, changed)
    assert np.array_equal(again[1], small)
    assert np.array_equal(again[2], large)
    assert actual[-1] != again[0][-1]


def test_a_series_that_knows_the_week_gains_and_an_unrelated_one_seldom_does() -> None:
    shock = np.random.default_rng(5).standard_normal(80)
    y = np.zeros(80)
    for week in range(1, 80):
        y[week] = 0.6 * y[week - 1] + shock[week]
    helped = trust.gain(shock + 0.5 * ar1(1, 80, 0.0, 6)[0], y)
    assert helped.clark_west.p < 0.001
    assert helped.clark_west.gain > 0.3
    assert helped.without_largest.n == helped.clark_west.n - 1
    p = [trust.gain(x, y).clark_west.p for x in ar1(200, 80, 0.6, 7)]
    assert np.mean(np.array(p) <= 0.05) < 0.1


def test_too_few_weeks_for_forecasts_are_said() -> None:
    with pytest.raises(ValidityError, match="too few for out-of-sample"):
        trust.gain(ar1(1, 12, 0.5, 1)[0], ar1(1, 12, 0.5, 2)[0])


def test_williams_test_reproduces_steigers_example() -> None:
    # Steiger 1980, p. 248 (also in the help of R's psych::r.test): n 103, r .4 and .5, .1 between: t -.89, p .37.
    found = trust.compare(0.4, 0.5, 0.1, 103)
    assert found.t == pytest.approx(-0.89, abs=0.005)
    assert found.p == pytest.approx(0.37, abs=0.005)
    assert found.ci_low < -0.1 < found.ci_high


def test_a_baseline_that_is_the_model_itself_makes_no_difference() -> None:
    x, y = ar1(2, 60, 0.3, 8)
    other = x + 1e-9 * ar1(1, 60, 0.0, 9)[0]
    assert abs(trust.contrast(x, other, y).difference) < 1e-6
    with pytest.raises(ValidityError, match="too few to compare"):
        trust.compare(0.5, 0.3, 0.2, 3.5)


class KnownNoise(MLEModel):
    """statsmodels' local level with observation variances that are given."""

    def __init__(self, values: np.ndarray, noise: np.ndarray, step: float) -> None:
        super().__init__(values, k_states=1)
        self.ssm.initialize_diffuse() if hasattr(self.ssm, "initialize_diffuse") else None
        self["design"] = np.ones((1, 1))
        self["transition"] = np.ones((1, 1))
        self["selection"] = np.ones((1, 1))
        self["state_cov"] = np.full((1, 1), step)
        self["obs_cov"] = noise[None, None, :]


def test_the_smoothed_level_is_statsmodels_kalman_smoother() -> None:
    rng = np.random.default_rng(10)
    noise = rng.uniform(0.5, 2.0, 40)
    values = np.cumsum(rng.normal(0, 0.7, 40)) + rng.normal(0, np.sqrt(noise))
    values[[11, 12, 30]] = np.nan
    model = KnownNoise(values, noise, 0.5)
    reference = model.ssm.smooth()
    level, variance = smoothing._smooth(values, noise, 0.5)
    assert level == pytest.approx(reference.smoothed_state[0], abs=1e-8)
    assert variance == pytest.approx(reference.smoothed_state_cov[0, 0], abs=1e-8)
    ours = smoothing.likelihood(values, noise, 0.5) - smoothing.likelihood(values, noise, 1.5)
    theirs = reference.llf - KnownNoise(values, noise, 1.5).ssm.smooth().llf
    assert ours == pytest.approx(theirs, abs=1e-6)


def test_a_level_that_never_moves_is_the_precision_weighted_mean() -> None:
    errors = np.random.default_rng(11).uniform(0.5, 1.5, 60)
    values = 3 + np.random.default_rng(12).standard_normal(60) * errors * 0.5
    found = trust.local_level(values, errors)
    weights = 1 / errors**2
    assert found.level == pytest.approx(np.full(60, (weights * values).sum() / weights.sum()), abs=0.01)
    with pytest.raises(ValidityError, match="positive standard error"):
        trust.local_level(values, np.zeros(60))


def test_the_best_of_many_settings_gets_the_p_of_a_best_of_many() -> None:
    x, y = ar1(20, 60, 0.5, 13), ar1(1, 60, 0.5, 14)[0]
    found = trust.curve({f"s{i}": series for i, series in enumerate(x)}, y, 0, 999, 1)
    best = max(found, key=lambda row: abs(row.statistic))
    assert best.p_family > best.p
    assert best.p_family > 0.05
    assert [row.r for row in found] == sorted(row.r for row in found)
    copies = trust.curve({f"s{i}": x[0] for i in range(20)}, y, 0, 999, 1)
    assert copies[0].p_family == copies[0].p


def test_settings_that_truly_follow_the_survey_are_found_after_choosing() -> None:
    x = ar1(5, 80, 0.5, 15)
    y = x[2] + 0.5 * ar1(1, 80, 0.0, 16)[0]
    found = {row.setting: row for row in trust.curve({f"s{i}": s for i, s in enumerate(x)}, y, 0, 999, 1)}
    assert found["s2"].p_family <= 0.01


def test_placebo_ranks_are_uniform_when_the_real_series_is_a_placebo_too() -> None:
    y = ar1(1, 60, 0.6, 17)[0]
    p = [trust.rank(s[0], s[1:], y).p_level for s in ar1(20 * 60, 60, 0.6, 18).reshape(60, 20, 60)]
    assert 0.35 < np.mean(p) < 0.65
    assert min(p) >= 1 / 20
    strong = trust.rank(y + 0.1 * ar1(1, 60, 0, 19)[0], ar1(19, 60, 0.6, 20), y)
    assert strong.p_level == strong.p_changes == 1 / 20
    with pytest.raises(ValidityError, match="placebos must be a table"):
        trust.rank(y, np.empty((0, 60)), y)
    with pytest.raises(ValidityError, match="does not vary"):
        trust.rank(np.ones(60), ar1(19, 60, 0.6, 20), y)


def test_stability_shows_a_relation_that_holds_in_one_half_only() -> None:
    x, y = ar1(2, 80, 0.2, 21)
    y[:40] = x[:40]
    found = trust.stability(x, y, window=20, n_blocks=4)
    assert found.halves[0].r == pytest.approx(1)
    assert abs(found.halves[1].r) < 0.4
    assert len(found.rolling) == 61
    assert found.left_out[0].n == 60
    plain = np.corrcoef(x, y)[0, 1]
    assert found.smoothed[1] == pytest.approx(plain)
    with pytest.raises(ValidityError, match="do not fit"):
        trust.stability(x[:15], y[:15])


def test_smoothing_uses_present_weeks_and_keeps_gaps() -> None:
    series = np.array([1.0, np.nan, 3.0, 5.0, 7.0])
    smooth = smooth_series(series, 3)
    assert smooth == pytest.approx([1.0, np.nan, 4.0, 5.0, 6.0], nan_ok=True)


def test_the_stage_writes_every_figure_of_every_option_or_says_why_not(tmp_path: Path) -> None:
    study = write_study(tmp_path, correlate={"lags": [1], "draws": 199})
    run = write_run(study, tmp_path / "runs", n_weeks=44, adapters=False)
    survey = pl.read_parquet(run.series / "series.parquet").filter(pl.col("source") == "YouGov")
    series.build(study, run, lambda: [survey])
    trust.run(study, run)
    assert trust.expected(study, run)[0].state == "done"
    written = json.loads((run.trust / "trust.json").read_text())
    assert [entry["option"] for entry in written["options"]] == ["Bored", "Happy", "Sad", "Stressed"]
    happy = written["options"][1]
    assert happy["seeds"]["n_raters"] == 3
    assert 0 < happy["model_reliability"] <= 1
    assert 0 < happy["survey_reliability"] <= 1
    assert happy["corrected"]["ceiling"] == pytest.approx(
        math.sqrt(happy["model_reliability"] * happy["survey_reliability"])
    )
    assert {row["setting"] for row in happy["specification"]} >= {"sequence | clr | all wordings"}
    assert len(happy["smoothed_survey"]["level"]) == len(happy["weeks"]) == 44
    assert happy["nowcast"]["clark_west"]["p"] < 0.05
    assert happy["not_available"] == {}
    assert happy["placebo"]["kind"] == "out-of-time"
    assert happy["placebo"]["p_level"] < 0.1
    found = trust.measure(trust.read(run))
    designs = [Question(found.noise, 0.5).design(changed(found.effort, {"seeds": seeds})) for seeds in (None, 30)]
    now, more = (design.reliability_model for design in designs)
    assert now == pytest.approx(np.median([entry["model_reliability"] for entry in written["options"]]))
    assert now < more < 1
    assert found.persistence is not None
    assert 0.4 < found.persistence <= 0.98
    assert found.effort.weeks == 43  # of 44: week 17 is a gap


def test_figures_without_their_material_are_null_with_the_reason() -> None:
    x, y = ar1(2, 40, 0.5, 30)
    case = trust.Case(x, y, np.full(40, np.nan), np.empty((0, 0, 0)))
    found = trust.assess(case, 199, 1)
    assert found["survey_reliability"] is None
    assert found["corrected"] is None
    assert found["not_available"]["seeds"] == "there are no answers by seed and wording"
    assert found["stability"]["window"] == 20


def test_series_out_of_time_are_a_null_for_unrelated_series() -> None:
    x, y = ar1(80, 60, 0.6, 36), ar1(80, 60, 0.6, 37)
    found = [trust.rank(a, out_of_time(a), b) for a, b in zip(x, y, strict=True)]
    assert np.mean([one.p_level <= 0.1 for one in found]) < 0.25
    assert np.mean([one.p_changes <= 0.1 for one in found]) < 0.25
    assert trust.rank(y[0], out_of_time(y[0]), y[0]).p_level < 0.02


def test_a_study_without_noise_measures_none() -> None:
    option = {"components": None, "survey_reliability": 0.5, "persistence": None, "n_shared": 0}
    with pytest.raises(ValidityError, match="measures no noise"):
        trust.measure(Trust(0, {}, [option]))
