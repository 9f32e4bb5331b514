"""Every cleaning rule and every definition of a week does what its setting says, and is counted."""

from __future__ import annotations

import os
import random
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from raw_posts import at, build, posts, study, texts, tweet, write_lines

from temporal_adapters.ground.errors import ConfigError, PanelError, WeeksError
from temporal_adapters.stages import weeks
from temporal_adapters.study.artifacts import RunFolder, read_corpora


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))


def one(folder: Path, text: str, **settings: Any) -> str:
    raw = write_lines(folder / "a.jsonl", tweet(text=text))
    build(folder, raw, **settings)
    return texts(folder)[0]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "hi you & me see happy"),
        ({"clean": {"mentions": "placeholder", "urls": "placeholder"}}, "hi @user you & me see http happy"),
        (
            {"clean": {"mentions": "keep", "urls": "keep", "hashes": False}},
            "hi @a_b you & me see https://t.co/x #happy",
        ),
        ({"clean": {"entities": False}}, "hi you &amp; me see happy"),
        ({"clean": {"spaces": False}}, "hi  you & me  see  happy"),
    ],
)
def test_each_part_of_the_text_is_removed_marked_or_kept(
    tmp_path: Path, settings: dict[str, Any], expected: str
) -> None:
    assert one(tmp_path, "hi @a_b you &amp; me  see https://t.co/x #happy", **settings) == expected


def test_private_data_is_redacted_before_mentions_are_removed(tmp_path: Path) -> None:
    text = "mail me.too@mail.example or call +44 (0)20 7946-0958 by 2023 with 15 people"
    assert one(tmp_path, text, redact=["emails", "phones"]) == "mail [email] or call [phone] by 2023 with 15 people"


def test_the_manifest_counts_the_posts_each_cleaning_rule_changed(tmp_path: Path) -> None:
    raw = write_lines(tmp_path / "a.jsonl", tweet(1, text="@a x"), tweet(2, text="@a #y &lt;"), tweet(3, text="plain"))
    counts = build(tmp_path, raw).facts["cleaned"]
    assert counts == {"mention": 2, "url": 0, "hash": 1, "space": 2, "entity": 1, "email": 0, "phone": 0}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"keep_reposts": False}, "repost"),
        ({"keep_replies": False}, "reply"),
        ({"keep_quotes": False}, "quote"),
        ({"languages": ["en"]}, "language"),
        ({"min_characters": 12}, "too_short"),
        ({"include": "(?i)weather"}, "keyword_missing"),
        ({"exclude": "(?i)lottery|prize"}, "keyword_excluded"),
        ({"automated": {"clients": ["dlvr.it"]}}, "automated_client"),
        ({"start": "2023-04-05"}, "outside_dates"),
        ({"end": "2023-04-05"}, "outside_dates"),
    ],
)
def test_each_filter_drops_its_post_and_no_other(tmp_path: Path, settings: dict[str, Any], reason: str) -> None:
    odd: dict[str, dict[str, Any]] = {
        "repost": {"retweeted_status": tweet(90, text="the weather of others")},
        "reply": {"in_reply_to_status_id_str": "5"},
        "quote": {"is_quote_status": True},
        "language": {"lang": "de"},
        "too_short": {"text": "weather"},
        "keyword_missing": {"text": "nothing of the kind, nothing"},
        "keyword_excluded": {"text": "weather Lottery, much to win"},
        "automated_client": {"source": '<a href="https://dlvr.it/">dlvr.it</a>'},
        "outside_dates": {"created_at": "Tue Apr 04 23:59:59 +0000 2023" if "start" in settings else at(LATER)},
    }
    raw = write_lines(tmp_path / "a.jsonl", tweet(1), tweet(2, **odd[reason]))
    assert build(tmp_path, raw, **settings).facts["dropped"] == {reason: 1}
    assert texts(tmp_path) == [tweet(1)["text"]]


LATER = datetime(2023, 4, 6, tzinfo=UTC)


def test_duplicates_are_dropped_within_a_user_and_week_only(tmp_path: Path) -> None:
    same = {"text": "the same"}
    raw = write_lines(
        tmp_path / "a.jsonl",
        tweet(1, **same),
        tweet(2, text="the  same #"),
        tweet(3, **same, user={"id_str": "8"}),
        tweet(4, **same, created_at=at(LATER + timedelta(days=7))),
    )
    assert build(tmp_path, raw, duplicates="keep").facts["dropped"] == {}
    assert build(tmp_path, raw).facts["dropped"] == {"duplicate": 1}


def test_the_cap_keeps_the_same_seeded_sample_whatever_else_is_in_the_files(tmp_path: Path) -> None:
    heavy = [tweet(n, created_at=at(LATER + timedelta(seconds=n))) for n in range(50)]
    light = [tweet(100 + n, user={"id_str": str(n)}) for n in range(5)]
    kept = {}
    for name, values in {"first": [*heavy, *light], "second": [*light, *reversed(heavy)]}.items():
        (tmp_path / name).mkdir()
        raw = write_lines(tmp_path / name / "a.jsonl", *values)
        facts = build(tmp_path / name, raw, cap_per_user=10, panel={"pseudonyms": False}).facts
        assert facts["dropped"] == {"over_cap": 40}
        kept[name] = posts(tmp_path / name)["post_id"].to_list()
    assert kept["first"] == kept["second"]
    build(tmp_path / "first", tmp_path / "first" / "a.jsonl", cap_per_user=10, cap_seed=1, panel={"pseudonyms": False})
    assert posts(tmp_path / "first")["post_id"].to_list() != kept["first"]


def test_accounts_are_judged_over_the_whole_study(tmp_path: Path) -> None:
    def of(user: str, n: int, **fields: Any) -> list[dict[str, Any]]:
        start = int(user) * 1000
        return [
            tweet(start + i, user={"id_str": user}, created_at=at(LATER + timedelta(days=7 * i // 2)), **fields)
            for i in range(n)
        ]

    bot = [tweet(9000 + i, user={"id_str": "9"}, created_at=at(LATER + timedelta(minutes=i))) for i in range(30)]
    sharer = of("3", 6, retweeted_status=tweet(99_999))
    raw = write_lines(tmp_path / "a.jsonl", *of("1", 6), *of("2", 2), *sharer, *bot)
    settings = {"min_user_posts": 3, "automated": {"max_posts_per_day": 10, "max_repost_share": 0.9}}
    facts = build(tmp_path, raw, duplicates="keep", **settings).facts
    assert facts["dropped"] == {"automated_account": 36, "inactive_user": 2}
    assert facts["n_users"] == 1


def test_an_id_with_several_dates_is_one_post_in_the_week_of_its_longest_text(tmp_path: Path) -> None:
    first, second = {"created_at": at(LATER)}, {"created_at": at(LATER + timedelta(days=14))}
    cut, whole = tweet(1, text="cut…", **first), tweet(1, text="the whole text", **second)
    same = [tweet(2, text="always the same", **date) for date in (second, first)]
    raw = write_lines(tmp_path / "a.jsonl", cut, *same, tweet(3, **first))
    other = write_lines(tmp_path / "b.jsonl", whole, tweet(4, **second))
    facts = build(tmp_path, other, raw, panel={"pseudonyms": False}).facts
    assert facts["dropped"] == {"repeated_id": 2}
    assert [(week["label"], week["n_posts"]) for week in facts["weeks"]] == [("2023-W14", 2), ("2023-W16", 2)]
    kept = posts(tmp_path).filter(pl.col("post_id") == tweet(1)["id_str"])
    assert kept.select("text", "created_at").rows() == [("the whole text", LATER + timedelta(days=14))]


def test_many_passes_over_the_ids_find_what_one_finds_and_windows_that_overlap_are_no_second_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [tweet(n % 20, created_at=at(datetime(2023, 4, 1 + n % 23, 12, tzinfo=UTC))) for n in range(60)]
    raw = write_lines(tmp_path / "a.jsonl", *days)
    for name, settings in {
        "calendar": {},
        "windows": {"waves": ["2023-04-14", "2023-04-20"], "window_days": 10},
    }.items():
        found = []
        for flush_bytes in (1_000_000, 64):
            monkeypatch.setattr("temporal_adapters.stages.weeks.identity.flush_bytes", lambda limit, n=flush_bytes: n)
            folder = tmp_path / f"{name}-{flush_bytes}"
            folder.mkdir()
            facts = build(folder, raw, **settings).facts
            ids = posts(folder).group_by("post_id").agg(pl.col("created_at").n_unique())
            assert ids["created_at"].to_list() == [1] * ids.height
            found.append([(week["label"], week["n_posts"]) for week in facts["weeks"]])
        assert found[0] == found[1]
        # Windows from 4 to 13 and from 10 to 19 April share four days.
        if name == "windows":
            assert facts["n_copies"] > 0
            assert sum(n for _, n in found[0]) > ids.height


def test_an_account_is_as_active_as_it_has_ids_not_lines(tmp_path: Path) -> None:
    def by(user: str, number: int, **fields: Any) -> dict[str, Any]:
        return tweet(number, user={"id_str": user}, created_at=at(LATER + timedelta(minutes=number)), **fields)

    crawled_often = [by("1", 1, text="seen again and again") for _ in range(30)]
    repeats_itself = [by("2", 100 + n, text="buy now") for n in range(30)]
    raw = write_lines(tmp_path / "a.jsonl", *crawled_often, *repeats_itself, by("3", 300), by("3", 301))
    facts = build(tmp_path, raw, automated={"max_posts_per_day": 10}).facts
    assert facts["dropped"] == {"automated_account": 30, "repeated_id": 29}
    (tmp_path / "least").mkdir()
    facts = build(tmp_path / "least", raw, min_user_posts=2).facts
    assert facts["dropped"] == {"duplicate": 29, "inactive_user": 1, "repeated_id": 29}


@pytest.mark.heavy
def test_near_duplicates_across_users_keep_the_earliest(tmp_path: Path) -> None:
    pytest.importorskip("rensa")
    words = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    raw = write_lines(
        tmp_path / "a.jsonl",
        tweet(1, text=f"{words} seventeen", user={"id_str": "8"}, created_at=at(LATER)),
        tweet(2, text=words, created_at=at(LATER - timedelta(hours=1))),
        tweet(3, text="something else altogether that nobody has said before"),
    )
    assert build(tmp_path, raw, near_duplicates=0.7).facts["dropped"] == {"near_duplicate": 1}
    assert texts(tmp_path)[1:] == [words]


@pytest.mark.heavy
def test_languages_are_detected_where_the_platform_gives_none(tmp_path: Path) -> None:
    pytest.importorskip("py3langid")
    german = "Das Wetter ist heute wirklich sehr schön und wir gehen spazieren"
    raw = write_lines(
        tmp_path / "a.jsonl", tweet(1, text=german, lang="und"), tweet(2), tweet(3, text="😀 !!", lang=None)
    )
    build(tmp_path, raw, language_detector="missing")
    assert sorted(posts(tmp_path)["lang"].to_list()) == ["de", "en", "und"]


# --- weeks ------------------------------------------------------------------------------------------------------------


def test_weeks_may_begin_on_any_day_and_are_named_after_their_fourth_day(tmp_path: Path) -> None:
    raw = write_lines(tmp_path / "a.jsonl", tweet(1, created_at=at(datetime(2023, 4, 8, 23, 30, tzinfo=UTC))))
    week = build(tmp_path, raw, first_weekday="sunday", timezone="Europe/Berlin").facts["weeks"][0]
    assert (week["start"], week["end"], week["label"]) == ("2023-04-09", "2023-04-15", "2023-W15")


def test_windows_before_waves_take_the_days_before_and_leave_the_rest(tmp_path: Path) -> None:
    days = [tweet(n, created_at=at(datetime(2023, 4, n, 12, tzinfo=UTC))) for n in range(1, 21)]
    raw = write_lines(tmp_path / "a.jsonl", *days)
    facts = build(tmp_path, raw, waves=["2023-04-18", "2023-04-10"], window_days=5).facts
    assert [(w["start"], w["end"], w["n_posts"]) for w in facts["weeks"]] == [
        ("2023-04-05", "2023-04-09", 5),
        ("2023-04-13", "2023-04-17", 5),
    ]
    assert facts["dropped"] == {"outside_weeks": 10}
    survey = tmp_path / "survey.csv"
    survey.write_text("date,question,option,value\n2023-04-10,q,o,1\n2023-04-10,q,p,2\n2023-04-18,q,o,3\n")
    ending = build(tmp_path, raw, waves_path=str(survey), window_days=5, include_wave_day=True).facts["weeks"]
    assert [week["end"] for week in ending] == ["2023-04-10", "2023-04-18"]


def test_overlapping_windows_hold_a_post_each_and_say_so(tmp_path: Path) -> None:
    days = [tweet(n, created_at=at(datetime(2023, 4, n, 12, tzinfo=UTC))) for n in range(1, 11)]
    raw = write_lines(tmp_path / "a.jsonl", *days, tweet(50, text="#"))
    facts = build(tmp_path, raw, waves=["2023-04-08", "2023-04-10"], window_days=7).facts
    assert [week["n_posts"] for week in facts["weeks"]] == [7, 7]
    assert facts["n_copies"] == 5
    assert facts["dropped"] == {"empty_after_cleaning": 1, "outside_weeks": 1}


def test_thin_weeks_are_gaps_and_their_posts_are_counted(tmp_path: Path) -> None:
    three = [tweet(n, created_at=at(LATER + timedelta(days=7 * week))) for n, week in enumerate((0, 0, 1, 2, 2))]
    facts = build(tmp_path, write_lines(tmp_path / "a.jsonl", *three), min_posts=2).facts
    assert facts["gaps"] == ["2023-W15"]
    assert facts["dropped"] == {"thin_week": 1}
    assert len(read_corpora(RunFolder(tmp_path / "run"))) == 2


# --- keys, caches, errors ---------------------------------------------------------------------------------------------


def test_a_new_file_rebuilds_only_the_weeks_it_touches(tmp_path: Path) -> None:
    first = write_lines(
        tmp_path / "a.jsonl", *[tweet(n, created_at=at(LATER + timedelta(days=7 * n))) for n in range(4)]
    )
    build(tmp_path, first)
    before = {corpus.label: corpus.path.stat().st_ino for corpus in read_corpora(RunFolder(tmp_path / "run"))}
    staged = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run" / "panel").iterdir()}
    second = write_lines(tmp_path / "b.jsonl", tweet(70, created_at=at(LATER + timedelta(days=14))))
    manifest = build(tmp_path, first, second)
    after = {corpus.label: corpus.path.stat().st_ino for corpus in read_corpora(RunFolder(tmp_path / "run"))}
    assert [label for label in before if before[label] != after[label]] == ["2023-W16"]
    now = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run" / "panel").iterdir()}
    assert staged.items() <= now.items()
    (tmp_path / "fresh").mkdir()
    assert build(tmp_path / "fresh", second, first).outputs == manifest.outputs


def test_an_id_with_several_dates_rebuilds_only_the_weeks_that_hold_it(tmp_path: Path) -> None:
    def in_week(number: int, week: int, text: str = "short") -> dict[str, Any]:
        return tweet(number, created_at=at(LATER + timedelta(days=7 * week)), text=text)

    first = write_lines(tmp_path / "a.jsonl", *[in_week(10 * m + n, n) for n in range(4) for m in (1, 2)])
    second = write_lines(tmp_path / "b.jsonl", *[in_week(9, week) for week in (5, 6)])
    third = write_lines(tmp_path / "c.jsonl", in_week(12, 7, "longer than before"))
    fourth = write_lines(tmp_path / "d.jsonl", in_week(9, 8, "longer than both"))
    known: dict[str, int] = {}
    for paths, anew in (
        ([first], ["W14", "W15", "W16", "W17"]),
        ([first, second], ["W19"]),
        ([first, second, third], ["W16", "W21"]),
        ([first, second, third, fourth], ["W22"]),
    ):
        manifest = build(tmp_path, *paths)
        inodes = {corpus.label: corpus.path.stat().st_ino for corpus in read_corpora(RunFolder(tmp_path / "run"))}
        assert [label for label in inodes if inodes[label] != known.get(label)] == [f"2023-{week}" for week in anew]
        known = inodes
        fresh = tmp_path / f"fresh-{len(paths)}"
        fresh.mkdir()
        assert build(fresh, *paths).outputs == manifest.outputs
    # The only post of W19 has a longer text elsewhere now.
    assert list(known) == [f"2023-{week}" for week in ("W14", "W15", "W16", "W17", "W21", "W22")]


def test_a_damaged_week_is_made_anew_instead_of_taken_over(tmp_path: Path) -> None:
    first = write_lines(tmp_path / "a.jsonl", tweet(1), tweet(2, created_at=at(LATER + timedelta(days=14))))
    kept = build(tmp_path, first).outputs["2023-W14.parquet"]
    path = tmp_path / "run" / "weeks" / "2023-W14.parquet"
    # Another valid file: only its digest tells that it is not the one that was written.
    pl.read_parquet(path).with_columns(text=pl.lit("not what was posted")).write_parquet(path)
    second = write_lines(tmp_path / "b.jsonl", tweet(70, created_at=at(LATER + timedelta(days=14))))
    assert build(tmp_path, first, second).outputs["2023-W14.parquet"] == kept
    assert "not what was posted" not in texts(tmp_path)


def test_staged_files_that_nothing_uses_are_removed_after_a_day(tmp_path: Path) -> None:
    raw = write_lines(tmp_path / "a.jsonl", tweet(1))
    build(tmp_path, raw)
    folder = tmp_path / "run" / "panel"
    before = set(folder.iterdir())
    os.utime(next(path for path in before if path.suffix == ".arrow"), (0, 0))
    (folder / "dead.arrow.partial-1").write_bytes(b"")
    os.utime(folder / "dead.arrow.partial-1", (0, 0))
    build(tmp_path, raw, timezone="Europe/London")
    names = {path.name for path in folder.iterdir()}
    assert "dead.arrow.partial-1" not in names
    assert sum(name.endswith(".arrow") for name in names) == 1
    assert build(tmp_path, raw, timezone="Europe/London", duplicates="keep").facts["n_posts"] == 1


def test_staged_files_in_use_stay_however_old_they_are_and_others_stay_for_a_day(tmp_path: Path) -> None:
    raw = write_lines(tmp_path / "a.jsonl", tweet(1))
    build(tmp_path, raw)
    folder = tmp_path / "run" / "panel"
    used = {path.name for path in folder.iterdir()}
    assert len(used) == 2  # the posts and their index
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    (folder / "elsewhere.arrow.partial-1").write_bytes(b"")
    build(tmp_path, raw, duplicates="keep")
    assert used | {"elsewhere.arrow.partial-1"} <= {path.name for path in folder.iterdir()}


def test_pseudonyms_depend_on_a_key_that_others_cannot_read(tmp_path: Path) -> None:
    raw = write_lines(tmp_path / "a.jsonl", tweet(1))
    key = tmp_path / "secret" / "key"
    build(tmp_path, raw, panel={"pseudonym_key": str(key)})
    first = posts(tmp_path)["user_id"][0]
    assert len(first) == 24
    assert key.stat().st_mode & 0o777 == 0o600
    key.write_text("0" * 64)
    manifest = build(tmp_path, raw, panel={"pseudonym_key": str(key)})
    assert posts(tmp_path)["user_id"][0] != first
    assert "0" * 64 not in str(manifest)
    key.chmod(0o640)
    with pytest.raises(WeeksError, match="can be read by others"):
        build(tmp_path, raw, panel={"pseudonym_key": str(key)})
    with pytest.raises(WeeksError, match="lies in the run folder"):
        build(tmp_path, raw, panel={"pseudonym_key": str(tmp_path / "run" / "key")})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"timezone": "Europe/Londn"}, "did you mean 'Europe/London'"),
        ({"waves": ["2023-04-10"], "waves_path": "x.csv"}, "either `waves` or `waves_path`"),
        ({"start": "2023-05-01", "end": "2023-04-01"}, "lies after end"),
        ({"memory_limit": "lots"}, "memory_limit"),
        ({"clean": {"mentions": True}}, "remove"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    from temporal_adapters.study.config import load_study

    lines = "".join(f"  {name}: {value}\n" for name, value in settings.items())
    path = tmp_path / "study.yaml"
    path.write_text(f"study: s\npanel:\n  paths: [a.jsonl]\nweeks:\n{lines}")
    with pytest.raises(ConfigError, match=message):
        load_study(path)


def test_an_expression_that_is_none_is_refused_before_any_file_is_read(tmp_path: Path) -> None:
    raw = write_lines(tmp_path / "a.jsonl", tweet(1))
    with pytest.raises(WeeksError, match=r"weeks\.include: '\(' is no regular expression"):
        build(tmp_path, raw, include="(")


def test_describe_gives_aggregates_without_text_or_ids(tmp_path: Path) -> None:
    def by(user: str, week: int, number: int) -> dict[str, Any]:
        return tweet(number, user={"id_str": user}, created_at=at(LATER + timedelta(days=7 * week)))

    raw = write_lines(tmp_path / "a.jsonl", by("1", 0, 1), by("2", 0, 2), by("1", 1, 3), by("1", 1, 4), by("3", 1, 5))
    build(tmp_path, raw)
    found = weeks.describe(RunFolder(tmp_path / "run"))
    assert (found["posts"], found["users"], found["weeks"]) == (5, 3, 2)
    assert found["by_week"] == [
        {"week": "2023-W14", "posts": 2, "users": 2, "new": 2, "still_active": 1.0, "overlap": None},
        {"week": "2023-W15", "posts": 3, "users": 2, "new": 1, "still_active": 0.5, "overlap": 0.5},
    ]
    assert found["languages"] == {"en": 1.0}
    assert not any(user in str(found) for user in posts(tmp_path)["user_id"])
    assert "weather" not in str(found)


def test_a_preview_writes_nothing(tmp_path: Path) -> None:
    raw = write_lines(tmp_path / "a.jsonl", tweet(1), tweet(2, lang="de"))
    found = weeks.preview(study(raw, languages=["en"]), RunFolder(tmp_path / "run"))
    assert [(row.layout, row.framing, row.n_records, row.n_kept, row.dropped) for row in found] == [
        ("twitter-v1", "lines", 2, 1, {"language": 1})
    ]
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_many_files_in_processes_give_what_one_process_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from temporal_adapters.stages.weeks import spread

    paths = [
        write_lines(tmp_path / f"{f}.jsonl", *[tweet(100 * f + n, user={"id_str": str(n)}) for n in range(40)])
        for f in range(3)
    ]
    alone = build(tmp_path, *paths, workers=1)
    monkeypatch.setattr(spread, "_WORTH_BYTES", 0)
    (tmp_path / "p").mkdir()
    together = build(tmp_path / "p", *paths, workers=2)
    assert together.outputs == alone.outputs
    (tmp_path / "q").mkdir()
    paths[1].write_text("garbage")
    with pytest.raises(PanelError, match=r"1\.jsonl"):
        build(tmp_path / "q", *paths, workers=2)


@pytest.mark.parametrize("target", ["pyarrow.parquet.write_table", "temporal_adapters.stages.weeks.staged._write_json"])
def test_a_full_disk_is_one_sentence_and_nothing_looks_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    raw = write_lines(tmp_path / "a.jsonl", tweet(1))
    monkeypatch.setattr(target, full)
    with pytest.raises(WeeksError, match=r"No space left on device.*free some space"):
        build(tmp_path, raw)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    assert not (tmp_path / "run" / "weeks").exists()
    assert not list((tmp_path / "run").rglob("*partial*"))
    assert build(tmp_path, raw).facts["n_posts"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("megabytes", [1, 4])
def test_a_small_disk_that_fills_up_is_one_sentence_and_more_space_finishes_the_work(
    tmp_path: Path, megabytes: int
) -> None:
    disk = tmp_path / "run"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small file system can only be mounted by root")
    try:
        words = ("".join(random.Random(n).choices("abcdefghij ", k=200)) for n in range(12_000))
        raw = write_lines(tmp_path / "a.jsonl", *[tweet(n, text=text) for n, text in enumerate(words)])
        # One megabyte is too little for the staged file (3.3 MB), four for it and the week.
        with pytest.raises(
            WeeksError, match=r"cannot be written \(No space left on device\): free some space"
        ) as caught:
            build(tmp_path, raw)
        assert "\n" not in str(caught.value)
        assert not (disk / "weeks").exists()
        assert not list(disk.rglob("*partial*"))
        subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
        assert build(tmp_path, raw).facts["n_posts"] == 12_000
    finally:
        subprocess.run(["umount", str(disk)], check=True)
