"""ta power: how noise falls with effort, against draws from the model, scipy, and brute force on counted worlds."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from temporal_adapters.cli import app
from temporal_adapters.engines.significance import power
from temporal_adapters.engines.significance.effort import PARTS, Effort, Noise, Question, needed, what_if
from temporal_adapters.front.power import planned_noise
from temporal_adapters.ground.errors import CorrelateError, ValidityError
from temporal_adapters.stages import trust
from temporal_adapters.study.artifacts.documents import Halved, Trust
from temporal_adapters.study.config.simulate import Simulate
from temporal_adapters.worlds import counts
from temporal_adapters.worlds.language import MOODS
from temporal_adapters.worlds.posts import raw_posts
from temporal_adapters.worlds.survey import tick_probabilities, waves
from temporal_adapters.worlds.world import populate

ROOT = Path(__file__).resolve().parents[1]
QUESTION = Question((Noise(posts=1000, users=60, seeds=0.4, wordings=0.3, cells=0.2, survey=300),), r=0.8)
EFFORT = Effort(weeks=60, posts=2000, users=300, seeds=2, wordings=3, respondents=1500)


def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_power", ROOT / "benchmarks" / "power.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def drawn(rng: np.random.Generator, noise: Noise, effort: Effort, n: int) -> np.ndarray[Any, Any]:
    """Return cells (weeks, seeds, wordings) of the model that `Noise` describes, posts and users sampled anew."""
    assert effort.posts is not None
    assert effort.users is not None
    signal = np.sqrt(noise.signal) * np.random.default_rng(1).standard_normal(n)
    shared = np.sqrt(float(noise.posts or 0) / effort.posts + float(noise.users or 0) / effort.users)
    cells = (signal + shared * rng.standard_normal(n))[:, None, None]
    parts = ((noise.seeds, (n, effort.seeds, 1)), (noise.wordings, (n, 1, effort.wordings)))
    for variance, shape in (*parts, (noise.cells, (n, effort.seeds, effort.wordings))):
        cells = cells + np.sqrt(variance) * rng.standard_normal(shape)
    return cells


def test_the_reliability_is_the_squared_correlation_of_draws_with_their_signal() -> None:
    noise = QUESTION.noise[0]
    for effort in (EFFORT, Effort(60, 500, 300, 1, 1), Effort(60, 100_000, 40, 3, 8)):
        cells = drawn(np.random.default_rng(2), noise, effort, 40_000)
        signal = np.random.default_rng(1).standard_normal(40_000)
        r = np.corrcoef(cells.mean(axis=(1, 2)), signal)[0, 1]
        assert noise.reliability_model(effort) == pytest.approx(r**2, abs=0.01)


def test_more_posts_of_few_users_saturate_at_what_the_users_do_otherwise() -> None:
    noise = Noise(posts=1000, users=60)
    many = [noise.reliability_model(Effort(60, posts, 30)) for posts in (1e3, 1e5, 1e9)]
    assert many == sorted(many)
    assert many[-1] == pytest.approx(1 / (1 + 60 / 30), abs=1e-6)
    # Kish's design effect for clusters: p(1-p) ((1-rho)/P + rho/U) is the same with posts = 1-rho and users = rho.
    rho, share = 0.05, 0.2
    kish = Noise(posts=share * (1 - share) * (1 - rho), users=share * (1 - share) * rho)
    variance = share * (1 - share) * (1 + (50 - 1) * rho) / (50 * 40)
    assert 1 / kish.reliability_model(Effort(60, 2000, 40)) - 1 == pytest.approx(variance)


def test_the_noise_of_a_study_and_its_halves_gives_back_what_it_was_drawn_from() -> None:
    true, n, whole = QUESTION.noise[0], 6000, Effort(6000, 2000, 300, 3, 4)
    half = dataclasses.replace(whole, posts=1000, users=150)
    by_users = np.stack([drawn(np.random.default_rng(seed), true, half, n) for seed in (3, 4)], axis=1)
    same = np.sqrt(60 / 300) * np.random.default_rng(5).standard_normal((n, 1, 1))
    no_users = dataclasses.replace(true, users=0.0)
    by_posts = np.stack([drawn(np.random.default_rng(seed), no_users, half, n) + same for seed in (6, 7)], axis=1)
    factors = ("week", "half", "seed", "wording")
    found = trust.noise(
        trust.components(drawn(np.random.default_rng(8), true, whole, n)),
        trust.Halves(trust.components(by_users, factors), 1000, 150),
        trust.Halves(trust.components(by_posts, factors), 1000, 150),
        survey_reliability=1 / (1 + 300 / 1500),
        respondents=1500,
    )
    assert found.signal == pytest.approx(1, abs=0.1)
    assert found.posts == pytest.approx(1000, rel=0.08)
    assert found.users == pytest.approx(60, rel=0.3)
    assert found.seeds == pytest.approx(0.4, rel=0.1)
    assert found.wordings == pytest.approx(0.3, rel=0.1)
    assert found.cells == pytest.approx(0.2, rel=0.1)
    assert found.survey == pytest.approx(300)
    for effort in (whole, Effort(60, 20_000, 300, 1, 1)):
        assert found.reliability_model(effort) == pytest.approx(true.reliability_model(effort), abs=0.03)


def test_a_half_that_shares_nothing_with_the_other_has_no_signal_at_any_number_of_posts() -> None:
    noise = np.random.default_rng(9).standard_normal((400, 2))
    noise[:, 1] = -noise[:, 0]
    halves = trust.Halves(trust.components(noise, ("week", "half")), 500, 50)
    found = trust.noise(None, halves)
    assert (found.signal, found.posts) == (0.0, 0.0)
    assert found.reliability_model(Effort(60, 1e9)) == pytest.approx(0.02)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("test", ["dynamics", "level"])
def test_what_is_needed_is_enough_and_one_less_is_not(part: str, test: str) -> None:
    question = dataclasses.replace(QUESTION, r=0.9)
    number = needed(question, EFFORT, part, 0.75, test)
    if number is None:
        assert question.power(dataclasses.replace(EFFORT, **{part: 10**6 if part != "weeks" else 2000}))[test] < 0.75
        return
    assert question.power(dataclasses.replace(EFFORT, **{part: number}))[test] >= 0.75
    if number > (12 if part == "weeks" else 1):
        assert question.power(dataclasses.replace(EFFORT, **{part: number - 1}))[test] < 0.75


def test_no_number_of_posts_is_enough_where_users_are_too_few() -> None:
    few = dataclasses.replace(EFFORT, users=5)
    assert needed(QUESTION, few, "posts") is None
    assert needed(QUESTION, EFFORT, "posts", 0.6) is not None
    with pytest.raises(CorrelateError, match="noise of users is not known"):
        needed(Question((Noise(posts=1000),), 0.5), EFFORT, "users")


def test_what_if_changes_one_part_at_a_time_and_more_is_never_worse() -> None:
    rows = what_if(QUESTION, EFFORT)
    assert rows[0].change == "as planned"
    for part in PARTS:
        here = [row for row in rows[1:] if row.change.startswith(part)]
        here.sort(key=lambda row: getattr(row.effort, part))
        assert len(here) == 3
        assert [row.dynamics for row in here] == sorted(row.dynamics for row in here)
        assert [row.level for row in here] == sorted(row.level for row in here)
        assert {dataclasses.replace(row.effort, **{part: getattr(EFFORT, part)}) for row in here} == {EFFORT}


def test_a_lag_costs_its_weeks_and_no_more() -> None:
    there, here = power.Design(60, 0.5, lag=-6), power.Design(54, 0.5)
    assert power.analytic(there) == power.analytic(here)
    for lag in (6, -6):
        found = power.simulated(dataclasses.replace(there, lag=lag), 300, 3)
        assert found["dynamics"] == pytest.approx(power.analytic(here)["dynamics"], abs=0.1)
        assert found["level"] == pytest.approx(power.analytic(here)["level"], abs=0.1)
    with pytest.raises(CorrelateError, match="20 weeks at lag 9 are too few, at least 21"):
        power.Design(20, 0.5, lag=9)


def test_effective_weeks_of_levels_are_those_of_unrelated_draws() -> None:
    """Second source: the variance of numpy's corrcoef over draws of scipy's multivariate normal."""
    design = power.Design(40, 0.0, 0.8, 0.6, 0.9)
    decay = 0.8 ** np.abs(np.subtract.outer(np.arange(40), np.arange(40)))
    sides = [
        stats.multivariate_normal(cov=rel * decay + (1 - rel) * np.eye(40), seed=seed).rvs(4000)
        for rel, seed in ((0.6, 1), (0.9, 2))
    ]
    r = [np.corrcoef(x, y)[0, 1] for x, y in zip(*sides, strict=True)]
    assert power._seen_levels(design)[1] == pytest.approx(1 / np.var(r), rel=0.15)


@pytest.mark.parametrize(("weeks", "reliability"), [(30, 0.12), (40, 0.3), (100, 0.12)])
def test_the_formula_of_levels_holds_for_a_signal_deep_in_noise(weeks: int, reliability: float) -> None:
    design = power.Design(weeks, 0.99, 0.7, reliability, 0.8)
    assert power.analytic(design)["level"] == pytest.approx(power.simulated(design, 400, 5)["level"], abs=0.1)


def test_counts_are_those_of_a_worlds_posts_and_the_survey_is_the_worlds() -> None:
    """Second source: the posts themselves, their mood words counted one by one."""
    knobs = {
        "seed": 2001,
        "n_weeks": 12,
        "posts_per_week": 1500,
        "gap_weeks": (3,),
        "negation_share": 0.1,
        "n_heavy": 0,
    }
    world = Simulate.model_validate({**knobs, "duplicate_share": 0})
    people = populate(world)
    patterns = {mood: re.compile(r"\b(?:" + "|".join(words) + r")\b", re.I) for mood, words in MOODS.items()}
    posts = [p["text"] for p in raw_posts(world, people) if "retweeted_status" not in p and p["lang"] == "en"]
    seen = np.array([sum(bool(pattern.search(text)) for text in posts) for pattern in patterns.values()])
    collected = [week for week in range(12) if week != 3]
    expected = counts.expected_posts(world, people)[collected].sum(axis=0)
    assert np.all(np.abs(seen - expected) < 4 * np.sqrt(expected))
    assert seen.sum() == pytest.approx(expected.sum(), rel=0.03)
    assert counts.tick_shares(world, people) == pytest.approx(tick_probabilities(world, people), abs=1e-8)
    counted = counts.count_world(world)
    assert np.isnan(counted.posts[3]).all()
    assert np.nansum(counted.posts, axis=0) == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize(
    "knobs", [{}, {"asked_ages": (0.1, 0.2, 0.7), "demographic_spread": 1.0}, {"selection_gap": 1.0, "wave_every": 3}]
)
def test_the_survey_beside_counts_is_the_worlds_whoever_is_asked_and_when(knobs: dict[str, Any]) -> None:
    world = Simulate.model_validate({"seed": 2003, "n_weeks": 12, "gap_weeks": (), "n_users": 300, **knobs})
    people = populate(world)
    assert counts.tick_shares(world, people) == pytest.approx(tick_probabilities(world, people), abs=1e-8)
    counted = counts.count_world(world).survey
    asked = np.isfinite(counted).all(axis=1)
    fielded = [row["value"] for row in waves(world, people)]
    assert asked.tolist() == [week % world.wave_every == 0 for week in range(12)]
    assert counted[asked].ravel() == pytest.approx(np.array(fielded), abs=1e-6)


def test_counts_of_both_halves_of_the_users_add_up_to_all() -> None:
    world = Simulate(seed=2002, n_weeks=5, gap_weeks=())
    people = populate(world)
    first = np.arange(world.n_users) % 2 == 0
    halves = [counts.expected_posts(world, people, users) for users in (first, ~first)]
    assert halves[0] + halves[1] == pytest.approx(counts.expected_posts(world, people))


def document(halves: bool, seeds: int = 3) -> tuple[Trust, dict[str, Halved]]:
    """Return what of a study's trust and of its halves power reads."""
    variance = {"week": 1.2, "seed": 0.0, "week:seed": 0.6}
    known = {"variance": variance, "n": {"week": 50, "seed": seeds}} if seeds > 1 else None
    option = {"item": "mood", "option": "Happy", "components": known, "survey_reliability": 0.8, "respondents": 1000.0}
    option |= {"persistence": {"survey": 0.48, "model": 0.3}, "n_shared": 50}
    split = {"variance": {"week": 1.0, "half": 0.0, "week:half": 0.5}, "n": {"week": 50, "half": 2}}
    half = Halved("users", 400.0, 40.0, [{"item": "mood", "option": "Happy", "components": split}])
    return Trust(0, {}, [option]), {"users": half} if halves else {}


def test_a_study_without_halves_knows_seeds_but_not_posts() -> None:
    found = trust.measure(*document(halves=False))
    question = Question(found.noise, 0.5)
    assert (found.effort.seeds, found.effort.posts, found.effort.respondents) == (3, None, 1000)
    assert question.knows("seeds")
    assert not question.knows("posts")
    assert found.persistence == pytest.approx(0.6)
    with pytest.raises(ValidityError, match="measures no noise"):
        trust.measure(document(halves=False, seeds=1)[0])
    old = {key: value for key, value in document(halves=False)[0].options[0].items() if key != "n_shared"}
    with pytest.raises(ValidityError, match="run `ta correlate` again"):
        trust.measure(Trust(0, {}, [old]))


def test_halves_of_users_turn_signal_into_noise_of_posts() -> None:
    found = trust.measure(*document(halves=True))
    noise = found.noise[0]
    assert noise.signal == pytest.approx(1.2 / 1.25)  # half of a half's noise, 0.5 / 2, is left in the whole
    assert noise.posts == pytest.approx(0.5 * 400 * 1.2 / 1.25)
    assert noise.users is None
    assert found.effort.posts == 800
    assert noise.reliability_model(found.effort) == pytest.approx(0.96 / (0.96 + 0.24 + 0.2))
    alone = trust.measure(*document(halves=True, seeds=1))
    assert alone.noise[0].reliability_model(alone.effort) == pytest.approx(1 / 1.25)


@pytest.mark.parametrize("respondents", [1000.0, None])
def test_a_survey_of_noise_alone_is_worth_nothing_with_and_without_its_number_of_respondents(
    respondents: float | None,
) -> None:
    option = document(halves=False)[0].options[0]
    options = [{**option, "survey_reliability": known, "respondents": respondents} for known in (0.0, 0.0, 0.5)]
    found = trust.measure(Trust(0, {}, options))
    assert [one.reliability_survey(found.effort) for one in found.noise] == pytest.approx([0.02, 0.02, 0.5])
    assert Question(found.noise, 0.5).knows("respondents") is (respondents is not None)
    assert found.persistence == pytest.approx(0.48 / 0.5)
    blind = trust.measure(Trust(0, {}, options[:2]))
    assert blind.persistence is None
    assert Question(blind.noise, 0.5).design(blind.effort).reliability_survey == pytest.approx(0.02)


def asked(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["power", *words])
    return result.exit_code, result.output if result.exception is None else str(result.exception)


def test_the_command_solves_for_posts_and_draws_the_curves(tmp_path: Path) -> None:
    by_hand = ["--noise-at", "800", "--users-noise-at", "20", "--posts", "1000", "--users", "200"]
    survey = ["--reliability-survey", "0.9", "--r", "0.7", "--weeks", "60"]
    code, output = asked(*by_hand, *survey, "--worlds", "40", "--json", "--plot", str(tmp_path / "p.svg"))
    assert code == 0
    found = json.loads(output)
    assert set(found["needed"]) == {"weeks", "posts", "users"}
    posts = found["needed"]["posts"]["changes"]
    again = json.loads(asked(*by_hand, *survey, "--worlds", "0", "--json", "--posts", str(posts))[1])
    assert again["formula"]["dynamics"] >= 0.8
    svg = (tmp_path / "p.svg").read_text()
    assert "1,000 posts" in svg
    assert "shared weeks" in svg


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--posts", "1000"], "noise of posts is not known: give it by --noise-at"),
        (["--noise-at", "1000"], "--noise-at needs --posts"),
        (["--seeds", "3"], "take it from a finished study"),
        (["--plot", "curve.gif"], "must end in"),
        (["--plot", "nowhere/curve.svg"], "the folder nowhere does not exist"),
        (["--reliability-model", "1.5"], "a reliability of 1.5 does not exist"),
        (["--alpha", "0.9"], "--alpha 0.9: a family-wise error rate lies above 0 and below 0.5"),
        (["--alpha", "2"], "--alpha 2: "),
        (["--alpha", "-1"], "--alpha -1: "),
    ],
)
def test_numbers_that_would_change_nothing_are_refused(words: list[str], said: str) -> None:
    code, output = asked(*words, "--worlds", "0")
    assert code != 0
    assert said in output


@pytest.mark.slow
def test_the_prediction_agrees_with_brute_force_at_three_settings() -> None:
    """Second source: worlds drawn, counted and tested, with the noise measured on one other, long world."""
    bench = benchmark()
    question, _ = bench.measure(2900, 500, 1000)
    for one in bench.compare(question, 2000, 300, bench.SETTINGS).values():
        assert abs(one["formula"]) <= 0.1
        assert abs(one["simulated"]) <= 0.1


def test_reliability_for_other_posts_and_users_agrees_with_brute_force() -> None:
    """Second source: correlation with the public from which each world's panel is a sample."""
    found = benchmark().saturation(2000, 8)
    assert len(found) == 6
    assert max(abs(value) for value in found.values()) < 0.15


def test_the_models_reliability_by_hand_leaves_the_surveys_noise_alone() -> None:
    measured = trust.Measured((Noise(rest=0.2, survey_rest=1.0),), 0.7, Effort(weeks=60), ())
    by_hand = planned_noise(measured, None, None, 1 / 1.2, None)
    for one, other in zip(by_hand, measured.noise, strict=True):
        assert one.reliability_survey(measured.effort) == pytest.approx(0.5)
        assert one.reliability_model(measured.effort) == pytest.approx(other.reliability_model(measured.effort))


def test_missing_weeks_cost_power_by_formula_as_in_simulations() -> None:
    """Second source: worlds whose survey lacks weeks at random, tested as a study is."""
    whole, holed = power.Design(60, 0.5), power.Design(60, 0.5, missing=0.25)
    formula, simulated = power.analytic(holed), power.simulated(holed, 400, 5)
    assert formula["dynamics"] == pytest.approx(simulated["dynamics"], abs=0.1)
    assert formula["level"] == pytest.approx(simulated["level"], abs=0.1)
    assert formula["dynamics"] < power.analytic(whole)["dynamics"]
    assert power.analytic(power.Design(60, 0.5, missing=0.0)) == power.analytic(whole)
    with pytest.raises(CorrelateError, match="20 weeks with 50% missing are too few, at least 24"):
        power.Design(20, 0.5, missing=0.5)
    with pytest.raises(CorrelateError, match=r"missing weeks must lie from 0 to below 0\.7"):
        power.Design(60, 0.5, missing=0.7)
    shown = CliRunner().invoke(app, ["power", "--weeks", "60", "--missing", "0.25", "--worlds", "0"])
    assert "missing 0.25" in shown.output and f"D {formula['dynamics']:.2f}" in shown.output
