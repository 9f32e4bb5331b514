"""The weeks on Spark: the same readers, the same SQL, the same files.

Takes a study, its run folder and a Spark master, gives the same published folder ``weeks/`` as `weeks.build`. Knows how
the two stages become Spark jobs, not what they do.

Every raw file is read by one task through the readers of `panel`; the SELECTs of ``queries/weeks_*.sql`` are translated
by sqlglot; every week is ordered and written by one task. Raw files and run folder must be visible to all workers under
the same path.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from temporal_adapters.ground import resources
from temporal_adapters.ground.errors import PanelError, ScaleError
from temporal_adapters.ground.progress import Listener, Tick, silent
from temporal_adapters.stages import panel
from temporal_adapters.stages.weeks import (
    LATEST_US,
    RULES,
    SLOT_US,
    STAGED,
    Counts,
    SplitSettings,
    account_parameters,
    clean_parameters,
    entry_of,
    expected,
    facts,
    judges_accounts,
    marked,
    ordered_corpus,
    pseudonymised,
    reduce_parameters,
    slots,
    split_settings,
    week_window,
    with_characters,
    with_languages,
    write_corpus,
)
from temporal_adapters.study.artifacts import Manifest, RunFolder, make
from temporal_adapters.study.config import Study

_FILE_ROWS = 1 << 40
"""Rows are numbered file x 2^40 + place, so that a row says which file it is from."""

_NOTES = ("repaired:", "noted:", "doubtful:")
"""What a reader says of many records, in rows that are no records: kind in `problem`, count in `number`."""

_POSTS = pa.schema([*panel.POSTS, ("had_entity", pa.bool_())])
_READ = "row bigint, " + ", ".join(
    f"{field.name} {'bigint' if field.type == pa.int64() else 'boolean' if field.type == pa.bool_() else 'string'}"
    for field in _POSTS
)
_NO_NOTE = " and ".join(f"problem not like '{kind}%'" for kind in _NOTES)
_WRITTEN = "week int, n_posts bigint, n_users bigint, n_near bigint"


def build_weeks(study: Study, run: RunFolder, *, master: str = "local[*]", listener: Listener = silent) -> Manifest:
    """Build the weekly corpora of a study on Spark, or return their manifest if they are up to date.

    Parameters
    ----------
    study, run
        As for `weeks.build`.
    master
        Spark master, such as ``local[4]``, ``spark://host:7077`` or ``yarn``.
    listener
        Told how many weeks are done.

    Raises
    ------
    ScaleError
        If pyspark, sqlglot or Java are missing, or the master cannot be reached.
    PanelError
        If a raw file cannot be read.
    """
    work = expected(study, run)[0]

    def write(folder: Path) -> Mapping[str, Any]:
        settings = split_settings(study, run)
        listener(Tick("weeks", 0, 1, "stages", "spark"))
        with _session(master, settings) as session:
            facts = _Weeks(session, settings).write(folder)
        listener(Tick("weeks", 1, 1, "stages", "spark"))
        return facts

    config = {
        "panel": study.panel.model_dump(mode="json", exclude={"pseudonym_key"}),
        "weeks": study.weeks.model_dump(mode="json"),
    }
    return make(work, write, config={**config, "engine": "spark"})


@contextlib.contextmanager
def _session(master: str, settings: SplitSettings) -> Iterator[Any]:
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError:
        raise ScaleError("--engine spark needs pyspark and sqlglot: pip install 'temporal-adapters[scale]'") from None
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        session = (
            SparkSession.builder.master(master)
            .appName("temporal-adapters weeks")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .config("spark.driver.memory", settings.memory_limit.replace("B", "").lower())
            .getOrCreate()
        )
    except (PySparkException, RuntimeError, OSError) as error:
        raise ScaleError(
            f"Spark cannot start on master {master!r} ({_first_line(error)}): it needs Java 17 or newer"
        ) from None
    session.sparkContext.setLogLevel("ERROR")
    # Spark's default of 200 pieces per shuffle suits a cluster; on few cores most of them would be empty.
    session.conf.set("spark.sql.shuffle.partitions", 2 * session.sparkContext.defaultParallelism)
    try:
        yield session
    except PySparkException as error:
        _raise_ours(error)
        raise
    finally:
        session.stop()


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _raise_ours(error: BaseException) -> None:
    """Raise the error of a reader that a worker met, which Spark hands over as the text of a traceback."""
    match = re.search(r"temporal_adapters\.ground\.errors\.\w+: (.*)", str(error))
    if match:
        raise PanelError(match[1].strip()) from None


def translate(query: str) -> str:
    """Return one of our queries in Spark's dialect.

    Raises
    ------
    ScaleError
        If sqlglot is not installed.
    """
    try:
        import sqlglot
    except ImportError:
        raise ScaleError("--engine spark needs sqlglot: pip install 'temporal-adapters[scale]'") from None
    return sqlglot.transpile(resources.text("queries", query), read="duckdb", write="spark", comments=False)[0]


class _Weeks:
    """The two stages as Spark jobs."""

    def __init__(self, session: Any, settings: SplitSettings) -> None:
        self._session = session
        self._settings = settings
        self._paths = panel.find_files(settings.panel.paths)

    def write(self, folder: Path) -> dict[str, Any]:
        """Write all corpora and return the facts of the manifest."""
        posts = self._posts().persist()
        cleaned = self._cleaned(posts.filter(f"problem is null or ({_NO_NOTE})")).persist()
        counts = [self._counts(posts, cleaned, number, path) for number, path in enumerate(self._paths)]
        judged = self._judged(cleaned.filter("dropped is null")).persist()
        entries = self._written(judged, folder)
        n_users = self._n_users(folder, entries)
        for frame in (posts, cleaned, judged):
            frame.unpersist()
        return {**facts(counts, entries, self._settings), "n_users": n_users}

    def _run(self, query: str, parameters: Mapping[str, Any], **views: Any) -> Any:
        for name, frame in views.items():
            frame.createOrReplaceTempView(name)
        return self._session.sql(translate(query), args=dict(parameters))

    def _posts(self) -> Any:
        files = self._session.createDataFrame(
            [(number, str(path)) for number, path in enumerate(self._paths)], "number bigint, path string"
        )
        spread = files.repartitionByRange(max(1, len(self._paths)), "number")
        return spread.mapInArrow(_reader(self._settings), _READ)

    def _cleaned(self, posts: Any) -> Any:
        known = posts.filter(f"created_us >= 0 and created_us < {LATEST_US}")
        first, last = known.selectExpr("min(created_us)", "max(created_us)").first()
        moments = pa.array([] if first is None else range(first - first % SLOT_US, last + 1, SLOT_US), pa.int64())
        table = slots(self._settings.weeks, self._settings.waves, moments.to_numpy())
        weeks = self._session.createDataFrame(table)
        return self._run("weeks_clean", clean_parameters(self._settings), posts=posts, slots=weeks)

    def _counts(self, posts: Any, cleaned: Any, number: int, path: Path) -> Counts:
        """Return what became of one file's records; stop if too many are corrupt."""
        mine = f"row >= {number * _FILE_ROWS} and row < {(number + 1) * _FILE_ROWS}"
        said = posts.filter(f"{mine} and not ({_NO_NOTE})").groupBy("problem").sum("number").collect()
        notes = {
            kind: {row[0].removeprefix(kind): row[1] for row in said if row[0].startswith(kind)} for kind in _NOTES
        }
        fates = cleaned.filter(mine).select("row", "dropped").distinct().groupBy("dropped").count().collect()
        by_fate = {row["dropped"]: row["count"] for row in fates}
        n_kept = by_fate.pop(None, 0)
        kept = cleaned.filter(f"{mine} and dropped is null")
        sums = kept.selectExpr("count(*)", *(f"coalesce(sum(int(had_{rule})), 0)" for rule in RULES)).first()
        counts = Counts(
            n_records=n_kept + sum(by_fate.values()),
            n_kept=n_kept,
            n_copies=sums[0] - n_kept,
            dropped=dict(sorted(by_fate.items())),
            changed=dict(zip(RULES, sums[1:], strict=True)),
            repaired=notes["repaired:"],
            noted={**notes["noted:"], **{f"doubtful_{kind}": n for kind, n in notes["doubtful:"].items()}},
        )
        for kind, n in notes["doubtful:"].items():
            if n > self._settings.panel.max_corrupt_share * counts.n_records:
                raise PanelError(f"{path}: {n} of {counts.n_records} records {panel.DOUBTS[kind]}")
        if counts.n_corrupt > self._settings.panel.max_corrupt_share * counts.n_records:
            raise PanelError(
                f"{path}: {counts.n_corrupt} of {counts.n_records} records are corrupt, above "
                f"panel.max_corrupt_share = {self._settings.panel.max_corrupt_share:g}"
            )
        return counts

    def _judged(self, staged: Any) -> Any:
        weeks = self._settings.weeks
        excluded = self._session.createDataFrame([], "user_id string, reason string")
        if judges_accounts(weeks):
            excluded = self._run("weeks_accounts", account_parameters(weeks), staged=staged)
        dates = self._run("weeks_dates", {}, staged=staged)
        return self._run("weeks_reduce", reduce_parameters(weeks), staged=staged, excluded=excluded, dates=dates)

    def _written(self, judged: Any, folder: Path) -> list[dict[str, Any]]:
        lost: dict[int, dict[str, int]] = {}
        for row in judged.filter("dropped is not null").groupBy("week", "dropped").count().collect():
            lost.setdefault(row["week"], {})[row["dropped"]] = row["count"]
        weeks = [row["week"] for row in judged.select("week").distinct().collect()]
        done = judged.filter("dropped is null").groupBy("week").applyInArrow(_writer(self._settings, folder), _WRITTEN)
        written = {row["week"]: row for row in done.collect()}
        entries = []
        for week in sorted(weeks):
            row, dropped = written.get(week), lost.get(week, {})
            n_posts, n_users = (row["n_posts"], row["n_users"]) if row else (0, 0)
            if row and row["n_near"]:
                dropped["near_duplicate"] = row["n_near"]
            if n_posts < self._settings.weeks.min_posts:
                dropped, n_posts, n_users = {**dropped, "thin_week": n_posts}, 0, 0
            entries.append(entry_of(week_window(week, self._settings), n_posts, n_users, dropped))
        return entries

    def _n_users(self, folder: Path, entries: list[dict[str, Any]]) -> int:
        paths = [str(folder / f"{entry['label']}.parquet") for entry in entries if entry["n_posts"]]
        return int(self._session.read.parquet(*paths).select("user_id").distinct().count()) if paths else 0


def _reader(settings: SplitSettings) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return the function that turns rows (number, path) into posts on a worker."""

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for file in batch.to_pylist():
                yield from _read_file(file["number"], Path(file["path"]), settings)

    return read


def _read_file(number: int, path: Path, settings: SplitSettings) -> Iterator[pa.RecordBatch]:
    place = number * _FILE_ROWS
    with panel.connect(1, settings.memory_limit) as connection:
        for chunk in panel.read_posts(path, settings.panel, connection, settings.weeks.timezone):
            posts = with_languages(marked(chunk.posts, settings.drops), settings.weeks.language_detector)
            posts = with_characters(pseudonymised(posts, settings.key, connection), settings.weeks.clean.entities)
            lost = [{"problem": reason} for reason, n in chunk.lost.items() for _ in range(n)]
            said = zip(_NOTES, (chunk.repaired, chunk.noted, chunk.doubtful), strict=True)
            notes = [{"problem": kind + what, "number": n} for kind, found in said for what, n in found.items()]
            table = pa.concat_tables([posts.select(_POSTS.names), pa.Table.from_pylist([*lost, *notes], _POSTS)])
            rows = pa.array(range(place, place + table.num_rows), pa.int64())
            place += table.num_rows
            yield from table.add_column(0, "row", rows).combine_chunks().to_batches()


def _writer(settings: SplitSettings, folder: Path) -> Callable[[pa.Table], pa.Table]:
    """Return the function that writes one week's corpus on a worker."""

    def write(posts: pa.Table) -> pa.Table:
        week = posts["week"][0].as_py()
        frame = pl.DataFrame(pl.from_arrow(posts.select(STAGED.names).cast(STAGED)))
        corpus, n_near = ordered_corpus(frame, settings.weeks)
        if corpus.num_rows >= settings.weeks.min_posts:
            write_corpus(corpus, folder / f"{week_window(week, settings).label}.parquet")
        n_users = pc.count_distinct(corpus["user_id"]).as_py()
        return pa.table(
            {
                "week": pa.array([week], pa.int32()),
                "n_posts": pa.array([corpus.num_rows], pa.int64()),
                "n_users": pa.array([n_users], pa.int64()),
                "n_near": pa.array([n_near], pa.int64()),
            }
        )

    return write
