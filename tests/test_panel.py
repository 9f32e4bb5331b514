"""Panel: every supported layout gives the same table of posts, and nothing of a post is lost on the way."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard

from temporal_adapters.ground import resources
from temporal_adapters.ground.errors import PanelError
from temporal_adapters.stages import panel
from temporal_adapters.study.config.panel import Panel

APRIL_5 = 1_680_696_000_000_000
"""2023-04-05 12:00:00 UTC in microseconds."""

BIG = 1_643_587_961_234_567_891
"""An id that a float would round."""


def read(path: Path, **settings: Any) -> list[dict[str, Any]]:
    study = Panel.model_validate({"paths": [str(path)], **settings})
    with panel.connect(1, "500MB") as connection:
        return [row for chunk in panel.read_posts(path, study, connection) for row in chunk.posts.to_pylist()]


def only(path: Path, **settings: Any) -> dict[str, Any]:
    rows = read(path, **settings)
    assert len(rows) == 1, rows
    return rows[0]


def lines(path: Path, *values: Any) -> Path:
    text = "".join((value if isinstance(value, str) else json.dumps(value)) + "\n" for value in values)
    path.write_text(text, encoding="utf-8")
    return path


def assert_post(row: dict[str, Any], **expected: Any) -> None:
    assert {name: row[name] for name in expected} == expected
    assert row["problem"] is None
    assert row["created_us"] == APRIL_5


# --- Twitter ----------------------------------------------------------------------------------------------------------


V1 = {
    "created_at": "Wed Apr 05 12:00:00 +0000 2023",
    "id": BIG,
    "id_str": str(BIG),
    "text": "cut off…",
    "user": {"id": BIG + 1, "id_str": str(BIG + 1)},
    "lang": "en",
    "source": "Web",
}


def test_twitter_v1_takes_the_longest_form_of_the_text(tmp_path: Path) -> None:
    for extra, text in (
        ({}, "cut off…"),
        ({"full_text": "the full text"}, "the full text"),
        ({"truncated": True, "extended_tweet": {"full_text": "extended"}}, "extended"),
        ({"retweeted_status": {**V1, "id_str": "1", "text": "original"}}, "original"),
        ({"retweeted_status": {**V1, "id_str": "1", "extended_tweet": {"full_text": "whole"}}}, "whole"),
    ):
        row = only(lines(tmp_path / "a.jsonl", {**V1, **extra}))
        assert_post(row, text=text, post_id=str(BIG), user_id=str(BIG + 1), lang="en", platform="twitter")
        assert row["is_repost"] == ("retweeted_status" in extra)


def test_ids_written_as_numbers_keep_every_digit(tmp_path: Path) -> None:
    value = {name: field for name, field in V1.items() if name != "id_str"}
    row = only(lines(tmp_path / "a.jsonl", {**value, "user": {"id": BIG + 1}}))
    assert_post(row, post_id=str(BIG), user_id=str(BIG + 1))


def test_notices_of_the_stream_are_no_posts_and_no_damage(tmp_path: Path) -> None:
    notice = {"delete": {"status": {"id": 1, "user_id": 2}}}
    assert [row["problem"] for row in read(lines(tmp_path / "a.jsonl", V1, notice))] == [None, "not_a_post"]


V2 = {"id": str(BIG), "author_id": "7", "created_at": "2023-04-05T12:00:00.000Z", "text": "RT @x: cut…", "lang": "en"}
REPOST = {**V2, "referenced_tweets": [{"type": "retweeted", "id": "9"}]}


def test_twitter_v2_pages_take_the_text_of_a_repost_from_the_includes(tmp_path: Path) -> None:
    page = {
        "data": [REPOST, {**V2, "id": "2", "referenced_tweets": [{"type": "replied_to", "id": "5"}]}],
        "includes": {"users": [{"id": "7"}], "tweets": [{"id": "9", "text": "x", "note_tweet": {"text": "whole"}}]},
        "meta": {"result_count": 2},
    }
    first, second, empty = read(lines(tmp_path / "a.jsonl", page, {"meta": {"result_count": 0}, "data": []}))
    assert_post(first, text="whole", is_repost=True, is_reply=False, post_id=str(BIG), user_id="7")
    assert_post(second, text="RT @x: cut…", is_repost=False, is_reply=True)
    assert empty["problem"] == "not_a_post"


def test_a_page_longer_than_what_is_looked_at_is_still_recognised(tmp_path: Path) -> None:
    page = {"data": [{**V2, "id": str(n), "text": "x" * 500} for n in range(5000)], "meta": {"result_count": 5000}}
    rows = read(lines(tmp_path / "a.jsonl", page))
    assert len(rows) == 5000
    assert rows[-1]["post_id"] == "4999"


def test_twitter_v2_flattened_lines_carry_the_original_inside(tmp_path: Path) -> None:
    value = {**V2, "referenced_tweets": [{"type": "retweeted", "id": "9", "text": "whole"}], "author": {"id": "7"}}
    assert_post(only(lines(tmp_path / "a.jsonl", value)), text="whole", is_repost=True)


def test_twitter_v2_stream_objects_hold_one_post(tmp_path: Path) -> None:
    value = {"data": V2, "matching_rules": [{"id": "1"}]}
    assert_post(only(lines(tmp_path / "a.jsonl", value)), text="RT @x: cut…", is_quote=False)


def test_twarc_csv_names_its_columns_after_paths_and_escapes_line_ends(tmp_path: Path) -> None:
    header = (
        "id,conversation_id,referenced_tweets.replied_to.id,referenced_tweets.retweeted.id,referenced_tweets.quoted.id"
    )
    path = tmp_path / "a.csv"
    path.write_text(
        f"{header},author_id,created_at,text,lang,source\n"
        f'{BIG},1,,5,,7,2023-04-05T12:00:00.000Z,"one\\ntwo, ""three""",en,Web\n',
        encoding="utf-8",
    )
    assert_post(
        only(path),
        post_id=str(BIG),
        user_id="7",
        text='one\ntwo, "three"',
        is_repost=True,
        is_reply=False,
        is_quote=False,
    )


def test_4cat_csv_times_are_utc(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "id,thread_id,timestamp,subject,body,author,author_id,language_guess,is_retweet,is_quote_tweet,is_reply\n"
        f'{BIG},1,2023-04-05 12:00:00,,"two\nlines",name,7,en,no,no,yes\n',
        encoding="utf-8",
    )
    assert_post(only(path), post_id=str(BIG), user_id="7", text="two\nlines", is_repost=False, is_reply=True, lang="en")


def test_4cat_ndjson_is_told_by_its_fields(tmp_path: Path) -> None:
    value = {"id": 5, "thread_id": 5, "author": "name", "body": "hi", "timestamp": "2023-04-05 12:00:00"}
    assert_post(only(lines(tmp_path / "a.ndjson", value)), post_id="5", user_id="name", text="hi")


def test_a_personal_archive_takes_its_user_from_the_account_file(tmp_path: Path) -> None:
    tweet = {"id_str": str(BIG), "created_at": V1["created_at"], "full_text": "RT @some_one: hello", "lang": "en"}
    path = tmp_path / "tweets.js"
    path.write_text(f"window.YTD.tweets.part0 = {json.dumps([{'tweet': tweet}], indent=2)}", encoding="utf-8")
    with pytest.raises(PanelError, match=r"needs account\.js"):
        read(path)
    account = [{"account": {"username": "me", "accountId": "7"}}]
    (tmp_path / "account.js").write_text(f"window.YTD.account.part0 = {json.dumps(account, indent=2)}")
    assert_post(only(path), post_id=str(BIG), user_id="7", text="hello", is_repost=True)


WEB = {
    "rest_id": str(BIG),
    "core": {"user_results": {"result": {"rest_id": str(BIG + 1), "legacy": {"screen_name": "me"}}}},
    "source": "Web",
    "legacy": {
        "created_at": V1["created_at"],
        "full_text": "cut off…",
        "lang": "en",
        "user_id_str": str(BIG + 1),
        "id_str": str(BIG),
        "is_quote_status": True,
    },
}
NOTE = {"note_tweet": {"note_tweet_results": {"result": {"text": "the whole text"}}}}


def collected(data: dict[str, Any], platform: str = "twitter.com") -> dict[str, Any]:
    """An item as Zeeschuimer writes it."""
    outside = {"id": 1, "nav_index": "1:2:3", "item_id": "5", "timestamp_collected": 1700000000000, "last_updated": 1}
    return {**outside, "source_platform": platform, "source_url": "https://x.com/", "user_agent": "M", "data": data}


def test_twitter_posts_collected_by_zeeschuimer_are_read_in_and_out_of_their_wrapping(tmp_path: Path) -> None:
    def reposting(original: dict[str, Any] | None) -> dict[str, Any]:
        result = {} if original is None else {"result": original}
        return {**WEB, "legacy": {**WEB["legacy"], "retweeted_status_result": result}}

    other = {"rest_id": "9", "legacy": {"full_text": "original"}}
    for data, text in (
        (WEB, "cut off…"),
        ({**WEB, **NOTE}, "the whole text"),
        ({"__typename": "TweetWithVisibilityResults", "tweet": WEB}, "cut off…"),
        (reposting(other), "original"),
        (reposting({"tweet": {**other, **NOTE}}), "the whole text"),
        (reposting(None), "cut off…"),
        (reposting({"__typename": "TweetTombstone"}), "cut off…"),
        ({**WEB, "legacy": {**WEB["legacy"], "retweeted_status_result": None}}, "cut off…"),
    ):
        for value in (collected(data), {**data, "__import_meta": {"item_id": "5"}}):
            row = only(lines(tmp_path / "a.ndjson", value))
            assert_post(row, text=text, post_id=str(BIG), user_id=str(BIG + 1), lang="en", is_quote=True, client="Web")
            assert row["is_repost"] == (data.get("legacy", {}).get("retweeted_status_result") is not None)
    old = {"type": "adaptive", "legacy": {**WEB["legacy"], "user_id_str": None}, "user": {"id_str": "7"}}
    assert_post(only(lines(tmp_path / "a.ndjson", collected(old))), post_id=str(BIG), user_id="7")


def test_items_of_other_platforms_are_unwrapped_or_named(tmp_path: Path) -> None:
    status = collected(STATUS, "truthsocial.com")
    rows = read(lines(tmp_path / "a.ndjson", status, '{"item_id": "6", "da', collected({"a": 1}, "truthsocial.com")))
    assert [row["problem"] for row in sorted(rows, key=lambda row: row["number"])] == [None, "not_json", "not_a_post"]
    assert_post(rows[0], post_id=STATUS["uri"])
    video = {"id": "8", "desc": "hi", "createTime": 1680696000, "author": {"id": "7"}}
    path = lines(tmp_path / "b.ndjson", collected(video, "tiktok.com"))
    with pytest.raises(PanelError, match=r"items of tiktok\.com.*author, createTime, desc, id inside `data`"):
        read(path)
    columns = {"post_id": "item_id", "user_id": "data.author.id", "created_at": "data.createTime", "text": "data.desc"}
    assert_post(only(path, columns=columns), post_id="5", user_id="7", text="hi")


# --- other platforms --------------------------------------------------------------------------------------------------


RECORD = {
    "$type": "app.bsky.feed.post",
    "text": "hello sky",
    "createdAt": "2023-04-05T12:00:00.000Z",
    "langs": ["en", "de"],
    "reply": {"parent": {"uri": "at://did:plc:x/app.bsky.feed.post/1"}},
    "embed": {"$type": "app.bsky.embed.record"},
}
URI = "at://did:plc:me/app.bsky.feed.post/3k"


def test_bluesky_jetstream_events_records_and_post_views_give_the_same_post(tmp_path: Path) -> None:
    commit = {"operation": "create", "collection": "app.bsky.feed.post", "rkey": "3k", "record": RECORD}
    author = {"did": "did:plc:me", "handle": "me.example"}
    for number, value in enumerate(
        (
            {"did": "did:plc:me", "time_us": 1, "kind": "commit", "commit": commit},
            {"uri": URI, "cid": "c", "value": RECORD},
            {"uri": URI, "cid": "c", "author": author, "record": RECORD},
            {"post": {"uri": URI, "cid": "c", "author": author, "record": RECORD}},
        )
    ):
        row = only(lines(tmp_path / f"{number}.jsonl", value))
        assert_post(
            row, post_id=URI, user_id="did:plc:me", text="hello sky", lang="en de", is_reply=True, is_quote=True
        )


def test_bluesky_likes_and_deletions_are_no_posts(tmp_path: Path) -> None:
    like = {"operation": "create", "collection": "app.bsky.feed.like", "rkey": "1", "record": {"createdAt": "x"}}
    gone = {"operation": "delete", "collection": "app.bsky.feed.post", "rkey": "1"}
    events = [{"did": "d", "time_us": 1, "kind": "commit", "commit": commit} for commit in (like, gone)]
    events.append({"did": "d", "time_us": 1, "kind": "identity", "identity": {}})
    assert {row["problem"] for row in read(lines(tmp_path / "a.jsonl", *events))} == {"not_a_post"}


STATUS = {
    "id": "109",
    "uri": "https://a.example/users/me/statuses/109",
    "created_at": "2023-04-05T12:00:00.000Z",
    "in_reply_to_id": None,
    "language": "en",
    "spoiler_text": "",
    "content": '<p>Tom &amp; Jerry<br>two</p><p><span class="h-card"><a href="https://b/@x">@<span>x</span></a></span> '
    '<a href="https://c.example/long"><span class="invisible">https://</span><span>c.example/long</span></a></p>',
    "account": {"id": "1", "acct": "me", "url": "https://a.example/@me"},
    "reblog": None,
}


def test_mastodon_html_becomes_text_with_whole_links(tmp_path: Path) -> None:
    row = only(lines(tmp_path / "a.jsonl", STATUS))
    text = "Tom & Jerry\ntwo\n\n@x https://c.example/long"
    assert_post(row, text=text, post_id=STATUS["uri"], user_id="https://a.example/@me", is_repost=False)
    boost = {**STATUS, "content": "", "reblog": {**STATUS, "content": "<p>theirs</p>", "language": "de"}}
    path = tmp_path / "list.json"
    path.write_text(json.dumps([boost, STATUS], indent=1))
    assert [(row["text"], row["is_repost"]) for row in read(path)] == [("theirs", True), (text, False)]


def test_a_personal_mastodon_archive_gives_its_own_posts_as_the_api_would(tmp_path: Path) -> None:
    actor = "https://a.example/users/me"
    note = {
        "id": STATUS["uri"],
        "type": "Note",
        "summary": "warning",
        "inReplyTo": "https://b.example/1",
        "published": "2023-04-05T12:00:00Z",
        "content": STATUS["content"],
        "contentMap": {"en": STATUS["content"]},
    }
    shared = {"actor": actor, "published": "2023-04-05T12:00:00Z"}
    boost = {**shared, "id": "x", "type": "Announce", "object": "https://b.example/users/you/statuses/1"}
    create = {**shared, "id": "y", "type": "Create", "object": note}
    outbox = {
        "@context": ["https://www.w3.org/ns/activitystreams", {"sensitive": "as:sensitive"}],
        "id": "outbox.json",
        "type": "OrderedCollection",
        "totalItems": 2,
        "orderedItems": [boost, create],
    }
    path = tmp_path / "outbox.json"
    for indent in (None, 2):
        path.write_text(json.dumps(outbox, indent=indent), encoding="utf-8")
        announced, row = read(path)
        assert announced["problem"] == "not_a_post"
        text = "warning\nTom & Jerry\ntwo\n\n@x https://c.example/long"
        assert_post(row, text=text, post_id=STATUS["uri"], user_id=actor, lang="en", is_reply=True, platform="mastodon")
    assert_post(read(lines(tmp_path / "a.jsonl", boost, create))[1], post_id=STATUS["uri"])


def test_reddit_dumps_with_their_wide_zstd_window_are_read(tmp_path: Path) -> None:
    comment = {"id": "c1", "author": "me", "created_utc": 1680696000, "body": "hi", "parent_id": "t3_s"}
    submission = {"id": "s1", "author": "me", "created_utc": "1680696000.0", "title": "T", "selftext": "[removed]"}
    gone = {**comment, "id": "c2", "author": "[deleted]", "body": "[deleted]"}
    content = "".join(json.dumps(value) + "\n" for value in (comment, submission, gone)).encode()
    wide = zstandard.ZstdCompressionParameters.from_level(3, window_log=31)
    path = tmp_path / "RC_2023-04.zst"
    with path.open("wb") as file, zstandard.ZstdCompressor(compression_params=wide).stream_writer(file) as writer:
        writer.write(content)
    with pytest.raises(zstandard.ZstdError, match="memory"):
        zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
    first, second, third = read(path)
    assert_post(first, post_id="t1_c1", user_id="me", text="hi", is_reply=True)
    assert_post(second, post_id="t3_s1", text="T", is_reply=False)
    assert third["problem"] == "deleted"


def test_telegram_exports_join_pieces_of_text_and_number_messages_per_chat(tmp_path: Path) -> None:
    message = {
        "id": 1,
        "type": "message",
        "date": "2023-04-05T15:00:00",
        "date_unixtime": "1680696000",
        "from": "Me",
        "from_id": "user7",
        "text": ["see ", {"type": "link", "text": "https://a.example"}, " ]}, end"],
    }
    service = {"id": 2, "type": "service", "date_unixtime": "1680696000", "action": "join", "text": ""}
    chats = [{"name": "A", "type": "public_supergroup", "id": n, "messages": [message, service]} for n in (11, 12)]
    path = tmp_path / "result.json"
    for export in (chats[0], {"about": "x", "chats": {"about": "y", "list": chats}}):
        path.write_text(json.dumps(export, indent=1), encoding="utf-8")
        rows = read(path)
        assert_post(rows[0], post_id="11/1", user_id="user7", text="see https://a.example ]}, end")
        assert rows[1]["problem"] == "not_a_post"
    assert rows[2]["post_id"] == "12/1"


# --- tables and the state of files ------------------------------------------------------------------------------------


TABLE = {"post_id": [str(BIG)], "user_id": ["7"], "created_at": ["2023-04-05T14:00:00+02:00"], "text": ["héllo 😀\n;x"]}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_of_any_delimiter_mark_and_line_end_reads_the_same(
    tmp_path: Path, delimiter: str, mark: bytes, end: str
) -> None:
    path = tmp_path / "a.csv"
    content = pl.DataFrame(TABLE).write_csv(separator=delimiter, line_terminator=end, quote_style="always")
    path.write_bytes(mark + content.encode())
    assert_post(only(path), post_id=str(BIG), user_id="7", text="héllo 😀\n;x", is_repost=False, platform="table")


def test_a_wrong_delimiter_that_the_study_gives_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(pl.DataFrame(TABLE).write_csv(separator=";"), encoding="utf-8")
    assert_post(only(path, delimiter=";"), post_id=str(BIG))
    with pytest.raises(
        PanelError, match=r"a\.csv: panel\.delimiter is ',', but .* set panel\.delimiter to ';'"
    ) as caught:
        read(path, delimiter=",")
    assert "\n" not in str(caught.value)
    unusual = tmp_path / "b.csv"
    unusual.write_text(path.read_text().replace(";x", "-x").replace(";", "^"), encoding="utf-8")
    assert_post(only(unusual, delimiter="^"), user_id="7")
    with pytest.raises(PanelError, match=r"b\.csv: has no column 'post_id'"):
        read(unusual)


@pytest.mark.parametrize("how", ["plain", "gzip", "zstd", "two gzip members"])
def test_compression_is_told_by_the_first_bytes_and_not_by_the_name(tmp_path: Path, how: str) -> None:
    content = (json.dumps(V1) + "\n").encode()
    pack = {
        "plain": bytes,
        "gzip": gzip.compress,
        "zstd": zstandard.compress,
        "two gzip members": lambda data: gzip.compress(data[:100]) + gzip.compress(data[100:]),
    }[how]
    path = tmp_path / "posts"
    path.write_bytes(pack(content))
    assert_post(only(path), text="cut off…")


def test_times_in_every_common_form_are_the_same_moment(tmp_path: Path) -> None:
    forms = [
        "2023-04-05T12:00:00Z", "2023-04-05 12:00:00+00:00", "2023-04-05 13:00:00+0100", "2023-04-05 12:00:00 UTC",
        "2023-04-05T12:00:00.000000Z", "Wed Apr 05 12:00:00 +0000 2023", "1680696000", "1680696000000", "1680696000.0",
    ]  # fmt: skip
    frame = pl.DataFrame({"post_id": range(len(forms)), "user_id": "7", "created_at": forms, "text": "x"})
    frame.write_csv(tmp_path / "a.csv")
    assert [row["created_us"] for row in read(tmp_path / "a.csv")] == [APRIL_5] * len(forms)
    naive = frame.head(1).with_columns(created_at=pl.lit("2023-04-05 08:00:00"))
    naive.write_csv(tmp_path / "b.csv")
    assert only(tmp_path / "b.csv")["problem"] == "no_zone"
    assert_post(only(tmp_path / "b.csv", source_timezone="America/New_York"))


def test_parquet_with_times_and_integer_ids_reads_like_text(tmp_path: Path) -> None:
    frame = pl.DataFrame(TABLE).with_columns(
        post_id=pl.lit(BIG), created_at=pl.lit("2023-04-05T12:00:00").str.to_datetime(time_zone="UTC"), is_repost=True
    )
    frame.write_parquet(tmp_path / "a.parquet")
    assert_post(only(tmp_path / "a.parquet"), post_id=str(BIG), is_repost=True, is_reply=False)
    frame.with_columns(pl.col("created_at").dt.replace_time_zone(None)).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(PanelError, match=r"panel\.source_timezone"):
        read(tmp_path / "b.parquet")
    assert_post(only(tmp_path / "b.parquet", source_timezone="UTC"))


def test_ids_that_went_through_a_float_are_refused(tmp_path: Path) -> None:
    pl.DataFrame(TABLE).with_columns(post_id=pl.lit(float(BIG))).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(PanelError, match=r"a\.parquet: the column 'post_id' holds ids as double"):
        read(tmp_path / "a.parquet")


def test_columns_are_called_as_the_study_says_and_nested_fields_with_dots(tmp_path: Path) -> None:
    value = {"pid": BIG, "who": {"name": "me"}, "when": "2023-04-05T12:00:00Z", "what": "hi"}
    columns = {"post_id": "pid", "user_id": "who.name", "created_at": "when", "text": "what"}
    assert_post(only(lines(tmp_path / "a.jsonl", value), columns=columns), post_id=str(BIG), user_id="me", text="hi")
    with pytest.raises(PanelError, match=r"has no column 'whom'"):
        read(tmp_path / "a.jsonl", columns={**columns, "user_id": "whom"})


def test_bytes_that_are_not_utf8_and_nul_characters_cost_the_character_and_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    line = json.dumps({**V1, "text": "a b c"}).encode()
    path.write_bytes(line.replace(b"a b", b"a \xff") + b"\n" + line.replace(b"a b", b"a \\u0000b") + b"\r\n\n  \n")
    with panel.connect(1, "500MB") as connection:
        chunks = list(panel.read_posts(path, Panel(paths=(path,)), connection))
    rows = [row for chunk in chunks for row in chunk.posts.to_pylist()]
    assert [row["text"] for row in rows] == ["a \ufffd c", "a b c"]
    assert chunks[0].repaired == {"invalid_utf8": 1, "nul": 1}


def test_text_columns_of_parquet_that_are_not_utf8_are_mended_and_counted(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    stored = pa.array([b"a \xff c", b"fine", None], pa.binary())
    path = tmp_path / "a.parquet"
    for text in (stored, pa.Array.from_buffers(pa.string(), 3, stored.buffers())):
        moments = pa.array([APRIL_5] * 3, pa.timestamp("us", "UTC"))
        columns = {"post_id": ["1", "2", "3"], "user_id": ["7"] * 3, "created_at": moments, "text": text}
        pq.write_table(pa.table(columns), path)
        with panel.connect(1, "500MB") as connection:
            chunk = next(panel.read_posts(path, Panel(paths=(path,)), connection))
        assert chunk.posts["text"].to_pylist() == ["a \ufffd c", "fine", None]
        assert chunk.repaired == {"invalid_utf8": 1}


def test_a_line_of_thirty_megabytes_is_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        json.dumps(V1).encode() + b"\n" + b'{"text": "' + b"x" * (30 << 20) + b'"}\n' + json.dumps(V1).encode()
    )
    with panel.connect(1, "500MB") as connection:
        chunks = list(panel.read_posts(path, Panel(paths=(path,)), connection))
    assert sum(chunk.posts.num_rows for chunk in chunks) == 2
    assert [chunk.lost for chunk in chunks if chunk.lost] == [{"too_long": 1}]


def test_a_csv_row_with_too_many_fields_is_lost_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("post_id,user_id,created_at,text\n1,2,1680696000,a,b\n3,4,1680696000,fine\n")
    with panel.connect(1, "500MB") as connection:
        chunks = list(panel.read_posts(path, Panel(paths=(path,)), connection))
    assert [row["text"] for chunk in chunks for row in chunk.posts.to_pylist()] == ["fine"]
    assert [chunk.lost for chunk in chunks if chunk.lost] == [{"bad_row": 1}]


def test_folders_and_globs_are_searched_and_a_name_without_files_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    first, second = lines(tmp_path / "in" / "b.jsonl", V1), lines(tmp_path / "in" / "deep" / "a.jsonl", V1)
    lines(tmp_path / "in" / ".hidden.jsonl", V1)
    assert panel.find_files([tmp_path / "in"]) == [first, second]
    assert panel.find_files([tmp_path / "in" / "**" / "*.jsonl", first]) == [first, second]
    (tmp_path / "empty").mkdir()
    with pytest.raises(PanelError, match="is an empty folder"):
        panel.find_files([tmp_path / "empty"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04zip", "zip archive"),
        ("é,è".encode("utf-16-le") * 40, "UTF-8: set panel.encoding"),
        (b'{"a": 1}\n', "no layout we know"),
        (b'[{"id": "1", "author_id": "2", "text": "x"}, {"id": ', "before its list is closed"),
        (b"PAR1 and nothing else", "no readable Parquet"),
    ],
)
def test_files_of_no_known_kind_say_what_they_are(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(content)
    with pytest.raises(PanelError, match=message):
        read(path)


@pytest.mark.parametrize("name", [name for name in resources.names("queries") if name.startswith(("panel_", "weeks_"))])
def test_every_query_says_what_it_takes_and_gives_and_is_one_select(name: str) -> None:
    import duckdb

    text = resources.text("queries", name)
    header = "".join(line for line in text.splitlines(keepends=True) if line.startswith("--"))
    for word in ("Takes", "Grain", "Columns"):
        assert f"-- {word} " in header
    statements = duckdb.extract_statements(text)
    assert [statement.type for statement in statements] == [duckdb.StatementType.SELECT]
    assert all(f"${parameter}" in header for parameter in statements[0].named_parameters)
