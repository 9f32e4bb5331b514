"""Workers on this machine: one process per GPU, or one per core with one thread each.

Takes items, gives finished adapters. Two processes with one thread each train tiny models nearly twice as fast as one
process with two threads, and the numbers do not depend on the number of workers.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temporal_adapters.ground.errors import ScaleError, TemporalAdaptersError
from temporal_adapters.ground.processes import end_with_parent, ended_by, starting_children
from temporal_adapters.ground.progress import Listener, Tick
from temporal_adapters.ground.storage import explain
from temporal_adapters.scale.tally import Tally

if TYPE_CHECKING:
    from temporal_adapters.stages.train import Item
    from temporal_adapters.study.artifacts import RunFolder
    from temporal_adapters.study.config import Study

_ROUNDS = 3  # times that workers are started again after one was killed
_END_S = 0.5  # what a worker gets to end by itself
_START_S = 6.0  # a worker's start: Python, torch, transformers
_CPU_FLOPS = 3e10  # what one core reaches with small matrices; only decides whether more workers pay
_MOST = 16  # workers on one machine; beyond it their shared files are the bottleneck
_TICK_EVERY = 16  # steps between two messages of a worker


def choose_workers(study: Study, n_tokens: int, n_items: int) -> int:
    """Return how many workers pay: one per GPU; on a CPU one per core that has memory, if training outlasts a start."""
    from temporal_adapters.engines.model import base_path, choose_device

    if choose_device(study.model.device).type == "cuda":
        import torch

        return max(1, min(n_items, torch.cuda.device_count()))
    weights = sum(path.stat().st_size for path in Path(base_path(study.model)).glob("*.safetensors"))
    seconds = weights * n_tokens / _CPU_FLOPS  # 4 FLOPs per parameter and token, 4 bytes per parameter
    if not weights or seconds < 3 * _START_S:
        return 1
    return max(1, min(n_items, _cores(), _MOST, _that_fit(study)))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def _that_fit(study: Study) -> int:
    """Return how many processes the free memory holds."""
    import torch

    from temporal_adapters.engines.model import free_bytes
    from temporal_adapters.stages.train import process_bytes

    free = free_bytes(torch.device("cpu"))
    return _MOST if free is None else free // process_bytes(study)


def work(
    study: Study,
    run: RunFolder,
    todo: Sequence[Item],
    sizes: Mapping[str, int],
    count: int,
    listener: Listener,
) -> None:
    """Train `todo` in `count` processes; a killed one is replaced, and its adapters go on where they were saved.

    Raises
    ------
    ScaleError
        If workers are killed again and again.
    """
    for _ in range(_ROUNDS):
        left = [item for item in todo if not item.is_done]
        if not left:
            return
        tally = Tally(sum(sizes[item.name] for item in left), listener)
        codes = _one_round(study, run, left, count, tally)
        if not any(codes.values()):
            return
        died = "; ".join(f"{name} {ended_by(code)}" for name, code in codes.items() if code)
        tally.say(f"{died}; started again")
    raise ScaleError(
        f"workers died {_ROUNDS} times ({died}): use fewer (--workers 1), lower train.together or train.micro_batch;"
        " finished adapters are kept"
    )


def _one_round(study: Study, run: RunFolder, todo: Sequence[Item], count: int, tally: Tally) -> dict[str, int]:
    """Start `count` workers, wait for them, return their names and exit codes."""
    context = multiprocessing.get_context("spawn")
    messages: Any = context.Queue()
    names, count = [item.name for item in todo], min(count, len(todo))
    workers: list[BaseProcess] = [
        context.Process(target=_worker, args=(number, count, study, run, names, messages), name=f"train-{number}")
        for number in range(count)
    ]
    with starting_children():
        for worker in workers:
            worker.start()
    try:
        while any(worker.is_alive() for worker in workers):
            _listen(messages, tally, 0.2)
        _listen(messages, tally, 0.0)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join(_END_S)
            worker.kill()
            worker.join()
    return {worker.name: worker.exitcode or 0 for worker in workers}


def _listen(messages: Any, tally: Tally, wait_s: float) -> None:
    """Pass on what workers say, until they are silent for `wait_s`."""
    while True:
        try:
            worker, said = messages.get(timeout=wait_s) if wait_s else messages.get_nowait()
        except queue.Empty:
            return
        if isinstance(said, TemporalAdaptersError):
            raise said
        tally.add(worker, said)


def _worker(number: int, count: int, study: Study, run: RunFolder, names: Sequence[str], messages: Any) -> None:
    """Run in a process of its own, one of `count`: train what nobody else has claimed."""
    end_with_parent()
    os.environ["CUDA_VISIBLE_DEVICES"] = _gpu(number)
    import torch

    from temporal_adapters.stages.train import items, work

    torch.set_num_threads(max(1, min(torch.get_num_threads(), _cores() // count)))
    try:
        todo = [item for item in items(study, run) if item.name in set(names)]
        # Each begins elsewhere, so that claims rarely collide.
        shift = number * len(todo) // max(1, number + 1)
        work(study, run, todo[shift:] + todo[:shift], listener=_Messenger(str(number), messages))
    except Exception as error:
        known = error if isinstance(error, TemporalAdaptersError) else explain(error, run.root)
        if known is None:
            raise
        messages.put((str(number), known))


def _gpu(number: int) -> str:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return str(number)
    devices = visible.split(",")
    return devices[number] if number < len(devices) else ""


class _Messenger:
    """Sends every 16th tick, and those with a note, to the parent."""

    def __init__(self, name: str, messages: Any) -> None:
        self.name, self.messages, self._count = name, messages, 0

    def __call__(self, tick: Tick) -> None:
        self._count += 1
        if self._count % _TICK_EVERY == 0 or tick.note:
            self.messages.put((self.name, tick))
