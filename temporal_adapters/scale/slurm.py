"""SLURM: an array job whose tasks each keep a base resident and claim items on the shared file system.

Takes items, gives finished adapters; takes models, gives their shards of answers. Success is judged by what exists, not
by what SLURM says of its jobs: many clusters have no accounting.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from temporal_adapters.ground.errors import ScaleError
from temporal_adapters.ground.progress import Listener, Tick
from temporal_adapters.study.artifacts import ABANDONED_AFTER_S

if TYPE_CHECKING:
    from temporal_adapters.scale.settings import Engine
    from temporal_adapters.stages.train import Item
    from temporal_adapters.study.artifacts import RunFolder
    from temporal_adapters.study.config import Study

_ROUNDS = 3  # array jobs submitted before giving up
_LOOK_EVERY_S = 2.0
_SILENT_S = 1800.0  # a controller may be restarted or overloaded; beyond that somebody has to look
_CLAIMED_S = ABANDONED_AFTER_S + 60.0  # a claim that is young for longer than this has a holder who touches it
_MINUTES = 24 * 60  # default time limit of a task; what is unfinished then goes on in the next array job


def work(
    study: Study,
    run: RunFolder,
    todo: Sequence[Item],
    sizes: Mapping[str, int],
    engine: Engine,
    listener: Listener,
) -> None:
    """Train `todo` in SLURM array jobs; what a dead task leaves goes on in the next one where it was saved.

    Raises
    ------
    ScaleError
        If SLURM is not here, refuses the job or stops answering, its tasks end without finishing the items, or
        somebody else is at work on them.
    """
    executor = _executor(study, run, engine)
    count = min(engine.workers or 1, len(todo))
    for _ in range(_ROUNDS):
        left = [item.name for item in todo if not item.is_done]
        if not left:
            return
        job = _submit(executor, task, [(study, run, left, number) for number in range(count)])
        _watch(job, todo, sizes, listener)
        _drop_claims(todo)
    left = [item.name for item in todo if not item.is_done]
    _require_all(run, left, "adapters unfinished")


def ask(study: Study, run: RunFolder, models: Sequence[str], engine: Engine, listener: Listener) -> None:
    """Put the study's questions to `models` in SLURM array jobs; what a dead task leaves is asked in the next one.

    Raises
    ------
    ScaleError
        If SLURM is not here, refuses the job or stops answering, or its tasks end without all answers.
    """
    from temporal_adapters.stages import probe

    executor = _executor(study, run, engine)
    shards = [shard for shard in probe.expected(study, run) if shard.stage == "probe"]
    mine = {name: [s for s in shards if s.folder.as_posix().endswith(f"/{name}")] for name in models}

    def unasked() -> list[str]:
        return [name for name, wanted in mine.items() if any(shard.state != "done" for shard in wanted)]

    for _ in range(_ROUNDS):
        left = unasked()
        if not left:
            return
        count = min(engine.workers or 1, len(left))
        queue = _Queue(_submit(executor, ask_task, [(study, run, left[n::count]) for n in range(count)]))
        while queue.holds():
            time.sleep(_LOOK_EVERY_S)
            listener(Tick("probe", len(models) - len(unasked()), len(models), "models"))
    _require_all(run, unasked(), "models not asked")


def _require_all(run: RunFolder, left: Sequence[str], what: str) -> None:
    if left:
        raise ScaleError(
            f"the SLURM tasks ended {_ROUNDS} times with {len(left)} {what} (first {left[0]}): see the logs in"
            f" {run.slurm}"
        )


def _executor(study: Study, run: RunFolder, engine: Engine) -> Any:
    if shutil.which("sbatch") is None:
        raise ScaleError("--engine slurm: there is no `sbatch` on this machine: start `ta` on the cluster's login node")
    try:
        import submitit
    except ImportError:
        raise ScaleError("--engine slurm needs submitit: `pip install 'temporal-adapters[scale]'`") from None
    executor = submitit.SlurmExecutor(folder=str(run.slurm))
    options: dict[str, Any] = {"time": _MINUTES, "cpus_per_task": 1, "job_name": f"ta-{study.study}"}
    if study.model.device != "cpu":
        options["gres"] = "gpu:1"
    options |= dict(engine.options)
    try:
        executor.update_parameters(**options)
    except (TypeError, ValueError) as error:
        raise ScaleError(f"--slurm: {str(error).strip().splitlines()[0]}") from None
    return executor


def _submit(executor: Any, function: Callable[..., None], calls: Sequence[tuple[Any, ...]]) -> str:
    """Submit an array job with a task per call of `function`, return the job's number."""
    import submitit

    try:
        jobs = executor.map_array(function, *zip(*calls, strict=True))
    except submitit.core.utils.FailedJobError as error:
        raise ScaleError(f"SLURM refused the job: {str(error).strip().splitlines()[-1]}") from None
    return str(jobs[0].job_id).partition("_")[0]


def task(study: Study, run: RunFolder, names: Sequence[str], number: int) -> None:
    """Run in a SLURM task: train what nobody else has claimed."""
    from temporal_adapters.stages.train import items
    from temporal_adapters.stages.train import work as work_here

    todo = [item for item in items(study, run) if item.name in set(names)]
    shift = number % max(1, len(todo))
    work_here(study, run, todo[shift:] + todo[:shift])


def ask_task(study: Study, run: RunFolder, names: Sequence[str]) -> None:
    """Run in a SLURM task: put the questions to these models."""
    from temporal_adapters.stages import probe

    probe.fill(study, run, set(names))


def _watch(job: str, todo: Sequence[Item], sizes: Mapping[str, int], listener: Listener) -> None:
    """Wait until the array job has left the queue and no item is claimed by the living; tell of finished items."""
    total, queue, queued_s = sum(sizes.values()), _Queue(job), time.monotonic()
    while True:
        if running := queue.holds():
            queued_s = time.monotonic()
        done = [item for item in todo if item.is_done]
        name = done[-1].name if done else ""
        listener(Tick("train", sum(sizes[item.name] for item in done), total, "tokens", name))
        if len(done) == len(todo):
            return
        if not running:
            held = _held(todo)
            if not held:
                return
            if time.monotonic() - queued_s > _CLAIMED_S:
                raise ScaleError(
                    f"SLURM job {job} has ended, but {held[0].claim_path} is still touched: another process trains this"
                    " adapter; start the same command again when that has ended"
                )
        time.sleep(_LOOK_EVERY_S)


def _held(todo: Sequence[Item]) -> list[Item]:
    """Return the unfinished items whose claim is too young to belong to the dead."""
    from temporal_adapters.stages.train import is_abandoned

    # The claim is looked at first: whoever has just finished an item publishes it before giving its claim free.
    claimed = [item for item in todo if item.claim_path.exists() and not is_abandoned(item.claim_path)]
    return [item for item in claimed if not item.is_done]


def _drop_claims(todo: Sequence[Item]) -> None:
    """Remove the claims of the dead: tasks on other machines cannot see that they are."""
    from temporal_adapters.stages.train import is_abandoned

    for item in todo:
        if item.is_done or is_abandoned(item.claim_path):
            item.claim_path.unlink(missing_ok=True)


class _Queue:
    """What SLURM's queue says of one job."""

    def __init__(self, job: str) -> None:
        self.job, self._answered_s = job, time.monotonic()

    def holds(self) -> bool:
        """Return whether any task of the job waits or runs; while SLURM does not answer, one may.

        Raises
        ------
        ScaleError
            If SLURM has not answered for half an hour.
        """
        call = ["squeue", "--noheader", "--jobs", self.job, "--format", "%T"]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        # A job that SLURM has forgotten neither waits nor runs.
        forgotten = "invalid job id" in done.stderr.lower()
        if done.returncode == 0 or forgotten:
            self._answered_s = time.monotonic()
            return not forgotten and bool(done.stdout.strip())
        if time.monotonic() - self._answered_s > _SILENT_S:
            said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
            raise ScaleError(
                f"squeue has not answered for {_SILENT_S / 60:.0f} minutes ({said}): the tasks of job {self.job} may"
                " still run; start the same command again when SLURM answers"
            )
        return True
