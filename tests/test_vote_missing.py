"""What a survey file does not say: decided once, on its own codes, and never filled in where it is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from vote_worlds import gles_document, gles_file

from temporal_adapters.ground.errors import VoteError
from temporal_adapters.study.config.experiment import Baseline, PromptStyle
from temporal_adapters.study.config.vote import SurveyMapping
from temporal_adapters.vote import files, impute, inference, metrics, respondents
from temporal_adapters.vote.prompts import Writer

ROWS = {
    "birth_year": [1927.0, 1928.0, 1990.0, 98.0, 1959.0, 1960.0],
    "income": [1200.0, 77.0, 88.0, 2400.0, 77.0, 900.0],
    "vote": [1.0, 2.0, 1.0, 2.0, 97.0, 97.0],
    "turnout": [1.0, 1.0, 1.0, 1.0, 1.0, 2.0],
}


def mapping(**changes: Any) -> SurveyMapping:
    document = {
        "survey": "own",
        "missing": {"codes": [97, 98, 99]},
        "target": {
            "variable": "vote",
            "labels": [{"name": "Left", "codes": [1]}, {"name": "Right", "codes": [2]}, {"name": "Non-voter"}],
            "turnout": {"variable": "turnout", "codes": [2], "label": "Non-voter"},
            "known": [{"variable": "turnout", "codes": [1], "never": ["Non-voter"]}],
        },
        "items": [
            {
                "name": "age",
                "variable": "birth_year",
                "kind": "numeric",
                "subtract_from": 2025,
                "question": "Age",
                "missing_answers": {98: "will not say"},
            },
            {"name": "income", "variable": "income", "kind": "numeric", "question": "Income"},
        ],
        "prompt": {"instruction": "Who?", "story": "I voted for"},
    }
    return SurveyMapping.model_validate({**document, **changes})


def income(**changes: Any) -> dict[str, Any]:
    return {"name": "income", "variable": "income", "kind": "numeric", "question": "Income", **changes}


def write(path: Path, **columns: list[Any]) -> files.SurveyFile:
    """Write the rows as pyreadstat does for SPSS and Stata users, or as text."""
    import pandas as pd
    import pyreadstat

    frame = pd.DataFrame({**ROWS, **columns})
    labels = {"income": {77.0: "refused", 88.0: "don't know"}}
    if path.suffix == ".sav":
        ranges = {"income": [{"lo": 77.0, "hi": 77.0}, {"lo": 88.0, "hi": 88.0}]}
        pyreadstat.write_sav(frame, str(path), variable_value_labels=labels, missing_ranges=ranges)
    elif path.suffix == ".dta":
        pyreadstat.write_dta(frame, str(path), variable_value_labels=labels)
    else:
        frame.to_csv(path, index=False)
    return files.open_survey(path)


def test_a_computed_value_that_equals_a_missing_code_is_a_value(tmp_path: Path) -> None:
    own = mapping(items=[mapping().items[0].model_dump()])
    frame = respondents.load(write(tmp_path / "x.csv"), own).frame
    assert frame["age"].to_list() == ["98", "97", "35", ".98", "66", "65"]
    item = own.item("age")
    assert [own.no_answer(item, value) for value in frame["age"]] == [False, False, False, True, False, False]
    lines = [Writer(own, PromptStyle(), own.items).prompt(row).body for row in frame.iter_rows(named=True)]
    assert lines[0] == "Age: 98" and lines[3] == "Age: will not say"


@pytest.mark.parametrize("suffix", [".sav", ".dta"])
def test_numbers_that_the_file_labels_or_declares_missing_are_refused_until_the_mapping_says_what_they_are(
    tmp_path: Path, suffix: str
) -> None:
    survey = write(tmp_path / f"x{suffix}")
    reason = "which the file declares missing" if suffix == ".sav" else "which the file labels 'refused'"
    with pytest.raises(
        VoteError, match=rf"income \(item 'income'\) holds the code 77 \(2 respondents\), {reason}: add"
    ):
        respondents.load(survey, mapping())
    said = [mapping().items[0].model_dump(), income(missing={"codes": [77, 88]})]
    assert respondents.load(survey, mapping(items=said)).frame["income"].to_list()[1:3] == [".77", ".88"]
    numbers = [mapping().items[0].model_dump(), income(labelled=[77, 88])]
    assert respondents.load(survey, mapping(items=numbers)).frame["income"].to_list()[1:3] == ["77", "88"]


def test_one_mapping_gives_the_same_rows_for_every_format(tmp_path: Path) -> None:
    said = mapping(items=[mapping().items[0].model_dump(), income(missing={"codes": [77, 88]})])
    found = [respondents.load(write(tmp_path / f"x{suffix}"), said).frame for suffix in (".sav", ".dta", ".csv")]
    assert found[0].equals(found[1]) and found[0].equals(found[2])


def test_who_is_known_to_have_voted_is_never_imputed_as_a_non_voter(tmp_path: Path) -> None:
    people = respondents.load(gles_file(tmp_path, ".parquet", 900), SurveyMapping.model_validate(gles_document()))
    asked = people.frame.filter(pl.col("vote").is_null())
    assert asked.height > 20 and set(asked["excluded"].list.join(",")) == {"Non-voter"}
    found = impute.impute(people, Baseline.model_validate("logit"), 5, 24)
    imputed = found.frame.filter(pl.col("vote").is_null()).select(pl.exclude("respondent_id", "weight", "vote"))
    assert not (imputed == "Non-voter").to_numpy().any()
    row = found.shares.row(by_predicate=pl.col("label") == "Non-voter", named=True)
    observed = people.frame.filter(pl.col("vote") == "Non-voter")["weight"].sum() / people.frame["weight"].sum()
    assert row["missing_information"] == 0 and row["share"] == pytest.approx(observed)


def test_a_rule_that_leaves_no_class_is_refused(tmp_path: Path) -> None:
    target = mapping().target.model_dump()
    target["known"] = [{"variable": "turnout", "codes": [1], "never": ["Left", "Right", "Non-voter"]}]
    with pytest.raises(VoteError, match="leaves no class for 1 respondents whose vote is missing"):
        respondents.load(write(tmp_path / "x.csv"), mapping(target=target, items=[income(labelled=[77, 88])]))


def test_share_intervals_are_wilsons_where_nothing_is_missing() -> None:
    # Second source: statsmodels' proportion_confint, at the n that gives the same variance (n - 1).
    from scipy import stats
    from statsmodels.stats.proportion import proportion_confint

    for hits, n in ((0, 50), (1, 80), (30, 90), (400, 400)):
        classes = np.zeros(n, dtype=np.int64)
        classes[:hits] = 1
        one = inference.pool_shares([classes, classes], 2)[1]
        assert 0 <= one.low <= one.high <= 1 and one.missing_information == 0
        size = n - 1 if 0 < hits < n else n
        alpha = 2 * stats.norm.sf(stats.t.ppf(0.975, one.df))
        low, high = proportion_confint(hits / n * size, size, alpha=alpha, method="wilson")
        assert (one.low, one.high) == pytest.approx((low, high), abs=1e-9)


@pytest.mark.parametrize(
    ("weight", "words"),
    [(float("inf"), "not finite for 1 of 6"), (1e12, r"weight 1e\+12, more than 1,000 times the median")],
)
def test_a_weight_that_would_be_every_figure_is_refused(tmp_path: Path, weight: float, words: str) -> None:
    survey = write(tmp_path / "x.csv", w=[1.0, 1.0, weight, 1.0, 0.5, 2.0])
    with pytest.raises(VoteError, match=words):
        respondents.load(survey, mapping(weight={"variable": "w"}, items=[income(labelled=[77, 88])]))


@pytest.mark.parametrize("value", ["inf", "nan"])
def test_a_number_that_is_none_is_refused_before_hours(tmp_path: Path, value: str) -> None:
    text = "income,vote,turnout\n1200,1,1\n900,2,1\n" + f"{value},1,1\n"
    (tmp_path / "x.csv").write_text(text)
    survey = files.open_survey(tmp_path / "x.csv")
    with pytest.raises(VoteError, match=f"holds the code {value} .*which is no finite number"):
        respondents.load(survey, mapping(items=[income()]))


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("vote,income,vote\n1,2,3\n")
    with pytest.raises(VoteError, match=r"the columns 1, 3 are all called 'vote'"):
        files.open_survey(tmp_path / "x.csv")


def test_answers_that_read_the_same_or_say_nothing_are_refused_and_keys_may_be_floats() -> None:
    def item(answers: dict[Any, str]) -> list[dict[str, Any]]:
        return [{"name": "sex", "variable": "sex", "kind": "nominal", "question": "Sex", "answers": answers}]

    with pytest.raises(ValueError, match="the answers 1 and 2 of 'sex' have the same words"):
        mapping(items=item({1: "Male", 2: " male"}))
    with pytest.raises(ValueError, match="the answer 2 of 'sex' has empty words"):
        mapping(items=item({1: "male", 2: " "}))
    assert list(mapping(items=item({1.0: "male", 2.0: "female"})).items[0].answers) == ["1", "2"]


def test_running_text_leaves_no_item_out_in_silence() -> None:
    own = mapping()
    with pytest.raises(VoteError, match="needs a `sentence` for every item, and the mapping 'own' has none for age"):
        Writer(own, PromptStyle(style="story"), own.items)
    said = [
        {**item.model_dump(), "sentence": text} for item, text in zip(own.items, ("I am {answer}.", ""), strict=True)
    ]
    Writer(mapping(items=said), PromptStyle(style="story"), mapping(items=said).items)


def test_who_gave_no_answer_has_no_calibration() -> None:
    truth = np.array([0, 1, 1])
    answered = np.array([[0.8, 0.2], [0.4, 0.6], [0.0, 0.0]])
    assert metrics.ece(truth, answered) == pytest.approx(metrics.ece(truth[:2], answered[:2]))
    assert metrics.calibration(truth, answered)[:, 1].sum() == 2
