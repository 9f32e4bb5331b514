"""Figures, tables and the methods paragraph beside the page."""

from __future__ import annotations

import hashlib
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import polars as pl
import pytest
from synthetic_run import NASTY, write_recovery, write_run, write_study

from temporal_adapters.stages import report
from temporal_adapters.stages.report import figures, methods
from temporal_adapters.stages.report.material import gather
from temporal_adapters.stages.report.option import option_views
from temporal_adapters.study.config import Study

SETTINGS = {"width_cm": 12, "dpi": 60}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Path]:
    folder = tmp_path_factory.mktemp("report")
    study = write_study(folder, report=SETTINGS)
    run = write_run(study, folder / "runs")
    write_recovery(run)
    report.build(study, run)
    return study, run.report


def test_every_figure_is_there_in_every_format(made: tuple[Study, Path]) -> None:
    names = {path.name for path in (made[1] / "figures").iterdir()}
    stems = ("series-britains-mood", "lags-britains-mood", "scatter-britains-mood", "panel", "recovery")
    assert names == {f"{stem}.{kind}" for stem in stems for kind in ("svg", "pdf", "png")}
    assert (made[1] / "figures" / "panel.pdf").read_bytes().startswith(b"%PDF-")
    assert (made[1] / "figures" / "panel.png").read_bytes().startswith(b"\x89PNG")


def test_an_svg_figure_has_the_width_asked_for_and_text_that_can_be_edited(made: tuple[Study, Path]) -> None:
    root = ET.parse(made[1] / "figures" / "series-britains-mood.svg").getroot()
    assert float((root.get("width") or "").removesuffix("pt")) == pytest.approx(12 / 2.54 * 72, abs=0.1)
    words = {node.text for node in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"Happy", "Sad", "Stressed", "Bored", "YouGov"} <= words


def test_figures_are_the_same_bytes_every_time(made: tuple[Study, Path], tmp_path: Path) -> None:
    study = made[0]
    found = gather(study, write_run_like(made))
    name, figure = next(figures.figures(found, option_views(found)))
    for kind in ("svg", "pdf", "png"):
        figures.save(figure, tmp_path / f"a.{kind}", kind, 60)
        known = (made[1] / "figures" / f"{name}.{kind}").read_bytes()
        assert digest((tmp_path / f"a.{kind}").read_bytes()) == digest(known)


def write_run_like(made: tuple[Study, Path]):  # type: ignore[no-untyped-def]
    from temporal_adapters.study.artifacts import RunFolder

    return RunFolder(made[1].parent)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_smoothed_view_says_so_on_the_figure_and_changes_no_finding(tmp_path: Path) -> None:
    study = write_study(tmp_path, report={"figures": [], "smooth_weeks": 3, "view": "min-max"})
    found = gather(study, write_run(study, tmp_path / "runs", n_weeks=16))
    views = option_views(found)
    figure = figures.series_figure(found, views)
    assert any("3-week mean" in words.get_text() for words in figure.texts)
    plain = figures.lags_figure(found, views)
    assert not any("mean" in words.get_text() for words in plain.texts)


def test_items_with_alike_names_get_files_of_their_own() -> None:
    taken: set[str] = set()
    assert [figures._name(item, taken) for item in ("a/b", "a b", "../..", "$x$")] == ["a-b", "a-b-2", "item", "x"]


def test_every_table_is_there_as_csv_and_parquet_with_the_same_rows(made: tuple[Study, Path]) -> None:
    names = {path.name for path in (made[1] / "tables").iterdir()}
    stems = ("findings", "series", "spread", "lags", "weeks", "mass", "recovery")
    assert names == {f"{stem}.{kind}" for stem in stems for kind in ("csv", "parquet")}
    for stem in stems:
        whole = pl.read_parquet(made[1] / "tables" / f"{stem}.parquet")
        assert pl.read_csv(made[1] / "tables" / f"{stem}.csv").shape == whole.shape


def test_the_methods_paragraph_has_the_numbers_of_the_study(made: tuple[Study, Path]) -> None:
    text = (made[1] / "methods.md").read_text(encoding="utf-8")
    posts = pl.read_parquet(made[1] / "tables" / "weeks.parquet")["n_posts"].sum()
    for words in (f"{posts:,} posts in 29 weeks", "87 adapters", "rank 8, alpha 16", "3 seeds (42, 99, 13)", "8 tests"):
        assert words in text
    assert "499 draws" in text


def test_every_citation_has_its_entry_and_every_entry_is_cited(made: tuple[Study, Path]) -> None:
    text = (made[1] / "methods.md").read_text(encoding="utf-8")
    entries = (made[1] / "bibliography.bib").read_text(encoding="utf-8")
    assert set(re.findall(r"\[@(\w+)\]", text)) == set(re.findall(r"^@\w+\{(\w+),", entries, re.M))
    assert entries.count("{") == entries.count("}")


def test_a_name_from_a_file_stays_text_in_markdown(tmp_path: Path) -> None:
    study = write_study(tmp_path, report={"figures": [], "title": f"{NASTY}\n# [x](y)"})
    text = methods.methods(gather(study, write_run(study, tmp_path / "runs", n_weeks=16)))
    assert "<script>" not in text
    assert "\\[x\\]" in text
    assert text.count("\n# ") == 0


def test_a_dollar_sign_in_an_option_is_drawn_as_text(tmp_path: Path) -> None:
    study = write_study(tmp_path, report={"figures": []})
    found = gather(study, write_run(study, tmp_path / "runs", n_weeks=16, options=("$5 or $6^", "\\frac{", "Sad")))
    figure = figures.series_figure(found, option_views(found))
    figures.save(figure, tmp_path / "a.svg", "svg", 60)
    assert "$5 or $6^" in (tmp_path / "a.svg").read_text(encoding="utf-8")
