"""Weeks, as properties: a partition of the posts that nothing about the machine or the files' order can change."""

from __future__ import annotations

import csv
import json
import random
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_posts import at, build, posts, tweet, write_lines

from temporal_adapters.ground import dates
from temporal_adapters.stages.panel import files
from temporal_adapters.stages.weeks.windows import SLOT_US, slots, wave_windows
from temporal_adapters.study.config.weeks import Weeks

# Everything Unicode has but surrogates and the NUL character, which no text column holds.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
MOMENT = st.datetimes(datetime(2022, 12, 20), datetime(2023, 2, 10)).map(lambda moment: moment.replace(microsecond=0))
ANY_AUTHOR = {"max_corrupt_share": 1}
"""Made-up ids repeat with other authors, which a real panel must not."""
ZONES = ("UTC", "Europe/London", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia")
RARELY = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True, scope="module")
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def tweets_of(drawn: list[tuple[int, int, datetime, str]]) -> list[dict[str, Any]]:
    return [
        tweet(number, user={"id_str": str(user)}, created_at=at(moment), text=text)
        for number, user, moment, text in drawn
    ]


DRAWN = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 3), MOMENT, TEXT), min_size=1, max_size=25)


@RARELY
@given(DRAWN, st.sampled_from(ZONES), st.sampled_from(dates.WEEKDAYS))
def test_every_record_is_in_one_week_or_dropped_for_one_reason(
    drawn: list[tuple[int, int, datetime, str]], zone: str, weekday: str
) -> None:
    always = tweet(99, text="one post that is always kept")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw = write_lines(folder / "a.jsonl", always, *tweets_of(drawn))
        facts = build(folder, raw, timezone=zone, first_weekday=weekday, cap_per_user=3, panel=ANY_AUTHOR).facts
        kept = posts(folder)
    assert facts["n_records"] == len(drawn) + 1
    assert facts["n_posts"] == kept.height
    assert facts["n_records"] == facts["n_posts"] + sum(facts["dropped"].values())
    for week in facts["weeks"]:
        local = [moment.astimezone(ZoneInfo(zone)).date() for moment in kept["created_at"].to_list()]
        inside = [day for day in local if date.fromisoformat(week["start"]) <= day <= date.fromisoformat(week["end"])]
        assert len(inside) == week["n_posts"]


@RARELY
@given(DRAWN, st.integers(1, 3), st.integers(64, 4096), st.integers(1, 3), st.randoms())
def test_order_of_files_block_size_and_threads_change_nothing(
    drawn: list[tuple[int, int, datetime, str]], n_files: int, block: int, threads: int, rng: random.Random
) -> None:
    lines = [tweet(99, text="one post that is always kept"), *tweets_of(drawn)]
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        plain, mixed = Path(name) / "plain", Path(name) / "mixed"
        for folder in (plain, mixed):
            folder.mkdir()
        first = build(plain, write_lines(plain / "a.jsonl", *lines), panel=ANY_AUTHOR, cap_per_user=2, workers=1)
        rng.shuffle(lines)
        n_files = min(n_files, len(lines))  # a file without posts is refused
        paths = [write_lines(mixed / f"{n}.jsonl.gz", *lines[n::n_files]) for n in range(n_files)]
        patch.setattr(files.open_sources, "__defaults__", (block,))
        second = build(mixed, *reversed(paths), panel=ANY_AUTHOR, cap_per_user=2, workers=threads)
    assert second.outputs == first.outputs
    assert second.facts["dropped"] == first.facts["dropped"]


@RARELY
@given(st.lists(TEXT.filter(lambda text: text.strip() != ""), min_size=1, max_size=8, unique=True))
def test_texts_survive_the_round_trip_through_every_format(written: list[str]) -> None:
    rows = [
        {"post_id": str(n), "user_id": str(n), "created_at": "2023-04-05T12:00:00Z", "text": text}
        for n, text in enumerate(written)
    ]
    nothing = {"mentions": "keep", "urls": "keep", "hashes": False, "entities": False, "spaces": False}
    found = {}
    with tempfile.TemporaryDirectory() as name:
        for ending in ("csv", "parquet", "jsonl"):
            folder = Path(name) / ending
            folder.mkdir()
            write_table(folder / f"a.{ending}", rows)
            build(folder, folder / f"a.{ending}", panel={"pseudonyms": False}, clean=nothing)
            frame = posts(folder).sort(pl.col("post_id").cast(pl.Int64))
            found[ending] = dict(frame.select("post_id", "text").rows())
    assert found["parquet"] == found["jsonl"] == {str(n): text for n, text in enumerate(written)}
    # A CSV field cannot tell a line end from another: readers may give \n for \r\n inside quotes, this one does not.
    assert found["csv"] == found["parquet"]


def write_table(path: Path, rows: list[dict[str, str]]) -> None:
    if path.suffix == ".parquet":
        pl.DataFrame(rows).write_parquet(path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), quoting=csv.QUOTE_ALL)
            writer.writeheader()
            writer.writerows(rows)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.datetimes(datetime(1972, 1, 2), datetime(2037, 12, 1)), min_size=1, max_size=20),
    st.sampled_from(ZONES),
    st.sampled_from(dates.WEEKDAYS),
)
def test_slots_agree_with_the_calendar_of_python(moments: list[datetime], zone: str, weekday: dates.Weekday) -> None:
    us = np.array([int(moment.replace(tzinfo=UTC).timestamp()) * 1_000_000 for moment in moments], np.int64)
    table = slots(Weeks(timezone=zone, first_weekday=weekday), (), us)
    week_of = dict(zip(table["slot"].to_pylist(), table["week"].to_pylist(), strict=True))
    for moment, value in zip(moments, us.tolist(), strict=True):
        local = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date()
        found = date(1970, 1, 1) + timedelta(days=week_of[value - value % SLOT_US])
        assert found == dates.week_start(local, weekday)


@settings(max_examples=30, deadline=None)
@given(
    st.sets(st.dates(date(2023, 1, 1), date(2023, 4, 30)), min_size=1, max_size=6),
    st.integers(1, 20),
    st.booleans(),
    st.sampled_from(ZONES),
)
def test_windows_before_waves_hold_exactly_their_days(waves: set[date], days: int, include: bool, zone: str) -> None:
    chosen = Weeks(timezone=zone, waves=tuple(waves), window_days=days, include_wave_day=include)
    hours = [datetime(2022, 12, 1, tzinfo=UTC) + timedelta(hours=step) for step in range(24 * 150)]
    us = np.array([int(hour.timestamp()) * 1_000_000 for hour in hours], np.int64)
    table = slots(chosen, wave_windows(chosen), us)
    found = sorted(zip(table["slot"].to_pylist(), table["week"].to_pylist(), strict=True))
    expected = []
    for wave in waves:
        last = wave if include else wave - timedelta(days=1)
        first = last - timedelta(days=days - 1)
        for hour, value in zip(hours, us.tolist(), strict=True):
            if first <= hour.astimezone(ZoneInfo(zone)).date() <= last:
                expected.append((value - value % SLOT_US, (first - date(1970, 1, 1)).days))
    assert found == sorted(expected)


def test_a_week_that_vanishes_from_the_files_vanishes_from_the_folder(tmp_path: Path) -> None:
    later = tweet(2, created_at=at(datetime(2023, 5, 1, tzinfo=UTC)))
    raw = write_lines(tmp_path / "a.jsonl", tweet(1), later)
    build(tmp_path, raw)
    write_lines(raw, tweet(1))
    build(tmp_path, raw)
    assert [path.name for path in sorted((tmp_path / "run" / "weeks").glob("*.parquet"))] == ["2023-W14.parquet"]
