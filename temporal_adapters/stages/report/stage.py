"""The stage `report`: tables of a finished run to `report/`.

Takes a study and its run folder, gives one published folder. Knows no section of the page.
"""

from __future__ import annotations

from pathlib import Path

from temporal_adapters.ground.errors import ReportError
from temporal_adapters.ground.progress import Listener, silent
from temporal_adapters.study.artifacts import Expected, Manifest, RunFolder, make, read_manifest
from temporal_adapters.study.config import Study, scientific

VERSION = 1


def expected(study: Study, run: RunFolder) -> list[Expected]:
    """Return the one folder that this stage would publish now; nothing while the series are missing."""
    if read_manifest(run.series) is None:
        return []
    from temporal_adapters.stages.report import material

    config = {"report": scientific(study.report), "study": study.study, "description": study.description}
    return [Expected(run.report, "report", VERSION, config, material.inputs(study, run))]


def build(study: Study, run: RunFolder, *, listener: Listener = silent) -> Manifest:
    """Write the report of one study unless it is there already.

    Returns
    -------
    Manifest of `report/`; facts: n_options, n_weeks, page_bytes.

    Raises
    ------
    ReportError
        If the series do not exist yet.
    """
    from temporal_adapters.stages.report import folder, material

    wanted = expected(study, run)
    if not wanted:
        raise ReportError(f"{run.series} does not exist: run `ta run` (or `ta correlate`) before `ta report`")
    (one,) = wanted

    def write(target: Path) -> dict[str, int]:
        found = material.gather(study, run)
        page_bytes = folder.write(found, target, listener)
        return {"n_options": len(found.options()), "n_weeks": found.weeks.height, "page_bytes": page_bytes}

    return make(one, write)
