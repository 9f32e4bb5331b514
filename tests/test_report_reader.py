"""The report's section on reader and adapters: their agreement, where they differ, and when it is not shown."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from synthetic_run import NASTY, write_run, write_study
from test_report import Page

from temporal_adapters.ground.tables import SERIES
from temporal_adapters.stages import report
from temporal_adapters.study.artifacts import RunFolder, publish, read_corpora
from temporal_adapters.study.config import Study

OPTIONS = ("Happy", "Sad", "Stressed")
READ = {"read": {"max_posts": 50}}
POSTS = pl.DataFrame({"post_id": ["1"], "user_id": ["2"], "0": [0.5]})
FAR = 6
"""Place of the week in which the made-up reader is far from the adapters on Happy."""


@pytest.fixture
def made(tmp_path: Path) -> tuple[Study, RunFolder]:
    study = write_study(tmp_path, **READ)
    run = write_run(study, tmp_path / "runs", n_weeks=24, gap=17, options=OPTIONS)
    write_reader(run)
    return study, run


def write_reader(run: RunFolder, base: str = "b" * 64, scale: str = "clr") -> None:
    """Write a reader that follows the adapters with noise, on another level and scale, and is far off once."""
    rng = np.random.default_rng(3)
    keys = {}
    for corpus in read_corpora(run):
        keys[corpus.label] = f"{base[:8]}{corpus.label}"
        inputs = {"base": base, "corpus": corpus.sha256}
        with publish(
            run.reading(corpus.label), stage="read", key=keys[corpus.label], version=1, config={}, inputs=inputs
        ) as work:
            POSTS.write_parquet(work.folder / "posts.parquet")
    ours = adapters(run)
    noise = rng.normal(0, 0.05, ours.height)
    far = (ours["option"] == "Happy") & (ours["week"] == ours["week"].unique().sort()[FAR])
    value = 4.0 + 0.1 * (ours["value"].to_numpy() + noise + 5.0 * far.to_numpy())
    frame = ours.with_columns(source=pl.lit("reader"), value=pl.Series(value)).filter(pl.col("option") != "Stressed")
    with publish(run.read, stage="read", key=base + scale, version=1, config={}, inputs=keys) as work:
        frame.select(list(SERIES.columns)).write_parquet(work.folder / "series.parquet")
        work.facts.update(scale=scale, n_posts=1, n_cut=0, weeks=len(keys))


def adapters(run: RunFolder) -> pl.DataFrame:
    return pl.read_parquet(run.series_table).filter(pl.col("source") == "adapters")


def page_of(run: RunFolder) -> str:
    return (run.report / "index.html").read_text(encoding="utf-8")


def section_of(run: RunFolder) -> str:
    found = re.search(r'<section id="reader".*?</section>', page_of(run), re.DOTALL)
    return found[0] if found else ""


def test_each_option_has_both_series_their_r_and_the_weeks_in_which_they_differ_most(
    made: tuple[Study, RunFolder],
) -> None:
    study, run = made
    report.build(study, run)
    shown = section_of(run)
    words = "Adapters ask what the week's language makes likely; the reader asks what each post makes likely."
    assert words in Page(shown).words
    both = adapters(run).join(pl.read_parquet(run.read / "series.parquet"), on=["option", "week"]).sort("week")
    for option in ("Happy", "Sad"):
        one = both.filter(pl.col("option") == option)
        r = np.corrcoef(one["value"], one["value_right"])[0, 1]  # numpy, not the house's own r
        assert f'<th scope="row">{option}</th><td class="number">23</td><td class="number">{r:.2f}</td>' in shown
    row = re.search(r'<th scope="row">Happy</th>.*?</tr>', shown)
    assert row is not None
    # the reader is far above in the seventh week: the adapters lie below it there, and nowhere further
    assert re.search(r"<td>2023-W07 \(\u2212[1-9]", row[0])
    assert shown.count("<svg") == 2
    assert Page(page_of(run)).open == []


def test_changes_over_the_gap_do_not_count_as_changes_of_a_week(made: tuple[Study, RunFolder]) -> None:
    study, run = made
    report.build(study, run)
    both = adapters(run).join(pl.read_parquet(run.read / "series.parquet"), on=["option", "week"]).sort("week")
    one = both.filter(pl.col("option") == "Sad")
    steps = np.diff(one["week"].to_numpy()).astype("timedelta64[D]").astype(int) == 7
    r = np.corrcoef(np.diff(one["value"])[steps], np.diff(one["value_right"])[steps])[0, 1]
    assert re.search(
        rf'Sad</th><td class="number">23</td><td [^>]*>[^<]*</td><td class="number">{r:.2f}<', section_of(run)
    )


def test_an_option_that_the_reader_does_not_have_is_left_out(made: tuple[Study, RunFolder]) -> None:
    study, run = made
    report.build(study, run)
    assert "Stressed" not in section_of(run)
    table = pl.read_parquet(run.report / "tables" / "reader.parquet")
    assert sorted(table["option"].unique()) == ["Happy", "Sad"]
    assert table.filter(pl.col("week") == "2023-W18")["difference"].null_count() == 2


def test_a_study_without_the_section_read_shows_no_reader(made: tuple[Study, RunFolder], tmp_path: Path) -> None:
    _, run = made
    report.build(write_study(tmp_path), run)
    assert section_of(run) == ""


def test_a_reader_of_another_scale_base_or_posts_is_not_shown_as_the_studys(
    made: tuple[Study, RunFolder], tmp_path: Path
) -> None:
    study, run = made
    report.build(study, run)
    assert "run ta read again" not in section_of(run)
    report.build(write_study(tmp_path, **READ, series={"scale": "share"}), run)
    assert "run ta read again" in section_of(run)
    with publish(
        run.logprobs("britains-mood", "base"), stage="probe", key="k", version=1, config={}, inputs={"base": "c" * 64}
    ) as work:
        (work.folder / "logprobs.txt").write_text("", encoding="utf-8")
    report.build(study, run)
    assert "run ta read again" in section_of(run)
    write_reader(run, "c" * 64)
    report.build(study, run)
    assert "run ta read again" not in section_of(run)
    corpus = read_corpora(run)[0]
    with publish(
        run.reading(corpus.label), stage="read", key="other", version=1, config={},
        inputs={"base": "c" * 64, "corpus": "0" * 64},
    ) as work:  # fmt: skip
        POSTS.write_parquet(work.folder / "posts.parquet")
    report.build(study, run)
    assert "run ta read again" in section_of(run)


def test_names_of_options_cannot_bring_markup_into_the_section(tmp_path: Path) -> None:
    study = write_study(tmp_path, **READ)
    run = write_run(study, tmp_path / "runs", n_weeks=16, gap=None, options=(NASTY, "Sad"))
    write_reader(run)
    report.build(study, run)
    assert section_of(run).count("&lt;script&gt;") >= 2
    assert NASTY not in page_of(run)
