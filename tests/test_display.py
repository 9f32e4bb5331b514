"""Progress: plain lines off a terminal, bars with times left on one, a log of every command."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from synthetic_run import write_run, write_study

from temporal_adapters.cli import display as shown
from temporal_adapters.cli.display import Display, clock, short
from temporal_adapters.ground.progress import Tick


class Clock:
    """A clock that a test winds."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def strftime(self, form: str) -> str:
        return "now"


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(shown, "time", clock)
    return clock


def feed(display: Display, time: Clock, n: int = 5, seconds: float = 4.0, first: int = 0, last: int = 5) -> None:
    for number in range(first, last + 1):
        item = f"2023-W{number // 2 + 1:02d}/seed-42"
        display(Tick("train", number * 100, n * 100, "tokens", item, f"loss {3 - number / 10:.1f}", number % 2, 2))
        time.now_s += seconds


def test_off_a_terminal_a_line_comes_every_ten_seconds_with_the_time_left(time: Clock, capsys: Any) -> None:
    feed(Display(), time)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[1] == "train: 300 of 500 tokens, 0:08 left (2023-W02/seed-42 50 %, 0:04 left, 25 tokens/s, loss 2.7)"
    assert lines[2].startswith("train: 500 of 500 tokens (")


def test_verbose_has_a_line_for_every_item(time: Clock, capsys: Any) -> None:
    feed(Display(quiet=False), time)
    text = capsys.readouterr().err
    assert [f"W0{week}" in text for week in (1, 2, 3)] == [True, True, True]
    assert len(text.splitlines()) == 4


def test_quiet_says_nothing_but_keeps_the_log(time: Clock, capsys: Any, tmp_path: Path) -> None:
    display = Display(quiet=True, log=tmp_path / "logs" / "a.log")
    feed(display, time)
    display.say("a sentence")
    assert capsys.readouterr() == ("", "")
    lines = (tmp_path / "logs" / "a.log").read_text().splitlines()
    assert lines[-1] == "now a sentence"
    assert sum("train: " in line for line in lines) == 4


def test_a_terminal_gets_one_bar_for_the_whole_and_one_for_the_item(
    time: Clock, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    display = Display()
    feed(display, time, last=3)
    assert display._bar is not None
    display._bar.refresh()
    feed(display, time, first=4)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())
    assert "train" in text
    assert "0:08" in text
    assert "2023-W02/seed-42" in text
    assert display._bar is None


def test_a_failure_is_the_last_line_of_the_log(tmp_path: Path) -> None:
    display = Display(quiet=True, log=tmp_path / "a.log")
    with pytest.raises(ValueError, match="broken"), display.whole("ta train"):
        raise ValueError("broken")
    assert (tmp_path / "a.log").read_text().splitlines()[-1].endswith("ended after 0:00: ValueError: broken")


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0:00"), (61, "1:01"), (3725, "1:02:05")])
def test_time_is_told_as_on_a_clock(seconds: float, words: str) -> None:
    assert clock(seconds) == words


@pytest.mark.parametrize(("number", "words"), [(0.25, "0.2"), (3, "3"), (1234, "1.2k"), (3.4e6, "3.4M")])
def test_large_numbers_are_short(number: float, words: str) -> None:
    assert short(number) == words


@pytest.mark.parametrize(("broken", "code", "end"), [(False, 0, "done after"), (True, 1, "ended after")])
def test_every_command_leaves_a_log_that_says_how_it_ended(tmp_path: Path, broken: bool, code: int, end: str) -> None:
    study = write_study(tmp_path)
    run = write_run(study, tmp_path / "runs", n_weeks=16)
    if broken:
        (run.series / "series.parquet").unlink()
        (run.series / "manifest.json").write_text("{")
    call = [sys.executable, "-m", "temporal_adapters.cli", "report", "-q", "--study", "study.yaml"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, env={**os.environ}, check=False)
    assert done.returncode == code, done.stderr
    (log,) = (run.root / "logs").glob("*.log")
    lines = log.read_text(encoding="utf-8").splitlines()
    assert "report -q --study study.yaml" in lines[0]
    assert end in lines[-1]
