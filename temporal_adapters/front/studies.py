"""A study by its name, its file or as it was loaded.

Takes what a person writes, gives a `Study`. Knows no stage.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from temporal_adapters.front.given import DEFAULT_RUNS
from temporal_adapters.ground.errors import UsageError
from temporal_adapters.study import config
from temporal_adapters.study.artifacts import RunFolder
from temporal_adapters.study.config import Study

Reference = Study | str | Path
"""A loaded study, the path of its file, or the name of a shipped one."""


def load_study(study: str | Path, /, *, runs: str | Path = DEFAULT_RUNS, **settings: Any) -> Study:
    """Read a study file and check it.

    Parameters
    ----------
    study
        Path of a study file, or the name of a shipped study such as ``demo``.
    runs
        Folder of all runs; ``{run}`` in the file's paths stands for ``runs/<study>``.
    **settings
        Sections, or single settings of them, that replace the file's: ``train={"seeds": [42]}``.

    Returns
    -------
    Study
        Validated and frozen, one attribute per section.

    Raises
    ------
    ConfigError
        With file:line, the bad value, what is allowed and the nearest known key.

    Examples
    --------
    >>> import temporal_adapters as ta
    >>> study = ta.load_study("demo", train={"seeds": [42]})
    >>> study.study, study.train.seeds
    ('demo', (42,))
    """
    loaded = config.load_study(study, Path(runs), list(_overrides(settings)))
    if loaded.hint:
        warnings.warn(loaded.hint, FutureWarning, stacklevel=2)
    return loaded


def _overrides(settings: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield nested settings as ``section.key=value``; JSON is YAML."""
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _overrides(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}={json.dumps(value, default=str, ensure_ascii=False)}"


def opened(study: Reference, runs: str | Path | None = None) -> tuple[Study, RunFolder]:
    """Return a study and its run folder, ``runs/<study>``.

    Raises
    ------
    UsageError
        If a loaded study belongs to another folder of runs.
    """
    loaded = study if isinstance(study, Study) else load_study(study, runs=DEFAULT_RUNS if runs is None else runs)
    if runs is not None and Path(runs) != loaded.runs:
        raise UsageError(f"this study was loaded for {loaded.runs}: say runs={str(runs)!r} to ta.load_study")
    return loaded, RunFolder(loaded.runs / loaded.study)
