"""Progress of long work on stderr: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TextIO

from .common import note

SECONDS_BETWEEN_LINES = 15.0
LEAST_SECONDS_OF_A_RATE = 0.5
# Decimals in which the parts of a piece of work add up to the whole.
EXACT = 6
Advance = Callable[[float, str], None]


@contextmanager
def progress(total: int, title: str) -> Iterator[Advance]:
    """Yield ``advance(count, detail)``: a bar with rate and time left on a terminal, else plain lines.

    Plain lines too when stdout is a pipe: what reads it may print results onto the same terminal, into
    the middle of a bar.
    """
    if sys.stderr.isatty() and not _is_pipe(sys.stdout):
        with _bar(total, title) as advance:
            yield advance
        return
    done, began = 0.0, time.monotonic()
    shown, first = began, (began, 0.0)

    def advance_plainly(count: float, detail: str) -> None:
        nonlocal done, shown, first
        done += count
        now = time.monotonic()
        # Before a part of the first piece there was reading, which says nothing of the rate.
        if first[0] == began and done < 1:
            first = now, done
        if now - shown < SECONDS_BETWEEN_LINES:
            return
        shown = now
        note(f"{title}: {_so_far(done - first[1], now - first[0], done, total)} {detail}".rstrip())

    yield advance_plainly


def _so_far(measured: float, seconds: float, done: float, total: int) -> str:
    """How much is done, and how much is left where that is known from what was ``measured`` in ``seconds``.

    There may be more than the total said: a file holds several motions.
    """
    whole = int(round(done, EXACT))
    if done > total:
        return str(whole)
    left = f", {duration(seconds / measured * (total - done))} left" if measured else ""
    return f"{whole}/{total}{left}"


def duration(seconds: float) -> str:
    """Seconds in the unit that people would say it in."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"


def _is_pipe(stream: TextIO) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False


def frames_of(advance: Advance) -> Callable[[int, int], None]:
    """``show(done, total)`` for the frames of one of the motions that ``advance`` counts."""
    before = 0.0

    def show(done: int, total: int) -> None:
        nonlocal before
        advance(done / total - before, f"{done} of {total} frames")
        before = done / total

    return show


def counted(stack: ExitStack, title: str, detail: str = "") -> Callable[[int, int], None]:
    """``show(done, total)`` for work whose total is known once it begins: the bar opens then."""
    opened: list[Advance] = []
    before = 0

    def show(done: int, total: int) -> None:
        nonlocal before
        if not opened:
            opened.append(stack.enter_context(progress(total, title)))
        opened[0](done - before, detail)
        before = done

    return show


@contextmanager
def _bar(total: int, title: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
    )
    # By default rich takes over stdout too and writes it to stderr: results would never reach a pipe.
    shared = sys.stdout.isatty()
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=shared) as bar:
        task = bar.add_task(title, total=total, rate="", detail="")
        done, began = 0.0, time.monotonic()

        def advance(count: float, detail: str) -> None:
            nonlocal done
            done += count
            completed, rate = round(done, EXACT), _rate(done, time.monotonic() - began)
            bar.update(task, completed=completed, total=max(total, completed), rate=rate, detail=detail)

        yield advance


def _rate(done: float, seconds: float) -> str:
    """Steps per second, or of slow ones seconds per step; nothing before there is anything to say."""
    if done <= 0 or seconds < LEAST_SECONDS_OF_A_RATE:
        return ""
    return f"{done / seconds:.1f}/s" if done >= seconds else f"{seconds / done:.1f} s each"
