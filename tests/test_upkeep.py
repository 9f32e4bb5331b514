"""Every byte of a run folder is accounted for; what kills leave behind is listed, and removed when asked."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import polars as pl
import pytest
from synthetic_run import write_recovery, write_run, write_study
from typer.testing import CliRunner

from temporal_adapters.cli import app
from temporal_adapters.front.upkeep import leftovers, problems, remove
from temporal_adapters.ground.errors import ArtifactError
from temporal_adapters.ground.processes import HOST
from temporal_adapters.stages import correlate, report, series, trust
from temporal_adapters.study.artifacts import Expected, RunFolder, load_table, make, publish, read_manifest, state
from temporal_adapters.study.artifacts.documents import Results, Trust
from temporal_adapters.study.config import Study


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, RunFolder]:
    folder = tmp_path_factory.mktemp("run")
    study = write_study(folder, train={"seeds": [42]})
    run = write_run(study, folder / "runs", n_weeks=16, options=("Happy", "Sad"), with_validity=True)
    write_recovery(run)
    report.build(study, run)
    return study, run


@pytest.fixture
def copied(finished: tuple[Study, RunFolder], tmp_path: Path) -> tuple[Study, RunFolder]:
    study, run = finished
    shutil.copytree(run.root, tmp_path / study.study)
    return study, RunFolder(tmp_path / study.study)


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << (place % 8)
    path.write_bytes(bytes(data))


def kinds(run: RunFolder) -> dict[str, Path]:
    """Return one file of each kind: folder of its stage and name, weeks and figures once."""
    found: dict[str, Path] = {}
    for path in sorted(run.root.rglob("*")):
        if path.is_file() and path.stat().st_size:
            stage = path.relative_to(run.root).parts[0]
            name = path.suffix if stage in ("weeks", "report") and path.name != "manifest.json" else path.name
            found.setdefault(f"{stage}/{name}", path)
    return found


def test_a_finished_run_is_as_it_was_written(finished: tuple[Study, RunFolder]) -> None:
    assert list(problems(finished[1])) == []


def test_a_flipped_bit_is_named_in_every_kind_of_file_wherever_it_is(copied: tuple[Study, RunFolder]) -> None:
    _, run = copied
    rng, found = random.Random(20), kinds(run)
    assert {
        "weeks/.parquet",
        "adapters/adapter_model.safetensors",
        "answers/answers.parquet",
        "series/cells.parquet",
    } < set(found)
    assert {"lags/results.json", "trust/trust.json", "recovery.json/recovery.json", "series/manifest.json"} < set(found)
    for kind, path in found.items():
        whole = path.read_bytes()
        for _ in range(20):
            place = rng.randrange(len(whole))
            flip(path, place)
            said = list(problems(run))
            assert said or _is_harmless(path, whole), f"{kind}: byte {place} was flipped without a word"
            path.write_bytes(whole)


def _is_harmless(path: Path, whole: bytes) -> bool:
    """Return whether a JSON file says the same as before: space between its values may be any space."""
    import json

    return path.suffix == ".json" and json.loads(path.read_bytes()) == json.loads(whole)


@pytest.mark.parametrize("name", ["cells.parquet", "series.parquet", "settings.parquet"])
def test_no_stage_computes_from_a_changed_table(copied: tuple[Study, RunFolder], name: str) -> None:
    study, run = copied
    path = run.series / name
    flip(path, path.stat().st_size // 2)
    shutil.rmtree(run.trust)
    with pytest.raises(ArtifactError, match=rf"{name} is not the file that was written"):
        trust.run(study, run)
    assert not run.trust.exists()


def test_series_and_lags_are_not_computed_from_changed_inputs(copied: tuple[Study, RunFolder]) -> None:
    study, run = copied
    for folder, path, stage in (
        (run.lags, run.series_table, lambda: correlate.run(study, run)),
        (run.series, run.answers_table, lambda: series.build(study, run, list)),
    ):
        shutil.rmtree(folder) if folder == run.lags else folder.rename(folder.with_name("away"))
        flip(path, path.stat().st_size // 2)
        with pytest.raises(ArtifactError, match="is not the file that was written"):
            stage()
        assert not folder.exists()


@pytest.mark.parametrize("kind", [Results, Trust])
def test_a_changed_document_is_not_shown(copied: tuple[Study, RunFolder], kind: type) -> None:
    _, run = copied
    path = (run.lags if kind is Results else run.trust) / kind.FILE
    path.write_text(path.read_text().replace("Happy", "Merry"))
    with pytest.raises(ArtifactError, match="is not the file that was written"):
        kind.read(run)


def test_a_file_that_is_gone_or_shorter_makes_its_folder_unfinished_and_it_is_made_again(tmp_path: Path) -> None:
    expected = Expected(tmp_path / "x", "series", 1, {}, {})

    def write(folder: Path) -> None:
        pl.DataFrame({"a": [1, 2]}).write_parquet(folder / "a.parquet")

    make(expected, write)
    whole = (tmp_path / "x" / "a.parquet").read_bytes()
    for damage in (lambda path: path.unlink(), lambda path: path.write_bytes(whole[:-1])):
        damage(tmp_path / "x" / "a.parquet")
        assert state(tmp_path / "x", expected.key) == "partial"
        assert expected.reasons() == ["a.parquet is gone or has another size than it was written with"]
        make(expected, write)
        assert state(tmp_path / "x", expected.key) == "done"
        assert load_table(tmp_path / "x" / "a.parquet")["a"].to_list() == [1, 2]


def test_unknown_missing_and_unchained_things_are_named(copied: tuple[Study, RunFolder]) -> None:
    study, run = copied
    (run.lags / "notes.txt").write_text("mine")
    (run.root / "stray.bin").write_text("x")
    shutil.rmtree(run.trust)
    said = "\n".join(problems(run, study))
    assert "notes.txt is not a file that this stage wrote" in said
    assert "stray.bin is not a file that this program wrote" in said
    assert f"{run.trust} is not there (run `ta correlate`)" in said


def test_a_manifest_of_a_newer_version_is_named_as_such_and_one_of_0_1_0_is_read(
    copied: tuple[Study, RunFolder],
) -> None:
    import json

    _, run = copied
    path = run.lags / "manifest.json"
    found = json.loads(path.read_text())
    path.write_text(json.dumps({**found, "schema": 99, "unheard": 1}))
    with pytest.raises(ArtifactError, match=r"written by a newer version .* update temporal-adapters"):
        read_manifest(run.lags)
    old = {name: value for name, value in found.items() if name not in ("schema", "digest")}
    path.write_text(json.dumps(old))
    manifest = read_manifest(run.lags)
    assert manifest is not None
    assert manifest.key == found["key"]


# --- leftovers -------------------------------------------------------------------------------------------------------


def test_leftovers_are_those_of_the_dead_and_of_earlier_settings(copied: tuple[Study, RunFolder]) -> None:
    _, run = copied
    assert leftovers(run) == []
    (run.root / f"lags.partial-{HOST}-{os.getpid()}").mkdir()
    dead = run.root / f"series.partial-{HOST}-999999999"
    dead.mkdir()
    (dead / "half.parquet").write_bytes(b"x" * 10)
    run.panel.mkdir()
    (run.panel / "abc.arrow.partial-999999999").write_bytes(b"x" * 5)
    (run.adapters / "2023-W14" / "seed-7.claim").write_text(f"{HOST} 999999999 1.0\n")
    (run.root / "lags.stale-abcdef").mkdir()
    found = {one.path.relative_to(run.root).as_posix(): (one.kind, one.n_bytes) for one in leftovers(run)}
    assert found["series.partial-" + HOST + "-999999999"] == ("partial", 10)
    assert found["panel/abc.arrow.partial-999999999"] == ("partial", 5)
    assert found["adapters/2023-W14/seed-7.claim"][0] == "claim"
    assert found["lags.stale-abcdef"][0] == "stale"
    assert len(found) == 4
    remove(leftovers(run))
    assert leftovers(run) == []
    assert (run.root / f"lags.partial-{HOST}-{os.getpid()}").is_dir()


def test_an_adapter_whose_answers_the_finished_report_shows_is_no_leftover(copied: tuple[Study, RunFolder]) -> None:
    from temporal_adapters.study.artifacts import digest_json

    _, run = copied
    (folder,) = list(run.adapters.glob("*/seed-42"))[:1]
    aside = folder.with_name("seed-42.stale-abc")
    folder.rename(aside)
    assert [one.path for one in leftovers(run)] == [aside]
    outputs = read_manifest(aside).outputs
    inputs = {"adapter": digest_json({name: entry["sha256"] for name, entry in outputs.items()})}
    shard = run.logprobs("britains-mood", f"{folder.parent.name}/seed-42")
    with publish(shard, stage="probe", key="k", version=1, config={}, inputs=inputs):
        pass
    assert leftovers(run) == []


def test_the_commands_list_before_they_remove_and_verify_ends_with_1(copied: tuple[Study, RunFolder]) -> None:
    study, run = copied
    place = ["--study", str(next(run.root.parent.parent.rglob("study.yaml"), "")), "--runs", str(run.root.parent)]
    file = run.root.parent / "study.yaml"
    file.write_text(f"study: {study.study}\npanel: {{paths: [x.csv]}}\nmodel: {{base: demo}}\n")
    place[1] = str(file)
    (run.root / f"series.partial-{HOST}-999999999").mkdir()
    runner = CliRunner()
    assert "half-written" in runner.invoke(app, ["status", "--leftovers", *place]).stdout
    assert "nothing was removed (add --yes)" in runner.invoke(app, ["clean", *place]).stdout
    assert leftovers(run)
    assert "1 leftovers, 0.0 MB: removed" in runner.invoke(app, ["clean", "--yes", *place]).stdout
    assert not leftovers(run)
    flip(run.series_table, 40)
    done = runner.invoke(app, ["verify", *place])
    assert done.exit_code == 1
    assert "series.parquet is not the file that was written" in done.stdout
