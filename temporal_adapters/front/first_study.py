"""The first study file, written from what posts and survey files say of themselves.

Takes paths, gives YAML text with one comment per setting, a questionnaire where no shipped one asks what the survey
asks, and what could not be known. Trains nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from temporal_adapters.ground import resources
from temporal_adapters.ground.dates import week_start
from temporal_adapters.ground.errors import ConfigError, SurveyError
from temporal_adapters.stages import panel, survey
from temporal_adapters.study.config import Panel, Survey
from temporal_adapters.study.questionnaire import Item, ItemType, Option, Questionnaire, Wording, load, nonresponse
from temporal_adapters.study.questionnaire.native_text import dumps

_LEAST_OPTIONS = 2
"""Options that a shipped questionnaire must share with the survey to be the one that is asked."""

_ONE = 1.05
"""Sum of shares in a week above which several answers may apply."""


@dataclass
class Draft:
    """A study file to be written.

    Attributes
    ----------
    text
        YAML.
    questionnaire
        Questionnaire to be written beside it; None where a shipped one asks what the survey asks.
    seen
        Sentences on what the files are.
    open_questions
        Sentences on what could not be known.
    """

    text: str = ""
    questionnaire: Questionnaire | None = None
    seen: list[str] = field(default_factory=list)
    open_questions: list[str] = field(default_factory=list)


def draft(name: str, posts: Sequence[Path], surveys: Sequence[Path], folder: Path, base: str = "") -> Draft:
    """Return the study file that the files suggest.

    Parameters
    ----------
    name
        Name of the study.
    posts, surveys
        Raw posts, and files of one survey.
    folder
        Where the study file will lie: its paths begin there.
    base
        Base model; without it a small one is made from the first weeks.

    Raises
    ------
    TemporalAdaptersError
        If a file cannot be read without a setting; the sentence names it.
    """
    found = Draft()
    first, last = _posts(found, posts)
    parts = [
        f"# Written by `ta init`. `ta settings SECTION` explains every setting.\nstudy: {name}\n",
        _panel_section(posts, folder),
    ]
    survey_text, questions, days = _survey(found, name, surveys, folder) if surveys else ("", "", None)
    start, end = _common(found, (first, last), days)
    parts += [_weeks_section(found, start, end), _base_section(base, start, end), questions, survey_text]
    found.text = "\n".join(part for part in parts if part)
    return found


def _posts(found: Draft, posts: Sequence[Path]) -> tuple[date, date]:
    settings = Panel(paths=tuple(posts))
    first, last, n_posts = [], [], 0
    with panel.connect(1, "1GB") as connection:
        for path in panel.find_files(settings.paths):
            for page in panel.check_file(path, settings, connection, "UTC"):
                n_posts += page.n_posts
                if page.first_us is not None and page.last_us is not None:
                    first.append(page.first_us)
                    last.append(page.last_us)
                found.seen.append(f"posts: {page.name}: {page.layout.platform.name}, {page.n_posts:,} posts")
    if not n_posts:
        raise ConfigError(f"{', '.join(map(str, posts))}: hold no posts: see `ta panel check`")
    return _day(min(first)), _day(max(last))


def _day(moment: int) -> date:
    return datetime.fromtimestamp(moment / 1_000_000, UTC).date()


def _panel_section(posts: Sequence[Path], folder: Path) -> str:
    return f"panel:\n  paths: {_paths(posts, folder)}   # raw posts: files, folders or globs\n"


def _paths(paths: Sequence[Path], folder: Path) -> str:
    relative = [os.path.relpath(path.resolve(), folder.resolve()) for path in paths]
    return "[" + ", ".join(f'"{path}"' for path in relative) + "]"


def _survey(found: Draft, name: str, surveys: Sequence[Path], folder: Path) -> tuple[str, str, tuple[date, date]]:
    settings = Survey(paths=tuple(surveys))
    observed = survey.read_observations(settings)
    series = survey.read(_averaged(settings), observed=observed)
    found.seen += [f"survey: {note}" for note in observed.notes]
    days = observed.frame["start"].min(), observed.frame["end"].max()
    if not isinstance(days[0], date) or not isinstance(days[1], date):
        raise SurveyError(f"{', '.join(map(str, surveys))}: hold no wave")
    questions = _questions(found, name, series)
    lines = [
        f"survey:\n  paths: {_paths(surveys, folder)}",
        "  source: survey            # its name in tables and figures",
    ]
    if observed.n_dates == 1:
        lines.append(
            "  fieldwork_date: middle    # FILL IN: published where the file's day is not that of interviews; see"
            " `ta survey align`"
        )
        found.open_questions.append(
            "survey.fieldwork_date: the survey names one day per wave, and not which day that is"
        )
    if series["week"].n_unique() < observed.frame.select("start", "end").unique().height:
        lines.append("  same_week: mean           # several waves fall into one week")
    if series["n"].null_count():
        found.open_questions.append("survey: the files give no respondents for some waves, so no standard errors there")
    lines.append("  design_effect: 1.0        # online panels are typically 1.2 to 1.6")
    return "\n".join(lines) + "\n", questions, (days[0], days[1])


def _averaged(settings: Survey) -> Survey:
    return settings.model_copy(update={"same_week": "mean"})


def _questions(found: Draft, name: str, series: pl.DataFrame) -> str:
    """Return the section `probe` with the shipped questionnaire that asks most of the options, or a new one."""
    best, n_best = "", 0
    for shipped in resources.names("questionnaires"):
        try:
            linked = survey.link(series, [load(shipped)])
        except SurveyError:
            continue
        n = series.select("item", "option").n_unique() - len(linked.without_questionnaire)
        if n > n_best:
            best, n_best = shipped, n
    if n_best >= _LEAST_OPTIONS:
        found.seen.append(f"questions: the shipped questionnaire {best} asks {n_best} of the survey's options")
        return f"probe:\n  questionnaires: [{best}]   # shipped; it asks {n_best} of the survey's options\n"
    found.questionnaire = _own(name, series)
    found.open_questions.append(
        f"{name}-questionnaire.yaml: its questions are the survey's names: write them as the survey asked them"
    )
    return (
        f"probe:\n  questionnaires: [{name}-questionnaire.yaml]   # the survey's questions and options; read it over\n"
    )


def _own(name: str, series: pl.DataFrame) -> Questionnaire:
    items = []
    for place, ((item,), part) in enumerate(series.group_by("item", maintain_order=True), start=1):
        names = part["option"].unique(maintain_order=True).to_list()
        kinds = nonresponse.kinds(dict(enumerate(names)))
        options = [
            Option(text, text, role="nonresponse" if at in kinds else "substantive", survey=text)
            for at, text in enumerate(names)
        ]
        ordered = tuple(sorted(options, key=lambda option: option.role == "nonresponse"))
        several = part.group_by("week").agg(pl.col("value").sum())["value"].max()
        kind: ItemType = "select_multiple" if isinstance(several, float) and several > _ONE else "select_one"
        items.append(
            Item(
                f"q{place}",
                kind,
                ordered,
                (Wording("survey", str(item)),),
                str(item),
                survey_question=str(item),
            )
        )
    usable = [one for one in items if sum(option.role == "substantive" for option in one.options) > 1]
    if not usable:
        raise SurveyError("no question of the survey has two options to ask for: name them with survey.variables")
    return Questionnaire(f"{name}-questionnaire", tuple(usable), name, source="written by `ta init` from the survey")


def _common(found: Draft, posts: tuple[date, date], days: tuple[date, date] | None) -> tuple[date, date]:
    found.seen.append(f"posts go from {posts[0]} to {posts[1]}")
    if days is None:
        return posts
    found.seen.append(f"the survey goes from {days[0]} to {days[1]}")
    start, end = max(posts[0], week_start(days[0])), posts[1]
    if start > end or days[1] < posts[0]:
        found.open_questions.append("posts and survey have no day in common")
        return posts
    return start, end


def _weeks_section(found: Draft, start: date, end: date) -> str:
    found.open_questions.append("weeks.timezone: posts do not say in which zone their writers' days begin")
    return (
        "weeks:\n  timezone: UTC             # FILL IN: IANA zone in which days begin, such as Europe/London\n"
        "  first_weekday: monday     # weeks begin then\n"
        f"  start: {start}         # first day of posts that count\n"
        f"  end: {end}           # last day\n"
    )


def _base_section(base: str, start: date, end: date) -> str:
    if base:
        chosen = f"model:\n  base: {base}   # weights that never change\n"
        recipe = ""
    else:
        n_weeks = max(1, min(12, (end - start).days // 7 // 3))
        chosen = (
            "# Without a base at hand: a small Llama made from the panel's first weeks.\n"
            f"pretrain:\n  first_weeks: {n_weeks}            # weeks it learns from\n  epochs: 3\n"
            'model:\n  base: "{run}/base"\n'
        )
        recipe = "  targets: all-linear       # where the adapters sit\n"
    return (
        f"{chosen}tokens:\n  block_length: 128         # tokens of a block of posts\n"
        f"train:\n  seeds: [42]               # three (42, 99, 13) show the spread between them\n"
        f"  r: 8                      # rank of the adapters\n  alpha: 16\n{recipe}"
        "  learning_rate: 0.003\n  epochs: 1\n  blocks_per_step: 8\n"
    )


def write(found: Draft, path: Path) -> list[Path]:
    """Write the study file, and the questionnaire beside it where there is one; nothing is overwritten.

    Raises
    ------
    ConfigError
        If one of them exists.
    """
    targets = {path: found.text}
    if found.questionnaire is not None:
        targets[path.parent / f"{found.questionnaire.name}.yaml"] = dumps(found.questionnaire)
    for target in targets:
        if target.exists():
            raise ConfigError(f"{target} exists already: choose another name with --to")
    path.parent.mkdir(parents=True, exist_ok=True)
    for target, text in targets.items():
        target.write_text(text, encoding="utf-8")
    return list(targets)
