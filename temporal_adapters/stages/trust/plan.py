"""What today's settings and series would make of the figures of trust.

Takes a study and its run folder, gives what is expected. Reads no series.
"""

from __future__ import annotations

from temporal_adapters.stages.trust import placebo_series
from temporal_adapters.study.artifacts import CELLS_FILE, SERIES_FILE, SETTINGS_FILE, Expected, RunFolder, read_manifest
from temporal_adapters.study.config import Study, scientific

STAGE = "trust"
VERSION = 7
_UNUSED = ("adjust",)
"""Settings of `correlate` that no figure of trust hangs on."""
TABLES = (SERIES_FILE, CELLS_FILE, SETTINGS_FILE)


def expected(study: Study, run: RunFolder) -> list[Expected]:
    """Return what this stage would publish today; nothing while the series are missing or there is no survey."""
    series = read_manifest(run.series)
    if study.survey is None or series is None or not set(TABLES) <= set(series.outputs):
        return []
    settings = {name: value for name, value in scientific(study.correlate).items() if name not in _UNUSED}
    config = {"correlate": settings, "survey": {"source": study.survey.source}}
    inputs = {name: str(series.outputs[name]["sha256"]) for name in TABLES}
    if placebos := placebo_series.digest(run):
        inputs[placebo_series.FILE] = placebos
    return [Expected(run.trust, STAGE, VERSION, config, inputs)]
