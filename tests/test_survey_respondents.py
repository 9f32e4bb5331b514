"""Files of respondents to waves: days, codes, labels, weights; values by hand, standard errors by R `survey`."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyreadstat
import pytest

from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages import survey
from temporal_adapters.stages.survey.design import Design
from temporal_adapters.study.config.survey import Survey
from temporal_adapters.study.questionnaire import nonresponse

LABELS = {"q1": {1.0: "Good", 2.0: "Bad", -9.0: "Refused", -8.0: "Don't know"}}


def settings_for(path: Path, **settings: object) -> Survey:
    return Survey.model_validate({"paths": [path], "variables": {"mood": "q1"}, "min_base": 1, **settings})


def observed(path: Path, **settings: object) -> survey.Observations:
    return survey.read_observations(settings_for(path, **settings))


def shares(found: pl.DataFrame) -> dict[str, float]:
    return {option: round(value, 9) for option, value in found.select("option", "value").iter_rows()}


def people(n: int = 120) -> pd.DataFrame:
    place = np.arange(n)
    return pd.DataFrame(
        {
            "q1": np.where(place % 10 == 0, -9.0, np.where(place % 10 == 1, -8.0, 1.0 + place % 2)),
            "w": 0.5 + place % 3,
            "age": 18.0 + place % 60,
            "day": [date(2023, 4, 3) + timedelta(days=int(at) // 10) for at in place],
            "round": 1.0 + place // 40,
        }
    )


def test_a_declared_missing_value_is_no_option_and_no_base(tmp_path: Path) -> None:
    path = tmp_path / "2023-04-03.sav"
    pyreadstat.write_sav(
        people(),
        str(path),
        variable_value_labels=LABELS,
        missing_ranges={"q1": [{"lo": -9, "hi": -8}], "w": [{"lo": 99, "hi": 99}]},
    )
    found = observed(path, weight="w")
    # The second source: pandas over pyreadstat's own reading, where declared missing values are NaN.
    frame, _ = pyreadstat.read_sav(str(path))
    valid = frame.dropna(subset=["q1"])
    good = valid.loc[valid.q1 == 1, "w"].sum() / valid.w.sum()
    assert shares(found.frame) == {"Good": round(good, 9), "Bad": round(1 - good, 9)}
    assert found.frame["n"].unique().to_list() == [len(valid)]
    assert "-9 'Refused' (12, declared missing)" in "\n".join(found.notes)


def test_labels_that_say_no_answer_are_left_out_and_dont_know_as_the_study_says(tmp_path: Path) -> None:
    path = tmp_path / "2023-04-03.sav"
    pyreadstat.write_sav(people(), str(path), variable_value_labels=LABELS)
    frame = people()
    valid = frame[frame.q1 != -9]
    assert shares(observed(path).frame) == {
        name: round((valid.q1 == code).mean(), 9) for code, name in ((1, "Good"), (2, "Bad"), (-8, "Don't know"))
    }
    asked = frame[frame.q1 > 0]
    assert shares(observed(path, dont_know="missing").frame) == {
        name: round((asked.q1 == code).mean(), 9) for code, name in ((1, "Good"), (2, "Bad"))
    }
    kept = shares(observed(path, answer_codes=[-9]).frame)
    assert kept["Refused"] == round((frame.q1 == -9).mean(), 9)


def test_a_code_without_a_label_beyond_the_labelled_ones_is_refused(tmp_path: Path) -> None:
    frame = people()
    frame.loc[3, "q1"] = 99.0
    path = tmp_path / "2023-04-03.sav"
    pyreadstat.write_sav(frame, str(path), variable_value_labels=LABELS)
    with pytest.raises(SurveyError, match=r"q1 holds 99 \(1 respondents\), which has no label"):
        observed(path)
    assert "99" not in shares(observed(path, missing_codes=[99]).frame)


def test_points_of_a_scale_between_labelled_ends_are_answers(tmp_path: Path) -> None:
    frame = pd.DataFrame({"q1": [0.0, 3.0, 10.0, 3.0]})
    path = tmp_path / "2023-04-03.sav"
    pyreadstat.write_sav(frame, str(path), variable_value_labels={"q1": {0.0: "Not at all", 10.0: "Fully"}})
    assert shares(observed(path).frame) == {"Not at all": 0.25, "Fully": 0.25, "3": 0.5}


@pytest.mark.parametrize("suffix", [".sav", ".SAV", ".dta", ".DTA", ".csv", ".parquet"])
def test_respondents_of_any_file_give_the_same_shares(tmp_path: Path, suffix: str) -> None:
    frame = people()[["q1", "w"]]
    path = tmp_path / f"wave-2023-04-03{suffix}"
    if suffix.lower() == ".sav":
        pyreadstat.write_sav(frame, str(path), variable_value_labels=LABELS)
    elif suffix.lower() == ".dta":
        labels = {"q1": {int(code): name for code, name in LABELS["q1"].items()}}
        pyreadstat.write_dta(frame.astype({"q1": int}), str(path), variable_value_labels=labels)
    else:
        frame["q1"] = frame["q1"].map(LABELS["q1"])
        if suffix == ".csv":
            frame.to_csv(path, index=False)
        else:
            pl.from_pandas(frame).write_parquet(path)
    found = observed(path, weight="w")
    valid = people()[lambda f: f.q1 != -9]
    expected = {
        name: round(valid.loc[valid.q1 == code, "w"].sum() / valid.w.sum(), 9)
        for code, name in ((1, "Good"), (2, "Bad"), (-8, "Don't know"))
    }
    assert shares(found.frame) == expected
    assert found.frame["start"].unique().to_list() == [date(2023, 4, 3)]


def test_a_cumulation_is_one_wave_per_week_or_refused_with_its_span(tmp_path: Path) -> None:
    path = tmp_path / "all.sav"
    pyreadstat.write_sav(people(), str(path), variable_value_labels=LABELS)
    with pytest.raises(SurveyError, match=r"from 2023-04-03 to 2023-04-14 \(12 days\).*survey\.wave_by"):
        observed(path, columns={"date": "day"})
    found = observed(path, columns={"date": "day"}, wave_by="date").frame
    assert found.select("start", "end").unique().sort("start").rows() == [
        (date(2023, 4, 3), date(2023, 4, 9)),
        (date(2023, 4, 10), date(2023, 4, 14)),
    ]
    frame = people()
    week = frame[(frame.day < date(2023, 4, 10)) & (frame.q1 != -9)]
    good = found.filter(option="Good", start=date(2023, 4, 3)).row(0, named=True)
    assert good["value"] == pytest.approx((week.q1 == 1).mean())
    assert good["n"] == len(week)
    one = observed(path, columns={"date": "day"}, wave_days=12).frame
    assert one["n"].unique().to_list() == [108]


def test_waves_told_apart_by_a_variable_need_days(tmp_path: Path) -> None:
    path = tmp_path / "all.sav"
    pyreadstat.write_sav(people().drop(columns="day"), str(path), variable_value_labels=LABELS)
    with pytest.raises(SurveyError, match=r"the wave '1' of round has no day: list it in survey\.wave_dates"):
        observed(path, wave_by="round")
    dates = {"1": "2023-01-02", "2": "2023-02-06", "3": "2023-03-06"}
    found = observed(path, wave_by="round", wave_dates=dates).frame
    assert found.filter(option="Good")["start"].to_list() == [date(2023, 1, 2), date(2023, 2, 6), date(2023, 3, 6)]
    assert found["n"].unique().to_list() == [36]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"year": "y", "month": "m"}, (date(2023, 2, 1), date(2023, 2, 28))),
        ({"year": "y", "week": "kw"}, (date(2023, 2, 6), date(2023, 2, 12))),
        ({"date": "text"}, (date(2023, 2, 7), date(2023, 2, 7))),
        ({"date": "compact"}, (date(2023, 2, 7), date(2023, 2, 7))),
    ],
)
def test_days_in_several_variables_or_forms(
    tmp_path: Path, columns: dict[str, str], expected: tuple[date, date]
) -> None:
    frame = people(20)
    frame = frame.assign(y=2023.0, m=2.0, kw=6.0, text="07/02/2023", compact=20230207.0)
    path = tmp_path / "w.sav"
    pyreadstat.write_sav(frame, str(path), variable_value_labels=LABELS)
    found = observed(
        path, columns=columns, wave_days=31, date_format="%d/%m/%Y" if "text" in columns.values() else None
    )
    assert found.frame.select("start", "end").unique().rows() == [expected]


def test_a_mapping_per_wave_joins_rounds_with_other_names_and_codes(tmp_path: Path) -> None:
    first, second = tmp_path / "r1.sav", tmp_path / "r2.sav"
    pyreadstat.write_sav(people(), str(first), variable_value_labels=LABELS)
    frame = people().rename(columns={"q1": "v7"})
    frame["v7"] = frame["v7"].map({1.0: 5.0, 2.0: 6.0, -9.0: 9.0, -8.0: 8.0})
    renamed = {"v7": {5.0: "gut", 6.0: "schlecht", 8.0: "weiß nicht", 9.0: "Keine Angabe"}}
    pyreadstat.write_sav(frame, str(second), variable_value_labels=renamed)
    codes = {"mood": {"5": "Good", "schlecht": "Bad", "8": "Don't know"}}
    settings = Survey.model_validate(
        {
            "variables": {"mood": "q1"},
            "min_base": 1,
            "waves": [
                {"path": first, "date": "2023-01-02"},
                {"path": second, "date": "2023-02-06", "variables": {"mood": "v7"}, "codes": codes},
            ],
        }
    )
    found = survey.read_observations(settings)
    by_wave = [shares(part) for _, part in found.frame.group_by("start", maintain_order=True)]
    assert by_wave[0] == by_wave[1]
    mapped = found.mapped.filter(wave="r2").select("variable", "code", "option").rows()
    assert ("v7", "5", "Good") in mapped
    assert ("v7", "9", None) in mapped


def test_respondents_without_a_weight_are_refused_dropped_or_count_once(tmp_path: Path) -> None:
    frame = pd.DataFrame({"q1": [1.0, 1.0, 2.0, 2.0], "w": [2.0, 1.0, 1.0, np.nan]})
    path = tmp_path / "2023-04-03.sav"
    pyreadstat.write_sav(frame, str(path), variable_value_labels=LABELS)
    with pytest.raises(SurveyError, match=r"w of 1 of 4 respondents is missing or negative.*survey\.no_weight"):
        observed(path, weight="w")
    assert shares(observed(path, weight="w", no_weight="drop").frame) == {"Good": 0.75, "Bad": 0.25}
    assert shares(observed(path, weight="w", no_weight="one").frame) == {"Good": 0.6, "Bad": 0.4}


def test_keep_meets_codes_and_labels_of_respondents(tmp_path: Path) -> None:
    frame = people().assign(land=np.where(np.arange(120) % 2 == 0, 1.0, 2.0))
    path = tmp_path / "2023-04-03.sav"
    labels = {**LABELS, "land": {1.0: "Austria", 2.0: "Germany", 3.0: "France"}}
    pyreadstat.write_sav(frame, str(path), variable_value_labels=labels)
    expected = frame[(frame.land == 1) & (frame.q1 != -9) & (frame.age >= 30)]
    for land in ("Austria", 1, ["austria"]):
        found = observed(path, keep={"land": land, "age": ">= 30"}).frame
        assert found["n"].unique().to_list() == [len(expected)]
    with pytest.raises(SurveyError, match="'Spain' never occurs"):
        observed(path, keep={"land": "Spain"})


@pytest.mark.parametrize(
    ("codes", "labels"),
    [
        ([1.0, 0.0, 1.0, 0.0], {}),
        ([1.0, 2.0, 1.0, 2.0], {1.0: "Yes", 2.0: "No"}),
        ([2.0, 1.0, 2.0, 1.0], {1.0: "not mentioned", 2.0: "mentioned"}),
        ([1.0, 0.0, 1.0, 0.0], {0.0: "nicht genannt", 1.0: "Gesundheit"}),
    ],
)
def test_a_ticked_variable_means_yes_by_its_label(tmp_path: Path, codes: list[float], labels: dict[float, str]) -> None:
    path = tmp_path / "2023-04-03.sav"
    pyreadstat.write_sav(pd.DataFrame({"a": codes}), str(path), variable_value_labels={"a": labels} if labels else {})
    found = observed(path, variables={"feel": {"Happy": "a"}}).frame
    assert shares(found) == {"Happy": 0.5}


def test_a_ticked_variable_that_does_not_say_what_yes_is_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "2023-04-03.sav"
    pyreadstat.write_sav(pd.DataFrame({"a": [1.0, 2.0, 1.0]}), str(path))
    with pytest.raises(SurveyError, match=r"cannot be told which code of a means yes.*survey\.ticked_codes"):
        observed(path, variables={"feel": {"Happy": "a"}})
    found = observed(path, variables={"feel": {"Happy": "a"}}, ticked_codes=[2]).frame
    assert shares(found) == {"Happy": round(1 / 3, 9)}


@pytest.mark.parametrize(
    ("strata", "clusters", "error"),
    [
        (False, False, 0.0377380216846),
        (True, True, 0.0110960496088),
        (True, False, 0.0378498367821),
        (False, True, 0.0122551207553),
        ("lonely", True, 0.0111585340584),
    ],
)
def test_standard_errors_are_those_of_r_survey(strata: bool | str, clusters: bool, error: float) -> None:
    """R survey 4.1.1: svymean(~y, subset(svydesign(ids = ~c, strata = ~h, weights = ~w, nest = TRUE), dom)).

    y = (7 i mod 10 < 4), w = .5 + (13 i mod 17) / 10, h = i div 80, c = i div 12, dom = (i mod 5 != 0), i = 0..239;
    lonely: the first cluster is a stratum, options(survey.lonely.psu = "adjust"). Without strata and clusters the
    linearised error is R's; Kish's is printed beside it and differs.
    """
    i = np.arange(240)
    y, w, h, c = (7 * i) % 10 < 4, 0.5 + (13 * i % 17) / 10, i // 80, i // 12
    domain = i % 5 != 0
    layers = np.where(c == 0, 9, h) if strata == "lonely" else h if strata else None
    found = Design(w, layers, c if clusters else (None if layers is not None else i)).share(y & domain, domain)
    assert found.share == pytest.approx(0.3848009650181, abs=1e-12)
    assert found.se == pytest.approx(error, abs=1e-12)
    kish = Design(w).share(y & domain, domain)
    weights = w[domain]
    assert kish.n_effective == pytest.approx(weights.sum() ** 2 / (weights**2).sum())


def test_strata_and_clusters_of_a_file_reach_the_series(tmp_path: Path) -> None:
    frame = people().assign(h=np.arange(120) // 60 + 0.0, c=np.arange(120) // 6 + 0.0)
    path = tmp_path / "2023-04-03.sav"
    pyreadstat.write_sav(frame, str(path), variable_value_labels=LABELS)
    found = observed(path, weight="w", strata="h", clusters="c").frame.filter(option="Good").row(0, named=True)
    valid = (frame.q1 != -9).to_numpy()
    by_hand = Design(frame.w.to_numpy(), frame.h.to_numpy(), frame.c.to_numpy()).share(
        (frame.q1 == 1).to_numpy() & valid, valid
    )
    assert found["se"] == pytest.approx(by_hand.se)
    assert found["se"] != pytest.approx(observed(path, weight="w").frame.filter(option="Good")["se"][0])


@pytest.mark.parametrize(
    ("kind", "labels"),
    {
        "dont_know": ["Don't know", "Don’t Know", "-8. Don't know", "weiß nicht", "WEISS NICHT", "Ne sait pas",
                      "No sabe", "Non so", "Weet niet", "DK/Refused", "keine Meinung", "(Don't know)"],
        "refused": ["Refused", "-9 Refused", "Prefer not to say", "99 = Keine Angabe", "verweigert", "Refus",
                    "No contesta", "Non risponde", "Geen antwoord", "No answer"],
        "missing": ["Not asked", "Skipped", "SKIPPED - NO ANSWER", "Not applicable", "Inap", "Nicht gefragt",
                    "Trifft nicht zu", "Sans objet", "No procede", "Non applicabile", "Niet van toepassing", "Missing"],
        None: ["Good", "No", "None", "Nothing", "Not at all", "Not satisfied", "Weder noch", "Refuse to pay taxes",
               "I don't know much about it", "Nein", "Non", "Geen", "Nada"],
    }.items(),
)  # fmt: skip
def test_labels_of_no_answer_in_six_languages(kind: str | None, labels: list[str]) -> None:
    assert {label: nonresponse.kind(label) for label in labels} == dict.fromkeys(labels, kind)


def test_trifft_nicht_zu_is_an_answer_beside_trifft_zu() -> None:
    assert nonresponse.kinds({1: "Trifft voll zu", 2: "Trifft nicht zu", 9: "Nicht gefragt"}) == {9: "missing"}
    assert nonresponse.kinds({1: "Gut", 2: "Schlecht", 3: "Trifft nicht zu"}) == {3: "missing"}


def split_people(path: Path) -> Path:
    """Eight respondents of two waves: four women, three men, one who refused to say."""
    frame = pd.DataFrame(
        {
            "q1": [1.0, 1.0, 2.0, 1.0, 2.0, 2.0, 1.0, 1.0],
            "Sex": [2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 2.0, -9.0],
            "w": [1.0, 2.0, 1.0, 3.0, 1.0, 4.0, 5.0, 1.0],
            "day": [date(2023, 4, 3)] * 5 + [date(2023, 4, 10)] * 3,
        }
    )
    labels = {"q1": {1.0: "Good", 2.0: "Bad"}, "Sex": {1.0: "Male", 2.0: "Female", -9.0: "Refused"}}
    pyreadstat.write_sav(frame, str(path), variable_value_labels=labels)
    return path


def split_settings(path: Path, **settings: object) -> Survey:
    days = {"columns": {"date": "day"}, "wave_by": "date", "weight": "w"}
    return settings_for(path, **{**days, **settings})


def values_of(series: pl.DataFrame, option: str) -> list[float]:
    return series.filter(pl.col("option") == option).sort("week")["value"].to_list()


def test_respondents_are_split_into_a_series_per_level_of_a_variable(tmp_path: Path) -> None:
    found = survey.read_groups(split_settings(split_people(tmp_path / "p.sav"), split="sex"))
    assert set(found) == {("sex", "Male"), ("sex", "Female")}
    # By hand: women (1 + 2) / (1 + 2 + 1), then the one who said Good; men 3 / (3 + 1), then the one who said Bad.
    assert values_of(found["sex", "Female"], "Good") == pytest.approx([0.75, 1.0])
    assert values_of(found["sex", "Male"], "Good") == pytest.approx([0.75, 0.0])
    assert found["sex", "Female"].filter(pl.col("option") == "Good").sort("week")["n"].to_list() == [3, 1]
    assert found["sex", "Male"]["source"].unique().to_list() == ["survey sex Male"]
    # Kish by hand: n 3, effect 3 (1 + 4 + 1) / 16, so the variance is 6/16 * 0.75 * 0.25.
    first = found["sex", "Female"].filter(pl.col("option") == "Good").sort("week")["se"][0]
    assert first == pytest.approx((6 / 16 * 0.75 * 0.25) ** 0.5)


def test_groups_of_respondents_may_be_named_by_label_or_code_and_the_whole_stays_everybody(tmp_path: Path) -> None:
    path = split_people(tmp_path / "p.sav")
    settings = split_settings(path, split_groups={"Sex": {"women": "female", "men": "1"}})
    found = survey.read_groups(settings)
    assert list(found) == [("Sex", "women"), ("Sex", "men")]
    assert values_of(found["Sex", "men"], "Bad") == pytest.approx([0.25, 1.0])
    # By hand, everybody: (1 + 2 + 3) / 8, then (5 + 1) / 10.
    assert values_of(survey.read(settings), "Good") == pytest.approx([0.75, 0.6])
    assert list(survey.read_groups(split_settings(path, split_groups={"Sex": {"women": "2"}}))) == [("Sex", "women")]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split": "gendre"}, r"no variable 'gendre' \(survey.split; it has q1, Sex, w, day"),
        ({"split_groups": {"sx": {"men": "Male"}}}, r"no variable 'sx' \(survey.split_groups"),
        (
            {"split_groups": {"Sex": {"men": "Man"}}},
            r"Sex is never 'Man', which survey.split_groups .* has Male, Female",
        ),
        ({"split": "Sex", "min_base": 3}, r"group Sex = Male: .*survey.min_base"),
    ],
)
def test_a_split_that_the_respondents_do_not_have_is_refused(
    tmp_path: Path, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(SurveyError, match=message):
        survey.read_groups(split_settings(split_people(tmp_path / "p.sav"), **settings))


def test_a_study_that_splits_by_an_unknown_variable_does_not_run_on_everybody(tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match="no variable 'Male'"):
        survey.read(split_settings(split_people(tmp_path / "p.sav"), split="Male"))


def test_the_error_of_a_group_is_that_of_a_domain_of_the_sample() -> None:
    values = np.array([1, 1, 0, 1, 0, 0, 1, 1], dtype=bool)
    member = np.array([1, 1, 1, 0, 0, 0, 1, 0], dtype=bool)
    clusters = np.array(list("aabbccdd"))
    whole = Design(np.ones(8), clusters=clusters).share(values & member, member)
    # By hand: scores (y - 3/4) / 4 of members sum to 2/16, -3/16, 0, 1/16 by cluster; c has no member but counts.
    sums = np.array([2, -3, 0, 1]) / 16
    assert whole.se == pytest.approx(np.sqrt(4 / 3 * (sums**2).sum()))
