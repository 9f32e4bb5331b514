"""A small file per platform and dated version, as that platform or exporter writes it, and the post that it holds.

`FIXTURES[platform, version]` is a file's name, its content, the files beside it, and what the post must be.
"""

# ruff: noqa: E501 (files as they are written)

from __future__ import annotations

import json
from typing import Any

ISO = "2023-04-05T12:00:00.000Z"
SECONDS = 1_680_696_000
TWITTER = "Wed Apr 05 12:00:00 +0000 2023"
CORE = {"user_results": {"result": {"rest_id": "7", "core": {"screen_name": "me"}}}}
RECORD = {"$type": "app.bsky.feed.post", "text": "hello", "createdAt": ISO, "langs": ["en"]}
URI = "at://did:plc:me/app.bsky.feed.post/3k"
V2 = {"id": "11", "author_id": "7", "created_at": ISO, "text": "hello", "lang": "en"}
STATUS = {"id": "11", "uri": "https://m.example/11", "content": "<p>hello</p>", "language": "en",
          "account": {"id": "7", "uri": "https://m.example/users/me"}}  # fmt: skip
FOURCAT = {"id": "11", "thread_id": "11", "timestamp": "2023-04-05 12:00:00", "unix_timestamp": SECONDS, "body": "hello",
           "author": "me"}  # fmt: skip


def lines(*values: Any) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def table(row: dict[str, Any], delimiter: str = ",") -> str:
    return delimiter.join(row) + "\n" + delimiter.join(str(value) for value in row.values()) + "\n"


def archive(post: dict[str, Any]) -> str:
    return f"window.YTD.tweets.part0 = {json.dumps([post], indent=2)}"


ACCOUNT = {"account.js": 'window.YTD.account.part0 = [{"account": {"accountId": "7"}}]'}
PLAIN = {"post_id": "11", "user_id": "7", "text": "hello"}

FIXTURES: dict[tuple[str, str], tuple[str, str, dict[str, str], dict[str, Any]]] = {
    ("twitter-web", "legacy"): ("a.ndjson", lines({"item_id": "11", "data": {
        "rest_id": "11", "core": CORE, "legacy": {"created_at": TWITTER, "full_text": "hello", "lang": "en", "user_id_str": "7",
                                                  "in_reply_to_status_id_str": "5"}}}), {}, {**PLAIN, "is_reply": True, "lang": "en"}),
    ("twitter-web", "2025 user beside core"): ("a.ndjson", lines({"item_id": "11", "data": {
        "rest_id": "11", "core": CORE, "legacy": {"created_at": TWITTER, "full_text": "RT @x: hel…", "retweeted_status_result": {
            "result": {"rest_id": "5", "legacy": {"full_text": "hello"}}}}}}), {}, {**PLAIN, "is_repost": True}),
    ("twitter-web", "2026 without legacy"): ("a.ndjson", lines({"item_id": "11", "data": {
        "rest_id": "11", "core": CORE, "details": {"created_at_ms": SECONDS * 1000, "full_text": "hello", "language": "en"},
        "quoted_tweet_results": {"rest_id": "5"}}}), {}, {**PLAIN, "is_quote": True, "lang": "en"}),
    ("twitter-v1", "extended"): ("a.jsonl", lines({
        "id_str": "11", "created_at": TWITTER, "text": "hel…", "extended_tweet": {"full_text": "hello"}, "user": {"id_str": "7"}}),
        {}, PLAIN),
    ("twitter-v1", "pandas"): ("a.jsonl", lines({
        "id_str": 11, "created_at": SECONDS * 1000, "full_text": "hello", "user": {"id": 7}, "retweeted_status": None}),
        {}, {**PLAIN, "is_repost": False}),
    ("twitter-v2", "lines"): ("a.jsonl", lines(V2), {}, {**PLAIN, "lang": "en"}),
    ("twitter-v2", "page"): ("a.json", json.dumps({"data": [V2], "includes": {"users": []}, "meta": {}}, indent=1), {}, PLAIN),
    ("twitter-v2", "edits"): ("a.jsonl", lines({**V2, "edit_history_tweet_ids": ["9", "11"]}), {}, PLAIN),
    ("twitter-archive", "2022"): ("tweets.js", archive({"tweet": {
        "id_str": "11", "created_at": TWITTER, "full_text": "hello"}}), ACCOUNT, PLAIN),
    ("twitter-archive", "2019 without the wrapping"): ("tweet.js", archive({
        "id_str": "11", "created_at": TWITTER, "full_text": "hello"}), ACCOUNT, PLAIN),
    ("bluesky", "jetstream"): ("a.jsonl", lines({"did": "did:plc:me", "kind": "commit", "commit": {
        "operation": "create", "collection": "app.bsky.feed.post", "rkey": "3k", "record": RECORD}}), {},
        {"post_id": URI, "user_id": "did:plc:me", "text": "hello", "lang": "en"}),
    ("bluesky", "record"): ("a.jsonl", lines({"uri": URI, "cid": "c", "value": RECORD}), {},
                            {"post_id": URI, "user_id": "did:plc:me", "text": "hello"}),
    ("bluesky", "author feed"): ("a.json", json.dumps({"cursor": "x", "feed": [{"post": {
        "uri": URI, "author": {"did": "did:plc:me"}, "record": RECORD}}]}), {}, {"post_id": URI, "text": "hello"}),
    ("mastodon", "api"): ("a.json", json.dumps([{**STATUS, "created_at": ISO}], indent=1), {},
                          {"post_id": "https://m.example/11", "user_id": "https://m.example/users/me", "text": "hello"}),
    ("mastodon", "pandas"): ("a.jsonl", lines({**STATUS, "created_at": SECONDS * 1000}), {}, {"text": "hello", "lang": "en"}),
    ("activitypub", "outbox"): ("outbox.json", json.dumps({"orderedItems": [{
        "type": "Create", "actor": "https://m.example/users/me", "published": ISO,
        "object": {"id": "https://m.example/11", "content": "<p>hello</p>", "contentMap": {"en": "x"}}}]}), {},
        {"post_id": "https://m.example/11", "user_id": "https://m.example/users/me", "text": "hello", "lang": "en"}),
    ("reddit", "dump"): ("a.jsonl", lines({"id": "11", "author": "me", "created_utc": SECONDS, "body": "hello"}), {},
                         {"post_id": "t1_11", "user_id": "me", "text": "hello", "is_reply": True}),
    ("reddit", "listing"): ("a.json", json.dumps({"kind": "Listing", "data": {"children": [{"kind": "t3", "data": {
        "id": "11", "name": "t3_11", "author": "me", "created_utc": float(SECONDS), "title": "hello", "selftext": ""}}]}}), {},
        {"post_id": "t3_11", "user_id": "me", "text": "hello", "is_reply": False}),
    ("reddit", "entities"): ("a.jsonl", lines({"id": "11", "author": "me", "created_utc": SECONDS, "body": "a &amp;lt; b"}), {},
                             {"text": "a &lt; b"}),
    ("telegram", "2021"): ("result.json", json.dumps({"name": "c", "type": "public_channel", "id": 5, "messages": [{
        "id": 11, "type": "message", "date": "2023-04-05T14:00:00", "date_unixtime": str(SECONDS), "from": "me",
        "from_id": "user7", "forwarded_from": "x", "text": ["hel", {"type": "bold", "text": "lo"}]}]}, indent=1), {},
        {"post_id": "5/11", "user_id": "user7", "text": "hello", "is_repost": True}),
    ("telegram", "2019"): ("result.json", json.dumps({"name": "c", "type": "private_group", "id": 5, "messages": [{
        "id": 11, "type": "message", "date": "2023-04-05T12:00:00", "from": "me", "from_id": 7, "text": "hello"}]}), {},
        {**PLAIN, "post_id": "5/11"}),
    ("telegram-client", "telethon"): ("a.jsonl", lines({
        "_": "Message", "id": 11, "peer_id": {"_": "PeerChannel", "channel_id": 5}, "date": "2023-04-05T12:00:00+00:00",
        "message": "hello", "from_id": {"_": "PeerUser", "user_id": 7}, "reply_to": {"reply_to_msg_id": 3}}), {},
        {**PLAIN, "post_id": "5/11", "is_reply": True, "platform": "telegram"}),
    ("youtube", "comment threads"): ("a.json", json.dumps({"items": [{
        "kind": "youtube#commentThread", "id": "11", "snippet": {"topLevelComment": {"id": "11", "snippet": {
            "textDisplay": "<b>hello</b>", "textOriginal": "hello", "authorChannelId": {"value": "7"}, "publishedAt": ISO}}}}]}),
        {}, PLAIN),
    ("discord", "document"): ("a.json", json.dumps({"guild": {"id": "1"}, "channel": {"id": "2"}, "messages": [{
        "id": "11", "type": "Reply", "timestamp": "2023-04-05T12:00:00+00:00", "content": "hello",
        "author": {"id": "7"}, "reference": {"messageId": "3"}}]}, indent=2), {}, {**PLAIN, "is_reply": True}),
    ("vk", "wall"): ("a.json", json.dumps({"response": {"count": 1, "items": [{
        "id": 11, "owner_id": -5, "from_id": 7, "date": SECONDS, "text": "hello", "post_type": "post", "copy_history": [{}]}]}}), {},
        {**PLAIN, "post_id": "-5/11", "is_repost": True}),
    ("facebook", "download"): ("a.json", json.dumps([{
        "timestamp": SECONDS, "title": "Me", "data": [{"update_timestamp": 1}, {"post": "gr\u00c3\u00b6\u00c3\u009fer"}]}]), {},
        {"text": "größer", "platform": "facebook"}),
    ("instagram", "download"): ("a.json", json.dumps([{"media": [{
        "uri": "media/1.jpg", "creation_timestamp": SECONDS, "title": "hello"}]}]), {}, {"text": "hello"}),
    ("threads", "collected"): ("a.ndjson", lines({"item_id": "x", "source_platform": "threads.net", "data": {
        "code": "11", "user": {"pk": "7", "username": "me"}, "taken_at": SECONDS, "caption": {"text": "hello"},
        "text_post_app_info": {}}}), {}, {**PLAIN, "is_repost": False}),
    ("tiktok", "research api"): ("a.json", json.dumps({"data": {"videos": [{
        "id": 11, "create_time": SECONDS, "username": "7", "video_description": "hello"}], "cursor": 1}}), {}, PLAIN),
    ("snscrape", "0.4"): ("a.jsonl", lines({
        "_type": "snscrape.modules.twitter.Tweet", "id": 11, "date": "2023-04-05T12:00:00+00:00", "rawContent": "hello",
        "user": {"id": 7, "username": "me"}, "inReplyToTweetId": None, "retweetedTweet": None, "lang": "en"}), {},
        {**PLAIN, "is_reply": False, "is_repost": False, "lang": "en"}),
    ("twarc-csv", "csv"): ("a.csv", table({
        "id": "11", "author_id": "7", "conversation_id": "11", "referenced_tweets.retweeted.id": "", "created_at": ISO,
        "text": "hello"}), {}, PLAIN),
    ("rtweet", "0.7"): ("a.csv", table({
        "user_id": "x700007", "status_id": "x1100011", "created_at": "2023-04-05 12:00:00", "text": "hello", "is_retweet": "FALSE",
        "is_quote": "FALSE", "reply_to_status_id": "NA"}), {},
        {"post_id": "1100011", "user_id": "700007", "text": "hello", "is_reply": False}),
    ("twint", "csv"): ("a.csv", table({
        "id": "11", "conversation_id": "11", "date": "2023-04-05", "time": "14:00:00", "timezone": "+0200", "user_id": "7",
        "tweet": "hello", "language": "en", "retweet": "False"}), {}, {**PLAIN, "lang": "en", "is_repost": False}),
    ("twitter-web-exporter", "json"): ("a.json", json.dumps([{
        "id": "11", "created_at": "2023-04-05 20:00:00 +08:00", "full_text": "hello", "screen_name": "7", "retweeted_status": None,
        "in_reply_to": "5"}], indent=2), {}, {**PLAIN, "is_reply": True, "is_repost": False}),
    ("4cat", "twitter"): ("a.csv", table({
        **FOURCAT, "author_id": "7", "is_retweet": "no", "is_reply": "yes", "is_quote_tweet": "no", "language_guess": "en"}), {},
        {**PLAIN, "is_reply": True, "lang": "en"}),
    ("4cat", "telegram"): ("a.csv", table({**FOURCAT, "author": "7", "author_forwarded_from_id": "9"}), {}, {**PLAIN, "is_repost": True}),
    ("4cat", "vk"): ("a.csv", table({
        **FOURCAT, "author_id": "7", "link": "https://vk.example/wall-5_11", "item_type": "post", "author_type": "user"}), {},
        {**PLAIN, "post_id": "https://vk.example/wall-5_11"}),
    ("4cat", "subject"): ("a.csv", table({**FOURCAT, "subject": "S"}), {}, {"text": "S\n\nhello", "user_id": "me"}),
    ("table", "csv"): ("a.csv", table({"post_id": "11", "user_id": "7", "created_at": ISO, "text": "hello"}), {}, PLAIN),
}  # fmt: skip
