"""Are the tests honest on what an instrument really answers? Answers of one world beside the survey of another.

    python benchmarks/placebo.py                        200 worlds of 60 weeks, counting true mood words
    python benchmarks/placebo.py --quick                60 worlds
    python benchmarks/placebo.py --first-seed 1         fresh worlds
    python benchmarks/placebo.py --runs runs/a runs/b   finished runs of several worlds, their adapters' series

Correlations should be centred on zero and p-values of both tests uniform. The last line is JSON: `equal` (mean r within
two standard errors of zero, Kolmogorov-Smirnov p at least .05 for both tests; with --quick only printed), `ratios` {}.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from temporal_adapters.proof.validate.placebo_worlds import counted, of_runs
from temporal_adapters.stages.trust import Unrelated
from temporal_adapters.study.artifacts import RunFolder
from temporal_adapters.study.config.simulate import Simulate


def describe(found: Unrelated) -> dict[str, float]:
    """Return the figures of the closing line."""
    return {
        "n": found.changes.n,
        "mean_r": round(found.mean_r, 4),
        "mean_r_se": round(found.mean_r_se, 4),
        "sd_r": round(float(found.r.std(ddof=1)), 4),
        "ks_changes": round(found.changes.distance, 4),
        "ks_p_changes": round(found.changes.p, 4),
        "ks_levels": round(found.levels.distance, 4),
        "ks_p_levels": round(found.levels.p, 4),
        "changes_at_5": float(np.mean(found.p_changes <= 0.05)),
        "levels_at_5": float(np.mean(found.p_levels <= 0.05)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--first-seed", type=int, default=1000)
    parser.add_argument("--worlds", type=int)
    parser.add_argument("--weeks", type=int, default=60)
    parser.add_argument("--posts", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=999)
    parser.add_argument("--runs", type=Path, nargs="+")
    parser.add_argument("--all-pairs", action="store_true", help="every run with every other: pairs share series")
    args = parser.parse_args()
    started = time.process_time()
    if args.runs:
        steps = range(1, len(args.runs)) if args.all_pairs else (1,)
        found = of_runs([RunFolder(folder) for folder in args.runs], steps=steps, draws=args.draws)
    else:
        worlds = args.worlds or (60 if args.quick else 200)
        knobs = {"n_weeks": args.weeks, "posts_per_week": args.posts, "spread": 0.8}
        seeds = range(args.first_seed, args.first_seed + worlds)
        found = counted(Simulate.model_validate(knobs), seeds, args.draws)
    figures = describe(found)
    for name, value in figures.items():
        print(f"{name:<14} {value:g}")
    held = abs(found.mean_r) <= 2 * found.mean_r_se and min(found.changes.p, found.levels.p) >= 0.05
    seconds = round(time.process_time() - started, 1)
    print(json.dumps({"equal": bool(held or args.quick), "ratios": {}, **figures, "cpu_s": seconds}))


if __name__ == "__main__":
    main()
