"""A run folder that 0.1.0 wrote (commit 4058463) is read, reported, or told in a sentence what is made again and why.

``tests/data/run-0.1.0.tar.xz`` is a study of twelve simulated weeks as that version left it, with its base, without the
staged panel and the tokens and with the log-probs of one week alone, to be small.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from temporal_adapters.front.standing import standing
from temporal_adapters.front.standing_lines import lines
from temporal_adapters.front.upkeep import leftovers, problems
from temporal_adapters.ground.tables import ANSWERS, SERIES, check
from temporal_adapters.stages import report, trust
from temporal_adapters.study.artifacts import RunFolder, load_table, read_corpora, read_manifest
from temporal_adapters.study.artifacts.documents import Recovery, Results, Trust
from temporal_adapters.study.config import Study, load_study

DATA = Path(__file__).parent / "data" / "run-0.1.0.tar.xz"


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Study, RunFolder]:
    with tarfile.open(DATA) as archive:
        archive.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path)
    study = load_study("study.yaml", Path("runs"))
    return study, RunFolder(Path("runs") / study.study)


def test_its_tables_documents_and_manifests_are_read(old: tuple[Study, RunFolder]) -> None:
    _, run = old
    assert len(read_corpora(run)) == 12
    check(load_table(run.answers_table), ANSWERS)
    check(load_table(run.series_table), SERIES)
    results, trust, recovery = Results.read(run), Trust.read(run), Recovery.read(run)
    assert results is not None and trust is not None and recovery is not None
    assert {one["option"] for one in trust.options} == {one["option"] for one in results.tested}
    assert recovery.n_weeks == 12
    manifest = read_manifest(run.series)
    assert manifest is not None and manifest.environment["packages"]["temporal-adapters"] == "0.1.0"


def test_every_byte_of_it_is_verified_and_nothing_is_left_over(old: tuple[Study, RunFolder]) -> None:
    _, run = old
    assert list(problems(run)) == []
    assert leftovers(run) == []


def test_its_standing_says_what_is_made_again_and_why(old: tuple[Study, RunFolder]) -> None:
    study, run = old
    found = {stage.name: stage for stage in standing(study, run).stages}
    assert found["world"].state == "done"
    for stage in found.values():
        assert stage.state != "stale" or stage.reasons or stage.waits, stage.name
    assert found["trust"].state == "missing"
    hint = "validity/ was made by temporal-adapters 0.1.0 and is read until it is made again as trust/"
    assert list(found["trust"].reasons) == [hint]
    assert sum(hint in told for told in lines(standing(study, run))) == 1


def test_the_hint_of_its_figures_of_trust_goes_when_they_are_made_again(old: tuple[Study, RunFolder]) -> None:
    study, run = old
    trust.run(study, run)
    found = {stage.name: stage for stage in standing(study, run).stages}
    assert found["trust"].state == "done" and found["trust"].reasons == {}


def test_its_report_is_made_by_this_version(old: tuple[Study, RunFolder]) -> None:
    study, run = old
    report.build(study, run)
    page = (run.report / "index.html").read_text(encoding="utf-8")
    assert "What correlates" in page and "How far to trust it" in page
