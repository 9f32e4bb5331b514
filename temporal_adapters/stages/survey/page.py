"""`ta survey check --html`: the survey as a page to look at, in one file without scripts.

Takes observations, series and sentences, writes HTML. Knows no study.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from html import escape
from itertools import pairwise
from pathlib import Path

import polars as pl

from temporal_adapters.ground.dates import WEEK
from temporal_adapters.stages.survey.align import Aligned
from temporal_adapters.stages.survey.names import Break
from temporal_adapters.stages.survey.observations import Observations

_STYLE = """
:root{color-scheme:light dark}
body{font:14px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;color:#1b1f24;background:#fff}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.5rem 0 1.5rem}
th,td{padding:.2rem .6rem;text-align:right;border-bottom:1px solid #d0d7de}
th:first-child,td:first-child{text-align:left}
thead th{position:sticky;top:0;background:#fff}
.gap td{color:#8c2d04;background:#fff4e5}
.break td{border-top:2px solid #b30000}
.wide{overflow:auto;max-height:85vh}.wide td{white-space:nowrap}.wide th{max-width:11rem;vertical-align:bottom}
.series,td.series{text-align:left;max-width:17rem}.hole{fill:#ffd8a8}.turn{stroke:#b30000;stroke-width:1.5}
@media print{.wide{max-height:none}}svg{display:block}li{margin:.2rem 0}
@media (prefers-color-scheme:dark){body,thead th{background:#0d1117;color:#e6edf3}
.gap td{background:#2d1a05;color:#ffb77c}th,td{border-color:#30363d}
.hole{fill:#5c3a10}.turn,.break td{stroke:#ff6b6b;border-top-color:#ff6b6b}}
"""
_WIDTH, _HEIGHT = 260, 36


def write_page(
    path: Path,
    source: str,
    observed: Observations,
    series: pl.DataFrame,
    aligned: Sequence[Aligned],
    breaks: Sequence[Break],
    sentences: Sequence[str],
) -> None:
    """Write the page.

    Parameters
    ----------
    path
        HTML file.
    source
        Name of the survey.
    observed, series
        Waves as read, and the weekly series made of them.
    aligned
        Waves with the days of posts that stand for them.
    breaks
        Options of which one ends where another begins.
    sentences
        What else was noticed, as `ta survey check` prints it.
    """
    parts = [f"<h1>{escape(source)}</h1>", _said([*observed.notes, *(one.sentence for one in breaks), *sentences])]
    for (item,), part in series.group_by("item", maintain_order=True):
        waves = observed.frame.filter(pl.col("item") == item)
        turns = [one for one in breaks if one.item == item]
        parts.append(f"<h2>{escape(str(item))}</h2>{_options(part, turns)}{_waves(waves, aligned, turns)}")
    parts.append(_mapped(observed.mapped))
    body = "\n".join(parts)
    path.write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(source)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>{body}</body></html>',
        encoding="utf-8",
    )


def _said(sentences: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(sentence)}</li>' for sentence in sentences)}</ul>" if sentences else ""


def _options(part: pl.DataFrame, breaks: Sequence[Break]) -> str:
    weeks = part["week"].unique().sort().to_list()
    rows = []
    for (option,), one in part.group_by("option", maintain_order=True):
        values = dict(one.select("week", "value").rows())
        mean, low, high = (sum(values.values()) / len(values), min(values.values()), max(values.values()))
        turns = [found.first for found in breaks if option in (found.before, found.after)]
        cells = f"<td>{len(values)}</td><td>{mean:.3f}</td><td>{low:.3f}</td><td>{high:.3f}</td>"
        drawn = _line(values, weeks, turns)
        rows.append(f'<tr><td>{escape(str(option))}</td>{cells}<td class="series">{drawn}</td></tr>')
    said = f"{weeks[0]} to {weeks[-1]}, each from its low to its high"
    head = f'<th>weeks</th><th>mean</th><th>low</th><th>high</th><th class="series">{said}</th>'
    return f"<table><thead><tr><th>option</th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _line(values: Mapping[date, float], weeks: Sequence[date], turns: Sequence[date]) -> str:
    """Return a series as a small line, interrupted where a week has no wave; gaps of all options and breaks marked."""
    span, low, most = max((weeks[-1] - weeks[0]).days, 1), min(values.values()), _most_apart(weeks)
    height = max(values.values()) - low

    def across(day: date) -> float:
        return 2 + (_WIDTH - 4) * (day - weeks[0]).days / span

    stretches: list[list[tuple[float, float]]] = []
    before: date | None = None
    for week in sorted(values):
        y = _HEIGHT - 3 - (_HEIGHT - 6) * ((values[week] - low) / height if height > 0 else 0.5)
        if before is None or week - before > most:
            stretches.append([])
        stretches[-1].append((across(week), y))
        before = week
    holes = "".join(
        f'<rect class="hole" x="{across(left):.1f}" y="0" width="{across(right) - across(left):.1f}"'
        f' height="{_HEIGHT}"><title>no wave between {left} and {right}</title></rect>'
        for left, right in pairwise(weeks)
        if right - left > most
    )
    marks = "".join(
        f'<line class="turn" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{_HEIGHT}"><title>break: {day}</title></line>'
        for day in turns
        for x in [across(day)]
    )
    drawn = "".join(map(_stretch, stretches))
    return f'<svg role="img" aria-label="series" width="{_WIDTH}" height="{_HEIGHT}">{holes}{marks}{drawn}</svg>'


def _most_apart(days: Sequence[date]) -> timedelta:
    """Return the distance beyond which a wave is missing: one and a half times the usual one, so months are no gaps."""
    apart = sorted(right - left for left, right in pairwise(days))
    return 1.5 * max(apart[len(apart) // 2], WEEK) if apart else WEEK


def _stretch(points: Sequence[tuple[float, float]]) -> str:
    if len(points) == 1:
        return f'<circle cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="1.5" fill="currentColor"/>'
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="currentColor" stroke-width="1.2"/>'


def _waves(waves: pl.DataFrame, aligned: Sequence[Aligned], breaks: Sequence[Break]) -> str:
    options = waves["option"].unique(maintain_order=True).to_list()
    head = "".join(f"<th>{escape(str(option))}</th>" for option in options)
    days = {(one.start, one.end): one for one in aligned}
    firsts = {one.first for one in breaks}
    most = _most_apart(sorted({one.first for one in aligned if one.first is not None}))
    rows, before = [], None
    for (start, end), wave in waves.sort("start", "end").group_by("start", "end", maintain_order=True):
        one = days.get((start, end))
        values = dict(wave.select("option", "value").rows())
        cells = "".join(f"<td>{_number(values.get(option))}</td>" for option in options)
        posts = f"{one.first} to {one.last}" if one is not None and one.first is not None else "no posts"
        if one is not None and one.first is not None:
            if before is not None and one.first - before > most:
                n_lost = (one.first - before) // WEEK - 1
                lost = f"{n_lost} week{'' if n_lost == 1 else 's'} without a wave"
                rows.append(f'<tr class="gap"><td colspan="{4 + len(options)}">{lost}</td></tr>')
            before = one.first
        n = wave["n"].max()
        kind = ' class="break"' if start in firsts else ""
        rows.append(
            f"<tr{kind}><td>{start}</td><td>{end}</td><td>{posts}</td><td>{'-' if n is None else n!s}</td>{cells}</tr>"
        )
    top = f"<tr><th>from</th><th>to</th><th>posts</th><th>n</th>{head}</tr>"
    return f'<div class="wide"><table><thead>{top}</thead><tbody>{"".join(rows)}</tbody></table></div>'


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _mapped(mapped: pl.DataFrame) -> str:
    if not mapped.height:
        return ""
    names = ("wave", "item", "variable", "code", "label", "option", "n")
    head = "".join(f"<th>{name}</th>" for name in names)
    rows = [
        "".join(f"<td>{'' if cell is None else escape(str(cell))}</td>" for cell in row)
        for row in mapped.select(names).rows()
    ]
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f"<h2>Codes</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
