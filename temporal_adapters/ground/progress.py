"""How a long stage says where it stands.

Takes ticks from a stage, gives them to whoever listens (the command line draws a bar or prints lines). Knows neither.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Tick:
    """One sign of life.

    Attributes
    ----------
    stage
        Stage name, such as ``train``.
    done, total
        Units finished and to do, over the whole stage.
    unit
        What is counted: ``tokens``, ``bytes``, ``adapters``.
    item
        The item in work, such as ``2023-W14/seed-42``.
    note
        A short figure to show, such as ``loss 3.21``.
    item_done, item_total
        The same for the item in work alone, in any unit (steps); 0 where the stage does not know.
    """

    stage: str
    done: float
    total: float
    unit: str
    item: str = ""
    note: str = ""
    item_done: float = 0.0
    item_total: float = 0.0


Listener = Callable[[Tick], None]


def silent(tick: Tick) -> None:
    """Listen and say nothing."""
