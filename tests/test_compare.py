"""`ta compare`: any two weekly series, without a study; the same numbers as the stage `correlate`."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import asdict
from datetime import date, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import polars as pl
import pytest
from classic_series import FEMALE_DEATHS, MALE_DEATHS, SALES, SALES_LEAD
from synthetic_run import write_run, write_study
from typer.testing import CliRunner

import temporal_adapters as ta
from temporal_adapters.cli import app
from temporal_adapters.ground.errors import CorrelateError, UsageError

WEEKS = [date(2023, 1, 2) + timedelta(weeks=number) for number in range(40)]
MONTHS = [f"{1974 + month // 12}-{month % 12 + 1:02d}" for month in range(72)]
FEW = {"draws": 199}


def two(n: int = 40, seed: int = 1) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)
    shared = np.cumsum(rng.normal(size=n))
    return shared + rng.normal(size=n), shared + rng.normal(size=n)


def csv(path: Path, times: list[Any], values: Any, head: str = "date,value") -> Path:
    path.write_text("\n".join([head, *(f"{t},{v}" for t, v in zip(times, values, strict=True))]) + "\n")
    return path


def same(ours: Any, theirs: Any) -> bool:
    """Say whether two JSON values are equal to the bit, NaN and null alike."""
    if isinstance(ours, dict):
        return set(ours) == set(theirs) and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, float) and math.isnan(ours):
        return theirs is None
    return bool(ours == theirs)


def test_two_families_give_what_correlate_writes_about_the_same_series_to_the_bit(tmp_path: Path) -> None:
    study = write_study(tmp_path, correlate={"lags": [0, 1], "draws": 299, "alternates": ["effective-n-t"]})
    run = ta.Run(write_run(study, tmp_path / "runs", n_weeks=40).root)
    adapters, survey = (run.series.filter(pl.col("source") == name) for name in ("adapters", "YouGov"))
    settings = {**study.correlate.model_dump(), "baselines": ()}
    found = ta.compare(adapters, survey, **settings)
    written = run.results
    assert len(written.results) == len(found.analysis.results) == 4 * 9
    for ours, theirs in zip(found.analysis.results, written.results, strict=True):
        assert same(asdict(ours), {name: theirs[name] for name in asdict(ours)})
    assert {name: written.facts[name] for name in found.analysis.facts} == dict(found.analysis.facts)


def test_two_arrays_give_what_correlate_writes_about_the_same_pair_to_the_bit(tmp_path: Path) -> None:
    study = write_study(tmp_path, correlate={"lags": [0], "draws": 299, "exclude": ["britains-mood/Sad"]})
    run = ta.Run(write_run(study, tmp_path / "runs", n_weeks=40, options=("Happy", "Sad"), gap=17).root)
    sides = []
    for source in ("adapters", "YouGov"):
        rows = run.series.filter(pl.col("source") == source, pl.col("option") == "Happy")
        known = dict(zip(rows["week"], rows["value"], strict=True))
        sides.append(np.array([known.get(week, np.nan) for week in WEEKS], dtype=np.float64))
    ours = ta.compare(*sides, draws=299).result
    (theirs,) = run.results.tested
    for name in ("r", "ci_low", "ci_high", "n_effective", "changes_r", "changes_ci_low"):
        assert getattr(ours, name) == theirs[name], name
    assert asdict(ours.dynamics) == theirs["dynamics"]  # type: ignore[call-overload]
    assert asdict(ours.level) == theirs["level"]  # type: ignore[call-overload]
    assert ours.verdict == theirs["verdict"]


def test_classic_pairs_give_the_values_that_r_gives(tmp_path: Path) -> None:
    """R: cor(mdeaths, fdeaths) .9762, of differences .919; cor(BJsales.lead, BJsales) .9513, of differences -.003."""
    deaths = ta.compare(MALE_DEATHS, FEMALE_DEATHS, **FEW)
    assert deaths.r == pytest.approx(0.9762, abs=5e-5)
    assert deaths.r_of_differences == pytest.approx(0.919, abs=5e-4)
    assert deaths.result.n_effective == pytest.approx(7.6, abs=0.05)
    assert deaths.verdict == "tracks"
    sales = ta.compare(SALES_LEAD, SALES, **FEW)
    assert sales.r == pytest.approx(0.9513, abs=5e-5)
    assert sales.r_of_differences == pytest.approx(-0.003, abs=5e-4)
    assert sales.p_changes > 0.5
    assert "track" not in sales.verdict.split()


def test_months_as_they_are_usually_written_and_as_r_writes_them_are_the_same_series(tmp_path: Path) -> None:
    iso = csv(tmp_path / "mdeaths.csv", MONTHS, MALE_DEATHS, "month,deaths")
    by_r = tmp_path / "fdeaths.csv"
    rows = [f'"{at + 1}",{1974 + at / 12:.12g},{value:g}' for at, value in enumerate(FEMALE_DEATHS)]
    by_r.write_text("\n".join(['"","time","value"', *rows]))
    found = ta.compare(iso, by_r, **FEW)
    assert found.result.n_pairs == 72
    assert found.labels[0] == "1974-01"
    assert found.r == ta.compare(MALE_DEATHS, FEMALE_DEATHS, **FEW).r
    assert "72 months" in str(found)
    assert "week" not in str(found)


def test_two_columns_of_one_file_with_decimal_commas(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    rows = [f"{at + 1};{a:g};{b:g}".replace(".", ",") for at, (a, b) in enumerate(zip(SALES_LEAD, SALES, strict=True))]
    path.write_text("\n".join(["period;lead;sales", *rows]))
    found = ta.compare(path, lags=[0, 3], **FEW)
    assert (found.x.name, found.y.name) == ("lead", "sales")
    assert [result.verdict for result in found.results][1] == "tracks"
    assert "lead leads by 3 steps" in str(found)


def test_files_of_pandas_excel_and_parquet_with_days_of_different_weekdays(tmp_path: Path) -> None:
    x, y = two()
    pd.DataFrame({"week": WEEKS, "share": x}).to_csv(tmp_path / "x.csv")  # with pandas' row numbers
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    page.append(["fieldwork_start", "value"])
    for week, value in zip(WEEKS, y, strict=True):
        page.append([week + timedelta(days=3), float(value)])
    book.save(tmp_path / "y.xlsx")
    pd.DataFrame({"date": pd.to_datetime(WEEKS), "value": y}).to_parquet(tmp_path / "y.parquet")
    by_hand = ta.compare(x, y, **FEW)
    for name in ("y.xlsx", "y.parquet"):
        found = ta.compare(tmp_path / "x.csv", tmp_path / name, **FEW)
        assert found.r == pytest.approx(by_hand.r, abs=1e-12)
        assert found.p_changes == by_hand.p_changes
        assert found.labels[0] == "2023-W01"


def test_a_single_series_meets_every_series_of_a_family_as_one_family() -> None:
    x, y = two()
    rng = np.random.default_rng(5)
    family = pl.concat(
        pl.DataFrame({"week": WEEKS, "question": "mood", "option": name, "value": values})
        for name, values in (("Happy", y), ("Sad", rng.normal(size=40)))
    )
    found = ta.compare(pl.DataFrame({"week": WEEKS, "value": x}), family, **FEW)
    assert [(one.item, one.option) for one in found.results] == [("mood", "Happy"), ("mood", "Sad")]
    assert found.analysis.facts["family_size"] == 2
    with pytest.raises(UsageError, match="2 results"):
        _ = found.r


def test_gaps_are_missing_and_never_filled() -> None:
    x, y = two()
    frame = pl.DataFrame({"week": WEEKS, "value": x}).filter(~pl.col("week").is_in(WEEKS[10:13]))
    found = ta.compare(frame, pl.DataFrame({"week": WEEKS, "value": y}), **FEW)
    assert found.result.n_pairs == 37
    assert np.isnan(found.pairs.model).sum() == 3


@pytest.mark.parametrize(
    ("x", "y", "sentence"),
    [
        (("2010-01-04", 1), ("2023-01-02", 1), r"x\.csv \(2010-W01 to 2010-W40\) and .*y\.csv .* share no week"),
        (("2023-01-02", 1), ("2023-08-07", 1), "share 9 weeks, at least 12 are needed"),
        (("2023-01-02", 1), ("2023-01", 1), "counts in weeks, .* in months"),
    ],
)
def test_series_that_do_not_meet_are_refused_in_one_sentence(
    tmp_path: Path, x: tuple[str, int], y: tuple[str, int], sentence: str
) -> None:
    paths = []
    for name, (start, _) in (("x", x), ("y", y)):
        if len(start) == 7:
            times: list[Any] = [f"{2023 + at // 12}-{at % 12 + 1:02d}" for at in range(40)]
        else:
            times = [date.fromisoformat(start) + timedelta(weeks=at) for at in range(40)]
        paths.append(csv(tmp_path / f"{name}.csv", times, two()[0]))
    with pytest.raises(CorrelateError, match=sentence):
        ta.compare(*paths, **FEW)


def spoilt(kind: str) -> tuple[list[Any], list[Any]]:
    times: list[Any] = [str(week) for week in WEEKS]
    values: list[Any] = [f"{value:.4f}" for value in two()[0]]
    if kind == "duplicated day":
        times[20] = times[19]
    elif kind == "daily":
        times = [str(WEEKS[0] + timedelta(days=at)) for at in range(40)]
    elif kind == "text":
        values[11] = "closed"
    elif kind == "constant":
        values = ["3.5"] * 40
    elif kind == "zones":
        times = [f"{time}T12:00:00{'+01:00' if at % 2 else 'Z'}" for at, time in enumerate(times)]
    elif kind == "no time":
        times[7] = ""
    return times, values


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("duplicated day", r"y\.csv: two values in 2023-W20 \(row 21 and row 22\)"),
        ("daily", r"two values in 2023-W01 \(row 2 and row 3\): one value per week is needed, so average them first"),
        ("text", r"y\.csv: value: 'closed' in row 13 is not a number"),
        ("constant", r"y\.csv: .* is constant \(3\.5\)"),
        ("zones", r"two zones \(Z in row 2, \+01:00 in row 3\)"),
        ("no time", r"y\.csv: date is empty in row 9"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_row(tmp_path: Path, kind: str, sentence: str) -> None:
    good = csv(tmp_path / "x.csv", WEEKS, two()[1])
    with pytest.raises(CorrelateError, match=sentence) as caught:
        ta.compare(good, csv(tmp_path / "y.csv", *spoilt(kind)), **FEW)
    assert "correlate." not in str(caught.value)
    assert "survey" not in str(caught.value)


def test_what_python_gives_wrongly_is_named() -> None:
    x, y = two()
    with pytest.raises(CorrelateError, match="an array has one dimension"):
        ta.compare(np.ones((2, 40)), y)
    with pytest.raises(CorrelateError, match="x: infinite value at place 3"):
        ta.compare(np.where(np.arange(40) == 3, np.inf, x), y)
    with pytest.raises(UsageError, match=r"`draws`: .*greater than or equal to 199"):
        ta.compare(x, y, draws=10)
    with pytest.raises(UsageError, match="`smoothing`"):
        ta.compare(x, y, smoothing=3)
    with pytest.raises(CorrelateError, match="there is no such file"):
        ta.compare("nowhere.csv", y)
    with pytest.raises(CorrelateError, match=r"name two files, or the two columns .*\(columns of numbers: value\)"):
        ta.compare(pl.DataFrame({"week": WEEKS, "value": x}))


def test_a_plan_is_frozen_before_looking_and_kept(tmp_path: Path) -> None:
    x, y = two()
    path = tmp_path / "plan.json"
    assert "frozen now, before looking" in str(ta.compare(x, y, plan=path, **FEW))
    assert f"on {date.today()}"[:7] in str(ta.compare(x, y, plan=path, **FEW))
    with pytest.raises(CorrelateError, match=r"has lags \[0\], this analysis \[1\]"):
        ta.compare(x, y, lags=[1], plan=path, **FEW)
    with pytest.raises(CorrelateError, match=r"the plan .* has y "):
        ta.compare(x, y + 1, plan=path, **FEW)
    ta.compare(x, y, plan=path, shown_lags=[-1, 0, 1], **FEW)
    path.write_text(path.read_text().replace('"alpha": 0.05', '"alpha": 0.5'))
    with pytest.raises(CorrelateError, match="was changed after it was frozen"):
        ta.compare(x, y, plan=path, **FEW)


def shown(page: str) -> str:
    """Return what a person reads on a page."""
    body = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_the_folder_holds_the_page_in_the_words_of_the_series(tmp_path: Path) -> None:
    x = pl.DataFrame({"month": MONTHS, "value": MALE_DEATHS})
    y = pl.DataFrame({"month": MONTHS, "value": FEMALE_DEATHS})
    found = ta.compare(x, y, names=("weekly <y> survey", "R&D model"), **FEW)
    page = found.write(tmp_path / "out").read_text(encoding="utf-8")
    read = shown(page)
    assert "weekly <y> survey and R&D model" in read
    assert "72 months" in read
    bare = read.replace("weekly <y> survey", "X").replace("R&D model", "Y").replace("temporal-adapters", "")
    assert not re.search(
        r"\b(week|adapters|the survey|the model)", bare.replace("every_weeks", "").replace("min_weeks", "")
    )
    assert "default-src &#x27;none&#x27;" in page
    assert len(page) < 200_000
    written = json.loads((tmp_path / "out" / "results.json").read_text())
    assert written["facts"]["x"] == "weekly <y> survey"
    assert written["results"][4]["r"] == found.r
    assert written["results"][4]["details"]["heaviest_week"] in MONTHS
    assert pl.read_csv(tmp_path / "out" / "results.csv")["r"].to_list() == [found.r]
    assert pl.read_csv(tmp_path / "out" / "series.csv").columns == ["item", "option", "month", "x", "y"]
    methods = (tmp_path / "out" / "methods.md").read_text()
    for key in re.findall(r"@(\w+)\]", methods):
        assert f"{{{key}," in (tmp_path / "out" / "bibliography.bib").read_text()
    found.write(tmp_path / "out")
    (tmp_path / "out" / "mine.txt").write_text("kept")
    with pytest.raises(UsageError, match="holds something else"):
        found.write(tmp_path / "out")


def test_the_figure_speaks_the_same_words(tmp_path: Path) -> None:
    x, y = two()
    figure = ta.compare(x, y, names=("reader", "poll"), **FEW).plot(tmp_path / "both.svg")
    assert "reader" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert (tmp_path / "both.svg").read_text(encoding="utf-8").startswith("<?xml")


def asked(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["compare", *map(str, words)])
    said = done.output if done.exception is None or isinstance(done.exception, SystemExit) else str(done.exception)
    return done.exit_code, said


def test_the_command_prints_a_plot_and_sentences_and_writes_what_the_call_writes(tmp_path: Path) -> None:
    paths = [csv(tmp_path / f"{name}.csv", WEEKS, values) for name, values in zip("ab", two(), strict=True)]
    code, said = asked(*paths, "--set", "draws=199", "--out", tmp_path / "out", "--lags", "0,1")
    assert code == 0, said
    assert said.splitlines()[0].startswith("a ")
    found = ta.compare(*paths, lags=[0, 1], **FEW)
    assert str(found) in said
    assert "Tested at lag 0, +1 (weeks, positive = a leads), chosen before looking" in said
    assert (tmp_path / "out" / "index.html").is_file()
    code, said = asked(*paths, "--set", "draws=199", "--json")
    assert json.loads(said)["facts"]["y"] == "b"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--lags", "x"], "--lags 'x': write whole numbers"),
        (["--set", "draws"], "--set 'draws': write it as key=value"),
        (["--value", "pct"], "has no column 'pct'"),
        (["third.csv"], "name two, or one with two columns"),
        (["--date", "day"], "has no column 'day' (it has date, value)"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(tmp_path: Path, words: list[str], sentence: str) -> None:
    paths = [csv(tmp_path / f"{name}.csv", WEEKS, values) for name, values in zip("ab", two(), strict=True)]
    code, said = asked(*paths, *words)
    assert code != 0
    assert sentence in said


def test_the_command_loads_no_model(tmp_path: Path) -> None:
    paths = [str(csv(tmp_path / f"{name}.csv", WEEKS, values)) for name, values in zip("ab", two(), strict=True)]
    program = (
        "import sys\nfrom temporal_adapters.cli import app\n"
        f"app(['compare', *{paths!r}, '--set', 'draws=199', '--out', 'out'], standalone_mode=False)\n"
        "print(sorted({'torch', 'transformers', 'peft', 'matplotlib', 'sklearn'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_calendar_of_weeks_is_taken_out_of_weeks_only(tmp_path: Path) -> None:
    x, y = two(60)
    weeks = [date(2023, 1, 2) + timedelta(weeks=number) for number in range(60)]
    sides = [pl.DataFrame({"week": weeks, "value": values}) for values in (x, y)]
    season = ta.compare(*sides, adjust=["season"], **FEW)
    assert season.analysis.facts["adjust"] == ["season"]
    assert season.r != ta.compare(*sides, **FEW).r
    months = ta.compare(MALE_DEATHS, FEMALE_DEATHS, **FEW)
    assert "calendar" not in str(months)
    assert months.result.details["calendar_verdict"] is None
    with pytest.raises(CorrelateError, match="a calendar of weeks, and these series count in steps"):
        ta.compare(x, y, adjust=["season"], **FEW)
    paths = [csv(tmp_path / f"{name}.csv", weeks, values) for name, values in zip("ab", (x, y), strict=True)]
    code, said = asked(*paths, "--adjust", "season", "--adjust", "trend", "--set", "draws=199")
    assert code == 0, said
