"""One thread that does what is asked for, one after the other, and drops what nobody waits for any more.

Knows no motion and no protocol.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


class TooManyWaitingError(RuntimeError):
    """As many wait already as may."""


class AbandonedError(RuntimeError):
    """Nobody waits for what is being done."""


class Worker:
    """A queue with one thread behind it; as many as ``most_waiting`` may wait beside the one being served."""

    def __init__(self, most_waiting: int = 32) -> None:
        self._most_waiting = most_waiting
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lamp-worker")
        self._abandoned: threading.Event | None = None
        self._unfinished: set[threading.Event] = set()

    @property
    def unfinished(self) -> int:
        """How many wait or are being served."""
        return len(self._unfinished)

    async def run(self, work: Callable[[], Result]) -> Result:
        """What ``work`` gives, done in the thread after all that was asked for before.

        When the waiting task is cancelled, work that has not begun is never begun, and work that has ends at
        its next :meth:`check`. Raises :class:`TooManyWaitingError` when too many wait.
        """
        if self.unfinished > self._most_waiting:
            raise TooManyWaitingError(f"{self.unfinished} requests wait already; try again later")
        abandoned = threading.Event()
        self._unfinished.add(abandoned)
        future = self._thread.submit(self._work, work, abandoned)
        future.add_done_callback(lambda _: self._unfinished.discard(abandoned))
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            abandoned.set()
            future.cancel()
            raise

    def check(self, *_: object) -> None:
        """Called by the work itself, now and then; raises :class:`AbandonedError` when nobody waits."""
        if self._abandoned is not None and self._abandoned.is_set():
            raise AbandonedError

    def close(self) -> None:
        """Drop everything and wait for the thread to end."""
        for abandoned in list(self._unfinished):
            abandoned.set()
        self._thread.shutdown(cancel_futures=True)

    def _work(self, work: Callable[[], Result], abandoned: threading.Event) -> Result:
        self._abandoned = abandoned
        try:
            self.check()
            return work()
        finally:
            self._abandoned = None
