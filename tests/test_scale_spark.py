"""Spark and Ray give the same weeks as one machine, to the byte, cleaning included."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from temporal_adapters.ground.errors import PanelError
from temporal_adapters.stages import weeks
from temporal_adapters.study.artifacts import RunFolder
from temporal_adapters.study.config.study import Study

pytestmark = [
    pytest.mark.heavy,
    # Third-party, as of 2026-11: pyspark leaves sockets to the garbage collector and uses what Python deprecates.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:pyspark"),
]

ANY_AUTHOR = {"max_corrupt_share": 0.9}
"""Made-up ids repeat with other authors, which a real panel must not."""

WORDS = [
    "rain",
    "tea",
    "#happy",
    "@a_b",
    "https://t.co/x#y",
    "&amp;",
    "&lt;3",
    "\u00a0",
    "\u3000",
    "😀",
    "a@b.example",
    "é",
]


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))


def tweets(n: int, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    start, form = datetime(2023, 3, 20, tzinfo=UTC), "%a %b %d %H:%M:%S +0000 %Y"
    return [
        {
            "created_at": (start + timedelta(minutes=rng.randrange(60 * 24 * 30))).strftime(form),
            "id_str": str(10**18 + rng.randrange(n)),
            "text": " ".join(rng.choices(WORDS, k=rng.randint(1, 6))) + rng.choice(["", "  ", "\t!"]),
            "lang": rng.choice(["en", "de", None]),
            "user": {"id_str": str(rng.randrange(12))},
            "source": rng.choice(["Web", "IFTTT"]),
            **({"in_reply_to_status_id_str": "1"} if rng.random() < 0.2 else {}),
        }
        for _ in range(n)
    ]


def write_files(folder: Path) -> list[Path]:
    paths = []
    for number in range(3):
        path = folder / f"{number}.jsonl"
        text = "".join(json.dumps(tweet) + "\n" for tweet in tweets(400, number))
        path.write_text(text + ('{"broken\n' if number == 1 else "") + '{"delete": {}}\n')
        paths.append(path)
    return paths


def test_spark_and_duckdb_write_the_same_bytes_and_count_the_same(tmp_path: Path) -> None:
    pytest.importorskip("pyspark", reason="Spark is not installed")
    from temporal_adapters.scale import spark

    settings = {
        "timezone": "Europe/London",
        "languages": ["en"],
        "cap_per_user": 4,
        "min_user_posts": 20,
        "min_characters": 2,
        "redact": ["emails", "phones"],
        "automated": {"clients": ["IFTTT"]},
        "exclude": "^tea$",
    }
    study = Study.model_validate(
        {
            "study": "s",
            "panel": {"paths": [str(path) for path in write_files(tmp_path)], **ANY_AUTHOR},
            "weeks": settings,
        }
    )
    ours = weeks.build(study, RunFolder(tmp_path / "duckdb"))
    theirs = spark.build_weeks(study, RunFolder(tmp_path / "spark"), master="local[2]")
    assert len(ours.facts["dropped"]) >= 8
    assert theirs.key == ours.key
    assert theirs.outputs == ours.outputs
    without_keys = [{name: value for name, value in week.items() if name != "key"} for week in ours.facts["weeks"]]
    assert theirs.facts == {**ours.facts, "weeks": without_keys}


def test_a_damaged_file_on_a_worker_is_one_sentence_here(tmp_path: Path) -> None:
    pytest.importorskip("pyspark", reason="Spark is not installed")
    from temporal_adapters.scale import spark

    path = tmp_path / "a.csv"
    path.write_text("post_id,user_id,created_at,body\n1,2,2023-04-05T12:00:00Z,hi\n")
    study = Study.model_validate({"study": "s", "panel": {"paths": [str(path)]}})
    with pytest.raises(PanelError, match=r"a\.csv: has no column 'text'") as caught:
        spark.build_weeks(study, RunFolder(tmp_path / "run"), master="local[1]")
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "run").glob("weeks*"))


def test_raw_files_spread_over_ray_tasks_give_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    from temporal_adapters.scale import Engine, ray_weeks

    paths = write_files(tmp_path)
    study = Study.model_validate({"study": "s", "panel": {"paths": [str(path) for path in paths], **ANY_AUTHOR}})
    ours = weeks.build(study, RunFolder(tmp_path / "duckdb"))
    theirs = ray_weeks.build_weeks(study, RunFolder(tmp_path / "ray"), engine=Engine("ray"))
    assert theirs.outputs == ours.outputs
    paths[0].write_text("garbage")
    with pytest.raises(PanelError, match=r"0\.jsonl"):
        ray_weeks.build_weeks(study, RunFolder(tmp_path / "ray"), engine=Engine("ray"))
