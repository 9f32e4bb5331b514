"""Small inputs in the layouts that people hold, handed over beside the repository: the right rows, or one sentence.

The values are read a second time here: Polars' and the csv module's own readers, openpyxl, pyreadstat.
"""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import openpyxl
import polars as pl
import pyreadstat
import pytest
from typer.testing import CliRunner

from temporal_adapters.cli import app
from temporal_adapters.ground.errors import QuestionnaireError, SurveyError
from temporal_adapters.stages import survey
from temporal_adapters.study.config import load_study
from temporal_adapters.study.questionnaire.importers import import_file

CASES = Path(__file__).parents[1].parent / "shared" / "cases"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CASES.is_dir(), reason="needs ../shared/cases"),
]
WEEKS = [date(2023, 4, 3) + timedelta(weeks=week) for week in range(12)]
TRACKERS = (
    "b21-tracker-title-rows", "b22-tracker-merged-header", "b24-tracker-lt1", "b25-tracker-gss-symbols",
    "b27-tracker-monthly-header", "b28-tracker-wave-labels", "b29-tracker-transposed", "b30-tracker-serial-days",
)  # fmt: skip


def series(folder: Path, *overrides: str) -> pl.DataFrame:
    settings = load_study(folder / "study.yaml", overrides=overrides).survey
    assert settings is not None
    return survey.read(settings)


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    folder = tmp_path / "case"
    shutil.copytree(CASES / "survey" / str(request.param), folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("case", TRACKERS, indirect=True)
def test_every_layout_of_a_tracker_gives_the_cells_of_its_sheet(case: Path) -> None:
    page = openpyxl.load_workbook(case / "t.xlsx").worksheets[0]
    rows = [[cell for cell in row if cell is not None] for row in page.iter_rows(values_only=True)]
    found = series(case)
    if rows[0][0] == "Date":
        good = [row[1] for row in rows if str(row[1]).endswith("%")]
    else:
        good = next(row[1:] for row in rows if row and row[0] == "Good")
    ours = found.filter(option="Good").sort("week")
    assert ours["value"].to_list() == pytest.approx([float(cell.rstrip("%")) / 100 for cell in good])
    assert ours["n"].min() == 1900
    weeks = ours["week"].to_list()
    assert weeks == WEEKS or [week.month for week in weeks] == list(range(1, 13))


@pytest.mark.parametrize("case", ["b02-semicolon-comma"], indirect=True)
def test_semicolons_and_decimal_commas(case: Path) -> None:
    by_hand = pl.read_csv(case / "s.csv", separator=";", decimal_comma=True).filter(pl.col("option") == "Good")
    assert series(case).filter(option="Good")["value"].to_list() == by_hand["value"].to_list()


@pytest.mark.parametrize("case", ["e16-iso-week-dates"], indirect=True)
def test_iso_weeks(case: Path) -> None:
    assert series(case).filter(option="Good")["week"].to_list() == WEEKS


@pytest.mark.parametrize(
    "case", ["b40-sav-user-missing", "b41-sav-negative-undeclared", "b42-dta-uppercase"], indirect=True
)
def test_what_is_no_answer_is_no_option_and_no_base(case: Path) -> None:
    path = next(path for path in case.iterdir() if path.suffix.lower() in (".sav", ".dta"))
    if path.suffix.lower() == ".sav":
        frame, _ = pyreadstat.read_sav(path, user_missing=True)
    else:
        frame, _ = pyreadstat.read_dta(path)
    weights = frame["w"] if "w" in frame else frame["q1"] * 0 + 1
    valid = frame["q1"] != -9
    expected = {name: (weights * (frame["q1"] == code))[valid].sum() / weights[valid].sum()
                for code, name in ((1, "Good"), (2, "Bad"), (-8, "Don't know"))}  # fmt: skip
    found = series(case)
    assert dict(found.select("option", "value").rows()) == pytest.approx(expected)
    assert found["n"].unique().to_list() == [int(valid.sum())]


@pytest.mark.parametrize("case", ["b47-cumulated-date"], indirect=True)
def test_a_cumulation_is_refused_with_its_span_and_read_by_date(case: Path) -> None:
    with pytest.raises(SurveyError, match=r"2023-04-03 to 2023-06-21 \(80 days\).*survey\.wave_by"):
        series(case)
    found = series(case, "survey.wave_by=date").filter(option="Good")
    assert found["week"].to_list() == WEEKS
    frame, _ = pyreadstat.read_sav(case / "cumulation.sav")
    first = frame[(frame["wave"] == 0) & (frame["q1"] != -9)]
    assert found["value"][0] == pytest.approx((first["q1"] == 1).mean())


@pytest.mark.parametrize("case", ["b49-string-date"], indirect=True)
def test_dates_as_text_are_read_as_the_study_says(case: Path) -> None:
    assert series(case)["week"].unique().to_list() == [WEEKS[0]]


@pytest.mark.parametrize("case", ["e04-rolling-overlap"], indirect=True)
def test_rolling_waves_have_the_error_of_their_own_respondents(case: Path) -> None:
    row = series(case).filter(option="Good", week=WEEKS[3]).row(0, named=True)
    one = (row["value"] * (1 - row["value"]) / 1000) ** 0.5
    naive, right = one / 7**0.5, one * (231 / 343) ** 0.5
    assert row["se"] == pytest.approx(right, rel=0.02)
    assert row["se"] / naive == pytest.approx(2.17, abs=0.05)


@pytest.mark.parametrize("case", ["xe07-renamed-option", "xe09-case-labels"], indirect=True)
def test_names_that_change_are_joined_or_a_break(case: Path) -> None:
    done = CliRunner().invoke(app, ["survey", "check", "-s", "study.yaml"])
    assert done.exit_code == 0
    if (case / "s.csv").read_text().count("GOOD"):
        assert series(case).filter(option="Good").height == 12
        assert "'Good' is also written 'GOOD': joined" in done.output
    else:
        assert 'break: mood / "Don\'t know" ends with the wave of 2023-05-08' in done.output
        mended = series(case, 'survey.aliases={"Don\'t know": [Not sure]}')
        assert mended.filter(option="Don't know").height == 12


@pytest.mark.parametrize(
    ("name", "items", "left_out"),
    [
        ("c01_groups.xlsx", {"q1"}, ("n1", "q2")),
        ("c04_languages.xlsx", {"q1", "q2"}, ()),
        ("c06_dup_names.xlsx", {"q", "b-q"}, ()),
        ("c07_markup.xlsx", {"q1", "q2"}, ()),
        ("c08_one_choice.xlsx", {"q1"}, ("q0",)),
    ],
)
def test_forms_are_imported_but_for_what_is_left_out_by_name(
    name: str, items: set[str], left_out: tuple[str, ...]
) -> None:
    found = import_file(CASES / "questionnaire" / name)
    assert {item.name for item in found.questionnaire.items} == items
    assert tuple(part.partition(" ")[0] for part in found.left_out) == left_out
    prompts = [item.wordings[0].text for item in found.questionnaire.items]
    assert not any(sign in prompt for prompt in prompts for sign in ("<", "${", "&amp;", "**"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("c09_dup_labels.xlsx", r"q1 \(item 'q1' has two options named '-'\)"),
        ("c11_no_name.xlsx", "row 2 .it has no name"),
        ("c20_qstn.csv", "give each with --option"),
        ("c24_qstn_empty_id.csv", "give each with --option"),
    ],
)
def test_forms_without_a_usable_question_are_refused_in_one_sentence(name: str, words: str) -> None:
    with pytest.raises(QuestionnaireError, match=words) as caught:
        import_file(CASES / "questionnaire" / name)
    assert "\n" not in str(caught.value)


def test_every_case_is_tried_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    handed = [path.name for kind in ("survey", "questionnaire") for path in sorted((CASES / kind).iterdir())]
    assert [name for name in handed if name not in text] == []
