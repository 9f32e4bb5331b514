"""The README is the manual: what it quotes is what the code says, and its commands run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from readme_parts import help_text, schema_rows

from temporal_adapters.ground import resources
from temporal_adapters.stages.report.option import VERDICTS
from temporal_adapters.study.config import load_study

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ELSEWHERE = "# cluster"
"""Marks commands that need machines a test does not have: only their options are checked."""


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", README, re.M | re.S)


def commands() -> list[str]:
    return [line for block in blocks("sh") for line in block.splitlines() if line.strip()]


def ta(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HOME": str(folder), "COLUMNS": "200"}
    call = [sys.executable, "-m", "temporal_adapters.cli", *words]
    return subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_quoted_help_is_that_of_the_command() -> None:
    assert [block.strip() for block in blocks("text")] == [help_text()]


def test_the_quoted_schemas_are_those_of_the_tables() -> None:
    for row in schema_rows():
        assert row in README


def test_every_link_and_every_path_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    named = re.findall(r"`((?:configs|benchmarks|notebooks|tests)/[\w./-]+)`", README)
    assert [path for path in [*links, *named] if not path.startswith("http") and not (ROOT / path).exists()] == []


def test_the_study_file_is_valid(tmp_path: Path) -> None:
    (block,) = blocks("yaml")
    (tmp_path / "study.yaml").write_text(block, encoding="utf-8")
    study = load_study(tmp_path / "study.yaml")
    assert study.correlate.lags == (0,)
    assert all(name in resources.names("questionnaires") for name in study.probe.questionnaires)


def test_every_study_of_the_table_is_shipped() -> None:
    table = README.split("## Recipes", 1)[1].split("##", 1)[0]
    named = re.findall(r"^\| `([\w-]+)` \|", table, re.M)
    assert named
    assert set(named) <= set(resources.names("studies"))


def test_every_verdict_is_explained() -> None:
    table = README.split("### Reading the report", 1)[1].split("\n## ", 1)[0]
    explained = set(re.findall(r"^\| ([a-z -]+) \|", table, re.M)) - {"verdict"}
    assert explained <= set(VERDICTS)
    assert {"tracks", "tracks weekly changes", "co-trends only", "no evidence"} <= explained


def test_every_command_and_option_that_is_named_exists(tmp_path: Path) -> None:
    named = [line.split("#")[0].strip() for line in commands()]
    named += re.findall(r"`(ta [^`]+)`", README) + re.findall(r"^    (ta .+)$", README, re.M)
    wrong = []
    helps: dict[tuple[str, ...], str] = {}
    for line in named:
        words = shlex.split(line)[1:]
        path = tuple(words[: 2 if words[0] in ("panel", "survey", "questionnaire", "vote") else 1])
        if path == ("--help",):
            continue
        if path not in helps:
            shown = ta([*path, "--help"], tmp_path)
            helps[path] = shown.stdout if shown.returncode == 0 else ""
        wrong += [f"{line}: {word}" for word in words if word.startswith("--") and word not in helps[path]]
        wrong += [line] if not helps[path] else []
    assert wrong == []


def test_the_citation_and_the_changelog_name_this_version() -> None:
    from ruamel.yaml import YAML

    from temporal_adapters import __version__

    citation = YAML(typ="safe").load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    assert {"cff-version", "title", "message", "authors"} <= set(citation)
    assert f"\n## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_all_commands_run_in_order_from_an_empty_folder(tmp_path: Path) -> None:
    (block,) = blocks("yaml")
    (tmp_path / "study.yaml").write_text(block, encoding="utf-8")
    for line in commands():
        if ELSEWHERE in line:
            continue
        name, *words = shlex.split(line)
        assert name == "ta", line
        done = ta(words, tmp_path)
        assert done.returncode == 0, f"{line}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    assert (tmp_path / "runs" / "my-first-study" / "report" / "index.html").is_file()
    assert (tmp_path / "specimen.sav").is_file()
