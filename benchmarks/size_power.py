"""Error rates and power of the tests, measured: how often unrelated series are called related, related ones found.

    python benchmarks/size_power.py            all cells, 4,000 draws each (about 11 minutes of CPU)
    python benchmarks/size_power.py --quick    1,500 draws, fewer cells, no judgement (under 3 minutes)

Every cell draws worlds from a seed of its own (``--seed`` moves them all). The table goes to standard output in
Markdown; the last line is JSON with the goals and whether they hold.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from temporal_adapters.engines.significance import effective, processes
from temporal_adapters.engines.significance.autoregression import Array
from temporal_adapters.engines.significance.changes import changes
from temporal_adapters.engines.significance.levels import levels
from temporal_adapters.engines.significance.pairs import pearson
from temporal_adapters.engines.significance.regularities import held_weeks
from temporal_adapters.engines.significance.whitening import whiten
from temporal_adapters.stages.correlate.calendar import ALWAYS, regressors

SEED = 20250917
"""Seed of the published table; the methods were settled on other seeds."""

LAGS = tuple(range(-4, 5))
SIZES = (34, 40, 60, 100)
PERSISTENCE = (0.0, 0.5, 0.8, 0.9)
NULL_DRAWS_D = 1999
NULL_DRAWS_L = 999
CHUNK = 100
LEAST_DRAWS = 2000
"""Worlds per cell below which goals are not judged."""


@dataclass(frozen=True)
class Rates:
    """Share of worlds called significant at 1 % and 5 %."""

    one: float
    five: float

    @classmethod
    def of(cls, p: Array) -> Rates:
        """Return the rates of these p-values."""
        return cls(float((p <= 0.01).mean()), float((p <= 0.05).mean()))


def p_of_d(x: Array, y: Array, lags: Sequence[int], seed: Sequence[int], adjust: Array | None = None) -> Array:
    """Return each world's family-wise p over its lags by test D."""
    found = []
    for start in range(0, len(x), CHUNK):
        here = slice(start, start + CHUNK)
        moved = changes(x[here], y[here], lags, draws=NULL_DRAWS_D, seed=[*seed, start], adjust=adjust)
        found.append(moved.p_over_lags.min(axis=-1))
    return np.concatenate(found)


def p_of_l(x: Array, y: Array, lags: Sequence[int], seed: Sequence[int], adjust: Array | None = None) -> Array:
    """Return each world's family-wise p over its lags by test L."""
    found = []
    for start in range(0, len(x), CHUNK):
        here = slice(start, start + CHUNK)
        how: dict[str, Any] = {"draws": NULL_DRAWS_L, "joint": False, "adjust": adjust}
        level = levels(x[here], y[here], lags, seed=[*seed, start], **how)
        found.append(level.p_over_lags.min(axis=-1))
    return np.concatenate(found)


def pearson_p(x: Array, y: Array) -> Array:
    return effective.t_test(pearson(x, y), np.full(len(x), float(x.shape[1])))


def smoothed_p(x: Array, y: Array) -> Array:
    """Return the published procedure's p: Pearson on 3-week means, as if weeks were independent."""
    smooth = [(side[:, 2:] + side[:, 1:-1] + side[:, :-2]) / 3 for side in (x, y)]
    return pearson_p(smooth[0], smooth[1])


def coverage(x: Array, y: Array, truth: float) -> tuple[float, float]:
    """Return how often the 95 % interval holds the truth: with effective and with plain weeks."""
    r = pearson(x, y)
    found = []
    for n in (effective.effective_weeks(x, y), np.full(len(x), float(x.shape[1]))):
        low, high = effective.fisher_interval(r, n)
        found.append(float(((low <= truth) & (truth <= high)).mean()))
    return found[0], found[1]


def joint_family(rng: np.random.Generator, m: int, n: int, questions: int, seed: Sequence[int]) -> tuple[Rates, Rates]:
    """Return the family-wise error of 12 questions x 9 lags (persistence from 0 to .9), D and L by max-T."""
    phis = np.resize(PERSISTENCE, questions)
    worlds_d, worlds_l = [], []
    for world in range(m):
        sides = [np.vstack([processes.ar1(rng.standard_normal((1, n)), phi) for phi in phis]) for _ in range(2)]
        worlds_d.append(changes(*sides, LAGS, draws=NULL_DRAWS_L, seed=[*seed, world]).p_family.min())
        worlds_l.append(levels(*sides, LAGS, draws=499, seed=[*seed, world, 1]).p_family.min())
    return Rates.of(np.array(worlds_d)), Rates.of(np.array(worlds_l))


class Table:
    """Rows of the table and goals, printed as they are found."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.goals: dict[str, bool] = {}
        self.keys: dict[str, float] = {}

    def head(self, title: str, columns: str) -> None:
        """Print a title and the head of a table."""
        print(f"\n{title}\n\n| {columns} |\n|{'---|' * (columns.count('|') + 1)}")

    def row(self, *cells: Any, **record: Any) -> None:
        """Print one row and keep its record."""
        shown = [f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells]
        print(f"| {' | '.join(shown)} |", flush=True)
        self.rows.append(record)

    def goal(self, name: str, held: bool) -> None:
        """Note whether a goal holds in one more cell."""
        self.goals[name] = self.goals.get(name, True) and bool(held)


def null_cells(table: Table, args: argparse.Namespace, sizes: Sequence[int], phis: Sequence[float]) -> None:
    table.head(
        "Independent AR(1) pairs: share called significant",
        "n | phi | D 1 % | D 5 % | D, lags -4..4, 1 % | 5 % | L 1 % | L 5 % | L, lags, 1 % | 5 %"
        " | CI coverage | plain CI | Pearson 1 % | 3-week means 1 %",
    )
    for n in sizes:
        for phi in phis:
            seed = [args.seed, 1, n, round(100 * phi)]
            x, y = processes.independent(np.random.default_rng(seed), args.draws, n, phi)
            d, d_lags = Rates.of(p_of_d(x, y, [0], seed)), Rates.of(p_of_d(x, y, LAGS, seed))
            part = slice(0, args.level_draws)
            level, l_lags = (Rates.of(p_of_l(x[part], y[part], lags, seed)) for lags in ([0], LAGS))
            held, plain = coverage(x, y, 0.0)
            naive, smooth = Rates.of(pearson_p(x, y)).one, Rates.of(smoothed_p(x, y)).one
            cells = (d.one, d.five, d_lags.one, d_lags.five, level.one, level.five, l_lags.one, l_lags.five)
            table.row(n, phi, *cells, held, plain, naive, smooth, cell="null", n=n, phi=phi, d=d.one)
            table.goal("D size 1 % in [.005, .02]", all(0.005 <= rate.one <= 0.02 for rate in (d, d_lags)))
            table.goal("D size 5 % in [.035, .07]", all(0.035 <= rate.five <= 0.07 for rate in (d, d_lags)))
            table.goal("L size 1 % <= .02", max(level.one, l_lags.one) <= 0.02)
            table.goal("CI coverage in [.89, .97]", 0.89 <= held <= 0.97)


def shared_cells(table: Table, args: argparse.Namespace, sizes: Sequence[int]) -> None:
    table.head(
        "Series that share something else than weekly movement: share called significant at 1 %",
        "process | n | D | D, lags -4..4 | L | Pearson | 3-week means",
    )
    limits = {"common trend": 0.03, "common step": 0.04}
    for place, (name, process) in enumerate(processes.SHARED.items()):
        for n in sizes:
            seed = [args.seed, 2, n, place]
            x, y = process(np.random.default_rng(seed), args.draws, n)
            d, d_lags = Rates.of(p_of_d(x, y, [0], seed)), Rates.of(p_of_d(x, y, LAGS, seed))
            part = slice(0, args.level_draws)
            level = Rates.of(p_of_l(x[part], y[part], [0], seed))
            naive, smooth = Rates.of(pearson_p(x, y)).one, Rates.of(smoothed_p(x, y)).one
            table.row(name, n, d.one, d_lags.one, level.one, naive, smooth, cell=name, n=n, d=d.one)
            limit = limits.get(name.split(",")[0], 0.025)
            table.goal(f"D size 1 % <= {limit} under {name}", max(d.one, d_lags.one) <= limit)


def power_cells(table: Table, args: argparse.Namespace, sizes: Sequence[int]) -> None:
    table.head(
        "Pairs with correlated innovations: share found at p < .01 (lag 0, one test), and coverage of the interval",
        "r | phi | n | D | L | D at lags -4..4 | CI coverage | plain CI",
    )
    least = {40: 0.52, 60: 0.80, 100: 0.95}
    for r in (0.3, 0.5, 0.7):
        for phi in (0.5, 0.8):
            for n in sizes:
                seed = [args.seed, 3, n, round(100 * phi), round(100 * r)]
                x, y = processes.correlated(np.random.default_rng(seed), args.draws, n, (phi, phi), r)
                d, d_lags = Rates.of(p_of_d(x, y, [0], seed)).one, Rates.of(p_of_d(x, y, LAGS, seed)).one
                part = slice(0, args.level_draws)
                level = Rates.of(p_of_l(x[part], y[part], [0], seed)).one
                held, plain = coverage(x, y, r)
                table.row(r, phi, n, d, level, d_lags, held, plain, cell="power", r=r, phi=phi, n=n, d=d)
                table.goal("CI coverage in [.89, .97]", 0.89 <= held <= 0.97)
                if r == 0.5 and n in least:
                    table.goal(f"D power at r .5, n {n} >= {least[n]}", d >= least[n])


def gaps(rng: np.random.Generator, pair: tuple[Array, Array], missing: float) -> list[Array]:
    """Return both series with a share of their weeks missing at random."""
    return [np.where(rng.random(side.shape) < missing, np.nan, side) for side in pair]


def gap_cells(table: Table, args: argparse.Namespace) -> None:
    table.head(
        "Weeks missing on both sides at random (n 60, phi .7): share called significant",
        "missing | D 1 %, r 0 | D 5 %, r 0 | D 1 %, r .5 | D 5 %, r .5 | of the power without gaps (5 %)",
    )
    whole = 1.0
    for missing in (0.0, 0.15) if args.quick else (0.0, 0.05, 0.15, 0.25):
        found = []
        for r in (0.0, 0.5):
            seed = [args.seed, 5, round(100 * missing), round(100 * r)]
            rng = np.random.default_rng(seed)
            pair = gaps(rng, processes.correlated(rng, args.draws, 60, (0.7, 0.7), r), missing)
            found.append(Rates.of(p_of_d(*pair, [0], seed)))
        whole = found[1].five if missing == 0 else whole
        share = found[1].five / whole
        cells = (found[0].one, found[0].five, found[1].one, found[1].five, share)
        table.row(missing, *cells, cell="gaps", missing=missing, d=found[0].one, power=found[1].five)
        table.goal("D size 1 % in [.005, .02] with gaps", 0.005 <= found[0].one <= 0.02)
        if missing == 0.15:
            table.keys["power_gap_15_over_full"] = round(share, 3)
            table.goal("power with 15 % missing >= .85 of the power without", share >= 0.85)


def calendar_cells(table: Table, args: argparse.Namespace, sizes: Sequence[int]) -> None:
    table.head(
        "Independent series (phi .3) with one calendar, raw and with it removed: share significant, and power",
        "calendar | n | D 1 % raw | D 5 % raw | D 1 % | D 5 % | L 5 % raw | L 5 % | D 1 %, r .5, raw | D 1 %, r .5",
    )
    for name in ("annual", "four-week"):
        for n in sizes:
            seed = [args.seed, 6, n, len(name)]
            weeks = tuple(date(2020, 1, 6) + timedelta(weeks=week) for week in range(n))
            taken, wave = regressors(weeks, ALWAYS), calendar_of(name, n)
            found = {}
            for r in (0.0, 0.5):
                pair = processes.correlated(np.random.default_rng([*seed, round(r * 10)]), args.draws, n, (0.3, 0.3), r)
                x, y = (side + (wave if r == 0 else 0.0) for side in pair)
                found[r] = [Rates.of(p_of_d(x, y, [0], seed, adjust)) for adjust in (None, taken)]
                if r == 0:
                    part = slice(0, args.level_draws)
                    level = [Rates.of(p_of_l(x[part], y[part], [0], seed, adjust)).five for adjust in (None, taken)]
            raw, left = found[0.0]
            powers = [rate.one for rate in found[0.5]]
            table.row(name, n, raw.one, raw.five, left.one, left.five, *level, *powers, cell=name, n=n, d=left.one)
            table.goal("D size 1 % in [.005, .02] with the calendar removed", 0.005 <= left.one <= 0.02)
            table.keys[f"d_{name.replace('-', '_')}"] = max(left.one, table.keys.get(f"d_{name.replace('-', '_')}", 0))


def calendar_of(name: str, n: int) -> Array:
    """Return a shared calendar: a yearly cosine of 2 SD, or a payday every four weeks of 2 SD."""
    spread = 1 / np.sqrt(1 - 0.3**2)
    week = np.arange(n)
    if name == "annual":
        return np.asarray(2 * np.sqrt(2) * spread * np.cos(2 * np.pi * week * 7 / 365.2425))
    return np.asarray(2 * spread * (week % 4 == 0))


def held_cells(table: Table, args: argparse.Namespace) -> None:
    table.head(
        "Values held over four weeks on both sides: share that is neither refused nor non-significant at 1 %",
        "n | D 1 % if nobody looked | refused | passed",
    )
    for n in (60, 100):
        seed = [args.seed, 7, n]
        rng = np.random.default_rng(seed)
        x, y = (np.repeat(side, 4, axis=1)[:, :n] for side in processes.independent(rng, args.draws, n // 4 + 1, 0.5))
        p = p_of_d(x, y, [0], seed)
        refused = np.array([min(held_weeks(a), held_weeks(b)) > 1 for a, b in zip(x, y, strict=True)])
        passed = float(((p <= 0.01) & ~refused).mean())
        table.row(n, float((p <= 0.01).mean()), float(refused.mean()), passed, cell="held", n=n, d=passed)
        table.keys["d_held"] = max(passed, table.keys.get("d_held", 0.0))
        table.goal("held values refused or not significant", passed <= 0.01)


def short_cells(table: Table, args: argparse.Namespace) -> None:
    table.head("Short independent series", "n | phi | D 1 % | D 5 % | series whose order is raised")
    for n in (16, 20, 24, 25, 30):
        for phi in (0.0, 0.7):
            seed = [args.seed, 8, n, round(100 * phi)]
            x, y = processes.independent(np.random.default_rng(seed), args.draws, n, phi)
            d, raised = Rates.of(p_of_d(x, y, [0], seed)), float(whiten(x).raised.mean())
            table.row(n, phi, d.one, d.five, raised, cell="short", n=n, d=d.one)
            table.goal("D size 1 % in [.005, .02] in short series", 0.003 <= d.one <= 0.02)


def both_cells(table: Table, args: argparse.Namespace, sizes: Sequence[int]) -> None:
    table.head(
        "Any verdict at .05 over both tests of independent pairs, and verdicts of related ones (r .5, phi .7)",
        "n | each at .05 | one at .025 (ours) | level each that gives .05 | found, r .5: ours | at that level | tracks",
    )
    for n in sizes:
        p = {}
        for r in (0.0, 0.5):
            seed = [args.seed, 9, n, round(10 * r)]
            x, y = processes.correlated(np.random.default_rng(seed), args.level_draws, n, (0.7, 0.7), r)
            p[r] = np.stack([p_of_d(x, y, [0], seed), p_of_l(x, y, [0], seed)])
        least = {r: both.min(axis=0) for r, both in p.items()}
        exact = float(np.quantile(least[0.0], 0.05))
        tracks = float(((least[0.5] <= 0.025) & (p[0.5].max(axis=0) <= 0.05)).mean())
        rates = [float((least[0.0] <= level).mean()) for level in (0.05, 0.025)]
        found = [float((least[0.5] <= level).mean()) for level in (0.025, exact)]
        table.row(n, *rates, exact, *found, tracks, cell="both", n=n, any=rates[1])
        table.goal("any verdict of unrelated pairs <= .06 at .05", rates[1] <= 0.06)


def family_cells(table: Table, args: argparse.Namespace, sizes: Sequence[int]) -> None:
    table.head(
        "Family of 12 questions x 9 lags, no relation anywhere: share of studies with any finding",
        "n | studies | D 1 % | D 5 % | L 1 % | L 5 %",
    )
    limits = {34: 0.095, 100: 0.085}
    for n in sizes:
        seed = [args.seed, 4, n]
        d, level = joint_family(np.random.default_rng(seed), args.families, n, 12, seed)
        table.row(n, args.families, d.one, d.five, level.one, level.five, cell="family", n=n, d=d.five)
        if n in limits:
            table.goal(f"family 12 x 9 at 5 % <= {limits[n]} (n {n})", d.five <= limits[n])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--draws", type=int)
    parser.add_argument("--level-draws", type=int)
    parser.add_argument("--families", type=int)
    parser.add_argument(
        "--only", choices=("null", "shared", "power", "gaps", "calendar", "held", "short", "both", "family")
    )
    args = parser.parse_args()
    args.draws = args.draws or (1500 if args.quick else 4000)
    args.level_draws = args.level_draws or (300 if args.quick else 2000)
    args.families = args.families or (30 if args.quick else 2000)
    started = time.process_time()
    table = Table()
    sizes: Sequence[int] = (34, 60) if args.quick else SIZES
    if args.only in (None, "null"):
        null_cells(table, args, sizes, (0.0, 0.9) if args.quick else PERSISTENCE)
    if args.only in (None, "shared"):
        shared_cells(table, args, (60,) if args.quick else (40, 60, 100))
    if args.only in (None, "power"):
        power_cells(table, args, (60,) if args.quick else (40, 60, 100))
    if args.only in (None, "gaps"):
        gap_cells(table, args)
    if args.only in (None, "calendar"):
        calendar_cells(table, args, (60,) if args.quick else (34, 60, 100))
    if args.only in (None, "held"):
        held_cells(table, args)
    if args.only in (None, "short"):
        short_cells(table, args)
    if args.only in (None, "both"):
        both_cells(table, args, (60,) if args.quick else (34, 60, 100))
    if args.only in (None, "family"):
        family_cells(table, args, (34,) if args.quick else (34, 100))
    seconds = round(time.process_time() - started, 1)
    keys = {"draws": args.draws, "level_draws": args.level_draws, "families": args.families, "seed": args.seed}
    judged = args.draws >= LEAST_DRAWS  # with fewer worlds a rate's own error is as wide as the goals
    goals, held = (table.goals, all(table.goals.values())) if judged else ({}, None)
    keys |= {name: round(value, 4) for name, value in table.keys.items()}
    print(json.dumps({"equal": True, "quick": args.quick, **keys, "cpu_s": seconds, "goals": goals, "held": held}))


if __name__ == "__main__":
    main()
