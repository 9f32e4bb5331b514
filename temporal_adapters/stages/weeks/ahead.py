"""An iterator that runs one step ahead in a thread of its own.

Takes an iterator, gives the same items. Knows nothing of what they are.

Decompressing and parsing leave Python's lock, as does cleaning: with one raw file this keeps two cores busy.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import Full, Queue
from typing import TypeVar

ItemT = TypeVar("ItemT")

_END = object()
_LOOK_S = 0.1


def ahead(items: Iterator[ItemT], depth: int = 2) -> Iterator[ItemT]:
    """Yield `items`, made up to `depth` ahead; an error is raised where it would have been."""
    queue: Queue[object] = Queue(depth)
    stop = threading.Event()
    thread = threading.Thread(target=_fill, args=(items, queue, stop), daemon=True)
    thread.start()
    try:
        while (item := queue.get()) is not _END:
            if isinstance(item, BaseException):
                raise item
            yield item  # type: ignore[misc]
    finally:
        stop.set()
        thread.join()


def _fill(items: Iterator[ItemT], queue: Queue[object], stop: threading.Event) -> None:
    try:
        for item in items:
            if not _put(item, queue, stop):
                return
        _put(_END, queue, stop)
    except BaseException as error:  # handed over whole to the thread that waits for the next item
        _put(error, queue, stop)


def _put(item: object, queue: Queue[object], stop: threading.Event) -> bool:
    while not stop.is_set():
        try:
            queue.put(item, timeout=_LOOK_S)
        except Full:
            continue
        return True
    return False
