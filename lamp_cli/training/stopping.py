"""Ctrl-C and SIGTERM in training: the step in progress is finished, then the state is saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class TrainingStopped(KeyboardInterrupt):
    """A signal ended the training of ``stage`` at ``step``, after its state was saved."""

    def __init__(self, stage: str, step: int):
        super().__init__(f"{stage} stopped at step {step}, its state is saved; the same command goes on")
        self.stage, self.step = stage, step


class StopSignals:
    """Remembers a signal while training goes on; Ctrl-C once more interrupts at once.

    Outside the main thread, which alone receives signals, it never asks to stop.
    """

    def __init__(self) -> None:
        self.received = False
        self._at_once = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            self._before = {each: signal.signal(each, self._handle) for each in SIGNALS}
        return self

    def __exit__(self, *exception: object) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Within the block, which changes no state, a signal raises ``KeyboardInterrupt`` without delay."""
        if self.received:
            raise KeyboardInterrupt
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # A launcher sends SIGTERM after the terminal's Ctrl-C: only a person who asks twice will not wait.
        again, self.received = self.received and number == signal.SIGINT, True
        if again or self._at_once:
            raise KeyboardInterrupt
