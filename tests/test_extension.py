"""Whatever has several kinds: the table of records and the place where a study names them know the same names."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest
from blocks import blocks

import temporal_adapters as ta
from temporal_adapters.engines.scoring import METHODS
from temporal_adapters.engines.significance.alternates import ALTERNATES
from temporal_adapters.ground import resources
from temporal_adapters.ground.errors import TemporalAdaptersError
from temporal_adapters.scale.engine import STARTED
from temporal_adapters.scale.settings import Name
from temporal_adapters.stages.panel.platforms import PLATFORMS
from temporal_adapters.stages.survey.read import FORMATS
from temporal_adapters.study.config.correlate import Alternate
from temporal_adapters.study.config.panel import Format
from temporal_adapters.study.config.survey import Survey

ROOT = Path(__file__).resolve().parents[1]


def test_every_platform_that_a_study_may_name_is_one_record_and_the_other_way_round() -> None:
    names = [platform.name for platform in PLATFORMS]
    assert len(names) == len(set(names))
    assert set(get_args(Format)) == {"auto", *names}


def test_a_platform_has_a_label_and_either_queries_that_are_shipped_or_columns() -> None:
    shipped = set(resources.names("queries"))
    for platform in PLATFORMS:
        assert platform.label or platform.name == "table", platform.name
        assert set(platform.queries) <= shipped, platform.name
        assert platform.queries or platform.columns, platform.name


def test_every_survey_format_has_a_reader_and_the_other_way_round() -> None:
    assert set(get_args(Survey.model_fields["format"].annotation)) == {"auto", *FORMATS}


def test_every_alternate_test_that_a_study_may_name_is_one_function_and_the_other_way_round() -> None:
    assert set(get_args(Alternate)) == set(ALTERNATES)


def test_every_engine_that_a_command_may_name_has_a_start_and_the_other_way_round() -> None:
    assert set(get_args(Name)) == set(STARTED)
    assert [name for name, start in STARTED.items() if start.ask is None] == ["local"]


def test_a_method_that_nobody_knows_is_refused_by_name() -> None:
    with pytest.raises(TemporalAdaptersError, match="no-such"):
        ta.score("demo", "demo-mood", methods=["no-such"])


def errand(title: str) -> str:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return page.split(f"### {title}\n", 1)[1].split("\n##", 1)[0]


@pytest.mark.parametrize(
    "title",
    [
        "A platform",
        "A scoring method",
        "A survey format",
        "A statistic",
        "A figure of trust",
        "A training kernel",
        "An engine",
    ],
)
def test_every_errand_is_short(title: str) -> None:
    words = [line for line in errand(title).splitlines() if line.strip()]
    code = [line for block in blocks(errand(title)) for line in block.text.splitlines() if line.strip()]
    assert len(words) - len(code) <= 12
    assert len(code) <= 14


def test_the_errand_of_a_scoring_method_works_as_it_is_written() -> None:
    """Second source: of positive numbers the largest is at most the sum, and less where there are several."""
    names: dict[str, Any] = {}
    before = dict(METHODS)
    try:
        for block in blocks(errand("A scoring method")):
            exec(compile(block.text, "CONTRIBUTING.md", "exec"), names)
    finally:
        METHODS.clear()
        METHODS.update(before)
    answers = names["answers"]
    assert set(answers["method"]) == {"sequence", "best-form"}
    wide = answers.pivot("method", index=["wording", "order", "option"], values="logprob")
    assert (wide["best-form"] <= wide["sequence"] + 1e-9).all()
    assert (wide["best-form"] < wide["sequence"] - 1e-9).any()
    totals = answers.group_by("method", "wording", "order").agg(pl.col("share").sum())["share"]
    assert totals.to_list() == pytest.approx([1.0] * len(totals))
