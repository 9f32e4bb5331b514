"""Where a study stands, as lines for a person.

Takes a `Standing`, gives text. Looks at no folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from temporal_adapters.stages.report import duration
from temporal_adapters.stages.report.numbers import count, size

if TYPE_CHECKING:
    from temporal_adapters.front.standing import Stage, Standing

MARKS = {"done": "\u25a0", "partial": "\u25a4", "stale": "\u25b2", "missing": "\u00b7", "gap": " "}
PLAIN_MARKS = {"done": "#", "partial": "p", "stale": "s", "missing": ".", "gap": " "}


def lines(found: Standing, marks: Mapping[str, str] = MARKS) -> list[str]:
    """Return what a person sees: stages, the grid of weeks and seeds, disk, and what would run next."""
    lines = [f"study {found.study}", ""]
    for stage in found.stages:
        spent = f"{duration(stage.seconds):>12}  {size(stage.n_bytes):>9}"
        tokens = f"  {count(stage.tokens)} tokens" if stage.tokens else ""
        lines.append(f"  {stage.name:<10}{stage.state:<9}{_counts(stage):<34}{spent}{tokens}")
        word = "stale" if stage.state == "stale" else "why"
        lines += [f"             {word}: {reason}{f' ({n} folders)' if n > 1 else ''}" for reason, n in _some(stage)]
    lines += ["", *_grid(found, marks)] if found.grid else []
    aside = sum(stage.n_aside for stage in found.stages)
    total = f"disk {size(sum(stage.n_bytes for stage in found.stages))}"
    lines += ["", total + (f", of this {size(aside)} set aside or left behind" if aside else "")]
    after = found.next
    lines.append(f"next: {after.command}" if after else "next: nothing, all is done")
    return lines


def _counts(stage: Stage) -> str:
    n = sum(stage.counts.values())
    words = "" if n < 2 else ", ".join(f"{count} {state}" for state, count in stage.counts.items())
    if n > 1 and len(stage.counts) == 1:
        words = f"all {n}"
    if stage.waits and stage.state == "done":
        words = f"{words}, will follow".removeprefix(", ")
    return words


def _some(stage: Stage, most: int = 5) -> list[tuple[str, int]]:
    return list(stage.reasons.items())[:most]


def _grid(found: Standing, marks: Mapping[str, str]) -> list[str]:
    """Return one block per year: a line of ISO week numbers, then one line per seed with a mark per week."""
    weeks = sorted({*found.weeks, *found.gaps})
    lines = []
    for year in sorted({week[:4] for week in weeks}):
        here = [week for week in weeks if week.startswith(year)]
        heads = "".join(f"{week[5:]:<5}" for week in here[::5])
        lines.append(f"  {year:<12}{heads}".rstrip())
        for seed in found.seeds:
            row = "".join(marks[found.grid.get(f"{week}/seed-{seed}", "gap")] for week in here)
            lines.append(f"  seed {seed:<7}{row}")
    legend = "  ".join(f"{marks[state]} {state}" for state in ("done", "partial", "stale", "missing"))
    return [*lines, f"  {legend}   (blank: a week without posts)"]
