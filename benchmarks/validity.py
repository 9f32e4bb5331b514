"""How good the instrument is, on worlds whose truth is known.

    python benchmarks/validity.py [--quick] [--kinds demo,twisted,half] [--seeds 1,2,3] [--references ...] [--runs DIR]

Every world is made, split, trained, asked and measured as `ta validate` does, with the shipped study `demo`; what is
complete in the folder of runs is kept, so that a killed run goes on. Kinds of worlds:

demo      as `ta demo`, another seed
twisted   30 % of the mood posts negate a word of the opposite mood or use it ironically, half each
half      half the posts per week

Checked first: the counted ceiling against plain Python, and the study's r against NumPy, both from the files. Printed:
means over options of every method, mean and standard deviation over worlds. The last line is one JSON line; its
ratios are efficiencies: mean r of a method over that of counting the true mood words in the same posts. Recipes were
chosen on seeds 1000 to 1999 (see LOG.md): evidence needs others.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from temporal_adapters.cli.validate import listed
from temporal_adapters.ground.tables import ADAPTERS
from temporal_adapters.proof import validate
from temporal_adapters.study.artifacts import RunFolder, read_corpora
from temporal_adapters.study.config import load_study
from temporal_adapters.worlds.language import MOODS

KINDS: Mapping[str, tuple[str, ...]] = {
    "demo": (),
    "twisted": ("simulate.negation_share=0.15", "simulate.irony_share=0.15"),
    "half": ("simulate.posts_per_week=500",),
}
QUICK = ("simulate.n_weeks=10", "simulate.posts_per_week=300", "simulate.gap_weeks=[]", "train.epochs=1")
SHOWN = ("r", "r_changes", "spearman", "rmse", "lag_error", "coverage", "coverage_survey", "coverage_naive")


def table(kind: str, seed: int, runs: Path, overrides: Sequence[str]) -> tuple[dict[str, Any], bool]:
    """Return the result of one world, and whether the checks hold."""
    settings = [f"study={kind}-{seed}", f"simulate.seed={seed}", *KINDS[kind], *overrides]
    study = load_study("demo", runs, settings)
    run = RunFolder(runs / study.study)
    found = validate.world_table(study, run).values()
    return found, _counts_agree(run) and _correlations_agree(run, found)


def _counts_agree(run: RunFolder) -> bool:
    """Compare the counted shares of one week with plain Python: words found by splitting, not by a pattern."""
    from temporal_adapters.worlds.recovery import count_moods

    corpus = read_corpora(run)[0]
    counts = dict.fromkeys(MOODS, 0)
    for text in pl.read_parquet(corpus.path)["text"].to_list():
        letters = "".join(sign if sign.isalnum() or sign == "_" else " " for sign in text.lower())
        words = f" {' '.join(letters.split())} "
        for mood, forms in MOODS.items():
            counts[mood] += any(f" {form.lower()} " in words for form in forms)
    ours = count_moods({corpus.start: corpus.path})
    return {row["option"]: row["n"] for row in ours.iter_rows(named=True)} == counts


def _correlations_agree(run: RunFolder, found: Mapping[str, Any]) -> bool:
    """Compare the mean r of the study with NumPy on the published tables."""
    series = pl.read_parquet(run.series / "series.parquet").filter(pl.col("source") == ADAPTERS)
    joined = series.join(pl.read_parquet(run.world / "truth.parquet"), on=["week", "option"])
    r = [np.corrcoef(rows["value"], rows["mood"])[0, 1] for _, rows in joined.group_by("option")]
    return bool(abs(np.mean(r) - found["methods"]["study"]["mean"]["r"]) < 1e-3)


def show(kind: str, worlds: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Print one kind's methods, mean and standard deviation over worlds; return their efficiencies."""
    print(f"\n{kind}: {len(worlds)} worlds, {worlds[0]['n_weeks']} weeks")
    print("| method | " + " | ".join((*SHOWN, "efficiency")) + " |")
    print("|---" * (len(SHOWN) + 2) + "|")
    efficiency = {}
    for method in worlds[0]["methods"]:
        rows = [world["methods"][method] for world in worlds if method in world["methods"]]
        cells = [_cell([row["mean"][name] for row in rows]) for name in SHOWN]
        print(f"| {method} | " + " | ".join([*cells, _cell([row["efficiency"] for row in rows])]) + " |")
        efficiency[method] = statistics.fmean(row["efficiency"] for row in rows)
    return efficiency


def _cell(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    spread = f" ± {statistics.stdev(known):.3f}" if len(known) > 1 else ""
    return f"{statistics.fmean(known):.3f}{spread}"


def main() -> None:
    """Make the worlds and print their tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="one small world on a tuning seed: shows that it runs")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--references", default="lexicon,classifier", help="as in `ta validate`")
    parser.add_argument("--runs", type=Path, help="keep the runs here; without it they are thrown away")
    parser.add_argument("--set", action="append", default=[], help="section.key=value")
    given = parser.parse_args()
    kinds, seeds = given.kinds.split(","), [int(seed) for seed in given.seeds.split(",")]
    overrides = [f"validate.references={listed(given.references)}", *given.set]
    if given.quick:
        kinds, seeds, overrides = ["demo"], [1999], [*overrides, *QUICK]
    ratios: dict[str, float] = {}
    equal = True
    with tempfile.TemporaryDirectory() as temporary:
        for kind in kinds:
            worlds = []
            for seed in seeds:
                start = time.process_time()
                found, agrees = table(kind, seed, given.runs or Path(temporary), overrides)
                equal &= agrees
                worlds.append(found)
                r = found["methods"]["study"]["mean"]["r"]
                print(f"{kind} {seed}: r {r:.3f}, checks {agrees}, {time.process_time() - start:.0f} s CPU", flush=True)
            for method, efficiency in show(kind, worlds).items():
                ratios[f"{kind} {method}"] = round(efficiency, 4)
    print(json.dumps({"equal": equal, "ratios": ratios if equal else {}}))


if __name__ == "__main__":
    main()
