"""Both stages in order: what is there is kept, what is missing is made.

Takes a study and its run folder, gives the published folder ``weeks/``. Knows the order of the two stages, not their
rules.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from temporal_adapters.ground.errors import WeeksError
from temporal_adapters.ground.progress import Listener, Tick, silent
from temporal_adapters.stages import panel
from temporal_adapters.stages.weeks.corpora import STAGE_B, write_corpora
from temporal_adapters.stages.weeks.digests import DIGESTS, raw_digests
from temporal_adapters.stages.weeks.drops import FORGOTTEN, drops_of
from temporal_adapters.stages.weeks.plan import VERSION, expected_of, key_of
from temporal_adapters.stages.weeks.pseudonym import fingerprint
from temporal_adapters.stages.weeks.split import SplitSettings
from temporal_adapters.stages.weeks.spread import Spread, split_files
from temporal_adapters.stages.weeks.staged import Staged, index_path, read_staged
from temporal_adapters.stages.weeks.windows import wave_windows
from temporal_adapters.study.artifacts import Manifest, RunFolder, digest_json, make
from temporal_adapters.study.config import Study, scientific

_DAY_S = 86_400.0


def build(study: Study, run: RunFolder, *, listener: Listener = silent, spread: Spread = split_files) -> Manifest:
    """Build the weekly corpora of a study, or return their manifest if they are up to date.

    Parameters
    ----------
    study
        The study.
    run
        Its run folder.
    listener
        Told how many bytes of the raw files are read and how many weeks are done.
    spread
        Runs stage A over many raw files: `split_files` on this machine, or another engine's function.

    Raises
    ------
    PanelError
        If a raw file cannot be read.
    WeeksError
        If no post is left, or the weeks cannot be defined.
    """
    raw = raw_digests(panel.find_files(study.panel.paths), run, remember=True)
    work = expected_of(study, run, raw)

    def write(folder: Path) -> dict[str, Any]:
        settings = split_settings(study, run)
        staged = _stage_a(raw, settings, run, listener, spread)
        facts = write_corpora(staged, settings, run, folder, VERSION, listener)
        _prune(staged, run)
        return facts

    config = {
        "panel": study.panel.model_dump(mode="json", exclude={"pseudonym_key"}),
        "weeks": study.weeks.model_dump(mode="json"),
    }
    return make(work, write, config=config)


def split_settings(study: Study, run: RunFolder) -> SplitSettings:
    """Return what stage A needs of a study.

    Raises
    ------
    WeeksError
        If a keyword expression or the key of the pseudonyms cannot be used.
    """
    for name in ("include", "exclude"):
        _check_expression(name, getattr(study.weeks, name))
    return SplitSettings(
        panel=study.panel,
        weeks=study.weeks,
        waves=tuple(wave_windows(study.weeks)),
        key=key_of(study, run),
        threads=study.weeks.workers or os.cpu_count() or 1,
        memory_limit=study.weeks.memory_limit,
        drops=drops_of(study.panel, run),
    )


def _check_expression(name: str, expression: str | None) -> None:
    if expression is None:
        return
    try:
        duckdb.execute("SELECT regexp_matches('', $expression)", {"expression": expression}).fetchall()
    except duckdb.Error as error:
        problem = str(error).splitlines()[0]
        raise WeeksError(f"weeks.{name}: {expression!r} is no regular expression of RE2 ({problem})") from None


# --- stage A ----------------------------------------------------------------------------------------------------------


def staged_path(run: RunFolder, digest: str, settings: SplitSettings) -> Path:
    """Return where the staged file of one raw file lies: its name is a digest of everything it depends on."""
    weeks = {name: value for name, value in scientific(settings.weeks).items() if name not in STAGE_B}
    what = {
        "version": VERSION,
        "raw": digest,
        "panel": {**scientific(settings.panel), "max_corrupt_share": None},
        "weeks": weeks,
        "waves": [window.label for window in settings.waves],
        "key": fingerprint(settings.key),
        **({"drops": settings.drops.digest} if settings.drops.any else {}),
    }
    return run.panel / f"{digest_json(what)[:24]}.arrow"


def _stage_a(
    raw: Mapping[Path, str], settings: SplitSettings, run: RunFolder, listener: Listener, spread: Spread
) -> list[Staged]:
    """Return the staged file of every raw file, making those that are missing."""
    read = {path: path.stat().st_size for path in raw}
    total = sum(read.values())
    targets = {path: staged_path(run, digest, settings) for path, digest in raw.items()}
    staged = {path: found for path, target in targets.items() if (found := _found(target, settings)) is not None}
    # Two raw files of the same content share a staged file: it is made once, and counts twice.
    jobs = {target: path for path, target in targets.items() if path not in staged}
    read.update(dict.fromkeys(jobs.values(), 0))

    def tell(path: Path, consumed: int) -> None:
        read[path] = consumed
        listener(Tick("panel", sum(read.values()), total, "bytes", path.name))

    for path, result in spread([(path, target) for target, path in jobs.items()], settings, settings.threads, tell):
        staged[path] = result
        tell(path, path.stat().st_size)
    by_target = {staged[path].path: staged[path] for path in staged}
    return [by_target[targets[path]] for path in raw]


def _prune(staged: Sequence[Staged], run: RunFolder) -> None:
    """Remove staged files that nothing uses any more: those of other settings or files, and what a kill left behind.

    Only after a day: another run on the same folder may be at work with them.
    """
    used = {path for file in staged for path in (file.path, index_path(file.path))}
    for path in run.panel.iterdir():
        old = time.time() - path.stat().st_mtime > _DAY_S
        if old and path not in used and path.name not in (DIGESTS, FORGOTTEN):
            path.unlink(missing_ok=True)


def _found(target: Path, settings: SplitSettings) -> Staged | None:
    found = read_staged(target)
    # Too many corrupt records by today's settings: reading the file again ends in the error that shows one.
    if found is None or found.counts.n_corrupt > settings.panel.max_corrupt_share * found.counts.n_records:
        return None
    return found
