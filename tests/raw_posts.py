"""Raw posts for the tests of panel and weeks: files of Twitter v1.1 objects, and the weeks built from them."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from temporal_adapters.stages import weeks
from temporal_adapters.study.artifacts import Manifest, RunFolder, read_corpora
from temporal_adapters.study.config.study import Study

FIRST_ID = 1_600_000_000_000_000_000


def tweet(number: int = 1, **fields: Any) -> dict[str, Any]:
    """A Twitter v1.1 object."""
    return {
        "created_at": "Wed Apr 05 12:00:00 +0000 2023",
        "id": FIRST_ID + number,
        "id_str": str(FIRST_ID + number),
        "text": f"a post about the weather, number {number}",
        "lang": "en",
        "user": {"id": 7, "id_str": "7"},
        **fields,
    }


def at(moment: datetime) -> str:
    """A moment in UTC as Twitter writes it."""
    return moment.strftime("%a %b %d %H:%M:%S +0000 %Y")


def write_lines(path: Path, *objects: Any) -> Path:
    """Write JSON lines (strings as they are), gzipped if the name says so."""
    text = "".join((value if isinstance(value, str) else json.dumps(value)) + "\n" for value in objects)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode("utf-8"))
    return path


def study(*paths: Path, panel: dict[str, Any] | None = None, **settings: Any) -> Study:
    """A study of these files; `settings` are those of `weeks`."""
    raw = {"paths": [str(path) for path in paths], **(panel or {})}
    return Study.model_validate({"study": "s", "panel": raw, "weeks": settings})


def build(folder: Path, *paths: Path, panel: dict[str, Any] | None = None, **settings: Any) -> Manifest:
    """Build the weeks of these files in ``folder/run``."""
    return weeks.build(study(*paths, panel=panel, **settings), RunFolder(folder / "run"))


def posts(folder: Path) -> pl.DataFrame:
    """All posts of the weeks in ``folder/run``."""
    return pl.concat([pl.read_parquet(corpus.path) for corpus in read_corpora(RunFolder(folder / "run"))])


def texts(folder: Path) -> list[str]:
    """Their texts, in order of time."""
    return [str(text) for text in posts(folder)["text"].to_list()]
