"""The handed-over panels, each in a layout that somebody met: the right posts, or a refusal; never wrong ones.

The right outcome of each is written down here from reading the case, not from what the code gives: `POSTS` holds how
many posts come out, the time of the first and what else tells right from wrong; `REFUSED` what a refusal must say.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from temporal_adapters.ground.errors import TemporalAdaptersError
from temporal_adapters.stages import weeks
from temporal_adapters.study.artifacts import RunFolder, read_corpora
from temporal_adapters.study.config import load_study

pytestmark = pytest.mark.slow

N = 40
FIRST = "2023-04-03T08:00:00"
IDS = ("1643587961234567891", "1643587993579176980")
"""First and last id of the panels of posts 0 to 39."""

REFUSED = {
    "a01": "post_id .*lost digits",
    "a03": "lost digits",
    "a04": "post_id .*lost digits",
    "a19": "date_format: excel",
    "a41": "panel.encoding",
    "a42": "panel.header",
    "a72": "damaged xlsx workbook",
    "a80": "WhatsApp",
    "a87": "post_id: id.oid",
    "a88": "text: text.0",
}

POSTS: dict[str, dict[str, Any]] = {
    **{case: {"n": N, "ids": IDS} for case in ("a15", "a16", "a18", "a23", "a26", "a28", "a29", "a32", "a33", "a39")},
    **{case: {"n": N, "ids": IDS} for case in ("a45", "a46", "a47", "a49", "a50", "a70", "a73", "a82", "a86")},
    **{case: {"n": N, "ids": IDS} for case in ("a95", "a98")},
    "a05": {"n": 26, "first": "2023-04-04T00:37:01", "no_reposts": True},
    "a06": {"n": 26, "first": "2023-04-04T00:37:01", "no_reposts": True},
    "a07": {"n": N, "first": "2023-04-03T08:07:00", "in_text": ("(spelling mended)", 10)},
    "a09": {"n": N, "ids": IDS, "in_text": ("long original text end", 20)},
    "a10": {"n": 28, "first": FIRST},  # the texts stay cut, and a user's cut texts of a week are alike
    "a103": {"n": N, "ids": ("https://m.example/0", "https://m.example/39")},
    "a11": {"n": 32, "first": "2023-04-04T00:37:01", "no_reposts": True},
    "a13": {"n": 30, "first": "2023-04-04T00:37:01", "no_reposts": True},
    "a17": {"n": N, "first": "2023-04-03T02:00:00"},
    "a20": {"n": N, "first": "2023-04-03T04:00:00"},
    "a21": {"n": N, "first": "2023-04-03T04:00:00"},
    "a30": {"n": N, "first": "2023-04-03T08:03:20", "noted": {"rounded_time": N}},
    "a48": {"n": 10, "ids": (IDS[0], "1643587968698708450")},
    "a55": {"n": 30, "first": "2023-04-04T00:37:01", "no_reposts": True},
    "a58": {"n": N, "first": FIRST},
    "a60": {"n": N, "ids": ("0", "39")},
    "a62": {"n": N, "ids": ("at://did:plc:u0/app.bsky.feed.post/3k0", "at://did:plc:u3/app.bsky.feed.post/3k39")},
    "a63": {"n": N, "ids": ("at://did:plc:u0/app.bsky.feed.post/3k0", "at://did:plc:u3/app.bsky.feed.post/3k39")},
    "a66": {"n": 30, "first": "2023-04-04T00:37:01", "not_in_text": "x200B"},
    "a68": {"n": N, "first": FIRST, "in_text": ("Größe café 😀", N)},
    "a74": {"n": N, "ids": IDS, "in_text": ("word79", 10)},
    "a83": {"n": 30, "first": "2023-04-04T00:37:01", "no_reposts": True},
    "a99": {"n": N, "first": FIRST},
}  # fmt: skip


def cases(shared_data: Path) -> dict[str, Path]:
    folder = shared_data.parent / "cases" / "panel"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    return {path.name.split("-")[0]: path for path in sorted(folder.iterdir())}


def outcome(case: Path, folder: Path) -> tuple[pl.DataFrame | None, str, dict[str, Any]]:
    copy = folder / case.name
    shutil.copytree(case, copy, copy_function=shutil.copyfile)
    run = RunFolder(copy / "runs")
    study = load_study(copy / "study.yaml")
    try:
        manifest = weeks.build(study, run)
    except TemporalAdaptersError as error:
        return None, str(error), {}
    posts = pl.concat([pl.read_parquet(corpus.path) for corpus in read_corpora(run)]).sort("created_at")
    return posts, "", dict(manifest.facts)


def wrong(name: str, posts: pl.DataFrame | None, message: str, facts: dict[str, Any]) -> str:
    """Say what is wrong with an outcome; empty for nothing."""
    if name in REFUSED:
        return "" if posts is None and re.search(REFUSED[name], message) else f"not refused as it should: {message}"
    right = POSTS[name]
    if posts is None:
        return f"refused: {message}"
    texts = posts["text"].to_list()
    first = posts["created_at"][0].strftime("%Y-%m-%dT%H:%M:%S")
    found = {
        "n": posts.height == right["n"],
        "first": first == right.get("first", FIRST),
        "ids": right.get("ids") in (None, (posts["post_id"][0], posts["post_id"][-1])),
        "unique": posts["post_id"].n_unique() == posts.height,
        "reposts": not (right.get("no_reposts") and posts["is_repost"].any()),
        "in_text": "in_text" not in right or sum(right["in_text"][0] in text for text in texts) == right["in_text"][1],
        "not_in_text": "not_in_text" not in right or not any(right["not_in_text"] in text for text in texts),
        "noted": "noted" not in right or right["noted"].items() <= facts["noted"].items(),
        "cut": name in ("a10",) or not any(text.endswith("…") for text in texts),
    }
    return ", ".join(f"{what} is wrong" for what, fine in found.items() if not fine)


def test_every_case_gives_its_right_posts_or_its_refusal(shared_data: Path, tmp_path: Path) -> None:
    found = cases(shared_data)
    assert set(found) == {*REFUSED, *POSTS}
    results = {name: wrong(name, *outcome(path, tmp_path)) for name, path in found.items()}
    assert {name: result for name, result in results.items() if result} == {}
