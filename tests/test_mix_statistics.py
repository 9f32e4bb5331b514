"""The statistics of the mixing experiment beside second sources: scipy, numpy, scikit-learn, brute force."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.isotonic import IsotonicRegression

from temporal_adapters.ground.errors import MixError
from temporal_adapters.ground.tables import ANSWERS
from temporal_adapters.proof.mix import statistics
from temporal_adapters.proof.mix.curve import CURVE, Question, curve, find_question
from temporal_adapters.proof.mix.draw import mixtures
from temporal_adapters.proof.mix.summary import sentences, summarise
from temporal_adapters.study.artifacts.documents import Mixed
from temporal_adapters.study.config.mix import Mix
from temporal_adapters.study.questionnaire.records import Item, Option, Questionnaire, Wording

SHARES = np.linspace(0, 1, 11)


def noisy(seed: int, n_seeds: int = 4, rise: float = 0.3, noise: float = 0.03) -> np.ndarray:
    return 0.1 + rise * SHARES + np.random.default_rng(seed).normal(0, noise, (n_seeds, 11))


def test_rank_and_product_moment_correlation_are_scipys_with_ties_too() -> None:
    for seed in range(5):
        y = np.round(noisy(seed)[0], 1)
        assert statistics.spearman(SHARES, y) == pytest.approx(stats.spearmanr(SHARES, y).statistic)
        assert statistics.pearson(SHARES, y) == pytest.approx(stats.pearsonr(SHARES, y).statistic)
    assert statistics.spearman(SHARES, np.ones(11)) is None


def test_the_slope_is_that_of_numpy_and_its_interval_that_of_scipys_t_test() -> None:
    grid = noisy(1)
    found = statistics.response(SHARES, grid)
    slopes = [np.polyfit(SHARES, row, 1)[0] for row in grid]
    assert found["slope"]["seeds"] == pytest.approx(slopes)
    interval = stats.ttest_1samp(slopes, 0).confidence_interval(statistics.LEVEL)
    assert found["slope_interval"] == pytest.approx((interval.low, interval.high))
    assert found["slope"]["curve"] == pytest.approx(np.mean(slopes))
    assert statistics.response(SHARES, grid[:1])["slope_interval"] is None


def test_the_interval_of_the_slope_covers_as_often_as_it_says() -> None:
    covered = []
    for seed in range(400):
        low, high = statistics.response(SHARES, noisy(seed, n_seeds=5))["slope_interval"]
        covered.append(low <= 0.3 <= high)
    assert abs(np.mean(covered) - 0.95) < 3 * (0.95 * 0.05 / 400) ** 0.5


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=3, max_size=12), st.sampled_from([1, -1]))
def test_the_isotonic_violation_is_that_of_scikit_learns_regression(values: list[float], direction: int) -> None:
    y = np.array(values)
    found = statistics.isotonic_violation(y, direction)
    if np.ptp(y) < 1e-6:
        return
    fitted = IsotonicRegression(increasing=direction > 0).fit_transform(np.arange(len(y)), y)
    assert found == pytest.approx(((y - fitted) ** 2).sum() / ((y - y.mean()) ** 2).sum(), abs=1e-7)


def test_a_monotone_curve_violates_nothing_and_the_opposite_one_everything() -> None:
    assert statistics.isotonic_violation(SHARES, 1) == 0
    assert statistics.isotonic_violation(SHARES, -1) == pytest.approx(1)
    assert statistics.moving_steps(SHARES, 1) == 1
    assert statistics.moving_steps(np.array([0.1, 0.1, 0.2]), 1) == 0.5


def test_an_option_that_should_fall_is_judged_like_its_mirror_image() -> None:
    grid = noisy(2)
    up, down = statistics.response(SHARES, grid, 1), statistics.response(SHARES, 1 - grid, -1)
    for name in ("steps", "violation"):
        assert up[name]["mean"] == pytest.approx(down[name]["mean"])
    for name in ("spearman", "pearson", "slope"):
        assert up[name]["mean"] == pytest.approx(-down[name]["mean"])


def test_a_constant_answer_counts_as_no_correlation_and_is_not_called_one() -> None:
    found = statistics.response(SHARES, np.full((2, 11), 0.2))
    assert found["spearman"] == {"mean": 0.0, "seeds": [None, None], "curve": None}
    assert found["violation"]["mean"] == 1.0
    calibrated = statistics.calibration(SHARES, np.full((2, 11), 0.2))
    assert calibrated["rmse"] == pytest.approx(calibrated["rmse_guess"])


def test_the_calibration_never_sees_the_share_it_predicts() -> None:
    grid = noisy(3)
    predicted = np.empty_like(grid)
    for place in range(11):
        keep = [other for other in range(11) if other != place]
        b, a = np.polyfit(grid[:, keep].ravel(), np.tile(SHARES[keep], 4), 1)
        predicted[:, place] = a + b * grid[:, place]
    found = statistics.calibration(SHARES, grid)
    assert found["predicted"] == pytest.approx(predicted)
    assert found["rmse"] == pytest.approx(np.sqrt(((predicted - SHARES) ** 2).mean()))
    assert found["rmse"] < found["rmse_guess"]


def test_answers_on_a_line_are_calibrated_without_error_whatever_their_level() -> None:
    grid = np.tile(0.07 + 0.2 * SHARES, (3, 1))
    assert statistics.calibration(SHARES, grid)["rmse"] == pytest.approx(0, abs=1e-9)
    assert statistics.raw_error(SHARES, grid) == pytest.approx(np.abs(0.07 - 0.8 * SHARES).mean())


SETTINGS = Mix(shares=(0.0, 0.5, 1.0), seeds=(3, 8), n_posts=10, checkpoints=(5,))
QUESTION = Question("mood", ("Happy", "Sad", "Bored"), "Sad", "Happy")


def answers() -> pl.DataFrame:
    """ANSWERS of two wordings, whose mean share of Happy is 0.2 + share / 2 (after step 5: half the movement)."""
    rows = []
    models = [("base", 0.2)]
    for mixture in mixtures(SETTINGS):
        models += [(f"{mixture.label}/step-5", 0.2 + mixture.share / 4)]
        models += [(f"{mixture.label}/final", 0.2 + mixture.share / 2)]
    for adapter, happy in models:
        for wording, away in (("a", 0.1), ("b", -0.1)):
            for option, share in (("Happy", happy + away), ("Sad", 0.8 - happy - away), ("Bored", 0.2)):
                rows.append({"adapter": adapter, "item": "mood", "wording": wording, "order": "as-written",
                             "method": "sequence", "option": option, "role": "substantive", "logprob": -1.0,
                             "n_tokens": 1, "share": share, "clr": np.log(max(share, 0.01))})  # fmt: skip
    other = [{**row, "method": "byte", "share": 0.0} for row in rows] + [{**row, "item": "nhs"} for row in rows]
    return pl.DataFrame(rows + other, schema=dict(ANSWERS.columns))


def test_a_curve_has_the_mean_over_wordings_of_the_asked_item_and_method_only() -> None:
    found = curve(answers(), QUESTION, "sequence", mixtures(SETTINGS))
    assert found.columns == list(CURVE.columns)
    assert found.height == (6 * 2 + 1) * 3
    final = found.filter(pl.col("checkpoint") == "final", pl.col("option") == "Happy")
    assert final["answer"].to_list() == pytest.approx([0.2, 0.2, 0.45, 0.45, 0.7, 0.7])
    assert final["pair"].to_list() == pytest.approx([0.25, 0.25, 0.5625, 0.5625, 0.875, 0.875])
    assert final["seed"].to_list() == [3, 8] * 3
    base = found.filter(pl.col("checkpoint") == "base")
    assert base["share"].null_count() == base.height == 3
    assert found.filter(pl.col("option") == "Bored")["pair"].null_count() == 13


def test_a_curve_takes_the_studys_wordings_and_refuses_a_method_that_scored_nothing() -> None:
    found = curve(answers(), QUESTION, "sequence", mixtures(SETTINGS), ["a"])
    assert found.filter(pl.col("option") == "Happy", pl.col("checkpoint") == "base")["answer"][0] == pytest.approx(0.3)
    with pytest.raises(MixError, match="no answer to mood was scored by 'label'"):
        curve(answers(), QUESTION, "label", mixtures(SETTINGS))


def test_the_summary_names_checkpoints_in_order_and_its_lines_hold_the_numbers() -> None:
    found = summarise(curve(answers(), QUESTION, "sequence", mixtures(SETTINGS)), QUESTION)
    assert found["checkpoints"] == ["5", "final"]
    assert found["options"]["Happy"]["base"] == pytest.approx(0.2)
    assert found["dose"]["5"]["slope"]["mean"] == pytest.approx(0.25)
    assert found["dose"]["final"]["slope"]["mean"] == pytest.approx(0.5)
    assert found["options"]["Sad"]["steps"]["mean"] == 1.0
    text = "\n".join(
        sentences(
            Mixed(
                **found,
                recipe={},
                base_digest="",
                label_low="sad",
                label_high="joy",
                n_posts=10,
                nested=False,
                origin="posts.csv",
            )
        )
    )
    assert "3 shares of joy among posts of sad, from 0 to 1; 2 seeds, 10 posts each (posts.csv); question mood" in text
    assert "+0.500 [+0.500, +0.500]" in text


def questionnaire(*options: str, name: str = "mood") -> Questionnaire:
    item = Item(name, "select_one", tuple(Option(o, o) for o in options), (Wording("w", "I feel"),))
    return Questionnaire(f"about-{name}", (item,))


def test_labels_find_their_options_in_any_letter_case_or_by_name() -> None:
    asked = [questionnaire("Happy", "Sad", "Bored"), questionnaire("Yes", "No", name="nhs")]
    found = find_question(asked, Mix(low="sad", high="HAPPY"))
    assert (found.item, found.low, found.high) == ("mood", "Sad", "Happy")
    found = find_question(asked, Mix(low="sadness", high="joy", low_option="Sad", high_option="Happy"))
    assert (found.low, found.high) == ("Sad", "Happy")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"low": "sad", "high": "joy"},
            r"no option is called like the label 'joy': .* --high-option \(Happy, Sad, Yes",
        ),
        ({"low": "sad", "high": "joy", "high_option": "Hapy"}, r"mix.high_option 'Hapy'"),
        ({"low": "sad", "high": "Yes"}, "no item has the options of both labels"),
        ({"low": "sad", "high": "blue", "high_option": "Sad"}, "both stand for the option 'Sad'"),
        ({"item": "moods"}, r"mix.item: .* no 'moods' \(they ask mood, nhs\)"),
    ],
)
def test_options_that_cannot_be_found_are_refused_with_what_to_change(settings: dict[str, str], message: str) -> None:
    asked = [questionnaire("Happy", "Sad"), questionnaire("Yes", "No", name="nhs")]
    with pytest.raises(MixError, match=message):
        find_question(asked, Mix(**settings))


def test_two_items_with_both_options_need_a_choice() -> None:
    asked = [questionnaire("Happy", "Sad"), questionnaire("Sad", "Happy", name="today")]
    with pytest.raises(MixError, match="mood and today have both options"):
        find_question(asked, Mix())
    assert find_question(asked, Mix(item="today")).item == "today"
