"""Every platform and exporter that is known: one record each.

Takes nothing, gives what tells a layout, how it is read and what its columns are called. To add one: a `Platform` here,
its query in ``queries/`` or its columns, its name in ``study.config.panel.Format``, and a fixture per dated version in
``tests/panel_fixtures.py`` under the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from temporal_adapters.stages.panel import recognise
from temporal_adapters.stages.panel.naming import Header
from temporal_adapters.stages.panel.recognise import Record
from temporal_adapters.study.config.panel import COLUMNS


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


PLATFORMS: tuple[Platform, ...] = (
    Platform(
        "twitter-web",
        "twitter",
        recognise.is_twitter_web,
        ("panel_twitter_web", "panel_twitter_v1"),
        fixtures=("legacy", "2025 user beside core", "2026 without legacy"),
    ),
    Platform("twitter-v1", "twitter", recognise.is_twitter_v1, ("panel_twitter_v1",), fixtures=("extended", "pandas")),
    Platform(
        "twitter-v2", "twitter", recognise.is_twitter_v2, ("panel_twitter_v2",), fixtures=("lines", "page", "edits")
    ),
    Platform(
        "twitter-archive",
        "twitter",
        lambda value: recognise.is_archive(value) or recognise.is_archived_plain(value),
        ("panel_twitter_archive",),
        fixtures=("2022", "2019 without the wrapping"),
    ),
    Platform(
        "bluesky",
        "bluesky",
        recognise.is_bluesky,
        ("panel_bluesky",),
        fixtures=("jetstream", "record", "author feed"),
    ),
    Platform("mastodon", "mastodon", recognise.is_mastodon, ("panel_mastodon",), fixtures=("api", "pandas")),
    Platform(
        "activitypub", "mastodon", recognise.is_activity, ("panel_activitypub", "panel_mastodon"), fixtures=("outbox",)
    ),
    Platform("reddit", "reddit", recognise.is_reddit, ("panel_reddit",), fixtures=("dump", "listing", "entities")),
    Platform(
        "telegram", "telegram", recognise.is_telegram, ("panel_telegram",), context="id", fixtures=("2021", "2019")
    ),
    Platform(
        "telegram-client",
        "telegram",
        recognise.is_telegram_client,
        columns={
            "post_id": (
                ("peer_id.channel_id", "peer_id.chat_id", "peer_id.user_id", "to_id.channel_id", "to_id.chat_id", "id"),
            ),
            "user_id": (
                "from_id.user_id",
                "from_id.channel_id",
                "from_id",
                "peer_id.channel_id",
                "to_id.channel_id",
                "peer_id.user_id",
            ),
            "created_at": ("date",),
            "text": ("message",),
            "is_repost": (("fwd_from",),),
            "is_reply": (("reply_to.reply_to_msg_id", "reply_to_msg_id"),),
        },
        fixtures=("telethon",),
    ),
    Platform(
        "youtube",
        "youtube",
        recognise.is_youtube,
        columns={
            "post_id": ("snippet.topLevelComment.id", "id"),
            "user_id": ("snippet.topLevelComment.snippet.authorChannelId.value", "snippet.authorChannelId.value"),
            "created_at": ("snippet.topLevelComment.snippet.publishedAt", "snippet.publishedAt"),
            "text": (
                "snippet.topLevelComment.snippet.textOriginal",
                "snippet.textOriginal",
                "snippet.topLevelComment.snippet.textDisplay",
                "snippet.textDisplay",
            ),
            "is_reply": ("snippet.parentId",),
        },
        fixtures=("comment threads",),
    ),
    Platform(
        "discord",
        "discord",
        recognise.is_discord,
        columns={
            "post_id": ("id",),
            "user_id": ("author.id",),
            "created_at": ("timestamp",),
            "text": ("content",),
            "is_reply": ("reference.messageId",),
            "is_repost": ("forwardedMessage.content",),
        },
        fixtures=("document",),
    ),
    Platform(
        "vk",
        "vk",
        recognise.is_vk,
        columns={
            "post_id": (("owner_id", "id"),),
            "user_id": ("from_id",),
            "created_at": ("date",),
            "text": ("text",),
            "is_repost": ("copy_history",),
            "is_reply": ("reply_to_post", "reply_to_comment"),
        },
        fixtures=("wall",),
    ),
    Platform("facebook", "facebook", recognise.is_facebook, ("panel_facebook",), fixtures=("download",)),
    Platform("instagram", "instagram", recognise.is_instagram, ("panel_instagram",), fixtures=("download",)),
    Platform(
        "threads",
        "threads",
        recognise.is_threads,
        columns={
            "post_id": ("code",),
            "user_id": ("user.pk", "user.username"),
            "created_at": ("taken_at",),
            "text": ("caption.text",),
            "is_reply": ("text_post_app_info.reply_to_author.username",),
            "is_quote": ("text_post_app_info.share_info.quoted_post",),
            "is_repost": ("text_post_app_info.share_info.reposted_post",),
        },
        fixtures=("collected",),
    ),
    Platform(
        "tiktok",
        "tiktok",
        recognise.is_tiktok,
        columns={
            "post_id": ("id",),
            "user_id": ("username",),
            "created_at": ("create_time",),
            "text": ("video_description", "text"),
            "is_reply": ("parent_comment_id",),
        },
        fixtures=("research api",),
    ),
    Platform(
        "snscrape",
        "twitter",
        recognise.is_snscrape,
        columns={
            "post_id": ("id",),
            "user_id": ("user.id", "user.username"),
            "created_at": ("date",),
            "text": ("rawContent", "content", "renderedContent"),
            "lang": ("lang",),
            "is_repost": ("retweetedTweet",),
            "is_reply": ("inReplyToTweetId",),
            "is_quote": ("quotedTweet",),
            "client": ("sourceLabel",),
        },
        fixtures=("0.4",),
    ),
    Platform(
        "twarc-csv",
        "table",
        columns={
            "post_id": ("id",),
            "user_id": ("author_id", "author.id"),
            "created_at": ("created_at",),
            "text": ("text",),
            "lang": ("lang",),
            "is_repost": ("referenced_tweets.retweeted.id",),
            "is_reply": ("referenced_tweets.replied_to.id",),
            "is_quote": ("referenced_tweets.quoted.id",),
            "client": ("source",),
        },
        told_by=(frozenset({"id", "author_id", "conversation_id", "referenced_tweets.retweeted.id"}),),
        fixtures=("csv",),
    ),
    Platform(
        "rtweet",
        "table",
        columns={
            "post_id": ("status_id",),
            "user_id": ("user_id",),
            "created_at": ("created_at",),
            "text": ("text",),
            "lang": ("lang",),
            "is_repost": ("is_retweet",),
            "is_reply": ("reply_to_status_id",),
            "is_quote": ("is_quote",),
            "client": ("source",),
        },
        told_by=(frozenset({"status_id", "user_id", "created_at", "text", "is_retweet"}),),
        zone="UTC",
        fixtures=("0.7",),
    ),
    Platform(
        "twint",
        "table",
        columns={
            "post_id": ("id",),
            "user_id": ("user_id",),
            "created_at": (("date", "time", "timezone"),),
            "text": ("tweet",),
            "lang": ("language",),
            "is_repost": ("retweet",),
            "is_reply": ("reply_to",),
            "is_quote": ("quote_url",),
        },
        told_by=(frozenset({"id", "conversation_id", "user_id", "tweet", "date", "time", "timezone"}),),
        fixtures=("csv",),
    ),
    Platform(
        "twitter-web-exporter",
        "table",
        columns={
            "post_id": ("id",),
            "user_id": ("user_id", "screen_name"),
            "created_at": ("created_at",),
            "text": ("full_text",),
            "lang": ("lang",),
            "is_repost": ("retweeted_status",),
            "is_reply": ("in_reply_to",),
            "is_quote": ("quoted_status",),
        },
        told_by=(frozenset({"id", "created_at", "full_text", "screen_name", "retweeted_status"}),),
        fixtures=("json",),
    ),
    Platform(
        "4cat",
        "table",
        columns={
            "post_id": ("id",),
            "user_id": ("author_id", "author"),
            "created_at": ("unix_timestamp", "timestamp_unix", "timestamp", "created_at"),
            "text": (("subject", "title", "body"),),
            "lang": ("language_guess", "langs", "languages", "lang", "language"),
            "is_repost": (
                "is_retweet",
                "is_repost",
                "is_reblog",
                "reposted_by",
                ("author_forwarded_from_id", "author_forwarded_from_name", "author_forwarded_from_username"),
                "copy_history",
                "is_share",
                "is_crosspost",
            ),
            "is_reply": (
                "is_reply",
                "replied_to_post",
                "replied_to_id",
                "reply_to",
                "in_reply_to",
                "in_reply_to_id",
                "replied_to_user",
                "parent",
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
)
"""All layouts, those that are told most surely first."""

BY_NAME: dict[str, Platform] = {platform.name: platform for platform in PLATFORMS}
