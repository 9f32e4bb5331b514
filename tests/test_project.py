"""What a person who joins finds: the checks are the same everywhere, and the files of the project name this version."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from temporal_adapters import __version__

ROOT = Path(__file__).resolve().parents[1]


def read(path: str) -> Any:
    return YAML(typ="safe").load((ROOT / path).read_text(encoding="utf-8"))


def recipe(target: str) -> list[str]:
    """Return the commands of one target of the Makefile."""
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert found, target
    return [line.strip().removeprefix("$(BIN)/") for line in found[1].splitlines()]


def test_pre_commit_runs_what_make_lint_runs() -> None:
    hooks = [hook["entry"] for repo in read(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    assert sorted(hooks) == sorted(line.removesuffix(" .") for line in recipe("lint"))


def test_every_target_that_ci_runs_exists_and_every_extra_that_it_installs() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    targets = re.findall(r"^make (\w+)$", script, re.M)
    assert {"test", "lint", "coverage", "docs"} <= set(targets)
    assert all(recipe(target) for target in targets)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (extras,) = re.findall(r"'\.\[([\w,]+)\]'", script)
    assert set(extras.split(",")) <= set(project["optional-dependencies"])


def test_nox_and_the_package_promise_the_same_pythons() -> None:
    pythons = re.search(r"PYTHONS = \((.+)\)", (ROOT / "noxfile.py").read_text(encoding="utf-8"))
    assert pythons
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = re.findall(r"Python :: (3\.\d+)", " ".join(project["classifiers"]))
    assert re.findall(r"3\.\d+", pythons[1]) == named
    assert project["requires-python"] == f">={named[0]}"


def test_the_citation_the_changelog_and_the_package_name_one_version() -> None:
    citation = read("CITATION.cff")
    assert citation["version"] == __version__
    assert {"cff-version", "title", "message", "authors"} <= set(citation)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == __version__
    assert f"\n## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_templates_for_issues_are_forms_that_say_what_is_asked() -> None:
    for name in ("bug", "idea"):
        form = read(f".github/ISSUE_TEMPLATE/{name}.yml")
        assert {"name", "description", "body"} <= set(form)
        assert any(field.get("validations", {}).get("required") for field in form["body"])
