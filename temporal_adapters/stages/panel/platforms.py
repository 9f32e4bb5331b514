"""Every platform and exporter that is known: one record each.

Takes nothing, gives what tells a layout, how it is read and what its columns are called. To add one: a `Platform` here,
its query in ``queries/`` or its columns, its name in ``study.config.panel.Format``, and a fixture per dated version in
``tests/panel_fixtures.py`` under the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from temporal_adapters.stages.panel.naming import Header
from temporal_adapters.study.config.panel import COLUMNS

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Platform:
    """A layout of posts.

    Attributes
    ----------
    name
        As `panel.format` calls it.
    label
        The platform, in the column `platform`.
    is_post
        Whether a JSON object is a post of it.
    queries
        Queries that turn JSON records into posts, one after the other; empty where `columns` say it all.
    columns
        Our column -> the names it may have in a table (nested fields of JSON with dots), the best first.
    told_by
        Sets of columns by which a table is told.
    variants
        Sets of columns -> what is called otherwise in a table that has them.
    zone
        Zone of its times where they carry none, if the platform promises one.
    context
        Key beside a list of records whose value belongs to each.
    fixtures
        Dated versions that tests know (``tests/panel_fixtures.py``).
    """

    name: str
    label: str
    is_post: Callable[[Record], bool] = lambda value: False
    queries: tuple[str, ...] = ()
    columns: Header = field(default_factory=dict)
    told_by: tuple[frozenset[str], ...] = ()
    variants: tuple[tuple[frozenset[str], Header], ...] = ()
    zone: str | None = None
    context: str = ""
    fixtures: tuple[str, ...] = ()


    def header(self, found: Collection[str]) -> Header:
        """Return the names of columns in a table that has the columns `found`."""
        header = dict(self.columns)
        for told_by, others in self.variants:
            if told_by <= set(found):
                header |= others
        return header


def _has(*names: str) -> Callable[[Record], bool]:
    return lambda value: all(name in value for name in names)


def _inside(value: Record, *names: str) -> Any:
    found: Any = value
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _is_twitter_v1(value: Record) -> bool:
    return isinstance(value.get("user"), dict) and "created_at" in value and ("id_str" in value or "id" in value) and (
        "text" in value or "full_text" in value
    )


def _is_twitter_v2(value: Record) -> bool:
    data = value.get("data")
    if isinstance(data, dict):
        return "text" in data and "id" in data
    if isinstance(data, list):
        first = data[0] if data else {}
        return ("meta" in value and not data) or (isinstance(first, dict) and _has("id", "text")(first) and (
            "author_id" in first or "includes" in value or "meta" in value
        ))
    return _has("id", "author_id", "text")(value)


def _is_twitter_web(value: Record) -> bool:
    post = value.get("tweet") if isinstance(value.get("tweet"), dict) else value
    if not isinstance(post, dict):
        return False
    return "full_text" in (_inside(post, "legacy") or {}) or ("rest_id" in post and (
        "full_text" in (_inside(post, "details") or {}) or "note_tweet" in post
    ))


def _is_archive(value: Record) -> bool:
    post = value.get("tweet")
    return isinstance(post, dict) and ("id_str" in post or "id" in post) and "user" not in post and "legacy" not in post


def _is_archived_plain(value: Record) -> bool:
    return _has("id_str", "created_at", "full_text")(value) and "user" not in value and "user_id_str" not in value


def _is_bluesky(value: Record) -> bool:
    uri = value.get("uri", _inside(value, "post", "uri"))
    return _has("did", "kind")(value) or (isinstance(uri, str) and uri.startswith("at://")) or (
        value.get("$type") == "app.bsky.feed.post"
    )


def _is_mastodon(value: Record) -> bool:
    return _has("account", "content", "created_at")(value) and isinstance(value["account"], dict)


def _is_activity(value: Record) -> bool:
    return _has("actor", "object", "published")(value) and value.get("type") in ("Create", "Announce")


def _is_reddit(value: Record) -> bool:
    value = value["data"] if value.get("kind") in ("t1", "t3") and isinstance(value.get("data"), dict) else value
    return _has("created_utc", "author")(value) and ("body" in value or "title" in value)


def _is_telegram(value: Record) -> bool:
    return _has("id", "type", "date", "text")(value) and ("from" in value or "from_id" in value or "actor" in value)


def _is_telegram_client(value: Record) -> bool:
    return _has("id", "date", "message")(value) and ("peer_id" in value or "to_id" in value or value.get("_") == "Message")


def _is_discord(value: Record) -> bool:
    return _has("id", "timestamp", "content", "author")(value) and isinstance(value["author"], dict)


def _is_vk(value: Record) -> bool:
    return _has("id", "date", "text", "from_id")(value) and ("owner_id" in value or "post_type" in value)


def _is_facebook(value: Record) -> bool:
    return "timestamp" in value and isinstance(value.get("data"), list) and (
        "title" in value or "attachments" in value or any(isinstance(part, dict) and "post" in part for part in value["data"])
    )


def _is_instagram(value: Record) -> bool:
    media = value.get("media")
    first = media[0] if isinstance(media, list) and media else None
    return isinstance(first, dict) and "creation_timestamp" in first and "uri" in first


def _is_threads(value: Record) -> bool:
    return _has("code", "user", "taken_at", "caption")(value) and isinstance(value["user"], dict)


def _is_tiktok(value: Record) -> bool:
    return _has("id", "create_time", "username")(value) and ("video_description" in value or "text" in value)


def _is_youtube(value: Record) -> bool:
    return value.get("kind") in ("youtube#commentThread", "youtube#comment") or "textOriginal" in (
        _inside(value, "snippet") or {}
    )


PLATFORMS: tuple[Platform, ...] = (
    Platform(
        "twitter-web", "twitter", _is_twitter_web, ("panel_twitter_web", "panel_twitter_v1"),
        fixtures=("legacy", "2025 user beside core", "2026 without legacy"),
    ),
    Platform("twitter-v1", "twitter", _is_twitter_v1, ("panel_twitter_v1",), fixtures=("extended", "pandas")),
    Platform("twitter-v2", "twitter", _is_twitter_v2, ("panel_twitter_v2",), fixtures=("lines", "page", "edits")),
    Platform(
        "twitter-archive", "twitter", lambda value: _is_archive(value) or _is_archived_plain(value),
        ("panel_twitter_archive",), fixtures=("2022", "2019 without the wrapping"),
    ),
    Platform(
        "bluesky", "bluesky", _is_bluesky, ("panel_bluesky",), fixtures=("jetstream", "record", "author feed"),
    ),
    Platform("mastodon", "mastodon", _is_mastodon, ("panel_mastodon",), fixtures=("api", "pandas")),
    Platform("activitypub", "mastodon", _is_activity, ("panel_activitypub", "panel_mastodon"), fixtures=("outbox",)),
    Platform("reddit", "reddit", _is_reddit, ("panel_reddit",), fixtures=("dump", "listing", "entities")),
    Platform("telegram", "telegram", _is_telegram, ("panel_telegram",), context="id", fixtures=("2021", "2019")),
    Platform(
        "telegram-client", "telegram", _is_telegram_client,
        columns={
            "post_id": (
                ("peer_id.channel_id", "peer_id.chat_id", "peer_id.user_id", "to_id.channel_id", "to_id.chat_id", "id"),
            ),
            "user_id": (
                "from_id.user_id", "from_id.channel_id", "from_id", "peer_id.channel_id", "to_id.channel_id", "peer_id.user_id",
            ),
            "created_at": ("date",),
            "text": ("message",),
            "is_repost": (("fwd_from",),),
            "is_reply": (("reply_to.reply_to_msg_id", "reply_to_msg_id"),),
        },
        fixtures=("telethon",),
    ),
    Platform(
        "youtube", "youtube", _is_youtube,
        columns={
            "post_id": ("snippet.topLevelComment.id", "id"),
            "user_id": ("snippet.topLevelComment.snippet.authorChannelId.value", "snippet.authorChannelId.value"),
            "created_at": ("snippet.topLevelComment.snippet.publishedAt", "snippet.publishedAt"),
            "text": (
                "snippet.topLevelComment.snippet.textOriginal", "snippet.textOriginal",
                "snippet.topLevelComment.snippet.textDisplay", "snippet.textDisplay",
            ),
            "is_reply": ("snippet.parentId",),
        },
        fixtures=("comment threads",),
    ),
    Platform(
        "discord", "discord", _is_discord,
        columns={
            "post_id": ("id",), "user_id": ("author.id",), "created_at": ("timestamp",), "text": ("content",),
            "is_reply": ("reference.messageId",), "is_repost": ("forwardedMessage.content",),
        },
        fixtures=("document",),
    ),
    Platform(
        "vk", "vk", _is_vk,
        columns={
            "post_id": (("owner_id", "id"),), "user_id": ("from_id",), "created_at": ("date",), "text": ("text",),
            "is_repost": ("copy_history",), "is_reply": ("reply_to_post", "reply_to_comment"),
        },
        fixtures=("wall",),
    ),
    Platform("facebook", "facebook", _is_facebook, ("panel_facebook",), fixtures=("download",)),
    Platform("instagram", "instagram", _is_instagram, ("panel_instagram",), fixtures=("download",)),
    Platform(
        "threads", "threads", _is_threads,
        columns={
            "post_id": ("code",), "user_id": ("user.pk", "user.username"), "created_at": ("taken_at",), "text": ("caption.text",),
            "is_reply": ("text_post_app_info.reply_to_author.username",),
            "is_quote": ("text_post_app_info.share_info.quoted_post",),
            "is_repost": ("text_post_app_info.share_info.reposted_post",),
        },
        fixtures=("collected",),
    ),
    Platform(
        "tiktok", "tiktok", _is_tiktok,
        columns={
            "post_id": ("id",), "user_id": ("username",), "created_at": ("create_time",), "text": ("video_description", "text"),
            "is_reply": ("parent_comment_id",),
        },
        fixtures=("research api",),
    ),
    Platform(
        "twarc-csv", "table",
        columns={
            "post_id": ("id",), "user_id": ("author_id", "author.id"), "created_at": ("created_at",), "text": ("text",),
            "lang": ("lang",), "is_repost": ("referenced_tweets.retweeted.id",),
            "is_reply": ("referenced_tweets.replied_to.id",), "is_quote": ("referenced_tweets.quoted.id",), "client": ("source",),
        },
        told_by=(frozenset({"id", "author_id", "conversation_id", "referenced_tweets.retweeted.id"}),),
        fixtures=("csv",),
    ),
    Platform(
        "rtweet", "table",
        columns={
            "post_id": ("status_id",), "user_id": ("user_id",), "created_at": ("created_at",), "text": ("text",),
            "lang": ("lang",), "is_repost": ("is_retweet",), "is_reply": ("reply_to_status_id",), "is_quote": ("is_quote",),
            "client": ("source",),
        },
        told_by=(frozenset({"status_id", "user_id", "created_at", "text", "is_retweet"}),),
        zone="UTC",
        fixtures=("0.7",),
    ),
    Platform(
        "twint", "table",
        columns={
            "post_id": ("id",), "user_id": ("user_id",), "created_at": (("date", "time", "timezone"),), "text": ("tweet",),
            "lang": ("language",), "is_repost": ("retweet",), "is_reply": ("reply_to",), "is_quote": ("quote_url",),
        },
        told_by=(frozenset({"id", "conversation_id", "user_id", "tweet", "date", "time", "timezone"}),),
        fixtures=("csv",),
    ),
    Platform(
        "twitter-web-exporter", "table",
        columns={
            "post_id": ("id",), "user_id": ("user_id", "screen_name"), "created_at": ("created_at",), "text": ("full_text",),
            "lang": ("lang",), "is_repost": ("retweeted_status",), "is_reply": ("in_reply_to",), "is_quote": ("quoted_status",),
        },
        told_by=(frozenset({"id", "created_at", "full_text", "screen_name", "retweeted_status"}),),
        fixtures=("json",),
    ),
    Platform(
        "4cat", "table",
        columns={
            "post_id": ("id",),
            "user_id": ("author_id", "author"),
            "created_at": ("unix_timestamp", "timestamp_unix", "timestamp", "created_at"),
            "text": (("subject", "title", "body"),),
            "lang": ("language_guess", "langs", "languages", "lang", "language"),
            "is_repost": (
                "is_retweet", "is_repost", "is_reblog", "reposted_by",
                ("author_forwarded_from_id", "author_forwarded_from_name", "author_forwarded_from_username"),
                "copy_history", "is_share", "is_crosspost",
            ),
            "is_reply": (
                "is_reply", "replied_to_post", "replied_to_id", "reply_to", "in_reply_to", "in_reply_to_id", "replied_to_user",
            ),
            "is_quote": ("is_quote_tweet", "is_quote", "quoted_post", "quoted_user_id", "quoted_user"),
            "client": ("source",),
        },
        told_by=(
            frozenset({"id", "thread_id", "author", "body", "timestamp"}),
            frozenset({"id", "thread_id", "author_id", "body", "unix_timestamp"}),
        ),
        variants=(
            # The numbers of VK repeat from wall to wall; the address names the wall.
            (frozenset({"item_type", "author_type", "link"}), {"post_id": ("link",)}),
        ),
        zone="UTC",
        fixtures=("twitter", "telegram", "vk", "subject"),
    ),
    Platform("table", "table", columns={name: (name,) for name in COLUMNS}, fixtures=("csv",)),
)  # fmt: skip
"""All layouts, those that are told most surely first."""

BY_NAME: dict[str, Platform] = {platform.name: platform for platform in PLATFORMS}
