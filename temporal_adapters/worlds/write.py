"""Write a simulated world: raw panel, survey series, truth.

Takes the section `simulate`, gives a folder. Knows no later stage.

    posts.jsonl.gz   raw posts, Twitter v1.1 objects, one per line, in order of time
    survey.csv       date, question, option, value, n: a wave every `wave_every` weeks
    truth.parquet    week, option, mood (share of the users' posts), survey (expected share of ticks), collected
    users.csv        user_id, age, gender, last_week (first day of the last week in which the user may post)

The same section gives the same bytes: no time stamp or path enters a file.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

from temporal_adapters.study.config import Simulate
from temporal_adapters.worlds.language import MOODS
from temporal_adapters.worlds.posts import raw_posts, user_id
from temporal_adapters.worlds.survey import tick_probabilities, waves
from temporal_adapters.worlds.world import AGES, GENDERS, Population, populate, week_starts

POSTS, SURVEY, TRUTH, USERS = "posts.jsonl.gz", "survey.csv", "truth.parquet", "users.csv"


def write_world(world: Simulate, folder: Path) -> dict[str, int]:
    """Write the files of `world` into the existing `folder`; return how many posts, waves and weeks there are."""
    people = populate(world)
    n_posts = _write_posts(world, people, folder / POSTS)
    _write_survey(world, people, folder / SURVEY)
    _write_truth(world, people, folder / TRUTH)
    _write_users(world, people, folder / USERS)
    n_waves = len(range(0, world.n_weeks, world.wave_every))
    return {"n_posts": n_posts, "n_waves": n_waves, "n_weeks": world.n_weeks - len(set(world.gap_weeks))}


def _write_posts(world: Simulate, people: Population, path: Path) -> int:
    n_posts = 0
    # mtime=0 and no name in the header: gzip would otherwise make every run's bytes differ.
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="\n") as file,
    ):
        for post in raw_posts(world, people):
            file.write(json.dumps(post, ensure_ascii=False, separators=(",", ":")) + "\n")
            n_posts += 1
    return n_posts


def _write_survey(world: Simulate, people: Population, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ["date", "question", "option", "value", "n"], lineterminator="\n")
        table.writeheader()
        table.writerows(waves(world, people))


def _write_users(world: Simulate, people: Population, path: Path) -> None:
    starts = week_starts(world)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["user_id", "age", "gender", "last_week"])
        for user in range(world.n_users):
            last = starts[min(int(people.last_week[user]), world.n_weeks - 1)].isoformat()
            table.writerow([user_id(user), AGES[people.age[user]], GENDERS[people.gender[user]], last])


def _write_truth(world: Simulate, people: Population, path: Path) -> None:
    import polars as pl

    mood, ticks, weeks = people.truth(), tick_probabilities(world, people), week_starts(world)
    rows = [
        {
            "week": week,
            "option": option,
            "mood": mood[t, k],
            "survey": ticks[t, k],
            "collected": t not in world.gap_weeks,
        }
        for t, week in enumerate(weeks)
        for k, option in enumerate(MOODS)
    ]
    pl.DataFrame(rows).write_parquet(path, compression="zstd")
