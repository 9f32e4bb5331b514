"""How fast raw posts become weeks, against a pandas script, Polars, DuckDB's PARTITION_BY, and the bound.

    python benchmarks/weeks.py [--quick] [--rows 5000000] [--threads 1] [--repeats 3] [--folder DIR] [--pandas-rows N]

The job: synthetic posts of 20,000 users over 100 weeks, in no order of time, in 8 files of Parquet or of gzipped JSON
lines in Twitter's v1.1 form. All contestants clean as published (mentions, URLs, #, white space, HTML entities) and end
with one file or folder per week; bound, ours and DuckDB also pseudonymise both ids of a post.

- bound: DuckDB scans the same files and evaluates the same SELECTs, counting only.
- split: stage A of ours, what the other contestants do: clean, split, write by week.
- clear: the same with ids as they are, as Polars and pandas leave them.
- ours: `weeks.build` with duplicates kept: split, then order each week, write Parquet, digests and manifest.
- full: `weeks.build` with duplicates dropped and at most 20 posts per user and week.
- duckdb: one COPY ... PARTITION_BY of the bound's SELECTs.
- polars: streaming sink by week, with its own regex and ids as they are.
- pandas: read a file, clean with str.replace, group by week, write; beyond a million posts scaled up in proportion.

Every run is a process of its own; figures are medians of its processor time after imports (this machine is shared, so
wall time says more about its other users; it is printed too), peak memory is the process's. Equality first: posts and
characters per week of ours are the bound's. `--large` does ours and full alone, once each, at 5 and 20 million posts:
rows per second, and peak memory against `weeks.memory_limit`. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

N_FILES, N_WEEKS = 8, 100
FIRST_US = 1_577_664_000_000_000
"""Monday 2019-12-30 in microseconds since 1970."""

MEMORY_LIMIT = "1GB"
"""`weeks.memory_limit` of all our runs; peak memory is held against it."""

_TEXT = """
the of and to in is you that it he was for on are as with his they at be this have from or one had by
word but not what all were we when your can said there use an each which she do how their if will up
other about out many then them these so some her would make like him into time has look two more write go
see number no way could people my than first water been call who oil its now find long down day did get
come made may part weather traffic happy sad tired football tea garden music work week night
"""
WORDS = _TEXT.split()


# --- the posts --------------------------------------------------------------------------------------------------------


def select_posts(first: int, last: int) -> str:
    """Return a SELECT of synthetic posts; every value is a hash of the row's number, so threads change nothing."""

    def draw(salt: int, below: int) -> str:
        return f"CAST(md5_number_lower(range || '-{salt}') % {below} AS BIGINT)"

    def word(salt: int) -> str:
        return f"words[1 + {draw(salt, len(WORDS))}]"

    head = " || ' ' || ".join(map(word, range(8)))
    tail = " || ' ' || ".join(map(word, range(8, 18)))
    text = (
        f"CASE WHEN {draw(40, 100)} < 25 THEN '@user_' || {draw(41, 90000)} || ' ' ELSE '' END || {head}"
        f" || CASE WHEN {draw(42, 2)} = 0 THEN ' ' || {tail} ELSE '' END"
        f" || CASE WHEN {draw(43, 100)} < 12 THEN ' #' || {word(44)} ELSE '' END"
        f" || CASE WHEN {draw(45, 100)} < 8 THEN ' 😀 café' ELSE '' END"
        f" || CASE WHEN {draw(46, 100)} < 6 THEN ' tea &amp; cake' ELSE '' END"
        f" || CASE WHEN {draw(47, 100)} < 30 THEN ' https://t.co/' || substr(md5(range || ''), 1, 10) ELSE '' END"
    )
    listed = ", ".join(f"'{word}'" for word in WORDS)
    return f"""
        SELECT (1200000000000000000 + range * 4194304) || '' AS post_id, (100000 + {draw(50, 20000)}) || '' AS user_id,
            make_timestamp({FIRST_US} + {draw(52, N_WEEKS * 7 * 86400)} * 1000000) AS ts, {text} AS text,
            CASE WHEN {draw(54, 100)} < 92 THEN 'en' ELSE 'de' END AS lang, {draw(55, 100)} < 20 AS is_repost,
            {draw(56, 100)} < 15 AS is_reply
        FROM range({first}, {last}), (SELECT [{listed}] AS words)"""


def make_posts(folder: Path, n_rows: int, kind: str) -> None:
    for number in range(N_FILES):
        posts = select_posts(number * n_rows // N_FILES, (number + 1) * n_rows // N_FILES)
        write_posts(posts, folder / f"{number}.{kind}", kind)


def stretch_posts(folder: Path, base: Path, times: int, kind: str) -> None:
    """Write `times` as many posts as the Parquet files in `base` hold: other ids, users and days, the same texts."""
    for number in range(N_FILES):
        copies = (
            f"""SELECT (post_id::BIGINT + 1 + {copy}) || '' AS post_id,
                (100000 + (user_id::BIGINT - 100000 + {copy} * 7919) % 20000) || '' AS user_id,
                make_timestamp({FIRST_US} + (epoch_us(created_at) - {FIRST_US} + {copy} * 37 * 86400000000)
                    % {N_WEEKS * 7 * 86_400_000_000}) AS ts, text, lang, is_repost, is_reply
            FROM read_parquet('{base / f"{number}.parquet"}')"""
            for copy in range(times)
        )
        write_posts(" UNION ALL ".join(copies), folder / f"{number}.{kind}", kind)


def write_posts(posts: str, target: Path, kind: str) -> None:
    import duckdb

    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(config={"threads": 1, "memory_limit": "1GB"})
    partial = f"{target}.part"
    if kind == "parquet":
        connection.execute(
            f"COPY (SELECT * EXCLUDE (ts), timezone('UTC', ts) AS created_at FROM ({posts}))"
            f" TO '{partial}' (FORMAT parquet, COMPRESSION zstd)"
        )
    else:
        connection.execute(
            f"""COPY (SELECT strftime(ts, '%a %b %d %H:%M:%S +0000 %Y') AS created_at, post_id::BIGINT AS id,
                post_id AS id_str, text, 'Twitter for Android' AS source, false AS truncated,
                CASE WHEN is_reply THEN '1199' END AS in_reply_to_status_id_str, lang, 0 AS retweet_count,
                {{'id': user_id::BIGINT, 'id_str': user_id, 'screen_name': 'user_' || user_id, 'lang': 'en',
                  'followers_count': 120, 'statuses_count': 4000, 'verified': false}} AS user,
                {{'hashtags': []::VARCHAR[], 'symbols': []::VARCHAR[], 'urls': []::VARCHAR[]}} AS entities
                FROM ({posts})) TO '{partial}' (FORMAT json, COMPRESSION gzip)"""
        )
    os.replace(partial, target)


# --- the contestants --------------------------------------------------------------------------------------------------


def study_of(paths: list[Path], threads: int, pseudonyms: bool = True, **more: Any) -> Any:
    from temporal_adapters.study.config.study import Study

    return Study.model_validate(
        {
            "study": "s",
            "panel": {"paths": [str(path) for path in paths], "pseudonyms": pseudonyms},
            "weeks": {"workers": threads, "memory_limit": MEMORY_LIMIT, **more},
        }
    )


def ours(paths: list[Path], out: Path, threads: int, **more: Any) -> dict[str, list[int]]:
    from temporal_adapters.stages import weeks
    from temporal_adapters.study.artifacts import RunFolder

    weeks.build(study_of(paths, threads, **more), RunFolder(out))
    return {}


def split(paths: list[Path], out: Path, threads: int, pseudonyms: bool = True) -> dict[str, list[int]]:
    from temporal_adapters.stages.weeks.build import split_settings
    from temporal_adapters.stages.weeks.spread import split_files
    from temporal_adapters.study.artifacts import RunFolder

    jobs = [(path, out / f"{path.name}.arrow") for path in paths]
    settings = split_settings(study_of(paths, threads, pseudonyms), RunFolder(out))
    for _ in split_files(jobs, settings, threads, lambda path, consumed: None):
        pass
    return {}


def clear(paths: list[Path], out: Path, threads: int) -> dict[str, list[int]]:
    return split(paths, out, threads, pseudonyms=False)


def build_only(paths: list[Path], out: Path, threads: int) -> dict[str, list[int]]:
    return ours(paths, out, threads, duplicates="keep")


def full(paths: list[Path], out: Path, threads: int) -> dict[str, list[int]]:
    return ours(paths, out, threads, duplicates="drop", cap_per_user=20)


_PLAIN = """CASE WHEN contains(text, '&') THEN
    replace(replace(replace(text, '&lt;', '<'), '&gt;', '>'), '&amp;', '&') ELSE text END AS text"""
"""Entities to characters, as far as the made-up posts hold any."""

_HMAC = "left(sha256($outer || unhex(sha256($inner || CAST({id} AS BLOB)))), 24)"


def prepared(paths: list[Path], out: Path, threads: int) -> tuple[Any, str, dict[str, Any]]:
    """Return a connection that sees the files as `posts`, our SELECT and its parameters."""
    import numpy as np

    from temporal_adapters.ground import resources
    from temporal_adapters.stages import panel
    from temporal_adapters.stages.weeks.build import split_settings
    from temporal_adapters.stages.weeks.split import clean_parameters
    from temporal_adapters.stages.weeks.windows import SLOT_US, slots
    from temporal_adapters.study.artifacts import RunFolder

    settings = split_settings(study_of(paths, threads), RunFolder(out))
    connection = panel.connect(threads, "3GB")
    moments = np.arange(FIRST_US, FIRST_US + (N_WEEKS + 1) * 7 * 86_400_000_000, SLOT_US)
    connection.register("slots", slots(settings.weeks, (), moments))
    names = str([str(path) for path in paths])
    if paths[0].suffix == ".parquet":
        connection.execute(
            f"""CREATE VIEW posts AS SELECT 0::BIGINT AS row, post_id, user_id, epoch_us(created_at) AS created_us,
                {_PLAIN}, lang, is_repost, is_reply, false AS is_quote, NULL::VARCHAR AS client, 'table' AS platform,
                NULL::VARCHAR AS problem, false AS had_entity FROM read_parquet({names})"""
        )
    else:
        connection.execute(
            f"CREATE VIEW records AS SELECT 0::BIGINT AS number, json AS line FROM read_ndjson_objects({names})"
        )
        posts = resources.text("queries", "panel_twitter_v1")
        connection.execute(
            f"""CREATE VIEW posts AS SELECT number AS row, post_id, user_id,
                epoch_us(try_strptime(created, '%a %b %d %H:%M:%S %z %Y')) AS created_us, {_PLAIN}, lang, is_repost,
                is_reply, is_quote, client, platform, problem, false AS had_entity FROM ({posts})"""
        )
    key = settings.key.removeprefix("hmac:").encode().ljust(64, b"\0")
    pads = {name: bytes(byte ^ pad for byte in key) for name, pad in (("inner", 0x36), ("outer", 0x5C))}
    columns = ", ".join(f"{_HMAC.format(id=name)} AS {name}" for name in ("post_id", "user_id"))
    query = f"SELECT * REPLACE ({columns}) FROM ({resources.text('queries', 'weeks_clean')})"
    return connection, query, {**clean_parameters(settings), **pads}


def bound(paths: list[Path], out: Path, threads: int) -> dict[str, list[int]]:
    connection, query, parameters = prepared(paths, out, threads)
    counted = connection.sql(
        f"""SELECT week, count(*), sum(length(text)), sum(length(post_id)), sum(length(user_id)), max(lang),
            count_if(is_repost), count_if(is_reply), max(platform), count_if(had_url), count_if(had_mention)
            FROM ({query}) WHERE dropped IS NULL GROUP BY week ORDER BY week""",
        params=parameters,
    ).fetchall()
    return {str(number): [row[1], int(row[2])] for number, row in enumerate(counted)}


def duckdb_partition(paths: list[Path], out: Path, threads: int) -> dict[str, list[int]]:
    connection, query, parameters = prepared(paths, out, threads)
    connection.execute(
        f"COPY (SELECT post_id, user_id, created_us, text, lang, is_repost, is_reply, platform, week FROM ({query})"
        f" WHERE dropped IS NULL) TO '{out}' (FORMAT parquet, PARTITION_BY (week))",
        parameters,
    )
    return {}


def polars_sink(paths: list[Path], out: Path, threads: int) -> dict[str, list[int]]:
    import polars as pl

    text = pl.col("text").str.replace_all("&amp;", "&", literal=True).str.replace_all(r"@\S+", "")
    text = text.str.replace_all(r"http\S+", "").str.replace_all("#", "", literal=True)
    text = text.str.replace_all(r"\s+", " ").str.strip_chars()
    frame = pl.scan_parquet(paths).with_columns(text, week=pl.col("created_at").dt.truncate("1w"))
    frame.sink_parquet(pl.PartitionBy(out, key="week"), mkdir=True)
    return {}


def pandas_script(paths: list[Path], out: Path, threads: int) -> dict[str, list[int]]:
    import pandas as pd

    out.mkdir(parents=True)
    for number, path in enumerate(paths):
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
        else:
            frame = pd.read_json(path, lines=True, dtype={"id_str": str})
            frame["user_id"] = [user["id_str"] for user in frame["user"]]
            frame["created_at"] = pd.to_datetime(frame["created_at"], format="%a %b %d %H:%M:%S %z %Y")
            frame = frame[["id_str", "user_id", "created_at", "text", "lang"]]
        text = frame["text"].str.replace("&amp;", "&").str.replace(r"@\S+", "", regex=True)
        text = text.str.replace(r"http\S+", "", regex=True).str.replace("#", "")
        frame["text"] = text.str.replace(r"\s+", " ", regex=True).str.strip()
        week = frame["created_at"].dt.strftime("%G-W%V")
        for label, part in frame.groupby(week):
            part.to_parquet(out / f"{label}-{number}.parquet")
    return {}


JOBS: dict[str, Callable[[list[Path], Path, int], dict[str, list[int]]]] = {
    "bound": bound,
    "split": split,
    "clear": clear,
    "ours": build_only,
    "full": full,
    "duckdb": duckdb_partition,
    "polars": polars_sink,
    "pandas": pandas_script,
}


# --- measuring --------------------------------------------------------------------------------------------------------


def work(job: str, folder: Path, kind: str, threads: int) -> None:
    """Do one job in this process and print what it took."""
    import duckdb  # noqa: F401
    import polars  # noqa: F401
    import pyarrow.dataset  # noqa: F401

    from temporal_adapters.stages import weeks  # noqa: F401

    if job == "pandas":
        import pandas  # noqa: F401
    paths = sorted(folder.glob(f"*.{kind}"))
    out = Path(tempfile.mkdtemp(dir=folder)) / "out"
    started, used = time.monotonic(), processor_s()
    counted = JOBS[job](paths, out, threads)
    took = {"cpu_s": processor_s() - used, "wall_s": time.monotonic() - started}
    own, children = (
        resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    rss_mb = own + (children * threads if job in ("split", "clear", "ours", "full") and threads > 1 else 0)
    if job == "ours":
        counted = count_weeks(out)
    shutil.rmtree(out.parent)
    print(json.dumps({**took, "rss_mb": rss_mb, "counted": counted}))


def count_weeks(out: Path) -> dict[str, list[int]]:
    import polars as pl

    paths = sorted((out / "weeks").glob("*.parquet"))
    sums = [
        pl.scan_parquet(path).select(pl.len(), pl.col("text").str.len_chars().sum()).collect().row(0) for path in paths
    ]
    return {str(number): list(row) for number, row in enumerate(sums)}


def processor_s() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def run(job: str, folder: Path, kind: str, threads: int) -> dict[str, Any]:
    capped = {name: str(threads) for name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    call = [sys.executable, __file__, "--job", job, "--folder", str(folder), "--kind", kind, "--threads", str(threads)]
    environment = {**os.environ, **capped, "XDG_CONFIG_HOME": str(folder / "home")}
    done = subprocess.run(call, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"{job} on {kind} failed:\n{done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def compare(folder: Path, kind: str, jobs: list[str], threads: int, repeats: int) -> dict[str, dict[str, Any]]:
    """Return job -> median figures; rounds are interleaved, and no figure comes out unless ours equals the bound."""
    rounds = [{job: run(job, folder, kind, threads) for job in jobs} for _ in range(repeats)]
    if any(one["ours"]["counted"] != one["bound"]["counted"] for one in rounds):
        raise SystemExit(f"{kind}: our weeks are not those of the bound; no speed is printed")
    return {
        job: {name: statistics.median(one[job][name] for one in rounds) for name in ("cpu_s", "wall_s", "rss_mb")}
        for job in jobs
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--pandas-rows", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--kind", choices=["parquet", "jsonl.gz"], help="only this format")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--job", choices=sorted(JOBS))
    asked = parser.parse_args()
    if asked.job:
        work(asked.job, asked.folder, asked.kind, asked.threads)
        return
    if asked.quick:
        asked.rows, asked.pandas_rows, asked.repeats = 400_000, 100_000, 1
    with tempfile.TemporaryDirectory() as scratch:
        (report_large if asked.large else report)(asked, asked.folder or Path(scratch))


def report(asked: argparse.Namespace, folder: Path) -> None:
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for kind in ("parquet", "jsonl.gz"):
        # --quick: few JSON lines, which take pandas two minutes a million.
        n_rows = asked.rows // 2 if asked.quick and kind == "jsonl.gz" else asked.rows
        # Far fewer rows than the rest would be unfair to pandas: it writes a file per week and raw file, however few.
        n_pandas = min(asked.pandas_rows, n_rows)
        posts, few = folder / f"{n_rows}-{kind}", folder / f"{n_pandas}-{kind}"
        make_posts(posts, n_rows, kind)
        make_posts(few, n_pandas, kind)
        jobs = ["bound", "split", "ours", "full", *(["clear", "duckdb", "polars"] if kind == "parquet" else [])]
        found[kind] = compare(posts, kind, jobs, asked.threads, asked.repeats)
        slow = run("pandas", few, kind, asked.threads)
        scale = n_rows / n_pandas
        found[kind]["pandas"] = {
            "cpu_s": slow["cpu_s"] * scale,
            "wall_s": slow["wall_s"] * scale,
            "rss_mb": slow["rss_mb"],
        }
        print(f"{kind}, {n_rows:,} posts, {asked.threads} thread(s)")
        for job, took in found[kind].items():
            rate = n_rows / took["cpu_s"]
            print(
                f"  {job:<8} {took['cpu_s']:8.1f} s cpu {took['wall_s']:8.1f} s wall {took['rss_mb']:7.0f} MB"
                f" {rate:12,.0f} posts/s"
            )
    parquet, lines = found["parquet"], found["jsonl.gz"]
    ratios = {
        "parquet_over_bound": parquet["split"]["cpu_s"] / parquet["bound"]["cpu_s"],
        "jsonl_over_bound": lines["split"]["cpu_s"] / lines["bound"]["cpu_s"],
        "parquet_built_over_bound": parquet["ours"]["cpu_s"] / parquet["bound"]["cpu_s"],
        "jsonl_built_over_bound": lines["ours"]["cpu_s"] / lines["bound"]["cpu_s"],
        "full_over_bound": parquet["full"]["cpu_s"] / parquet["bound"]["cpu_s"],
        "jsonl_full_over_bound": lines["full"]["cpu_s"] / lines["bound"]["cpu_s"],
        "pandas_over_split": parquet["pandas"]["cpu_s"] / parquet["split"]["cpu_s"],
        "pandas_over_ours": parquet["pandas"]["cpu_s"] / parquet["ours"]["cpu_s"],
        "jsonl_pandas_over_split": lines["pandas"]["cpu_s"] / lines["split"]["cpu_s"],
        "jsonl_pandas_over_ours": lines["pandas"]["cpu_s"] / lines["ours"]["cpu_s"],
        "polars_over_ours": parquet["polars"]["cpu_s"] / parquet["ours"]["cpu_s"],
        "polars_over_clear": parquet["polars"]["cpu_s"] / parquet["clear"]["cpu_s"],
        "polars_over_split": parquet["polars"]["cpu_s"] / parquet["split"]["cpu_s"],
        "duckdb_over_ours": parquet["duckdb"]["cpu_s"] / parquet["ours"]["cpu_s"],
        "duckdb_over_split": parquet["duckdb"]["cpu_s"] / parquet["split"]["cpu_s"],
    }
    peak = max(took[job]["rss_mb"] for took in found.values() for job in ("ours", "full"))
    line = {"equal": True, "ratios": {name: round(value, 2) for name, value in ratios.items()}}
    print(json.dumps({**line, "peak_rss_mb": round(peak), "rows": asked.rows, "threads": asked.threads}))


def report_large(asked: argparse.Namespace, folder: Path) -> None:
    """Print posts per second and peak memory of ours at 5 and 20 million posts."""
    base = folder / "1000000-parquet"
    make_posts(base, 1_000_000, "parquet")
    peaks: dict[str, float] = {}
    for kind in [asked.kind] if asked.kind else ["parquet", "jsonl.gz"]:
        for times in (5, 20):
            posts = folder / f"{times * 1_000_000}-{kind}"
            stretch_posts(posts, base, times, kind)
            for job in ("bound", "ours", "full"):
                took = run(job, posts, kind, asked.threads)
                peaks[f"{kind} {times} million {job}"] = round(took["rss_mb"])
                print(
                    f"{kind}, {times} million, {job:<5} {took['cpu_s']:8.1f} s cpu {took['wall_s']:8.1f} s wall"
                    f" {took['rss_mb']:7.0f} MB {times * 1e6 / took['cpu_s']:12,.0f} posts/s of processor time",
                    flush=True,
                )
    ours = [peak for name, peak in peaks.items() if not name.endswith("bound")]
    print(json.dumps({"peak_rss_mb": peaks, "limit": MEMORY_LIMIT, "below_limit": max(ours) < 1000}))


if __name__ == "__main__":
    main()
