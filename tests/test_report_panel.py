"""The report on its panel: weeks at which the volume breaks, and how many of the posts asked for are there."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from synthetic_run import write_run, write_study
from test_report import Page
from typer.testing import CliRunner

from temporal_adapters.cli import app
from temporal_adapters.stages import report
from temporal_adapters.stages.weeks import keep_coverage
from temporal_adapters.study.artifacts import RunFolder, read_manifest
from temporal_adapters.study.artifacts.manifest import write_manifest
from temporal_adapters.study.config import Study

FOUND = pl.DataFrame(
    [
        ("901", "anna-secret", "2023-01-02", True),
        ("902", "anna-secret", "2023-01-02", True),
        ("903", "ben-secret", "2023-01-02", False),
        ("904", None, "2023-01-09", True),
        ("905", "ben-secret", "2023-01-09", False),
        ("906", None, "2023-01-09", False),
        ("907", None, "2023-01-09", False),
        ("908", None, None, False),
    ],
    schema=["post_id", "user_id", "week", "found"],
    orient="row",
).with_columns(pl.col("week").str.to_date())


@pytest.fixture
def made(tmp_path: Path) -> tuple[Study, RunFolder]:
    study = write_study(tmp_path)
    return study, write_run(study, tmp_path / "runs", n_weeks=16, gap=9)


def page_of(run: RunFolder) -> str:
    return (run.report / "index.html").read_text(encoding="utf-8")


def words_of(run: RunFolder) -> str:
    return " ".join(Page(page_of(run)).words.split())


def state_breaks(run: RunFolder, breaks: list[str]) -> None:
    manifest = read_manifest(run.weeks)
    assert manifest is not None
    write_manifest(run.weeks, replace(manifest, facts={**manifest.facts, "breaks": breaks}))


def test_weeks_at_which_the_volume_breaks_are_named_with_the_posts_around(made: tuple[Study, RunFolder]) -> None:
    study, run = made
    state_breaks(run, ["2023-W03", "2023-W10"])
    report.build(study, run)
    said = words_of(run)
    # synthetic_run: 900 + 37 i posts in the i-th week; 2023-W10 is its gap
    assert "The volume breaks in 2023-W03 (937 posts the week before, then 974), 2023-W10 (" in said
    assert "posts the week before, then 0)" in said


def test_a_panel_without_a_break_says_nothing_of_breaks(made: tuple[Study, RunFolder]) -> None:
    study, run = made
    report.build(study, run)
    assert "volume breaks" not in words_of(run)
    assert 'id="coverage"' not in page_of(run)


def test_the_coverage_is_shown_by_week_and_user_and_the_page_is_made_anew(made: tuple[Study, RunFolder]) -> None:
    study, run = made
    first = report.build(study, run)
    keep_coverage(study, run, FOUND)
    assert report.build(study, run).key != first.key
    said = words_of(run).replace("\u00a0", " ")
    assert "3 of 8 posts asked for are in the files (38 %)" in said
    assert "By week: from 25 % (2023-W02) to 67 % (2023-W01)." in said
    assert "1 of 2 users have no post found; share per user: 0 % at quantile 0.1" in said
    rows = re.findall(r'<th scope="row">([^<]+)</th>((?:<td class="number">[^<]+</td>){3})</tr>', page_of(run))
    shown = [(week, re.findall(r">([^<]+)<", cells)) for week, cells in rows]
    assert ("2023-W01", ["3", "2", "67\u00a0%"]) in shown
    assert ("unknown", ["1", "0", "0\u00a0%"]) in shown
    assert Page(page_of(run)).open == []


def test_no_id_that_was_asked_for_is_kept_or_shown(made: tuple[Study, RunFolder]) -> None:
    study, run = made
    keep_coverage(study, run, FOUND)
    report.build(study, run)
    for text in (page_of(run), (run.panel / "coverage.json").read_text()):
        assert "-secret" not in text
        assert not any(re.search(rf"(?<![\d.,]){one}(?![\d.,])", Page(text).words) for one in FOUND["post_id"])


def test_a_coverage_of_another_panel_is_not_shown_as_this_ones(made: tuple[Study, RunFolder], tmp_path: Path) -> None:
    study, run = made
    keep_coverage(study, run, FOUND)
    report.build(write_study(tmp_path, panel={"paths": ["posts.csv"], "source_timezone": "Europe/London"}), run)
    assert "run ta panel coverage again" in words_of(run)
    assert "asked for" not in words_of(run)


def test_the_command_keeps_what_it_counted_for_the_report(tmp_path: Path) -> None:
    study = {"study": "small", "panel": {"paths": ["posts.csv"]}}
    (tmp_path / "study.yaml").write_text(json.dumps(study), encoding="utf-8")
    first = 1_643_000_000_000_000_000
    rows = [f"{first + n},u{n % 2},2023-04-05T12:00:00Z,a text number {n}" for n in range(6)]
    (tmp_path / "posts.csv").write_text("\n".join(["post_id,user_id,created_at,text", *rows]) + "\n", encoding="utf-8")
    asked = [f"{first + n},u{n % 2},2023-04-05T12:00:00Z" for n in range(8)]
    (tmp_path / "asked.csv").write_text("\n".join(["post_id,user_id,created_at", *asked]) + "\n", encoding="utf-8")
    told = CliRunner().invoke(app, [
        "panel", "coverage", "--study", str(tmp_path / "study.yaml"), "--runs", str(tmp_path / "runs"),
        "--asked", str(tmp_path / "asked.csv"),
    ])  # fmt: skip
    assert told.exit_code == 0, told.output
    kept = json.loads((tmp_path / "runs" / "small" / "panel" / "coverage.json").read_text())
    assert (kept["asked"], kept["found"], kept["users"], kept["users_without"]) == (8, 6, 2, 0)
    assert kept["weeks"] == [{"week": "2023-04-03", "asked": 8, "found": 6}]
    assert kept["shares"] == {"0.1": 0.75, "0.5": 0.75, "0.9": 0.75}
