"""Weeks: every post in exactly one week or dropped for exactly one reason, whatever the order of files."""

from __future__ import annotations

import gzip
import html
import json
import os
import re
import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from raw_posts import at, build, posts, tweet, write_lines

from temporal_adapters.ground import tables
from temporal_adapters.ground.errors import PanelError, TemporalAdaptersError, WeeksError
from temporal_adapters.stages import weeks
from temporal_adapters.study.artifacts import RunFolder, read_corpora
from temporal_adapters.study.config.study import Study


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))


def test_a_post_lands_in_the_week_of_its_local_day(tmp_path: Path) -> None:
    sunday_evening = datetime(2023, 4, 2, 22, 30, tzinfo=UTC)
    raw = write_lines(tmp_path / "a.jsonl", tweet(created_at=at(sunday_evening)))
    assert [w["label"] for w in build(tmp_path, raw).facts["weeks"]] == ["2023-W13"]
    # In Berlin it is Monday already: summer time puts the zone two hours ahead.
    assert [w["label"] for w in build(tmp_path, raw, timezone="Europe/Berlin").facts["weeks"]] == ["2023-W14"]


def test_the_corpus_follows_the_panel_schema_in_order_of_time(tmp_path: Path) -> None:
    start = datetime(2023, 4, 5, tzinfo=UTC)
    raw = write_lines(tmp_path / "a.jsonl.gz", *[tweet(n, created_at=at(start - timedelta(hours=n))) for n in range(9)])
    build(tmp_path, raw, panel={"pseudonyms": False})
    found = tables.check(posts(tmp_path), tables.PANEL)
    assert found["created_at"].is_sorted()
    assert found["post_id"].to_list()[-1] == "1600000000000000000"


def test_repeated_ids_keep_the_longest_text_whatever_the_order_of_files(tmp_path: Path) -> None:
    cut, whole = tweet(1, text="cut off…"), tweet(1, text="cut off no more, whole")
    for name, order in {"x": (cut, whole), "y": (whole, cut)}.items():
        folder = tmp_path / name
        folder.mkdir()
        paths = [write_lines(folder / f"{i}.jsonl", value) for i, value in enumerate(order)]
        manifest = build(folder, *paths)
        assert manifest.facts["dropped"] == {"repeated_id": 1}
        assert posts(folder)["text"].to_list() == ["cut off no more, whole"]


def test_reposts_take_their_text_from_the_original_because_the_outer_one_is_cut(tmp_path: Path) -> None:
    original = tweet(2, text="short", extended_tweet={"full_text": "the whole long text"}, user={"id_str": "8"})
    repost = tweet(3, text="RT @x: the who…", retweeted=False, retweeted_status=original)
    raw = write_lines(tmp_path / "a.jsonl", repost)
    build(tmp_path, raw)
    found = posts(tmp_path)
    assert found["text"].to_list() == ["the whole long text"]
    assert found["is_repost"].to_list() == [True]


@pytest.mark.parametrize("space", [" ", "\u00a0", "\u3000", "\u2009", "\u0085", "\t"])
def test_cleaning_equals_the_published_python_regex_for_every_kind_of_space(tmp_path: Path, space: str) -> None:
    text = f"hello{space}@some_one{space}see{space}https://t.co/Ab#c{space}#happy{space}end"
    published = re.sub(r"http\S+", "", re.sub(r"@\S+", "", text)).replace("#", "")
    raw = write_lines(tmp_path / "a.jsonl", tweet(text=text))
    build(tmp_path, raw)
    assert posts(tmp_path)["text"].to_list() == [" ".join(published.split())]


def test_the_same_posts_give_the_same_bytes_whatever_the_zone_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    start = datetime(2023, 3, 25, tzinfo=UTC)
    raw = write_lines(tmp_path / "a.jsonl", *[tweet(n, created_at=at(start + timedelta(hours=n))) for n in range(60)])
    digests = []
    for zone in ("UTC", "Pacific/Kiritimati", "America/Los_Angeles"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        folder = tmp_path / zone.replace("/", "-")
        folder.mkdir()
        build(folder, raw, timezone="Europe/London")
        digests.append([corpus.sha256 for corpus in read_corpora(RunFolder(folder / "run"))])
    monkeypatch.delenv("TZ")
    time.tzset()
    assert digests[0] == digests[1] == digests[2]


def test_raw_ids_are_written_nowhere(tmp_path: Path) -> None:
    raw = write_lines(tmp_path / "a.jsonl", tweet(1, user={"id_str": "987654321012"}))
    build(tmp_path, raw)
    for path in (tmp_path / "run").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"987654321012" not in content
            assert b"1600000000000000001" not in content


def test_a_second_build_returns_the_first_and_a_changed_setting_rebuilds(tmp_path: Path) -> None:
    raw = write_lines(tmp_path / "a.jsonl", tweet(1), tweet(2, created_at="Sun Apr 16 12:00:00 +0000 2023"))
    first = build(tmp_path, raw)
    assert build(tmp_path, raw).created == first.created
    assert first.facts["gaps"] == []
    third = write_lines(tmp_path / "b.jsonl", tweet(3, created_at="Sun Apr 30 12:00:00 +0000 2023"))
    assert build(tmp_path, raw, third).facts["gaps"] == ["2023-W16"]


def test_corrupt_lines_are_counted_below_the_share_and_stop_the_run_above_it(tmp_path: Path) -> None:
    good = [tweet(n, text=f"number {n}") for n in range(99)]
    raw = write_lines(tmp_path / "a.jsonl", *good, '{"id_str": "5", "te')
    assert build(tmp_path, raw, panel={"max_corrupt_share": 0.02}).facts["dropped"] == {"not_json": 1}
    with pytest.raises(PanelError, match=r"a\.jsonl: 1 of 100 records are corrupt, above panel.max_corrupt_share"):
        build(tmp_path, raw, panel={"max_corrupt_share": 0.001})
    assert not list((tmp_path / "run").glob("*partial*"))


def test_a_lone_surrogate_costs_the_character_and_not_the_post(tmp_path: Path) -> None:
    line = json.dumps(tweet(1)).replace("the weather", "the \\ud83d weather \\ud83d\\ude00 \\\\ud83d")
    raw = write_lines(tmp_path / "a.jsonl", line)
    manifest = build(tmp_path, raw)
    assert manifest.facts["repaired"] == {"escapes": 1}
    assert posts(tmp_path)["text"].to_list() == ["a post about the \ufffd weather \U0001f600 \\ud83d, number 1"]


@pytest.mark.parametrize("word", ["NA", "null", "NULL", "nan", "None", "N/A"])
@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_post_whose_text_is_na_or_null_stays_a_post(tmp_path: Path, word: str, ending: str) -> None:
    frame = pl.DataFrame(
        {"post_id": ["1"], "user_id": ["2"], "created_at": ["2023-04-05T12:00:00Z"], "text": [word], "extra": ["x"]}
    )
    raw = tmp_path / f"a.{ending}"
    {"csv": frame.write_csv, "parquet": frame.write_parquet, "jsonl": frame.write_ndjson}[ending](raw)
    build(tmp_path, raw)
    assert posts(tmp_path)["text"].to_list() == [word]


def test_bad_input_is_one_sentence_and_leaves_nothing_that_looks_finished(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(json.dumps(tweet(n)).encode() + b"\n" for n in range(2000)))
    cases: dict[str, tuple[bytes, str]] = {
        "cut.jsonl.gz": (whole[: len(whole) // 2], "ends too early"),
        "broken.jsonl.gz": (whole[:200] + bytes(100) + whole[300:], "damaged"),
        "column.csv": (b"post_id,user_id,created_at,body\n1,2,2023-04-05T12:00:00Z,hi\n", "no column 'text'"),
        "zone.csv": (b"post_id,user_id,created_at,text\n1,2,2023-04-05 12:00:00,hi\n", "panel.source_timezone"),
        "date.csv": (b"post_id,user_id,created_at,text\n1,2,yesterday,hi\n", "bad_date.*yesterday"),
        "empty.csv": (b"", "is empty"),
    }
    for name, (content, message) in cases.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_bytes(content)
        with pytest.raises(TemporalAdaptersError, match=message) as caught:
            build(folder, folder / name)
        assert str(folder / name) in str(caught.value)
        assert "\n" not in str(caught.value)
        left = [path for path in (folder / "run").rglob("*") if path.is_file()]
        assert left == []


def test_messages_hold_no_text_and_no_id_because_they_end_in_logs(tmp_path: Path) -> None:
    broken = {
        "a.jsonl": json.dumps(tweet(1, text="a secret"))[:-2] + "\n",
        "b.csv": "post_id,user_id,created_at,text\n987654321,secret_name,yesterday,a secret\n",
        "c.csv": "post_id,user_id,created_at,text\n987654321,secret_name,1680696000,a secret,more\n",
    }
    for name, content in broken.items():
        (tmp_path / name).write_text(content)
        with pytest.raises(PanelError) as caught:
            build(tmp_path, tmp_path / name)
        assert not [word for word in ("secret", "987654321", "1600000000000000001") if word in str(caught.value)]


def test_nothing_left_after_cleaning_is_said_with_the_reasons(tmp_path: Path) -> None:
    raw = write_lines(tmp_path / "a.jsonl", tweet(1, text="https://t.co/x"))
    with pytest.raises(WeeksError, match="1 empty_after_cleaning"):
        build(tmp_path, raw)


@pytest.mark.slow
def test_the_real_panel_has_the_counts_of_a_plain_python_pass(shared_data: Path, tmp_path: Path) -> None:
    raw = shared_data / "stocknet" / "tweets.v1.jsonl.gz"
    manifest = build(tmp_path, raw, panel={"pseudonyms": False}, timezone="America/New_York")
    per_week, dropped = plain_pass(raw)
    assert manifest.facts["dropped"] == dropped
    assert {w["start"]: w["n_posts"] for w in manifest.facts["weeks"]} == {
        day.isoformat(): len(rows) for day, rows in per_week.items()
    }
    ours = {(row["post_id"], row["text"]) for row in posts(tmp_path).select("post_id", "text").to_dicts()}
    assert ours == {row for rows in per_week.values() for row in rows}


def as_meant(text: str) -> str:
    """A text whose UTF-8 was taken for latin-1 or windows-1252 somewhere, by Python's own codecs."""
    for codec in ("latin-1", "cp1252"):
        try:
            decoded = text.encode(codec).decode("utf-8")
        except ValueError:
            continue
        return as_meant(decoded) if decoded != text else text
    return text


def plain_pass(raw: Path) -> tuple[dict[date, set[tuple[str, str]]], dict[str, int]]:
    """The same rules in plain Python: json, re, html and zoneinfo instead of DuckDB."""
    from zoneinfo import ZoneInfo

    zone, dropped = ZoneInfo("America/New_York"), Counter[str]()
    found: dict[date, dict[str, tuple[Any, ...]]] = {}
    with gzip.open(raw, "rt", encoding="utf-8") as file:
        for line in file:
            value = json.loads(line)
            source = value.get("retweeted_status", value)
            text = html.unescape(as_meant(source.get("full_text") or source["text"]))
            text = re.sub(r"http\S+", "", re.sub(r"@\S+", "", text)).replace("#", "")
            text = " ".join(text.split())
            moment = datetime.strptime(value["created_at"], "%a %b %d %H:%M:%S %z %Y")
            day = moment.astimezone(zone).date()
            if not text:
                dropped["empty_after_cleaning"] += 1
                continue
            week = found.setdefault(day - timedelta(days=day.weekday()), {})
            if value["id_str"] in week:
                dropped["repeated_id"] += 1
            week[value["id_str"]] = (moment, value["id_str"], value["user"]["id_str"], text)
    kept: dict[date, set[tuple[str, str]]] = {}
    for monday, rows in sorted(found.items()):
        seen: set[tuple[str, str]] = set()
        for _, post_id, user_id, text in sorted(rows.values()):
            if (user_id, text) in seen:
                dropped["duplicate"] += 1
                continue
            seen.add((user_id, text))
            kept.setdefault(monday, set()).add((post_id, text))
    return kept, dict(dropped)


def test_a_run_killed_in_the_middle_goes_on_to_the_same_files(tmp_path: Path) -> None:
    from temporal_adapters.ground.progress import Tick

    paths = [write_lines(tmp_path / f"{f}.jsonl", *[tweet(100 * f + n) for n in range(30)]) for f in range(3)]
    study = Study.model_validate({"study": "s", "panel": {"paths": [str(path) for path in paths]}, "weeks": {}})

    def stop_at(item: str, stage: str) -> Any:
        def listen(tick: Tick) -> None:
            if (tick.stage, tick.item) == (stage, item):
                raise KeyboardInterrupt

        return listen

    run = RunFolder(tmp_path / "run")
    for item, stage in (("1.jsonl", "panel"), ("2023-W14", "weeks")):
        with pytest.raises(KeyboardInterrupt):
            weeks.build(study, run, listener=stop_at(item, stage))
        assert not run.weeks.exists()
    (tmp_path / "fresh").mkdir()
    assert weeks.build(study, run).outputs == weeks.build(study, RunFolder(tmp_path / "fresh")).outputs


def test_two_files_with_clashing_columns_name_the_second(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("post_id,user_id,created_at,text\n1,2,2023-04-05T12:00:00Z,hi\n")
    (tmp_path / "b.csv").write_text("text,post_id,created_at,user_id\nho,3,2023-04-05T12:00:00Z,4\n")
    assert build(tmp_path, tmp_path / "a.csv", tmp_path / "b.csv").facts["n_posts"] == 2
    (tmp_path / "c.csv").write_text("text,id,created_at,user_id\nho,3,2023-04-05T12:00:00Z,4\n")
    with pytest.raises(PanelError, match=r"c\.csv: has no column 'post_id'"):
        build(tmp_path, tmp_path / "a.csv", tmp_path / "c.csv")


def test_a_changed_raw_file_is_noticed_though_digests_are_remembered(tmp_path: Path) -> None:
    import os

    raw = write_lines(tmp_path / "a.jsonl", tweet(1))
    os.utime(raw, ns=(0, 1_000_000_000))
    first = build(tmp_path, raw)
    assert "digests.json" in {path.name for path in (tmp_path / "run" / "panel").iterdir()}
    write_lines(raw, tweet(2))
    assert build(tmp_path, raw).key != first.key


def test_staged_files_that_nothing_uses_are_removed_after_a_day_and_not_before(tmp_path: Path) -> None:
    import importlib

    building = importlib.import_module("temporal_adapters.stages.weeks.build")

    run = RunFolder(tmp_path)
    run.panel.mkdir()
    ages = {"new.arrow": 3600.0, "old.arrow": 90_000.0, "old.arrow.partial-1": 90_000.0, "digests.json": 90_000.0}
    for name, age_s in ages.items():
        (run.panel / name).write_text("")
        os.utime(run.panel / name, (time.time() - age_s, time.time() - age_s))
    building._prune([], run)
    assert {path.name for path in run.panel.iterdir()} == {"new.arrow", "digests.json"}
