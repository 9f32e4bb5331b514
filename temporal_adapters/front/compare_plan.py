"""The plan of a comparison: frozen before looking, kept by every later analysis.

Takes both sides and the settings, gives the plan on disk. Knows no test.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from temporal_adapters.front.sides import Series
from temporal_adapters.ground.errors import CorrelateError
from temporal_adapters.study.artifacts import digest_json
from temporal_adapters.study.config import Correlate

_SHOWN_ONLY = frozenset({"shown_lags", "alternates", "confidence", "baselines"})
"""Settings that decide nothing."""


def kept(path: Path, first: Series, second: Series, settings: Correlate) -> dict[str, Any]:
    """Return the plan in a file; where there is none, freeze this analysis there.

    Raises
    ------
    CorrelateError
        If the file is no plan, was changed by hand, or fixes another analysis.
    """
    now = {
        "analysis": {k: v for k, v in settings.model_dump(mode="json").items() if k not in _SHOWN_ONLY},
        "data": {side.name: _digest(side) for side in (first, second)},
    }
    if not path.exists():
        written = {"version": 1, "created": datetime.now(UTC).isoformat(timespec="seconds"), **now}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**written, "key": digest_json(written)}, indent=1), encoding="utf-8")
        return {**written, "key": digest_json(written), "fresh": True}
    planned = _read(path)
    for part in ("analysis", "data"):
        for name in sorted({*planned[part], *now[part]}):
            was, is_now = planned[part].get(name), now[part].get(name)
            if was != is_now:
                shown = (str(was)[:12], str(is_now)[:12]) if part == "data" else (was, is_now)
                raise CorrelateError(
                    f"the plan {path} of {planned['created'][:10]} has {name} {shown[0]}, this analysis {shown[1]}:"
                    " go back to the plan, or leave it out and say so"
                )
    return planned


def line(plan: Mapping[str, Any]) -> str:
    """Return whether the analysis was frozen before looking."""
    if not plan:
        return "The analysis was not frozen before looking (--plan)."
    when = "now, before looking" if plan.get("fresh") else f"on {plan['created'][:10]}, before looking"
    return f"The analysis was frozen {when} (key {plan['key'][:12]})."


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        key = found.pop("key")
        is_whole = key == digest_json(found) and {"analysis", "data", "created"} <= set(found)
    except (OSError, ValueError, KeyError, AttributeError):
        raise CorrelateError(f"{path} is not a plan: name a file that does not exist to freeze one") from None
    if not is_whole:
        raise CorrelateError(f"the plan {path} was changed after it was frozen: restore it, or freeze another")
    return {**found, "key": key}


def _digest(side: Series) -> str:
    rows = side.frame.sort("item", "option", "step").select("item", "option", "step", pl.col("value"))
    return digest_json([list(row) for row in rows.iter_rows()])
