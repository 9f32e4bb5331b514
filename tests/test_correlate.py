"""From two sources of series to lags and verdicts: nothing shifts, nothing is silently dropped."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from classic_series import FEMALE_DEATHS, MALE_DEATHS, SALES, SALES_LEAD
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_run import rewrite
from typer.testing import CliRunner

from temporal_adapters.cli import app
from temporal_adapters.engines.significance import pairs as weekly_pairs
from temporal_adapters.engines.significance.regularities import mean_weeks
from temporal_adapters.ground.errors import CorrelateError
from temporal_adapters.ground.tables import SERIES
from temporal_adapters.stages import correlate
from temporal_adapters.stages.correlate import sentences
from temporal_adapters.stages.correlate.calendar import regressors
from temporal_adapters.stages.correlate.lags import document, lags_table, results_table
from temporal_adapters.stages.correlate.plan import _deciding, deviations
from temporal_adapters.stages.correlate.records import verdict
from temporal_adapters.study.artifacts import RunFolder, digest_json, publish
from temporal_adapters.study.config import Study, load_study
from temporal_adapters.study.config.correlate import Correlate

START = date(2020, 1, 6)
FAST = {"draws": 999, "shown_lags": ()}


def table(values: dict[tuple[str, str], np.ndarray], first: date = START) -> pl.DataFrame:
    rows = [
        (source, "mood", option, first + timedelta(weeks=week), None if np.isnan(value) else float(value), None, None)
        for (source, option), numbers in values.items()
        for week, value in enumerate(numbers)
    ]
    return pl.DataFrame(rows, schema=dict(SERIES.columns), orient="row")


def pairs(model: np.ndarray, survey: np.ndarray, **options: object) -> correlate.Pairs:
    return correlate.align(table({("adapters", "a"): model, ("s", "a"): survey}), "adapters", "s", **options)


def noise(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(n)


def only(found: correlate.Analysis, lag: int = 0) -> correlate.Result:
    return next(result for result in found.results if result.lag == lag)


def test_the_two_r_data_sets_get_the_verdicts_tracks_and_co_trends_only() -> None:
    deaths = correlate.analyse(pairs(MALE_DEATHS, FEMALE_DEATHS), Correlate(**FAST))
    sales = correlate.analyse(pairs(SALES_LEAD, SALES), Correlate(**FAST))
    assert only(deaths).verdict == "tracks"
    assert only(sales).verdict == "co-trends"


def test_the_leading_indicator_is_found_to_lead_by_three() -> None:
    found = correlate.analyse(pairs(SALES_LEAD, SALES, lags=[4]), Correlate(lags=tuple(range(-4, 5)), **FAST))
    best = max(found.tested, key=lambda result: abs(result.dynamics.statistic))
    assert best.lag == 3
    assert best.dynamics.p_family <= 0.01


@pytest.mark.parametrize("delay", [-3, 0, 2])
def test_a_delayed_copy_peaks_at_its_delay_in_levels_and_changes(delay: int) -> None:
    x = noise(80, 1)
    found = correlate.analyse(
        pairs(x[10:70], x[10 - delay : 70 - delay], lags=[4]), Correlate(lags=tuple(range(-4, 5)), **FAST)
    )
    assert max(found.results, key=lambda result: result.r).lag == delay
    assert max(found.results, key=lambda result: result.changes_r).lag == delay
    assert only(found, delay).r == pytest.approx(1)


def test_swapping_the_series_mirrors_the_lags() -> None:
    x, y = noise(60, 2), noise(60, 3) + np.roll(noise(60, 2), 2)
    five = Correlate(lags=(-2, -1, 0, 1, 2), **FAST)
    there = correlate.analyse(pairs(x, y, lags=[2]), five)
    back = correlate.analyse(pairs(y, x, lags=[2]), five)
    for lag in five.lags:
        assert only(there, lag).r == pytest.approx(only(back, -lag).r, abs=1e-12)
        assert only(there, lag).changes_r == pytest.approx(only(back, -lag).changes_r, abs=1e-12)
        assert only(there, lag).dynamics.statistic == pytest.approx(only(back, -lag).dynamics.statistic, abs=1e-9)


def test_scale_and_location_change_nothing() -> None:
    x, y = noise(50, 4), noise(50, 5)
    plain = only(correlate.analyse(pairs(x, y), Correlate(**FAST)))
    moved = only(correlate.analyse(pairs(1e6 + 1e3 * x, 5e-4 * y - 0.2), Correlate(**FAST)))
    assert moved.r == pytest.approx(plain.r, abs=1e-9)
    assert moved.dynamics.p == plain.dynamics.p
    assert moved.level.p == plain.level.p
    assert moved.ci_low == pytest.approx(plain.ci_low, abs=1e-9)


def test_a_gap_drops_pairs_and_never_shifts_them() -> None:
    x = noise(60, 6)
    y = np.roll(x, 1)
    y[0] = 0
    gappy = y.copy()
    gappy[[20, 21, 40]] = np.nan
    found = correlate.analyse(pairs(x, gappy, lags=[2]), Correlate(lags=(0, 1, 2), **FAST))
    assert only(found, 1).r == pytest.approx(1)
    assert only(found, 1).n_pairs == 56
    assert only(found, 0).n_pairs == 57
    row_missing = table({("adapters", "a"): x, ("s", "a"): gappy}).drop_nulls("value")
    again = correlate.align(row_missing, "adapters", "s", lags=[2])
    assert np.array_equal(again.survey, pairs(x, gappy, lags=[2]).survey, equal_nan=True)


def test_a_lagged_pair_may_use_a_week_that_only_one_source_has() -> None:
    x, y = noise(30, 7), noise(30, 8)
    x[:5] = np.nan
    y[-5:] = np.nan
    found = pairs(x, y, lags=[0, 3])
    assert len(found.weeks) == 26
    assert found.weeks[0] == START + timedelta(weeks=2)


@pytest.mark.parametrize(
    ("model", "survey", "words"),
    [
        (np.ones(30), noise(30, 1), "'adapters' is constant (1)"),
        (noise(11, 1), noise(11, 2), "11 shared weeks, at least 12"),
        (np.where(np.arange(30) == 4, np.inf, noise(30, 1)), noise(30, 2), "infinite value in 2020-02-03"),
        (noise(30, 1), np.where(np.arange(30) % 2, np.nan, noise(30, 2)), "0 pairs of consecutive weeks"),
        (noise(30, 1), np.full(30, np.nan), "hold no value at all"),
    ],
)
def test_series_that_cannot_be_correlated_are_refused_in_one_sentence(
    model: np.ndarray, survey: np.ndarray, words: str
) -> None:
    with pytest.raises(CorrelateError) as caught:
        pairs(model, survey)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_shared_week_option_or_source_is_said_with_what_there_is() -> None:
    ours = table({("adapters", "a"): noise(20, 1)})
    with pytest.raises(CorrelateError, match=r"'s' \(2021-01-04 to 2021-05-17\) shares no week"):
        correlate.align(pl.concat([ours, table({("s", "a"): noise(20, 2)}, date(2021, 1, 4))]), "adapters", "s")
    with pytest.raises(CorrelateError, match="share no option: mood / a meets none of mood / b"):
        correlate.align(pl.concat([ours, table({("s", "b"): noise(20, 2)})]), "adapters", "s")
    with pytest.raises(CorrelateError, match="no series of 's'"):
        correlate.align(ours, "adapters", "s")
    with pytest.raises(CorrelateError, match="different weekdays"):
        correlate.align(pl.concat([ours, table({("s", "a"): noise(20, 2)}, date(2020, 1, 7))]), "adapters", "s")


def test_an_option_is_left_out_only_by_name() -> None:
    frame = table({("adapters", "a"): noise(30, 1), ("s", "a"): noise(30, 2), ("adapters", "b"): np.ones(30)})
    frame = pl.concat([frame, table({("s", "b"): noise(30, 3)})])
    with pytest.raises(CorrelateError, match=r"correlate\.exclude: \['mood/b'\]"):
        correlate.align(frame, "adapters", "s")
    assert correlate.align(frame, "adapters", "s", exclude=["mood/b"]).names == (("mood", "a"),)
    with pytest.raises(CorrelateError, match="names 'mood/c'"):
        correlate.align(frame, "adapters", "s", exclude=["mood/c"])


def test_family_wise_values_never_lie_below_the_own_ones_and_results_are_seeded() -> None:
    frame = table({(s, o): noise(40, i) for i, (s, o) in enumerate((s, o) for s in ("adapters", "s") for o in "abc")})
    aligned = correlate.align(frame, "adapters", "s", lags=[1])
    first = correlate.analyse(aligned, Correlate(lags=(0, 1), **FAST))
    again = correlate.analyse(aligned, Correlate(lags=(0, 1), **FAST))
    other = correlate.analyse(aligned, Correlate(lags=(0, 1), seed=5, **FAST))
    assert first.facts["family_size"] == 6
    assert [r.dynamics.p for r in first.tested] == [r.dynamics.p for r in again.tested]
    assert [r.level.p for r in first.tested] != [r.level.p for r in other.tested]
    for result in first.tested:
        assert result.dynamics.p <= result.dynamics.p_family + 1e-12
        assert result.level.p <= result.level.p_family + 1e-12
        assert result.dynamics.q >= result.dynamics.p


def test_tables_hold_p_only_at_tested_lags_and_json_has_no_nan() -> None:
    found = correlate.analyse(pairs(noise(40, 1), noise(40, 2), lags=[4]), Correlate(lags=(1,), draws=199))
    lags = lags_table(found)
    assert lags.height == 18
    assert lags.filter(pl.col("p").is_not_null())["lag"].unique().to_list() == [1]
    assert results_table(found).height == 1
    written = json.dumps(document(found, 0.95).values(), allow_nan=False)
    assert "(the model leads by 1 week)" in written


def test_sentences_follow_apa_style() -> None:
    assert sentences.number(0.624) == ".62"
    assert sentences.number(-0.05) == "-.05"
    assert sentences.number(0.999) == "1.00"
    assert sentences.p_value(0.0004) == "p < .001"
    assert sentences.p_value(0.0121) == "p = .013"
    assert sentences.p_value(0.05, "q") == "q = .050"
    assert sentences.lag_words(-2) == "the survey leads by 2 weeks"


def test_the_stage_publishes_lags_and_says_what_is_missing(tmp_path: Path) -> None:
    text = {"study": "s", "panel": {"paths": ["x.csv"]}, "survey": {"paths": ["y.csv"], "source": "s"}}
    (tmp_path / "study.yaml").write_text(json.dumps({**text, "correlate": {"draws": 199}}))
    study = load_study(tmp_path / "study.yaml", tmp_path / "runs")
    run = RunFolder(tmp_path / "runs" / "s")
    with pytest.raises(CorrelateError, match="run `ta series` first"):
        correlate.run(study, run)
    with publish(run.series, stage="series", key="k", version=1, config={}, inputs={}) as work:
        frame = table({("adapters", "a"): MALE_DEATHS, ("s", "a"): FEMALE_DEATHS})
        frame.write_parquet(work.folder / "series.parquet")
    manifest = correlate.run(study, run)
    assert manifest.facts["verdicts"] == {"tracks": 1}
    assert correlate.expected(study, run)[0].state == "done"
    assert {path.name for path in run.lags.iterdir()} >= {
        "lags.parquet",
        "results.json",
        "results.csv",
        "sentences.txt",
    }
    assert "Verdict: tracks." in (run.lags / "sentences.txt").read_text()


def study_with_series(folder: Path, **changes: object) -> tuple[Study, RunFolder]:
    text = {"study": "s", "panel": {"paths": ["x.csv"]}, "survey": {"paths": ["y.csv"], "source": "s"}}
    (folder / "study.yaml").write_text(json.dumps({**text, "correlate": {"draws": 199, **changes}}))
    study = load_study(folder / "study.yaml", folder / "runs")
    run = RunFolder(folder / "runs" / "s")
    if not run.series.exists():
        with publish(run.series, stage="series", key="k", version=1, config={}, inputs={}) as work:
            frame = table({("adapters", "a"): MALE_DEATHS, ("s", "a"): FEMALE_DEATHS})
            frame.write_parquet(work.folder / "series.parquet")
    return study, run


def test_a_silent_deviation_from_the_plan_is_refused_and_a_reasoned_one_is_printed(tmp_path: Path) -> None:
    study, run = study_with_series(tmp_path)
    correlate.freeze(study, run)
    correlate.run(study, run)
    assert "The analysis is the one frozen on" in (run.lags / "sentences.txt").read_text()
    other, _ = study_with_series(tmp_path, lags=[0, 1], seed=5)
    with pytest.raises(CorrelateError, match=r"correlate\.lags: \[0\] -> \[0, 1\]; correlate\.seed"):
        correlate.run(other, run)
    correlate.accept(other, run, "a reviewer asked for it")
    correlate.run(other, run)
    written = json.loads((run.lags / "results.json").read_text())
    assert [entry["what"] for entry in written["deviations"]] == ["correlate.lags", "correlate.seed"]
    assert "correlate.lags (a reviewer asked for it)" in (run.lags / "sentences.txt").read_text()
    third, _ = study_with_series(tmp_path, lags=[0, 1, 2], seed=5)
    with pytest.raises(CorrelateError, match=r"correlate\.lags: \[0\] -> \[0, 1, 2\]"):
        correlate.run(third, run)


def test_what_is_only_shown_may_change_without_being_a_deviation(tmp_path: Path) -> None:
    study, run = study_with_series(tmp_path)
    correlate.freeze(study, run)
    other, _ = study_with_series(tmp_path, shown_lags=[0], confidence=0.9, alternates=["adl-hc3"])
    correlate.run(other, run)
    assert json.loads((run.lags / "results.json").read_text())["deviations"] == []


def test_series_that_change_after_the_plan_are_a_deviation(tmp_path: Path) -> None:
    study, run = study_with_series(tmp_path)
    correlate.freeze(study, run)
    frame = pl.read_parquet(run.series / "series.parquet")
    rewrite(frame.with_columns(pl.col("value") + (pl.col("source") == "s")), run.series_table)
    with pytest.raises(CorrelateError, match="series of s"):
        correlate.run(study, run)


def test_a_plan_is_made_once_and_cannot_be_edited(tmp_path: Path) -> None:
    study, run = study_with_series(tmp_path)
    with pytest.raises(CorrelateError, match="no plan to deviate from"):
        correlate.accept(study, run, "why not")
    path = correlate.freeze(study, run)
    with pytest.raises(CorrelateError, match="needs a reason"):
        correlate.accept(study, run, " ")
    with pytest.raises(CorrelateError, match="a plan is made once"):
        correlate.freeze(study, run)
    path.write_text(path.read_text().replace('"correlate.alpha": 0.05', '"correlate.alpha": 0.5'))
    with pytest.raises(CorrelateError, match="changed after it was frozen"):
        correlate.run(study, run)


def test_a_plan_may_be_frozen_before_there_is_any_series(tmp_path: Path) -> None:
    text = {"study": "s", "panel": {"paths": ["x.csv"]}, "survey": {"paths": ["y.csv"], "source": "s"}}
    (tmp_path / "study.yaml").write_text(json.dumps({**text, "correlate": {"draws": 199}}))
    correlate.freeze(load_study(tmp_path / "study.yaml", tmp_path / "runs"), RunFolder(tmp_path / "runs" / "s"))
    study, run = study_with_series(tmp_path)
    correlate.run(study, run)
    assert json.loads((run.lags / "results.json").read_text())["deviations"] == []


def test_alternates_stand_beside_the_tests_and_invalid_values_in_a_line_that_says_so() -> None:
    names = ("prewhitened-spearman", "phase-randomisation", "adl-hc3", "effective-n-t", "block-bootstrap")
    found = correlate.analyse(pairs(MALE_DEATHS, FEMALE_DEATHS), Correlate(alternates=names, **FAST))
    lags = lags_table(found)
    assert set(lags["method"]) == {"level", "dynamics", *names}
    assert lags.filter(method="adl-hc3")["r"].null_count() == 1
    written = document(found, 0.95).results[0]
    assert written["not_valid_sentence"].startswith("Not valid here")
    assert written["alternates"]["block-bootstrap"]["note"] == "needs 150 weeks"
    assert {"pearson_p", "pearson_p_of_3_week_means"} < set(written["not_valid_here"])


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    delay=st.integers(-3, 3),
    gaps=st.sets(st.integers(5, 50), max_size=4),
    scale=st.floats(1e-3, 1e3),
)
def test_any_delayed_rescaled_and_gappy_copy_peaks_at_its_delay(
    seed: int, delay: int, gaps: set[int], scale: float
) -> None:
    x = noise(70, seed)
    y = scale * x[5 - delay : 65 - delay].copy() - 7
    y[list(gaps)] = np.nan
    found = pairs(x[5:65], y, lags=[4])
    r = [weekly_pairs.correlations(found.model, found.survey, [lag])[0, 0] for lag in range(-4, 5)]
    assert int(np.argmax(r)) - 4 == delay
    assert max(r) == pytest.approx(1)


def test_a_fortnightly_survey_is_analysed_from_wave_to_wave_with_lags_in_weeks() -> None:
    x = noise(120, 900)
    y = np.full(120, np.nan)
    y[3::2] = x[2:-1:2] + 0.2 * noise(59, 901)
    with pytest.raises(CorrelateError, match=r"most of its waves are 2 weeks apart: set correlate\.every_weeks"):
        pairs(x, y)
    found = correlate.analyse(pairs(x, y, lags=[2], every_weeks=2), Correlate(lags=(0, 1, 2), every_weeks=2, **FAST))
    assert [result.lag for result in found.results] == [0, 1, 2]
    assert only(found, 1).verdict == "tracks"
    assert only(found, 0).verdict == only(found, 2).verdict == "no evidence"
    assert only(found, 1).n_pairs == 59
    assert found.facts["n_waves_left_out"] == 0


def test_a_wave_off_the_rhythm_is_left_out_and_counted() -> None:
    x, y = noise(80, 11), np.full(80, np.nan)
    y[0::4] = noise(20, 12)
    y[9] = 1.0
    found = correlate.analyse(pairs(x, y, every_weeks=4), Correlate(every_weeks=4, draws=199))
    assert found.facts["n_waves_left_out"] == 1
    assert only(found).n_pairs == 20
    assert {result.lag for result in found.results} == set(range(-4, 5))


def test_the_commands_plan_power_and_survey_check_print_what_they_found(tmp_path: Path) -> None:
    study_with_series(tmp_path)
    lines = ["date,question,option,value,n", *(f"{START + timedelta(weeks=i)},mood,happy,0.4{i},900" for i in range(5))]
    (tmp_path / "y.csv").write_text("\n".join(lines))
    place = ["--study", str(tmp_path / "study.yaml"), "--runs", str(tmp_path / "runs")]
    asked = ["--set", f"probe.questionnaires=[{tmp_path / 'q.yaml'}]"]
    (tmp_path / "q.yaml").write_text(
        "questionnaire: q\nitems:\n- item: mood\n  type: select_one\n  options: [Happy, Sad]\n"
        "  wordings: [{wording: a, text: 'How are you?'}]\n"
    )
    planned = CliRunner().invoke(app, ["plan", *place])
    assert planned.exit_code == 0, planned.output
    assert planned.output.startswith("frozen: lags [0], alpha 0.05, 199 draws")
    assert '"correlate.lags"' in CliRunner().invoke(app, ["plan", "--show", *place]).output
    power = CliRunner().invoke(app, ["power", "--weeks", "80", "--r", "0.5", "--worlds", "50", "--json"])
    found = json.loads(power.output)
    assert found["formula"]["dynamics"] > 0.9
    assert set(found["simulated"]) == {"dynamics", "level", "both"}
    checked = CliRunner().invoke(app, ["survey", "check", *place, *asked])
    assert checked.exit_code == 0, checked.output
    assert "mood / happy" in checked.output
    assert "asked, but not in the survey: mood / Sad" in checked.output


def test_a_tested_lag_without_enough_pairs_is_refused_and_a_shown_one_is_null() -> None:
    x, y = noise(30, 13), noise(30, 14)
    with pytest.raises(CorrelateError, match=r"mood / a, the model leads by 20 weeks: 10 pairs of weeks"):
        correlate.analyse(pairs(x, y, lags=[20]), Correlate(lags=(0, 20), **FAST))
    found = correlate.analyse(pairs(x, y, lags=[29]), Correlate(draws=199, shown_lags=(-29, 29)))
    assert lags_table(found).filter(method="level")["r"].null_count() == 2


def test_a_series_that_is_constant_where_a_lag_meets_is_refused_and_never_significant() -> None:
    x, y = noise(40, 15), np.zeros(40)
    y[:9] = noise(9, 16)
    with pytest.raises(CorrelateError, match="constant in the weeks that meet at this lag"):
        correlate.analyse(pairs(x, y, lags=[-10]), Correlate(lags=(0, 10), **FAST))


@pytest.mark.parametrize(
    ("section", "change", "what"),
    [
        ("train", {"r": 16}, "train.r"),
        ("weeks", {"timezone": "Europe/London"}, "weeks.timezone"),
        ("tokens", {"block_length": 64}, "tokens.block_length"),
        ("model", {"base": "other"}, "model.base"),
        ("panel", {"source_timezone": "UTC"}, "panel.source_timezone"),
    ],
)
def test_every_scientific_setting_belongs_to_the_plan(
    tmp_path: Path, section: str, change: dict[str, object], what: str
) -> None:
    study, run = study_with_series(tmp_path)
    correlate.freeze(study, run)
    document = json.loads((tmp_path / "study.yaml").read_text())
    document[section] = {**document.get(section, {}), **change}
    (tmp_path / "study.yaml").write_text(json.dumps(document))
    with pytest.raises(CorrelateError, match=what.replace(".", r"\.")):
        correlate.run(load_study(tmp_path / "study.yaml", tmp_path / "runs"), run)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"shift_days": 2}, "weeks.shift_days: 0 -> 2"),
        ({"window": [-3, 3]}, "weeks.window: null -> [-3, 3]"),
    ],
)
@pytest.mark.parametrize("states_it", [True, False])
def test_the_day_that_a_wave_belongs_to_is_planned_and_a_later_offset_is_named(
    tmp_path: Path, change: dict[str, object], what: str, states_it: bool
) -> None:
    study_with_series(tmp_path)
    document = json.loads((tmp_path / "study.yaml").read_text())
    document["weeks"] = {"waves": ["2023-04-13", "2023-04-20"]}
    (tmp_path / "study.yaml").write_text(json.dumps(document))
    study, run = load_study(tmp_path / "study.yaml", tmp_path / "runs"), RunFolder(tmp_path / "runs" / "s")
    correlate.freeze(study, run)
    written = json.loads(run.plan.read_text())
    assert (written["analysis"]["weeks.shift_days"], written["analysis"]["weeks.window"]) == (0, None)
    if not states_it:  # a plan of before these settings were stated
        del written["analysis"]["weeks.shift_days"], written["analysis"]["weeks.window"]
        parts = {name: written[name] for name in ("version", "created", "analysis", "data")}
        run.plan.write_text(json.dumps({**written, "key": digest_json(parts)}))
    assert deviations(study, run) == []
    document["weeks"].update(change)
    (tmp_path / "study.yaml").write_text(json.dumps(document))
    later = load_study(tmp_path / "study.yaml", tmp_path / "runs")
    with pytest.raises(CorrelateError, match=re.escape(what)):
        correlate.run(later, run)
    correlate.accept(later, run, "the tracker's fieldwork was earlier than its header says")
    assert [entry.what for entry in deviations(later, run) if entry.reason] == [what.partition(":")[0]]


def test_series_that_did_not_exist_when_planning_are_pinned_by_the_first_analysis(tmp_path: Path) -> None:
    text = {"study": "s", "panel": {"paths": ["x.csv"]}, "survey": {"paths": ["y.csv"], "source": "s"}}
    (tmp_path / "study.yaml").write_text(json.dumps({**text, "correlate": {"draws": 199}}))
    correlate.freeze(load_study(tmp_path / "study.yaml", tmp_path / "runs"), RunFolder(tmp_path / "runs" / "s"))
    study, run = study_with_series(tmp_path)
    (tmp_path / "y.csv").write_text("first")
    correlate.run(study, run)
    assert correlate.expected(study, run)[0].state == "done"
    (tmp_path / "y.csv").write_text("second")
    with pytest.raises(CorrelateError, match=r"survey file y\.csv"):
        correlate.run(study, run)
    (tmp_path / "y.csv").write_text("first")
    frame = pl.read_parquet(run.series / "series.parquet")
    rewrite(frame.with_columns(pl.col("value") * 2), run.series_table)
    with pytest.raises(CorrelateError, match="series of adapters"):
        correlate.run(study, run)


def test_posts_that_change_after_the_plan_are_a_deviation(tmp_path: Path) -> None:
    study, run = study_with_series(tmp_path)
    correlate.freeze(study, run)
    for text in ("the posts", "other posts"):
        with publish(run.weeks, stage="weeks", key=text, version=1, config={}, inputs={}) as work:
            pl.DataFrame({"text": [text]}).write_parquet(work.folder / "2023-W14.parquet")
        if text == "the posts":
            correlate.run(study, run)
    with pytest.raises(CorrelateError, match="posts of the weeks"):
        correlate.run(study, run)


def test_a_changed_questionnaire_is_a_deviation(tmp_path: Path) -> None:
    asked = "questionnaire: q\nitems:\n- item: mood\n  type: select_one\n  options: [a, Sad]\n"
    asked += "  wordings: [{wording: w, text: 'How are you?'}]\n"
    (tmp_path / "q.yaml").write_text(asked)
    study, run = study_with_series(tmp_path)
    document = json.loads((tmp_path / "study.yaml").read_text())
    document["probe"] = {"questionnaires": [str(tmp_path / "q.yaml")]}
    (tmp_path / "study.yaml").write_text(json.dumps(document))
    study = load_study(tmp_path / "study.yaml", tmp_path / "runs")
    correlate.freeze(study, run)
    (tmp_path / "q.yaml").write_text(asked.replace("How are you?", "And you?"))
    with pytest.raises(CorrelateError, match="questionnaire q"):
        correlate.run(study, run)


def test_levels_that_move_against_their_changes_are_called_contradictory() -> None:
    """A shared drift upwards with changes that mirror each other from week to week."""
    drift, shocks = np.linspace(0, 60, 80), noise(80, 71)
    found = only(correlate.analyse(pairs(drift + shocks, drift - shocks), Correlate(**FAST)))
    assert found.dynamics is not None and found.level is not None
    assert found.dynamics.statistic < 0 < found.level.statistic
    assert found.verdict == ("contradictory" if found.level.p_family <= 0.05 else "tracks weekly changes")
    test = {p: correlate.Test(s, p, p, p, p) for p, s in ((0.01, 3.0), (0.02, -0.8), (0.6, 0.1))}
    assert verdict(test[0.01], test[0.02], 0.05) == verdict(test[0.02], test[0.01], 0.05) == "contradictory"
    assert verdict(test[0.01], test[0.01], 0.05) == verdict(test[0.02], test[0.02], 0.05) == "tracks"
    assert verdict(test[0.01], test[0.6], 0.05) == "tracks weekly changes"
    assert verdict(test[0.6], test[0.02], 0.05) == "co-trends"
    assert verdict(test[0.6], test[0.6], 0.05) == verdict(test[0.02], test[0.01], 0.001) == "no evidence"
    assert verdict(None, None, 0.05) == "not tested"


def test_a_verdict_needs_one_test_at_half_the_level_and_reads_the_other_at_the_whole() -> None:
    test = {p: correlate.Test(1.0, p, p, p, p) for p in (0.02, 0.03, 0.04, 0.2)}
    assert verdict(test[0.03], test[0.03], 0.05) == "no evidence"
    assert verdict(test[0.02], test[0.04], 0.05) == verdict(test[0.04], test[0.02], 0.05) == "tracks"
    assert verdict(test[0.02], test[0.2], 0.05) == "tracks weekly changes"
    assert verdict(test[0.2], test[0.02], 0.05) == "co-trends"


def payday(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    shared = 2.2 * (np.arange(n) % 4 == 0)
    return noise(n, seed) + shared, noise(n, seed + 1) + shared


def test_a_payday_that_both_series_share_is_found_and_falls_with_the_calendar_removed() -> None:
    found = only(correlate.analyse(pairs(*payday(60, 102)), Correlate(**FAST)))
    assert found.verdict == "tracks"
    assert found.details["calendar_verdict"] == "no evidence"
    assert abs(found.details["calendar_changes_r"]) < 0.3 < found.changes_r
    words = sentences.sentence(found)
    assert "With the calendar removed the verdict falls to no evidence: r of changes = " in words
    both = correlate.analyse(pairs(*payday(60, 102)), Correlate(adjust=("four_weeks",), **FAST))
    assert only(both).verdict == "no evidence"
    assert abs(only(both).r) < 0.3
    assert "four_weeks taken out of both series" in sentences.headline(both)
    shown = sentences.sentence(only(both))
    assert "Common changes were not shown, which is no proof that there are none: |r| of changes above ." in shown
    assert f"above {sentences.number(only(both).changes_excluded)} is excluded at 95%" in shown


def test_the_regressors_of_a_calendar_are_those_of_its_days(tmp_path: Path) -> None:
    """Weeks from 19 December 2022; holidays of Great Britain as published by the government."""
    weeks = [date(2022, 12, 19) + timedelta(weeks=week) for week in range(6)]
    assert regressors(weeks, ["month"])[:, 3].tolist() == [0, 1, 0]  # middle on the 12th: second week of the month
    assert regressors(weeks, ["four_weeks"])[:, :2].tolist() == regressors(weeks, ["four_weeks"])[:, 4:].tolist()
    assert regressors(weeks, ["holidays:GB"])[0].tolist() == [1, 3, 1, 0, 0, 0]
    assert regressors(weeks, ["trend"])[0] == pytest.approx(np.linspace(-1, 1, 6))
    year = regressors([date(2020, 1, 6) + timedelta(weeks=week) for week in range(60)], ["season"])
    assert year.shape == (2, 60)
    assert year[:, 0] == pytest.approx(year[:, 52], abs=0.03)
    assert len(regressors([date(2020, 1, 6) + timedelta(weeks=week) for week in range(104)], ["season"])) == 4
    days = [f"{date(2022, 12, 19) + timedelta(days=day)},{day},x" for day in range(42)]
    (tmp_path / "weather.csv").write_text("date,rain,station\n" + "\n".join(days) + "\n")
    assert regressors(weeks, [str(tmp_path / "weather.csv")]).tolist() == [[3.0, 10.0, 17.0, 24.0, 31.0, 38.0]]
    (tmp_path / "weather.csv").write_text("date,rain\n" + "\n".join(day.rpartition(",")[0] for day in days[7:]) + "\n")
    with pytest.raises(CorrelateError, match=r"weather\.csv: the week of 2022-12-19 has no value"):
        regressors(weeks, [str(tmp_path / "weather.csv")])
    with pytest.raises(CorrelateError, match="no holidays are known for 'QQ'"):
        regressors(weeks, ["holidays:QQ"])
    with pytest.raises(ValueError, match="'lunar' is none of season, month, four_weeks, trend, holidays:GB"):
        Correlate(adjust=("lunar",))


def test_one_heavy_week_and_a_missing_calendar_are_said_beside_the_verdict() -> None:
    x, y = noise(60, 94), noise(60, 95)
    x[30] += 12
    y[30] += 12
    found = only(correlate.analyse(pairs(x, y), Correlate(**FAST)))
    assert found.details["heaviest_week"] == (START + timedelta(weeks=30)).isoformat()
    assert found.details["heaviest_week_share"] > 0.5
    tracks = dataclasses.replace(found, verdict="tracks")
    assert "The week of 2020-08-03 carries " in sentences.sentence(tracks)
    short = only(correlate.analyse(pairs(noise(15, 96), noise(15, 97)), Correlate(**FAST)))
    assert short.details["calendar_verdict"] is None
    assert "too few to take" in short.details["calendar_reason"]
    assert "With the calendar removed" not in sentences.sentence(short)
    assert short.details["p_order_minus_1"] is None


def test_a_plan_of_before_there_were_adjustments_is_kept_and_a_new_one_is_a_deviation() -> None:
    assert "adjust" not in _deciding(Correlate())
    assert _deciding(Correlate(adjust=("season", "/somewhere/rain.csv")))["adjust"] == ["season", "rain.csv"]


def test_values_held_over_the_same_weeks_on_both_sides_are_refused_with_the_cure() -> None:
    held = [np.repeat(noise(20, seed), 4) for seed in (98, 99)]
    with pytest.raises(
        CorrelateError, match=r"mood / a: both series repeat every value over 4 and 4 weeks.*every_weeks: 4"
    ):
        correlate.analyse(pairs(*held), Correlate(**FAST))
    weekly = correlate.analyse(pairs(noise(80, 100), held[1]), Correlate(**FAST))
    assert only(weekly).verdict == "no evidence"
    rounded = [np.round(np.cumsum(noise(80, seed)) / 3) for seed in (101, 102)]  # repeats, at no rhythm
    assert only(correlate.analyse(pairs(*rounded), Correlate(**FAST))).dynamics is not None


def test_a_rolling_mean_is_named_and_persistent_series_are_not() -> None:
    smooth = np.convolve(noise(104, 103), np.ones(5) / 5, "valid")
    found = only(correlate.analyse(pairs(noise(100, 104), smooth), Correlate(**FAST)))
    assert (found.details["mean_weeks_model"], found.details["mean_weeks_survey"]) == (1, 5)
    assert "Looks like a rolling mean: the survey one of about 5 weeks; test unsmoothed values." in sentences.sentence(
        found
    )
    walks = np.cumsum(np.random.default_rng(105).standard_normal((200, 100)), axis=1)
    assert np.mean([mean_weeks(walk) > 1 for walk in walks]) < 0.05


def test_a_verdict_reads_the_p_of_the_family_and_counts_one_that_equals_the_limit() -> None:
    def test(p_family: float) -> correlate.Test:
        return correlate.Test(2.0, 0.0001, p_family, 0.0001, 0.0001)

    assert verdict(test(0.4), test(0.4), 0.05) == "no evidence"
    assert verdict(test(0.025), test(0.4), 0.05) == "tracks weekly changes"
    assert verdict(test(0.4), test(0.025), 0.05) == "co-trends"
    assert verdict(test(0.026), test(0.4), 0.05) == verdict(test(0.4), test(0.026), 0.05) == "no evidence"
    assert verdict(test(0.025), test(0.05), 0.05) == verdict(test(0.05), test(0.025), 0.05) == "tracks"
    assert verdict(test(0.025), test(0.051), 0.05) == "tracks weekly changes"
