"""The README is short, its tree is the tree, and its table of verdicts is the code's; `test_docs` runs its blocks."""

from __future__ import annotations

import re
from pathlib import Path

from temporal_adapters.ground import resources
from temporal_adapters.stages.report.option import VERDICTS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAX_BYTES = 12_000


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_the_readme_is_at_most_twelve_kilobytes() -> None:
    assert len(README.encode()) <= MAX_BYTES


def test_the_tree_has_every_folder_of_the_package_in_one_line_and_no_other() -> None:
    shown, above = set(), ""
    for line in README.split("temporal_adapters/\n", 1)[1].split("queries/", 1)[0].splitlines():
        indent, name = re.match(r"( +)(\S+) +\S", line).groups()  # type: ignore[union-attr]
        above = name if len(indent) == 2 else above
        shown.add(name if len(indent) == 2 else above + name)
    package = ROOT / "temporal_adapters"
    folders = [path.parent for path in package.glob("**/__init__.py") if path.parent != package]
    there = {f"{path.relative_to(package).as_posix()}/" for path in folders}
    assert {name for name in shown if name.endswith("/")} == {name for name in there if name.count("/") <= 2}
    assert "line.py" in shown


def test_the_rows_of_the_tree_are_those_of_the_import_contract() -> None:
    rows = re.findall(r"^  (\w+)(?:/|\.py) ", README.split("temporal_adapters/\n", 1)[1].split("queries/", 1)[0], re.M)
    contract = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("exhaustive = true", 1)[1].split("]", 1)[0]
    assert rows == [name for name in re.findall(r"\w+", contract.split("[", 1)[1]) if name != "__main__"]


def test_every_verdict_is_explained() -> None:
    table = page("tutorials/panel-and-tracker.md").split("## Read the report", 1)[1]
    assert set(re.findall(r"^\| ([a-z -]+) \|", table, re.M)) - {"verdict"} == set(VERDICTS)


def test_every_study_of_the_table_of_recipes_is_shipped() -> None:
    named = re.findall(r"^\| `([\w-]+)` \|", page("speed.md"), re.M)
    assert {"paper-llama3-8b", "demo"} <= set(named) <= set(resources.names("studies"))
