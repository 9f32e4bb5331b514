"""The weeks on a Ray cluster: one task per raw file, through the same function as on one machine.

Takes a study, its run folder and an engine, gives the same published folder ``weeks/`` as `weeks.build`. Raw files and
run folder must lie on a file system that all nodes share under the same path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from temporal_adapters.ground.errors import TemporalAdaptersError
from temporal_adapters.ground.progress import Listener, silent
from temporal_adapters.scale.ray_cluster import connected
from temporal_adapters.scale.settings import Engine
from temporal_adapters.stages.weeks import Job, SplitSettings, Staged, build, split_file
from temporal_adapters.study.artifacts import Manifest, RunFolder
from temporal_adapters.study.config import Study


def build_weeks(study: Study, run: RunFolder, *, engine: Engine, listener: Listener = silent) -> Manifest:
    """Build the weekly corpora of a study, its raw files spread over a Ray cluster.

    Raises
    ------
    ScaleError
        If Ray is missing or the cluster cannot be reached.
    PanelError, WeeksError
        As `weeks.build`.
    """
    with connected(engine) as ray:

        def spread(
            jobs: Sequence[Job], settings: SplitSettings, workers: int, on_bytes: Callable[[Path, int], None]
        ) -> Iterator[tuple[Path, Staged]]:
            # One task per raw file, one core each; Ray places them and starts lost ones again.
            task = ray.remote(num_cpus=1)(_split)
            waiting = {task.remote(raw, target, settings): raw for raw, target in jobs}
            yield from _finished(ray, waiting)

        return build(study, run, listener=listener, spread=spread)


def _split(raw: Path, target: Path, settings: SplitSettings) -> Staged | TemporalAdaptersError:
    """Return an error instead of raising it, so that it arrives as it is."""
    try:
        return split_file(raw, target, settings)
    except TemporalAdaptersError as error:
        return error


def _finished(ray: Any, waiting: dict[Any, Path]) -> Iterator[tuple[Path, Staged]]:
    while waiting:
        done, _ = ray.wait(list(waiting), num_returns=1)
        result = ray.get(done[0])
        if isinstance(result, TemporalAdaptersError):
            raise result
        yield waiting.pop(done[0]), result
