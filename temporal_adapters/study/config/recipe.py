"""What of a study a mixing experiment holds for: how it trains and asks.

Takes a `Study`, gives settings. Knows no mix.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from temporal_adapters.study.config.base import scientific
from temporal_adapters.study.config.study import Study


def recipe(study: Study) -> dict[str, Any]:
    """Return the settings under which a mixing experiment says something about a study: how it trains and asks.

    Of the base and the questionnaires only the names: their folders may move. Of the section `series` what single
    answers are read by; seeds and weeks are pooled by the study alone.
    """
    found = {name: scientific(getattr(study, name)) for name in ("model", "tokens", "train", "probe")}
    found["train"] = {key: value for key, value in found["train"].items() if key not in ("seeds", "checkpoint_steps")}
    found["model"]["base"] = PurePath(found["model"]["base"]).name
    found["probe"]["questionnaires"] = [PurePath(path).stem for path in found["probe"]["questionnaires"]]
    method = study.series.method or study.probe.methods[0]
    found["series"] = {"method": method, "wordings": sorted(study.series.wordings)}
    return found
