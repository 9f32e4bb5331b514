"""The stages `simulate` and `recovery` of a study that makes its own panel.

Takes a study and its run folder, gives ``world/`` and ``recovery.json``. Knows no model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from temporal_adapters.ground.errors import SimulateError
from temporal_adapters.study.artifacts import Expected, Recovery, RunFolder, load_table, make, read_corpora
from temporal_adapters.study.config import Study, scientific

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


def measure(run: RunFolder) -> Recovery:
    """Compare the adapters' series of a run with its world's truth, write ``recovery.json`` and return it.

    Raises
    ------
    SimulateError
        If the run has no world, no series, or no series of the world's question.
    """
    import polars as pl

    from temporal_adapters.ground.tables import ADAPTERS
    from temporal_adapters.worlds.recovery import count_moods, recovery
    from temporal_adapters.worlds.survey import QUESTION
    from temporal_adapters.worlds.write import TRUTH

    truth, series = run.world / TRUTH, run.series_table
    for path, command in ((truth, "ta simulate"), (series, "ta series")):
        if not path.is_file():
            raise SimulateError(f"{path} does not exist: run `{command}` first")
    asked = load_table(series).filter((pl.col("source") == ADAPTERS) & (pl.col("item") == QUESTION))
    if asked.is_empty():
        raise SimulateError(f"{series} holds no answers to the item {QUESTION!r}: ask the questionnaire `demo-mood`")
    counted = count_moods({corpus.start: corpus.path for corpus in read_corpora(run)})
    found = recovery(asked, load_table(truth), counted)
    found.write(run.root)
    return found


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
