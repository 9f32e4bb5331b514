"""`import temporal_adapters as ta`: what a notebook calls, and what that runs is the line of the commands."""

from __future__ import annotations

import doctest
import inspect
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal

import temporal_adapters as ta
from temporal_adapters.ground.errors import ArtifactError, ConfigError, ProbeError, UsageError

HEAVY = ("torch", "transformers", "numpy", "polars", "pydantic", "duckdb", "matplotlib")
CALLS = [name for name in ta.__all__ if inspect.isfunction(getattr(ta, name))]


def test_the_front_door_shows_what_it_offers_and_loads_nothing_before_it_is_used() -> None:
    program = (
        "import sys\nimport temporal_adapters as ta\nassert 'run' in dir(ta)\nassert ta.__version__\n"
        f"print(sorted({{*{HEAVY!r}}} & {{*sys.modules}}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", CALLS)
def test_every_call_is_documented_whole_and_its_example_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = getattr(ta, name)
    for section in ("Parameters", "Raises" if name != "status" else "Returns", "Examples"):
        assert f"{section}\n---" in inspect.cleandoc(call.__doc__ or ""), f"ta.{name} lacks a section {section}"
    for parameter in inspect.signature(call).parameters:
        assert parameter in call.__doc__, f"ta.{name} does not say what {parameter} is"
    monkeypatch.chdir(tmp_path)
    (example,) = doctest.DocTestFinder(recurse=False).find(call, name, globs={})
    assert example.examples
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    said: list[str] = []
    assert runner.run(example, out=said.append).failed == 0, "".join(said)


def test_settings_of_a_study_are_replaced_by_sections_and_single_keys() -> None:
    study = ta.load_study("demo", train={"seeds": [42, 99]}, survey=None, panel={"columns": {"text": "body"}})
    assert study.train.seeds == (42, 99)
    assert study.survey is None
    assert study.panel.columns == {"text": "body"}
    assert study.train.r == ta.load_study("demo").train.r
    with pytest.raises(ConfigError, match=r"unknown key 'train\.sed'"):
        ta.load_study("demo", train={"sed": 1})


def test_what_is_not_there_yet_is_one_sentence_that_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="there is no such run folder"):
        ta.open_run(tmp_path / "runs" / "demo")
    empty = ta.open_run(tmp_path)
    with pytest.raises(ArtifactError, match='until="series"'):
        _ = empty.series
    with pytest.raises(ArtifactError, match='until="report"'):
        _ = empty.report
    with pytest.raises(UsageError, match=r"say runs='elsewhere' to ta\.load_study"):
        ta.run(ta.load_study("demo"), runs="elsewhere")
    with pytest.raises(UsageError, match="there is no stage 'corelate'"):
        ta.run("demo", until="corelate", runs=tmp_path)


def test_a_score_of_the_base_is_what_a_study_reads_off_the_same_base(tmp_path: Path) -> None:
    """Second source: the stage `probe`, which goes by shards and a run folder."""
    study = ta.load_study("demo", runs=tmp_path, simulate={"n_weeks": 2, "gap_weeks": []}, survey=None)
    run = ta.run(study, until="weeks")
    ours = ta.score("demo", "demo-mood")
    from temporal_adapters.engines.scoring import Source
    from temporal_adapters.stages import probe
    from temporal_adapters.stages.probe.targets import Target

    probe.run(study, run.files, targets=[Target(Source("base"), None, "")])
    assert_frame_equal(ours, run.answers)
    assert ours["adapter"].unique().to_list() == ["base"]


def test_an_adapter_that_learned_nothing_answers_like_its_base(tmp_path: Path) -> None:
    from temporal_adapters.engines.model import LoraShape, load_base, new_adapter, write_adapter
    from temporal_adapters.study.config.model import Model

    base = load_base(Model(base="demo"))
    fresh = new_adapter(base.model, LoraShape(4, 8), torch.Generator().manual_seed(1))
    write_adapter(tmp_path / "fresh", fresh)
    both = ta.score(base, "demo-mood", [tmp_path / "fresh"])
    first, second = (part.drop("adapter") for part in both.partition_by("adapter", maintain_order=True))
    assert_frame_equal(first, second)


def test_methods_that_need_a_run_folder_are_refused_by_name() -> None:
    with pytest.raises(ProbeError, match="no method 'legacy-v1' without a study"):
        ta.score("demo", "demo-mood", methods=["legacy-v1"])


@pytest.mark.slow
def test_the_whole_line_through_one_call_and_its_run_folder(tmp_path: Path) -> None:
    study = ta.load_study(
        "demo",
        runs=tmp_path,
        simulate={"n_weeks": 16, "posts_per_week": 300, "gap_weeks": [7]},
        train={"epochs": 1},
        correlate={"draws": 499},
        report={"figures": []},
    )
    said: list[str] = []
    run = ta.run(study, say=said.append)
    assert [one.partition(":")[0] for one in said][-1] == "report"
    assert run.weeks.height == 15
    assert run.posts.select(pl.len()).collect().item() == run.weeks["n_posts"].sum()
    assert set(run.series["source"]) == {"adapters", study.survey.source if study.survey else ""}
    assert run.answers["share"].is_between(0, 1).all()
    assert run.lags["lag"].min() == -4
    assert run.results.headline == run.sentences[0]
    assert run.report.read_text(encoding="utf-8").startswith("<!doctype html>")
    standing = ta.status(study)
    assert standing.next is None
    assert "next: nothing, all is done" in str(standing)
    again = ta.run(study)
    assert again == run
