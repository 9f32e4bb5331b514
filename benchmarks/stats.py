"""How fast the tests are, against a loop over pairs that does the same one by one.

    python benchmarks/stats.py            12 questions x 9 lags and 40 questions x 150 weeks, 9,999 draws
    python benchmarks/stats.py --quick    fewer repeats (under 45 s)

`loop_over_whole` is the plain loop, which does test D alone, over our whole analysis (D, L, sensitivity, heaviest
weeks, calendar, stationarity) of the same pairs, in one run.

Equality first: the loop's p-values must be those of the matrix product before any time is printed. Times are process
CPU seconds (set OMP_NUM_THREADS=1), medians and minima over repeats, loop and ours interleaved.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from datetime import date, timedelta

import numpy as np

from temporal_adapters.engines.significance.autoregression import Array
from temporal_adapters.engines.significance.changes import changes
from temporal_adapters.stages.correlate.analysis import analyse
from temporal_adapters.stages.correlate.pairs import Pairs
from temporal_adapters.study.config.correlate import Correlate

LAGS = tuple(range(-4, 5))
DRAWS = 9999
GOAL_12X9_S, GOAL_40X150_S = 1.0, 10.0


def made_up(questions: int, weeks: int, seed: int) -> Pairs:
    rng = np.random.default_rng(seed)
    model = np.cumsum(rng.standard_normal((questions, weeks)), axis=1) + rng.standard_normal((questions, weeks))
    survey = 0.5 * model + np.cumsum(rng.standard_normal((questions, weeks)), axis=1)
    names = tuple(("mood", f"option {question:02d}") for question in range(questions))
    first = date(2020, 1, 6)
    return Pairs(names, tuple(first + timedelta(weeks=week) for week in range(weeks)), model, survey)


def loop(pairs: Pairs, draws: int, seed: int, by_draw: bool = False) -> Array:
    """Return test D's p-values pair by pair and lag by lag; draws at once, or one by one as plain scripts do."""
    found = np.empty((len(pairs.names), len(LAGS)))
    for question in range(len(pairs.names)):
        for place, lag in enumerate(LAGS):
            pair = changes(pairs.model[question], pairs.survey[question], [lag], draws=draws, seed=seed)
            terms = np.nan_to_num(pair.terms[0, 0])
            least = abs(terms.sum()) - 1e-9 * np.sqrt((terms**2).sum())
            if by_draw:
                count = sum(abs((row * terms).sum()) >= least for row in pair.signs)
            else:
                count = int((np.abs(pair.signs @ terms) >= least).sum())
            found[question, place] = (1 + count) / (draws + 1)
    return found


def ours(pairs: Pairs, draws: int, seed: int) -> Array:
    """Return the same p-values for all pairs and lags at once."""
    return changes(pairs.model, pairs.survey, LAGS, draws=draws, seed=seed).p


def cpu_s(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    repeats = 3 if quick else 7
    small, large = made_up(12, 60, 1), made_up(40, 150, 2)
    expected = ours(small, 199, 3)
    equal = all(np.array_equal(loop(small, 199, 3, by_draw), expected) for by_draw in (False, True))
    if not equal:
        print(json.dumps({"equal": False}))
        raise SystemExit(1)
    n_plain = 1000 if quick else DRAWS
    loop_s, ours_s, whole_s, plain_s = [], [], [], []
    settings = Correlate(lags=LAGS, draws=DRAWS)
    for _ in range(repeats):
        ours_s.append(cpu_s(lambda: ours(small, DRAWS, 4)))
        whole_s.append(cpu_s(lambda: analyse(small, settings)))
        loop_s.append(cpu_s(lambda: loop(small, DRAWS, 4)))
        if len(plain_s) < (1 if quick else 3):
            plain_s.append(cpu_s(lambda: loop(small, n_plain, 4, by_draw=True)) * DRAWS / n_plain)
    large_s = [cpu_s(lambda: analyse(large, settings)) for _ in range(1 if quick else 3)]
    middle = {name: statistics.median(times) for name, times in (("loop", loop_s), ("plain", plain_s), ("d", ours_s))}
    ratios = {"loop_over_ours": middle["loop"] / middle["d"], "draw_by_draw_over_ours": middle["plain"] / middle["d"]}
    ratios["loop_over_whole"] = statistics.median(a / b for a, b in zip(loop_s, whole_s, strict=True))
    ratios = {name: round(ratio, 1) for name, ratio in ratios.items()}
    found = {
        "equal": equal,
        "quick": quick,
        "load": round(os.getloadavg()[0], 1),
        "ratios": ratios,
        **ratios,
        "seconds_d": round(middle["d"], 4),
        "seconds_loop": round(middle["loop"], 3),
        "seconds_12x9": round(statistics.median(whole_s), 3),
        "seconds_12x9_min": round(min(whole_s), 3),
        "seconds_40x9_150_weeks": round(statistics.median(large_s), 2),
        "goals": {
            f"12 x 9 x {DRAWS} under {GOAL_12X9_S:g} s": statistics.median(whole_s) < GOAL_12X9_S,
            f"40 x 9 x {DRAWS}, 150 weeks under {GOAL_40X150_S:g} s": statistics.median(large_s) < GOAL_40X150_S,
        },
    }
    print(f"tests D and L and all beside them, 12 questions x 9 lags x {DRAWS} draws: {found['seconds_12x9']} s")
    print(f"the same, 40 questions, 150 weeks: {found['seconds_40x9_150_weeks']} s")
    print(f"test D alone: {found['seconds_d']} s; a loop over pairs and lags {found['seconds_loop']} s")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
