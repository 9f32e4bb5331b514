"""Progress and messages: bars on a terminal, plain lines elsewhere, nothing when told to be quiet, all of it in a log.

Takes ticks and sentences, gives terminal output and a log file per command. Knows no stage.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from temporal_adapters.ground.storage import private_folder

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from temporal_adapters.ground.progress import Tick

Volume = Literal["quiet", "normal", "verbose"]

_LINE_EVERY_S = 10.0
"""Seconds between two plain lines of one stage."""
_LOG_EVERY_S = 60.0
"""Seconds between two lines of one item in the log."""


last: Tick | None = None
"""The last sign of life of this process: what an interrupted command says it has done."""


@dataclass
class _Pace:
    """How fast something goes: the units done since its first tick, over the time since then."""

    started_s: float
    first: float

    def rate(self, done: float) -> float:
        elapsed_s = time.monotonic() - self.started_s
        return (done - self.first) / elapsed_s if elapsed_s > 0 else 0.0

    def left(self, done: float, total: float) -> str:
        """Return the time left as on a clock, or nothing while nothing is known."""
        rate = self.rate(done)
        return clock((total - done) / rate) if rate > 0 and done < total else ""

    def words(self, done: float, total: float) -> str:
        """Return the time left as the end of a phrase."""
        left = self.left(done, total)
        return f", {left} left" if left else ""


@dataclass
class _Stage:
    """One stage on the display."""

    pace: _Pace
    item: str = ""
    item_pace: _Pace = field(default_factory=lambda: _Pace(0.0, 0.0))
    note: str = ""
    last_line_s: float = -_LINE_EVERY_S
    last_log_s: float = -_LOG_EVERY_S


class Display:
    """Shows the ticks of one stage after the other.

    Parameters
    ----------
    quiet
        True: no progress and no sentences (results are printed by the commands themselves). False: everything, one
        line per item as well. None: bars on a terminal, a line every ten seconds elsewhere.
    log
        File to which every sentence and the progress is appended with the time; None keeps no log.
    """

    def __init__(self, quiet: bool | None = None, log: Path | None = None) -> None:
        self.volume: Volume = {True: "quiet", False: "verbose", None: "normal"}[quiet]  # type: ignore[assignment]
        self.log = log
        self._stages: dict[str, _Stage] = {}
        self._bar: Progress | None = None
        self._tasks: dict[str, tuple[TaskID, TaskID]] = {}

    @property
    def quiet(self) -> bool:
        """Whether nothing but results and errors is shown."""
        return self.volume == "quiet"

    def say(self, sentence: str) -> None:
        """Print one sentence unless quiet, and write it to the log."""
        self.write_log(sentence)
        if self.quiet:
            return
        if self._bar is not None:
            self._bar.console.print(sentence, markup=False, highlight=False)
        else:
            typer.echo(sentence)

    def write_log(self, sentence: str) -> None:
        """Append one line to the log, if there is one."""
        if self.log is None:
            return
        try:
            private_folder(self.log.parent)
            with self.log.open("a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {sentence}\n")
        except (OSError, ValueError):
            self.log = None  # a place that cannot be written stops nobody who only reads; whoever writes says so

    @contextlib.contextmanager
    def whole(self, command: str) -> Iterator[None]:
        """Write the beginning and the end of a command to the log, and leave no bar behind."""
        self.write_log(command)
        started_s = time.monotonic()
        try:
            yield
        except BaseException as error:
            if isinstance(error, SystemExit) and not error.code:
                self.write_log(f"done after {clock(time.monotonic() - started_s)}")
                raise
            self.write_log(f"ended after {clock(time.monotonic() - started_s)}: {type(error).__name__}: {error}")
            raise
        finally:
            for stage in list(self._stages):
                self.close(stage)
        self.write_log(f"done after {clock(time.monotonic() - started_s)}")

    def __call__(self, tick: Tick) -> None:
        """Show `tick`."""
        now_s = time.monotonic()
        global last
        last = tick
        stage = self._stages.setdefault(tick.stage, _Stage(_Pace(now_s, tick.done)))
        is_new = tick.item != stage.item
        if is_new:
            stage.item, stage.item_pace = tick.item, _Pace(now_s, tick.item_done)
        stage.note = tick.note or stage.note
        is_last = tick.done >= tick.total
        if is_new or is_last or now_s - stage.last_log_s >= _LOG_EVERY_S:
            stage.last_log_s = now_s
            self.write_log(_line(tick, stage))
        if not self.quiet:
            self._show(tick, stage, is_new, is_last)
        if is_last:
            self.close(tick.stage)

    def _show(self, tick: Tick, stage: _Stage, is_new: bool, is_last: bool) -> None:
        if sys.stderr.isatty():
            self._draw(tick, stage)
            if self.volume == "verbose" and is_new and self._bar is not None:
                self._bar.console.print(_line(tick, stage), markup=False, highlight=False)
            return
        is_due = time.monotonic() - stage.last_line_s >= _LINE_EVERY_S
        if is_last or is_due or (is_new and self.volume == "verbose"):
            stage.last_line_s = time.monotonic()
            typer.echo(_line(tick, stage), err=True)

    def _draw(self, tick: Tick, stage: _Stage) -> None:
        bar = self._open_bar()
        if tick.stage not in self._tasks:
            whole = bar.add_task("", total=tick.total, name=tick.stage, words="", left="")
            self._tasks[tick.stage] = whole, bar.add_task("", total=None, name="", words="", left="", visible=False)
        whole, item = self._tasks[tick.stage]
        words = f"{short(stage.pace.rate(tick.done))} {tick.unit}/s {stage.note}".strip()
        left = stage.pace.left(tick.done, tick.total)
        bar.update(whole, completed=tick.done, total=tick.total, words=words, left=left)
        known = tick.item_total > 0
        left = stage.item_pace.left(tick.item_done, tick.item_total) if known else ""
        total = tick.item_total if known else 1.0
        bar.update(item, visible=bool(tick.item), words=tick.item, left=left, completed=tick.item_done, total=total)

    def _open_bar(self) -> Progress:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        if self._bar is None:
            self._bar = Progress(
                TextColumn("{task.fields[name]:<10}"),
                BarColumn(bar_width=30),
                TextColumn("{task.percentage:>3.0f} %"),
                TextColumn("{task.fields[left]:>8}"),
                TextColumn("{task.fields[words]}", markup=False),
                console=Console(stderr=True),
            )
            self._bar.start()
        return self._bar

    def close(self, stage: str) -> None:
        """End the bars of `stage`."""
        self._stages.pop(stage, None)
        tasks = self._tasks.pop(stage, None)
        if tasks is not None and self._bar is not None:
            self._bar.update(tasks[1], visible=False)
        if not self._tasks and self._bar is not None:
            self._bar.stop()
            self._bar = None


def _line(tick: Tick, stage: _Stage) -> str:
    """Return a tick as one plain line."""
    words = f"{tick.stage}: {short(tick.done)} of {short(tick.total)} {tick.unit}"
    words += stage.pace.words(tick.done, tick.total)
    rate = stage.pace.rate(tick.done)
    details = [tick.item]
    if tick.item and tick.item_total > 0 and tick.item_done < tick.item_total:
        share = f" {100 * tick.item_done / tick.item_total:.0f} %"
        details[0] += share + stage.item_pace.words(tick.item_done, tick.item_total)
    details += [f"{short(rate)} {tick.unit}/s" if rate > 0 else "", stage.note]
    said = ", ".join(one for one in details if one)
    return f"{words} ({said})" if said else words


def clock(seconds: float) -> str:
    """Return a time span as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def short(number: float) -> str:
    """Return a number with at most one decimal and a unit prefix: ``950``, ``1.2k``, ``3.4M``."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(number) >= size:
            return f"{number / size:.1f}{unit}"
    return f"{number:.0f}" if abs(number) >= 10 or number == round(number) else f"{number:.1f}"
