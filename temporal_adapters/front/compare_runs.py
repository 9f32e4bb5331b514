"""Several finished studies as one family: countries, panels, bases, instruments.

Takes run folders, gives one error rate over all of them, and how far they differ. Reads series only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from temporal_adapters.engines.significance import Array, multiplicity
from temporal_adapters.ground.errors import CorrelateError
from temporal_adapters.ground.tables import ADAPTERS
from temporal_adapters.stages.correlate import (
    Pairs,
    align,
    analyse,
    changes_of,
    levels_of,
    regressors,
    tests,
    verdict,
    without,
)
from temporal_adapters.study.artifacts import RunFolder, read_manifest
from temporal_adapters.study.config import Correlate


@dataclass(frozen=True)
class Runs:
    """Studies compared as one family.

    Attributes
    ----------
    names
        Run folders' names.
    table
        study, item, option, lag, r, n_effective, changes_r, p_changes and p_levels (own), p_changes_family and
        p_levels_family (over all studies), verdict (by the joint family), verdict_alone.
    heterogeneity
        item, option, lag, n_studies, r (pooled), q (Cochran), df, p, i2 (share of the spread beyond chance).
    family_size, alpha
        Tests in the family of each kind, and its error rate over both.
    """

    names: tuple[str, ...]
    table: pl.DataFrame
    heterogeneity: pl.DataFrame
    family_size: int
    alpha: float

    def __str__(self) -> str:
        tracking = self.table.filter(pl.col("verdict") == "tracks").height
        lines = [
            f"{tracking} of {self.table.height} tested pairs of {len(self.names)} studies track their survey (one"
            f" family, error rate {self.alpha:g} over {self.family_size} pairs and both tests)."
        ]
        for row in self.table.iter_rows(named=True):
            fell = "" if row["verdict"] == row["verdict_alone"] else f" (alone: {row['verdict_alone']})"
            lines.append(
                f"  {row['study']}: {row['item']} / {row['option']}, lag {row['lag']:+d}: r {row['r']:.2f}, changes p"
                f" {row['p_changes_family']:.3f}, levels p {row['p_levels_family']:.3f}: {row['verdict']}{fell}"
            )
        for row in self.heterogeneity.iter_rows(named=True):
            lines.append(
                f"between studies, {row['item']} / {row['option']}, lag {row['lag']:+d}: r {row['r']:.2f} over"
                f" {row['n_studies']}, Q {row['q']:.2f} on {row['df']} ({_p(row['p'])}), I2 {row['i2']:.0%}"
            )
        return "\n".join(lines)


def _p(p: float) -> str:
    return "p < .001" if p < 0.001 else f"p {p:.3f}"


def compare_runs(folders: Sequence[str | Path], alpha: float = 0.05) -> Runs:
    """Test finished studies as one family.

    Parameters
    ----------
    folders
        Run folders with `lags`; each keeps the lags, draws and seed that it was correlated with.
    alpha
        Error rate over all studies, pairs, lags and both tests.

    Returns
    -------
    Runs
        One row per tested pair of every study; how far studies that share an item and option differ.

    Raises
    ------
    CorrelateError
        If there are fewer than two, one was not correlated, or they drew different numbers of null draws.

    References
    ----------
    Westfall and Young (1993) for the family; Cochran (1954) and Higgins and Thompson (2002) for Q and I2, over
    Fisher's z with effective weeks. Studies of the same people are not independent: Q is then too small.
    """
    if len(folders) < 2:
        raise CorrelateError("one study is no comparison: name two run folders or more")
    parts = [_part(Path(folder), alpha) for folder in folders]
    names = tuple(Path(folder).name for folder in folders)
    if len(set(names)) < len(names):
        raise CorrelateError(f"two run folders have the same name ({', '.join(names)}), which names their study")
    if len({part["draws"] for part in parts}) > 1:
        raise CorrelateError("the studies have different numbers of null draws: set correlate.draws alike in all")
    own = [np.concatenate([part[kind].p.ravel() for part in parts]) for kind in ("moved", "level")]
    family = [_joint([part["moved"] for part in parts], False), _joint([part["level"] for part in parts], True)]
    value = [np.concatenate([part["moved"].statistic.ravel() for part in parts])]
    value.append(np.concatenate([part["level"].r.ravel() for part in parts]))
    settings = Correlate(alpha=alpha)
    joint = [tests(value[kind], own[kind], family[kind], settings) for kind in (0, 1)]
    rows = []
    results = [(name, result) for name, part in zip(names, parts, strict=True) for result in part["analysis"].tested]
    for (name, result), changes, levels in zip(results, *joint, strict=True):
        rows.append(
            {
                "study": name, "item": result.item, "option": result.option, "lag": result.lag, "r": result.r,
                "n_effective": result.n_effective, "changes_r": result.changes_r, "p_changes": changes.p,
                "p_levels": levels.p, "p_changes_family": changes.p_family, "p_levels_family": levels.p_family,
                "verdict": verdict(changes, levels, alpha), "verdict_alone": result.verdict,
            }
        )  # fmt: skip
    table = pl.DataFrame(rows)
    return Runs(names, table, _heterogeneity(table), table.height, alpha)


def _part(folder: Path, alpha: float) -> dict[str, Any]:
    """Return one study's tests, with their draws."""
    run = RunFolder(folder)
    manifest = read_manifest(run.lags)
    if manifest is None:
        raise CorrelateError(f"{run.lags} does not exist: run `ta correlate` in that study first")
    known = {name: value for name, value in manifest.config["correlate"].items() if name in Correlate.model_fields}
    settings = Correlate(**known)
    if settings.every_weeks > 1:
        raise CorrelateError(f"{folder}: studies with correlate.every_weeks are not tested as one family with others")
    pairs = align(
        pl.read_parquet(run.series_table), ADAPTERS, manifest.config["survey"]["source"],
        lags=(*settings.lags, *settings.shown_lags), exclude=settings.exclude, min_weeks=settings.min_weeks,
    )  # fmt: skip
    adjust = regressors(pairs.weeks, settings.adjust)
    rest: Pairs = without(pairs, adjust)
    lags = sorted(settings.lags)  # results come in this order
    return {
        "draws": settings.draws,
        "analysis": analyse(pairs, settings.model_copy(update={"alpha": alpha})),
        "moved": changes_of(rest, lags, settings, adjust),
        "level": levels_of(rest, lags, settings, adjust),
    }


def _joint(parts: Sequence[Any], of_levels: bool) -> Array:
    """Return p-values of all studies as one family, by the largest of all null draws."""
    observed = np.concatenate([(part.r if of_levels else part.statistic).ravel() for part in parts])
    drawn = np.concatenate([part.drawn.reshape(len(part.drawn), -1) for part in parts], axis=1)
    return multiplicity.max_t(*(multiplicity.studentised(observed, drawn) if of_levels else (observed, drawn)))


def _heterogeneity(table: pl.DataFrame) -> pl.DataFrame:
    rows = []
    for (item, option, lag), part in table.group_by("item", "option", "lag", maintain_order=True):
        weights = part["n_effective"].to_numpy() - 3
        if part.height < 2 or (weights <= 0).any():
            continue
        z = np.arctanh(np.clip(part["r"].to_numpy(), -0.999999, 0.999999))
        pooled = float((weights * z).sum() / weights.sum())
        q, df = float((weights * (z - pooled) ** 2).sum()), part.height - 1
        p, i2 = float(stats.chi2.sf(q, df)), max(0.0, 1 - df / q) if q else 0.0
        rows.append((item, option, lag, part.height, float(np.tanh(pooled)), q, df, p, i2))
    names = ["item", "option", "lag", "n_studies", "r", "q", "df", "p", "i2"]
    return pl.DataFrame(rows, schema=names, orient="row")
