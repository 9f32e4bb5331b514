"""Worlds with a known truth: what is written, and whether it says what the knobs say."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError
from scipy.optimize import brentq
from scipy.special import expit

from temporal_adapters.ground.errors import SimulateError
from temporal_adapters.study.artifacts import RunFolder
from temporal_adapters.study.config import load_study
from temporal_adapters.study.config.simulate import Simulate
from temporal_adapters.worlds import language, stage
from temporal_adapters.worlds.posts import raw_posts
from temporal_adapters.worlds.recovery import count_moods, recovery
from temporal_adapters.worlds.survey import tick_probabilities, waves
from temporal_adapters.worlds.world import populate, week_starts
from temporal_adapters.worlds.write import POSTS, SURVEY, TRUTH, USERS, write_world

SMALL = Simulate(seed=1900, n_weeks=6, gap_weeks=(2,), n_users=60, posts_per_week=150, n_heavy=1, heavy_posts=10)


def posts_of(world: Simulate) -> list[dict[str, Any]]:
    return list(raw_posts(world, populate(world)))


def week_of(post: dict[str, Any], world: Simulate) -> int:
    when = datetime.strptime(post["created_at"], "%a %b %d %H:%M:%S %z %Y").date()
    return (when - world.start).days // 7


def read_posts(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def test_equal_knobs_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_world(SMALL, tmp_path / name)
    for file in (POSTS, SURVEY, TRUTH):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file


def test_one_knob_leaves_the_other_parts_of_the_world_alone() -> None:
    more = SMALL.model_copy(update={"posts_per_week": 300, "n_respondents": 10})
    np.testing.assert_array_equal(populate(SMALL).truth(), populate(more).truth())
    other = SMALL.model_copy(update={"seed": 1901})
    assert not np.allclose(populate(SMALL).truth(), populate(other).truth())


def test_a_gap_week_has_no_posts_but_a_truth_and_a_wave(tmp_path: Path) -> None:
    write_world(SMALL, tmp_path)
    assert {week_of(post, SMALL) for post in read_posts(tmp_path / POSTS)} == {0, 1, 3, 4, 5}
    truth = pl.read_parquet(tmp_path / TRUTH)
    assert truth.filter(~pl.col("collected"))["week"].unique().to_list() == [SMALL.start + timedelta(weeks=2)]
    assert truth.height == 6 * 12
    assert pl.read_csv(tmp_path / SURVEY)["date"].n_unique() == 6


def test_the_truth_of_a_week_adds_up_to_one() -> None:
    np.testing.assert_allclose(populate(SMALL).truth().sum(axis=1), 1.0, atol=1e-12)


def test_posts_come_in_order_of_time_with_unique_ids_and_stay_in_their_week_in_every_european_zone() -> None:
    posts = posts_of(SMALL)
    ids = [int(post["id_str"]) for post in posts]
    assert ids == sorted(set(ids))
    times = [datetime.strptime(post["created_at"], "%a %b %d %H:%M:%S %z %Y") for post in posts]
    assert times == sorted(times)
    for hours in (-1, 1):
        shifted = [(time + timedelta(hours=hours)).date() for time in times]
        assert [(day - SMALL.start).days // 7 for day in shifted] == [week_of(post, SMALL) for post in posts]


def test_shares_of_posts_are_what_the_knobs_say() -> None:
    world = SMALL.model_copy(update={"posts_per_week": 2000, "n_weeks": 4, "gap_weeks": (), "attrition": 0.0})
    posts = posts_of(world)
    ordinary = [post for post in posts if "WIN a" not in post["text"] and post["user"]["id_str"] != "40060"]
    n = len(ordinary)
    assert n == pytest.approx(8000, rel=0.05)
    reposts = [post for post in ordinary if "retweeted_status" in post]
    assert len(reposts) / n == pytest.approx(world.repost_share, abs=0.01)
    assert all(post["text"].startswith("RT @") and len(post["text"]) <= 140 for post in reposts)
    original = [post for post in ordinary if "retweeted_status" not in post]
    assert sum(post["lang"] == "de" for post in original) / n == pytest.approx(world.other_language_share, abs=0.01)
    copies = n - len(reposts) - len({post["text"] for post in original})
    assert copies / n == pytest.approx(world.duplicate_share, abs=0.015)


def test_people_hardly_ever_write_the_same_sentence_by_chance() -> None:
    world = SMALL.model_copy(update={"duplicate_share": 0.0, "repost_share": 0.0, "posts_per_week": 1000})
    texts = [(week_of(post, world), post["text"]) for post in posts_of(world) if post["lang"] == "en"]
    assert len(texts) - len(set(texts)) <= 0.01 * len(texts)


def test_a_mood_word_serves_one_mood_and_is_found_in_its_posts_only() -> None:
    words = Counter(word for mood in language.MOODS.values() for word in mood)
    assert max(words.values()) == 1
    rng = Random(1)
    for mood in language.MOODS:
        texts = pl.DataFrame({"text": [language.mood_post(rng, mood) for _ in range(50)]})
        counted = _counted(texts)
        assert counted[mood] == 50
        assert sum(counted.values()) == 50, (mood, counted)


def _counted(texts: pl.DataFrame) -> dict[str, int]:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "week.parquet"
        texts.write_parquet(path)
        counted = count_moods({date(2023, 1, 2): path})
    return dict(zip(counted["option"], counted["n"], strict=True))


def test_negated_and_ironic_posts_name_the_opposite_mood() -> None:
    rng = Random(2)
    for kind in ({"negated": True}, {"ironic": True}):
        texts = pl.DataFrame({"text": [language.mood_post(rng, "Happy", **kind) for _ in range(40)]})
        assert _counted(texts)["Sad"] == 40


def test_plain_posts_tell_no_mood() -> None:
    rng = Random(3)
    for clauses in (language.PLAIN_CLAUSES, language.SPAM_CLAUSES):
        texts = pl.DataFrame({"text": [language.sentence(rng, clauses) for _ in range(200)]})
        assert sum(_counted(texts).values()) == 0


def test_the_survey_is_a_sample_of_the_same_population() -> None:
    world = SMALL.model_copy(update={"n_weeks": 40, "gap_weeks": (), "n_respondents": 1500})
    people = populate(world)
    expected = tick_probabilities(world, people)
    assert expected.sum(axis=1).mean() == pytest.approx(world.ticks, abs=1e-6)
    drawn = np.array([row["value"] for row in waves(world, people)]).reshape(expected.shape)
    z = (drawn - expected) / np.sqrt(expected * (1 - expected) / world.n_respondents)
    assert np.abs(z.mean()) < 0.2
    assert z.std() == pytest.approx(1.0, abs=0.12)
    r = [np.corrcoef(expected[:, k], people.truth()[:, k])[0, 1] for k in range(12)]
    assert np.mean(r) > 0.9, "who is asked and who posts share their moods unless the selection gap says otherwise"


def test_ar1_moods_have_the_persistence_and_spread_that_were_asked_for() -> None:
    world = Simulate(seed=1902, n_weeks=3000, gap_weeks=(), persistence=0.8, spread=0.4, n_users=2)
    eta = populate(world).eta
    assert eta.std(axis=0).mean() == pytest.approx(0.4, rel=0.06)
    lagged = [np.corrcoef(column[1:], column[:-1])[0, 1] for column in eta.T]
    assert np.mean(lagged) == pytest.approx(0.8, abs=0.03)
    r = np.corrcoef(eta.T)
    names = list(language.MOODS)
    assert r[names.index("Happy"), names.index("Inspired")] == pytest.approx(world.common, abs=0.1)
    assert r[names.index("Happy"), names.index("Sad")] == pytest.approx(-world.common, abs=0.1)


def test_attrition_thins_the_panel() -> None:
    world = Simulate(seed=1903, n_weeks=40, gap_weeks=(), attrition=0.05, n_users=500, posts_per_week=500, n_heavy=0)
    weeks = Counter(week_of(post, world) for post in posts_of(world))
    late = sum(weeks[week] for week in range(35, 40)) / 5
    assert late == pytest.approx(500 * 0.95**37, rel=0.4)
    assert weeks[0] > 400


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"start": "2023-01-03"}, "Tuesday"),
        ({"n_weeks": 10, "gap_weeks": [10]}, "outside the weeks 0 to 9"),
        ({"repost_share": 0.6, "duplicate_share": 0.5}, "more than 1"),
        ({"persistence": 1.0}, "less than 1"),
        ({"ages": [0.5, 0.5, 0.5]}, "add up to 1.5"),
        ({"ages": [0.5, 0.5, 0.0], "asked_ages": [0.3, 0.3, 0.4]}, "nobody in the panel"),
        ({"spraed": 1.0}, "spraed"),
    ],
)
def test_contradictory_knobs_are_refused_by_name(knobs: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Simulate.model_validate(knobs)


def _series(truth: pl.DataFrame, value: pl.Expr) -> pl.DataFrame:
    return truth.select("week", "option", value=value)


@pytest.fixture
def truth() -> pl.DataFrame:
    world = SMALL.model_copy(update={"n_weeks": 12, "gap_weeks": ()})
    mood = populate(world).truth()
    rows = [
        {"week": week, "option": option, "mood": mood[t, k]}
        for t, week in enumerate(week_starts(world))
        for k, option in enumerate(language.MOODS)
    ]
    return pl.DataFrame(rows)


def test_recovery_is_one_for_the_truth_itself_and_minus_one_for_its_mirror(truth: pl.DataFrame) -> None:
    counted = truth.select("week", "option", share=3 * pl.col("mood") + 1)
    same = recovery(_series(truth, pl.col("mood") * 2 - 5), truth, counted)
    assert (same.mean_r, same.ceiling_r, same.efficiency, same.n_weeks) == (1.0, 1.0, 1.0, 12)
    assert recovery(_series(truth, -pl.col("mood")), truth, counted).mean_r == -1.0


def test_recovery_equals_numpy_option_by_option_and_ignores_missing_weeks(truth: pl.DataFrame) -> None:
    noise = pl.Series(np.random.default_rng(4).normal(0, 0.02, truth.height))
    answers = _series(truth, pl.col("mood") + noise)
    gone = truth["week"].unique().sort()[3]
    answers = answers.filter(pl.col("week") != gone)
    found = recovery(answers, truth, truth.select("week", "option", share="mood"))
    assert found.n_weeks == 11
    for option, one in found.options.items():
        x = answers.filter(pl.col("option") == option).sort("week")["value"].to_numpy()
        y = truth.filter((pl.col("option") == option) & (pl.col("week") != gone)).sort("week")["mood"].to_numpy()
        assert one["r"] == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-4)
        steps = np.arange(10) != 2  # the change over the missing week is one of two weeks
        assert one["r_changes"] == pytest.approx(np.corrcoef(np.diff(x)[steps], np.diff(y)[steps])[0, 1], abs=1e-4)


def test_an_answer_that_never_changes_has_no_r_and_recovers_nothing(truth: pl.DataFrame) -> None:
    stuck = _series(truth, pl.when(pl.col("option") == "Sad").then(0.5).otherwise(pl.col("mood")))
    found = recovery(stuck, truth, truth.select("week", "option", share="mood"))
    assert found.options["Sad"]["r"] is None
    assert found.mean_r == pytest.approx(11 / 12, abs=1e-3)


def test_recovery_refuses_answers_that_share_no_weeks_with_the_truth(truth: pl.DataFrame) -> None:
    later = _series(truth, pl.col("mood")).with_columns(pl.col("week").dt.offset_by("10y"))
    with pytest.raises(SimulateError, match="share 0 weeks"):
        recovery(later, truth, truth.select("week", "option", share="mood"))


def test_the_stage_writes_a_world_once_and_again_when_a_knob_changes(tmp_path: Path) -> None:
    small = ["simulate.n_weeks=3", "simulate.gap_weeks=[]", "simulate.posts_per_week=20", "simulate.n_users=10"]
    study, run = load_study("demo", tmp_path, small), RunFolder(tmp_path / "demo")
    assert stage.build(study, run)
    assert not stage.build(study, run)
    assert stage.expected(study, run)[0].state == "done"
    changed = load_study("demo", tmp_path, [*small, "simulate.seed=1904"])
    assert stage.expected(changed, run)[0].reasons() == ["simulate.seed 7 -> 1904"]
    assert stage.build(changed, run)


def test_recovery_before_the_series_says_which_command_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SimulateError, match="run `ta simulate` first"):
        stage.measure(RunFolder(tmp_path))


def test_with_steep_synonyms_only_the_options_own_word_is_left() -> None:
    rng = Random(2001)
    assert {language.mood_word(rng, "Happy", 20.0) for _ in range(300)} == {"happy"}
    assert {language.mood_word(rng, "Happy", 0.0) for _ in range(300)} == set(language.MOODS["Happy"])


def test_subjects_come_and_go_without_any_mood_when_topics_spread() -> None:
    def week_counts(topic_spread: float) -> np.ndarray[Any, Any]:
        world = SMALL.model_copy(update={"topic_spread": topic_spread, "posts_per_week": 600})
        counts = np.zeros((world.n_weeks, len(language.SUBJECTS)))
        for post in posts_of(world):
            if post["lang"] == "en" and "retweeted_status" not in post:
                counts[week_of(post, world)] += [subject in post["text"] for subject in language.SUBJECTS]
        kept = counts[[week for week in range(world.n_weeks) if week not in world.gap_weeks]]
        return kept / kept.sum(axis=1, keepdims=True)

    still, moving = week_counts(0.0).std(axis=0).mean(), week_counts(1.0).std(axis=0).mean()
    assert moving > 2 * still
    spread = SMALL.model_copy(update={"topic_spread": 1.0})
    np.testing.assert_array_equal(populate(spread).truth(), populate(SMALL).truth())


def test_age_groups_have_their_shares_and_differ_in_mood_as_much_as_asked(tmp_path: Path) -> None:
    knobs = {"n_users": 6000, "demographic_spread": 0.8, "user_spread": 0.0, "ages": (0.2, 0.3, 0.5)}
    people = populate(SMALL.model_copy(update=knobs))
    np.testing.assert_allclose(np.bincount(people.age) / 6000, (0.2, 0.3, 0.5), atol=0.03)
    assert len({tuple(offset) for offset in people.offset}) == 6  # nothing but age and gender tells users apart
    assert 0.5 < np.std(people.offset) < 1.8
    write_world(SMALL, tmp_path)
    users = pl.read_csv(tmp_path / USERS, schema_overrides={"user_id": pl.String})
    assert users.height == SMALL.n_users and set(users["age"]) <= {"18-34", "35-54", "55+"}
    authors = {post["user"]["id_str"] for post in read_posts(tmp_path / POSTS)}
    ordinary = set(users["user_id"])
    assert authors & ordinary and len(authors - ordinary) == SMALL.n_heavy


def test_a_survey_of_other_ages_differs_as_those_ages_do() -> None:
    knobs = {"n_users": 3000, "demographic_spread": 1.0, "ages": (0.6, 0.3, 0.1)}
    panel = SMALL.model_copy(update=knobs)
    old = panel.model_copy(update={"asked_ages": (0.0, 0.0, 1.0), "ticks": 2.8})
    people = populate(panel)
    own = tick_probabilities(panel, people)
    assert not np.allclose(own, tick_probabilities(old, people), atol=0.02)
    # Second source: the same people without anybody younger, and SciPy's root of the mean number of ticks.
    offset = people.offset[people.age == 2]
    ticked = lambda shift: np.stack([expit(eta + offset + shift).mean(axis=0) for eta in people.eta])  # noqa: E731
    shift = brentq(lambda value: ticked(value).sum(axis=1).mean() - old.ticks, -20, 20, xtol=1e-12)
    np.testing.assert_allclose(tick_probabilities(old, people), ticked(shift), atol=1e-6)


def test_waves_come_as_often_and_on_the_day_that_was_asked_for() -> None:
    world = SMALL.model_copy(update={"wave_every": 2, "fieldwork_weekday": 1})
    dates = sorted({date.fromisoformat(row["date"]) for row in waves(world, populate(world))})
    assert dates == [world.start + timedelta(weeks=week, days=1) for week in (0, 2, 4)]


def test_the_item_that_asks_for_the_worlds_moods_is_found_by_its_options_and_may_be_missing() -> None:
    moods = {"Happy", "Sad", "Bored"}

    def asked(item: str, *options: str) -> pl.DataFrame:
        return pl.DataFrame({"item": [item] * len(options), "option": list(options)})

    other = asked("jobs", "yes", "no")
    assert stage._about_moods(pl.concat([other, asked("feeling", "Happy", "Sad")]), moods) == "feeling"
    assert (
        stage._about_moods(pl.concat([asked("a", "Happy", "Sad"), asked("britains-mood", "x")]), moods)
        == "britains-mood"
    )
    assert stage._about_moods(other, moods) is None
