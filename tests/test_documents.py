"""JSON documents that one stage writes and others read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from temporal_adapters.ground.errors import ArtifactError
from temporal_adapters.study.artifacts import RunFolder
from temporal_adapters.study.artifacts.documents import DOCUMENTS, Recovery, Results, Trust

RECOVERY = Recovery(0.8, 0.9, 0.89, 12, {"Happy": {"r": 0.8}}, {"train": 1.0})


def test_what_is_written_is_read_back_and_says_its_version(tmp_path: Path) -> None:
    RECOVERY.write(tmp_path)
    assert Recovery.read(RunFolder(tmp_path)) == RECOVERY
    assert json.loads((tmp_path / "recovery.json").read_text())["schema"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["recovery.json"]


def test_a_document_that_is_not_there_is_none(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert (Results.read(run), Trust.read(run), Recovery.read(run)) == (None, None, None)


def test_documents_of_0_1_0_are_read_and_its_validity_is_trust(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    (tmp_path / "validity").mkdir()
    old = {"lag": 1, "placebos": {"uniform": {}, "not_available": {}}, "options": [{"item": "a"}]}
    (tmp_path / "validity" / "validity.json").write_text(json.dumps(old))
    assert Trust.read(run) == Trust(1, old["placebos"], old["options"])
    run.trust.mkdir()
    Trust(2, {}, []).write(run.trust)
    assert Trust.read(run) == Trust(2, {}, [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not valid JSON"),
        ("[1]", "is not valid JSON"),
        ('{"schema": 99}', r"has version 99 of its format, this program reads 1: update temporal-adapters"),
        ('{"mean_r": 1.0}', r"does not have the fields of its format \(missing"),
        ('{"surplus": 1.0}', r"does not have the fields of its format \(got an unexpected"),
    ],
)
def test_a_damaged_or_newer_document_is_named_with_what_to_do(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "recovery.json").write_text(text)
    with pytest.raises(ArtifactError, match=rf"recovery\.json {said}.*run `ta run` again"):
        Recovery.read(RunFolder(tmp_path))


def test_every_document_has_a_file_of_its_own_and_a_command_that_makes_it() -> None:
    assert len({kind.FILE for kind in DOCUMENTS}) == len(DOCUMENTS) == 6
    assert all(kind.COMMAND.startswith("ta ") for kind in DOCUMENTS)
