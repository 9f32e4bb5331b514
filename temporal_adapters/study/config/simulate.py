"""Section `simulate`: a world with a known truth (only for studies that simulate their panel)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from temporal_adapters.study.config.base import Section

Share = Annotated[float, Field(ge=0, le=1)]
LogOdds = Annotated[float, Field(ge=0, le=10)]


class Simulate(Section):
    """All knobs of the world that `ta simulate` writes; equal sections give equal files, byte for byte."""

    seed: int = Field(7, ge=0)
    """Seed of everything random. Every part draws from a stream of its own, so one knob leaves the others alone."""

    start: date = date(2023, 1, 2)
    """First day, a Monday."""

    n_weeks: int = Field(30, ge=2)
    """Weeks, gaps included."""

    gap_weeks: tuple[int, ...] = (17,)
    """Weeks (counted from 0) in which the collection of posts failed."""

    process: Literal["ar1", "random-walk"] = "ar1"
    """How moods move from week to week."""

    persistence: float = Field(0.7, ge=0, lt=1)
    """Correlation of a week's mood with the next week's (`ar1`)."""

    spread: LogOdds = 0.5
    """Standard deviation of a mood over the weeks, in log-odds."""

    common: Share = 0.3
    """Share of that variance which pleasant and unpleasant moods have in common, with opposite signs."""

    season: LogOdds = 0.0
    """Amplitude of a yearly wave per mood, in log-odds."""

    shock_rate: Share = 0.0
    """Probability per week of an event that lifts or lowers all moods by their valence."""

    shock_size: LogOdds = 1.0
    """Size of an event in log-odds; half of it is left a week later."""

    n_users: int = Field(400, ge=2)
    """Ordinary users in the panel."""

    activity: float = Field(0.8, ge=0, le=3)
    """Heavy-tailedness of posting: sigma of a log-normal distribution over users."""

    user_spread: LogOdds = 0.6
    """Standard deviation of the users' lasting moods, in log-odds."""

    ages: tuple[Share, Share, Share] = (0.5, 0.35, 0.15)
    """Shares of the age groups 18-34, 35-54 and 55+ among those who post."""

    demographic_spread: LogOdds = 0.0
    """Standard deviation of the lasting mood differences between age groups and between genders, in log-odds."""

    attrition: Share = 0.003
    """Probability per week that a user stops posting for good."""

    n_heavy: int = Field(3, ge=0)
    """Accounts that only post offers."""

    heavy_posts: int = Field(30, ge=0)
    """Posts of each such account per week."""

    posts_per_week: int = Field(1000, ge=1)
    """Expected posts of the ordinary users per week."""

    mood_share: Share = 0.6
    """Share of ordinary posts that tell a mood."""

    synonym_steepness: float = Field(0.5, ge=0, le=20)
    """How rare a mood's synonyms are: its j-th word has weight j ** -steepness; 0 makes all alike, 20 leaves the first,
    the answer option's own word, alone."""

    topic_spread: LogOdds = 0.0
    """Standard deviation over the weeks of how much a subject is talked about, in log-odds: talk that moves without any
    mood."""

    negation_share: Share = 0.03
    """Share of mood posts that negate a word of the opposite mood."""

    irony_share: Share = 0.02
    """Share of mood posts that use a word of the opposite mood ironically."""

    repost_share: Share = 0.06
    """Share of posts that repeat another post as a repost."""

    duplicate_share: Share = 0.03
    """Share of posts that copy another post's text."""

    other_language_share: Share = 0.04
    """Share of posts in German."""

    url_share: Share = 0.12
    """Share of posts with a URL."""

    mention_share: Share = 0.15
    """Share of posts that mention an account."""

    hashtag_share: Share = 0.1
    """Share of posts with a hashtag."""

    reply_share: Share = 0.08
    """Share of posts that answer another account."""

    n_respondents: int = Field(2000, ge=1)
    """Respondents per survey wave."""

    wave_every: int = Field(1, ge=1)
    """Weeks from one wave to the next."""

    fieldwork_weekday: int = Field(4, ge=0, le=6)
    """Weekday of the fieldwork, 0 Monday to 6 Sunday."""

    asked_ages: tuple[Share, Share, Share] | None = None
    """Shares of the age groups among those asked; without it as among those who post."""

    ticks: float = Field(2.8, ge=0.1, le=11)
    """Mean number of moods that a respondent ticks."""

    selection_gap: LogOdds = 0.0
    """Standard deviation over moods of the lasting difference between those asked and those who post, in log-odds."""

    @field_validator("start")
    @classmethod
    def _is_monday(cls, value: date) -> date:
        if value.weekday() != 0:
            raise ValueError(f"{value} is a {value:%A}; a world starts on a Monday")
        return value

    @field_validator("ages", "asked_ages")
    @classmethod
    def _adds_up(cls, value: tuple[float, float, float] | None) -> tuple[float, float, float] | None:
        if value is not None and abs(sum(value) - 1) > 1e-6:
            raise ValueError(f"{list(value)} add up to {sum(value):g}, not to 1")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        absent = [
            asked for age, asked in zip(self.ages, self.asked_ages or self.ages, strict=True) if asked and not age
        ]
        if absent:
            raise ValueError("asked_ages: an age group is asked that nobody in the panel (`ages`) belongs to")
        for week in self.gap_weeks:
            if not 0 <= week < self.n_weeks:
                raise ValueError(f"gap_weeks: week {week} lies outside the weeks 0 to {self.n_weeks - 1}")
        if self.repost_share + self.duplicate_share + self.other_language_share > 1:
            raise ValueError("repost_share, duplicate_share and other_language_share add up to more than 1")
        if self.negation_share + self.irony_share > 1:
            raise ValueError("negation_share and irony_share add up to more than 1")
        return self
