"""Counts by day: the share of a day's posts that hold a word of an option, from the cleaned posts of built weeks.

Takes corpora, a zone and words, gives values per day. Reads every post once; knows no survey.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import polars as pl

Name = tuple[str, str]
"""Item and option."""


def daily_shares(
    corpora: Sequence[Path], zone: str, words: Mapping[Name, Sequence[str]]
) -> dict[Name, dict[date, float]]:
    """Return item and option -> day -> share of its posts that hold one of the words, whatever their case.

    Parameters
    ----------
    corpora
        Parquet files of weeks (columns post_id, created_at in UTC, text); a post in two windows counts once.
    zone
        IANA zone in which days begin.
    words
        Item and option -> texts; each must stand alone, not inside a longer word.
    """
    posts = pl.scan_parquet(list(corpora)).select("post_id", "created_at", "text").unique("post_id")
    day = pl.col("created_at").dt.convert_time_zone(zone).dt.date().alias("day")
    held = [
        pl.col("text").str.contains(_pattern(forms)).alias(str(place)) for place, forms in enumerate(words.values())
    ]
    shares = posts.select(day, *held).group_by("day").agg(pl.exclude("day").mean()).sort("day").collect()
    days = shares["day"].to_list()
    return {name: dict(zip(days, shares[str(place)].to_list(), strict=True)) for place, name in enumerate(words)}


def _pattern(forms: Sequence[str]) -> str:
    texts = "|".join(re.escape(text.strip()) for text in sorted(forms, key=len, reverse=True))
    return rf"(?i)(?:^|[^\p{{L}}\p{{N}}_])(?:{texts})(?:$|[^\p{{L}}\p{{N}}_])"
