"""Published results that stand beside ours.

Takes nothing, gives rows with their source. Knows no experiment.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from temporal_adapters.ground.errors import VoteError

PUBLISHED: dict[str, dict[str, Any]] = {
    "gpt-3.5-gles2017": {
        "model": "GPT-3.5 (published)",
        "source": (
            "von der Heyde, Haensch, Wenz, arXiv 2407.08563, recomputed over 8 classes by Holtdirk et al., OSF udz28"
        ),
        "f1": {
            "CDU/CSU": 0.62,
            "SPD": 0.52,
            "Greens": 0.52,
            "FDP": 0.34,
            "Left": 0.45,
            "AfD": 0.34,
            "Small party": 0.11,
            "Non-voter": 0.25,
        },
        "accuracy": 0.46,
        "macro_f1": 0.395,
    }
}
"""Published reference rows: another sample of the same survey, shown beside our models, never tested against them."""


def published_table(name: str) -> pl.DataFrame:
    """Return model, source, figure, value of a published reference."""
    if name not in PUBLISHED:
        raise VoteError(f"there is no published reference {name!r} (there are: {', '.join(PUBLISHED)})")
    entry = PUBLISHED[name]
    values = {
        "accuracy": entry["accuracy"],
        "macro_f1": entry["macro_f1"],
        **{f"F1 {label}": value for label, value in entry["f1"].items()},
    }
    return pl.DataFrame(
        [
            {"model": entry["model"], "source": entry["source"], "figure": figure, "value": value}
            for figure, value in values.items()
        ]
    )
