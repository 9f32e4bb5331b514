"""A Ray cluster: one actor per GPU (or CPU slot) keeps a base resident and is handed items.

Takes items, gives finished adapters. The run folder must lie on a file system that all nodes share.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from temporal_adapters.ground.errors import ScaleError, TemporalAdaptersError
from temporal_adapters.ground.progress import Listener, Tick
from temporal_adapters.scale.settings import require_one_precision
from temporal_adapters.scale.tally import Tally

if TYPE_CHECKING:
    from temporal_adapters.scale.settings import Engine
    from temporal_adapters.stages.train import Item
    from temporal_adapters.study.artifacts import RunFolder
    from temporal_adapters.study.config import Study

_LOSSES = 3  # times that a batch of items may lose its worker
_LOOK_EVERY_S = 0.5
_TICK_EVERY = 16
_CONNECT_S = 10.0


def work(
    study: Study,
    run: RunFolder,
    todo: Sequence[Item],
    sizes: Mapping[str, int],
    engine: Engine,
    listener: Listener,
) -> None:
    """Train `todo` on a Ray cluster; a lost worker is replaced, and its adapters go on where they were saved.

    Raises
    ------
    ScaleError
        If Ray is missing, the cluster lacks what is asked for, or a batch loses worker after worker.
    """
    with connected(engine) as ray:
        slots, options = _slots(ray, study, engine)
        count = min(engine.workers or slots, len(todo))
        items = {item.name: item for item in todo}

        def left(names: Sequence[str]) -> list[str]:
            for name in names:
                # The lost worker may have been on another machine, where its death cannot be seen.
                items[name].claim_path.unlink(missing_ok=True)
            return [name for name in names if not items[name].is_done]

        fleet = _Fleet(ray, study, run, options, "train", left)
        fleet.run(_batches(study, list(items), count), count, Tally(sum(sizes.values()), listener))


def ask(study: Study, run: RunFolder, models: Sequence[str], engine: Engine, listener: Listener) -> None:
    """Put the study's questions to `models` on a Ray cluster; what is complete is skipped.

    Raises
    ------
    ScaleError
        As `work`.
    """
    with connected(engine) as ray:
        slots, options = _slots(ray, study, engine)
        count = min(engine.workers or slots, len(models))
        size = -(-len(models) // (2 * count))  # two shares each: a lost worker loses half of its own
        batches = [list(models[at : at + size]) for at in range(0, len(models), size)]
        fleet = _Fleet(ray, study, run, options, "probe", list)
        fleet.run(batches, count, Tally(len(models), listener))


@contextlib.contextmanager
def connected(engine: Engine) -> Iterator[Any]:
    """Give the module `ray`, connected to the engine's cluster; disconnect at the end what was connected here.

    Raises
    ------
    ScaleError
        If Ray is missing or the cluster cannot be reached.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise ScaleError("--engine ray needs Ray: `pip install 'temporal-adapters[scale]'`") from None
    mine = not ray.is_initialized()
    if mine:
        _check_address(engine.address)
        try:
            ray.init(address=engine.address, include_dashboard=None if engine.address else False, log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            first = str(error).strip().splitlines()[0]
            raise ScaleError(f"--address {engine.address}: no Ray cluster can be reached there ({first})") from None
    try:
        yield ray
    finally:
        if mine:
            ray.shutdown()


def _check_address(address: str | None) -> None:
    """Refuse a ``host:port`` where nobody listens: Ray itself would try for minutes."""
    host, sign, port = (address or "").rpartition(":")
    if not sign or "/" in host or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
    except OSError as error:
        raise ScaleError(f"--address {address}: no Ray cluster can be reached there ({error})") from None


def _slots(ray: Any, study: Study, engine: Engine) -> tuple[int, dict[str, int]]:
    """Return how many workers the cluster has room for, and what each takes.

    Raises
    ------
    ScaleError
        If there are fewer than asked for: Ray itself would wait for them for ever.
    """
    resources = ray.cluster_resources()
    gpus, cpus = int(resources.get("GPU", 0)), int(resources.get("CPU", 0))
    if study.model.device == "cuda" and not gpus:
        raise ScaleError(
            f"model.device is cuda, but the Ray cluster has no GPU (it has {cpus} CPUs): start it with GPUs, or set"
            " model.device to cpu"
        )
    use_gpus = gpus > 0 and study.model.device != "cpu"
    if use_gpus:
        require_one_precision(study)
    slots, kind = (gpus, "GPUs") if use_gpus else (cpus, "CPUs")
    if engine.workers is not None and engine.workers > slots:
        raise ScaleError(f"--workers {engine.workers}: the Ray cluster has {slots} {kind}: ask for at most that many")
    return slots, ({"num_gpus": 1} if use_gpus else {"num_cpus": 1})


def _batches(study: Study, names: Sequence[str], count: int) -> list[list[str]]:
    """Return the items in batches: as many together as one forward pass takes, but work for every worker."""
    from temporal_adapters.stages.train import choose_together, micro_batch, recipe

    kind = "cpu" if study.model.device == "cpu" else "cuda"
    length = study.tokens.block_length
    together = study.train.together or choose_together(kind, length, micro_batch(kind, recipe(study), length))
    size = max(1, min(2 * together, -(-len(names) // count)))
    return [list(names[at : at + size]) for at in range(0, len(names), size)]


class _Board:
    """An actor that collects what workers say."""

    def __init__(self) -> None:
        self._ticks: list[tuple[str, Tick]] = []

    def put(self, worker: str, tick: Tick) -> None:
        self._ticks.append((worker, tick))

    def take(self) -> list[tuple[str, Tick]]:
        ticks, self._ticks = self._ticks, []
        return ticks


class _Worker:
    """An actor with a resident base."""

    def __init__(self, study: Study, run: RunFolder, board: Any) -> None:
        self.study, self.run, self.board = study, run, board
        self._base: Any = None

    def train(self, names: Sequence[str]) -> TemporalAdaptersError | None:
        """Train the items called `names`; give an error back, so that it arrives as it is."""
        from temporal_adapters.engines.model import load_base
        from temporal_adapters.stages.train import items, work

        try:
            self._base = self._base or load_base(self.study.model)
            todo = [item for item in items(self.study, self.run) if item.name in set(names)]
            work(self.study, self.run, todo, base=self._base, listener=self._listener(names[0], _TICK_EVERY))
        except TemporalAdaptersError as error:
            return error
        return None

    def probe(self, names: Sequence[str]) -> TemporalAdaptersError | None:
        """Put the questions to the models called `names`."""
        from temporal_adapters.stages import probe

        try:
            probe.fill(self.study, self.run, set(names), listener=self._listener(names[0], 1))
        except TemporalAdaptersError as error:
            return error
        return None

    def _listener(self, name: str, every: int) -> Listener:
        counted = 0

        def listen(tick: Tick) -> None:
            nonlocal counted
            counted += 1
            if counted % every == 0:
                self.board.put.remote(name, tick)

        return listen


class _Fleet:
    """Workers, what they work on, and those that take the place of the dead."""

    def __init__(
        self,
        ray: Any,
        study: Study,
        run: RunFolder,
        options: Mapping[str, int],
        method: str,
        left: Callable[[Sequence[str]], list[str]],
    ) -> None:
        self.ray, self.method, self.left = ray, method, left
        self.board = ray.remote(num_cpus=0)(_Board).remote()
        self._actor = ray.remote(max_restarts=0, **options)(_Worker)
        self._study, self._run = study, run
        self.losses: dict[str, int] = {}

    def _start(self) -> Any:
        return self._actor.remote(self._study, self._run, self.board)

    def run(self, batches: list[list[str]], count: int, tally: Tally) -> None:
        """Work through `batches` with `count` workers."""
        idle = [self._start() for _ in range(min(count, len(batches)))]
        busy: dict[Any, tuple[Any, list[str]]] = {}
        while batches or busy:
            while batches and idle:
                worker, batch = idle.pop(), batches.pop(0)
                busy[getattr(worker, self.method).remote(batch)] = (worker, batch)
            ready, _ = self.ray.wait(list(busy), num_returns=1, timeout=_LOOK_EVERY_S)
            for reference in ready:
                worker, batch = busy.pop(reference)
                rest = self._rest(reference, batch)
                idle.append(worker if rest is None else self._start())
                batches[:0] = [rest] if rest else []
            for name, tick in self.ray.get(self.board.take.remote()):
                tally.add(name, tick)

    def _rest(self, reference: Any, batch: Sequence[str]) -> list[str] | None:
        """Return None if the batch is through, what is left of it if its worker is lost."""
        try:
            error = self.ray.get(reference)
        except self.ray.exceptions.RayActorError as lost:
            name = batch[0]
            self.losses[name] = self.losses.get(name, 0) + 1
            if self.losses[name] > _LOSSES:
                first = str(lost).strip().splitlines()[0]
                raise ScaleError(
                    f"{name}: its worker died {_LOSSES + 1} times ({first}): nodes may lack memory"
                ) from None
            return self.left(batch)
        if error is not None:
            raise error
        return None
