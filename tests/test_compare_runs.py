"""Several studies as one family: one error rate, and how far they differ."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from statsmodels.stats.meta_analysis import combine_effects
from synthetic_run import write_run, write_study
from typer.testing import CliRunner

import temporal_adapters as ta
from temporal_adapters.cli import app
from temporal_adapters.front import compare_runs
from temporal_adapters.ground.errors import CorrelateError


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    found = []
    for name, seed, n_weeks in (("uk", 1, 40), ("de", 2, 48)):
        folder = tmp_path_factory.mktemp(name)
        study = write_study(folder, study=name, correlate={"lags": [1, 0], "draws": 299})
        found.append(write_run(study, folder / "runs", n_weeks=n_weeks, seed=seed).root)
    return found


def test_own_p_values_are_those_of_each_study_and_the_family_is_larger(runs: list[Path]) -> None:
    found = compare_runs(runs)
    assert found.family_size == 2 * 4 * 2
    for folder in runs:
        alone = {(one["option"], one["lag"]): one for one in ta.open_run(folder).results.tested}
        for row in found.table.filter(pl.col("study") == folder.name).iter_rows(named=True):
            written = alone[row["option"], row["lag"]]
            assert row["p_changes"] == written["dynamics"]["p"]
            assert row["p_levels"] == written["level"]["p"]
            assert row["verdict_alone"] == written["verdict"]
            assert row["p_changes_family"] >= row["p_changes"]
            assert row["p_levels_family"] >= row["p_levels"]
    alone_family = sum(one["dynamics"]["p_family"] for folder in runs for one in ta.open_run(folder).results.tested)
    assert found.table["p_changes_family"].sum() > alone_family


def test_heterogeneity_is_that_of_statsmodels(runs: list[Path]) -> None:
    """Second source: statsmodels' fixed-effect meta-analysis of Fisher's z."""
    found = compare_runs(runs)
    assert found.heterogeneity.height == 4 * 2
    for row in found.heterogeneity.iter_rows(named=True):
        mine = found.table.filter((pl.col("option") == row["option"]) & (pl.col("lag") == row["lag"]))
        z, variance = np.arctanh(mine["r"].to_numpy()), 1 / (mine["n_effective"].to_numpy() - 3)
        other = combine_effects(z, variance)
        assert row["q"] == pytest.approx(other.q, rel=1e-9)
        assert row["p"] == pytest.approx(other.test_homogeneity().pvalue, rel=1e-9)
        assert row["r"] == pytest.approx(float(np.tanh(other.mean_effect_fe)), rel=1e-9)


def test_the_same_study_twice_does_not_differ_from_itself(runs: list[Path], tmp_path: Path) -> None:
    shutil.copytree(runs[0], tmp_path / "again")
    found = compare_runs([runs[0], tmp_path / "again"])
    assert found.heterogeneity["q"].to_list() == pytest.approx([0.0] * 8, abs=1e-12)
    assert found.heterogeneity["i2"].max() == 0


def test_what_cannot_be_joined_is_refused(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(CorrelateError, match="one study is no comparison"):
        compare_runs(runs[:1])
    with pytest.raises(CorrelateError, match="run `ta correlate` in that study first"):
        compare_runs([runs[0], tmp_path])
    shutil.copytree(runs[0], tmp_path / "other" / "uk")
    with pytest.raises(CorrelateError, match="the same name"):
        compare_runs([runs[0], tmp_path / "other" / "uk"])


def test_the_command_takes_run_folders(runs: list[Path], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["compare", *map(str, runs), "--out", str(tmp_path / "joint")])
    assert done.exit_code == 0, done.output
    assert "tested pairs of 2 studies track their survey (one family, error rate 0.05 over 16 pairs" in done.output
    assert "between studies" in done.output
    assert pl.read_csv(tmp_path / "joint" / "results.csv").height == 16
