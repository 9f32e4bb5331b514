"""Finished folders: published atomically, resumable, and verifiable."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from temporal_adapters.ground.errors import ArtifactError
from temporal_adapters.study.artifacts import Expected, make, publish, read_manifest, stage_key, state, verify

DETAILS = {"stage": "train", "version": 1, "config": {"r": 8}, "inputs": {}}


def publish_text(folder: Path, key: str, text: str) -> None:
    with publish(folder, key=key, **DETAILS) as work:
        (work.folder / "a.txt").write_text(text)
        work.facts["n"] = 1


def test_a_finished_folder_has_a_manifest_with_digests(tmp_path: Path) -> None:
    publish_text(tmp_path / "x", "k1", "hello")
    manifest = read_manifest(tmp_path / "x")
    assert manifest is not None
    assert manifest.outputs["a.txt"]["bytes"] == 5
    assert manifest.facts == {"n": 1}
    assert state(tmp_path / "x", "k1") == "done"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x"]


def test_a_failure_leaves_nothing_that_looks_finished(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), publish(tmp_path / "x", key="k", **DETAILS) as work:
        (work.folder / "a.txt").write_text("half")
        raise RuntimeError
    assert state(tmp_path / "x", "k") == "missing"
    assert list(tmp_path.iterdir()) == []


def test_another_key_keeps_the_old_folder_aside(tmp_path: Path) -> None:
    publish_text(tmp_path / "x", "key-one", "old")
    assert state(tmp_path / "x", "key-two") == "stale"
    publish_text(tmp_path / "x", "key-two", "new")
    assert (tmp_path / "x" / "a.txt").read_text() == "new"
    assert (tmp_path / "x.stale-key-one" / "a.txt").read_text() == "old"


def test_the_second_of_two_equal_results_withdraws(tmp_path: Path) -> None:
    publish_text(tmp_path / "x", "k", "first")
    publish_text(tmp_path / "x", "k", "second")
    assert (tmp_path / "x" / "a.txt").read_text() == "first"


def test_a_killed_process_leaves_a_partial_folder_that_the_next_one_resumes(tmp_path: Path) -> None:
    code = f"""
        import os, pathlib
        from temporal_adapters.study.artifacts import publish
        with publish(pathlib.Path({str(tmp_path / "x")!r}), key="k", resume=True, **{DETAILS!r}) as work:
            (work.folder / "checkpoint").write_text("17")
            os.kill(os.getpid(), 9)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert state(tmp_path / "x", "k") == "partial"
    with publish(tmp_path / "x", key="k", resume=True, **DETAILS) as work:
        assert (work.folder / "checkpoint").read_text() == "17"
    assert state(tmp_path / "x", "k") == "done"


def test_a_partial_folder_of_another_key_is_not_resumed(tmp_path: Path) -> None:
    partial = tmp_path / f"x.partial-{socket.gethostname()}-999999999"
    partial.mkdir()
    (partial / ".key").write_text("other")
    (partial / "checkpoint").write_text("17")
    with publish(tmp_path / "x", key="k", resume=True, **DETAILS) as work:
        assert not (work.folder / "checkpoint").exists()


def test_the_partial_folder_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    partial = tmp_path / f"x.partial-{socket.gethostname()}-{os.getppid()}"
    partial.mkdir()
    publish_text(tmp_path / "x", "k", "mine")
    assert partial.is_dir()


def test_the_partial_folder_of_another_host_is_left_alone_until_it_has_not_been_touched_for_long(
    tmp_path: Path,
) -> None:
    partial = tmp_path / f"x.partial-elsewhere-{os.getpid()}"
    partial.mkdir()
    (partial / ".key").write_text("k")
    (partial / "checkpoint").write_text("17")
    with publish(tmp_path / "x", key="k", resume=True, **DETAILS) as work:
        assert not (work.folder / "checkpoint").exists()
    assert (partial / "checkpoint").exists()
    for path in (partial / ".key", partial / "checkpoint", partial):
        os.utime(path, (1, 1))
    with publish(tmp_path / "x", key="k2", resume=True, **DETAILS):
        pass
    assert not partial.exists()


def test_a_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(ArtifactError, match="remove the folder"):
        state(tmp_path / "x", "k")


def test_a_changed_output_is_found(tmp_path: Path) -> None:
    publish_text(tmp_path / "x", "k", "hello")
    assert verify(tmp_path / "x") == []
    (tmp_path / "x" / "a.txt").write_text("hellO")
    assert len(verify(tmp_path / "x")) == 1


def test_the_key_depends_on_settings_and_inputs_but_not_on_their_order() -> None:
    key = stage_key("train", 1, {"a": 1, "b": 2}, {"x": "1"})
    assert key == stage_key("train", 1, {"b": 2, "a": 1}, {"x": "1"})
    assert len({key, stage_key("train", 2, {"a": 1, "b": 2}, {"x": "1"}), stage_key("train", 1, {"a": 1}, {})}) == 3


def test_the_key_depends_on_the_digest_of_every_input() -> None:
    keys = {
        stage_key("train", 1, {}, inputs) for inputs in ({}, {"x": "1"}, {"x": "2"}, {"y": "1"}, {"x": "1", "y": "1"})
    }
    assert len(keys) == 5


def test_a_finished_folder_of_which_a_file_is_gone_or_shorter_is_partial(tmp_path: Path) -> None:
    publish_text(tmp_path / "x", "k", "hello")
    (tmp_path / "x" / "a.txt").write_text("hell")
    assert state(tmp_path / "x", "k") == "partial"
    (tmp_path / "x" / "a.txt").unlink()
    assert state(tmp_path / "x", "k") == "partial"


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="which file a descriptor is, only Linux says")
def test_everything_is_forced_to_the_disk_before_the_folder_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, rename = os.fsync, os.replace

    def noting_sync(descriptor: int) -> None:
        done.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        sync(descriptor)

    def noting_rename(source: Path, target: Path) -> None:
        done.append(f"-> {Path(target).name}")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", noting_sync)
    monkeypatch.setattr(os, "replace", noting_rename)
    publish_text(tmp_path / "x", "k", "hello")
    before = done[: done.index("-> x")]
    assert before.index("a.txt") < before.index("manifest.json")
    assert before[-1].startswith("x.partial-")


def test_make_writes_once_and_leaves_finished_work_alone(tmp_path):
    expected, calls = Expected(tmp_path / "x", "series", 1, {"a": 1}, {"in": "0" * 64}), []

    def write(folder):
        calls.append(folder)
        (folder / "table.csv").write_text("a\n", encoding="utf-8")
        return {"n_rows": 1}

    first = make(expected, write, config={"a": 1, "workers": 2}, device="cpu")
    assert make(expected, write) == first and len(calls) == 1
    assert first.facts == {"n_rows": 1} and first.config == {"a": 1, "workers": 2} and first.key == expected.key
    assert list(first.outputs) == ["table.csv"]


def test_make_publishes_nothing_when_the_writer_fails(tmp_path):
    expected = Expected(tmp_path / "x", "series", 1, {}, {})
    with pytest.raises(ZeroDivisionError):
        make(expected, lambda folder: 1 / 0)
    assert not list(tmp_path.iterdir())


def test_everything_is_on_the_disk_before_the_folder_gets_its_name_and_the_manifest_comes_last(tmp_path, monkeypatch):
    events, fsync, rename = [], os.fsync, os.replace

    def synced(descriptor):
        events.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        fsync(descriptor)

    def renamed(source, target):
        events.append(f"rename to {Path(target).name}")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)

    def write(folder):
        (folder / "b.csv").write_text("b")
        (folder / "a").mkdir()
        (folder / "a" / "a.csv").write_text("a")

    make(Expected(tmp_path / "x", "series", 1, {}, {}), write)
    folder = next(name for name in events if ".partial-" in name)
    assert sorted(events[:2]) == ["a.csv", "b.csv"]
    assert events[2:] == ["manifest.json", folder, "rename to x"]
