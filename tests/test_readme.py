"""The README and the files beside it say what the code says; `test_docs` runs its blocks."""

from __future__ import annotations

import re
from pathlib import Path

from temporal_adapters.ground import resources
from temporal_adapters.stages.report.option import VERDICTS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_verdict_is_explained() -> None:
    table = README.split("### Reading the report", 1)[1].split("\n## ", 1)[0]
    explained = set(re.findall(r"^\| ([a-z -]+) \|", table, re.M)) - {"verdict"}
    assert explained <= set(VERDICTS)
    assert {"tracks", "tracks weekly changes", "co-trends only", "no evidence"} <= explained


def test_every_study_of_the_table_of_recipes_is_shipped() -> None:
    page = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `([\w-]+)` \|", page, re.M)
    assert {"paper-llama3-8b", "demo"} <= set(named) <= set(resources.names("studies"))
