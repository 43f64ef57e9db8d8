"""What every subcommand shares: lines out, errors, notes. No task and no model."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any
from unicodedata import category

import typer
from typer.exceptions import TyperException

if TYPE_CHECKING:
    from ..checking.sentence import CheckedClause
    from ..inference.familiarity import Remark
    from ..motion.motion import Motion


# Options of several commands.
AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout even on a terminal.")]
ModelName = Annotated[str, typer.Option("--model", help="Bundle: folder, hub name, or lamp-mini.")]
DeviceName = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")]
# Files or sentences named one by one for the same remark.
MOST_NAMED = 5
# What the system says of where results go: nothing that follows could be written either.
NO_PLACE = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EROFS)
# What it says while a command that goes on by itself writes: called again with more room, it goes on.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENOMEM)
# How torch, its kernels, NumPy and the dynamic linker say that there is no more memory.
NO_MEMORY = re.compile(
    r"allocate memory|out of memory|Unable to allocate|could not (create|execute) a primitive$|"
    r"failed to map segment",
    re.IGNORECASE,
)
GOES_ON = "the same command goes on from what is saved"


class UsageError(ValueError):
    """A user's mistake, said in one sentence."""


def emit(record: dict[str, Any], human: str, as_json: bool) -> None:
    """One result on stdout: a JSON line when piped or asked for, else a line for people."""
    as_json = as_json or not sys.stdout.isatty()
    print(json.dumps(record, ensure_ascii=False) if as_json else _obeyed_by_none(human, "\n\t"), flush=True)


def clause_records(clauses: Iterable[CheckedClause]) -> list[dict[str, Any]]:
    """The clauses of a verdict as JSON objects, without what is empty."""
    usual = {"judged": True}
    return [
        {k: v for k, v in asdict(clause).items() if v not in ("", None) and v is not usual.get(k)}
        for clause in clauses
    ]


def note(message: str) -> None:
    """A line for people, on stderr."""
    print(_obeyed_by_none(message), file=sys.stderr, flush=True)


def _obeyed_by_none(text: str, kept: str = "") -> str:
    """The text with what a terminal obeys, as a name may hold it, written out."""
    return "".join(c if c in kept or category(c) != "Cc" else repr(c)[1:-1] for c in text)


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
        except KeyboardInterrupt as interruption:
            note(f"lamp: {str(interruption) or 'interrupted'}")
            _leave(130)
        except (ValueError, FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            _fail(error, 2, debug)
        except (OSError, RuntimeError, ArithmeticError, MemoryError, ImportError) as error:
            # The parser's own signals (--help, --version, bad usage) may be RuntimeErrors: not failures.
            if isinstance(error, typer.Exit | typer.Abort):
                raise
            _fail(error, 1, debug)
        except (typer.Exit, typer.Abort, TyperException):
            raise
        except Exception as error:
            if debug:
                traceback.print_exception(error)
            note(f"lamp: {' '.join(_internal(error, debug).split())}")
            _leave(1)
    except BrokenPipeError:
        _leave(0)


@contextmanager
def resumable() -> Iterator[None]:
    """Ctrl-C, SIGTERM and a system without more room within the block lose nothing, and say so."""
    try:
        yield
    except KeyboardInterrupt as interruption:
        if "the same command goes on" in str(interruption):
            raise
        raise KeyboardInterrupt(f"stopped; {GOES_ON}") from None
    except (OSError, RuntimeError, MemoryError) as error:
        if not (_lacks_memory(error) or getattr(error, "errno", None) in NO_ROOM):
            raise
        raise RuntimeError(f"{error_sentence(error)}; {GOES_ON}") from error


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Within the block SIGTERM, as ``kill`` and ``timeout`` send it, ends the command like Ctrl-C.

    Else it would end the process at once, and what was begun would be left half-written.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt("terminated")


def _internal(error: Exception, debug: bool) -> str:
    """One sentence for a fault of the program itself, and where its traceback is found."""
    hint = "" if debug else "; lamp --debug COMMAND ... shows where"
    return f"internal error, {type(error).__name__}: {error}{hint}"


def _fail(error: BaseException, code: int, debug: bool) -> None:
    if debug:
        traceback.print_exception(error)
    note(f"lamp: {error_sentence(error)}")
    _leave(code)


def error_sentence(error: BaseException) -> str:
    """What went wrong, on one line."""
    message = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        message = f"{error.filename}: {error.strerror.lower()}" if error.filename else error.strerror
    elif _lacks_memory(error):
        asked = re.search(r"allocate (\d[\d.]* \w+)", message)
        message = "not enough memory" + (f", {asked[1]} more were asked for" if asked else "")
    return " ".join(message.split())


def _lacks_memory(error: BaseException) -> bool:
    """Whether an error is that the system gave no more memory; libraries have words of their own for it."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno == errno.ENOMEM
    # A ``ValueError`` names the input that asks for too much.
    if isinstance(error, MemoryError):
        return True
    return not isinstance(error, ValueError) and NO_MEMORY.search(str(error)) is not None


def _leave(code: int) -> None:
    """Exit; what a closed pipe or a full disk refused must not be flushed once more on the way out."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    raise SystemExit(code) from None


def note_missing_signs(titles: Iterable[str]) -> None:
    """Say which signs of titles in pictures no font on this machine draws."""
    from ..render.fonts import missing_signs

    if missing := "".join(sorted(set("".join(map(missing_signs, titles))))):
        note(f"no font on this machine has the signs {missing}: they are drawn as boxes in titles")


def note_remarks(remarks: Mapping[str, Remark], guess: str) -> None:
    """Say of sentences that a model can only guess at, or reads a part of; of many, the first ones."""
    notes = [sentence for text, remark in remarks.items() for sentence in remark.sentences(text, guess)]
    for sentence in notes[:MOST_NAMED]:
        note(sentence)
    if len(notes) > MOST_NAMED:
        note(f"and {len(notes) - MOST_NAMED} more remarks like these; each line of the output says which")


def name_several(names: Sequence[str]) -> str:
    """The first of some names, and how many there are."""
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


@contextmanager
def motion_notes() -> Iterator[Callable[[Motion], None]]:
    """Yield ``show(motion)``: what its reader repaired or assumed, on stderr, once for each file.

    Of a sentence that many files share only the first ones are named, and the others counted at the end.
    """
    files: dict[str, list[str]] = {}

    def show(motion: Motion) -> None:
        for sentence in motion.notes:
            named = files.setdefault(sentence, [])
            if motion.source in named:
                continue
            named.append(motion.source)
            if len(named) <= MOST_NAMED:
                note(f"{motion.source}: {sentence}")

    try:
        yield show
    finally:
        for sentence, named in files.items():
            if len(named) > MOST_NAMED:
                note(f"{sentence}: {len(named) - MOST_NAMED} more motions")


def device_option(name: str) -> Any:
    """The ``torch.device`` of an option; raises ``UsageError`` when it is not on this machine."""
    from ..bundle.device import torch_device
    from ..processes import compute_without_onednn

    compute_without_onednn()
    try:
        return torch_device(name)
    except ValueError as error:
        raise UsageError(f"--{error}") from None
