"""Survey tables as publishers write them: trackers, tidy and wide files, polls; values read a second time by hand."""

from __future__ import annotations

import csv
import math
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import openpyxl
import polars as pl
import pytest
from typer.testing import CliRunner

from temporal_adapters.cli import app
from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages import survey
from temporal_adapters.stages.survey import days, values
from temporal_adapters.study.config.survey import Survey
from temporal_adapters.study.questionnaire import Item, Option, Questionnaire, Wording

WEEKS = [date(2019, 6, 27) + timedelta(weeks=n) for n in range(12)]
LONG = "Broadly speaking, which of the following best describe your mood and/or how you have felt in the past week?"


def read(path: Path, **settings: object) -> pl.DataFrame:
    return survey.read(Survey.model_validate({"paths": [path], **settings}))


def notes(path: Path, **settings: object) -> str:
    return "\n".join(survey.read_observations(Survey.model_validate({"paths": [path], **settings})).notes)


def ordinal(day: date) -> str:
    ending = "th" if 11 <= day.day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    month = "Sept" if day.month == 9 else f"{day:%b}"
    return f"{day.day}{ending} {month} {day.year}"


def write_yougov(path: Path, sheets: dict[str, int]) -> np.ndarray:
    """As downloaded: titles, notes, ordinals in the header, two bases, marks, footnotes; one sheet per group."""
    happy = np.array([0.40 + 0.01 * n for n in range(len(WEEKS))])
    book = openpyxl.Workbook()
    book.remove(book.active)
    about = book.create_sheet("Notes")
    about.append(["YouGov tracker, downloaded for the test"])
    for place, (name, base) in enumerate(sheets.items()):
        page = book.create_sheet(name)
        page.append(["Britain's mood, measured weekly"])
        page.append(["Sample: adults in Great Britain", None])
        page.append([])
        page.append([LONG, *map(ordinal, WEEKS)])
        page.append(["Happy", *(float(share + 0.01 * place) for share in happy)])
        page.append(["Sad", *(["*", "-"] + [0.3] * (len(WEEKS) - 2))])
        for row in page.iter_rows(min_row=5, max_row=6, min_col=2):
            for cell in row:
                cell.number_format = "0%"
        page.append(["Unweighted N", *([base] * (len(WEEKS) - 1) + [2])])
        page.append(["Weighted N", *[base + 7] * len(WEEKS)])
        page.append([])
        page.append(["Source: YouGov. Figures may not sum to 100 because of rounding."])
    book.save(path)
    return happy


def test_a_yougov_download_is_read_with_ordinals_titles_bases_and_footnotes(tmp_path: Path) -> None:
    path = tmp_path / "mood.xlsx"
    happy = write_yougov(path, {"All adults": 1950, "Male": 900, "Female": 40})
    found = read(path)
    ours = found.filter(option="Happy")
    # The second source: the sheet's own cells, read by openpyxl here.
    page = openpyxl.load_workbook(path)["All adults"]
    by_hand = [page.cell(5, column).value for column in range(2, 2 + len(WEEKS))]
    assert ours["value"].to_list() == pytest.approx(by_hand[:-1])
    assert by_hand == pytest.approx(happy)
    assert ours["n"].unique().to_list() == [1950]
    assert ours["week"][0] == date(2019, 6, 24)
    assert found["item"].unique().to_list() == [LONG]
    assert found.filter(option="Sad").height == 9
    said = notes(path)
    assert "2 of 24 values rest on fewer than survey.min_base 50" in said
    assert "2 cells without a number" in said


def test_all_sheets_become_groups_and_small_bases_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "mood.xlsx"
    write_yougov(path, {"All adults": 1950, "Male": 900, "Female": 800})
    settings = Survey.model_validate(
        {"paths": [path], "split": "all", "split_groups": {"gender": {"male": "Male", "female": "Female"}}}
    )
    groups = survey.read_groups(settings)
    assert set(groups) == {("gender", "male"), ("gender", "female")}
    assert groups["gender", "female"].filter(option="Happy")["value"][0] == pytest.approx(0.42)
    assert groups["gender", "male"]["source"].unique().to_list() == ["survey gender male"]
    lonely = settings.model_copy(update={"split_groups": {}})
    assert set(survey.read_groups(lonely)) == {("split", "Male"), ("split", "Female")}
    wrong = settings.model_copy(update={"split_groups": {"age": {"young": "18-24"}}})
    with pytest.raises(SurveyError, match="the sheet '18-24', which no file has"):
        survey.read_groups(wrong)


def test_the_check_lists_groups_with_their_bases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_yougov(tmp_path / "mood.xlsx", {"All adults": 1950, "Male": 900})
    (tmp_path / "study.yaml").write_text("study: s\npanel: {paths: [p]}\nsurvey: {paths: [mood.xlsx], split: all}\n")
    done = CliRunner().invoke(app, ["survey", "check", "-s", "study.yaml"])
    assert done.exit_code == 0, done.output
    assert "group split = Male: 11 weeks, 2 options, median n 900.0" in done.output


def test_a_tracker_of_the_size_of_a_real_one_reads_all_its_sheets(tmp_path: Path) -> None:
    sheets = {"All adults": 1950, **{f"Group {n}": 300 for n in range(1, 28)}}
    write_yougov(tmp_path / "t.xlsx", sheets)
    groups = survey.read_groups(Survey.model_validate({"paths": [tmp_path / "t.xlsx"], "split": "all"}))
    assert len(groups) == 27
    assert groups["split", "Group 27"].filter(option="Happy")["value"][0] == pytest.approx(0.40 + 27 * 0.01)


def test_a_sheet_exported_as_csv_is_the_same_series(tmp_path: Path) -> None:
    path = tmp_path / "mood.xlsx"
    write_yougov(path, {"All adults": 1950})
    page = openpyxl.load_workbook(path)["All adults"]
    with (tmp_path / "mood.csv").open("w", newline="", encoding="cp1252") as file:
        for row in page.iter_rows(values_only=True):
            cells = [f"{100 * cell:.0f}%" if isinstance(cell, float) else cell for cell in row]
            csv.writer(file, delimiter=";").writerow(cells)
    columns = ["item", "option", "week", "value", "n"]
    assert read(tmp_path / "mood.csv").select(columns).equals(read(path).select(columns))


def test_a_long_question_meets_its_item_by_its_text_and_others_name_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "mood.xlsx"
    write_yougov(path, {"All adults": 1950})
    options = (Option("Happy", "Happy"), Option("Sad", "Sad"))
    asked = LONG.replace("and/or", "and/or ").upper() + " "
    item = Item("mood", "select_one", options, (Wording("a", asked),))
    assert survey.link(read(path), [Questionnaire("q", (item,))]).without_survey == ()
    other = Item("mood", "select_one", options, (Wording("a", "How did you feel in the past week?"),))
    with pytest.raises(SurveyError, match="the nearest is 'mood'") as caught:
        survey.link(read(path), [Questionnaire("q", (other,))])
    assert str(caught.value).count(LONG) == 1  # only in the line to paste
    assert f'survey: "{LONG}"' in str(caught.value)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("27th Jun 2019", date(2019, 6, 27), None),
        ("1st Sept 2019", date(2019, 9, 1), None),
        ("Thursday, 27 June 2019", date(2019, 6, 27), None),
        ("June 27, 2019", date(2019, 6, 27), None),
        ("27-Jun-19", date(2019, 6, 27), None),
        ("25–27 Jun 2019", date(2019, 6, 25), date(2019, 6, 27)),
        ("25-27 Jun 2019", date(2019, 6, 25), date(2019, 6, 27)),
        ("29-1 Jun 2023", date(2023, 5, 29), date(2023, 6, 1)),
        ("30 Dec - 2 Jan 2024", date(2023, 12, 30), date(2024, 1, 2)),
        ("Jun 25 to Jun 27, 2019", date(2019, 6, 25), date(2019, 6, 27)),
        ("Wave 3 (25-27 Jun 2019)", date(2019, 6, 25), date(2019, 6, 27)),
        ("25. März 2019", date(2019, 3, 25), None),
        ("3 déc. 2019", date(2019, 12, 3), None),
        ("3 de enero de 2020", date(2020, 1, 3), None),
        ("2019-W26", date(2019, 6, 24), date(2019, 6, 30)),
        ("KW 26/2019", date(2019, 6, 24), date(2019, 6, 30)),
        ("Q2 2019", date(2019, 4, 1), date(2019, 6, 30)),
        ("2019-06", date(2019, 6, 1), date(2019, 6, 30)),
        ("Feb 2020", date(2020, 2, 1), date(2020, 2, 29)),
    ],
)
def test_days_are_read_as_people_write_them(text: str, start: date, end: date | None) -> None:
    found = days.spans([text], "", lambda _: "")[0]
    assert (found.start, found.end) == (start, end or start)


@pytest.mark.parametrize("text", ["soon", "2019", "45%", "31 Jun 2019", "27 Jun", "1,950", "2023.1"])
def test_what_is_no_day_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(SurveyError, match="B4"):
        days.spans([text], "t.xlsx", lambda _: "cell B4")


HEADERS = {
    "merged": [["How is the mood?", 2023, None, None], [None, "03 Apr", "10 Apr", "17 Apr"]],
    "sparse years": [[None, 2022, 2023, None], ["How is the mood?", "26 Dec", "2 Jan", "9 Jan"]],
    "months": [["How is the mood?", "Jan 2023", "Feb 2023", "Mar 2023"]],
    "day numbers": [["How is the mood?", 45019, 45026, 45033]],
    "waves": [["How is the mood?", "Wave 1 (3-6 Apr 2023)", "Wave 2 (10-13 Apr 2023)", "Wave 3 (17-20 Apr 2023)"]],
}
FIRST = {
    "merged": (date(2023, 4, 3), date(2023, 4, 3)),
    "sparse years": (date(2022, 12, 26), date(2022, 12, 26)),
    "months": (date(2023, 1, 1), date(2023, 1, 31)),
    "day numbers": (date(2023, 4, 3), date(2023, 4, 3)),
    "waves": (date(2023, 4, 3), date(2023, 4, 6)),
}


@pytest.mark.parametrize("kind", HEADERS)
def test_headers_of_trackers_in_every_usual_form(tmp_path: Path, kind: str) -> None:
    book = openpyxl.Workbook()
    page = book.active
    for row in (*HEADERS[kind], ["Good", "35%", "37%", "43%"], ["Bad", "65%", "63%", "57%"]):
        page.append(row)
    if kind == "merged":
        page.merge_cells("B1:D1")
    page.append(["Sample size", 1900, 1901, 1902])
    book.save(tmp_path / "t.xlsx")
    found = survey.read_observations(Survey.model_validate({"paths": [tmp_path / "t.xlsx"]})).frame
    good = found.filter(option="Good").sort("start")
    assert good.select("start", "end").row(0) == FIRST[kind]
    assert good["value"].to_list() == pytest.approx([0.35, 0.37, 0.43])
    assert good["n"].to_list() == [1900, 1901, 1902]
    assert good["item"].unique().to_list() == ["How is the mood?"]


def test_a_transposed_sheet_is_the_same_tracker(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["Date", "Good", "Bad", "n"], ["2023-04-03", "35%", "65%", 1900], ["2023-04-10", "37%", "63%", 1901]):
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    found = read(tmp_path / "t.xlsx", question="mood").filter(option="Good")
    assert found["value"].to_list() == pytest.approx([0.35, 0.37])
    assert found["n"].to_list() == [1900, 1901]


def test_a_row_of_fieldwork_gives_days_of_interviews_and_the_header_the_publication(tmp_path: Path) -> None:
    rows = [
        "How is the mood?,2023-04-06,2023-04-13",
        "Good,35%,37%",
        "Fieldwork,31 Mar - 2 Apr 2023,8-9 Apr 2023",
        "n,1900,1900",
    ]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(rows))
    assert read(path)["week"].to_list() == [date(2023, 3, 27), date(2023, 4, 3)]
    assert read(path, fieldwork_date="published")["week"].to_list() == [date(2023, 4, 3), date(2023, 4, 10)]
    path.write_text("\n".join(rows).replace("8-9 Apr 2023", "8-9 Apr 2022"))
    with pytest.raises(SurveyError, match="does not go with a wave named 2023-04-13"):
        read(path)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["Q,2023-04-03,2023-04-10", "Good,35%,many"], "'many' in cell C2 is not a number"),
        (["Q,2023-04-03,2023-04-03", "Good,35%,36%"], "the wave of 2023-04-03 has two columns, B and C"),
        (["Q,2023-04-03,2023-04-10", "Good,35%,36%", "Good,1%,2%"], "'Good' has two rows (2 and 3)"),
        (["Q,2023-04-03,2023-04-10", ",35%,36%"], "no answer before them"),
        (["Q,2023-04-03,2023-04-10,April", "Good,35%,36%,36%"], "'April' in cell D1 is not a day"),
    ],
)
def test_a_broken_tracker_names_cells_as_a_sheet_does(tmp_path: Path, rows: list[str], words: str) -> None:
    (tmp_path / "t.csv").write_text("\n".join(rows))
    with pytest.raises(SurveyError) as caught:
        read(tmp_path / "t.csv")
    assert words in str(caught.value)


def test_nets_means_and_totals_are_no_answers(tmp_path: Path) -> None:
    rows = [
        "Q,2023-04-03,2023-04-10",
        "Good,60%,55%",
        "Bad,40%,45%",
        "Net: good,20%,10%",
        "Total,100%,100%",
        "n,900,900",
    ]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    assert read(tmp_path / "t.csv")["option"].unique(maintain_order=True).to_list() == ["Bad", "Good"]
    assert "left out as no answers: Net: good, Total" in notes(tmp_path / "t.csv")


# Tidy and wide tables.


def test_semicolons_with_decimal_commas_are_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("date;question;option;value;n\n03.04.2023;mood;Good;0,348;1000\n13.04.2023;mood;Good;0,374;1 000\n")
    found = read(path)
    # The second source: Polars' own reader with a decimal comma.
    by_hand = pl.read_csv(path, separator=";", decimal_comma=True)["value"].to_list()
    assert found["value"].to_list() == pytest.approx(by_hand)
    assert found["n"].to_list() == [1000, 1000]
    path.write_text(path.read_text().replace("0,348", "34,8").replace("0,374", "37,4"))
    assert read(path, unit="percent")["value"].to_list() == pytest.approx([0.348, 0.374])


@pytest.mark.parametrize(("sign", "encoding"), [("\t", "utf-16"), ("|", "utf-8-sig"), (",", "cp1252"), (";", "utf-8")])
def test_delimiters_and_encodings_are_told_from_the_file(tmp_path: Path, sign: str, encoding: str) -> None:
    lines = [["date", "question", "option", "value"], ["2023-04-03", "humör", "Très bien", "0.4"]]
    (tmp_path / "s.csv").write_bytes("\n".join(sign.join(line) for line in lines).encode(encoding))
    assert read(tmp_path / "s.csv").select("item", "option", "value").row(0) == ("humör", "Très bien", 0.4)


def test_an_encoding_that_cannot_be_told_is_refused_and_set(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_bytes("date,question,option,value\n2023-04-03,q,Хорошо,0.4\n".encode("cp1251"))
    with pytest.raises(SurveyError, match=r"survey\.encoding"):
        read(tmp_path / "s.csv")
    assert read(tmp_path / "s.csv", encoding="cp1251")["option"].to_list() == ["Хорошо"]


def test_iso_weeks_fall_into_their_week(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("date,question,option,value,n\n2023-W14,mood,Good,0.3,900\n2020-W53,mood,Good,0.4,900\n")
    assert read(path)["week"].to_list() == [date(2020, 12, 28), date(2023, 4, 3)]


def test_intervals_give_standard_errors(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("date,question,answer,estimate,lower,upper\n2023-04-03,mood,Good,40%,37%,43%\n")
    assert read(path)["se"][0] == pytest.approx(0.06 / (2 * 1.959963984540054))
    assert read(path, interval=0.9)["se"][0] == pytest.approx(0.06 / (2 * 1.6448536269514722))
    path.write_text(path.read_text().replace("37%,43%", "43%,37%"))
    with pytest.raises(SurveyError, match="ends at 37, below its 43"):
        read(path)


def test_means_of_an_index_in_a_wide_file_have_the_error_of_their_sd(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("date,life satisfaction,sd,n\n2023-04-03,7.1,2.0,400\n2023-04-10,7.3,2.1,900\n")
    found = read(path, unit="mean", question="life")
    assert found["value"].to_list() == [7.1, 7.3]
    assert found["se"].to_list() == pytest.approx([2.0 / 20, 2.1 / 30])
    with pytest.raises(SurveyError, match=r"survey\.unit to percent or mean"):
        read(path, question="life")


def test_values_above_1_are_percentages_only_where_the_sums_or_the_name_say_so(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("date,question,option,value,n\n2023-04-03,mood,Good,60,900\n2023-04-03,mood,Bad,40,900\n")
    assert read(path)["value"].to_list() == [0.4, 0.6]
    assert "sum to about 100" in notes(path)
    path.write_text(path.read_text().replace(",40,", ",20,"))
    with pytest.raises(SurveyError, match="outside 0 to 1"):
        read(path)
    path.write_text(path.read_text().replace("value", "percent"))
    assert read(path)["value"].to_list() == [0.2, 0.6]


def test_marks_of_no_number_are_missing_in_tidy_files_and_further_ones_are_named(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("date,question,option,value,n\n2023-04-03,q,a,[c],90\n2023-04-10,q,a,40%,90\n2023-04-17,q,a,§,90\n")
    with pytest.raises(SurveyError, match=r"'§' in row 4 is not a number.*survey\.missing_marks"):
        read(path)
    assert read(path, missing_marks=["§"])["week"].to_list() == [date(2023, 4, 10)]


def test_a_question_named_once_serves_a_file_without_that_column(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("date,option,value,n\n2023-04-03,Good,0.4,900\n")
    assert read(path, question="mood")["item"].to_list() == ["mood"]


def test_columns_that_are_neither_days_nor_values_are_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("date,land,Good,Bad\n2023-04-03,DE,40%,60%\n2023-04-10,AT,41%,59%\n")
    with pytest.raises(SurveyError, match="the column 'land' holds neither days nor values"):
        read(path)
    assert read(path, keep={"land": "DE"})["week"].unique().to_list() == [date(2023, 4, 3)]


def test_rows_without_a_day_are_left_out_by_count_up_to_a_limit(tmp_path: Path) -> None:
    rows = [f"2023-04-{day:02d},mood,Good,0.4,900" for day in (3, 10, 17, 24)]
    path = tmp_path / "s.csv"
    path.write_text("\n".join(["date,question,option,value,n", *rows, "tbc,mood,Good,0.4,900"]))
    with pytest.raises(SurveyError, match="'tbc' in row 6"):
        read(path)
    assert read(path, max_bad_rows=0.2).height == 4
    assert "1 of 5 rows without a readable day or value are left out" in notes(path, max_bad_rows=0.2)
    with pytest.raises(SurveyError, match="1 of 5 rows have no readable day or value, more than"):
        read(path, max_bad_rows=0.1)


# Rows that count.


TIDY = """date,question,option,value,n,country,age
2023-04-03,mood,Good,0.30,900,DE,18
2023-04-03,mood,Good,0.50,900,AT,18
2023-04-10,mood,Good,0.60,900,DE,70
"""


def test_keep_holds_in_a_tidy_file_with_lists_and_ranges(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text(TIDY)
    assert read(path, keep={"country": "DE"})["value"].to_list() == [0.30, 0.60]
    assert read(path, keep={"country": ["DE", "AT"], "age": ">= 65"})["value"].to_list() == [0.60]
    assert read(path, keep={"country": "AT", "age": "18..30"})["value"].to_list() == [0.50]
    with pytest.raises(SurveyError, match="'CH' never occurs; there are AT, DE"):
        read(path, keep={"country": ["DE", "CH"]})
    with pytest.raises(SurveyError, match="values go from 18 to 70"):
        read(path, keep={"age": "> 90"})
    with pytest.raises(SurveyError, match="has no column 'land'"):
        read(path, keep={"land": "DE"})


def test_keep_is_refused_where_a_file_has_no_rows_to_choose(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("Q,2023-04-03,2023-04-10\nGood,35%,36%\nn,900,900\n")
    with pytest.raises(SurveyError, match=r"no rows that survey\.keep"):
        read(tmp_path / "t.csv", keep={"country": "DE"})


# Names that change.


def test_spellings_of_one_option_are_joined_and_said(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text(
        "date,question,option,value,n\n2023-04-03,mood,Good,0.3,900\n2023-04-10,Mood ,GOOD.,0.4,900\n"
        "2023-04-17,mood,good ,0.5,900\n"
    )
    found = read(path)
    assert found.select("item", "option").unique().rows() == [("mood", "Good")]
    assert found["value"].to_list() == [0.3, 0.4, 0.5]
    assert "'Good' is also written 'GOOD.', 'good': joined" in notes(path)


def test_two_spellings_in_one_wave_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("date,question,option,value,n\n2023-04-03,q,Good,0.3,900\n2023-04-03,q,GOOD,0.4,900\n")
    with pytest.raises(SurveyError, match="both 'Good' and 'GOOD'"):
        read(path)


def test_a_rename_half_way_is_a_break_that_an_alias_mends(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    lines = ["date,question,option,value,n"]
    for n, day in enumerate(WEEKS):
        lines += [f"{day},mood,Good,0.6,900", f"{day},mood,{'Unsure' if n >= 6 else 'No idea'},0.4,900"]
    path.write_text("\n".join(lines))
    settings = Survey.model_validate({"paths": [path]})
    (found,) = survey.breaks(survey.read_observations(settings))
    assert (found.before, found.after, found.last, found.first) == ("No idea", "Unsure", WEEKS[5], WEEKS[6])
    assert 'survey.aliases: {"No idea": ["Unsure"]}' in found.sentence
    mended = settings.model_copy(update={"aliases": {"No idea": ("Unsure",)}})
    assert survey.breaks(survey.read_observations(mended)) == []
    assert survey.read(mended).filter(option="No idea").height == len(WEEKS)


# Waves that share respondents.


def test_overlapping_fieldwork_enters_the_error_as_brute_force_finds_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    per_day, n_days = 100, 13
    lines = ["date,end,question,option,value,n"]
    first = date(2023, 4, 3)
    for start in range(7):
        day = first + timedelta(days=start)
        lines.append(f"{day},{day + timedelta(days=6)},mood,Good,0.4,{7 * per_day}")
    (tmp_path / "s.csv").write_text("\n".join(lines))
    # All seven waves in one week: the day that decides is their first.
    row = read(tmp_path / "s.csv", same_week="mean", fieldwork_date="start", rounding=0).row(0, named=True)
    draws = rng.binomial(per_day, 0.4, (40_000, n_days)) / per_day
    means = np.mean([draws[:, start : start + 7].mean(axis=1) for start in range(7)], axis=0)
    assert row["se"] == pytest.approx(means.std(), rel=0.02)
    assert row["n"] == per_day * n_days
    assert "overlap the one before" in notes(tmp_path / "s.csv")
    last = read(tmp_path / "s.csv", same_week="last", fieldwork_date="start", rounding=0).row(0, named=True)
    assert last["se"] == pytest.approx(math.sqrt(0.24 / 700))


def test_counts_are_read_with_any_sign_between_thousands() -> None:
    reading = values.Reading()
    for text in ("1,948", "1 948", "1948", "n=1948", "1'948", "1948.0"):
        assert values.parse_count(text, "", "", reading) == 1948
    assert values.parse_count("1.948", "", "", values.Reading(",")) == 1948
    with pytest.raises(SurveyError, match=r"survey\.decimal"):
        values.parse_count("1.948", "", "B2", reading)


def test_a_range_over_two_months_is_read_by_the_order_of_the_waves(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "Q,Wave 8 (22-25 May 2023),Wave 9 (29-1 May 2023),Wave 10 (5-8 Jun 2023)\nGood,35%,36%,37%\nn,90,90,90\n"
    )
    found = survey.read_observations(Survey.model_validate({"paths": [path]})).frame
    assert found.select("start", "end").rows()[1] == (date(2023, 5, 29), date(2023, 6, 1))
    path.write_text(path.read_text().replace("Wave 9 (29-1 May 2023)", "Wave 9 (29-1 Jun 2023)"))
    found = survey.read_observations(Survey.model_validate({"paths": [path]})).frame
    assert found.select("start", "end").rows()[1] == (date(2023, 5, 29), date(2023, 6, 1))


def test_questions_below_each_other_in_a_sheet_are_told_apart(tmp_path: Path) -> None:
    rows = [
        "The mood,2023-04-03,2023-04-10", "Good,60%,55%", "Bad,40%,45%", "Base: all adults (unweighted),900,901",
        ",,", "The hope,2023-04-03,2023-04-10", "Good,30%,25%", "Bad,70%,75%", "Base: all adults (unweighted),800,801",
    ]  # fmt: skip
    path = tmp_path / "t.csv"
    path.write_text("\n".join(rows))
    found = read(path)
    by_item = {item: part for (item,), part in found.filter(option="Good").group_by("item")}
    assert by_item["The mood"]["value"].to_list() == pytest.approx([0.60, 0.55])
    assert by_item["The hope"]["n"].to_list() == [800, 801]
    with pytest.raises(SurveyError, match="2 questions below each other"):
        read(path, question="mood")


def test_the_only_sheet_with_waves_is_read_and_a_sheet_of_all_adults_by_its_name(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["About these tables"])
    for name, share in (("All GB adults", 0.4), ("Male", 0.5)):
        page = book.create_sheet(name)
        page.append(["Q", "2023-04-03", "2023-04-10"])
        page.append(["Good", share, share])
    book.save(tmp_path / "t.xlsx")
    assert read(tmp_path / "t.xlsx")["value"].to_list() == [0.4, 0.4]
    with pytest.raises(SurveyError, match="has no sheet 'Women'"):
        read(tmp_path / "t.xlsx", split="Women")


def test_titles_above_and_a_source_below_a_table_are_passed_over_and_said(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text(
        "The mood in tables\n\nFieldwork,Good,Bad,Sample size\n2023-04-03,40%,60%,900\n2023-04-10,41%,59%,900\n"
        "Source: the test\n"
    )
    assert read(path).filter(option="Good")["value"].to_list() == pytest.approx([0.40, 0.41])
    assert "1 rows below the table are no rows of it ('Source: the test')" in notes(path)


def test_day_numbers_and_numbers_of_weeks_with_their_year_are_days(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("date,question,option,value\n45019,mood,Good,0.4\n45026,mood,Good,0.4\n")
    assert read(path)["week"].to_list() == [date(2023, 4, 3), date(2023, 4, 10)]
    assert "45019 was read as a spreadsheet's day 2023-04-03" in notes(path)
    path.write_text("year,week,question,option,value\n2023,14,mood,Good,0.4\n2023,15,mood,Good,0.4\n")
    assert read(path)["week"].to_list() == [date(2023, 4, 3), date(2023, 4, 10)]


@pytest.mark.parametrize("name", ["mood.xls", "mood.XLS", "mood.ods", "mood.xlsb"])
def test_a_workbook_of_another_kind_is_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504))
    with pytest.raises(SurveyError, match=r"mood\..*: workbooks of this kind are not read: save it as \.xlsx$"):
        survey.read_observations(Survey.model_validate({"paths": [path]}))
