"""Survey files to weekly series: nothing is guessed, nothing shifts, one sentence per mistake."""

from __future__ import annotations

import json
import math
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyreadstat
import pytest
from trackers import QUESTION, shares, wave_days, write_csv, write_xlsx

from temporal_adapters.engines.significance import pairs as weekly_pairs
from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages import correlate, survey
from temporal_adapters.stages.weeks.windows import wave_keys, wave_windows
from temporal_adapters.study.config import load_study
from temporal_adapters.study.config.survey import Survey
from temporal_adapters.study.questionnaire import Item, Option, Questionnaire, Wording, load


def tidy(folder: Path, *rows: str, header: str = "date,question,option,value,n") -> Path:
    path = folder / "survey.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def read(path: Path, **settings: object) -> pl.DataFrame:
    return survey.read(Survey.model_validate({"paths": [path], "min_base": 1, **settings}))


def test_a_tidy_file_becomes_one_row_per_week_with_its_sampling_error(tmp_path: Path) -> None:
    path = tidy(tmp_path, "2023-04-05,mood,Happy,0.4321,1000", "2023-04-12,mood,Happy,0.4003,800")
    found = read(path, design_effect=1.5)
    assert found["week"].to_list() == [date(2023, 4, 3), date(2023, 4, 10)]
    assert found["value"].to_list() == [0.4321, 0.4003]
    assert found["se"][0] == pytest.approx(math.sqrt(1.5 * 0.4321 * (1 - 0.4321) / 1000 + 0.0001**2 / 12), rel=1e-12)
    assert found["n"].to_list() == [1000, 800]


def test_percent_signs_mean_percent_and_whole_percents_cost_rounding_error(tmp_path: Path) -> None:
    found = read(tidy(tmp_path, "2023-04-05,mood,Happy,43%,1000", "2023-04-12,mood,Happy,40%,800"))
    assert found["value"].to_list() == [0.43, 0.4]
    assert found["se"][0] == pytest.approx(math.sqrt(0.43 * 0.57 / 1000 + 0.01**2 / 12), rel=1e-12)


def test_rows_without_a_value_are_missing_and_counted(tmp_path: Path) -> None:
    path = tidy(
        tmp_path, "2023-04-03,Mood,Happy,45%,1000", "2023-04-10,Mood,Happy,n/a,1000", "2023-04-17,Mood,Happy,,9"
    )
    found = survey.read_observations(Survey(paths=(path,), source="s"))
    assert found.frame["value"].null_count() == 2
    assert [note for note in found.notes if "without a value" in note] == [
        f"{path}: 2 rows without a value are missing"
    ]


def test_a_week_without_a_wave_has_no_row(tmp_path: Path) -> None:
    found = read(
        tidy(tmp_path, "2023-04-05,mood,Happy,0.4,90", "2023-04-26,mood,Happy,0.5,90", "2023-04-12,mood,Happy,,90")
    )
    assert found["week"].to_list() == [date(2023, 4, 3), date(2023, 4, 24)]


def test_the_middle_of_the_fieldwork_decides_the_week_unless_told_otherwise(tmp_path: Path) -> None:
    path = tidy(tmp_path, "2023-04-07,mood,Happy,0.4,90,2023-04-13", header="date,question,option,value,n,end")
    assert read(path)["week"].to_list() == [date(2023, 4, 10)]
    assert read(path, fieldwork_date="start")["week"].to_list() == [date(2023, 4, 3)]


def test_two_waves_in_one_week_are_averaged_by_n_when_that_is_meant(tmp_path: Path) -> None:
    path = tidy(tmp_path, "2023-04-03,mood,Happy,0.4,300", "2023-04-06,mood,Happy,0.6,100")
    found = read(path, same_week="mean")
    assert found["value"].to_list() == [pytest.approx(0.45)]
    assert found["n"].to_list() == [400]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["2023-04-05,mood,Happy,43%,90", "2023-04-12,mood,Happy,0.4,90"], "carry a %"),
        (["2023-04-05,mood,Happy,43,90"], "survey.unit"),
        (["2023-04-05,mood,Happy,inf,9"], "not a finite number"),
        (["2023-04-05,mood,Happy,0.4,90", "12/04/2023,mood,Happy,0.4,90"], "two formats"),
        (["03/04/2023,mood,Happy,0.4,90"], "survey.date_format"),
        (["soon,mood,Happy,0.4,90"], "is not a day"),
        (["2023-04-05,mood,Happy,0.4,90", "2023-04-05,mood,Happy,0.5,90"], "appears 2 times"),
        (["2023-04-05,mood,Happy,0.4,90", "2023-04-06,mood,Happy,0.5,90"], "same week"),
        (["2023-04-05,mood,Happy,0.4,90", "2023-04-05,mood,Sad,,9"], "has no value in any wave"),
        (["2023-04-05,mood,Happy,high,9"], "is not a number"),
        (["2023-04-05,mood,Happy,0.4,-3"], "number of respondents"),
        (["2023-04-05,mood,Happy,0.4"], "has 4 cells"),
        (["2023-04-05,mood,,0.4,9"], "option is empty in row 2"),
        ([], "no rows below the header"),
    ],
)
def test_a_mistake_in_a_tidy_file_is_one_sentence_that_names_it(tmp_path: Path, rows: list[str], words: str) -> None:
    with pytest.raises(SurveyError) as caught:
        read(tidy(tmp_path, *rows))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_column_is_named_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match=r"lacks the column 'option' \(it has date, question, antwoord, value, n\)"):
        read(tidy(tmp_path, "2023-04-05,mood,Happy,0.4,90", header="date,question,antwoord,value,n"))


def test_other_column_names_are_mapped(tmp_path: Path) -> None:
    path = tidy(tmp_path, "2023-04-05,mood,Happy,0.4,90", header="day,question,answer,value,n")
    assert read(path, columns={"date": "day", "option": "answer"}).height == 1


def test_days_that_fit_two_formats_are_read_when_only_one_fits_the_whole_column(tmp_path: Path) -> None:
    found = read(tidy(tmp_path, "03/04/2023,mood,Happy,0.4,90", "17/04/2023,mood,Happy,0.4,90"))
    assert found["week"].to_list() == [date(2023, 4, 3), date(2023, 4, 17)]


def moods(survey_question: str = "", option: str = "") -> Questionnaire:
    options = (Option("Happy", "Happy", survey=option), Option("Sad", "Sad"))
    return Questionnaire(
        "q", (Item("mood", "select_one", options, (Wording("a", "?"),), survey_question=survey_question),)
    )


def test_names_meet_by_the_questionnaires_link_or_by_equal_names_in_any_case(tmp_path: Path) -> None:
    path = tidy(tmp_path, "2023-04-05,How are you,Cheerful,0.4,90", "2023-04-05,HOW ARE  YOU,sad,0.2,90")
    linked = survey.link(read(path), [moods("How are you", "cheerful")])
    assert linked.series.select("item", "option").rows() == [("mood", "Happy"), ("mood", "Sad")]
    assert linked.without_survey == ()


def test_names_that_meet_nothing_are_reported_and_none_at_all_is_an_error(tmp_path: Path) -> None:
    found = read(tidy(tmp_path, "2023-04-05,mood,happy,0.4,90", "2023-04-05,mood,Tired,0.2,90"))
    linked = survey.link(found, [moods()])
    assert linked.without_survey == ("mood / Sad",)
    assert linked.without_questionnaire == ("mood / Tired",)
    with pytest.raises(SurveyError, match="the nearest is 'mood'"):
        survey.link(found.with_columns(pl.lit("other").alias("item")), [moods()])


def test_a_tracker_in_excel_is_read_by_split_with_its_unweighted_base(tmp_path: Path) -> None:
    days, values = wave_days(20, without=[7]), shares(19)
    path = write_xlsx(tmp_path / "tracker.xlsx", days, values)
    found = read(path)
    happy = found.filter(option="Happy")
    assert found["item"].unique().to_list() == [QUESTION]
    assert found["option"].n_unique() == 14
    assert happy["week"].to_list() == days
    assert happy["value"].to_list() == pytest.approx(values[:, 0].tolist(), abs=1e-12)
    assert happy["n"][0] == 1950
    p = values[0, 0]
    assert happy["se"][0] == pytest.approx(math.sqrt(p * (1 - p) / 1950 + 0.01**2 / 12), rel=1e-9)
    female = read(path, split="female", question="mood").filter(option="Happy")
    assert female["value"].to_list() == pytest.approx((values[:, 0] + 0.02).tolist(), abs=1e-12)
    with pytest.raises(SurveyError, match=r"no sheet 'Wales' \(it has All adults, Male"):
        read(path, split="Wales")


def test_whole_numbers_in_a_tracker_are_percentages(tmp_path: Path) -> None:
    values = shares(15)
    found = read(write_xlsx(tmp_path / "tracker.xlsx", wave_days(15), values, as_percent=False))
    assert found.filter(option="Sad")["value"].to_list() == pytest.approx(values[:, 1].tolist(), abs=1e-12)


@pytest.mark.parametrize("sign", ["%", ""])
def test_a_tracker_as_csv_is_the_same_series(tmp_path: Path, sign: str) -> None:
    days, values = wave_days(15), shares(15)
    path = write_csv(tmp_path / "britains-mood.csv", [day.strftime("%d/%m/%Y") for day in days], values, sign)
    found = read(path).filter(option="Scared")
    assert found["week"].to_list() == days
    assert found["value"].to_list() == pytest.approx(values[:, 11].tolist(), abs=1e-12)
    assert found["n"].to_list() == [1950] * 15


def test_fieldwork_written_as_a_range_decides_by_its_middle(tmp_path: Path) -> None:
    days = ["7-11 April 2023", "28 April - 1 May 2023", "5 May 2023"]
    found = read(write_csv(tmp_path / "t.csv", days, shares(3))).filter(option="Sad")
    assert found["week"].to_list() == [date(2023, 4, 3), date(2023, 4, 24), date(2023, 5, 1)]
    observed = survey.read_observations(Survey.model_validate({"paths": [tmp_path / "t.csv"]})).frame
    assert observed["start"].unique().sort().to_list()[:2] == [date(2023, 4, 7), date(2023, 4, 28)]


def edit(path: Path, old: str, new: str) -> Path:
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("2020-01-13", "2020-01-06", "the wave of 2020-01-06 has two columns"),
        ("2020-01-13", "13/01/2020", "two formats"),
        ("\nSad,", "\nHappy,", "the answer 'Happy' has two rows"),
        ("Unweighted base,", "Unweighted base,inf,", "not a finite number"),
    ],
)
def test_a_broken_tracker_is_refused_in_one_sentence(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = write_csv(tmp_path / "t.csv", [str(day) for day in wave_days(5)], shares(5))
    with pytest.raises(SurveyError) as caught:
        read(edit(path, old, new), format="yougov")
    assert words in str(caught.value)


def test_cells_that_a_publisher_suppressed_are_missing_and_counted(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", [str(day) for day in wave_days(5)], shares(5))
    first = path.read_text(encoding="utf-8").split("\nHappy,")[1].split(",")[0]
    edit(path, f"\nHappy,{first},", "\nHappy,*,")
    settings = Survey.model_validate({"paths": [path]})
    assert "1 cells without a number" in survey.read_observations(settings).notes[0]
    assert survey.read(settings).filter(option="Happy").height == 4


def write_wave(path: Path, mood: list[float], weights: list[float], happy: list[float] | None = None) -> Path:
    frame = pd.DataFrame({"mood": mood, "w": weights, "happy": happy or [0.0] * len(mood)})
    labels = {"mood": {1.0: "good", 2.0: "bad", 99.0: "no answer"}}
    if path.suffix == ".dta":
        labels = {"mood": {1: "good", 2: "bad", 99: "no answer"}}
        frame["mood"] = frame["mood"].astype(int)
        pyreadstat.write_dta(frame, str(path), variable_value_labels=labels)
    else:
        pyreadstat.write_sav(frame, str(path), variable_value_labels=labels)
    return path


@pytest.mark.parametrize("suffix", [".sav", ".dta"])
def test_waves_of_respondents_are_weighted_with_kishs_design_effect(tmp_path: Path, suffix: str) -> None:
    weights = [2.0, 1.0, 1.0, 0.5, 0.5, 3.0]
    path = write_wave(tmp_path / f"wave-2023-04-05{suffix}", [1, 1, 2, 2, 2, 99], weights)
    found = read(path, variables={"mood": "mood"}, weight="w", missing_codes=[99])
    good = found.filter(option="good").row(0, named=True)
    assert good["value"] == pytest.approx(3 / 5)
    assert good["n"] == 5
    effect = 5 * (4 + 1 + 1 + 0.25 + 0.25) / 25
    assert good["se"] == pytest.approx(math.sqrt(effect * 0.6 * 0.4 / 5))
    assert good["week"] == date(2023, 4, 3)
    assert found.filter(option="no answer").height == 0


def test_ticked_variables_of_a_wave_are_shares_of_those_who_answered_any(tmp_path: Path) -> None:
    path = write_wave(tmp_path / "2023-04-05.sav", [1, 2, 1, 2], [1, 1, 1, 1], [1, 0, 1, math.nan])
    found = read(path, variables={"feel": {"Happy": "happy"}})
    assert found["value"].to_list() == [pytest.approx(2 / 3)]
    assert found["n"].to_list() == [3]


def test_a_wave_without_a_day_or_with_an_unknown_variable_is_refused(tmp_path: Path) -> None:
    path = write_wave(tmp_path / "wave7.sav", [1, 2], [1, 1])
    with pytest.raises(SurveyError, match="its name holds no day"):
        read(path, variables={"mood": "mood"})
    path = write_wave(tmp_path / "2023-04-05.sav", [1, 2], [1, -1])
    with pytest.raises(SurveyError, match="no variable 'moood'"):
        read(path, variables={"mood": "moood"})
    with pytest.raises(SurveyError, match="w of 1 of 2 respondents is missing or negative"):
        read(path, variables={"mood": "mood"}, weight="w")
    with pytest.raises(SurveyError, match=r"survey\.variables"):
        read(path)


POLLS = """poll_id,pollster,population,start_date,end_date,sample_size,answer,pct
1,A,lv,4/3/23,4/5/23,1000,Yes,44.2
1,A,lv,4/3/23,4/5/23,1000,No,50
1,A,a,4/3/23,4/5/23,1400,Yes,40
2,B,lv,4/4/23,4/8/23,3000,Yes,40
2,B,lv,4/4/23,4/8/23,3000,No,52
3,A,lv,4/17/23,4/19/23,1000,Yes,43
"""


def test_a_list_of_polls_is_averaged_per_week_by_sample_size(tmp_path: Path) -> None:
    path = tmp_path / "approval.csv"
    path.write_text(POLLS)
    found = read(path, keep={"population": "lv"})
    yes = found.filter(option="Yes")
    assert yes["week"].to_list() == [date(2023, 4, 3), date(2023, 4, 17)]
    assert yes["value"].to_list() == [pytest.approx((0.442 + 3 * 0.4) / 4), pytest.approx(0.43)]
    assert yes["n"].to_list() == [4000, 1000]
    assert yes["se"][0] == pytest.approx(
        math.sqrt(1000**2 * 0.442 * 0.558 / 1000 + 3000**2 * 0.4 * 0.6 / 3000) / 4000, rel=1e-9
    )
    with pytest.raises(SurveyError, match="'rv' never occurs; there are a, lv"):
        read(path, keep={"population": "rv"})


def test_the_check_lists_options_missing_waves_and_sums(tmp_path: Path) -> None:
    found = read(write_xlsx(tmp_path / "t.xlsx", wave_days(20, without=[3, 9]), shares(18)), question="mood")
    shown = "\n".join(survey.lines(found, [moods()]))
    assert "mood / Happy" in shown
    assert "without a wave: 2 (2020-01-27, 2020-03-09)" in shown
    assert "SUSPICIOUS, one answer is asked for, yet they exceed 1" in shown
    item = moods().items[0]
    several = Questionnaire("q", (Item("mood", "select_multiple", item.options, item.wordings),))
    assert "as several may apply" in "\n".join(survey.lines(found, [several]))


def test_a_downloaded_tracker_meets_the_shipped_questionnaire(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "t.xlsx", wave_days(15), shares(15))
    for settings in ({}, {"question": "Britains-Mood"}):
        linked = survey.link(read(path, **settings), [load("britains-mood")])
        assert linked.without_survey == ()
        assert {name.split(" / ")[1] for name in linked.without_questionnaire} == {"None of these", "Don't know"}
        assert linked.series.filter(item="britains-mood", option="Happy").height == 15


def test_a_wave_with_interview_days_begins_and_ends_with_them(tmp_path: Path) -> None:
    days = [date(2023, 4, 3), date(2023, 4, 6), date(2023, 4, 5)]
    frame = pd.DataFrame({"mood": [1.0, 2.0, 2.0], "day": days})
    pyreadstat.write_sav(frame, str(tmp_path / "w.sav"), variable_value_labels={"mood": {1.0: "good", 2.0: "bad"}})
    settings = Survey.model_validate(
        {"paths": [tmp_path / "w.sav"], "variables": {"q": "mood"}, "columns": {"date": "day"}, "min_base": 1}
    )
    found = survey.read_observations(settings).frame
    assert found.select("start", "end").unique().rows() == [(date(2023, 4, 3), date(2023, 4, 6))]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.xlsx", "no zip", "cannot be read as an xlsx workbook"),
        ("t.sav", "no sav", "cannot be read as an SPSS or Stata file"),
        ("t.csv", "", "the file is empty"),
        ("t.csv", "date,question,option,value\n2023-04-03,a\n", "row 2 has 2 cells, the header has 4"),
        ("t.csv", "date,date,option,value\n", "a column name appears twice"),
        ("t.csv", "pollster,start_date,end_date\nA,2023-04-03,2023-04-04\n", "lacks a column for 'option'"),
        ("t.csv", "date,question,option,value\n,a,b,0.1\n", "date is empty in row 2"),
    ],
)
def test_a_file_that_is_not_what_it_seems_is_one_sentence(tmp_path: Path, name: str, content: str, words: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(SurveyError) as caught:
        read(tmp_path / name, variables={"mood": "mood"} if name.endswith("sav") else {})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_survey_file_is_named() -> None:
    with pytest.raises(SurveyError, match=r"nowhere\.csv: there is no such survey file"):
        read(Path("nowhere.csv"))


def test_a_given_date_format_is_kept_to(tmp_path: Path) -> None:
    path = tidy(tmp_path, "03/04/2023,mood,Happy,0.4,90")
    assert read(path, date_format="%m/%d/%Y")["week"].to_list() == [date(2023, 2, 27)]
    with pytest.raises(SurveyError, match=r"is not a day written as survey\.date_format"):
        read(path, date_format="%Y-%m-%d")


def test_means_on_a_scale_are_kept_as_they_are(tmp_path: Path) -> None:
    path = tidy(tmp_path, "2023-04-05,life,mean,7.4,900,0.08", header="date,question,option,value,n,se")
    found = read(path, unit="mean")
    assert found.select("value", "se").rows() == [(7.4, 0.08)]


def test_weeks_begin_on_the_day_the_study_says(tmp_path: Path) -> None:
    settings = Survey.model_validate({"paths": [tidy(tmp_path, "2023-04-02,mood,Happy,0.4,90")]})
    assert survey.read(settings, "monday")["week"].to_list() == [date(2023, 3, 27)]
    assert survey.read(settings, "sunday")["week"].to_list() == [date(2023, 4, 2)]


def test_a_mean_over_waves_has_no_error_and_no_weights_where_one_lacks_them(tmp_path: Path) -> None:
    path = tidy(tmp_path, "2023-04-03,mood,Happy,0.4,1000", "2023-04-06,mood,Happy,0.6,")
    found = read(path, same_week="mean").row(0, named=True)
    assert found["value"] == pytest.approx(0.5)
    assert found["se"] is None
    assert found["n"] is None


@pytest.mark.parametrize("include_wave_day", [False, True])
def test_windows_before_waves_meet_their_own_wave_at_lag_0(tmp_path: Path, include_wave_day: bool) -> None:
    waves = [date(2023, 4, 5) + timedelta(weeks=week) for week in range(30)]
    values = np.random.default_rng(5).uniform(0.2, 0.6, 30)
    tidy(tmp_path, *(f"{day},mood,Happy,{value:.4f},900" for day, value in zip(waves, values, strict=True)))
    document = {
        "study": "s",
        "panel": {"paths": ["x.csv"]},
        "survey": {"paths": ["survey.csv"]},
        "weeks": {"waves": [str(day) for day in waves], "include_wave_day": include_wave_day},
    }
    (tmp_path / "study.yaml").write_text(json.dumps(document))
    study = load_study(tmp_path / "study.yaml", tmp_path / "runs")
    keys = wave_keys(study.weeks)
    assert keys is not None
    theirs = survey.read(study.survey, study.weeks.first_weekday, keys)
    days = [window.start for window in wave_windows(study.weeks)]
    assert theirs["week"].to_list() == days
    ours = theirs.with_columns(pl.lit("adapters").alias("source"), pl.Series("value", values.round(4)))
    pairs = correlate.align(pl.concat([ours, theirs]), "adapters", "survey", lags=[3])
    r = weekly_pairs.correlations(pairs.model, pairs.survey, range(-3, 4))[0]
    assert int(np.argmax(r)) - 3 == 0
    assert max(r) == pytest.approx(1)
    del keys[waves[7]]
    with pytest.raises(SurveyError, match="wave of 2023-05-24 has no window of posts"):
        survey.read(study.survey, "monday", keys)
