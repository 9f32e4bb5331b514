"""Section `panel`: where the raw posts are and how to read them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from temporal_adapters.study.config.base import Operational, Section, StudyPath

COLUMNS = ("post_id", "user_id", "created_at", "text", "lang", "is_repost", "is_reply", "is_quote", "client")
"""Our names of the columns of a table of posts; the first four are required."""

REQUIRED = COLUMNS[:4]
"""Columns without which a row is no post."""

MISSING = ("", "NA", "N/A", "NaN", "nan", "<NA>", "None", "NULL", "null", "nil", "NaT", "[]", "{}", "#N/A")
"""How programs write that there is no value (R, pandas, databases, spreadsheets)."""

Name = str | int
"""A column as the file calls it: its name, nested fields with dots (`user.id`, `data.0.post`), or its number from 1."""

Format = Literal[
    "auto",
    "table",
    "twitter-v1",
    "twitter-v2",
    "snscrape",
    "twarc-csv",
    "rtweet",
    "twint",
    "twitter-web-exporter",
    "4cat",
    "twitter-archive",
    "twitter-web",
    "bluesky",
    "mastodon",
    "activitypub",
    "reddit",
    "telegram",
    "telegram-client",
    "discord",
    "vk",
    "facebook",
    "instagram",
    "threads",
    "tiktok",
    "youtube",
]


class Panel(Section):
    """Raw dumps of posts."""

    paths: tuple[StudyPath, ...] = Operational(min_length=1)
    """Files, folders or globs of raw posts: plain, gzip, zstd, bzip2 or xz, tar or zip archives; what is keyed is their
    content."""

    format: Format = "auto"
    """Layout of the files; `auto` looks at the beginning of each file."""

    inner: str | None = None
    """Where posts lie inside a JSON document, such as `data.videos[*]`, `messages[*]` or `*` for a dictionary of posts;
    without it, found by looking."""

    delimiter: str | None = Field(None, min_length=1, max_length=1)
    """For CSV files: the character between fields; without it the one under which the header has the columns needed."""

    quote: str | None = Field(None, max_length=1)
    """For CSV files: the character around fields; empty for none; without it, found by looking."""

    escape: str | None = Field(None, max_length=1)
    """For CSV files: the character before a quote inside a field; empty for doubled quotes; without it, found by
    looking."""

    header: bool = True
    """For CSV files: the first row names the columns; without names, give their numbers (from 1) in `columns`."""

    encoding: str | None = None
    """Encoding of text files, such as `latin-1`, `windows-1252` or `utf-16`; without it UTF-8, or what a mark says."""

    columns: dict[str, Name | tuple[Name, ...]] = Field(default_factory=dict)
    """Our name of a column (post_id, user_id, created_at, text, lang, is_repost, ...) -> theirs, or several that are
    joined (`post_id: [chat, id]`, `created_at: [date, time]`, `text: [title, body]`); `post_id: auto` numbers the rows.
    What is named here wins over what a layout says."""

    missing: tuple[str, ...] = MISSING
    """Marks of "no value" in ids, users, flags and languages; a text stays a text."""

    date_format: tuple[str, ...] = ()
    """Forms of times, as in strptime (`%d/%m/%Y %H:%M`), or `excel` for the day numbers of spreadsheets; without it
    the usual forms are read."""

    source_timezone: str | None = None
    """IANA zone of times that carry none, such as `UTC`, in every layout; without it such a time is an error."""

    max_corrupt_share: float = Field(0.01, ge=0, le=1)
    """Share of unreadable or doubtful records of a file (0-1) above which the run stops."""

    max_expansion: float = Field(250.0, gt=1)
    """Times its own size that a compressed file may unpack to, beyond the first 256 MB."""

    drop_ids: StudyPath | None = Operational(None)
    """File of post ids, one a line, that are left out; what is keyed is its content."""

    drop_users: StudyPath | None = Operational(None)
    """File of user ids, one a line, whose posts are left out; what is keyed is its content."""

    pseudonyms: bool = True
    """Replace user and post ids by a keyed hash; the raw ids are then written nowhere."""

    pseudonym_key: StudyPath | None = Operational(None)
    """File of the secret key; without it the key of this account on this machine, made on first use."""

    @model_validator(mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("date_format"), str):
            return {**value, "date_format": [value["date_format"]]}
        return value

    @field_validator("columns")
    @classmethod
    def _names_our_columns(cls, value: dict[str, Name | tuple[Name, ...]]) -> dict[str, Name | tuple[Name, ...]]:
        unknown = sorted(set(value) - set(COLUMNS))
        if unknown:
            raise ValueError(f"{unknown[0]!r} is none of our columns ({', '.join(COLUMNS)}); write ours: theirs")
        return value

    @field_validator("date_format")
    @classmethod
    def _is_form(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for form in value:
            if form != "excel" and "%" not in form:
                raise ValueError(f"{form!r} is no form of times: write one as in strptime (%d/%m/%Y %H:%M), or excel")
        return value

    @field_validator("encoding")
    @classmethod
    def _is_encoding(cls, value: str | None) -> str | None:
        import codecs

        try:
            return value if value is None else codecs.lookup(value) and value
        except LookupError:
            raise ValueError(f"{value!r} is no encoding such as utf-8, latin-1 or windows-1252") from None

    @field_validator("source_timezone")
    @classmethod
    def _is_zone(cls, value: str | None) -> str | None:
        return value if value is None else check_zone(value)

    def named(self, column: str) -> tuple[Name, ...]:
        """Return what the study calls one of our columns; empty if it does not say."""
        given = self.columns.get(column, ())
        return given if isinstance(given, tuple) else (given,)


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
