"""What building the weeks would do, from the beginning of each raw file.

Takes a study, gives one row per raw file. Writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from temporal_adapters.stages import panel
from temporal_adapters.stages.weeks.build import split_settings
from temporal_adapters.stages.weeks.memory import duckdb_limit
from temporal_adapters.stages.weeks.split import clean_chunk
from temporal_adapters.study.artifacts import RunFolder
from temporal_adapters.study.config import Study


@dataclass(frozen=True)
class Preview:
    """What the first stretch of a raw file holds.

    Attributes
    ----------
    path
        The raw file.
    framing, layout
        As found out (see `panel.detect`).
    n_bytes
        Size on disk.
    n_records, n_kept
        Records in the first stretch, and how many of them would be kept.
    dropped
        Reason -> records.
    """

    path: Path
    framing: str
    layout: str
    n_bytes: int
    n_records: int
    n_kept: int
    dropped: dict[str, int]


def preview(study: Study, run: RunFolder) -> list[Preview]:
    """Return what each raw file of a study looks like, from its beginning; nothing is written but the pseudonym key.

    Raises
    ------
    PanelError
        If a file cannot be read.
    """
    settings, found = split_settings(study, run), []
    with panel.connect(settings.threads, duckdb_limit(settings.memory_limit)) as connection:
        for path in panel.find_files(settings.panel.paths):
            framing, layout = panel.detect(path, settings.panel)
            chunk = next(panel.read_posts(path, settings.panel, connection), None)
            dropped: dict[str, int] = {}
            n_records = chunk.posts.num_rows if chunk else 0
            if chunk:
                fate = clean_chunk(chunk.posts, settings, connection).group_by("row").aggregate([("dropped", "min")])
                counts = fate["dropped_min"].drop_null().value_counts().to_pylist()
                dropped = {entry["values"]: entry["counts"] for entry in counts}
            size = path.stat().st_size
            found.append(Preview(path, framing, layout, size, n_records, n_records - sum(dropped.values()), dropped))
    return found
