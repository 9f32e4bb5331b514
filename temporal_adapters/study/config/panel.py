"""Section `panel`: where the raw posts are and how to read them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from temporal_adapters.study.config.base import Operational, Section, StudyPath

COLUMNS = ("post_id", "user_id", "created_at", "text", "lang", "is_repost", "is_reply", "is_quote", "client")
"""Our names of the columns of a table of posts; the first four are required."""

Format = Literal[
    "auto",
    "table",
    "twitter-v1",
    "twitter-v2",
    "twarc-csv",
    "4cat",
    "twitter-archive",
    "twitter-web",
    "bluesky",
    "mastodon",
    "activitypub",
    "reddit",
    "telegram",
]


class Panel(Section):
    """Raw dumps of posts."""

    paths: tuple[StudyPath, ...] = Operational(min_length=1)
    """Files, folders or globs of raw posts, plain or compressed with gzip or zstd; what is keyed is their content."""

    format: Format = "auto"
    """Layout of the files; `auto` looks at the beginning of each file."""

    delimiter: str | None = Field(None, min_length=1, max_length=1)
    """For CSV files: the character between fields; without it the one under which the header has the columns needed."""

    columns: dict[str, str] = Field(default_factory=dict)
    """For tables: our name of a column (post_id, user_id, created_at, text, lang, is_repost, ...) -> theirs."""

    source_timezone: str | None = None
    """IANA zone of times that carry none, such as `UTC`; without it such a time is an error."""

    max_corrupt_share: float = Field(0.01, ge=0, le=1)
    """Share of unreadable records of a file (0-1) above which the run stops."""

    pseudonyms: bool = True
    """Replace user and post ids by a keyed hash; the raw ids are then written nowhere."""

    pseudonym_key: StudyPath | None = Operational(None)
    """File of the secret key; without it the key of this account on this machine, made on first use."""

    @field_validator("columns")
    @classmethod
    def _names_our_columns(cls, value: dict[str, str]) -> dict[str, str]:
        unknown = sorted(set(value) - set(COLUMNS))
        if unknown:
            raise ValueError(f"{unknown[0]!r} is none of our columns ({', '.join(COLUMNS)}); write ours: theirs")
        return value

    @field_validator("source_timezone")
    @classmethod
    def _is_zone(cls, value: str | None) -> str | None:
        return value if value is None else check_zone(value)


def check_zone(value: str) -> str:
    """Return `value` if it is an IANA time zone.

    Raises
    ------
    ValueError
        Naming the nearest zone.
    """
    import difflib
    from zoneinfo import available_timezones

    zones = available_timezones()
    if value in zones:
        return value
    near = difflib.get_close_matches(value, sorted(zones), n=1)
    raise ValueError(
        f"{value!r} is no IANA time zone such as Europe/London" + (f"; did you mean {near[0]!r}?" if near else "")
    )
