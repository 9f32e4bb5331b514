"""The report's section on the mixing experiment: what it shows, and when it refuses to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from synthetic_run import NASTY, write_run, write_study
from test_mix_statistics import QUESTION, SETTINGS, answers
from test_report import Page

from temporal_adapters.proof.mix.curve import curve
from temporal_adapters.proof.mix.draw import mixtures
from temporal_adapters.proof.mix.summary import summarise
from temporal_adapters.stages import report
from temporal_adapters.study.artifacts import RunFolder, publish
from temporal_adapters.study.config import Study, recipe


def write_mixing(study: Study, run: RunFolder, label: str = "joy") -> None:
    found = summarise(curve(answers(), QUESTION, "sequence", mixtures(SETTINGS)), QUESTION)
    found |= {
        "recipe": recipe(study),
        "label_low": "sadness",
        "label_high": label,
        "n_posts": 10,
        "origin": "x.csv",
        "nested": False,
    }
    found |= {"base_digest": "b" * 64, "nested": False}
    with publish(run.root / "mix" / "curve", stage="mix", key=label, version=1, config={}, inputs={}) as work:
        (work.folder / "mix.json").write_text(json.dumps(found), encoding="utf-8")


@pytest.fixture
def made(tmp_path: Path) -> tuple[Study, RunFolder]:
    study = write_study(tmp_path)
    return study, write_run(study, tmp_path / "runs", n_weeks=20, gap=None)


def page_of(run: RunFolder) -> str:
    return (run.report / "index.html").read_text(encoding="utf-8")


def test_the_report_shows_the_curves_once_the_experiment_was_run(made: tuple[Study, RunFolder]) -> None:
    study, run = made
    report.build(study, run)
    assert 'id="mixing"' not in page_of(run)
    write_mixing(study, run)
    report.build(study, run)
    page = page_of(run)
    words = " ".join(Page(page).words.split())
    assert "Happy follows the share with a rank correlation of 1.00 (mean over 2 seeds)" in words
    assert "Happy from 0.20 to 0.70; Sad from 0.60 to 0.10" in page
    assert Page(page).open == []


def test_a_label_of_the_users_file_cannot_bring_markup_into_the_page(made: tuple[Study, RunFolder]) -> None:
    study, run = made
    write_mixing(study, run, NASTY)
    report.build(study, run)
    assert NASTY not in page_of(run)
    assert "&lt;script&gt;document.title" in page_of(run)


def test_an_experiment_under_other_settings_is_not_shown_as_the_studys(
    made: tuple[Study, RunFolder], tmp_path: Path
) -> None:
    study, run = made
    write_mixing(study, run)
    other = write_study(tmp_path, train={"seeds": [42, 99, 13], "steps": 10, "learning_rate": 0.1})
    report.build(other, run)
    assert "run ta mix again" in page_of(run)
    more_seeds = write_study(tmp_path, train={"seeds": [42, 99, 13, 5], "steps": 10, "checkpoint_steps": [5]})
    assert recipe(more_seeds) == recipe(study) != recipe(other)


@pytest.mark.parametrize("settings", [{"method": "token-mean"}, {"wordings": ["short"]}])
def test_an_experiment_read_by_another_method_or_other_wordings_is_not_the_studys(
    made: tuple[Study, RunFolder], tmp_path: Path, settings: dict[str, Any]
) -> None:
    study, run = made
    write_mixing(study, run)
    report.build(write_study(tmp_path, series=settings), run)
    assert "run ta mix again" in page_of(run)
    spelled_out = write_study(tmp_path, series={"method": study.probe.methods[0], "scale": "share"})
    assert recipe(spelled_out) == recipe(study)


def test_an_experiment_with_another_base_of_the_same_name_is_not_the_studys(made: tuple[Study, RunFolder]) -> None:
    study, run = made
    write_mixing(study, run)
    for digest, is_same in (("b" * 64, True), ("c" * 64, False)):
        with publish(
            run.logprobs("britains-mood", "base"),
            stage="probe", key=digest, version=1, config={}, inputs={"base": digest},
        ) as work:  # fmt: skip
            (work.folder / "logprobs.txt").write_text("", encoding="utf-8")
        report.build(study, run)
        assert ("run ta mix again" not in page_of(run)) == is_same
