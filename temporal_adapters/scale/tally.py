"""Progress in one place: the tokens of many workers added up.

Takes ticks of workers, gives ticks of the whole. Knows no engine.
"""

from __future__ import annotations

from dataclasses import replace

from temporal_adapters.ground.progress import Listener, Tick


class Tally:
    """Adds up what workers have done.

    Parameters
    ----------
    total
        Tokens of all items.
    listener
        Hears of the sum.
    """

    def __init__(self, total: float, listener: Listener) -> None:
        self.total, self.listener = total, listener
        self._done: dict[str, float] = {}
        self._last = Tick("train", 0.0, total, "tokens")

    def add(self, worker: str, tick: Tick) -> None:
        """Count a worker's tick; `tick.done` is what that worker has done so far."""
        self._done[worker] = tick.done
        done = min(sum(self._done.values()), self.total)
        self._last = replace(tick, done=done, total=self.total)
        self.listener(self._last)

    def say(self, note: str) -> None:
        """Pass on a sentence about the workers."""
        self.listener(replace(self._last, note=note))
