"""The stages `simulate` and `recovery` of a study that makes its own panel.

Takes a study and its run folder, gives ``world/`` and ``recovery.json``. Knows no model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from temporal_adapters.ground.errors import SimulateError
from temporal_adapters.study.artifacts import Expected, Recovery, RunFolder, load_table, make, read_corpora
from temporal_adapters.study.config import Study, scientific

if TYPE_CHECKING:
    import polars as pl

STAGE, VERSION = "simulate", 2


def expected(study: Study, run: RunFolder) -> list[Expected]:
    """Return the one world that the study's settings give.

    Raises
    ------
    SimulateError
        If the study has no `simulate` section.
    """
    if study.simulate is None:
        raise SimulateError("the study has no section `simulate`: it reads a panel instead of making one")
    return [Expected(run.world, STAGE, VERSION, {STAGE: scientific(study.simulate)}, {})]


def build(study: Study, run: RunFolder) -> bool:
    """Write the study's world into ``runs/<study>/world``; return False if it was there."""
    (wanted,) = expected(study, run)
    if wanted.state == "done" or study.simulate is None:
        return False
    from temporal_adapters.worlds.write import write_world

    settings = study.simulate
    make(wanted, lambda folder: write_world(settings, folder))
    return True


def measure(run: RunFolder) -> Recovery | None:
    """Compare the adapters' series of a run with its world's truth, write ``recovery.json`` and return it.

    None where no item asks for the world's moods: there is no truth to compare with.

    Raises
    ------
    SimulateError
        If the run has no world or no series.
    """
    import polars as pl

    from temporal_adapters.ground.tables import ADAPTERS
    from temporal_adapters.worlds.recovery import count_moods, recovery
    from temporal_adapters.worlds.write import TRUTH

    truth, series = run.world / TRUTH, run.series_table
    for path, command in ((truth, "ta simulate"), (series, "ta series")):
        if not path.is_file():
            raise SimulateError(f"{path} does not exist: run `{command}` first")
    known = load_table(truth)
    answers = load_table(series).filter(pl.col("source") == ADAPTERS)
    item = _about_moods(answers, set(known["option"]))
    if item is None:
        run.recovery.unlink(missing_ok=True)
        return None
    counted = count_moods({corpus.start: corpus.path for corpus in read_corpora(run)})
    found = recovery(answers.filter(pl.col("item") == item), known, counted)
    found.write(run.root)
    return found


def _about_moods(answers: pl.DataFrame, moods: set[str]) -> str | None:
    """Return the item that asks for the world's moods: the one of `demo-mood`, or the first whose options are moods."""
    from temporal_adapters.worlds.survey import QUESTION

    options = answers.group_by("item", maintain_order=True).agg("option")
    named = {item: set(listed) for item, listed in options.iter_rows()}
    if QUESTION in named:
        return QUESTION
    return next((item for item, own in named.items() if len(own) > 1 and own <= moods), None)


def add_seconds(run: RunFolder, seconds: Mapping[str, float]) -> None:
    """Add the seconds of every stage to ``recovery.json``."""
    known = Recovery.read(run)
    if known is not None:
        replace(known, seconds=dict(seconds)).write(run.root)


def summary(run: RunFolder) -> str:
    """Return the recovery of a run as a few lines for the terminal."""
    found = Recovery.read(run)
    if found is None:
        return ""
    lines = [
        f"recovery: the answers follow the known truth with r = {found.mean_r:.2f} (mean over"
        f" {len(found.options)} moods, {found.n_weeks} weeks); counting the true mood words in the same posts"
        f" reaches {found.ceiling_r:.2f}."
    ]
    ranked = sorted(found.options.items(), key=lambda entry: -(entry[1]["r"] or 0.0))
    lines += [f"  {option:<12} r {_shown(one['r'])}   counting {_shown(one['ceiling'])}" for option, one in ranked]
    return "\n".join(lines)


def _shown(r: float | None) -> str:
    return " none" if r is None else f"{r:5.2f}"
