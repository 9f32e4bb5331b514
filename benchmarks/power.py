"""Does `ta power` foretell what happens? Its prediction beside brute force, on worlds whose counting is cheap.

    python benchmarks/power.py                 three settings, 400 worlds each, and the saturation of posts by users
    python benchmarks/power.py --quick         60 worlds, no saturation (under 45 s)
    python benchmarks/power.py --first-seed 1  fresh worlds

The noise is measured on ONE long world (seed: first seed + 900): variance components over seeds and wordings of a
counting estimator with noise of its own, split halves of its users and of its posts, the survey's n. From that,
power is predicted by formula and by simulation; brute force then draws worlds (seeds from the first seed on), counts,
tests one option of each by D and L, and counts what was found. The last line is JSON: `equal` (counts are those of
brute-force sums over users, and all differences are at most 0.1), `ratios` {} and `differences` by setting.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from temporal_adapters.engines.significance import effective, effort, power
from temporal_adapters.engines.significance.autoregression import Array
from temporal_adapters.engines.significance.changes import changes
from temporal_adapters.engines.significance.levels import levels
from temporal_adapters.stages.trust import Components, Halves, components, noise, sampling_reliability
from temporal_adapters.study.config.simulate import Simulate
from temporal_adapters.worlds import counts
from temporal_adapters.worlds.language import MOODS
from temporal_adapters.worlds.world import populate

KNOBS: dict[str, Any] = {
    "gap_weeks": (), "spread": 0.15, "n_users": 400, "user_spread": 1.0, "attrition": 0.001, "n_respondents": 1500,
}  # fmt: skip
"""A world that is hard enough: moods move by 0.15 log-odds."""

SETTINGS = ((40, 300), (60, 800), (100, 300))
"""Weeks and posts per week of the studies whose power is foretold."""

SEED_NOISE, WORDING_NOISE = 0.006, 0.004
"""Standard deviations, in shares, by which one seed and one wording of the counting estimator err in a week."""

ALPHA = 0.05
DRAWS = 499
FACTORS = ("week", "half", "seed", "wording")


def answers(shares: Array, seeds: int, wordings: int, rng: np.random.Generator) -> Array:
    """Return the answers (weeks, seeds, wordings, moods) of an estimator that counts, with noise of its own."""
    n, k = shares.shape
    by_seed = SEED_NOISE * rng.standard_normal((n, seeds, 1, k))
    by_wording = WORDING_NOISE * rng.standard_normal((n, 1, wordings, k))
    return shares[:, None, None] + by_seed + by_wording


def expected_of_world(world: Simulate) -> Array:
    """Return the expected counts of a world by the obvious sum, to be compared with the fast one."""
    people = populate(world)
    rates = np.stack(
        [(people.activity * (people.last_week >= t)) @ people.mood_probabilities(t) for t in range(world.n_weeks)]
    )
    return rates * (1 - world.repost_share - world.duplicate_share - world.other_language_share) * world.mood_share


def measure(
    seed: int, weeks: int, posts: int, seeds: int = 3, wordings: int = 3
) -> tuple[effort.Question, dict[str, float]]:
    """Return what one long world says about noise, as a finished study would."""
    world = Simulate.model_validate({**KNOBS, "seed": seed, "n_weeks": weeks, "posts_per_week": posts})
    people, rng = populate(world), np.random.default_rng([seed, 7])
    seen = counts.count_world(world)
    first, rates = rng.random(world.n_users) < 0.5, counts.expected_posts(world, people)
    parts = {
        "users": [counts.expected_posts(world, people, users) for users in (first, ~first)],
        "posts": [rates / 2, rates / 2],
    }
    sides = {
        by: np.stack(
            [
                answers(counts.over_sum(counts.draw_posts(world, r, 1 + i)), seeds, wordings, rng)
                for i, r in enumerate(rs)
            ],
            axis=1,
        )
        for by, rs in parts.items()
    }
    whole = answers(seen.shares, seeds, wordings, rng)
    there = float(np.mean([(people.last_week >= t).mean() for t in range(weeks)]))
    size = (posts * there / 2, world.n_users * there / 2)
    own = effort.Effort(weeks, 2 * size[0], 2 * size[1], seeds, wordings, world.n_respondents)
    found, persistence, r = [], [], []
    for mood in range(len(MOODS)):
        survey = seen.survey[:, mood]
        reliability = sampling_reliability(survey, np.sqrt(survey * (1 - survey) / world.n_respondents))
        halves = [Halves(components(sides[by][..., mood], FACTORS), *size) for by in ("users", "posts")]
        one = noise(components(whole[..., mood]), halves[0], halves[1], reliability, world.n_respondents)
        found.append(one)
        persistence.append(effective.autocorrelation(survey[None], 1)[0, 0] / reliability)
        ceiling = np.sqrt(one.reliability_model(own) * reliability)
        r.append(np.corrcoef(whole[..., mood].mean(axis=(1, 2)), survey)[0, 1] / ceiling)
    question = effort.Question(tuple(found), min(float(np.median(r)), 0.99), float(np.median(persistence)), alpha=ALPHA)
    signal = [max(one.signal, 1e-12) for one in found]
    facts = {"r": question.r, "persistence": question.persistence}
    for part in ("posts", "users", "seeds", "wordings"):
        facts[f"{part} over signal"] = float(
            np.median([getattr(one, part) / s for one, s in zip(found, signal, strict=True)])
        )
    return question, facts


def brute_force(first_seed: int, worlds: int, weeks: int, posts: int) -> dict[str, float]:
    """Return the share of worlds in which one option (another one in each world) is found."""
    x, y = [], []
    for place in range(worlds):
        knobs = {**KNOBS, "seed": first_seed + place, "n_weeks": weeks, "posts_per_week": posts}
        seen, mood = counts.count_world(Simulate.model_validate(knobs)), place % len(MOODS)
        rng = np.random.default_rng([first_seed + place, 8])
        x.append(answers(seen.shares, 1, 1, rng)[:, 0, 0, mood])
        y.append(seen.survey[:, mood])
    first, second = np.array(x), np.array(y)
    moved = changes(first, second, draws=DRAWS, seed=[first_seed, 1])
    level = levels(first, second, draws=DRAWS, seed=[first_seed, 2], joint=False)
    return {"dynamics": float((moved.p <= ALPHA).mean()), "level": float((level.p <= ALPHA).mean())}


def compare(
    question: effort.Question, first_seed: int, worlds: int, settings: Sequence[tuple[int, int]]
) -> dict[str, Any]:
    """Return, by setting, what was foretold, what happened, and the largest difference."""
    found = {}
    print("\n| weeks | posts | test | formula | simulated | brute force |\n|---|---|---|---|---|---|")
    for weeks, posts in settings:
        plan = effort.Effort(weeks, posts, KNOBS["n_users"], 1, 1, KNOBS["n_respondents"])
        formula, simulated = question.power(plan), power.simulated(question.design(plan), 1000, first_seed + 1)
        happened = brute_force(first_seed, worlds, weeks, posts)
        for test in ("dynamics", "level"):
            cells = (formula[test], simulated[test], happened[test])
            print(f"| {weeks} | {posts} | {test} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |", flush=True)
            key = f"{weeks} weeks, {posts} posts, {test}"
            found[key] = {"formula": round(formula[test] - happened[test], 3),
                          "simulated": round(simulated[test] - happened[test], 3)}  # fmt: skip
    return found


SATURATION = {"gap_weeks": (), "spread": 0.3, "user_spread": 1.5, "attrition": 0.01, "n_weeks": 60}
"""A world in which users matter: they differ much, and a hundredth leaves every week."""


def public(seed: int) -> Array:
    """Return the moods of the public of which a world's panel is a part: many users, none of whom leaves."""
    knobs = {**SATURATION, "seed": seed, "n_users": 4000, "attrition": 0.0}
    world = Simulate.model_validate(knobs)
    return counts.over_sum(counts.expected_posts(world, populate(world)))


def saturation(first_seed: int, worlds: int) -> dict[str, float]:
    """Return predicted minus observed reliability for more posts of the same users, and for more users.

    Measured with 100 users and 1,000 posts a week, by halves of users and of posts; observed as the squared correlation
    with the public. Both are means over worlds and moods.
    """
    seeds = range(first_seed + 500, first_seed + 500 + worlds)
    base = _variances(seeds)
    truth = {seed: public(seed) for seed in seeds}
    found = {}
    print("\n| users | posts | predicted reliability | observed |\n|---|---|---|---|")
    for users, posts in ((100, 300), (100, 1000), (100, 10_000), (100, 100_000), (30, 100_000), (400, 100_000)):
        own = effort.Effort(60, posts, users)
        seen = [_squared_r(seed, users, posts, truth[seed]) for seed in seeds]
        predicted, observed = base.reliability_model(own), float(np.mean(seen))
        print(f"| {users} | {posts} | {predicted:.3f} | {observed:.3f} |", flush=True)
        found[f"{users} users, {posts} posts"] = round(float(predicted - observed), 3)
    return found


def _world(seed: int, users: int, posts: int) -> Simulate:
    return Simulate.model_validate({**SATURATION, "seed": seed, "n_users": users, "posts_per_week": posts})


def _squared_r(seed: int, users: int, posts: int, truth: Array) -> float:
    shares = counts.count_world(_world(seed, users, posts)).shares
    return float(np.mean([np.corrcoef(shares[:, k], truth[:, k])[0, 1] ** 2 for k in range(len(MOODS))]))


def _variances(seeds: Sequence[int]) -> effort.Noise:
    """Return the noise measured at 100 users and 1,000 posts, variances averaged over worlds and moods."""
    sums = {by: np.zeros(2) for by in ("users", "posts")}
    for seed in seeds:
        world = _world(seed, 100, 1000)
        people, rng = populate(world), np.random.default_rng([seed, 9])
        first, rates = rng.random(world.n_users) < 0.5, counts.expected_posts(world, people)
        parts = {"users": [counts.expected_posts(world, people, half) for half in (first, ~first)]}
        parts["posts"] = [rates / 2, rates / 2]
        for by, rs in parts.items():
            shares = np.stack([counts.over_sum(counts.draw_posts(world, r, 1 + i)) for i, r in enumerate(rs)], axis=1)
            scale = shares.var(axis=0).mean(axis=0)  # moods and worlds count alike
            found = [components(shares[..., mood], FACTORS[:2]).variance for mood in range(len(MOODS))]
            sums[by] += sum(np.array([v["week"], v["week:half"]]) / s for v, s in zip(found, scale, strict=True))
    means = {by: Components({"week": one[0], "week:half": one[1]}, {"half": 2}) for by, one in sums.items()}
    return noise(None, Halves(means["users"], 500, 50), Halves(means["posts"], 500, 50))


def counts_are_sums() -> bool:
    """Say whether the fast counts are the obvious sums over users."""
    world = Simulate.model_validate({**KNOBS, "seed": 2000, "n_weeks": 20, "negation_share": 0, "irony_share": 0})
    return bool(np.allclose(counts.expected_posts(world, populate(world)), expected_of_world(world), rtol=1e-12))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--first-seed", type=int, default=1000)
    parser.add_argument("--worlds", type=int)
    parser.add_argument("--long-weeks", type=int, default=500)
    args = parser.parse_args()
    worlds = args.worlds or (60 if args.quick else 400)
    started = time.process_time()
    equal = counts_are_sums()
    question, facts = measure(args.first_seed + 900, args.long_weeks, 1000)
    print(", ".join(f"{name} {value:.3g}" for name, value in facts.items()))
    differences = compare(question, args.first_seed, worlds, SETTINGS)
    saturated = {} if args.quick else saturation(args.first_seed, 40)
    # A power of 60 worlds has a standard error of .06: only the full run is judged.
    near = args.quick or all(abs(value) <= 0.1 for one in differences.values() for value in one.values())
    print(
        json.dumps(
            {
                "equal": equal and near,
                "ratios": {},
                "differences": differences,
                "saturation": saturated,
                "worlds": worlds,
                "first_seed": args.first_seed,
                "cpu_s": round(time.process_time() - started, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
