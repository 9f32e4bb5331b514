"""What a study hands to ta power and its halves: shared weeks, persistence, seeds, and halves of another day."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from synthetic_run import rewrite, write_run, write_study
from test_power import asked, document

from temporal_adapters.engines.significance import effective
from temporal_adapters.proof.validate import dealing, halves, placebo
from temporal_adapters.proof.validate.variants import seeds_of, variant
from temporal_adapters.stages import series, trust
from temporal_adapters.stages.train.job import Job
from temporal_adapters.study.artifacts import RunFolder, publish
from temporal_adapters.study.config import Study


def finished(folder: Path, every: int) -> tuple[Study, RunFolder]:
    """Return a study of 60 weeks whose survey has a wave every so many weeks."""
    study = write_study(folder, correlate={"lags": [0], "draws": 199})
    run = write_run(study, folder / "runs", n_weeks=60, options=("Happy", "Sad"), gap=None, adapters=False)
    survey = pl.read_parquet(run.series / "series.parquet").filter(pl.col("source") == "YouGov")
    waves = survey["week"].unique().sort().gather_every(every)
    shutil.rmtree(run.series)
    series.build(study, run, lambda: [survey.filter(pl.col("week").is_in(waves.to_list()))])
    trust.run(study, run)
    return study, run


def planned(folder: Path, *words: str) -> tuple[int, str]:
    place = ["--study", str(folder / "study.yaml"), "--runs", str(folder / "runs")]
    return asked(*place, "--worlds", "0", "--json", *words)


def test_a_survey_every_second_week_shares_half_of_the_weeks_and_its_persistence_is_not_known(tmp_path: Path) -> None:
    _, run = finished(tmp_path, 2)
    one = trust.read(run).options[0]
    assert one["n_shared"] == 30
    assert one["persistence"]["survey"] is None
    assert one["persistence"]["model"] > 0.2
    assert "neighbouring weeks" in one["not_available"]["persistence of the survey"]
    found = trust.measure(trust.read(run))
    assert (found.effort.weeks, found.persistence) == (30, None)
    answer = json.loads(planned(tmp_path)[1])
    assert (answer["effort"]["weeks"], answer["design"]["persistence"]) == (30, 0.7)
    assert any("persistence is not known and taken as 0.7" in note for note in answer["notes"])
    given = json.loads(planned(tmp_path, "--persistence", "0.5")[1])
    assert not any("persistence" in note for note in given["notes"])


def test_the_weeks_without_neighbours_have_no_autocorrelation_and_add_nothing_to_effective_weeks() -> None:
    x = np.random.default_rng(2401).standard_normal((2, 60)).cumsum(axis=1)
    x[:, 1::2] = np.nan
    lags = effective.autocorrelation(x, 4)
    assert np.isnan(lags[:, [0, 2]]).all()
    assert (lags[:, 1] > 0.5).all()
    weeks = effective.effective_weeks(x[:1], x[1:])
    assert np.isfinite(weeks).all()
    assert (weeks < 30).all()


@pytest.mark.parametrize(("option", "takes"), [("--wordings", "several wordings"), ("--seeds", "several seeds")])
def test_numbers_whose_noise_the_study_does_not_know_are_refused(tmp_path: Path, option: str, takes: str) -> None:
    study = write_study(tmp_path, correlate={"lags": [0], "draws": 199})
    write_run(study, tmp_path / "runs", options=("Happy", "Sad"), adapters=False, with_validity=True)
    by_hand = ["--reliability-model", "0.6"] if option == "--seeds" else []
    code, said = planned(tmp_path, *by_hand, option, "4")
    assert code != 0
    assert "changes nothing" in said
    assert takes in said
    assert planned(tmp_path, "--seeds", "4", "--respondents", "500")[0] == 0


def made(study: Study, run: RunFolder) -> None:
    """Publish halves of the users of a study, as `halves.build` does."""
    sides = [variant(study, run, f"half-users-{side}", own_weeks=True) for side in (1, 2)]
    for one in sides:
        one.run.series.mkdir(parents=True, exist_ok=True)
        shutil.copy(run.series / "cells.parquet", one.run.series)
    due = halves._expected(study, run, "users", sides)
    with publish(
        due.folder, stage=due.stage, key=due.key, version=due.version, config=due.config, inputs=due.inputs
    ) as work:
        options = [{"item": "britains-mood", "option": "Happy"}, {"item": "britains-mood", "option": "Sad"}]
        half = document(halves=True)[1]["users"]
        replace(half, options=[{**half.options[0], **one} for one in options]).write(work.folder)


def test_halves_of_a_study_that_has_other_answers_by_now_are_left_out_and_it_is_said(tmp_path: Path) -> None:
    study, run = finished(tmp_path, 1)
    made(study, run)
    assert set(halves.read(run)) == {"users"}
    assert halves.stale(run) == []
    assert "posts" in json.loads(planned(tmp_path)[1])["needed"]
    cells = pl.read_parquet(run.series / "cells.parquet")
    rewrite(cells.with_columns(cell=pl.col("cell") * 1.1), run.cells_table)
    assert halves.read(run) == {}
    assert halves.stale(run) == ["users"]
    answer = json.loads(planned(tmp_path)[1])
    assert "posts" not in answer["needed"]
    assert any("halves of users were made when the study had other answers" in note for note in answer["notes"])


def test_halves_and_shuffles_train_with_seeds_of_their_own_in_the_study_s_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = write_study(tmp_path, placebo={"shuffles": 2, "questionnaire": None})
    run = RunFolder(tmp_path / "main")
    for deal in ("half", "shuffle"):
        monkeypatch.setattr(dealing, deal, lambda *_: None)
    variants = [halves._half(study, run, by, side) for by in halves.KINDS for side in (0, 1)]
    trained: list[Any] = []
    monkeypatch.setattr(placebo, "answer", lambda one, listener: trained.append(one))
    list(placebo._answered(study, run, lambda tick: None))
    seeds = [one.study.train.seeds for one in (*variants, *trained)]
    assert len(seeds) == 6
    assert len({seed for some in (study.train.seeds, *seeds) for seed in some}) == 7 * 3
    for some in seeds:
        assert np.argsort(some).tolist() == np.argsort(study.train.seeds).tolist(), "cells pair up in the seeds' order"
    starts = [Job("a", [], one.study.train.seeds[0], "2023-W01").generator("init").initial_seed() for one in variants]  # type: ignore[arg-type]
    assert len(set(starts)) == 4


def test_seeds_of_variants_never_meet_however_far_apart_the_study_s_are() -> None:
    seeds = (42, 1042, 2042, 5)
    every = [seed for number in range(20) for seed in seeds_of(seeds, number)]
    assert len(set(every)) == len(every)
    assert seeds_of((42, 99, 13), 2) == (2042, 2099, 2013)
