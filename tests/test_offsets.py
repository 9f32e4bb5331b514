"""The profile of test D over the day on which windows end: where the truth is, a family-wise band, no choice."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from temporal_adapters.cli import app
from temporal_adapters.engines.significance.changes import changes
from temporal_adapters.ground.errors import CorrelateError
from temporal_adapters.stages.correlate import profile
from temporal_adapters.stages.weeks import daily_shares

FIRST = date(2021, 1, 7)


def world(seed: int, true_offset: int, n_weeks: int = 80) -> tuple[dict[date, float], list[tuple[date, float]]]:
    """Daily values that walk, and a survey that reads the week which ends `true_offset` days after its own day."""
    rng = np.random.default_rng(seed)
    days = [FIRST + timedelta(days=step) for step in range(-21, 7 * n_weeks + 21)]
    values = np.cumsum(rng.normal(0, 1, len(days)))
    daily = dict(zip(days, map(float, values), strict=True))
    waves = []
    for week in range(n_weeks):
        day = FIRST + timedelta(weeks=week)
        inside = [daily[day + timedelta(days=step + true_offset)] for step in range(-6, 1)]
        waves.append((day, float(np.mean(inside) + rng.normal(0, 0.5))))
    return daily, waves


@pytest.mark.parametrize("true_offset", [-3, 0, 3])
def test_the_profile_peaks_near_the_offset_that_the_world_has(true_offset: int) -> None:
    best = []
    for seed in range(3):
        found = profile(*world(seed, true_offset), (-6, 0), draws=499)
        best.append(found.offsets[int(np.argmax(found.statistic))])
        assert found.statistic.max() > found.critical
    assert abs(np.median(best) - true_offset) <= 1


def test_every_offset_is_test_d_of_its_own_window_means() -> None:
    daily, waves = world(5, 0)
    found = profile(daily, waves, (-6, 0), offsets=(-2, 0), draws=499, seed=3)
    for place, offset in enumerate(found.offsets):
        x = [np.mean([daily[day + timedelta(days=step + offset)] for step in range(-6, 1)]) for day, _ in waves]
        alone = changes(np.array(x), np.array([value for _, value in waves]), draws=499, seed=3)
        assert found.statistic[place] == pytest.approx(alone.statistic[0, 0], abs=1e-9)


def test_the_band_holds_for_the_largest_of_all_offsets() -> None:
    """Independent walks: the largest |T| of 15 offsets exceeds the band about as often as alpha says."""
    hits = 0
    for seed in range(40):
        daily, _ = world(seed, 0, 60)
        _, waves = world(1000 + seed, 0, 60)
        found = profile(daily, waves, (-6, 0), alpha=0.1, draws=299, seed=seed)
        hits += bool(np.abs(found.statistic).max() > found.critical)
        assert found.p_family.min() >= found.p.min() - 1e-12
    assert hits <= 10  # binomial(40, .1): P(more than 10) < .002


def test_a_day_without_posts_takes_its_wave_from_every_offset() -> None:
    daily, waves = world(1, 0)
    del daily[waves[10][0]]
    found = profile(daily, waves, (-6, 0), draws=199)
    assert found.n == len(waves) - 3


def test_two_waves_in_a_week_are_refused() -> None:
    daily, waves = world(1, 0)
    with pytest.raises(CorrelateError, match="fall into one week"):
        profile(daily, [*waves, (waves[0][0] + timedelta(days=1), 0.0)], (-6, 0))


def test_the_command_draws_a_profile_named_exploratory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    daily, waves = world(2, 0)
    low, high = min(daily.values()) - 9, max(daily.values()) + 9
    lines = [f"{day},mood,Happy,{(value - low) / (high - low):.5f}" for day, value in daily.items()]
    (tmp_path / "daily.csv").write_text("\n".join(["date,question,option,value", *lines]))
    lines = [f"{day},mood,Happy,{(value - low) / (high - low):.5f}" for day, value in waves]
    (tmp_path / "s.csv").write_text("\n".join(["date,question,option,value", *lines]))
    (tmp_path / "study.yaml").write_text(
        "study: s\npanel: {paths: [p.csv]}\nweeks: {waves_path: s.csv, window: [-6, 0]}\n"
        "survey: {paths: [s.csv], fieldwork_date: published}\ncorrelate: {draws: 499}\n"
    )
    done = CliRunner().invoke(app, ["survey", "profile", "-s", "study.yaml", "--daily", "daily.csv"])
    assert done.exit_code == 0, done.output
    assert "exploratory: shows robustness, chooses nothing" in done.output
    assert "windows of -6 to +0 days" in done.output
    assert len([line for line in done.output.splitlines() if line[:6].strip().startswith(("+", "-"))]) == 15


def test_words_are_counted_by_day_in_the_studys_zone_as_python_counts_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    texts = ["so Happy today", "unhappy and sad", "HAPPY!", "nothing", "sad, sad", "happy-go-lucky", "sadness"]
    moments = [datetime(2021, 1, 7, 21, tzinfo=UTC) + timedelta(hours=5 * step) for step in range(60)]
    posts = pl.DataFrame(
        {
            "post_id": [str(place) for place in range(60)],
            "created_at": moments,
            "text": [texts[place] for place in rng.integers(0, len(texts), 60)],
        },
        schema_overrides={"created_at": pl.Datetime("us", "UTC")},
    )
    posts.head(40).write_parquet(tmp_path / "a.parquet")
    posts.tail(30).write_parquet(tmp_path / "b.parquet")  # ten posts in both windows
    words = {("mood", "Happy"): ("Happy",), ("mood", "Sad"): ("Sad", "sad")}
    found = daily_shares([tmp_path / "a.parquet", tmp_path / "b.parquet"], "Asia/Tokyo", words)
    for name, forms in words.items():
        pattern = re.compile(rf"\b(?:{'|'.join(forms)})\b", re.IGNORECASE)
        by_day: dict[date, list[bool]] = {}
        for moment, text in posts.select("created_at", "text").rows():
            by_day.setdefault(moment.astimezone(ZoneInfo("Asia/Tokyo")).date(), []).append(bool(pattern.search(text)))
        assert found[name] == pytest.approx({day: float(np.mean(held)) for day, held in by_day.items()})
