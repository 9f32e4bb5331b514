"""The report: one page that holds everything, says what the tables say, and lets no text become HTML."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from synthetic_run import NASTY, rewrite, write_recovery, write_run, write_study

from temporal_adapters.ground.errors import ReportError, TableError
from temporal_adapters.line import Work, make
from temporal_adapters.stages import correlate, report
from temporal_adapters.stages.report import axes, numbers
from temporal_adapters.stages.report.markup import Markup, element, json_block
from temporal_adapters.stages.report.material import gather
from temporal_adapters.stages.report.option import Curve, option_views
from temporal_adapters.stages.report.views import reference, shown, smoothed
from temporal_adapters.study.artifacts import RunFolder, publish, verify
from temporal_adapters.study.artifacts.documents import Recovery


class Page(HTMLParser):
    """Tags, texts of every element, and whether all tags are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.words = ""
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "br", "hr", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words += data


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, str]:
    folder = tmp_path_factory.mktemp("report")
    study = write_study(folder)
    run = write_run(study, folder / "runs", with_validity=True)
    write_recovery(run)
    report.build(study, run)
    return run, (run.report / "index.html").read_text(encoding="utf-8")


def test_the_page_is_well_formed_and_asks_for_nothing(made: tuple[RunFolder, str]) -> None:
    page = Page(made[1])
    assert page.open == []
    assert all(address.startswith("#") for address in page.addresses)
    assert "default-src &#x27;none&#x27;" in made[1]
    assert "url(" not in made[1]


def test_the_page_has_every_section_and_a_chart_with_words_for_each_option(made: tuple[RunFolder, str]) -> None:
    for name in ("results", "recovery", "panel", "options", "trust", "placebos", "mass", "provenance"):
        assert f'<section id="{name}"' in made[1] or f'id="{name}" aria-labelledby' in made[1]
    assert made[1].count("data-chart=") == 4
    charts = re.findall(r"<svg([^>]*)>", made[1])
    assert len(charts) == 17
    for attributes in charts:
        assert 'aria-hidden="true"' in attributes or re.search(r'role="img" aria-label="[^"]{20,}"', attributes)


def test_the_table_says_what_the_results_say(made: tuple[RunFolder, str]) -> None:
    results = json.loads((made[0].lags / "results.json").read_text())["results"]
    tested = {(one["option"], str(one["lag"]), str(one["r"])) for one in results if one["dynamics"] is not None}
    rows = re.findall(r'<tr><td>britains-mood</td><th scope="row">(\w+)</th>(.*?)</tr>', made[1])
    assert len(rows) == len(tested) == 8
    assert {(option, *re.findall(r'data-sort="([^"]*)"', cells)[:2]) for option, cells in rows} == tested


def test_the_numbers_behind_the_hover_are_those_of_the_series(made: tuple[RunFolder, str]) -> None:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', made[1])
    assert found is not None
    data = json.loads(found[1])
    series = pl.read_parquet(made[0].series / "series.parquet").filter(
        (pl.col("source") == "adapters") & (pl.col("option") == "Sad")
    )
    (sad,) = [one for one in data["options"] if one["option"] == "Sad"]
    assert [value for value in sad["a"] if value is not None] == pytest.approx(series["value"].to_list(), rel=1e-4)
    assert sad["a"][17] is None
    assert data["weeks"][17] == "2023-W18"


def test_a_gap_week_breaks_the_line_and_is_named(made: tuple[RunFolder, str]) -> None:
    lines = re.findall(r'<path d="([^"]*)" class="line adapters">', made[1])
    assert len(lines) == 4
    assert all(line.count("M") == 2 for line in lines)
    assert "No posts in 2023-W18" in Page(made[1]).words


def test_the_trust_table_says_what_validity_json_says(made: tuple[RunFolder, str]) -> None:
    known = json.loads((made[0].trust / "trust.json").read_text())["options"]
    table = pl.read_parquet(made[0].report / "tables" / "trust.parquet")
    assert table["option"].to_list() == [one["option"] for one in known]
    assert table["reliability_model"].to_list() == [one["model_reliability"] for one in known]
    assert table["nowcast_p"].to_list() == [one["nowcast"]["clark_west"]["p"] for one in known]


def test_recovery_stands_beside_its_ceiling(made: tuple[RunFolder, str]) -> None:
    assert "Mean r with the known truth 0.81" in Page(made[1]).words
    assert "reaches 0.92" in Page(made[1]).words


def test_text_from_files_never_becomes_html(tmp_path: Path) -> None:
    study = write_study(tmp_path, description=NASTY, report={"title": f"</title>{NASTY}", "figures": []})
    run = write_run(study, tmp_path / "runs", n_weeks=16, gap=None, options=(NASTY, '"><img src=x onerror=alert(1)>'))
    report.build(study, run)
    text = (run.report / "index.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.tags.count("script") == 2
    assert "img" not in page.tags
    assert page.words.count(NASTY) > 3
    assert "<script>document" not in text


def test_the_same_tables_give_the_same_bytes_and_are_not_made_twice(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    run = write_run(study, tmp_path / "runs", n_weeks=16)
    first = report.build(study, run)
    again = report.build(study, run)
    assert again.created == first.created
    assert verify(run.report) == []
    shutil.copytree(run.root, tmp_path / "elsewhere" / study.study, ignore=shutil.ignore_patterns("report"))
    other = RunFolder(tmp_path / "elsewhere" / study.study)
    assert report.build(study, other).outputs["index.html"]["sha256"] == first.outputs["index.html"]["sha256"]


def test_a_new_result_makes_the_report_stale_and_new_seconds_do_not(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    run = write_run(study, tmp_path / "runs", n_weeks=16)
    write_recovery(run)
    report.build(study, run)
    known = Recovery.read(run)
    replace(known, seconds={"train": 99.0}).write(run.root)
    assert report.expected(study, run)[0].state == "done"
    replace(known, mean_r=0.5).write(run.root)
    (one,) = report.expected(study, run)
    assert one.state == "stale"
    assert one.reasons() == ["input recovery.json changed"]


def test_without_a_survey_the_page_shows_the_adapters_alone(tmp_path: Path) -> None:
    study = write_study(tmp_path, survey=None)
    run = write_run(study, tmp_path / "runs", n_weeks=16, adapters=False)
    report.build(study, run)
    page = Page((run.report / "index.html").read_text(encoding="utf-8"))
    assert "What correlates" not in page.words
    assert "Every option" in page.words


def test_a_vote_experiment_is_shown_where_the_study_names_it(tmp_path: Path) -> None:
    study = write_study(tmp_path, report={"figures": [], "vote": ["baselines"]})
    run = write_run(study, tmp_path / "runs", n_weeks=16)
    with pytest.raises(ReportError, match="run `ta vote report` first"):
        report.build(study, run)
    target = tmp_path / "runs" / "baselines" / "report"
    with publish(target, stage="vote-report", key="k", version=1, config={}, inputs={}) as work:
        rows = [("full", "majority", 839, name, 0.267) for name in ("accuracy", "brier")]
        columns = ["condition", "model", "n", "figure", "value"]
        pl.DataFrame(rows, schema=columns, orient="row").write_csv(work.folder / "figures.csv")
    report.build(study, run)
    words = Page((run.report / "index.html").read_text(encoding="utf-8")).words
    assert "Vote study" in words
    assert "majority8390.267" in words


@pytest.mark.parametrize(
    ("base", "shown"),
    [("demo", "demo"), ("meta-llama/Meta-Llama-3-8B", "meta-llama/Meta-Llama-3-8B"), ("{run}/base", "base")],
)
def test_no_folder_of_this_machine_stands_in_the_report(tmp_path: Path, base: str, shown: str) -> None:
    study = write_study(tmp_path, model={"base": base})
    run = write_run(study, tmp_path / "runs", n_weeks=16, adapters=False)
    report.build(study, run)
    text = (run.report / "index.html").read_text(encoding="utf-8") + (run.report / "methods.md").read_text()
    assert f"Base model {shown}," in text
    assert str(tmp_path) not in text


def test_a_run_without_series_is_refused_with_the_command_to_run(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    with pytest.raises(ReportError, match="run `ta run`"):
        report.build(study, RunFolder(tmp_path / "runs" / study.study))


def test_a_table_that_breaks_its_schema_stops_the_report(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    run = write_run(study, tmp_path / "runs", n_weeks=16)
    path = run.lags / "lags.parquet"
    rewrite(pl.read_parquet(path).drop("q"), path)
    with pytest.raises(TableError, match="lacks the column 'q'"):
        report.build(study, run)
    assert not run.report.exists()


def test_both_curves_are_standardised_over_the_weeks_they_share(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    view = option_views(gather(study, write_run(study, tmp_path / "runs")))[0]
    left, right = shown(view, "z")
    for curve in (left, right):
        shared = [
            v for v, other in zip(curve.value, view.survey.value, strict=True) if v is not None and other is not None
        ]
        assert sum(shared) == pytest.approx(0, abs=1e-9)
        assert sum(v * v for v in shared) / (len(shared) - 1) == pytest.approx(1)
    assert all(low <= v <= high for low, v, high in zip(left.low, left.value, left.high, strict=True) if v is not None)


def test_a_constant_series_is_drawn_and_never_divided_by_zero() -> None:
    flat = Curve([2.0, 2.0, None], [None] * 3, [None] * 3)
    assert flat.moved(*reference(flat, flat, "z")).value == [0.0, 0.0, None]
    assert reference(flat, flat, "min-max") == (2.0, 1.0)


def test_min_max_makes_the_shared_range_0_to_1() -> None:
    one = Curve([1.0, 3.0, None, 9.0], [None] * 4, [None] * 4)
    other = Curve([5.0, 6.0, 7.0, None], [None] * 4, [None] * 4)
    assert one.moved(*reference(one, other, "min-max")).value == [0.0, 1.0, None, 4.0]


def test_a_smoothed_view_averages_neighbours_and_never_fills_a_gap() -> None:
    curve = Curve([1.0, 2.0, None, 6.0, 7.0], [None] * 5, [None] * 5)
    assert smoothed(curve, 3).value == [1.5, 1.5, None, 6.5, 6.5]
    assert smoothed(curve, 3).low == [None] * 5


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-1.1, 1.1, [-1.0, -0.5, 0.0, 0.5, 1.0]),
        (0.0, 937.0, [0, 200, 400, 600, 800]),
    ],
)
def test_ticks_are_round_numbers_inside_the_axis(low: float, high: float, expected: list[float]) -> None:
    assert axes.ticks(low, high) == expected


def test_a_line_over_a_gap_is_two_lines_and_a_lone_week_stays_visible() -> None:
    x, y = axes.Scale(0, 4, 0, 40), axes.Scale(0, 1, 10, 0)
    assert 'd="M0.0 10.0L10.0 0.0M30.0 5.0h1"' in axes.line(x, y, [0.0, 1.0, None, 0.5, None], "line")


def test_everything_but_markup_is_escaped() -> None:
    assert element("p", "<b>", Markup("<i></i>"), None, title='"x"') == '<p title="&quot;x&quot;">&lt;b&gt;<i></i></p>'
    assert element("input", disabled=True, checked=False) == "<input disabled>"


def test_a_data_block_cannot_be_closed_by_its_content() -> None:
    block = json_block("data", {"x": "</script><script>alert(1)</script>\u2028"})
    assert block.count("</script>") == 1
    assert json.loads(block.split(">", 1)[1].rsplit("<", 1)[0])["x"].startswith("</script>")


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (numbers.decimal(-0.001), "0.00"),
        (numbers.decimal(-0.126), "\u22120.13"),
        (numbers.decimal(None), "\u2013"),
        (numbers.probability(0.0004), "< 0.001"),
        (numbers.p_words("q", 0.0004), "q < 0.001"),
        (numbers.p_words("p", 0.0124), "p = 0.012"),
        (numbers.signed(2), "+2"),
        (numbers.signed(0), "0"),
        (numbers.plural(1, "week"), "1 week"),
        (numbers.count(12345), "12,345"),
        (numbers.size(2_340_000), "2.3 MB"),
        (numbers.duration(7500), "2 h 5 min"),
    ],
)
def test_numbers_are_written_for_people(shown: str, expected: str) -> None:
    assert shown.replace("\u00a0", " ") == expected


def test_the_scatter_pairs_the_weeks_of_the_headline_lag(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    for view in option_views(gather(study, write_run(study, tmp_path / "runs"))):
        lag, across, up = view.pairs()
        assert view.headline is not None
        assert lag == view.headline.lag == 1, "the survey follows the adapters a week later"
        assert len(across) == view.headline.n_pairs
        assert np.corrcoef(across, up)[0, 1] == pytest.approx(view.headline.r)


def test_options_stand_in_the_questionnaires_order_and_unknown_ones_last(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    run = write_run(study, tmp_path / "runs", n_weeks=16, options=("Zest", "Scared", "Happy"))
    assert [option for _, option in gather(study, run).options()] == ["Happy", "Scared", "Zest"]


def test_a_frozen_plan_is_named_on_the_page_and_in_the_methods(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    run = write_run(study, tmp_path / "runs", n_weeks=16)
    report.build(study, run)
    before = (run.report / "index.html").read_text(encoding="utf-8")
    assert "was not frozen before looking" in before
    correlate.freeze(study, run)
    correlate.run(study, run)
    report.build(study, run)
    text = (run.report / "index.html").read_text(encoding="utf-8")
    assert "The analysis was frozen on" in text
    assert "frozen before looking, on 20" in (run.report / "methods.md").read_text(encoding="utf-8")


def test_a_report_without_the_lags_of_its_survey_is_written_and_ends_in_a_sentence(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    run = write_run(study, tmp_path / "runs", n_weeks=16, adapters=False)
    shutil.rmtree(run.lags)
    with pytest.raises(ReportError, match=r"shows the series alone: .*lags does not exist, `ta correlate` failed"):
        make(Work(study, run), since="report")
    assert (run.report / "index.html").is_file()
