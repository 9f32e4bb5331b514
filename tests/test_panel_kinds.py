"""One kind of panel a test: what people really hold comes out right (ids, UTC times, texts, flags) or is refused."""

from __future__ import annotations

import gzip
import json
import re
import resource
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard
from panel_fixtures import FIXTURES
from raw_posts import build, posts, study, texts, tweet, write_lines

from temporal_adapters.ground.errors import PanelError, TemporalAdaptersError, WeeksError
from temporal_adapters.stages import panel, weeks
from temporal_adapters.stages.panel.breaks import language_breaks, volume_breaks
from temporal_adapters.stages.panel.examine import decoded_once
from temporal_adapters.stages.panel.moments import parse
from temporal_adapters.stages.panel.platforms import PLATFORMS
from temporal_adapters.stages.panel.times import shape
from temporal_adapters.study.artifacts import RunFolder
from temporal_adapters.study.config.panel import Format, Panel

NOON = 1_680_696_000_000_000
"""2023-04-05 12:00:00 UTC in microseconds."""

ID = 1_643_587_961_234_567_891


def read(path: Path, day_zone: str | None = None, **settings: Any) -> list[dict[str, Any]]:
    settings_of = Panel.model_validate({"paths": [str(path)], **settings})
    with panel.connect(1, "500MB") as connection:
        chunks = panel.read_posts(path, settings_of, connection, day_zone)
        return [row for chunk in chunks for row in chunk.posts.to_pylist()]


def table(path: Path, rows: list[dict[str, Any]], **options: Any) -> Path:
    pl.DataFrame(rows).write_csv(path, **options)
    return path


def row(number: int = 0, **more: Any) -> dict[str, Any]:
    own = {"post_id": str(ID + number), "user_id": "u7", "created_at": "2023-04-05T12:00:00Z", "text": f"post {number}"}
    return {**own, **more}


# --- ids --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        lambda n: f"{ID + n * 7_919:.5E}",
        lambda n: f"{ID + n * 7_919:.5E}".replace(".", ","),
        lambda n: str((ID + n * 7_919) // 10_000 * 10_000),
        lambda n: f"{float(ID + n * 7_919):.1f}",
        lambda n: str(int(float(ID + n * 7_919_391_101))),
    ],
    ids=["exponent", "exponent with a decimal comma", "fifteen digits", "float with .0", "float as a whole number"],
)
@pytest.mark.parametrize("column", ["post_id", "user_id"])
def test_ids_that_lost_digits_are_refused_with_their_count_and_the_cure(
    tmp_path: Path, written: Any, column: str
) -> None:
    path = table(tmp_path / "a.csv", [row(n, **{column: written(n)}) for n in range(40)])
    with pytest.raises(PanelError, match=rf"40 of 40 records \({column} .*export the file again with ids as text"):
        build(tmp_path, path)


def test_ids_that_only_gained_point_zero_or_an_x_are_mended_and_counted(tmp_path: Path) -> None:
    made = [row(n, post_id=f"{123_456 + n}.0", user_id="x900000000000000101") for n in range(5)]
    facts = build(tmp_path, table(tmp_path / "a.csv", made), panel={"pseudonyms": False}).facts
    assert facts["repaired"] == {"id_with_point_zero": 5, "id_with_x": 5}
    assert sorted(posts(tmp_path)["post_id"]) == [str(123_456 + n) for n in range(5)]
    assert set(posts(tmp_path)["user_id"]) == {"900000000000000101"}


def test_a_time_that_only_lacks_its_zone_is_not_called_unreadable(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", [row(n, created_at="2023-04-05T12:00:00") for n in range(9)])
    with pytest.raises(PanelError, match=r"created_at '2023-04-05T12:00:00' has a time without a zone: set panel.sour"):
        build(tmp_path, path)


def test_sound_ids_of_every_platform_are_left_alone(tmp_path: Path) -> None:
    counters = [
        row(n, post_id=str((ID >> 22) + n << 22)) for n in range(50)
    ]  # a counter that is always 0, as Discord's
    names = [row(n, post_id=f"1e{n}abc", user_id="dave.e") for n in range(50)]
    for number, made in enumerate((counters, names)):
        found = read(table(tmp_path / f"{number}.csv", made))
        assert [one["post_id"] for one in found] == [one["post_id"] for one in made]
        build(tmp_path / str(number), tmp_path / f"{number}.csv")


def test_rows_without_ids_are_numbered_or_keyed_with_their_source(tmp_path: Path) -> None:
    made = [
        {"chat": f"c{n % 2}", "id": n // 2, "who": "a", "when": "2023-04-05T12:00:00Z", "what": f"t{n}"}
        for n in range(4)
    ]
    columns = {"user_id": "who", "created_at": "when", "text": "what"}
    path = table(tmp_path / "a.csv", made)
    joined = read(path, columns={**columns, "post_id": ["chat", "id"]})
    assert [one["post_id"] for one in joined] == ["c0/0", "c1/0", "c0/1", "c1/1"]
    first = [one["post_id"] for one in read(path, columns={**columns, "post_id": "auto"})]
    (tmp_path / "moved").mkdir()
    again = [
        one["post_id"]
        for one in read(path.rename(tmp_path / "moved" / "b.csv"), columns={**columns, "post_id": "auto"})
    ]
    assert len(set(first)) == 4
    assert first == again


def test_an_id_with_another_author_text_and_time_is_another_post(tmp_path: Path) -> None:
    made = [
        row(
            0,
            post_id=str(n // 4),
            user_id=f"u{n % 4}",
            text=f"a different text number {n}",
            created_at=f"2023-04-05T12:00:{n:02}Z",
        )
        for n in range(8)
    ]
    path = table(tmp_path / "a.csv", made)
    with pytest.raises(WeeksError, match=r"6 of 8 posts have an id .*post_id: \[chat, id\]"):
        build(tmp_path, path)
    keyed = {**{name: name for name in ("created_at", "text", "user_id")}, "post_id": ["user_id", "post_id"]}
    assert build(tmp_path, path, panel={"columns": keyed}).facts["n_posts"] == 8


# --- marks, flags, languages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["NA", "NaN", "None", "NULL", "", "[]", "0.0", "0", "FALSE", "no", "<NA>"])
def test_a_mark_of_no_value_is_no_flag_and_a_text_stays_a_text(tmp_path: Path, mark: str) -> None:
    made = [row(0, is_repost=mark, is_reply=mark, text=mark or "x"), row(1, is_repost="77", is_reply="yes", text="y")]
    first, second = read(table(tmp_path / "a.csv", made, quote_style="always"))
    assert (first["is_repost"], first["is_reply"], first["text"]) == (False, False, mark or "x")
    assert (second["is_repost"], second["is_reply"]) == (True, True)


def test_marks_are_no_ids_no_users_and_no_languages_and_the_study_names_its_own(tmp_path: Path) -> None:
    made = [row(0, user_id="NA", lang="NA"), row(1, user_id="-", lang="en")]
    path = table(tmp_path / "a.csv", made)
    assert [(one["user_id"], one["lang"]) for one in read(path)] == [(None, None), ("-", "en")]
    assert [one["user_id"] for one in read(path, missing=["-"])] == ["NA", None]


def test_languages_hold_by_primary_subtag_and_by_one_of_a_list(tmp_path: Path) -> None:
    tags = ["en", "en-GB", "EN_us", "de,en", '["fr", "en-US"]', "de", "eng", None]
    made = [row(n, lang=tag, text=str(tag)) for n, tag in enumerate(tags)]
    facts = build(tmp_path, table(tmp_path / "a.csv", made), languages=["en"]).facts
    assert facts["dropped"] == {"language": 3}
    assert sorted(texts(tmp_path)) == sorted(str(tag) for tag in tags[:5])


# --- times ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2018-11-06 11:26:33 +08:00", "2018-11-06T03:26:33"),
        ("2018-11-06 11:26:33 -0400", "2018-11-06T15:26:33"),
        ("Tue, 06 Nov 2018 11:26:33 EST", "2018-11-06T16:26:33"),
        ("Tue, 6 Nov 2018 11:26:33 +0100", "2018-11-06T10:26:33"),
        ("Tue Nov 06 11:26:33 PST 2018", "2018-11-06T19:26:33"),
        ("2018/11/06 11:26 UTC", "2018-11-06T11:26:00"),
        ("2018-11-06T11:26:33.123456789Z", "2018-11-06T11:26:33"),
        ("2018-11-06 11:26:33 +0000 UTC", "2018-11-06T11:26:33"),
        ("2018-11-06T11:26:33+01:00[Europe/Berlin]", "2018-11-06T10:26:33"),
        ("2018-11-06 11:26:33 Europe/Berlin", "2018-11-06T10:26:33"),
        ("20181106T112633Z", "2018-11-06T11:26:33"),
        ("1541503593000000000", "2018-11-06T11:26:33"),
        ("1.541503593e+12", "2018-11-06T11:26:33"),
    ],
)
def test_times_with_a_zone_in_every_usual_form(text: str, utc: str) -> None:
    found = parse(text)
    assert found.utc_us is not None
    assert datetime.fromtimestamp(found.utc_us / 1e6, UTC).isoformat(timespec="seconds")[:19] == utc


@pytest.mark.parametrize(
    "text", ["2018-11-06 11:26:33 IST", "2018-11-06 11:26:33 CST", "32/13/2018", "2018-11-06 25:00", "43410.5", "x"]
)
def test_a_zone_of_several_meanings_and_what_is_no_time_are_never_guessed(text: str) -> None:
    found = parse(text)
    assert (found.utc_us, found.local_us, found.day_us) == (None, None, None)


def test_day_and_month_are_told_apart_by_the_file_or_refused(tmp_path: Path) -> None:
    told = [row(n, created_at=f"{day}/04/2023 12:00") for n, day in enumerate(("05", "25"))]
    untold = [row(n, created_at=f"{day}/04/2023 12:00") for n, day in enumerate(("05", "06"))]
    assert read(table(tmp_path / "a.csv", told), source_timezone="UTC")[0]["created_us"] == NOON
    with pytest.raises(PanelError, match=r"'05/04/2023 12:00' \(day or month first\? set panel.date_format"):
        build(tmp_path, table(tmp_path / "b.csv", untold), panel={"source_timezone": "UTC"})
    named = read(tmp_path / "b.csv", source_timezone="UTC", date_format="%d/%m/%Y %H:%M")
    assert named[0]["created_us"] == NOON


def test_a_day_without_a_time_counts_for_the_zone_of_the_study(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", [row(0, created_at="2023-04-03"), row(1, created_at="2023-04-02")])
    first, second = read(path, "America/New_York")
    assert first["created_us"] == NOON - 56 * 3_600_000_000  # midnight there is 04:00 UTC
    manifest = build(tmp_path, path, timezone="America/New_York")
    assert [week["label"] for week in manifest.facts["weeks"]] == ["2023-W13", "2023-W14"]
    assert second["problem"] is None
    mixed = table(tmp_path / "b.csv", [*(row(n) for n in range(3)), row(9, created_at="2023-04-03")])
    assert [one["problem"] for one in read(mixed)] == [None, None, None, "bad_date"]


def test_spreadsheet_days_are_refused_with_the_cure_and_read_where_it_is_followed(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", [row(0, created_at="45021.5")])
    with pytest.raises(PanelError, match="date_format: excel"):
        build(tmp_path, path, panel={"source_timezone": "UTC"})
    assert read(path, source_timezone="UTC", date_format="excel")[0]["created_us"] == NOON


@pytest.mark.parametrize("layout", ["twitter-v1", "twitter-v2", "mastodon", "telegram"])
def test_the_zone_that_the_study_names_holds_in_every_layout(tmp_path: Path, layout: str) -> None:
    local = "2023-04-05 08:00:00"
    made = {
        "twitter-v1": tweet(1, created_at=local),
        "twitter-v2": {"id": "1", "author_id": "2", "created_at": local, "text": "x"},
        "mastodon": {"id": "1", "account": {"id": "2"}, "created_at": local, "content": "x"},
        "telegram": {"id": 1, "type": "message", "date": local, "from": "a", "from_id": "user2", "text": "x"},
    }[layout]
    value = {"name": "chat", "id": 5, "messages": [made]} if layout == "telegram" else made
    path = write_lines(tmp_path / "a.json", value)
    assert read(path)[0]["problem"] == "no_zone"
    assert read(path, source_timezone="America/New_York")[0]["created_us"] == NOON


def test_milliseconds_of_pandas_are_read_in_every_layout_and_1970_never_comes_out(tmp_path: Path) -> None:
    for number, value in enumerate(
        (
            tweet(1, created_at=NOON // 1000),
            {"id": "1", "author_id": "2", "created_at": NOON // 1000, "text": "x"},
            {"id": "c", "author": "me", "created_utc": NOON // 1000, "body": "x"},
        )
    ):
        assert read(write_lines(tmp_path / f"{number}.jsonl", value))[0]["created_us"] == NOON
    odd = [
        row(n, created_at=text)
        for n, text in enumerate(("12345", "0", "-5", "99999999999999999999", "2087-01-01T00:00:00Z"))
    ]
    assert {one["problem"] for one in read(table(tmp_path / "a.csv", odd))} == {"bad_date"}


# --- tables -----------------------------------------------------------------------------------------------------------


def test_a_quote_that_swallows_rows_is_read_as_a_character_or_refused(tmp_path: Path) -> None:
    lines = ["\t".join(("post_id", "user_id", "created_at", "text"))]
    lines += [
        "\t".join((str(n), "u", "2023-04-05T12:00:00Z", f'"post {n}' if n % 9 == 3 else f"post {n}")) for n in range(40)
    ]
    path = tmp_path / "a.tsv"
    path.write_text("\n".join(lines) + "\n")
    assert [one["text"] for one in read(path)][3] == '"post 3'
    assert len(read(path)) == 40
    with pytest.raises(PanelError, match="hold whole rows inside one field"):
        build(tmp_path, path, panel={"quote": '"'})


def test_quotes_behind_a_backslash_are_told_and_backslashes_elsewhere_stay(tmp_path: Path) -> None:
    head = '"post_id","user_id","created_at","text"\n'
    escaped = (
        head + '"1","u","2023-04-05T12:00:00Z","she said \\"a, b\\" then"\n"2","u","2023-04-05T12:00:00Z","fine"\n'
    )
    doubled = (
        head + '"1","u","2023-04-05T12:00:00Z","she said ""a, b"" C:\\new"\n"2","u","2023-04-05T12:00:00Z","a \\ b"\n'
    )
    for name, content, expected in (("a", escaped, 'she said "a, b" then'), ("b", doubled, 'she said "a, b" C:\\new')):
        (tmp_path / f"{name}.csv").write_text(content)
        assert read(tmp_path / f"{name}.csv")[0]["text"] == expected


def test_a_wrong_encoding_is_refused_and_the_named_one_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    content = pl.DataFrame([row(n, text="über für größer") for n in range(5)]).write_csv()
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(PanelError, match=r"5 of 5 records have damaged characters .*latin-1 or windows-1252"):
        build(tmp_path, path)
    assert read(path, encoding="latin-1")[0]["text"] == "über für größer"
    path.write_bytes(content.encode("utf-16"))
    assert read(path)[0]["text"] == "über für größer"


def test_texts_that_were_encoded_twice_are_mended_and_sound_ones_are_not() -> None:
    for text in ("Größe café 😀", "don’t – “so”", "naïve", "Ça va"):
        assert decoded_once(text.encode().decode("latin-1")) == text
    assert decoded_once("don’t".encode().decode("cp1252")) == "don’t"
    for text in ("Größe café 😀", "ÂÃ", "GRÄ…", "plain"):
        assert decoded_once(text) is None


def test_a_table_without_names_of_columns_is_read_by_number_and_shown_to_nobody(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{ID},Wed Apr 05 05:00:00 PDT 2023,NO_QUERY,secret_name,a secret text\n" * 3)
    with pytest.raises(PanelError, match=r"panel\.header: false") as caught:
        read(path)
    assert not re.search(rf"secret|{ID}", str(caught.value))
    found = read(path, header=False, columns={"post_id": 1, "user_id": 4, "created_at": 2, "text": 5})
    assert (found[0]["post_id"], found[0]["text"], found[0]["created_us"]) == (str(ID), "a secret text", NOON)
    with pytest.raises(PanelError, match="column 9, but there are 5"):
        read(path, header=False, columns={"post_id": 9, "user_id": 4, "created_at": 2, "text": 5})


def test_excels_line_about_the_delimiter_is_understood(tmp_path: Path) -> None:
    content = pl.DataFrame([row(n) for n in range(3)]).write_csv(separator=";")
    (tmp_path / "a.csv").write_text("sep=;\r\n" + content)
    assert len(read(tmp_path / "a.csv")) == 3


def test_what_the_user_names_wins_over_what_is_known(tmp_path: Path) -> None:
    value = {"id": "1", "author_id": "2", "created_at": "2023-04-05T12:00:00Z", "text": "cut…", "full_text": "whole"}
    columns = {"post_id": "id", "user_id": "author_id", "created_at": "created_at", "text": "full_text"}
    path = write_lines(tmp_path / "a.jsonl", value)
    assert read(path)[0]["text"] == "cut…"
    assert read(path, columns=columns)[0]["text"] == "whole"
    with pytest.raises(PanelError, match=r"layout twitter-v2 has its own.*panel\.format: table"):
        read(path, columns={"text": "full_text"})
    deep = write_lines(tmp_path / "b.json", {"meta": {}, "a": {"b": [value]}})
    assert read(deep, inner="a.b[*]", columns=columns)[0]["text"] == "whole"


# --- layouts ----------------------------------------------------------------------------------------------------------


def test_edits_keep_the_last_version_only(tmp_path: Path) -> None:
    own = {"author_id": "7", "created_at": "2023-04-05T12:00:00Z", "edit_history_tweet_ids": ["1", "2"]}
    made = [{**own, "id": "1", "text": "a speling"}, {**own, "id": "2", "text": "a spelling"}]
    facts = build(tmp_path, write_lines(tmp_path / "a.jsonl", *made)).facts
    assert facts["dropped"] == {"old_version": 1}
    assert texts(tmp_path) == ["a spelling"]


def test_posts_of_pages_are_completed_from_the_file_beside_and_it_is_no_panel(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    repost = {"id": "1", "author_id": "7", "created_at": "2023-04-05T12:00:00Z", "text": "RT @x: cut…",
              "referenced_tweets": [{"type": "retweeted", "id": "5"}]}  # fmt: skip
    write_lines(folder / "data_1.json", [repost])
    users = write_lines(folder / "users_1.json", {"users": [{"id": "9"}], "tweets": [{"id": "5", "text": "whole"}]})
    first = build(tmp_path, folder)
    assert (texts(tmp_path), first.facts["left_out_files"]) == (["whole"], ["users_1.json"])
    write_lines(users, {"users": [], "tweets": [{"id": "5", "text": "another whole"}]})
    assert build(tmp_path, folder).key != first.key  # what lies beside is part of what the posts are
    assert texts(tmp_path) == ["another whole"]
    users.unlink()
    assert build(tmp_path, folder).facts["noted"] == {"cut_text": 1}


def test_an_archive_takes_long_posts_from_beside_and_never_deleted_ones(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    post = {"tweet": {"id_str": "1", "created_at": "Wed Apr 05 12:00:00 +0000 2023", "full_text": "long…"}}
    gone = {"tweet": {"id_str": "2", "created_at": "Wed Apr 05 12:00:00 +0000 2023", "full_text": "gone"}}
    note = {"noteTweet": {"noteTweetId": "1", "core": {"text": "long and whole"}}}
    for name, key, value in (
        ("tweets.js", "tweets", post), ("deleted-tweets.js", "deleted_tweets", gone),
        ("note-tweet.js", "note_tweet", note),
        ("account.js", "account", {"account": {"accountId": "7"}}), ("like.js", "like", {"like": {"tweetId": "3"}}),
    ):  # fmt: skip
        (folder / name).write_text(f"window.YTD.{key}.part0 = {json.dumps([value], indent=1)}")
    build(tmp_path, folder)
    assert texts(tmp_path) == ["long and whole"]


def test_a_layout_that_changes_half_way_is_refused_unless_it_is_known(tmp_path: Path) -> None:
    def item(data: dict[str, Any]) -> dict[str, Any]:
        return {"item_id": data["rest_id"], "source_platform": "twitter.com", "data": data}

    core = {"user_results": {"result": {"rest_id": "7"}}}
    old = [
        item(
            {
                "rest_id": str(n),
                "core": core,
                "legacy": {"created_at": "Wed Apr 05 12:00:00 +0000 2023", "full_text": "x"},
            }
        )
        for n in range(1, 5)
    ]
    new = [item({"rest_id": "8", "core": core, "details": {"created_at_ms": NOON // 1000, "full_text": "y"}})]
    unknown = [item({"rest_id": "9", "core": core, "content": {"words": "z"}})]
    found = read(write_lines(tmp_path / "a.ndjson", *old, *new))
    assert [(one["text"], one["created_us"]) for one in found] == [("x", NOON)] * 4 + [("y", NOON)]
    with pytest.raises(PanelError, match="unknown_layout"):
        build(tmp_path, write_lines(tmp_path / "b.ndjson", *old, *unknown))


def test_4cat_maps_forwards_quotes_replies_subjects_and_walls(tmp_path: Path) -> None:
    own = {"id": "1", "thread_id": "1", "author": "a", "timestamp": "2023-04-05 12:00:00"}
    telegram = table(tmp_path / "a.csv", [{**own, "body": "x", "is_reply": "no", "author_forwarded_from_id": "",
                                           "author_forwarded_from_name": "b"}])  # fmt: skip
    found = read(telegram, format="4cat")[0]
    assert (found["is_repost"], found["is_reply"], found["created_us"]) == (True, False, NOON)
    subject = read(
        table(
            tmp_path / "b.csv", [{**own, "subject": "S", "body": "B"}, {**own, "id": "2", "subject": "S2", "body": ""}]
        )
    )
    assert [one["text"] for one in subject] == ["S\n\nB", "S2"]
    wall = {**own, "author_id": "9", "body": "x", "item_type": "post", "author_type": "user"}
    walls = table(tmp_path / "c.csv", [{**wall, "link": f"https://vk.example/wall-{n}_1"} for n in range(2)])
    assert len({one["post_id"] for one in read(walls)}) == 2


def test_removal_notices_are_no_posts_and_entities_are_turned_once(tmp_path: Path) -> None:
    own = {"author": "me", "created_utc": 1680696000}
    bodies = [
        "[removed]",
        "[ Removed by Reddit ]",
        "[deleted]",
        "&amp;#x200B; it&#8217;s &amp;lt;b&amp;gt; &gt;",
        "a &amp;amp; b",
    ]
    made = [{**own, "id": f"c{n}", "body": body} for n, body in enumerate(bodies)]
    facts = build(tmp_path, write_lines(tmp_path / "a.jsonl", *made)).facts
    assert facts["dropped"] == {"deleted": 3}
    assert sorted(texts(tmp_path)) == sorted(["\u200b it’s <b> >", "a & b"])
    folder = tmp_path / "b"
    folder.mkdir()
    spelled = ["&eacute;&#233;&#xE9;", "?a=1&copy=2", "&amp;lt;", "&hashtag; &#35;tag"]
    build(folder, write_lines(folder / "a.jsonl", *(tweet(n, text=text) for n, text in enumerate(spelled))))
    assert sorted(texts(folder)) == sorted(["ééé", "?a=1&copy=2", "&lt;", "&hashtag; tag"])


def test_every_format_that_a_study_may_name_is_one_platform_with_its_fixtures() -> None:
    from typing import get_args

    assert {platform.name for platform in PLATFORMS} == set(get_args(Format)) - {"auto"}
    assert all(platform.queries or platform.columns for platform in PLATFORMS)
    assert set(FIXTURES) == {(platform.name, version) for platform in PLATFORMS for version in platform.fixtures}


@pytest.mark.parametrize(("name", "version"), list(FIXTURES))
def test_every_dated_version_of_a_platform_is_told_and_read(tmp_path: Path, name: str, version: str) -> None:
    file, content, others, post = FIXTURES[name, version]
    for other, text in {file: content, **others}.items():
        (tmp_path / other).write_text(text)
    settings = Panel.model_validate({"paths": [str(tmp_path / file)], "source_timezone": "UTC"})
    assert panel.detect(tmp_path / file, settings)[1] == name
    for more in ({}, {"format": name}):
        found = read(tmp_path / file, source_timezone="UTC", **more)
        assert [one["problem"] for one in found] == [None]
        assert (found[0]["created_us"], {key: found[0][key] for key in post}) == (NOON, post)


# --- bounds -----------------------------------------------------------------------------------------------------------


def test_json_nested_beyond_sense_is_one_corrupt_record(tmp_path: Path) -> None:
    deep = '{"id_str": ' + "[" * 100_000 + "]" * 100_000 + "}"
    rows = read(write_lines(tmp_path / "a.jsonl", tweet(1), deep, tweet(2)))
    assert [one["problem"] in panel.CORRUPT for one in sorted(rows, key=lambda one: one["number"])] == [
        False,
        True,
        False,
    ]
    (tmp_path / "b.json").write_text(f"[{json.dumps(tweet(1))}, {deep}, {json.dumps(tweet(2))}]")
    assert sorted(str(one["problem"]) for one in read(tmp_path / "b.json")) == ["None", "None", "not_json"]


@pytest.mark.parametrize("kind", ["zstd", "gzip"])
def test_a_small_file_that_unpacks_to_gigabytes_is_refused_in_little_memory(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.jsonl.z"
    first, block = json.dumps(tweet(1)).encode() + b"\n", b"x" * (1 << 20)
    if kind == "zstd":
        with path.open("wb") as file, zstandard.ZstdCompressor(level=3).stream_writer(file) as writer:
            writer.write(first)
            for _ in range(4096):
                writer.write(block)
    else:
        with gzip.open(path, "wb", compresslevel=1) as file:
            file.write(first)
            for _ in range(1024):
                file.write(block)
    assert path.stat().st_size < 6 << 20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(PanelError, match=r"panel\.max_expansion"):
        read(path, max_expansion=20)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_500_000  # kB


# --- privacy ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "post_id,user_id,created_at,text\n{ID},secret_name,a secret,1680696000\n"),
        ("b.csv", "{ID};secret_name;1680696000;a secret\n" * 3),
        ("c.jsonl", '{{"id": {ID}, "name": "secret_name", "words": "a secret"}}\n'),
        ("d.json", '[{{"id": {ID}, "author_id": "secret_name", "created_at": "a secret", "text": "a secret"}}]'),
        ("e.json", '{{"{ID}": "secret_name", "x": "a secret"}}'),
        ("f.txt", "secret_name wrote a secret under {ID}\nsecond line\n"),
        (
            "h.jsonl",
            '{{"id_str": "{ID}", "created_at": "x", "text": "a secret", "user": {{"id_str": "secret_name"}}}}\n',
        ),
    ],
)
def test_no_message_holds_a_text_an_id_or_an_author(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content.replace("{ID}", str(ID)).replace("{{", "{").replace("}}", "}"))
    with pytest.raises(TemporalAdaptersError) as caught:
        build(tmp_path, path)
    assert not re.search(rf"secret|{ID}", str(caught.value)), str(caught.value)
    assert not re.search(rf"secret|{ID}", str(caught.value.__cause__ or ""))


def test_a_time_in_a_message_is_a_time_and_a_file_named_after_a_post_is_not_named(tmp_path: Path) -> None:
    assert shape("2023-04-05 12:61") == "2023-04-05 12:61"
    assert shape(f"{ID} said hello world") == "<19 digits> xxx xxx xxx"
    folder = tmp_path / "tweets"
    folder.mkdir()
    (folder / f"{ID}.json").write_text('{"a": 1}')
    with pytest.raises(PanelError, match=r"tweets/<19 digits>\.json") as caught:
        build(tmp_path, folder)
    assert str(ID) not in str(caught.value)
    write_lines(folder / f"{ID}.json", tweet(1))
    assert str(ID) not in json.dumps(build(tmp_path, folder).inputs)


# --- taking posts out -------------------------------------------------------------------------------------------------


def test_named_ids_and_users_are_left_out_and_a_changed_list_builds_anew(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", [row(n, user_id=f"u{n % 3}") for n in range(9)])
    (tmp_path / "ids.txt").write_text(f"id\n{ID}\n")
    (tmp_path / "users.txt").write_text("u1\n")
    lists = {"drop_ids": str(tmp_path / "ids.txt"), "drop_users": str(tmp_path / "users.txt")}
    first = build(tmp_path, path, panel=lists)
    assert first.facts["dropped"] == {"left_out": 4}
    (tmp_path / "ids.txt").write_text(f"{ID}\n{ID + 2}\n")
    assert build(tmp_path, path, panel=lists).facts["dropped"] == {"left_out": 5}


@pytest.mark.parametrize("pseudonyms", [True, False])
def test_forgetting_rebuilds_the_weeks_lists_what_learned_and_erases_every_copy(
    tmp_path: Path, pseudonyms: bool
) -> None:
    day = [f"2023-04-{3 + n:02}T12:00:00Z" for n in range(12)]
    path = table(tmp_path / "a.csv", [row(n, created_at=day[n], text=f"needle {n}") for n in range(12)])
    settings, run = {"pseudonyms": pseudonyms}, RunFolder(tmp_path / "run")
    own = study(path, panel=settings)
    weeks.build(own, run)
    for week in ("2023-W14", "2023-W15"):
        for folder in (run.adapter(week, 42), run.tokens(week), run.logprobs("q", f"{week}/seed-42")):
            folder.mkdir(parents=True)
            (folder / "x").write_text("learned")
    run.answers.mkdir()
    (run.root / "weeks.stale-abc").mkdir()
    (run.root / "weeks.stale-abc" / "2023-W14.parquet").write_text("needle 0")
    asked = weeks.read_ids(write_lines(tmp_path / "ids.txt", str(ID), str(ID + 1)), "--ids")
    rebuild = lambda: weeks.build(own, run)  # noqa: E731
    found = weeks.forget(own, run, asked, frozenset(), erase=False, build=rebuild)
    assert (found.n_posts, found.weeks, found.erased) == (2, ("2023-W14",), ())
    assert run.adapters / "2023-W14" in found.learned
    assert run.adapters / "2023-W15" not in found.learned
    assert len(posts(tmp_path)) == 10
    again = weeks.forget(own, run, asked, frozenset({"u-nobody"}), erase=True, build=rebuild)
    assert again.n_posts == 0
    assert not list(run.root.rglob("*.stale*"))
    build_again = weeks.build(own, run)
    assert build_again.facts["dropped"] == {"left_out": 2}
    left = b"".join(file.read_bytes() for file in run.root.rglob("*") if file.is_file())
    assert not any(
        text in left for text in (b"needle 0", b"needle 1 ", str(ID).encode() if pseudonyms else b"needle 0")
    )
    assert str(ID) not in (run.panel / "forgotten.json").read_text() + (run.panel / "forget.jsonl").read_text()


def test_forgetting_with_erase_deletes_adapters_and_answers_of_the_weeks_concerned(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", [row(n, created_at=f"2023-04-{3 + n:02}T12:00:00Z") for n in range(12)])
    own, run = study(path), RunFolder(tmp_path / "run")
    weeks.build(own, run)
    for folder in (run.adapter("2023-W14", 42), run.adapter("2023-W15", 42), run.answers, run.report):
        folder.mkdir(parents=True)
    found = weeks.forget(own, run, frozenset({str(ID)}), frozenset(), erase=True, build=lambda: weeks.build(own, run))
    assert {run.adapters / "2023-W14", run.answers, run.report} <= set(found.erased)
    assert not (run.adapters / "2023-W14").exists()
    assert run.adapter("2023-W15", 42).exists()


def test_coverage_counts_what_was_asked_for_per_week_and_user(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", [row(n, user_id=f"u{n % 2}") for n in range(6)])
    asked = table(tmp_path / "asked.csv", [
        {"post_id": str(ID + n), "user_id": f"u{n % 2}", "created_at": "2023-04-05T12:00:00Z"} for n in range(8)
    ])  # fmt: skip
    found = weeks.coverage(study(path), asked)
    assert (found.height, int(found["found"].sum())) == (8, 6)
    assert set(found["week"].cast(pl.String)) == {"2023-04-03"}
    plain = write_lines(tmp_path / "asked.txt", *(str(ID + n) for n in range(8)))
    again = weeks.coverage(study(path), plain)
    assert again["found"].to_list() == found["found"].to_list()
    assert again["week"].null_count() == 0  # an id of Twitter tells its own time


# --- breaks and pages -------------------------------------------------------------------------------------------------


def test_breaks_of_volume_and_language_are_told_and_steady_panels_are_quiet() -> None:
    assert volume_breaks([100, 104, 95, 101, 99, 98, 103]) == []
    assert volume_breaks([100, 104, 95, 101, 20, 98, 103, 99]) == [4, 5] or volume_breaks(
        [100, 104, 95, 101, 20, 98, 103, 99]
    ) == [4]
    assert volume_breaks([100, 104, 95, 101, 30, 28, 31, 29, 30])[0] == 4
    assert volume_breaks([1, 5, 2, 9, 3]) == []
    english, german = {"en": 0.9, "de": 0.1}, {"en": 0.2, "de": 0.8}
    assert language_breaks([english] * 5 + [german] * 5) == [5]
    assert language_breaks([english] * 10) == []


def test_a_page_on_a_file_counts_everything_and_tells_no_text(tmp_path: Path) -> None:
    made = [row(n, lang="en", is_reply=n % 2, created_at=f"2023-04-{3 + n:02}T12:00:00Z") for n in range(14)]
    path = table(tmp_path / "a.csv", [*made, row(99, created_at="never", text="broken")])
    with panel.connect(1, "500MB") as connection:
        page = panel.check_file(path, Panel(paths=(path,)), connection)[0]
    assert (page.n_records, page.n_posts, page.n_users, page.flags["is_reply"]) == (15, 14, 1, 7)
    assert page.left_out == {"bad_date": 1}
    shown = "\n".join(page.lines())
    assert "post_id = post_id" in shown
    assert "2023-04-03 to 2023-04-16" in shown
    assert not re.search(rf"post 3|{ID}|u7|broken", shown)
