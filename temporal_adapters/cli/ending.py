"""How a command ends before it is done: Ctrl-C and SIGTERM become one sentence and an exit code.

Takes signals, gives an exception that unwinds the command once, and what is said afterwards. Knows no stage.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

import typer


class Stopped(KeyboardInterrupt):
    """Somebody asked this process to end (SIGTERM): batch systems, service managers, `kill`."""


@dataclass
class Signals:
    """What this process was told.

    Attributes
    ----------
    number
        The signal; 0 while there was none.
    """

    number: int = 0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Unwind the command; whoever insists ends it at once."""
        if self.number:
            os._exit(128 + number)
        self.number = number
        raise KeyboardInterrupt if number == signal.SIGINT else Stopped

    def said(self) -> int:
        """Say what is done and how to go on; return the exit code."""
        number = self.number or int(signal.SIGINT)
        how = "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
        typer.echo(f"ta: {how}{_done()}; finished items are kept, run the same command again to go on", err=True)
        return 128 + number


def _done() -> str:
    from temporal_adapters.cli import display

    tick = display.last
    if tick is None:
        return ""
    return f" at {tick.stage} {display.short(tick.done)} of {display.short(tick.total)} {tick.unit}"


@contextlib.contextmanager
def stopping() -> Iterator[Signals]:
    """Let SIGINT and SIGTERM end the block as an exception, once; the handlers before come back afterwards."""
    found = Signals()
    numbers = (signal.SIGINT, signal.SIGTERM)
    try:
        before = {number: signal.signal(number, found) for number in numbers}
    except ValueError:  # not the main thread: whoever runs us in another one keeps the handlers
        yield found
        return
    try:
        yield found
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
