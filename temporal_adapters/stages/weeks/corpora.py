"""Stage B for all weeks of a study: take over what did not change, make the rest, and say what came out.

Takes the staged files, gives Parquet files in a folder and the facts of the manifest. Knows no raw file.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from temporal_adapters.ground.dates import parse_week, week_label
from temporal_adapters.ground.errors import ArtifactError, WeeksError
from temporal_adapters.ground.progress import Listener, Tick
from temporal_adapters.stages import panel
from temporal_adapters.stages.weeks.accounts import excluded_accounts
from temporal_adapters.stages.weeks.identity import dates_that_count
from temporal_adapters.stages.weeks.memory import duckdb_limit, n_weeks
from temporal_adapters.stages.weeks.reduce import Whole, read_users, reduce_week, write_corpus
from temporal_adapters.stages.weeks.split import SplitSettings
from temporal_adapters.stages.weeks.staged import Counts, Staged
from temporal_adapters.stages.weeks.windows import Window, calendar_window
from temporal_adapters.study.artifacts import (
    RunFolder,
    digest_file,
    digest_json,
    read_manifest,
    week_entry,
    weeks_facts,
)

STAGE_B = ("duplicates", "cap_per_user", "cap_seed", "near_duplicates", "min_user_posts", "min_posts")
"""Settings of `weeks` that only this stage reads: changing them keeps the staged files."""


@dataclass(frozen=True)
class _Week:
    """One week at hand: what it depends on, and what an earlier build made of it."""

    window: Window
    number: int
    key: str
    before: _Before | None


@dataclass(frozen=True)
class _Before:
    """What an earlier build says of a week: its entry in the manifest, and the digest of its file."""

    entry: Mapping[str, Any]
    sha256: str


def write_corpora(
    staged: Sequence[Staged], settings: SplitSettings, run: RunFolder, folder: Path, version: int, listener: Listener
) -> dict[str, Any]:
    """Write every week's corpus into `folder` and return the facts of the manifest.

    Parameters
    ----------
    staged
        All staged files of the study.
    settings
        The study's settings.
    run
        The run folder; corpora of an earlier build are linked from there where nothing they depend on changed.
    folder
        Where to write ``<label>.parquet``.
    version
        Version of the stage.
    listener
        Told how many weeks are done.

    Raises
    ------
    WeeksError
        If no week has a post left.
    """
    entries: list[dict[str, Any]] = []
    users = _Users()
    with panel.connect(settings.threads, duckdb_limit(settings.memory_limit)) as connection:
        excluded = excluded_accounts(staged, settings.weeks, connection)
        study = Whole(excluded, dates_that_count(staged, settings, connection))
        weeks = list(_weeks(staged, study, settings, run, version))

        def finish(week: _Week) -> tuple[dict[str, Any], pa.Array]:
            entry = _linked(week, run, folder)
            if entry is not None:
                return entry, read_users(folder / f"{week.window.label}.parquet")
            return _made(week, staged, study, settings, connection.cursor(), folder)

        n_threads = n_weeks(settings.memory_limit, settings.threads, staged)
        for entry, its_users in _in_threads(finish, weeks, n_threads):
            users.add(its_users)
            entries.append(entry)
            listener(Tick("weeks", len(entries), len(weeks), "weeks", entry["label"]))
    return {**facts([file.counts for file in staged], entries, settings), "n_users": users.count()}


def _weeks(
    staged: Sequence[Staged], study: Whole, settings: SplitSettings, run: RunFolder, version: int
) -> Iterator[_Week]:
    before = _entries_before(run)
    rules = {name: getattr(settings.weeks, name) for name in STAGE_B}
    rules["accounts"] = digest_json(study.excluded.to_pylist())
    for number in sorted({week for file in staged for week in file.weeks}):
        sources = sorted(file.path.name for file in staged if number in file.weeks)
        own = {"dates": digest_json(study.dates[number].to_pylist())} if number in study.dates else {}
        key = digest_json({"version": version, "week": number, "rules": {**rules, **own}, "sources": sources})
        yield _Week(week_window(number, settings), number, key, before.get(key))


def _entries_before(run: RunFolder) -> dict[str, _Before]:
    try:
        manifest = read_manifest(run.weeks)
    except ArtifactError:
        return {}
    if manifest is None:
        return {}
    return {
        week["key"]: _Before(week, manifest.outputs[name]["sha256"])
        for week in manifest.facts["weeks"]
        if "key" in week and (name := f"{week['label']}.parquet") in manifest.outputs
    }


def _linked(week: _Week, run: RunFolder, folder: Path) -> dict[str, Any] | None:
    """Take over the corpus of an earlier build from the same rows under the same rules, if it is as it was written."""
    if week.before is None:
        return None
    name = f"{week.window.label}.parquet"
    try:
        if digest_file(run.weeks / name) != week.before.sha256:
            return None
        os.link(run.weeks / name, folder / name)
    except OSError:
        return None
    return dict(week.before.entry)


def entry_of(window: Window, n_posts: int, n_users: int, dropped: Mapping[str, int]) -> dict[str, Any]:
    """Return what the manifest says of one week."""
    return week_entry(window.label, window.start, window.end, n_posts, n_users, dropped=dict(dropped))


def _made(
    week: _Week,
    staged: Sequence[Staged],
    study: Whole,
    settings: SplitSettings,
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
) -> tuple[dict[str, Any], pa.Array]:
    corpus, reduced = reduce_week(week.number, staged, study, settings.weeks, connection)
    if reduced.n_posts < settings.weeks.min_posts:
        entry = entry_of(week.window, 0, 0, {**reduced.dropped, "thin_week": reduced.n_posts})
        return {**entry, "key": week.key}, reduced.users.slice(0, 0)
    write_corpus(corpus, folder / f"{week.window.label}.parquet")
    entry = entry_of(week.window, reduced.n_posts, reduced.n_users, reduced.dropped)
    return {**entry, "key": week.key}, reduced.users


def _in_threads(
    finish: Callable[[_Week], tuple[dict[str, Any], pa.Array]], weeks: Sequence[_Week], n_threads: int
) -> Iterator[tuple[dict[str, Any], pa.Array]]:
    """Yield what `finish` gives for each week, in order; the work leaves Python's lock most of the time."""
    with ThreadPoolExecutor(n_threads) as pool:
        try:
            yield from pool.map(finish, weeks)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


class _Users:
    """Counts distinct users over weeks; merges seldom enough for the cost to stay linear."""

    def __init__(self) -> None:
        self._known = pa.array([], pa.string())
        self._waiting: list[pa.Array] = []

    def add(self, users: pa.Array) -> None:
        self._waiting.append(users)
        if sum(map(len, self._waiting)) > len(self._known) + 100_000:
            self.count()

    def count(self) -> int:
        self._known = pa.chunked_array([self._known, *self._waiting], pa.string()).unique()
        self._waiting = []
        return len(self._known)


def week_window(week: int, settings: SplitSettings) -> Window:
    """Return the window of the week with that number (see `Window.number`)."""
    by_number = {window.number: window for window in settings.waves}
    return by_number[week] if settings.waves else calendar_window(week, settings.weeks)


def facts(counts: Sequence[Counts], entries: Sequence[Mapping[str, Any]], settings: SplitSettings) -> dict[str, Any]:
    """Return the facts of the manifest.

    Parameters
    ----------
    counts
        What became of the records of each raw file.
    entries
        One per week: label, start, end, n_posts, n_users, dropped.
    settings
        The study's settings.

    Raises
    ------
    WeeksError
        If no week has a post left.
    """
    dropped, changed, repaired, noted = (Counter[str]() for _ in range(4))
    for file in counts:
        dropped.update(file.dropped)
        changed.update(file.changed)
        repaired.update(file.repaired)
        noted.update(file.noted)
    for entry in entries:
        dropped.update(entry["dropped"])
    _refuse_strangers(dropped["other_post"], sum(file.n_kept for file in counts), settings)
    weeks = [entry for entry in entries if entry["n_posts"]]
    if not weeks:
        reasons = ", ".join(f"{n} {reason}" for reason, n in dropped.most_common() if n) or "there were no records"
        raise WeeksError(f"no week has any post left (dropped: {reasons}): check the settings under panel and weeks")
    return weeks_facts(
        weeks,
        n_records=sum(file.n_records for file in counts),
        n_copies=sum(file.n_copies for file in counts),
        n_user_weeks=sum(week["n_users"] for week in weeks),
        dropped=dict(sorted((reason, n) for reason, n in dropped.items() if n)),
        cleaned=dict(changed),
        repaired=dict(repaired),
        noted=dict(noted),
        breaks=_breaks(weeks, settings),
        left_out_files=[path.name for path in panel.left_out(settings.panel.paths)],
        gaps=_gaps([week["label"] for week in weeks], settings),
    )


def _refuse_strangers(n_others: int, n_posts: int, settings: SplitSettings) -> None:
    """Refuse a panel in which ids repeat with another author, text and time: they are ids within one source only."""
    if n_others > settings.panel.max_corrupt_share * n_posts:
        raise WeeksError(
            f"{n_others} of {n_posts} posts have an id that a post of another author, text and time has too: "
            "such ids count within one chat or wall only; name what they count in, panel.columns: {post_id: [chat, id]}"
        )


def _breaks(weeks: Sequence[Mapping[str, Any]], settings: SplitSettings) -> list[str]:
    """Return the labels of weeks at which the volume breaks, weeks without a corpus counted as empty."""
    if settings.waves or not weeks:
        return []
    volumes = {str(week["label"]): int(week["n_posts"]) for week in weeks}
    labels = sorted({*volumes, *_gaps(list(volumes), settings)})
    return [labels[place] for place in panel.volume_breaks([volumes.get(label, 0) for label in labels])]


def _gaps(labels: Sequence[str], settings: SplitSettings) -> list[str]:
    """Return the labels of weeks between the first and the last that hold no corpus."""
    if settings.waves:
        return [window.label for window in settings.waves if window.label not in labels]
    weekday = settings.weeks.first_weekday
    first, last = parse_week(labels[0], weekday), parse_week(labels[-1], weekday)
    between = [week_label(first + timedelta(days=days)) for days in range(0, (last - first).days, 7)]
    return [label for label in between if label not in labels]
