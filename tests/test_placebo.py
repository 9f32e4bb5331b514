"""Placebos: what they are made of, their ranks and p-values against hand counts and scipy, and one small study."""

from __future__ import annotations

import itertools
import json
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from datetime import date, timedelta
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
from scipy import stats
from synthetic_run import rewrite, write_run, write_study
from tiny import write_weeks

from temporal_adapters import line
from temporal_adapters.cli import main
from temporal_adapters.cli.placebo import halves_stage
from temporal_adapters.cli.placebo import lines as placebo_lines
from temporal_adapters.cli.session import Session
from temporal_adapters.engines.significance import flips
from temporal_adapters.engines.significance.changes import signed_ranks
from temporal_adapters.engines.significance.whitening import whiten
from temporal_adapters.ground.errors import ConfigError, ValidityError
from temporal_adapters.ground.tables import SERIES
from temporal_adapters.proof.validate import dealing, halves
from temporal_adapters.proof.validate.placebo import permuted
from temporal_adapters.proof.validate.placebo_worlds import counted, of_runs
from temporal_adapters.stages import series, trust
from temporal_adapters.stages.report.placebos import _uniform_sentence
from temporal_adapters.stages.trust import placebo_series
from temporal_adapters.stages.trust.placebo import Kind, null_kind
from temporal_adapters.stages.trust.stage import document
from temporal_adapters.study import questionnaire
from temporal_adapters.study.artifacts import RunFolder, publish, read_corpora, read_manifest
from temporal_adapters.study.artifacts.documents import Halved, Trust
from temporal_adapters.study.artifacts.manifest import write_manifest
from temporal_adapters.study.config import load_study
from temporal_adapters.study.config.simulate import Simulate
from temporal_adapters.worlds.counts import count_world

START = date(2023, 1, 2)


def ar1(m: int, n: int, phi: float, seed: int) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    x = np.zeros((m, n + 30))
    for t in range(1, n + 30):
        x[:, t] = phi * x[:, t - 1] + rng.standard_normal(m)
    return x[:, 30:]


def table(source: str, values: np.ndarray[Any, Any], options: tuple[str, ...] = ("Happy", "Sad")) -> pl.DataFrame:
    rows = [
        (source, "mood", option, START + timedelta(weeks=t), float(values[place, t]), None, None)
        for place, option in enumerate(options)
        for t in range(values.shape[1])
    ]
    return pl.DataFrame(rows, schema=dict(SERIES.columns), orient="row")


def test_permuted_weeks_move_whole_with_all_their_options_and_lose_nothing() -> None:
    values = ar1(2, 30, 0.7, 1)
    draws = permuted(table("adapters", values), 5, 3)
    assert [frame["source"][0] for frame in draws] == [f"placebo-permuted-{n}" for n in range(1, 6)]
    pairs = {tuple(pair) for pair in values.T.tolist()}
    for frame in draws:
        wide = frame.pivot("option", index="week", values="value").sort("week")
        assert {row[1:] for row in wide.iter_rows()} == pairs
        assert wide["Happy"].to_list() != values[0].tolist()
    assert draws[0].equals(permuted(table("adapters", values), 1, 3)[0])
    assert not draws[0].equals(permuted(table("adapters", values), 1, 4)[0])


@pytest.fixture
def weeks(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "main")
    write_weeks(run, [[f"post {week} {n}" for n in range(40 + week)] for week in range(5)])
    return run


def texts(folder: Path) -> list[list[str]]:
    return [pl.read_parquet(corpus.path)["text"].to_list() for corpus in read_corpora(RunFolder(folder.parent))]


@pytest.mark.parametrize("by", dealing._ID)
def test_both_halves_together_are_all_posts_and_nobody_is_in_both(weeks: RunFolder, by: dealing.Split) -> None:
    folders = [weeks.root.parent / f"half-{side}" / "weeks" for side in (0, 1)]
    for side, folder in enumerate(folders):
        dealing.half(weeks, folder, by, side, 2)
    first, second, whole = (texts(folder) for folder in (*folders, weeks.weeks))
    assert [sorted(a + b) for a, b in zip(first, second, strict=True)] == [sorted(posts) for posts in whole]
    ids = [
        {
            one
            for corpus in read_corpora(RunFolder(folder.parent))
            for one in pl.read_parquet(corpus.path)[dealing._ID[by]]
        }
        for folder in folders
    ]
    assert ids[0]
    assert ids[1]
    assert ids[0].isdisjoint(ids[1])


def test_shuffled_weeks_keep_their_sizes_and_every_post_once(weeks: RunFolder) -> None:
    folders = [weeks.root.parent / name / "weeks" for name in ("a", "b", "c")]
    for folder, seed in zip(folders, (1, 1, 2), strict=True):
        dealing.shuffle(weeks, folder, seed)
    whole, one, same, other = (texts(folder) for folder in (weeks.weeks, *folders))
    assert [len(posts) for posts in one] == [len(posts) for posts in whole] == [40, 41, 42, 43, 44]
    assert sorted(itertools.chain(*one)) == sorted(itertools.chain(*whole))
    assert one == same != other
    assert {post.split()[1] for post in one[0]} == set("01234")


def test_a_finished_deal_is_left_alone_and_other_weeks_are_dealt_again(weeks: RunFolder) -> None:
    folder = weeks.root.parent / "a" / "weeks"
    dealing.shuffle(weeks, folder, 1)
    before = (folder / "manifest.json").stat().st_mtime_ns
    dealing.shuffle(weeks, folder, 1)
    assert (folder / "manifest.json").stat().st_mtime_ns == before
    shutil.rmtree(weeks.weeks)
    write_weeks(weeks, [["only"] * 3, ["two"] * 4])
    dealing.shuffle(weeks, folder, 1)
    assert [len(posts) for posts in texts(folder)] == [3, 4]


def test_ranks_by_kind_are_the_hand_count_and_a_constant_placebo_has_none() -> None:
    real, survey = ar1(2, 40, 0.5, 2)
    placebos = {
        "shuffled": ar1(24, 40, 0.5, 3),
        "base": np.ones((1, 40)),
        "mixed": np.vstack([np.ones(40), ar1(1, 40, 0, 4)]),
    }
    found = trust.by_kind(real, placebos, survey)
    assert set(found) == {"shuffled", "base", "mixed", "out-of-time"}
    r = [abs(np.corrcoef(one, survey)[0, 1]) for one in (real, *placebos["shuffled"])]
    assert found["shuffled"].p_level == pytest.approx(sum(one >= r[0] for one in r) / 25)
    assert found["shuffled"].smallest_p == pytest.approx(1 / 25)
    assert (found["base"].n, found["base"].n_constant) == (1, 1)
    assert (found["base"].p_level, found["base"].p_changes, found["base"].placebo_r) == (None, None, ())
    assert (found["mixed"].n, len(found["mixed"].placebo_r)) == (2, 1)


def test_a_series_that_does_not_vary_beside_the_survey_has_no_rank_but_the_reason() -> None:
    real, survey = ar1(2, 40, 0.5, 2)
    once = np.where(np.arange(40) == 7, survey, np.nan)
    for one, other in ((np.full(40, 0.3), survey), (real, once)):
        for placebos in ({}, {"shuffled": ar1(24, 40, 0.5, 3)}):
            with pytest.raises(ValidityError, match="does not vary in the weeks that it shares with the survey"):
                trust.by_kind(one, placebos, other)


def kind(n: int) -> Kind:
    return Kind(n, 0, (0.1,) * n, 0.5, 0.5, 1 / (n + 1), 0.3)


def test_the_null_is_the_most_telling_kind_with_enough_placebos() -> None:
    assert null_kind({"shuffled": kind(19), "questionnaire": kind(30), "out-of-time": kind(60)}) == "shuffled"
    assert null_kind({"shuffled": kind(5), "questionnaire": kind(30), "out-of-time": kind(60)}) == "questionnaire"
    assert null_kind({"permuted": kind(999), "out-of-time": kind(60)}) == "out-of-time"


def test_discrete_p_values_of_an_exact_test_are_uniform_only_after_they_are_spread() -> None:
    """Second source: scipy's Kolmogorov-Smirnov test of the raw p-values, which rejects what is exact."""
    p = (1 + np.random.default_rng(5).integers(0, 20, 4000)) / 20
    assert stats.kstest(p, "uniform").pvalue < 1e-6
    assert trust.uniform(p, 19).p > 0.01
    assert trust.uniform(p**2, 19).p < 1e-6
    smooth = np.random.default_rng(6).uniform(size=300)
    assert trust.uniform(smooth, 10**9).distance == pytest.approx(stats.kstest(smooth, "uniform").statistic, abs=1e-6)


def test_p_values_of_unrelated_rows_are_those_of_each_row_alone() -> None:
    x, y = ar1(12, 50, 0.6, 7), ar1(12, 50, 0.6, 8)
    found = trust.unrelated(x, y, draws=199, seed=3)
    ranks = [signed_ranks(whiten(side[4:5]).residuals)[0] for side in (x, y)]
    terms = ranks[0] * ranks[1]
    signs = flips.signs(199, 50, [3, 1, 4])
    drawn = [abs((terms * s)[np.isfinite(terms)].sum()) for s in signs]
    here = abs(np.nansum(terms))
    assert found.p_changes[4] == pytest.approx((1 + sum(one >= here - 1e-9 for one in drawn)) / 200)
    assert found.r == pytest.approx([np.corrcoef(a, b)[0, 1] for a, b in zip(x, y, strict=True)])
    assert found.mean_r == pytest.approx(found.r.mean())
    with pytest.raises(ValidityError, match="9 pairs of series are too few"):
        trust.unrelated(x[:9], y[:9])
    with pytest.raises(ValidityError, match="pair 2 has a series that does not vary"):
        trust.unrelated(np.where(np.arange(12)[:, None] == 2, 1.0, x), y)


def test_worlds_beside_each_others_surveys_are_centred_and_uniform_and_beside_their_own_are_not() -> None:
    world = Simulate(n_weeks=40, posts_per_week=500, spread=0.6)
    found = counted(world, range(2100, 2180), draws=299)
    assert abs(found.mean_r) < 3 * found.mean_r_se
    assert found.changes.p > 0.01
    assert found.levels.p > 0.01
    seen = [count_world(world.model_copy(update={"seed": seed})) for seed in range(2100, 2120)]
    own = trust.unrelated(
        np.array([one.shares[:, 0] for one in seen]), np.array([one.survey[:, 0] for one in seen]), draws=299
    )
    assert own.changes.p < 1e-6
    assert own.mean_r > 0.5


def write_series(root: Path, frame: pl.DataFrame) -> RunFolder:
    run = RunFolder(root)
    run.series.mkdir(parents=True)
    frame.write_parquet(run.series / "series.parquet")
    return run


def test_runs_meet_the_surveys_of_other_runs_one_option_each(tmp_path: Path) -> None:
    ours, theirs = ar1(24, 30, 0.5, 9).reshape(12, 2, 30), ar1(24, 30, 0.5, 10).reshape(12, 2, 30)
    runs = [
        write_series(tmp_path / str(i), pl.concat([table("adapters", ours[i]), table("survey", theirs[i])]))
        for i in range(12)
    ]
    found = of_runs(runs, draws=199)
    assert found.r[3] == pytest.approx(np.corrcoef(ours[3, 1], theirs[4, 1])[0, 1])
    assert found.r[11] == pytest.approx(np.corrcoef(ours[11, 1], theirs[0, 1])[0, 1])
    assert len(of_runs(runs, steps=(1, 2), draws=199).r) == 24
    with pytest.raises(ValidityError, match="meet its own survey"):
        of_runs(runs, steps=(12,))
    shorter = write_series(tmp_path / "x", pl.concat([table("adapters", ours[0, :, :20]), table("survey", theirs[0])]))
    assert len(of_runs([*runs, shorter], draws=199).r) == 13
    other = write_series(tmp_path / "y", pl.concat([table("adapters", ours[0]), table("survey", theirs[0, :, :20])]))
    assert len(of_runs([*runs, other], draws=199).r) == 13
    with pytest.raises(ValidityError, match="lacks the series"):
        of_runs([*runs, write_series(tmp_path / "z", table("adapters", ours[0]))])


def test_the_irrelevant_questionnaire_meets_no_question_of_a_survey() -> None:
    placebo = questionnaire.load("placebo")
    names = {item.name for item in placebo.items}
    options = sum(len(item.options) for item in placebo.items)
    assert options >= 19
    for other in ("britains-mood", "demo-mood", "affect", "nhs", "government-approval", "prime-minister-approval"):
        assert names.isdisjoint(item.name for item in questionnaire.load(other).items)


def with_placebos(tmp_path: Path, n: int = 25) -> tuple[Any, RunFolder]:
    """Return a made-up study with placebos of every kind on disk."""
    study = write_study(tmp_path, correlate={"lags": [1], "draws": 199})
    run = write_run(study, tmp_path / "runs", n_weeks=44, adapters=False)
    whole = pl.read_parquet(run.series / "series.parquet")
    real, survey = whole.filter(pl.col("source") == "adapters"), whole.filter(pl.col("source") == "YouGov")
    series.build(study, run, lambda: [survey])
    days = sorted(set(real["week"].to_list()))
    rng, frames = np.random.default_rng(11), []
    for number in range(1, n + 1):
        noise = {day: float(value) for day, value in zip(days, ar1(1, len(days), 0.7, 100 + number)[0], strict=True)}
        moved = real.with_columns(pl.col("week").replace_strict(noise).alias("value") + rng.normal())
        frames.append(moved.with_columns(pl.lit(f"placebo-shuffled-{number}").alias("source")))
    frames += permuted(real, 30, 1)
    frames.append(real.with_columns(pl.lit("placebo-base-1").alias("source"), pl.lit(0.5).alias("value")))
    inputs = {"series.parquet": str(read_manifest(run.series).outputs["series.parquet"]["sha256"])}
    with publish(run.placebos, stage="placebo", key="k", version=1, config={}, inputs=inputs) as work:
        pl.concat(frame.select(list(SERIES.columns)) for frame in frames).write_parquet(
            work.folder / placebo_series.FILE
        )
    return study, run


def test_the_document_ranks_every_option_among_every_kind_and_says_which_is_the_null(tmp_path: Path) -> None:
    study, run = with_placebos(tmp_path)
    trust.run(study, run)
    written = trust.read(run)
    happy = next(one for one in written.options if one["option"] == "Happy")["placebo"]
    assert happy["kind"] == "shuffled"
    assert list(happy["kinds"]) == ["shuffled", "permuted", "base", "out-of-time"]
    assert happy["kinds"]["base"]["p_level"] is None
    assert happy["smallest_p"] == pytest.approx(1 / 26)
    assert happy["p_changes"] == pytest.approx(1 / 26)  # the survey follows the answers a week later
    assert set(written.placebos["uniform"]) == {"shuffled", "permuted"}
    assert written.placebos["uniform"]["shuffled"]["n"] == 25
    assert "10 are needed" in written.placebos["not_available"]["base"]
    said = trust.placebo_sentence(written)
    assert "25 placebos each (shuffled" in said
    assert "below 0.038" in said


def test_a_constant_option_is_a_reason_in_the_document_and_an_excluded_one_is_left_out(tmp_path: Path) -> None:
    study, run = with_placebos(tmp_path)
    mine = (pl.col("source") == "adapters") & (pl.col("option") == "Happy")
    path = run.series / "series.parquet"
    frame = pl.read_parquet(path).with_columns(pl.when(mine).then(0.5).otherwise("value").alias("value"))
    path.unlink()
    rewrite(frame, path)
    now = {"series.parquet": read_manifest(run.series).outputs["series.parquet"]["sha256"]}
    write_manifest(run.placebos, replace(read_manifest(run.placebos), inputs=now))
    written = document(study, run)
    happy = next(one for one in written.options if one["option"] == "Happy")
    assert happy["placebo"] is None
    assert "does not vary" in happy["not_available"]["placebo"]
    assert "25 placebos each" in trust.placebo_sentence(written)
    assert any("Happy: the series does not vary" in line for line in placebo_lines(written))
    settings = study.correlate.model_copy(update={"exclude": (f"{happy['item']}/Happy",)})
    left = document(study.model_copy(update={"correlate": settings}), run).options
    assert [option["option"] for option in left] == ["Bored", "Sad", "Stressed"]


def test_options_of_one_questionnaire_depend_on_each_other_and_get_no_ks_p(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, run = with_placebos(tmp_path)
    kinds, _ = placebo_series.read(run)
    days = sorted(set(kinds["base"]["week"].to_list()))
    rows = [
        ("placebo-questionnaire-1", "tea", f"o{number}", day, float(value), None, None)
        for number in range(12)
        for day, value in zip(days, ar1(1, len(days), 0.5, 300 + number)[0], strict=True)
    ]
    asked = pl.DataFrame(rows, schema=dict(SERIES.columns), orient="row")
    both = {"shuffled": kinds["shuffled"], "questionnaire": asked}
    monkeypatch.setattr(placebo_series, "read", lambda _: (both, ""))
    written = document(study, run)
    uniform = written.placebos["uniform"]
    questions, shuffled = uniform["questionnaire"], uniform["shuffled"]
    assert (questions["n"], questions["mean_r_se"]) == (12, None)
    assert (questions["changes"]["p"], questions["levels"]["p"]) == (None, None)
    assert 0 < questions["changes"]["distance"] < 1
    assert shuffled["n"] == 25
    assert 0 < shuffled["changes"]["p"] <= 1
    said = _uniform_sentence("questionnaire", questions, 4)
    assert "without a p" in said
    assert "one option each" not in said
    assert "as if independent although the survey's 4 series recur" in _uniform_sentence("shuffled", shuffled, 4)
    assert "recur" not in _uniform_sentence("shuffled", {**shuffled, "n": 4}, 4)
    assert any("12 questionnaire placebos" in line and "no p" in line for line in placebo_lines(written))


def test_placebos_of_an_older_series_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    study, run = with_placebos(tmp_path)
    done = trust.expected(study, run)[0].key
    frame = pl.read_parquet(run.series / "series.parquet")
    others = frame.filter(pl.col("source") == "YouGov").with_columns(pl.col("value") * 0.9)
    shutil.rmtree(run.series)
    series.build(study, run, lambda: [others])
    assert trust.expected(study, run)[0].key != done
    trust.run(study, run)
    written = trust.read(run)
    assert written.options[0]["placebo"]["kind"] == "out-of-time"
    assert "older series" in written.placebos["not_available"]["placebos"]


def test_placebos_that_persist_less_than_the_real_series_are_said_to_flatter_it(tmp_path: Path) -> None:
    option = {"kind": "questionnaire", "placebo_r": [0.1] * 32, "real_persistence": 0.7, "persistence": 0.1}
    said = trust.placebo_sentence(Trust(0, {}, [{"placebo": option}]))
    assert "p of levels is too small" in said
    assert "too small" not in trust.placebo_sentence(Trust(0, {}, [{"placebo": {**option, "persistence": 0.6}}]))


QUESTIONS = """
questionnaire: three-moods
items:
  - item: britains-mood
    type: select_multiple
    survey: britains-mood
    options: [{text: happy, name: Happy}, {text: sad, name: Sad}, {text: bored, name: Bored}]
    wordings: [{wording: i-feel, text: i feel}]
"""


def ta(*words: str) -> tuple[int, str]:
    said, old = StringIO(), sys.argv
    sys.argv = ["ta", *words]
    try:
        with redirect_stdout(said), redirect_stderr(said), pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), said.getvalue()
    finally:
        sys.argv = old


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunFolder]:
    """Return a study of a small world, run up to its report, with a baseline beside its survey."""
    folder = tmp_path_factory.mktemp("placebo")
    (folder / "three.yaml").write_text(QUESTIONS, encoding="utf-8")
    document = {
        "study": "small",
        "simulate": {"seed": 2300, "n_weeks": 14, "gap_weeks": [], "posts_per_week": 70, "n_users": 40, "n_heavy": 0},
        "panel": {"paths": ["{run}/world/posts.jsonl.gz"], "format": "twitter-v1", "pseudonyms": False},
        "weeks": {"timezone": "Europe/London", "keep_reposts": False},
        "model": {"base": "demo"},
        "tokens": {"block_length": 64},
        "train": {
            "seeds": [1],
            "r": 4,
            "targets": "all-linear",
            "learning_rate": 0.005,
            "epochs": 1,
            "blocks_per_step": 2,
        },
        "probe": {"questionnaires": ["three.yaml"]},
        "survey": {"paths": ["{run}/world/survey.csv"]},
        "correlate": {"lags": [0], "draws": 199, "baselines": ["words.csv"]},
        "placebo": {"permutations": 25},
        "report": {"figures": []},
    }
    lines = [
        f"{START + timedelta(weeks=week)},britains-mood,{option},{(week * 7919 + place) % 13}"
        for week in range(14)
        for place, option in enumerate(("Happy", "Sad", "Bored"))
    ]
    (folder / "words.csv").write_text("\n".join(["date,question,option,value", *lines]), encoding="utf-8")
    (folder / "study.yaml").write_text(json.dumps(document), encoding="utf-8")
    code, said = ta("run", "--study", str(folder / "study.yaml"), "--runs", str(folder / "runs"))
    assert code == 0, said
    return folder, RunFolder(folder / "runs" / "small")


def place(folder: Path) -> list[str]:
    return ["--study", str(folder / "study.yaml"), "--runs", str(folder / "runs")]


def test_a_baseline_is_contrasted_with_the_adapters_and_is_not_taken_for_the_survey(
    small: tuple[Path, RunFolder],
) -> None:
    folder, run = small
    written = trust.read(run)
    assert set(written.options[0]["contrasts"]) == {"words"}
    sources = pl.read_parquet(run.series / "series.parquet")["source"].unique().to_list()
    assert sorted(sources) == ["adapters", "survey", "words"]
    with pytest.raises(ConfigError, match="same name"):
        load_study(folder / "study.yaml", overrides=["correlate.baselines=[a/words.csv, b/words.csv]"])


def test_validate_placebo_makes_every_kind_from_the_study_and_skips_what_is_done(
    small: tuple[Path, RunFolder],
) -> None:
    folder, run = small
    code, said = ta("validate", "--placebo", *place(folder))
    assert code == 0, said
    assert "base does not vary" in said
    table = pl.read_parquet(run.placebos / placebo_series.FILE)
    sources = set(table["source"].unique().to_list())
    assert {"placebo-shuffled-1", "placebo-questionnaire-1", "placebo-base-1", "placebo-permuted-25"} <= sources
    base = table.filter(pl.col("source") == "placebo-base-1")
    assert base.group_by("option").agg(pl.col("value").n_unique())["value"].to_list() == [1, 1, 1]
    assert base["week"].n_unique() == 14
    asked = table.filter(pl.col("source") == "placebo-questionnaire-1")
    assert asked["item"].unique().str.starts_with("placebo-").all()
    assert asked["value"].n_unique() > 300
    real = pl.read_parquet(run.series / "series.parquet").filter(pl.col("source") == "adapters")
    shuffled = table.filter(pl.col("source") == "placebo-shuffled-1")
    assert shuffled.height == real.height
    assert not np.allclose(shuffled["value"], real["value"])
    manifests = sorted((run.validate).rglob("manifest.json"))
    before = [path.stat().st_mtime_ns for path in manifests]
    assert ta("validate", "--placebo", *place(folder))[0] == 0
    assert [path.stat().st_mtime_ns for path in manifests] == before
    assert ta("report", *place(folder))[0] == 0
    page = (run.report / "index.html").read_text()
    assert 'id="placebos"' in page
    assert "questions that have nothing to do with the survey" in page
    assert "without a p: the options depend on each other" in page
    kinds = pl.read_parquet(run.report / "tables" / "placebos.parquet")
    assert kinds.filter(pl.col("is_null"))["kind"].unique().to_list() == ["questionnaire"]


@pytest.mark.parametrize(
    ("setting", "folder_name"),
    [("train.learning_rate=0.004", "adapters"), ("probe.temperature=2.0", "answers"), ("series.scale=share", "series")],
)
def test_placebos_of_other_settings_than_the_real_series_are_refused_before_any_training(
    small: tuple[Path, RunFolder], setting: str, folder_name: str
) -> None:
    folder, run = small
    before = sorted(run.root.rglob("manifest.json"))
    code, said = ta("validate", "--placebo", *place(folder), "--set", setting)
    assert code == 1
    assert "is of other settings or inputs" in said
    assert f"/{folder_name}" in said
    assert setting.split("=")[0] in said
    assert "run `ta run` first" in said
    assert sorted(run.root.rglob("manifest.json")) == before


def test_options_of_ta_validate_that_do_not_go_together_are_refused_before_any_training(
    small: tuple[Path, RunFolder],
) -> None:
    folder, run = small
    before = sorted(run.root.rglob("manifest.json"))
    for words in (
        ["--placebo", "--json"],
        ["--halves", "users", "--references", "none"],
        ["--placebo", "--halves", "thirds"],
        ["--halves", ""],
    ):
        code, said = ta("validate", *words, *place(folder), "--set", "placebo.seed=9")
        assert code == 2, said
    assert sorted(run.root.rglob("manifest.json")) == before


def test_the_agreement_of_halves_is_the_median_over_options(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Halved("users", 10.0, 5.0, [{"r": r} for r in (0.6, None, 0.2, 0.3, 0.9)])
    monkeypatch.setattr(halves, "build", lambda *_: None)
    monkeypatch.setattr(halves, "read", lambda _: {"users": found})
    assert (
        "r = 0.45 (median over 4 options)"
        in halves_stage(cast("Session", SimpleNamespace(study=0, run=0, display=0)), "users")[0]
    )


def test_halves_of_a_panel_tell_ta_power_what_posts_are_worth(small: tuple[Path, RunFolder]) -> None:
    folder, run = small
    code, said = ta("power", *place(folder), "--worlds", "0", "--posts", "500")
    assert code == 1
    assert "ta validate --halves users" in said
    code, said = ta("validate", "--halves", "users", *place(folder))
    assert code == 0, said
    found = json.loads((run.validate / "halves-users" / "halves.json").read_text())
    corpora = read_corpora(run)
    assert found["posts"] == pytest.approx(np.median([corpus.n_posts for corpus in corpora]) / 2, rel=0.35)
    assert {one["option"] for one in found["options"]} == {"Happy", "Sad", "Bored"}
    code, said = ta("power", *place(folder), "--worlds", "0", "--posts", "500", "--json")
    assert code == 0, said
    answer = json.loads(said[said.index("{") :])
    assert answer["effort"]["posts"] == 500
    assert "posts" in answer["needed"]
    assert any("--halves posts" in note for note in answer["notes"])
    assert ta("validate", "--halves", "thirds", *place(folder))[0] == 2


def test_a_study_without_a_survey_or_series_has_no_placebos(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    from temporal_adapters.proof.validate import placebo

    with pytest.raises(ValidityError, match="run `ta run`"):
        placebo.build(study, RunFolder(tmp_path / "none"))
    with pytest.raises(ValidityError, match="has no survey"):
        placebo.build(study.model_copy(update={"survey": None}), RunFolder(tmp_path / "none"))
    assert line.others(study.model_copy(update={"survey": None})) == []
