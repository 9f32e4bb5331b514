"""The first study file: what it says of made-up posts and surveys, and that the checks take it as it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from temporal_adapters.cli import app
from temporal_adapters.study.config import load_study
from temporal_adapters.study.questionnaire import load

SHARED = Path(__file__).parents[1].parent / "shared" / "data" / "stocknet"
CHECKS = (["panel", "check"], ["survey", "check"], ["survey", "align"], ["run", "--dry-run"])


def ta(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done.output


def write_posts(path: Path, n_weeks: int = 20) -> Path:
    """Posts of API v1, three a day."""
    first = datetime(2023, 1, 2, 9, tzinfo=UTC)
    with path.open("w", encoding="utf-8") as file:
        for place in range(n_weeks * 21):
            when = first + timedelta(hours=8 * place)
            post = {
                "id_str": str(10**15 + place),
                "created_at": when.strftime("%a %b %d %H:%M:%S +0000 %Y"),
                "full_text": f"post number {place}",
                "user": {"id_str": str(place % 7)},
                "lang": "en",
            }
            file.write(json.dumps(post) + "\n")
    return path


def write_survey(path: Path, options: tuple[str, ...], question: str, weeks: range) -> Path:
    lines = ["date,question,option,value,n"]
    for week in weeks:
        day = datetime(2023, 1, 5, tzinfo=UTC).date() + timedelta(weeks=week)
        lines += [f"{day},{question},{option},{1 / len(options):.3f},900" for option in options]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_written_study_passes_every_check_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_posts(tmp_path / "posts.jsonl")
    write_survey(tmp_path / "s.csv", ("Rain", "Sun", "Don't know"), "weather", range(4, 30))
    said = ta("init", "posts.jsonl", "--survey", "s.csv", "--to", "new/weather.yaml")
    assert "not known: weeks.timezone" in said
    assert "not known: survey.fieldwork_date" in said
    assert "420 posts" in said
    study = load_study("new/weather.yaml")
    assert (str(study.weeks.start), str(study.weeks.end)) == ("2023-01-30", "2023-05-22")
    asked = load(study.probe.questionnaires[0])
    assert [(option.text, option.role) for option in asked.items[0].options] == [
        ("Rain", "substantive"), ("Sun", "substantive"), ("Don't know", "nonresponse"),
    ]  # fmt: skip
    for words in CHECKS:
        ta(*words, "-s", "new/weather.yaml")
    assert not (tmp_path / "runs" / "weather" / "weeks").exists()
    again = CliRunner().invoke(app, ["init", "posts.jsonl", "--survey", "s.csv", "--to", "new/weather.yaml"])
    assert "exists already" in str(again.exception)


def test_a_shipped_questionnaire_is_chosen_where_it_asks_the_surveys_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_posts(tmp_path / "posts.jsonl")
    write_survey(tmp_path / "s.csv", ("Happy", "Sad", "Stressed"), "britains-mood", range(20))
    said = ta("init", "posts.jsonl", "--survey", "s.csv", "--base", "/models/base")
    assert "britains-mood asks 3 of the survey's options" in said
    study = load_study("study.yaml")
    assert (study.probe.questionnaires, study.model.base, study.pretrain) == (("britains-mood",), "/models/base", None)


def test_files_without_a_common_day_or_without_posts_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_posts(tmp_path / "posts.jsonl")
    write_survey(tmp_path / "s.csv", ("Rain", "Sun"), "weather", range(60, 80))
    assert "not known: posts and survey have no day in common" in ta("init", "posts.jsonl", "--survey", "s.csv")


@pytest.mark.slow
def test_the_embedded_worlds_files_give_a_study_that_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ta("simulate", "--study", "demo")
    world = "runs/demo/world"
    ta("init", f"{world}/posts.jsonl.gz", "--survey", f"{world}/survey.csv", "--to", "mine.yaml")
    for words in CHECKS:
        ta(*words, "-s", "mine.yaml")


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data/stocknet")
def test_stocknets_files_give_a_study_that_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = ta("init", str(SHARED / "tweets.v1.jsonl.gz"), "--survey", str(SHARED / "market_weekly.csv"))
    assert "share-prices asks 2 of the survey's options" in said
    for words in CHECKS:
        ta(*words, "-s", "study.yaml")
