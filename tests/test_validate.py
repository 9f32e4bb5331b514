"""ta validate: the arithmetic of recovery against second sources, and one small world from command line to page."""

from __future__ import annotations

import io
import json
import runpy
import shutil
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from pydantic import ValidationError
from scipy import stats

from temporal_adapters.cli import main
from temporal_adapters.ground.errors import ValidityError
from temporal_adapters.proof import validate
from temporal_adapters.proof.validate.baselines import classified, counted
from temporal_adapters.proof.validate.calibration import fit, half_width, leave_blocks_out
from temporal_adapters.proof.validate.published import published, survey_wording
from temporal_adapters.proof.validate.recovery import Rules, best_lag, known_weeks, measure
from temporal_adapters.stages import report
from temporal_adapters.study.artifacts import RunFolder, read_manifest
from temporal_adapters.study.config import Study, load_study
from temporal_adapters.study.config.simulate import Simulate
from temporal_adapters.study.config.validate import Validation
from temporal_adapters.worlds.counts import count_world
from temporal_adapters.worlds.labelled import posts_of
from temporal_adapters.worlds.language import MOODS
from temporal_adapters.worlds.world import populate, week_starts

START = date(2023, 1, 2)


def ar1(rng: np.random.Generator, n: int, phi: float = 0.7) -> np.ndarray[Any, Any]:
    x = np.zeros(n + 30)
    for t in range(1, n + 30):
        x[t] = phi * x[t - 1] + rng.normal() * np.sqrt(1 - phi**2)
    return x[30:]


def test_without_survey_error_the_interval_is_that_of_ordinary_regression() -> None:
    """Second source: statsmodels' prediction interval for a new observation."""
    rng = np.random.default_rng(2001)
    x, new = rng.normal(size=21), rng.normal(size=5)
    y = 0.3 + 0.1 * x + 0.05 * rng.normal(size=21)
    theirs = sm.OLS(y, sm.add_constant(x)).fit().get_prediction(sm.add_constant(new)).conf_int(obs=True, alpha=0.1)
    line = fit(x, y)
    np.testing.assert_allclose(line.at(new) - half_width(line, new), theirs[:, 0])
    np.testing.assert_allclose(line.at(new) + half_width(line, new), theirs[:, 1])


def test_a_vanishing_survey_error_changes_no_interval_and_a_larger_one_narrows_it() -> None:
    rng = np.random.default_rng(2002)
    x = rng.normal(size=30)
    line = fit(x, x + 0.5 * rng.normal(size=30))
    widths = [half_width(line, x, noise) for noise in (0.0, 1e-9, 0.1, 0.2)]
    np.testing.assert_allclose(widths[1], widths[0], rtol=3e-3)
    assert (widths[2] < widths[1]).all()
    assert (widths[3] < widths[2]).all()


@pytest.mark.parametrize(("se", "n", "phi"), [(0.0, 29, 0.0), (0.0, 29, 0.8), (0.25, 29, 0.5), (0.5, 45, 0.0)])
def test_intervals_cover_nine_of_ten_true_values_of_autocorrelated_series(se: float, n: int, phi: float) -> None:
    """The known values have sampling error; what is covered is the value behind them."""
    rng, inside = np.random.default_rng(2003), []
    for _ in range(100):
        series = ar1(rng, n)
        truth = 0.5 * series + 0.3 * ar1(rng, n, phi)
        fielded = truth + se * rng.normal(size=n)
        found = leave_blocks_out(np.arange(n, dtype=float), series, fielded, se**2)
        inside.append(((found.low <= truth) & (truth <= found.high)).mean())
    assert np.mean(inside) == pytest.approx(0.9, abs=0.025)


def test_without_taking_the_survey_error_off_intervals_would_be_far_too_wide() -> None:
    rng, widths = np.random.default_rng(2004), []
    truth = ar1(rng, 60)
    fielded = truth + rng.normal(size=60)
    for noise in (0.0, 1.0):
        found = leave_blocks_out(np.arange(60.0), truth + 0.3 * rng.normal(size=60), fielded, noise)
        widths.append((found.high - found.low).mean())
    assert widths[1] < 0.7 * widths[0]


def test_a_survey_noisier_than_the_residuals_leaves_an_interval() -> None:
    x = np.linspace(0, 1, 20)
    line = fit(x, x + 1e-3 * np.sin(40 * x))
    width = half_width(line, x, noise=1.0)
    assert np.isfinite(width).all()
    assert (width > 0).all()


def test_the_level_of_a_week_does_not_depend_on_what_is_known_of_its_block() -> None:
    rng = np.random.default_rng(2005)
    weeks, x, y = np.arange(12.0), rng.normal(size=12), rng.normal(size=12)
    before = leave_blocks_out(weeks, x, y, block_weeks=4)
    y[4:8] += 100
    after = leave_blocks_out(weeks, x, y, block_weeks=4)
    np.testing.assert_array_equal(before.level[4:8], after.level[4:8])
    assert not np.isclose(before.level[:4], after.level[:4]).any()


def test_blocks_are_of_the_calendar_so_a_gap_shortens_one() -> None:
    weeks = np.array([0.0, 1, 2, 5, 6, 7, 8, 9, 10, 11])
    y = np.arange(10.0) ** 2
    found = leave_blocks_out(weeks, y * 0, y, block_weeks=4)
    assert len(set(found.level[3:6])) == 1, "weeks 5 to 7 are one block"
    assert found.level[2] != found.level[3]
    assert found.level[3] == pytest.approx(np.mean([*y[:3], *y[6:]]))


@pytest.mark.parametrize("shift", [-3, 0, 2])
def test_a_shifted_copy_has_its_shift_as_lag_although_weeks_are_missing(shift: int) -> None:
    """A series that says today what is true `shift` weeks later has the lag `shift`."""
    rng = np.random.default_rng(2006)
    process = rng.normal(size=60)
    weeks = np.array([week for week in range(10, 50) if week not in (17, 30)])
    x, y = process[weeks + shift], process[weeks]
    assert best_lag(weeks.astype(float), x, y, 4) == shift


def frame(**columns: np.ndarray[Any, Any]) -> pl.DataFrame:
    """One row per option and week."""
    rows = [
        (START + timedelta(weeks=week), option, float(value))
        for option, values in columns.items()
        for week, value in enumerate(values)
    ]
    return pl.DataFrame(rows, schema={"week": pl.Date, "option": pl.String, "value": pl.Float64}, orient="row")


def series_of(values: pl.DataFrame, se: float | None = None) -> pl.DataFrame:
    return values.with_columns(se=pl.lit(se, pl.Float64))


def truth_of(values: pl.DataFrame) -> pl.DataFrame:
    return values.select("week", "option", mood="value", survey=2 * pl.col("value"))


def test_figures_of_an_option_equal_numpy_and_scipy() -> None:
    rng = np.random.default_rng(2007)
    truth = {name: ar1(rng, 26) for name in ("A", "B", "C")}
    series = {name: values + rng.normal(size=26) for name, values in truth.items()}
    found = measure(series_of(frame(**series), 0.2), known_weeks(truth_of(frame(**truth)), None))
    for name, one in found["options"].items():
        x, y = series[name], truth[name]
        assert one["r"] == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-4)
        assert one["r_changes"] == pytest.approx(np.corrcoef(np.diff(x), np.diff(y))[0, 1], abs=1e-4)
        assert one["spearman"] == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-4)
        assert one["kendall"] == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-4)
        level = leave_blocks_out(np.arange(26.0), x, y).level
        assert one["rmse"] == pytest.approx(100 * np.sqrt(np.mean((level - y) ** 2)), abs=1e-3)
    within = [stats.spearmanr([series[n][t] for n in "ABC"], [truth[n][t] for n in "ABC"]).statistic for t in range(26)]
    assert found["mean"]["rank_options"] == pytest.approx(np.mean(within), abs=1e-4)
    assert found["mean"]["r"] == pytest.approx(np.mean([one["r"] for one in found["options"].values()]), abs=1e-4)
    assert found["spread"]["r"] == pytest.approx(np.std([o["r"] for o in found["options"].values()], ddof=1), abs=1e-4)
    assert found["mean"]["coverage_survey"] is None


def test_the_truth_itself_is_recovered_and_its_survey_calibrates_it() -> None:
    rng = np.random.default_rng(2008)
    truth = frame(A=ar1(rng, 30), B=ar1(rng, 30), C=ar1(rng, 30))
    fielded = truth.select("week", "option", value=2 * pl.col("value"), se=pl.lit(0.01))
    found = measure(series_of(truth.with_columns(pl.col("value") * 3 - 1)), known_weeks(truth_of(truth), fielded))
    assert found["mean"]["r"] == found["mean"]["kendall"] == found["mean"]["r_changes"] == 1.0
    assert found["mean"]["rmse"] == found["mean"]["lag_error"] == 0.0
    assert found["mean"]["rmse_survey"] < 1e-6
    assert found["mean"]["rank_options"] == 1.0
    assert found["n_weeks"] == 30


def test_a_survey_with_few_waves_calibrates_nothing_and_one_every_other_week_does() -> None:
    rng = np.random.default_rng(2013)
    truth = frame(A=ar1(rng, 24))
    waves = truth.select("week", "option", value=2 * pl.col("value"), se=pl.lit(0.01))
    found = [measure(series_of(truth), known_weeks(truth_of(truth), waves.gather_every(n)))["mean"] for n in (2, 4)]
    assert found[0]["coverage_survey"] == 1.0
    assert found[1]["coverage_survey"] is None
    assert found[1]["coverage"] == 1.0


def test_a_change_over_a_gap_counts_nowhere_and_missing_weeks_are_left_out() -> None:
    rng = np.random.default_rng(2009)
    x, y = rng.normal(size=20), rng.normal(size=20)
    kept = pl.col("week") != START + timedelta(weeks=9)
    found = measure(series_of(frame(A=x)).filter(kept), known_weeks(truth_of(frame(A=y)), None))
    steps = [t for t in range(19) if 9 not in (t, t + 1)]
    expected = np.corrcoef([x[t + 1] - x[t] for t in steps], [y[t + 1] - y[t] for t in steps])[0, 1]
    assert found["options"]["A"]["r_changes"] == pytest.approx(expected, abs=1e-4)
    assert found["n_weeks"] == 19


def test_a_series_that_never_changes_recovers_nothing_but_is_no_error() -> None:
    rng = np.random.default_rng(2010)
    truth = frame(A=ar1(rng, 20), B=ar1(rng, 20))
    stuck = series_of(truth.with_columns(pl.when(pl.col("option") == "A").then(0.3).otherwise("value").alias("value")))
    found = measure(stuck, known_weeks(truth_of(truth), None))
    assert found["options"]["A"]["r"] is None
    assert found["options"]["A"]["lag_error"] is None
    assert found["mean"]["r"] == pytest.approx(0.5, abs=1e-3)


def test_too_few_weeks_are_refused_with_the_option_and_the_number() -> None:
    truth = frame(A=np.arange(6.0))
    with pytest.raises(ValidityError, match=r"A: a calibration needs at least 4 weeks .* there are 2"):
        measure(series_of(truth), known_weeks(truth_of(truth), None), Rules(block_weeks=4))
    with pytest.raises(ValidityError, match="share no week"):
        measure(series_of(truth), known_weeks(truth_of(frame(B=np.arange(6.0))), None))


def test_intervals_of_counted_worlds_cover_the_truth_by_the_truth_and_by_a_poor_survey() -> None:
    """Means over 5 worlds of 12 options: what 20 worlds with adapters are evidence for, at no cost."""
    found = []
    for seed in range(2020, 2025):
        world = Simulate(seed=seed, spread=0.8, n_respondents=400, posts_per_week=400)
        counts, mood = count_world(world), populate(world).truth()
        tables = [_table(world, values) for values in (counts.shares, mood, counts.survey_signal, counts.survey)]
        seen, truth, signal, fielded = tables
        both = truth.rename({"value": "mood"}).join(signal.rename({"value": "survey"}), on=["week", "option"])
        fielded = fielded.with_columns(se=(pl.col("value") * (1 - pl.col("value")) / world.n_respondents).sqrt())
        found.append(measure(series_of(seen), known_weeks(both, fielded))["mean"])
    for figure in ("coverage", "coverage_survey"):
        assert np.mean([one[figure] for one in found]) == pytest.approx(0.9, abs=0.025), figure


def _table(world: Simulate, values: np.ndarray[Any, Any]) -> pl.DataFrame:
    weeks = week_starts(world)
    rows = [
        (weeks[t], option, float(values[t, k]))
        for t in range(world.n_weeks)
        for k, option in enumerate(MOODS)
        if np.isfinite(values[t, k])
    ]
    return pl.DataFrame(rows, schema={"week": pl.Date, "option": pl.String, "value": pl.Float64}, orient="row")


def write_posts(folder: Path, weeks: dict[int, list[str]]) -> dict[date, Path]:
    found = {}
    for week, texts in weeks.items():
        found[START + timedelta(weeks=week)] = folder / f"{week}.parquet"
        pl.DataFrame({"text": texts}, schema={"text": pl.String}).write_parquet(folder / f"{week}.parquet")
    return found


def test_counting_takes_shares_of_posts_with_words_and_has_no_value_without_any(tmp_path: Path) -> None:
    corpora = write_posts(tmp_path, {0: ["so HAPPY today", "unhappy", "happy, sad"], 1: ["the bus is late"]})
    found = counted(corpora, {"Happy": ("happy",), "Sad": ("sad",)})
    value = {(row["week"], row["option"]): row["value"] for row in found.iter_rows(named=True)}
    assert value[START, "Happy"] == pytest.approx(2 / 3)
    assert value[START, "Sad"] == pytest.approx(1 / 3)
    assert value[START + timedelta(weeks=1), "Sad"] is None


def test_a_classifier_of_other_peoples_posts_knows_synonyms_and_their_negation(tmp_path: Path) -> None:
    world = Simulate(seed=2011, mood_share=1.0, negation_share=0.2, irony_share=0.0)
    learnt = posts_of(world, {"Happy": 250, "Sad": 250})
    corpora = write_posts(
        tmp_path,
        {0: ["feeling cheerful about work"] * 5, 1: ["i am not cheerful at all today, see work"] * 5, 2: []},
    )
    found = classified(corpora, learnt).filter(pl.col("option") == "Happy").sort("week")["value"].to_list()
    assert len(found) == 2, "a week without posts has no value"
    assert found[0] > 0.7
    assert found[1] < found[0] - 0.3
    with pytest.raises(ValidityError, match="at least 2 labels"):
        classified(corpora, learnt.filter(pl.col("label") == "Sad"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rates": []}, "at least 1"),
        ({"rates": [0.0]}, "above 0"),
        ({"rates": [1e-3, 1e-3]}, "twice"),
        ({"references": ["lexikon"]}, "lexicon"),
        ({"confidence": 1.0}, "less than 1"),
    ],
)
def test_contradictory_settings_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Validation.model_validate(settings)


WORLD = [
    "simulate.seed=2012",
    "simulate.n_weeks=7",
    "simulate.gap_weeks=[3]",
    "simulate.posts_per_week=40",
    "simulate.n_users=40",
    "simulate.n_heavy=0",
    "train.epochs=1",
    "train.r=2",
    "validate.block_weeks=2",
    "validate.labelled_posts=240",
    "validate.rates=[5.0e-6,5.0e-3]",
    "report.figures=[]",
]
QUESTIONNAIRE = """
questionnaire: moods
items:
  - item: britains-mood
    type: select_multiple
    survey: britains-mood
    options:
      [Happy, Sad, Energetic, Apathetic, Inspired, Frustrated, Optimistic, Stressed, Content, Bored, Lonely, Scared]
    wordings:
      - {wording: each, text: 'Do you feel {option}?', ask: each}
      - {wording: felt, text: How have you felt?, prefix: I felt}
      - {wording: i-am, text: I am}
"""


def settings(folder: Path) -> list[str]:
    """The settings of a world in `folder`."""
    return [*WORLD, f"probe.questionnaires=[{folder / 'moods.yaml'}]"]


def validated(folder: Path, *argv: str) -> tuple[int, str, str]:
    """Run `ta validate` on the world in `folder`."""
    return ta(folder, "validate", "--study", "demo", *(w for one in settings(folder) for w in ("--set", one)), *argv)


def ta(folder: Path, *argv: str) -> tuple[int, str, str]:
    """Run `ta` in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["ta", *argv])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A validated world and what the command printed; tests must not change it."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "moods.yaml").write_text(QUESTIONNAIRE)
    code, out, err = validated(folder)
    assert code == 0, err
    return folder, out


@pytest.fixture
def world(finished: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of a validated world."""
    return Path(shutil.copytree(finished[0], tmp_path / "world"))


def opened(folder: Path) -> tuple[Study, RunFolder]:
    return load_study("demo", folder / "runs", settings(folder)), RunFolder(folder / "runs" / "demo")


def test_every_instrument_is_measured_and_the_best_of_the_sweep_is_the_best(finished: tuple[Path, str]) -> None:
    found = validate.read(opened(finished[0])[1])
    assert found is not None
    assert list(found.methods) == ["study", "counting", "lexicon", "classifier", "published", "published-best"]
    assert len(found.sweep) == 4, "two rates by two scorings"
    best = max(one["mean"]["r"] for one in found.sweep.values())
    assert found.methods["published-best"]["mean"]["r"] == best
    assert found.methods["published"]["mean"] == found.sweep["published 5e-06, published scoring"]["mean"]
    ceiling = found.methods["counting"]
    assert ceiling["efficiency"] == 1.0
    study = found.methods["study"]
    assert study["efficiency"] == pytest.approx(study["mean"]["r"] / ceiling["mean"]["r"], abs=1e-3)
    assert study["tokens"] == pytest.approx(found.methods["published"]["tokens"], rel=0.15), "equal training tokens"
    assert {len(one["options"]) for one in found.methods.values()} == {12}
    assert found.n_weeks == 6
    for name in ("published", "published-best", "lexicon", "12 options, 6 weeks", "efficiency", "Frustrated"):
        assert name in finished[1]


def test_the_figures_of_the_study_are_those_of_its_own_tables(finished: tuple[Path, str]) -> None:
    _, run = opened(finished[0])
    truth = pl.read_parquet(run.world / "truth.parquet").filter(pl.col("option") == "Sad").select("week", "mood")
    series = pl.read_parquet(run.series / "series.parquet").filter(source="adapters", option="Sad")
    both = series.join(truth, on="week")
    found = validate.read(run)
    assert found is not None
    assert found.methods["study"]["options"]["Sad"]["r"] == pytest.approx(
        np.corrcoef(both["value"], both["mood"])[0, 1], abs=1e-4
    )


def test_a_variant_is_trained_as_published_on_the_studys_own_weeks(finished: tuple[Path, str]) -> None:
    study, run = opened(finished[0])
    one = published(study, run, 5e-3)
    assert one.run.weeks == run.weeks
    assert not (one.run.root / "weeks").exists()
    manifest = read_manifest(one.run.adapter("2023-W01", 42))
    assert manifest is not None
    assert (manifest.config["train"]["r"], manifest.config["train"]["learning_rate"]) == (128, 5e-3)
    assert manifest.config["tokens"]["attention"] == "chunk"
    config = json.loads((one.run.adapter("2023-W01", 42) / "adapter_config.json").read_text())
    assert sorted(config["target_modules"]) == ["q_proj", "v_proj"]
    assert survey_wording(study, "britains-mood") == "felt"


def test_what_is_complete_is_not_made_again_and_what_is_missing_is(world: Path) -> None:
    _, run = opened(world)
    one = published(*opened(world), 5e-6)
    shutil.rmtree(one.run.adapter("2023-W02", 42))
    shutil.rmtree(one.run.answers)
    shutil.rmtree(one.run.series)
    before = {path: path.stat().st_mtime_ns for path in run.root.rglob("*.safetensors")}
    result = (run.validate / "recovery" / "validate.json").read_bytes()
    assert validated(world)[0] == 0
    after = {path: path.stat().st_mtime_ns for path in run.root.rglob("*.safetensors")}
    assert len(after) == len(before) + 1
    assert all(after[path] == at for path, at in before.items())
    assert (run.validate / "recovery" / "validate.json").read_bytes() == result


def test_stale_adapters_and_those_of_other_weeks_and_seeds_are_no_training_tokens(world: Path) -> None:
    _, run = opened(world)
    before = validate.read(run)
    assert before is not None
    real = run.adapter("2023-W02", 42)
    for folder in (real.with_name("seed-42.stale-0123"), run.adapter("2023-W02", 7), run.adapter("2022-W01", 42)):
        shutil.copytree(real, folder)
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["facts"]["n_tokens"] = 10**9
        (folder / "manifest.json").write_text(json.dumps(manifest))
    code, out, err = validated(world, "--references", "none", "--json", "--quiet")
    assert code == 0, err
    assert json.loads(out)["methods"]["study"]["tokens"] == before.methods["study"]["tokens"]


def test_the_benchmark_reads_references_as_the_command_does(monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(__file__).parents[1] / "benchmarks" / "validity.py"
    module = runpy.run_path(str(path))
    seen: list[list[str]] = []

    def table(kind: str, seed: int, runs: Path, overrides: list[str]) -> None:
        seen.append(overrides)
        load_study("demo", runs, overrides)
        raise KeyboardInterrupt

    monkeypatch.setitem(module["main"].__globals__, "table", table)
    for given in ("none", "lexicon, classifier"):
        monkeypatch.setattr(sys, "argv", ["validity.py", "--references", given])
        with pytest.raises(KeyboardInterrupt):
            module["main"]()
    assert [overrides[0] for overrides in seen] == [
        "validate.references=[]",
        "validate.references=[lexicon, classifier]",
    ]


@pytest.mark.slow
def test_a_validation_killed_within_a_variant_ends_with_the_result_of_an_undisturbed_one(world: Path) -> None:
    _, run = opened(world)
    undisturbed = (run.validate / "recovery" / "validate.json").read_bytes()
    shutil.rmtree(run.validate)
    words = ["validate", "--study", "demo", *(word for one in settings(world) for word in ("--set", one))]
    process = subprocess.Popen(
        [sys.executable, "-m", "temporal_adapters.cli", *words],
        cwd=world,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    adapters, deadline = run.validate / "published-5e-06" / "adapters", time.monotonic() + 180
    while process.poll() is None and time.monotonic() < deadline and not list(adapters.glob("*/seed-42")):
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (run.validate / "recovery").exists()
    code, _, err = validated(world)
    assert code == 0, err
    assert (run.validate / "recovery" / "validate.json").read_bytes() == undisturbed
    assert not list(run.validate.rglob("*.partial-*"))


def test_other_settings_make_the_result_stale_and_references_can_be_left_out(world: Path) -> None:
    code, out, err = validated(world, "--references", "none", "--json", "--quiet")
    assert code == 0, err
    assert list(json.loads(out)["methods"]) == ["study", "counting"]
    assert list((world / "runs" / "demo" / "validate").glob("recovery.stale-*"))
    code, out, err = validated(world, "--references", "lexicon")
    assert code == 0, err
    assert "published" not in out


def test_the_report_shows_the_instruments_until_the_series_change(world: Path) -> None:
    study, run = opened(world)
    report.build(study, run)
    page = (run.report / "index.html").read_text(encoding="utf-8")
    assert "How good is the instrument?" in page
    assert "Table of instruments" in page
    assert pl.read_csv(run.report / "tables" / "instrument.csv").height == 6 * 12
    other = load_study("demo", world / "runs", [*settings(world), "series.scale=share"])
    validate.make(other, run)
    report.build(other, run)
    page = (run.report / "index.html").read_text(encoding="utf-8")
    assert "run ta validate again" in page
    assert "Table of instruments" not in page


def test_a_study_without_a_world_and_an_unknown_reference_are_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("study: real\npanel: {paths: [posts.csv]}\n")
    code, _, err = ta(tmp_path, "validate")
    assert code == 1
    assert "the study 'real' has no world with a known truth" in err
    code, _, err = ta(tmp_path, "validate", "--study", "demo", "--references", "publisched")
    assert code == 2
    assert "there is no reference 'publisched'" in err
    assert not (tmp_path / "runs" / "demo" / "world").exists()


def test_a_variant_whose_changes_contradict_the_study_is_refused_by_name(tmp_path: Path) -> None:
    study, run = load_study("demo", tmp_path, WORLD), RunFolder(tmp_path / "demo")
    with pytest.raises(ValidityError, match=r"variant 'long' of demo: train: .*either `epochs` or `steps`"):
        validate.variant(study, run, "long", {"train.steps": 5})
