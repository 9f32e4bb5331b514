"""The day that a wave belongs to: windows relative to a wave, publication and fieldwork, what is printed and drawn."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from temporal_adapters.cli import app
from temporal_adapters.stages import survey
from temporal_adapters.stages.weeks.windows import covered_days, wave_keys, wave_windows
from temporal_adapters.study.config import scientific
from temporal_adapters.study.config.survey import Survey
from temporal_adapters.study.config.weeks import Weeks

WAVES = ("2023-04-13", "2023-04-20")


def weeks(**settings: object) -> Weeks:
    return Weeks.model_validate({"waves": WAVES, **settings})


@pytest.mark.parametrize(
    ("settings", "first", "last"),
    [
        ({}, -7, -1),
        ({"include_wave_day": True}, -6, 0),
        ({"window_days": 3}, -3, -1),
        ({"window": [-3, 3]}, -3, 3),
        ({"window": [0, 6], "shift_days": 2}, 2, 8),
        ({"shift_days": -1}, -8, -2),
    ],
)
def test_windows_are_days_relative_to_a_wave(settings: dict[str, object], first: int, last: int) -> None:
    chosen = weeks(**settings)
    wave = date(2023, 4, 13)
    expected = (wave + timedelta(days=first), wave + timedelta(days=last))
    window = wave_windows(chosen)[0]
    assert (window.start, window.end) == expected == covered_days(chosen, wave)
    assert (wave_keys(chosen) or {})[wave] == expected[0]


def test_settings_of_before_keep_their_keys_and_new_ones_count() -> None:
    assert not {"window", "shift_days"} & set(scientific(weeks(window_days=5)))
    assert scientific(weeks(shift_days=2))["shift_days"] == 2
    assert scientific(weeks(window=[-3, 3]))["window"] == [-3, 3]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"window": [3, -3]}, "begins after its end"),
        ({"window": [-7, -1], "window_days": 3}, "not both"),
        ({"waves": (), "shift_days": 2}, "need waves"),
    ],
)
def test_windows_that_contradict_themselves_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        weeks(**settings)


def write(folder: Path, published: bool = True) -> Path:
    head = "date,end,published,question,option,value,n" if published else "date,question,option,value,n"
    lines = [head]
    for week in range(4):
        day = date(2023, 4, 3) + timedelta(weeks=week + (week > 2))
        more = f"{day + timedelta(days=2)},{day + timedelta(days=4)}," if published else ""
        lines += [f"{day},{more}mood,{option},{value},900" for option, value in (("Good", 0.6), ("Bad", 0.4))]
    (folder / "s.csv").write_text("\n".join(lines) + "\n")
    (folder / "study.yaml").write_text("study: s\npanel: {paths: [p.csv]}\nsurvey: {paths: [s.csv]}\n")
    return folder / "study.yaml"


def test_every_wave_is_shown_with_its_posts_days(tmp_path: Path) -> None:
    write(tmp_path)
    observed = survey.read_observations(Survey.model_validate({"paths": [tmp_path / "s.csv"]}))
    calendar = Weeks()
    aligned = survey.align(observed, "published", lambda day: covered_days(calendar, day))
    assert [one.day for one in aligned][:2] == [date(2023, 4, 7), date(2023, 4, 14)]
    assert (aligned[0].first, aligned[0].last, aligned[0].days_before) == (date(2023, 4, 3), date(2023, 4, 9), -4)
    assert survey.aligned_lines(aligned)[1].endswith("▇▇▇█P██")
    before = weeks(waves=("2023-04-05",))
    aligned = survey.align(observed, "end", lambda day: covered_days(before, day))
    assert aligned[0].days_before == 1
    assert survey.aligned_lines(aligned)[1].endswith("█████▇▇▁·P")
    assert "no window of posts" in survey.aligned_lines(aligned)[2]


def test_a_file_with_one_day_must_say_which_day_that_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, published=False)
    said = CliRunner().invoke(app, ["survey", "align", "-s", "study.yaml"])
    assert said.exit_code == 0, said.output
    assert "set survey.fieldwork_date" in said.output
    said = CliRunner().invoke(app, ["survey", "align", "-s", "study.yaml", "--set", "survey.fieldwork_date=published"])
    assert "set survey.fieldwork_date" not in said.output


class Cells(HTMLParser):
    """Text of every cell of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def test_the_page_shows_every_wave_gaps_and_the_days_of_posts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    done = CliRunner().invoke(app, ["survey", "check", "-s", "study.yaml", "--html", "page.html", "--waves"])
    assert done.exit_code == 0, done.output
    reader = Cells()
    reader.feed((tmp_path / "page.html").read_text(encoding="utf-8"))
    for wanted in ("2023-04-03 to 2023-04-09", "0.600", "1 week without a wave", "900", "Good"):
        assert wanted in reader.found
    assert "<script" not in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "2023-04-03 2023-04-05 2023-04-03    900   0.600   0.400" in done.output


def page_of(folder: Path, days: list[date], renamed_from: int | None = None) -> str:
    rows = ["date,question,option,value,n"]
    for at, day in enumerate(days):
        other = "Not sure" if renamed_from is not None and at >= renamed_from else "Don't know"
        rows += [f"{day},mood,Good,{0.6 + at / 100:.2f},900", f"{day},mood,{other},0.1,900"]
    (folder / "s.csv").write_text("\n".join(rows))
    study = {"study": "s", "panel": {"paths": ["x.jsonl"]}, "survey": {"paths": ["s.csv"], "fieldwork_date": "start"}}
    (folder / "study.yaml").write_text(json.dumps(study))
    place = ["-s", str(folder / "study.yaml"), "--html", str(folder / "page.html")]
    done = CliRunner().invoke(app, ["survey", "check", *place])
    assert done.exit_code == 0, done.output
    return (folder / "page.html").read_text(encoding="utf-8")


def test_the_lines_of_the_page_mark_gaps_and_breaks_and_a_level_option_runs_in_the_middle(tmp_path: Path) -> None:
    days = [date(2023, 4, 3) + timedelta(weeks=week) for week in (0, 1, 2, 3, 6, 7, 8, 9)]
    page = page_of(tmp_path, days, renamed_from=6)
    lines = re.findall(r"<svg.*?</svg>", page)
    assert len(lines) == 3
    assert all("<title>no wave between 2023-04-24 and 2023-05-15</title>" in line for line in lines)
    assert [line.count('class="turn"') for line in lines] == [1, 0, 1]  # Don't know, Good, Not sure
    # By hand: 36 high, so the middle is 18; 256 wide for 63 days, so the break at day 56 is at 2 + 256 * 56 / 63.
    assert set(re.findall(r",([\d.]+)[ \"]", lines[0])) == {"18.0"}
    assert f'x1="{2 + 256 * 56 / 63:.1f}"' in lines[2]


def test_waves_of_every_fourth_week_are_no_gaps(tmp_path: Path) -> None:
    page = page_of(tmp_path, [date(2023, 4, 3) + timedelta(weeks=4 * at) for at in range(6)])
    assert 'class="hole"' not in page
    assert "without a wave" not in page
    assert page.count("<polyline") == 2


def test_long_questions_lose_their_middle_and_lines_fit_the_terminal(tmp_path: Path) -> None:
    write(tmp_path)
    text = (tmp_path / "s.csv").read_text().replace("mood", "Broadly speaking " + "very " * 30 + "much?")
    (tmp_path / "s.csv").write_text(text)
    settings = Survey.model_validate({"paths": [tmp_path / "s.csv"]})
    for width in (80, 120, 200):
        table = survey.lines(survey.read(settings), width=width)
        assert max(len(line) for line in table[:3]) <= width
        assert table[1].startswith("Broadly") and "/ Bad" in table[1]
