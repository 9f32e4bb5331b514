"""Which platform a JSON object is a post of.

Takes an object, says yes or no. Knows the tell-tale fields of every platform.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Record = Mapping[str, Any]


def _has(*names: str) -> Callable[[Record], bool]:
    return lambda value: all(name in value for name in names)


def _inside(value: Record, *names: str) -> Any:
    found: Any = value
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def is_twitter_v1(value: Record) -> bool:
    """Return whether an object is a status of Twitter's API v1.1."""
    return (
        isinstance(value.get("user"), dict)
        and "created_at" in value
        and ("id_str" in value or "id" in value)
        and ("text" in value or "full_text" in value)
    )


def is_twitter_v2(value: Record) -> bool:
    """Return whether an object is a post, stream object or page of Twitter's API v2."""
    data = value.get("data")
    if isinstance(data, dict):
        return "text" in data and "id" in data
    if isinstance(data, list):
        first = data[0] if data else {}
        return ("meta" in value and not data) or (
            isinstance(first, dict)
            and _has("id", "text")(first)
            and ("author_id" in first or "includes" in value or "meta" in value)
        )
    return _has("id", "author_id", "text")(value)


def is_twitter_web(value: Record) -> bool:
    """Return whether an object is a post as X's web page receives it."""
    post = value.get("tweet") if isinstance(value.get("tweet"), dict) else value
    if not isinstance(post, dict):
        return False
    return "full_text" in (_inside(post, "legacy") or {}) or (
        "rest_id" in post and ("full_text" in (_inside(post, "details") or {}) or "note_tweet" in post)
    )


def is_archive(value: Record) -> bool:
    """Return whether an object is a wrapped tweet of a personal archive."""
    post = value.get("tweet")
    return isinstance(post, dict) and ("id_str" in post or "id" in post) and "user" not in post and "legacy" not in post


def is_archived_plain(value: Record) -> bool:
    """Return whether an object is a tweet of an old personal archive."""
    return _has("id_str", "created_at", "full_text")(value) and "user" not in value and "user_id_str" not in value


def is_bluesky(value: Record) -> bool:
    """Return whether an object is a Bluesky record, view or event."""
    uri = value.get("uri", _inside(value, "post", "uri"))
    return (
        _has("did", "kind")(value)
        or (isinstance(uri, str) and uri.startswith("at://"))
        or (value.get("$type") == "app.bsky.feed.post")
    )


def is_mastodon(value: Record) -> bool:
    """Return whether an object is a Mastodon status."""
    return _has("account", "content", "created_at")(value) and isinstance(value["account"], dict)


def is_activity(value: Record) -> bool:
    """Return whether an object is an activity of an ActivityPub outbox."""
    return _has("actor", "object", "published")(value) and value.get("type") in ("Create", "Announce")


def is_reddit(value: Record) -> bool:
    """Return whether an object is a Reddit submission or comment."""
    value = value["data"] if value.get("kind") in ("t1", "t3") and isinstance(value.get("data"), dict) else value
    return _has("created_utc", "author")(value) and ("body" in value or "title" in value)


def is_telegram(value: Record) -> bool:
    """Return whether an object is a message of a Telegram export."""
    return _has("id", "type", "date", "text")(value) and ("from" in value or "from_id" in value or "actor" in value)


def is_telegram_client(value: Record) -> bool:
    """Return whether an object is a message of a Telegram client library."""
    return _has("id", "date", "message")(value) and (
        "peer_id" in value or "to_id" in value or value.get("_") == "Message"
    )


def is_discord(value: Record) -> bool:
    """Return whether an object is a message of a Discord export."""
    return _has("id", "timestamp", "content", "author")(value) and isinstance(value["author"], dict)


def is_vk(value: Record) -> bool:
    """Return whether an object is a post of VK's API."""
    return _has("id", "date", "text", "from_id")(value) and ("owner_id" in value or "post_type" in value)


def is_facebook(value: Record) -> bool:
    """Return whether an object is an entry of a Facebook download."""
    return (
        "timestamp" in value
        and isinstance(value.get("data"), list)
        and (
            "title" in value
            or "attachments" in value
            or any(isinstance(part, dict) and "post" in part for part in value["data"])
        )
    )


def is_instagram(value: Record) -> bool:
    """Return whether an object is a post of an Instagram download."""
    media = value.get("media")
    first = media[0] if isinstance(media, list) and media else None
    return isinstance(first, dict) and "creation_timestamp" in first and "uri" in first


def is_threads(value: Record) -> bool:
    """Return whether an object is a Threads post."""
    return _has("code", "user", "taken_at", "caption")(value) and isinstance(value["user"], dict)


def is_tiktok(value: Record) -> bool:
    """Return whether an object is a TikTok video or comment of the research API."""
    return _has("id", "create_time", "username")(value) and ("video_description" in value or "text" in value)


def is_youtube(value: Record) -> bool:
    """Return whether an object is a YouTube comment or thread."""
    return value.get("kind") in ("youtube#commentThread", "youtube#comment") or "textOriginal" in (
        _inside(value, "snippet") or {}
    )


def is_snscrape(value: Record) -> bool:
    """Return whether an object is a tweet as snscrape writes it."""
    return _has("id", "date", "user")(value) and ("rawContent" in value or "content" in value)
