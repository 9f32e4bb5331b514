"""`ta survey check --html`: the survey as a page to look at, in one file without scripts.

Takes observations, series and sentences, writes HTML. Knows no study.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from html import escape
from pathlib import Path

import polars as pl

from temporal_adapters.ground.dates import WEEK
from temporal_adapters.stages.survey.align import Aligned
from temporal_adapters.stages.survey.names import Break
from temporal_adapters.stages.survey.observations import Observations

_STYLE = """
body{font:14px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;color:#1b1f24;background:#fff}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.5rem 0 1.5rem}
th,td{padding:.2rem .6rem;text-align:right;border-bottom:1px solid #d0d7de}
th:first-child,td:first-child{text-align:left}
thead th{position:sticky;top:0;background:#fff}
.gap td{color:#8c2d04;background:#fff4e5}
.break td{border-top:2px solid #b30000}
.wide{overflow-x:auto}svg{display:block}li{margin:.2rem 0}
@media (prefers-color-scheme:dark){body,thead th{background:#0d1117;color:#e6edf3}
.gap td{background:#2d1a05;color:#ffb77c}th,td{border-color:#30363d}}
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
        parts.append(f"<h2>{escape(str(item))}</h2>{_options(part)}{_waves(waves, aligned, breaks)}")
    parts.append(_mapped(observed.mapped))
    body = "\n".join(parts)
    path.write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(source)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>{body}</body></html>',
        encoding="utf-8",
    )


def _said(sentences: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(sentence)}</li>' for sentence in sentences)}</ul>" if sentences else ""


def _options(part: pl.DataFrame) -> str:
    weeks = part["week"].unique().sort().to_list()
    rows = []
    for (option,), one in part.group_by("option", maintain_order=True):
        values = dict(one.select("week", "value").rows())
        mean, low, high = (sum(values.values()) / len(values), min(values.values()), max(values.values()))
        cells = f"<td>{len(values)}</td><td>{mean:.3f}</td><td>{low:.3f}</td><td>{high:.3f}</td>"
        rows.append(f"<tr><td>{escape(str(option))}</td>{cells}<td>{_line(values, weeks[0], weeks[-1])}</td></tr>")
    head = "<tr><th>option</th><th>weeks</th><th>mean</th><th>low</th><th>high</th><th>series</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def _line(values: Mapping[date, float], first: date, last: date) -> str:
    """Return a series as a small line, interrupted where a week has no wave."""
    span, low = max((last - first).days, 1), min(values.values())
    height = max(max(values.values()) - low, 1e-9)
    stretches: list[list[str]] = []
    before: date | None = None
    for week in sorted(values):
        x = 2 + (_WIDTH - 4) * (week - first).days / span
        y = _HEIGHT - 3 - (_HEIGHT - 6) * (values[week] - low) / height
        if before is None or week - before > WEEK:
            stretches.append([])
        stretches[-1].append(f"{x:.1f},{y:.1f}")
        before = week
    drawn = "".join(
        f'<polyline points="{" ".join(points)}" fill="none" stroke="currentColor" stroke-width="1.2"/>'
        if len(points) > 1
        else f'<circle cx="{points[0].split(",")[0]}" cy="{points[0].split(",")[1]}" r="1.5" fill="currentColor"/>'
        for points in stretches
    )
    return f'<svg role="img" aria-label="series" width="{_WIDTH}" height="{_HEIGHT}">{drawn}</svg>'


def _waves(waves: pl.DataFrame, aligned: Sequence[Aligned], breaks: Sequence[Break]) -> str:
    options = waves["option"].unique(maintain_order=True).to_list()
    head = "".join(f"<th>{escape(str(option))}</th>" for option in options)
    days = {(one.start, one.end): one for one in aligned}
    firsts = {one.first for one in breaks if one.item in waves["item"].to_list()}
    rows, before = [], None
    for (start, end), wave in waves.sort("start", "end").group_by("start", "end", maintain_order=True):
        one = days.get((start, end))
        values = dict(wave.select("option", "value").rows())
        cells = "".join(f"<td>{_number(values.get(option))}</td>" for option in options)
        posts = f"{one.first} to {one.last}" if one is not None and one.first is not None else "no posts"
        if one is not None and one.first is not None:
            if before is not None and one.first - before > WEEK:
                n_lost = (one.first - before) // WEEK - 1
                rows.append(f'<tr class="gap"><td colspan="{4 + len(options)}">{n_lost} weeks without a wave</td></tr>')
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
