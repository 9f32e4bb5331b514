"""Section `weeks`: how posts become weekly corpora."""

from __future__ import annotations

from datetime import date
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from temporal_adapters.ground.dates import Weekday
from temporal_adapters.study.config.base import Later, Operational, Section, StudyPath
from temporal_adapters.study.config.panel import check_zone

LEAST_MEMORY_MB = 500
"""Megabytes below which building the weeks cannot start."""

Treatment = Literal["remove", "placeholder", "keep"]
Private = Literal["emails", "phones"]


class Clean(Section):
    """What is changed in the text of a post; the defaults are the published rules (mentions, URLs, the character #)."""

    mentions: Treatment = "remove"
    """@names (`@` and what follows up to white space): removed, replaced by `@user` as in TweetEval, or kept."""

    urls: Treatment = "remove"
    """URLs (`http` and what follows up to white space): removed, replaced by `http` as in TweetEval, or kept."""

    hashes: bool = True
    """Remove the character #, keeping the word behind it."""

    entities: bool = True
    """Turn the HTML entities that platforms write (`&amp;`, `&lt;`, `&gt;`, `&quot;`, `&#39;`, ...) into characters."""

    spaces: bool = True
    """Turn each run of white space into one space, and trim."""


class Automated(Section):
    """Which accounts and posts count as automated; without any of these settings none does."""

    max_posts_per_day: float | None = Field(None, gt=0)
    """Mean posts per active day (days in UTC) above which an account is left out; an id counts once, equal texts under
    different ids count each."""

    max_repost_share: float | None = Field(None, ge=0, le=1)
    """Share of reposts (0-1) above which an account is left out."""

    clients: tuple[str, ...] = ()
    """Applications whose posts are left out, such as [IFTTT, dlvr.it]: any whose name holds one of these words."""


class Weeks(Section):
    """Splitting the panel into weeks."""

    timezone: str = "UTC"
    """IANA zone in which days begin, such as `Europe/London`."""

    first_weekday: Weekday = "monday"
    """First day of a week."""

    waves: tuple[date, ...] = ()
    """Fieldwork dates of survey waves: a week is then the `window_days` before each, instead of a calendar week."""

    waves_path: StudyPath | None = None
    """CSV file with a column `date` that lists the waves instead of `waves`; a tidy survey file will do."""

    window_days: int = Field(7, ge=1, le=366)
    """Days in the window before a wave; longer than the distance of two waves, posts count in each window."""

    include_wave_day: bool = False
    """End the window with the wave's own day instead of the day before."""

    window: tuple[int, int] | None = Later(None)
    """First and last day of posts relative to a wave's day, such as [-7, -1] for the week before it or [-3, 3] around
    it; replaces `window_days` and `include_wave_day`."""

    shift_days: int = Later(0, ge=-60, le=60)
    """Days by which the window of every wave is moved; positive = later posts."""

    start: date | None = None
    """First day of posts, in `timezone`."""

    end: date | None = None
    """Last day of posts, in `timezone`."""

    clean: Clean = Clean()
    """Cleaning rules."""

    keep_reposts: bool = True
    """Keep reposts."""

    keep_replies: bool = True
    """Keep replies."""

    keep_quotes: bool = True
    """Keep posts that quote another."""

    languages: tuple[str, ...] = ()
    """Language tags to keep, such as [en]; empty keeps all. A post without a tag is then dropped."""

    include: str | None = None
    """Regular expression (RE2) that the cleaned text must contain."""

    exclude: str | None = None
    """Regular expression (RE2) that the cleaned text must not contain."""

    min_characters: int = Field(1, ge=1)
    """Characters of the shortest text that is kept, after cleaning."""

    duplicates: Literal["drop", "keep"] = "drop"
    """Posts whose cleaned text their user wrote before in the same week."""

    cap_per_user: int | None = Field(None, ge=1)
    """Most posts of one user in one week; a seeded sample of them stays."""

    cap_seed: int = 0
    """Seed of that sample."""

    near_duplicates: float | None = Field(None, gt=0, lt=1)
    """Similarity (0-1, Jaccard of word triples, estimated by MinHash) from which a post counts as a copy of an earlier
    post of the same week, whoever wrote it."""

    min_user_posts: int = Field(1, ge=1)
    """Posts of a user over the whole study, after the rules for single posts, below which all are dropped; an id
    counts once, equal texts under different ids count each."""

    automated: Automated = Automated()
    """Rules for automated accounts."""

    language_detector: Literal["none", "missing", "all"] = "none"
    """Detect languages offline (py3langid) where the platform gives none, or everywhere instead of its own tag."""

    redact: tuple[Private, ...] = ()
    """Replace e-mail addresses by `[email]` and telephone numbers by `[phone]`; `clean.mentions` treats @names."""

    min_posts: int = Field(1, ge=1)
    """Posts below which a week counts as empty."""

    memory_limit: str = Operational("4GB", pattern=r"^[1-9][0-9]*(MB|GB)$")
    """Memory that building the weeks may use in all its processes, such as `900MB` or `4GB`, not below 500MB.

    It decides how many processes read files (600 MB each, and once more), how many weeks are in work at once, and from
    where DuckDB writes to disk. It does not divide a week: the largest must fit, about four times. Nor does it bound
    the posts of ids that occur with different dates, which are in memory together: few, but the whole panel where two
    sources give the same posts with times of another precision."""

    workers: int | None = Operational(None, ge=1)
    """Processor cores to use, as far as `memory_limit` allows; without it all."""

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        return check_zone(value)

    @field_validator("memory_limit")
    @classmethod
    def _is_enough(cls, value: str) -> str:
        if value.endswith("MB") and int(value[:-2]) < LEAST_MEMORY_MB:
            raise ValueError(f"{value} is too little: the libraries alone need half; give {LEAST_MEMORY_MB}MB or more")
        return value

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.waves and self.waves_path:
            raise ValueError("give either `waves` or `waves_path`, not both")
        if self.window is not None and self.window[0] > self.window[1]:
            raise ValueError(f"window {list(self.window)} begins after its end")
        if self.window is not None and {"window_days", "include_wave_day"} & self.model_fields_set:
            raise ValueError("give either `window`, or `window_days` and `include_wave_day`, not both")
        if (self.window is not None or self.shift_days) and not (self.waves or self.waves_path):
            raise ValueError(
                "`window` and `shift_days` need waves: set `waves` or `waves_path` (calendar weeks have"
                " `first_weekday`)"
            )
        if self.start and self.end and self.start > self.end:
            raise ValueError(f"start {self.start} lies after end {self.end}")
        return self
