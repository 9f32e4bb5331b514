"""Posts and users that are taken out of a study for good, and everything that learned from them.

Takes a study, its run folder and ids, gives what was concerned. Knows which folders of a run come from which week.

The ids themselves are kept nowhere: the run's list holds keyed digests (see `drops`), its record what was done and
when.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from temporal_adapters.ground.errors import ArtifactError, WeeksError
from temporal_adapters.stages import panel
from temporal_adapters.stages.weeks.drops import read_forgotten, seal, write_forgotten
from temporal_adapters.stages.weeks.plan import key_of
from temporal_adapters.stages.weeks.pseudonym import pseudonymised
from temporal_adapters.study.artifacts import Manifest, RunFolder, read_corpora
from temporal_adapters.study.config import Study

RECORD = "forget.jsonl"
"""Name of the record in a run's folder ``panel/``: one line of JSON per request."""

_DERIVED = ("answers", "series", "lags", "trust", "report", "validate", "mix", "base")
"""Folders of a run that come from all its weeks."""


@dataclass(frozen=True)
class Forgotten:
    """What a request to forget was about.

    Attributes
    ----------
    n_posts
        Posts of the corpora that are gone.
    weeks
        Their weeks (labels).
    learned
        Folders of this run that learned from them: adapters, answers, series, report.
    erased
        Folders and files that were deleted.
    """

    n_posts: int
    weeks: tuple[str, ...]
    learned: tuple[Path, ...]
    erased: tuple[Path, ...]


def forget(
    study: Study,
    run: RunFolder,
    ids: frozenset[str],
    users: frozenset[str],
    *,
    erase: bool,
    build: Callable[[], Manifest],
) -> Forgotten:
    """Take posts out of a study, build the weeks anew, and say (or delete) what learned from them.

    Parameters
    ----------
    study, run
        The study and its run folder.
    ids, users
        Ids of posts, and of users all of whose posts go, as the platform writes them.
    erase
        Delete the adapters, answers and reports that learned from them, and every staged or stale copy.
    build
        Builds the weeks of the study.

    Raises
    ------
    ArtifactError
        If the weeks have not been built: nothing has learned from any post.
    """
    held = _held(study, run, ids, users)
    if not run.weeks.exists():
        raise ArtifactError(f"{run.weeks} does not exist: name the ids in panel.drop_ids or panel.drop_users instead")
    listed = read_forgotten(run)
    salt = str(listed.get("salt") or secrets.token_hex(32))
    posts = set(listed.get("posts", ())) | seal(ids, salt)
    people = set(listed.get("users", ())) | seal(users, salt)
    write_forgotten(run, {"salt": salt, "posts": sorted(posts), "users": sorted(people)})
    weeks = tuple(sorted(held))
    learned = tuple(sorted(path for path in _learned(run, weeks) if path.exists()))
    try:
        build()
    except WeeksError as error:
        # With no post left there are no weeks to build; the old ones must go all the same.
        if not erase:
            raise
        shutil.rmtree(run.weeks, ignore_errors=True)
        del error
    erased = tuple(_erase(run, learned)) if erase else ()
    found = Forgotten(sum(held.values()), weeks, learned, erased)
    _record(run, found, len(ids), len(users))
    return found


def _held(study: Study, run: RunFolder, ids: frozenset[str], users: frozenset[str]) -> dict[str, int]:
    """Return week -> posts of its corpus that are asked to be forgotten."""
    wanted = {"post_id": _as_written(study, run, ids), "user_id": _as_written(study, run, users)}
    held = {}
    for corpus in read_corpora(run):
        found = pl.read_parquet(corpus.path, columns=["post_id", "user_id"])
        n = found.filter(pl.any_horizontal(pl.col(name).is_in(values) for name, values in wanted.items())).height
        if n:
            held[corpus.label] = n
    return held


def _as_written(study: Study, run: RunFolder, ids: frozenset[str]) -> list[str]:
    """Return ids as the corpora have them: pseudonyms, where the study makes them."""
    table = pa.table({"post_id": sorted(ids), "user_id": sorted(ids)}, schema=_IDS)
    with panel.connect(1, "500MB") as connection:
        return [str(one) for one in pseudonymised(table, key_of(study, run), connection)["post_id"].to_pylist()]


_IDS = pa.schema([("post_id", pa.string()), ("user_id", pa.string())])


def _learned(run: RunFolder, weeks: tuple[str, ...]) -> Iterator[Path]:
    for folder in ("adapters", "tokens", "logprobs"):
        for week in weeks:
            yield from (path for path in run.root.rglob(week) if path.is_dir() and folder in path.parts)
    if weeks:
        yield from (run.root / name for name in _DERIVED)


def _erase(run: RunFolder, learned: tuple[Path, ...]) -> Iterator[Path]:
    """Delete what learned from the posts, and every copy of them that lies aside."""
    aside = list(run.root.rglob("*.stale*")) + list(run.root.rglob("*.partial-*"))
    used = _used(run)
    staged = [path for path in run.panel.glob("*") if path.suffix in (".arrow", ".json") and path.name not in used]
    for path in dict.fromkeys([*learned, *aside, *staged]):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        if not path.exists():
            yield path


def _used(run: RunFolder) -> set[str]:
    """Return the names in ``panel/`` that today's weeks are made of; all else may hold what is forgotten."""
    return {"forgotten.json", "digests.json", *_newest(run.panel)}


def _newest(folder: Path) -> set[str]:
    lists = sorted(folder.glob("*.arrow"), key=lambda path: path.stat().st_mtime)
    made = (folder / "forgotten.json").stat().st_mtime
    keep = [path for path in lists if path.stat().st_mtime >= made]
    return {name for path in keep for name in (path.name, path.with_suffix(".json").name)}


def _record(run: RunFolder, found: Forgotten, n_ids: int, n_users: int) -> None:
    line: dict[str, Any] = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "n_ids": n_ids,
        "n_users": n_users,
        "n_posts": found.n_posts,
        "weeks": list(found.weeks),
        "learned": [str(path.relative_to(run.root)) for path in found.learned],
        "erased": [str(path.relative_to(run.root)) for path in found.erased],
    }
    with (run.panel / RECORD).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


# --- coverage ---------------------------------------------------------------------------------------------------------


_TWITTER_EPOCH_MS = 1_288_834_974_657
_FIRST_SNOWFLAKE = 29_700_859_247
"""Twitter's ids hold their time (in milliseconds, above 22 bits) since November 2010."""


def coverage(study: Study, asked: Path) -> pl.DataFrame:
    """Return how many of the ids that were asked for are in the raw files.

    Parameters
    ----------
    study
        The study.
    asked
        One id a line, or a CSV file with the column post_id and, if known, user_id and created_at.

    Returns
    -------
    polars.DataFrame
        post_id, user_id (null if unknown), week (its Monday, from file, post or id; null if unknown), found.

    Raises
    ------
    WeeksError
        If the file cannot be read or has no ids.
    """
    wanted = _asked(asked)
    there: dict[str, tuple[str | None, int | None]] = {}
    with panel.connect(study.weeks.workers or 1, study.weeks.memory_limit) as connection:
        for path in panel.find_files(study.panel.paths):
            for chunk in panel.read_posts(path, study.panel, connection, study.weeks.timezone):
                posts = chunk.posts.select(["post_id", "user_id", "created_us"])
                frame = pl.DataFrame(posts).filter(pl.col("post_id").is_in(wanted["post_id"].implode()))
                there.update({one: (user, moment) for one, user, moment in frame.iter_rows()})
    found = pl.DataFrame(
        [(one, user, moment) for one, (user, moment) in there.items()],
        schema={"post_id": pl.String, "held_user": pl.String, "held_us": pl.Int64},
        orient="row",
    )
    joined = wanted.join(found, on="post_id", how="left", maintain_order="left")
    number = pl.col("post_id").cast(pl.Int64, strict=False)
    snowflake_us = pl.when(number > _FIRST_SNOWFLAKE).then(((number // 2**22) + _TWITTER_EPOCH_MS) * 1000)
    moment = pl.coalesce("held_us", "asked_us", snowflake_us).cast(pl.Datetime("us"))
    return joined.select(
        "post_id",
        pl.coalesce("user_id", "held_user").alias("user_id"),
        moment.dt.truncate("1w").dt.date().alias("week"),
        pl.col("held_us").is_not_null().alias("found"),
    )


def _asked(path: Path) -> pl.DataFrame:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise WeeksError(
            f"--asked: {path} cannot be read ({type(error).__name__}): give one id a line, or CSV"
        ) from None
    first = text.split("\n", 1)[0]
    if "post_id" in first and "," in first:
        table = pl.read_csv(path, infer_schema=False)
    else:
        ids = [line.strip().strip('"') for line in text.split("\n")]
        table = pl.DataFrame({"post_id": [one for one in ids if one and one not in ("id", "post_id", "tweet_id")]})
    if not table.height:
        raise WeeksError(f"--asked: {path} holds no id: write one id a line")
    for name in ("user_id", "created_at"):
        if name not in table.columns:
            table = table.with_columns(pl.lit(None, pl.String).alias(name))
    moment = pl.col("created_at").str.to_datetime(time_zone="UTC", strict=False).dt.epoch("us").alias("asked_us")
    return table.with_columns(moment).select("post_id", "user_id", "asked_us").unique("post_id", maintain_order=True)
