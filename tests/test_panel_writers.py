"""The same posts, as hundreds of writers write them, give the same corpus to the byte, or a refusal; never a third."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import itertools
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
import zstandard
from raw_posts import study

from temporal_adapters.ground.errors import TemporalAdaptersError
from temporal_adapters.stages import weeks
from temporal_adapters.study.artifacts import RunFolder, digest_file

pytestmark = pytest.mark.slow

TEXTS = (
    "plain words of a post",
    'she said "yes", twice', "two\nlines, one post", "semi;colons | pipes \t tabs", "größer als café",
    "it's a 5\" screen", "back\\slash and C:\\new", "= a formula?", "NA", "null", "“curly” – dashes …", "x" * 300,
    'ends with a quote "', '"starts with one', "comma, comma", "100 % [brackets] {braces}",
)  # fmt: skip
START = datetime(2023, 4, 3, 13, 5, 9, tzinfo=UTC)
POSTS: list[dict[str, Any]] = [
    {
        "post_id": str(1_643_587_961_234_567_891 + 7_919 * n),
        "user_id": str(900_000_000_000_000_101 + n % 4),
        "moment": START + timedelta(hours=13, minutes=37) * n,
        "text": TEXTS[n % len(TEXTS)] + f" ({n})",
        "lang": ("en", "de", None)[n % 3],
        "is_repost": n % 5 == 0,
        "is_reply": n % 7 == 0,
    }
    for n in range(36)
]
COLUMNS = ("post_id", "user_id", "created_at", "text", "lang", "is_repost", "is_reply")
UTC_ZONE = {"source_timezone": "UTC"}
EAST = timezone(timedelta(hours=8))

TIMES: dict[str, tuple[Callable[[datetime], Any], dict[str, Any]]] = {
    "iso z": (lambda t: t.strftime("%Y-%m-%dT%H:%M:%S.000Z"), {}),
    "iso offset": (lambda t: t.astimezone(EAST).isoformat(), {}),
    "space offset": (lambda t: t.astimezone(EAST).strftime("%Y-%m-%d %H:%M:%S +08:00"), {}),
    "short offset": (lambda t: t.astimezone(EAST).strftime("%Y-%m-%d %H:%M:%S+08"), {}),
    "no colon": (lambda t: t.astimezone(EAST).strftime("%Y-%m-%d %H:%M:%S %z"), {}),
    "utc word": (lambda t: t.strftime("%Y-%m-%d %H:%M:%S UTC"), {}),
    "pst": (lambda t: (t - timedelta(hours=8)).strftime("%a %b %d %H:%M:%S PST %Y"), {}),
    "ambiguous word": (lambda t: t.strftime("%Y-%m-%d %H:%M:%S IST"), {}),
    "seconds": (lambda t: str(int(t.timestamp())), {}),
    "float seconds": (lambda t: f"{t.timestamp():.1f}", {}),
    "milliseconds": (lambda t: str(int(t.timestamp()) * 1000), {}),
    "microseconds": (lambda t: str(int(t.timestamp()) * 10**6), {}),
    "nanoseconds": (lambda t: str(int(t.timestamp()) * 10**9), {}),
    "exponent": (lambda t: f"{t.timestamp():.9e}", {}),
    "twitter": (lambda t: t.strftime("%a %b %d %H:%M:%S +0000 %Y"), {}),
    "rfc 822": (lambda t: format_datetime(t), {}),
    "american": (lambda t: t.strftime("%m/%d/%Y %I:%M:%S %p"), {"source_timezone": "UTC"}),
    "british": (lambda t: t.strftime("%d/%m/%Y %H:%M:%S"), {"source_timezone": "UTC"}),
    "german": (lambda t: t.strftime("%d.%m.%Y %H:%M:%S"), {"source_timezone": "UTC"}),
    "named form": (lambda t: t.strftime("%d|%m|%y %H.%M.%S"), {**UTC_ZONE, "date_format": "%d|%m|%y %H.%M.%S"}),
    "local": (
        lambda t: t.astimezone(timezone(timedelta(hours=-4))).strftime("%Y-%m-%d %H:%M:%S"),
        {"source_timezone": "America/New_York"},
    ),
    "local without zone": (lambda t: t.strftime("%Y-%m-%d %H:%M:%S"), {}),
    "fourteen digits": (lambda t: t.strftime("%Y%m%d%H%M%S"), {"source_timezone": "UTC"}),
    "compact": (lambda t: t.strftime("%Y%m%dT%H%M%SZ"), {}),
    "long month": (lambda t: t.strftime("%d %B %Y, %H:%M:%S"), {"source_timezone": "UTC"}),
    "excel": (lambda t: f"{(t - datetime(1899, 12, 30, tzinfo=UTC)) / timedelta(days=1):.8f}", {}),
    "excel named": (
        lambda t: f"{(t - datetime(1899, 12, 30, tzinfo=UTC)) / timedelta(days=1):.8f}",
        {**UTC_ZONE, "date_format": "excel"},
    ),
    "java zone": (lambda t: t.astimezone(EAST).isoformat() + "[Asia/Shanghai]", {}),
}  # fmt: skip

MUST_READ = frozenset(TIMES) - {"ambiguous word", "local without zone", "excel"}


def rows(form: str, **more: Callable[[dict[str, Any]], Any]) -> list[dict[str, Any]]:
    write = TIMES[form][0]
    made = []
    for post in POSTS:
        row = {**post, "created_at": write(post["moment"])}
        made.append({name: more[name](row) if name in more else row[name] for name in COLUMNS})
    return made


def corpus(folder: Path, name: str, content: bytes, panel: dict[str, Any]) -> dict[str, str] | None:
    """Return week -> digest of what comes out; None for a refusal."""
    folder.mkdir(parents=True)
    (folder / name).write_bytes(content)
    run = RunFolder(folder / "run")
    try:
        weeks.build(study(folder / name, panel={"pseudonyms": False, **panel}, workers=1, memory_limit="500MB"), run)
    except TemporalAdaptersError:
        return None
    return {path.name: digest_file(path) for path in run.weeks.glob("*.parquet")}


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The corpus from a Parquet file with typed columns, whose texts and times are then compared with what went in."""
    import polars as pl

    folder = tmp_path_factory.mktemp("right") / "a"
    table = pa.table({name: [row[name] for row in rows("iso z")] for name in COLUMNS})
    moments = pa.array([post["moment"] for post in POSTS], pa.timestamp("us", "UTC"))
    sink = io.BytesIO()
    pq.write_table(table.set_column(2, "created_at", moments), sink)
    found = corpus(folder, "a.parquet", sink.getvalue(), {})
    assert found is not None
    posts = pl.concat([pl.read_parquet(folder / "run" / "weeks" / name) for name in found]).sort("created_at")
    assert posts["created_at"].to_list() == [post["moment"] for post in POSTS]
    assert posts["post_id"].to_list() == [post["post_id"] for post in POSTS]
    assert posts["is_repost"].to_list() == [post["is_repost"] for post in POSTS]
    assert [text.split() for text in posts["text"].to_list()] == [post["text"].split() for post in POSTS]
    return found


# --- CSV --------------------------------------------------------------------------------------------------------------


def cell(value: Any) -> str:
    return {True: "TRUE", False: "FALSE", None: "NA"}.get(value, value) if not isinstance(value, str) else value


def csv_text(form: str, delimiter: str, quoting: str, end: str) -> str:
    out = io.StringIO(newline="")
    options: dict[str, Any] = {"delimiter": delimiter, "lineterminator": end}
    if quoting == "backslash":
        options |= {"quoting": csv.QUOTE_ALL, "doublequote": False, "escapechar": "\\"}
    elif quoting == "none":
        options |= {"quoting": csv.QUOTE_NONE, "quotechar": None}
    else:
        options |= {"quoting": csv.QUOTE_ALL if quoting == "all" else csv.QUOTE_MINIMAL}
    writer = csv.writer(out, **options)
    writer.writerow(COLUMNS)
    for row in rows(form):
        writer.writerow([cell(row[name]) for name in COLUMNS])
    return out.getvalue()


def dialects() -> Iterator[tuple[str, str, str, str, str]]:
    for delimiter, quoting, end in itertools.product(",;\t|", ("all", "minimal", "backslash"), ("\n", "\r\n")):
        for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp1252"):
            yield "iso z", delimiter, quoting, end, encoding
    for form in TIMES:
        for delimiter, quoting in ((",", "all"), ("\t", "minimal"), (";", "backslash")):
            yield form, delimiter, quoting, "\n", "utf-8"


def test_csv_of_every_dialect_encoding_and_time_gives_the_same_corpus(tmp_path: Path, right: dict[str, str]) -> None:
    wrong, refused = [], []
    ways = list(dialects())
    for number, (form, delimiter, quoting, end, encoding) in enumerate(ways):
        content = csv_text(form, delimiter, quoting, end).encode(encoding)
        panel = {**TIMES[form][1], **({"encoding": encoding} if encoding == "cp1252" else {})}
        found = corpus(tmp_path / str(number), "a.csv", content, panel)
        (wrong if found not in (None, right) else refused if found is None else []).append(
            (form, delimiter, quoting, end, encoding)
        )
    assert len(ways) > 170
    assert wrong == []
    assert [way for way in refused if way[0] in MUST_READ] == []


def test_an_encoding_that_nobody_names_is_refused_and_never_guessed(tmp_path: Path) -> None:
    assert corpus(tmp_path / "a", "a.csv", csv_text("iso z", ",", "all", "\n").encode("cp1252"), {}) is None


# --- JSON -------------------------------------------------------------------------------------------------------------


def dumps(value: Any, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=False, **options)


FRAMINGS: dict[str, Callable[[list[dict[str, Any]]], str]] = {
    "lines": lambda posts: "".join(dumps(post) + "\n" for post in posts),
    "escaped lines": lambda posts: "".join(json.dumps(post) + "\n" for post in posts),
    "lines, no last end": lambda posts: "\n".join(dumps(post) for post in posts),
    "lines with carriage returns": lambda posts: "".join(dumps(post) + "\r\n" for post in posts),
    "one line": lambda posts: "".join(dumps(post) for post in posts),
    "pretty objects": lambda posts: "\n".join(dumps(post, indent=2) for post in posts),
    "list": dumps,
    "pretty list": lambda posts: dumps(posts, indent=4),
    "key": lambda posts: dumps({"tweets": posts}),
    "key and more": lambda posts: dumps({"cursor": "x", "data": {"videos": posts, "has_more": False}}, indent=1),
    "dictionary": lambda posts: dumps({post["post_id"]: post for post in posts}),
    "pages": lambda posts: "".join(dumps({"items": posts[n : n + 7], "next": n}) + "\n" for n in range(0, 36, 7)),
    "pages joined": lambda posts: "".join(dumps({"items": posts[n : n + 7]}) for n in range(0, 36, 7)),
    "lists joined": lambda posts: "".join(dumps(posts[n : n + 7]) for n in range(0, 36, 7)),
    "javascript": lambda posts: "window.posts = " + dumps(posts),
    "a mark": lambda posts: "\ufeff" + dumps(posts),
    "record separators": lambda posts: "".join("\x1e" + dumps(post) + "\n" for post in posts),
}
NUMBERS = {"seconds", "milliseconds", "microseconds", "nanoseconds"}


def test_json_of_every_framing_and_time_gives_the_same_corpus(tmp_path: Path, right: dict[str, str]) -> None:
    wrong, refused, n = [], [], 0
    for framing, form in itertools.product(
        FRAMINGS, ("iso z", "milliseconds", "twitter", "space offset", "local", "excel")
    ):
        numeric = form in NUMBERS
        posts = rows(form, created_at=lambda row: int(row["created_at"])) if numeric else rows(form)
        found = corpus(tmp_path / str(n), "a.json", FRAMINGS[framing](posts).encode(), TIMES[form][1])
        n += 1
        (wrong if found not in (None, right) else refused if found is None else []).append((framing, form))
    assert wrong == []
    assert [way for way in refused if way[1] in MUST_READ] == []
    assert n > 90


def test_ids_as_json_numbers_are_whole_or_refused(tmp_path: Path, right: dict[str, str]) -> None:
    whole = rows("iso z", post_id=lambda row: int(row["post_id"]), user_id=lambda row: int(row["user_id"]))
    cut = rows("iso z", post_id=lambda row: float(row["post_id"]))
    rounded = rows("iso z", post_id=lambda row: int(float(row["post_id"])))
    assert corpus(tmp_path / "a", "a.jsonl", FRAMINGS["lines"](whole).encode(), {}) == right
    assert corpus(tmp_path / "b", "a.jsonl", FRAMINGS["lines"](cut).encode(), {}) is None
    assert corpus(tmp_path / "c", "a.jsonl", FRAMINGS["lines"](rounded).encode(), {}) is None


# --- Parquet and Arrow ------------------------------------------------------------------------------------------------


def columns_of(values: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: [row[name] for row in values] for name in COLUMNS}


def typed() -> Iterator[tuple[str, pa.Table, dict[str, Any]]]:
    plain = pa.table(columns_of(rows("iso z")))
    moments = [post["moment"] for post in POSTS]
    naive = [moment.replace(tzinfo=None) for moment in moments]
    ids = {"string": pa.string(), "large_string": pa.large_string(), "int64": pa.int64(), "uint64": pa.uint64(),
           "dictionary": pa.dictionary(pa.int32(), pa.string()), "binary": pa.binary(), "string_view": pa.string_view(),
           "double": pa.float64()}  # fmt: skip
    times: dict[str, tuple[pa.Array, dict[str, Any]]] = {
        **{unit: (pa.array(moments, pa.timestamp(unit, "UTC")), {}) for unit in ("s", "ms", "us", "ns")},
        "east": (pa.array(moments, pa.timestamp("us", "Asia/Shanghai")), {}),
        "naive": (pa.array(naive, pa.timestamp("us")), {"source_timezone": "UTC"}),
        "naive, no zone": (pa.array(naive, pa.timestamp("us")), {}),
        **{form: (pa.array([TIMES[form][0](moment) for moment in moments]), TIMES[form][1]) for form in
           ("iso z", "twitter", "american", "local")},
        **{form: (pa.array([int(TIMES[form][0](one)) for one in moments], pa.int64()), {}) for form in sorted(NUMBERS)},
        "double": (pa.array([moment.timestamp() for moment in moments]), {}),
    }  # fmt: skip
    for (kind, to), (time, (values, panel)) in itertools.product(ids.items(), times.items()):
        ids_of = {"int64": int, "uint64": int, "double": lambda one: float(int(one))}.get(kind)
        column = (
            plain["post_id"].cast(to) if ids_of is None else pa.array([ids_of(post["post_id"]) for post in POSTS], to)
        )
        yield f"{kind} {time}", plain.set_column(0, "post_id", column).set_column(2, "created_at", values), panel


def test_parquet_of_every_type_gives_the_same_corpus(tmp_path: Path, right: dict[str, str]) -> None:
    wrong, refused, n = [], [], 0
    for name, table, panel in typed():
        sink = io.BytesIO()
        pq.write_table(table, sink, version="2.6", coerce_timestamps=None)
        found = corpus(tmp_path / str(n), "a.parquet", sink.getvalue(), panel)
        n += 1
        (wrong if found not in (None, right) else refused if found is None else []).append(name)
    assert wrong == []
    assert [name for name in refused if not name.startswith("double") and not name.endswith("no zone")] == []
    assert len([name for name in refused if name.startswith("double")]) == n // 8
    assert n > 100


def test_nested_columns_are_reached_with_dots_and_lists_are_flags_and_tags(
    tmp_path: Path, right: dict[str, str]
) -> None:
    made = columns_of(rows("iso z"))
    made["lang"] = [None if tag is None else [tag] for tag in made["lang"]]
    made["is_repost"] = [[{"type": "retweeted"}] if flag else [] for flag in made["is_repost"]]
    made["post"] = [{"oid": one} for one in made.pop("post_id")]
    made["text"] = [[text, "other"] for text in made["text"]]
    columns = {"post_id": "post.oid", "user_id": "user_id", "created_at": "created_at", "text": "text.0"}
    columns |= {"lang": "lang", "is_repost": "is_repost", "is_reply": "is_reply"}
    sink = io.BytesIO()
    pq.write_table(pa.table(made), sink)
    assert corpus(tmp_path / "a", "a.parquet", sink.getvalue(), {"columns": columns}) == right
    assert corpus(tmp_path / "b", "a.parquet", sink.getvalue(), {"columns": {**columns, "text": "text"}}) is None
    assert (
        corpus(tmp_path / "c", "a.json", FRAMINGS["list"](pa.table(made).to_pylist()).encode(), {"columns": columns})
        == right
    )
    pa.feather.write_feather(pa.table(columns_of(rows("iso z"))), tmp_path / "d.arrow", compression="zstd")
    assert corpus(tmp_path / "d", "a.arrow", (tmp_path / "d.arrow").read_bytes(), {}) == right


# --- containers -------------------------------------------------------------------------------------------------------


def tarred(content: bytes, mode: str) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in (
            ("export/README.md", b"posts"),
            ("export/posts.json", content),
            ("export/a.png", b"\x89PNG"),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return sink.getvalue()


def zipped(content: bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("export/posts.json", content)
        archive.writestr("__MACOSX/._posts.json", b"\0\1")
        archive.writestr("export/readme.txt", b"posts")
    return sink.getvalue()


SKIPPABLE = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"
CONTAINERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "two gzip members": lambda data: gzip.compress(data[:99]) + gzip.compress(data[99:]),
    "zstd": zstandard.compress,
    "two zstd frames": lambda data: zstandard.compress(data[:99]) + zstandard.compress(data[99:]),
    "a skippable zstd frame first": lambda data: SKIPPABLE + zstandard.compress(data),
    "a skippable zstd frame between": lambda data: (
        zstandard.compress(data[:99]) + SKIPPABLE + zstandard.compress(data[99:])
    ),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "tar": lambda data: tarred(data, "w"),
    "tar.gz": lambda data: tarred(data, "w:gz"),
    "tar.xz": lambda data: tarred(data, "w:xz"),
    "zip": zipped,
    "zip of gzip": lambda data: zipped(gzip.compress(data)),
}


def test_every_container_gives_the_same_corpus_and_its_cut_or_damaged_copy_none(
    tmp_path: Path, right: dict[str, str]
) -> None:
    content = FRAMINGS["lines"](rows("iso z")).encode()
    for name, pack in CONTAINERS.items():
        packed = pack(content)
        folder = tmp_path / name.replace(" ", "-")
        assert (name, corpus(folder / "a", "posts.bin", packed, {})) == (name, right)
        for place in (0.3, 0.6, 0.9):
            cut = corpus(folder / f"cut{place}", "posts.bin", packed[: int(len(packed) * place)], {})
            assert cut is None or (name == "tar" and place > 0.5 and cut == right), (name, place)


def test_a_workbook_reads_like_its_csv(tmp_path: Path, right: dict[str, str]) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(COLUMNS)
    for row in rows("iso z"):
        sheet.append([None if row[name] is None else row[name] for name in COLUMNS])
    for cells in sheet.iter_rows(min_row=2):
        cells[3].data_type = "s"  # a text that begins with = is no formula
    book.save(tmp_path / "a.xlsx")
    assert corpus(tmp_path / "b", "a.xlsx", (tmp_path / "a.xlsx").read_bytes(), {}) == right
    for cells in sheet.iter_rows(min_row=2):
        cells[0].value = int(cells[0].value)
    book.save(tmp_path / "c.xlsx")
    assert corpus(tmp_path / "d", "a.xlsx", (tmp_path / "c.xlsx").read_bytes(), {}) in (None, right)
    for cells in sheet.iter_rows(min_row=2):
        cells[0].value = float(f"{int(cells[0].value):.14e}")
    book.save(tmp_path / "e.xlsx")
    assert corpus(tmp_path / "f", "a.xlsx", (tmp_path / "e.xlsx").read_bytes(), {}) is None
