"""Answers to weekly series: what is averaged, what spread is kept, and that holes are not papered over."""

from __future__ import annotations

import json
import math
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from temporal_adapters.ground.dates import week_label
from temporal_adapters.ground.errors import SeriesError
from temporal_adapters.ground.tables import ANSWERS, SERIES, check
from temporal_adapters.stages import series
from temporal_adapters.study.artifacts import RunFolder, publish
from temporal_adapters.study.config import Study, load_study

WEEKS = [date(2023, 1, 2) + timedelta(weeks=i) for i in range(4)]
OPTIONS = ("Happy", "Sad", "Bored")


def answers(
    seeds: tuple[int, ...] = (1, 2), wordings: tuple[str, ...] = ("a", "b"), shift: float = 0.0
) -> pl.DataFrame:
    """Made-up answers: log-probabilities random, wording b always `shift` happier."""
    rng = np.random.default_rng(3)
    rows = []
    for adapter, week, seed in [
        ("base", None, None),
        *((f"{week_label(w)}/seed-{s}", w, s) for w in WEEKS for s in seeds),
    ]:
        for wording in wordings:
            logprob = rng.normal(-3, 0.5, len(OPTIONS)) + np.array([shift if wording == "b" else 0.0, 0, 0])
            share = np.exp(logprob) / np.exp(logprob).sum()
            for place, option in enumerate(OPTIONS):
                rows.append(
                    (
                        *(week, seed, adapter, "mood", wording, "as-written", "sequence", option, "substantive"),
                        *(
                            None,
                            None,
                            logprob[place],
                            1,
                            share[place],
                            logprob[place] - logprob.mean(),
                            -3.0,
                            0.2,
                            0.01,
                        ),
                    )
                )
    return check(pl.DataFrame(rows, schema=dict(ANSWERS.columns), orient="row"), ANSWERS)


def value(frame: pl.DataFrame, option: str, week: date) -> float:
    return float(frame.filter(option=option, week=week)["value"].item())


@pytest.mark.parametrize("scale", ["share", "clr", "log-odds", "base"])
def test_a_pooled_value_is_the_plain_mean_over_seeds_and_wordings(scale: series.Scale) -> None:
    frame = answers()
    here = frame.filter(option="Sad", week=WEEKS[1])
    if scale == "base":
        base = frame.filter(pl.col("adapter") == "base", option="Sad").select("wording", b="clr")
        cells = here.join(base, on="wording").select(pl.col("clr") - pl.col("b"))["clr"]
    elif scale == "log-odds":
        cells = pl.Series([math.log(p / (1 - p)) for p in here["share"]])
    else:
        cells = here[scale]
    pooled = series.pool(frame, scale, "sequence")
    assert value(pooled.series, "Sad", WEEKS[1]) == pytest.approx(float(np.mean(cells.to_numpy())), abs=1e-12)


def test_clr_values_of_one_week_sum_to_zero() -> None:
    totals = series.pool(answers(), "clr", "sequence").series.group_by("week").agg(pl.col("value").sum())
    assert totals["value"].abs().max() < 1e-12


def test_a_wording_that_is_always_happier_does_not_widen_the_error() -> None:
    plain, moved = (series.pool(answers(shift=shift), "clr", "sequence") for shift in (0.0, 5.0))
    assert moved.series["se"].to_list() == pytest.approx(plain.series["se"].to_list(), abs=1e-12)
    assert value(moved.series, "Happy", WEEKS[0]) > value(plain.series, "Happy", WEEKS[0]) + 1


def test_the_spread_between_seeds_is_that_of_seed_means() -> None:
    frame = answers(seeds=(1, 2, 3))
    means = frame.filter(option="Happy", week=WEEKS[2]).group_by("seed").agg(pl.col("clr").mean())["clr"]
    row = series.pool(frame, "clr", "sequence").spread.filter(option="Happy", week=WEEKS[2]).row(0, named=True)
    assert row["seed_sd"] == pytest.approx(np.std(means.to_numpy(), ddof=1))
    assert (row["seed_low"], row["seed_high"]) == pytest.approx((means.min(), means.max()))
    assert (row["n_seeds"], row["n_wordings"]) == (3, 2)


def test_the_standard_error_of_two_seeds_and_two_wordings_is_the_one_computed_by_hand() -> None:
    """Week 1: seed means 2 and 4, variance 2 over 2 seeds = 1; wordings less their levels (2.5 and 4.5) at -1 and 0,
    variance .5 over 2 wordings = .25: the root of 1.25. Week 2: seed means 4 and 4; wordings at 1 and 0: .5.
    """
    clr = {(0, 1, "a"): 1, (0, 1, "b"): 3, (0, 2, "a"): 2, (0, 2, "b"): 6}
    clr |= {(1, 1, "a"): 3, (1, 1, "b"): 5, (1, 2, "a"): 4, (1, 2, "b"): 4}
    frame = answers().filter(pl.col("week").is_in(WEEKS[:2]) & (pl.col("option") == "Happy"))
    cells = frame.select("week", "seed", "wording").iter_rows()
    values = [float(clr[WEEKS.index(week), seed, wording]) for week, seed, wording in cells]
    found = series.pool(frame.with_columns(clr=pl.Series(values)), "clr", "sequence").series
    assert found["value"].to_list() == [3.0, 4.0]
    assert found["se"].to_list() == pytest.approx([1.25**0.5, 0.5])


def test_the_standard_error_of_three_seeds_and_two_wordings_divides_each_variance_by_its_own_number() -> None:
    """Week 1: seed means 2, 4, 6, variance 4 over 3 seeds; wordings less their levels (3 and 5) at -1 and 1, variance 2
    over 2 wordings = 1: the root of 7 / 3. Week 2: seed means all 4; wordings at 1 and -1: 1.
    """
    clr = {(0, 1, "a"): 1, (0, 1, "b"): 3, (0, 2, "a"): 2, (0, 2, "b"): 6, (0, 3, "a"): 3, (0, 3, "b"): 9}
    clr |= {(1, 1, "a"): 3, (1, 1, "b"): 5, (1, 2, "a"): 4, (1, 2, "b"): 4, (1, 3, "a"): 5, (1, 3, "b"): 3}
    frame = answers(seeds=(1, 2, 3)).filter(pl.col("week").is_in(WEEKS[:2]) & (pl.col("option") == "Happy"))
    cells = frame.select("week", "seed", "wording").iter_rows()
    values = [float(clr[WEEKS.index(week), seed, wording]) for week, seed, wording in cells]
    found = series.pool(frame.with_columns(clr=pl.Series(values)), "clr", "sequence").series
    assert found["value"].to_list() == [4.0, 4.0]
    assert found["se"].to_list() == pytest.approx([(7 / 3) ** 0.5, 1.0])


def test_one_seed_and_one_wording_have_no_standard_error() -> None:
    assert series.pool(answers(seeds=(1,), wordings=("a",)), "clr", "sequence").series["se"].null_count() == 12


def test_a_method_or_wording_without_answers_is_refused_by_name() -> None:
    with pytest.raises(SeriesError, match="no answers were scored by 'first'"):
        series.pool(answers(), "clr", "first")
    with pytest.raises(SeriesError, match="names 'c'"):
        series.pool(answers(), "clr", "sequence", ["c"])


def test_a_hole_in_weeks_by_seeds_is_refused_and_named() -> None:
    frame = answers().filter(pl.col("week").is_not_null())
    series.require_complete(frame, WEEKS, (1, 2))
    holed = frame.filter(~((pl.col("week") == WEEKS[2]) & (pl.col("seed") == 2) & (pl.col("wording") == "b")))
    with pytest.raises(SeriesError, match=r"1 of 8 weeks x seeds lack answers, first 2023-W03/seed-2 \(wording 'b'\)"):
        series.require_complete(holed, WEEKS, (1, 2))
    with pytest.raises(SeriesError, match="4 of 12"):
        series.require_complete(frame, WEEKS, (1, 2, 3))


def study(folder: Path, **sections: object) -> Study:
    document = {"study": "s", "panel": {"paths": ["x.csv"]}, "train": {"seeds": [1, 2], "steps": 1}, **sections}
    (folder / "study.yaml").write_text(json.dumps(document))
    return load_study(folder / "study.yaml", folder / "runs")


def run_folder(folder: Path, frame: pl.DataFrame) -> RunFolder:
    run = RunFolder(folder / "runs" / "s")
    weeks = [
        {"label": week_label(w), "start": str(w), "end": str(w + timedelta(days=6)), "n_posts": 9, "n_users": 3}
        for w in WEEKS
    ]
    with publish(run.weeks, stage="weeks", key="w", version=1, config={}, inputs={}) as work:
        for week in weeks:
            (work.folder / f"{week['label']}.parquet").write_text("")
            pl.DataFrame({"a": [1]}).write_parquet(work.folder / f"{week['label']}.parquet")
        work.facts["weeks"] = weeks
    with publish(run.answers, stage="answers", key="a", version=1, config={}, inputs={}) as work:
        frame.write_parquet(work.folder / "answers.parquet")
    return run


def test_the_stage_publishes_series_once_and_again_only_when_something_changed(tmp_path: Path) -> None:
    run = run_folder(tmp_path, answers())
    first = series.build(study(tmp_path), run)
    assert series.build(study(tmp_path), run).created == first.created
    assert series.expected(study(tmp_path), run)[0].state == "done"
    assert check(pl.read_parquet(run.series / "series.parquet"), SERIES).height == 12
    assert pl.read_parquet(run.series / "spread.parquet")["scale"].unique().sort().to_list() == ["clr", "share"]
    assert series.expected(study(tmp_path, series={"scale": "share"}), run)[0].reasons() == [
        "series.scale 'clr' -> 'share'"
    ]


def test_the_stage_refuses_a_seed_that_was_never_asked_unless_allowed(tmp_path: Path) -> None:
    run = run_folder(tmp_path, answers(seeds=(1,)))
    with pytest.raises(SeriesError, match=r"series\.allow_missing"):
        series.build(study(tmp_path), run)
    assert not run.series.exists()
    assert series.build(study(tmp_path, series={"allow_missing": True}), run).facts["weeks"] == 4


def test_a_survey_may_not_call_itself_adapters(tmp_path: Path) -> None:
    run = run_folder(tmp_path, answers())
    other = pl.DataFrame(
        [("adapters", "mood", "Happy", WEEKS[0], 0.1, None, None)], schema=dict(SERIES.columns), orient="row"
    )
    with pytest.raises(SeriesError, match=r"survey\.source"):
        series.build(study(tmp_path), run, lambda: [other])


def test_the_order_of_the_answers_does_not_change_a_single_bit() -> None:
    frame = answers(seeds=(1, 2, 3))
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=3)
    for scale in ("clr", "base"):
        first, second = series.pool(frame, scale, "sequence"), series.pool(shuffled, scale, "sequence")
        assert first.series.equals(second.series)
        assert first.spread.equals(second.spread)
        assert first.wordings.equals(second.wordings)


def test_a_changed_link_or_survey_file_makes_the_series_stale(tmp_path: Path) -> None:
    asked = (
        "questionnaire: q\nitems:\n- item: mood\n  type: select_one\n  options: [{text: Happy, survey: NAME}, Sad]\n"
    )
    asked += "  wordings: [{wording: a, text: 'How are you?'}]\n"
    questionnaire, tracker = tmp_path / "q.yaml", tmp_path / "survey.csv"
    questionnaire.write_text(asked.replace("NAME", "cheerful"))
    tracker.write_text("date,question,option,value,n\n2023-01-04,mood,cheerful,0.4,9\n")
    sections = {"survey": {"paths": ["survey.csv"]}, "probe": {"questionnaires": [str(questionnaire)]}}
    run = run_folder(tmp_path, answers())
    series.build(study(tmp_path, **sections), run)
    assert series.expected(study(tmp_path, **sections), run)[0].state == "done"
    questionnaire.write_text(asked.replace("NAME", "gay"))
    changed = series.expected(study(tmp_path, **sections), run)[0].reasons()
    assert changed == ["links.mood / Happy 'mood / cheerful' -> 'mood / gay'"]
    questionnaire.write_text(asked.replace("NAME", "cheerful"))
    tracker.write_text(tracker.read_text().replace("0.4", "0.5"))
    assert series.expected(study(tmp_path, **sections), run)[0].reasons() == ["input survey 1: survey.csv changed"]
    tracker.unlink()
    assert series.expected(study(tmp_path, **sections), run)[0].state == "stale"
