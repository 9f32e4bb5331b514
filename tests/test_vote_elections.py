"""One election predicted from others: who is learned from, who is asked, and parties that come and go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from vote_worlds import gles_document

from temporal_adapters.ground.errors import VoteError
from temporal_adapters.study.config.experiment import Baseline, Condition, Experiment
from temporal_adapters.study.config.vote import SurveyMapping
from temporal_adapters.vote import baselines, experiment, files, folds, grid, metrics, respondents, specimen


def mapping(**period: Any) -> SurveyMapping:
    given = {"variable": "year", "codes": [2013, 2017, 2021]}
    return SurveyMapping.model_validate({**gles_document(), "period": {**given, **period}})


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> files.SurveyFile:
    """Three elections; in the first there was no AfD to vote for."""
    path = tmp_path_factory.mktemp("waves") / "waves.parquet"
    waves = []
    for number, year in enumerate((2013, 2017, 2021)):
        made = specimen.simulate(400, number + 1, clean=True).columns
        if year == 2013:
            made = made.with_columns(q19ba=pl.when(pl.col("q19ba") == 322).then(801.0).otherwise(pl.col("q19ba")))
        waves.append(made.with_columns(lfdn=pl.col("lfdn") + 1000 * number, year=pl.lit(float(year))))
    pl.concat(waves).write_parquet(path)
    return files.open_survey(path)


def test_other_elections_are_learned_from_whole_and_this_ones_folds_are_asked(survey: files.SurveyFile) -> None:
    people = respondents.load(survey, mapping()).voters()
    (case,) = folds.expand([Condition(name="next", test_period="2021")], people.mapping)
    asked: list[str] = []
    for fold, seed, train, test in folds.splits(people, 4, [24]):
        task = folds.make_task(people, case, fold, seed, train, test)
        assert set(task.train["period"]) == {"2013", "2017"} and set(task.test["period"]) == {"2021"}
        assert task.train.height == people.frame.filter(pl.col("period") != "2021").height
        asked += task.test["respondent_id"].to_list()
    assert sorted(asked) == sorted(people.frame.filter(pl.col("period") == "2021")["respondent_id"].to_list())


def test_a_share_of_the_new_election_is_learned_from_but_never_who_is_asked(survey: files.SurveyFile) -> None:
    people = respondents.load(survey, mapping()).voters()
    condition = Condition(name="next", test_period="2021", test_shares=(0.0, 0.25, 1.0))
    cases = folds.expand([condition], people.mapping)
    assert [case.name for case in cases] == ["next-plus-0", "next-plus-25", "next-plus-100"]
    split = next(iter(folds.splits(people, 4, [24])))
    none, some, all_ = (folds.make_task(people, case, *split) for case in cases)
    n_own = people.frame[split[2]].filter(pl.col("period") == "2021").height
    assert all_.train.height == none.train.height + n_own
    assert some.train.height - none.train.height == pytest.approx(n_own / 4, abs=4)
    assert not set(all_.train["respondent_id"]) & set(all_.test["respondent_id"])


def test_a_party_that_the_earlier_election_lacks_has_no_probability_from_one_hot_models(
    survey: files.SurveyFile,
) -> None:
    people = respondents.load(survey, mapping()).voters()
    early = respondents.Respondents(people.mapping, people.frame.filter(pl.col("period") != "2021"))
    (case,) = folds.expand([Condition(name="next", test_period="2017")], people.mapping)
    task = folds.make_task(early, case, *next(iter(folds.splits(early, 3, [24]))))
    assert set(task.train["period"]) == {"2013"} and "AfD" not in set(task.train["vote"])
    place = people.mapping.labels.index("AfD")
    shares = baselines.predict(Baseline.model_validate({"model": "logit", "tune": False}), task)
    assert (shares[:, place] == 0).all() and np.isfinite(
        metrics.all_figures(task.truth[: len(shares)], shares)["brier"]
    )


def test_each_election_is_left_out_once_in_one_experiment(survey: files.SurveyFile, tmp_path: Path) -> None:
    one = Experiment.model_validate(
        {
            "experiment": "elections",
            "survey": "gles2017-post",
            "folds": 3,
            "conditions": [{"name": "out", "test_period": "each"}],
            "baselines": ["party-id", "majority"],
        }
    )
    experiment.Run(one, mapping(), survey, tmp_path).run()
    votes = grid.collect(one, mapping(), tmp_path)
    assert set(votes["condition"]) == {"out-2013", "out-2017", "out-2021"}
    people = respondents.load(survey, mapping()).voters().frame
    for year in ("2013", "2017", "2021"):
        mine = votes.filter(pl.col("condition") == f"out-{year}", pl.col("model") == "party-id")
        assert set(mine["respondent_id"]) == set(people.filter(pl.col("period") == year)["respondent_id"])


def test_periods_that_do_not_exist_are_refused(survey: files.SurveyFile) -> None:
    with pytest.raises(VoteError, match=r"holds the code 2021 \(400 respondents\), which is none of 2013, 2017"):
        respondents.load(survey, mapping(codes=[2013, 2017]))
    with pytest.raises(VoteError, match=r"there is no period '2005' \(choose each, 2013, 2017, 2021\)"):
        folds.expand([Condition(name="x", test_period="2005")], mapping())
    with pytest.raises(VoteError, match="needs `period` in the mapping"):
        folds.expand([Condition(name="x", test_period="each")], SurveyMapping.model_validate(gles_document()))
