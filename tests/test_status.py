"""`ta status`: what is done, what is not, and why."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from synthetic_run import write_run, write_study
from typer.testing import CliRunner

from temporal_adapters.cli import app
from temporal_adapters.front import standing
from temporal_adapters.front.given import Given
from temporal_adapters.line import LINE, steps
from temporal_adapters.study.artifacts import Expected, RunFolder, read_manifest
from temporal_adapters.study.config import Study, load_study

ROOT = Path(__file__).resolve().parents[1] / "temporal_adapters"
Expectations = dict[str, list[Expected]]


def as_written(folder: Path) -> Expected:
    """Return what a finished folder says about itself, as an expectation."""
    manifest = read_manifest(folder)
    assert manifest is not None
    return Expected(folder, manifest.stage, manifest.version, manifest.config, manifest.inputs)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return write_run(write_study(tmp_path), tmp_path / "runs", n_weeks=16, gap=5, with_validity=True)


@pytest.fixture
def expectations(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> Expectations:
    found = {
        "weeks": [as_written(run.weeks)],
        "train": [as_written(path.parent) for path in sorted((run.root / "adapters").glob("*/*/manifest.json"))],
        "probe": [as_written(run.logprobs("britains-mood", "base")), as_written(run.answers)],
        "series": [as_written(run.series)],
        "correlate": [as_written(run.lags)],
        "trust": [as_written(run.trust)],
        "report": [],
    }
    names = {ask: step.name for step in LINE for ask in step.folders.values()}
    (correlate,) = [step for step in LINE if step.name == "correlate"]
    names[correlate.folders["trust"]] = "trust"
    monkeypatch.setattr(standing, "_ask", lambda ask, study, run: (found[names[ask]], ""))
    return found


def status(folder: Path, *argv: str) -> str:
    call = ["status", "--study", str(folder / "study.yaml"), "--runs", str(folder / "runs"), *argv]
    shown = CliRunner().invoke(app, call, catch_exceptions=False)
    assert shown.exit_code == 0
    return shown.stdout


def test_a_finished_line_shows_a_full_grid_and_what_is_next(tmp_path: Path, expectations: Expectations) -> None:
    text = status(tmp_path)
    assert text.count("\u25a0" * 5 + " " + "\u25a0" * 10) == 3
    assert "next: ta report" in text
    assert "1,800,000 tokens" in text


def test_a_changed_setting_is_stale_with_its_reason(tmp_path: Path, expectations: Expectations) -> None:
    expectations["train"] = [replace(one, config={**one.config, "train": {"r": 16}}) for one in expectations["train"]]
    text = status(tmp_path)
    assert "stale: train.r 8 -> 16 (45 folders)" in text
    assert "\u25b2" * 5 in text
    assert "next: ta train --all" in text
    assert re.search(r"series +done +will follow", text)
    assert not re.search(r"weeks +done +will follow", text)


def test_a_changed_input_and_a_new_version_are_reasons_too(run: RunFolder, expectations: Expectations) -> None:
    (one,) = expectations["weeks"]
    changed = replace(one, version=2, inputs={"y": "1"})
    assert changed.reasons() == ["version 1 -> 2 of the stage", "input x is gone", "input y is new"]
    assert replace(one, inputs={"x": "1"}).reasons() == ["input x changed"]
    assert one.reasons() == []


def test_missing_and_partial_adapters_are_marked_each(
    tmp_path: Path, run: RunFolder, expectations: Expectations
) -> None:
    first, second = run.adapter("2023-W01", 42), run.adapter("2023-W02", 42)
    first.rename(run.root / "elsewhere")
    second.rename(second.with_name("seed-42.partial-999999999"))
    data = json.loads(status(tmp_path, "--json"))
    assert data["grid"]["2023-W01/seed-42"] == "missing"
    assert data["grid"]["2023-W02/seed-42"] == "partial"
    assert data["grid"]["2023-W03/seed-42"] == "done"
    (adapters,) = [stage for stage in data["stages"] if stage["name"] == "adapters"]
    assert adapters["counts"] == {"missing": 1, "done": 43, "partial": 1}
    assert adapters["state"] == "partial"
    assert adapters["n_aside"] > 1000
    assert data["next"].startswith("ta train --all --study ")


def test_json_has_time_tokens_and_disk(tmp_path: Path, expectations: Expectations) -> None:
    data = json.loads(status(tmp_path, "--json"))
    (adapters,) = [stage for stage in data["stages"] if stage["name"] == "adapters"]
    assert adapters["tokens"] == 45 * 40_000
    assert adapters["n_bytes"] > 45 * 1000
    assert data["gaps"] == ["2023-W06"]
    assert data["seeds"] == [42, 99, 13]


def test_time_that_adapters_share_counts_once(run: RunFolder) -> None:
    one = read_manifest(run.weeks)
    assert one is not None
    times = [
        ("2026-01-01T10:00:10+00:00", 10.0),
        ("2026-01-01T10:00:11+00:00", 10.0),
        ("2026-01-01T11:00:00+00:00", 5.0),
    ]
    assert standing._busy_s([replace(one, created=end, seconds=s) for end, s in times]) == 16.0
    assert standing._busy_s([]) == 0.0


def test_a_folder_whose_sources_are_gone_is_stale_not_done(tmp_path: Path, expectations: Expectations) -> None:
    expectations["series"] = []
    data = json.loads(status(tmp_path, "--json"))
    assert {stage["name"]: stage["state"] for stage in data["stages"]}["series"] == "stale"


def test_nothing_at_all_says_what_to_run_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_study(tmp_path)
    monkeypatch.setattr(standing, "_ask", lambda ask, study, run: ([], ""))
    text = status(tmp_path)
    assert "next: ta build-weeks" in text
    assert "missing" in text


def test_a_simulated_study_begins_with_its_world_though_its_panel_is_not_there(tmp_path: Path) -> None:
    call = ["status", "--study", "demo", "--runs", str(tmp_path / "my runs"), "--set", "simulate.seed=3"]
    shown = CliRunner().invoke(app, call, catch_exceptions=False)
    assert shown.exit_code == 0
    assert re.search(r"world +missing", shown.stdout)
    assert re.search(r"weeks +missing", shown.stdout)
    assert "names no file" not in shown.stdout
    (following,) = re.findall("next: (.*)", shown.stdout)
    assert shlex.split(following) == ["ta", "simulate", *call[1:]]


def test_a_panel_that_is_not_there_is_missing_and_named(tmp_path: Path) -> None:
    write_study(tmp_path)
    text = status(tmp_path)
    assert re.search(r"weeks +missing", text)
    assert f"why: panel.paths: {tmp_path / 'posts.csv'} names no file" in text
    assert f"next: ta build-weeks --study {tmp_path / 'study.yaml'} --runs {tmp_path / 'runs'}\n" in text


def test_a_base_made_from_the_weeks_stands_between_weeks_and_adapters(
    tmp_path: Path, expectations: Expectations
) -> None:
    write_study(tmp_path, pretrain={"first_weeks": 2})
    expectations["pretrain"] = []
    data = json.loads(status(tmp_path, "--json"))
    assert [stage["name"] for stage in data["stages"]][:3] == ["weeks", "base", "adapters"]
    assert data["next"].startswith("ta pretrain --study ")


@pytest.mark.parametrize("name", ["demo", "stocknet"])
def test_every_command_that_status_names_takes_the_options_it_is_given(name: str) -> None:
    given = Given("other.yaml", Path("elsewhere"), ("train.seeds=[1]",))
    for step in steps(load_study(name)):
        _, command, *options = shlex.split(given.command(step))
        words = CliRunner().invoke(app, [command, "--help"], catch_exceptions=False).stdout
        assert {"--study", "--runs", "--set"} <= set(options)
        assert [option for option in options if option.startswith("--") and option not in words] == []


def test_without_options_the_next_command_has_none_unless_its_own_study_differs() -> None:
    said = {step.name: Given().command(step) for step in LINE}
    assert said["train"] == "ta train --all"
    assert said["simulate"] == "ta simulate --study study.yaml"


def test_the_line_runs_each_stage_once_and_only_those_of_the_study() -> None:
    names = [step.name for step in steps(load_study("demo"))]
    assert names == ["simulate", "weeks", "train", "probe", "series", "correlate", "recovery", "report"]
    bare = Study.model_validate({"study": "bare", "panel": {"paths": ["x"]}, "pretrain": {}})
    assert [step.name for step in steps(bare)] == [
        "weeks",
        "pretrain",
        "train",
        "probe",
        "series",
        "report",
    ]


def test_status_changes_nothing_on_disk(tmp_path: Path, run: RunFolder, expectations: Expectations) -> None:
    before = sorted((str(path), path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    status(tmp_path)
    assert before == sorted((str(path), path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))


HEAVY = ("torch", "transformers", "peft", "bitsandbytes", "duckdb", "matplotlib", "scipy.stats", "statsmodels")


def test_status_of_nothing_and_of_a_run_loads_no_model_and_no_statistics(tmp_path: Path) -> None:
    write_run(write_study(tmp_path), tmp_path / "runs", n_weeks=14, gap=None, with_validity=True)
    program = (
        "import sys\nfrom temporal_adapters.cli import app\n"
        "for study in ('demo', 'study.yaml'):\n"
        "    assert app(['status', '--study', study], standalone_mode=False) is None\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_no_face_of_a_room_loads_what_it_offers_before_that_is_used() -> None:
    faces = [path.parent.relative_to(ROOT.parent) for path in sorted(ROOT.rglob("__init__.pyi"))]
    names = [".".join(face.parts) for face in faces]
    assert len(names) > 15
    program = (
        f"import importlib, sys\nfor name in {names!r}:\n    importlib.import_module(name)\n"
        f"print(sorted({{*{HEAVY!r}, 'numpy', 'polars', 'pyarrow', 'pydantic'}} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("face", sorted(ROOT.rglob("__init__.pyi")), ids=lambda path: path.parent.name)
def test_a_face_offers_what_its_stub_names(face: Path) -> None:
    name = ".".join(face.parent.relative_to(ROOT.parent).parts)
    module = importlib.import_module(name)
    listed = [line.rpartition(" as ")[2] for line in face.read_text(encoding="utf-8").splitlines() if " as " in line]
    assert sorted({*module.__all__} - {"__version__"}) == sorted(listed)
    for one in listed:
        found = getattr(module, one)
        assert not isinstance(found, ModuleType), f"{name}.{one} is hidden by the module of that name"
