"""What every subcommand shares: lines in and out, errors, progress. No task and no model."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import typer
from typer.exceptions import TyperException

if TYPE_CHECKING:
    from ..motion.motion import Motion

SECONDS_BETWEEN_LINES = 15.0
# The first bytes of a motion file on stdin -> its suffix.
MAGIC = {b"\x93NUMPY": ".npy", b"PK\x03\x04": ".npz", b"HIERARCHY": ".bvh", b"glTF": ".glb"}
LEAST_SECONDS_OF_A_RATE = 0.5
# Files named one by one for the same remark.
FILES_NAMED = 5


class UsageError(ValueError):
    """A user's mistake, said in one sentence."""


def emit(record: dict[str, Any], human: str, as_json: bool) -> None:
    """One result on stdout: a JSON line when piped or asked for, else a line for people."""
    line = json.dumps(record, ensure_ascii=False) if as_json or not sys.stdout.isatty() else human
    print(line, flush=True)


def set_encodings() -> None:
    """Text is UTF-8 in every pipe and file, whatever the machine's own encoding.

    Bytes of a line on stdin that are no UTF-8 survive as surrogates, for :func:`read_records` to decode.
    """
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):
            continue
        if stream is sys.stdin:
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
        elif stream.isatty():
            stream.reconfigure(errors="backslashreplace")
        else:
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def note(message: str) -> None:
    """A line for people, on stderr."""
    print(message, file=sys.stderr, flush=True)


class Skipped:
    """Inputs that cannot be read: each is named and left out; of those on stdin the exit code tells, 1."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, error: Exception, counts: bool = True) -> None:
        """Name one; what a folder brings may be no motion and does not count."""
        self.count += counts
        note(f"left out: {_sentence(error)}")

    def finish(self) -> None:
        """End the command with exit code 1 when there was one."""
        if self.count:
            raise typer.Exit(1)


def read_records(
    stream: TextIO, key: str, where: str, skipped: Skipped | None = None
) -> Iterator[dict[str, Any]]:
    """Lines of a file or of stdin: JSON objects, or bare text that becomes ``{key: line}``.

    Empty lines are skipped; other keys of an object are passed through. A line that is no UTF-8 is read as
    Windows writes it (Latin-1). Raises ``UsageError`` for a line that begins like an object and is none, or
    lacks ``key``; with ``skipped`` such lines are left out.
    """
    for number, line in enumerate(stream, start=1):
        line = _without_surrogates(line.removeprefix("\ufeff")).strip()
        if not line:
            continue
        if not line.startswith("{"):
            yield {key: line}
            continue
        try:
            yield _object(line, key, f"{where}, line {number}")
        except UsageError as error:
            if skipped is None:
                raise
            skipped.add(error)


def _object(line: str, key: str, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise UsageError(f"{where}: not a JSON object ({error})") from None
    if not isinstance(record.get(key), str):
        raise UsageError(f"{where}: the object has no {key!r}")
    return record


def _without_surrogates(line: str) -> str:
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        return line.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
    return line


def read_option(name: Path, key: str) -> Iterator[dict[str, Any]]:
    """Records of the file of an option (``--prompts``, ``--pairs``); ``-`` is stdin."""
    if str(name) == "-":
        yield from read_records(sys.stdin, key, "stdin")
        return
    with name.open(encoding="utf-8", errors="surrogateescape") as file:
        yield from read_records(file, key, str(name))


def motion_files_of(folder: Path, recursive: bool) -> list[Path]:
    """Motion files of a folder; those of formats that are not read are named.

    Raises ``UsageError`` when there are none.
    """
    from ..files.load import MOTION_SUFFIXES
    from ..inference.index.library import motion_files
    from ..inference.query import MOTION_ENDINGS

    found = [file for file in motion_files(folder) if recursive or file.parent == folder]
    if not found:
        hint = "" if recursive else "; --recursive looks into its folders too"
        raise UsageError(f"{folder}: holds no motion file ({', '.join(MOTION_SUFFIXES)}){hint}")
    others = set(MOTION_ENDINGS) - set(MOTION_SUFFIXES)
    entries = folder.rglob("*") if recursive else folder.iterdir()
    names = sorted(str(path) for path in entries if path.suffix.lower() in others)
    if names:
        several = f" and {len(names) - 1} more" if len(names) > 1 else ""
        note(f"left out: {names[0]}{several}: a format that is not read here")
    return found


def motions_on_stdin(stack: ExitStack, skipped: Skipped) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Motion files that stdin names, with their records; or the one motion file whose bytes stdin is.

    The bytes are kept in a temporary folder until ``stack`` closes; their record names the motion ``-``.
    """
    buffer = getattr(sys.stdin, "buffer", None)
    begin = buffer.peek(16) if buffer is not None else b""
    suffix = next((suffix for magic, suffix in MAGIC.items() if begin.startswith(magic)), None)
    if suffix is None or buffer is None:
        for record in read_records(sys.stdin, "motion", "stdin", skipped):
            yield Path(record["motion"]), record
        return
    path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lamp-"))) / f"stdin{suffix}"
    path.write_bytes(buffer.read())
    yield path, {"motion": "-"}


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
        except (typer.Exit, typer.Abort, TyperException):
            raise
        except Exception as error:
            if debug:
                traceback.print_exception(error)
            note(f"lamp: {' '.join(_internal(error, debug).split())}")
            _leave(1)
    except BrokenPipeError:
        _leave(0)


def _internal(error: Exception, debug: bool) -> str:
    """One sentence for a fault of the program itself, and where its traceback is found."""
    hint = "" if debug else "; lamp --debug COMMAND ... shows where"
    return f"internal error, {type(error).__name__}: {error}{hint}"


def _fail(error: BaseException, code: int, debug: bool) -> None:
    if debug:
        traceback.print_exception(error)
    note(f"lamp: {_sentence(error)}")
    _leave(code)


def _sentence(error: BaseException) -> str:
    message = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        message = f"{error.filename}: {error.strerror.lower()}" if error.filename else error.strerror
    return " ".join(message.split())


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
    """Yield ``advance(count, detail)``: a bar with rate and time left on a terminal, else plain lines.

    Plain lines too when stdout is a pipe: what reads it may print results onto the same terminal, into
    the middle of a bar.
    """
    if sys.stderr.isatty() and not _is_pipe(sys.stdout):
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


def _is_pipe(stream: TextIO) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False


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
            bar.update(task, advance=count, rate=_rate(done, time.monotonic() - began), detail=detail)

        yield advance


def _rate(done: float, seconds: float) -> str:
    """Steps per second, or of slow ones seconds per step; nothing before there is anything to say."""
    if done <= 0 or seconds < LEAST_SECONDS_OF_A_RATE:
        return ""
    return f"{done / seconds:.1f}/s" if done >= seconds else f"{seconds / done:.1f} s each"


def note_missing_signs(titles: Iterable[str]) -> None:
    """Say which signs of titles in pictures no font on this machine draws."""
    from ..render.fonts import missing_signs

    if missing := "".join(sorted(set("".join(map(missing_signs, titles))))):
        note(f"no font on this machine has the signs {missing}: they are drawn as boxes in titles")


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
            if len(named) <= FILES_NAMED:
                note(f"{motion.source}: {sentence}")

    try:
        yield show
    finally:
        for sentence, named in files.items():
            if len(named) > FILES_NAMED:
                note(f"{sentence}: {len(named) - FILES_NAMED} more motions")


def device_option(name: str) -> Any:
    """The ``torch.device`` of an option; raises ``UsageError`` when it is not on this machine."""
    from ..bundle.device import torch_device

    try:
        return torch_device(name)
    except ValueError as error:
        raise UsageError(f"--{error}") from None
