"""What every subcommand shares: lines in and out, errors, progress. No task and no model."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TextIO

import typer

SECONDS_BETWEEN_LINES = 15.0


class UsageError(ValueError):
    """A user's mistake, said in one sentence."""


def emit(record: dict[str, Any], human: str, as_json: bool) -> None:
    """One result on stdout: a JSON line when piped or asked for, else a line for people."""
    line = json.dumps(record, ensure_ascii=False) if as_json or not sys.stdout.isatty() else human
    print(line, flush=True)


def note(message: str) -> None:
    """A line for people, on stderr."""
    print(message, file=sys.stderr, flush=True)


def read_records(stream: TextIO, key: str, where: str) -> Iterator[dict[str, Any]]:
    """Lines of a file or of stdin: JSON objects, or bare text that becomes ``{key: line}``.

    Empty lines are skipped; other keys of an object are passed through. Raises ``UsageError`` for a
    line that begins like an object and is none, or lacks ``key``.
    """
    for number, line in enumerate(stream, start=1):
        line = line.strip().removeprefix("\ufeff")
        if not line:
            continue
        if not line.startswith("{"):
            yield {key: line}
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise UsageError(f"{where}, line {number}: not a JSON object ({error})") from None
        if not isinstance(record.get(key), str):
            raise UsageError(f"{where}, line {number}: the object has no {key!r}")
        yield record


@contextmanager
def reported_errors(debug: bool) -> Iterator[None]:
    """Turn every failure into one sentence on stderr and the promised exit code.

    2 for a user's mistake (``ValueError``, a missing or wrong kind of path), 1 for a failure, 130 for
    Ctrl-C, 0 when the reader of the pipe has gone. ``debug`` shows the traceback before the sentence.
    """
    try:
        try:
            yield
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except KeyboardInterrupt:
            note("lamp: interrupted")
            _leave(130)
        except (ValueError, FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            _fail(error, 2, debug)
        except (OSError, RuntimeError, ArithmeticError, MemoryError, ImportError) as error:
            # The parser's own signals (--help, --version, bad usage) may be RuntimeErrors: not failures.
            if isinstance(error, typer.Exit | typer.Abort):
                raise
            _fail(error, 1, debug)
    except BrokenPipeError:
        _leave(0)


def _fail(error: BaseException, code: int, debug: bool) -> None:
    if debug:
        traceback.print_exception(error)
    message = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        message = f"{error.filename}: {error.strerror.lower()}" if error.filename else error.strerror
    note(f"lamp: {' '.join(message.split())}")
    _leave(code)


def _leave(code: int) -> None:
    """Exit; what a closed pipe or a full disk refused must not be flushed once more on the way out."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    raise SystemExit(code) from None


Advance = Callable[[int, str], None]


@contextmanager
def progress(total: int, title: str) -> Iterator[Advance]:
    """Yield ``advance(count, detail)``: a bar with rate and time left on a terminal, else plain lines."""
    if sys.stderr.isatty():
        with _bar(total, title) as advance:
            yield advance
        return
    done, shown = 0, time.monotonic()
    began = shown

    def advance_plainly(count: int, detail: str) -> None:
        nonlocal done, shown
        done += count
        now = time.monotonic()
        if now - shown < SECONDS_BETWEEN_LINES:
            return
        shown = now
        left = (now - began) / max(done, 1) * (total - done)
        note(f"{title}: {done}/{total}, {left:.0f} s left {detail}".rstrip())

    yield advance_plainly


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
        began = time.monotonic()

        def advance(count: int, detail: str) -> None:
            done = bar.tasks[0].completed + count
            rate = f"{done / max(time.monotonic() - began, 1e-6):.1f}/s"
            bar.update(task, advance=count, rate=rate, detail=detail)

        yield advance


def torch_device(name: str) -> Any:
    """The ``torch.device`` of an option; raises ``UsageError`` when it is not on this machine."""
    from ..bundle.device import torch_device as device_named

    try:
        return device_named(name)
    except ValueError as error:
        raise UsageError(f"--{error}") from None
