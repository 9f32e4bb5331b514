"""What a run leaves says nothing about people or machines to whom it is passed on."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import pytest
from synthetic_run import write_run, write_study
from typer.testing import CliRunner

from temporal_adapters.cli import app
from temporal_adapters.front.export import check_bundle, export
from temporal_adapters.ground.errors import ArtifactError
from temporal_adapters.ground.storage import without_places
from temporal_adapters.stages import report
from temporal_adapters.stages.weeks.digests import raw_digests
from temporal_adapters.study.artifacts import Expected, RunFolder, make
from temporal_adapters.study.config import Study


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, RunFolder]:
    folder = tmp_path_factory.mktemp("planted-place")
    panel = {"paths": [str(folder / "secret-raw.csv")], "pseudonym_key": str(folder / "secret-home" / "planted.key")}
    study = write_study(folder, train={"seeds": [42]}, panel=panel)
    run = write_run(study, folder / "runs", n_weeks=16, options=("Happy", "Sad"), with_validity=True)
    report.build(study, run)
    return study, run


def test_folders_of_a_run_are_for_their_owner_alone(tmp_path: Path) -> None:
    make(Expected(tmp_path / "runs" / "x" / "weeks", "weeks", 1, {}, {}), lambda folder: None)
    for folder in (tmp_path / "runs" / "x", tmp_path / "runs"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_run_folder_that_is_shared_on_purpose_stays_shared(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x").chmod(0o750)
    make(Expected(tmp_path / "x" / "weeks", "weeks", 1, {}, {}), lambda folder: None)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o750


def test_the_digests_of_raw_files_hold_no_place_and_are_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    import os

    paths = [tmp_path / "raw" / name for name in ("a.csv", "b.csv")]
    paths[0].parent.mkdir()
    for path in paths:
        path.write_text(path.name)
        os.utime(path, (1e9, 1e9))
    runs = [RunFolder(tmp_path / name) for name in ("one", "two")]
    for run, order in zip(runs, (paths, paths[::-1]), strict=True):
        raw_digests(order, run, remember=True)
    first, second = ((run.panel / "digests.json").read_bytes() for run in runs)
    assert first == second
    assert b"raw" not in first and str(tmp_path).encode() not in first
    assert raw_digests(paths, runs[0], remember=False) == raw_digests(paths[::-1], runs[1], remember=False)


def test_digests_that_were_changed_are_not_believed(tmp_path: Path) -> None:
    import os

    path, run = tmp_path / "a.csv", RunFolder(tmp_path / "run")
    path.write_text("a")
    os.utime(path, (1e9, 1e9))
    right = raw_digests([path], run, remember=True)[path]
    store = run.panel / "digests.json"
    store.write_text(store.read_text().replace(right, "0" * 64))
    assert raw_digests([path], run, remember=False)[path] == right


def test_the_report_shows_no_place_of_this_machine(finished: tuple[Study, RunFolder]) -> None:
    page = (finished[1].report / "index.html").read_text(encoding="utf-8")
    assert "planted.key" in page  # the name of a file says nothing about the machine
    for planted in ("planted-place", "secret-home", str(finished[1].root)):
        assert planted not in page


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("/home/ann/key", "key"),
        ("C:\\Users\\ann\\key", "key"),
        ("~/secret/key", "key"),
        ("org/model", "org/model"),
        (["/a/b", 3, None], ["b", 3, None]),
        ({"/a/b": {"x": "/c/d"}}, {"b": {"x": "d"}}),
    ],
)
def test_of_places_only_the_last_part_is_left(value: object, said: object) -> None:
    assert without_places(value) == said


def test_a_bundle_opens_elsewhere_and_holds_no_posts_no_adapters_and_no_places(
    finished: tuple[Study, RunFolder], tmp_path: Path
) -> None:
    study, run = finished
    export(study, run, tmp_path / "bundle")
    elsewhere = tmp_path / "else" / "where"
    elsewhere.parent.mkdir()
    shutil.move(tmp_path / "bundle", elsewhere)
    assert check_bundle(elsewhere) == []
    files = {path.relative_to(elsewhere).as_posix() for path in elsewhere.rglob("*") if path.is_file()}
    assert {"answers/answers.parquet", "series/series.parquet", "lags/lags.parquet", "report/index.html"} <= files
    assert {"codebook.md", "preregistration.md", "environment.txt", "study.json", "contents.json"} <= files
    assert not [name for name in files if name.startswith("weeks/") and name.endswith(".parquet")]
    assert not [name for name in files if name.endswith(".safetensors")]
    for name in sorted(files):
        data = (elsewhere / name).read_bytes()
        for planted in (b"planted-place", b"secret-home", str(run.root).encode()):
            assert planted not in data, name
    import temporal_adapters as ta

    assert ta.open_run(elsewhere).series.height > 0
    assert "| r | Float64 |" in (elsewhere / "codebook.md").read_text()
    assert "not frozen before looking" in (elsewhere / "preregistration.md").read_text()


def test_a_bundle_that_was_changed_says_what(finished: tuple[Study, RunFolder], tmp_path: Path) -> None:
    study, run = finished
    files = export(study, run, tmp_path / "bundle", adapters=True)
    assert any(path.suffix == ".safetensors" for path in files)
    (tmp_path / "bundle" / "codebook.md").write_text("x")
    (tmp_path / "bundle" / "README.md").unlink()
    (tmp_path / "bundle" / "posts.csv").write_text("x")
    assert check_bundle(tmp_path / "bundle") == [
        "README.md is missing",
        "posts.csv does not belong to the bundle",
        "codebook.md is not the file that was exported",
    ]
    with pytest.raises(ArtifactError, match="exists: name a folder that does not"):
        export(study, run, tmp_path / "bundle")


def test_a_changed_table_is_not_exported(finished: tuple[Study, RunFolder], tmp_path: Path) -> None:
    study, run = finished
    shutil.copytree(run.root, tmp_path / "copy")
    copy = RunFolder(tmp_path / "copy")
    data = bytearray(copy.answers_table.read_bytes())
    data[40] ^= 1
    copy.answers_table.write_bytes(data)
    with pytest.raises(ArtifactError, match=r"answers\.parquet is not the file that was written"):
        export(study, copy, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists() and not (tmp_path / "bundle.partial").exists()


def test_the_command_checks_a_bundle(finished: tuple[Study, RunFolder], tmp_path: Path) -> None:
    study, run = finished
    export(study, run, tmp_path / "bundle")
    runner = CliRunner()
    assert runner.invoke(app, ["export", "--check", str(tmp_path / "bundle")]).exit_code == 0
    (tmp_path / "bundle" / "contents.json").write_text(json.dumps({"gone.csv": "0"}))
    done = runner.invoke(app, ["export", "--check", str(tmp_path / "bundle")])
    assert done.exit_code == 1 and "gone.csv is missing" in done.stdout
