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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import typer
from typer.exceptions import TyperException

if TYPE_CHECKING:
    from ..inference.familiarity import Remark
    from ..motion.motion import Motion

SECONDS_BETWEEN_LINES = 15.0
# The first bytes of a motion file on stdin -> its suffix.
MAGIC = {b"\x93NUMPY": ".npy", b"PK\x03\x04": ".npz", b"HIERARCHY": ".bvh", b"glTF": ".glb"}
LEAST_SECONDS_OF_A_RATE = 0.5
# Files or sentences named one by one for the same remark.
MOST_NAMED = 5
FASTEST = 1000


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

    def add_input(self, item: MotionInput, error: Exception) -> None:
        """Name a file of a folder or of stdin; raises ``error`` for a file that was named itself."""
        if not item.found and not item.record:
            raise error
        self.add(error, counts=not item.found)

    def finish(self) -> None:
        """End the command with exit code 1 when there was one."""
        if self.count:
            raise typer.Exit(1)


def read_records(
    lines: Iterable[str], key: str, where: str, skipped: Skipped | None = None, also: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    """Lines of a file or of stdin: JSON objects, or bare text that becomes ``{key: line}``.

    Empty lines are skipped; other keys of an object are passed through. A line that is no UTF-8 is read as
    Windows writes it (Latin-1). Raises ``UsageError`` for a line that begins like an object and is none, or
    has neither ``key`` nor one of ``also``; with ``skipped`` such lines are left out.
    """
    for number, line in enumerate(lines, start=1):
        line = _without_surrogates(line.removeprefix("\ufeff")).strip()
        if not line:
            continue
        if not line.startswith("{"):
            yield {key: line}
            continue
        try:
            yield _object(line, (key, *also), f"{where}, line {number}")
        except UsageError as error:
            if skipped is None:
                raise
            skipped.add(error)


def _object(line: str, keys: Sequence[str], where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise UsageError(f"{where}: not a JSON object ({error})") from None
    if not any(isinstance(record.get(key), str) for key in keys):
        raise UsageError(f"{where}: the object has no {' or '.join(map(repr, keys))}")
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
        return read_records(stdin_lines(), key, "stdin")
    from ..storage import read_text_file

    return read_records(read_text_file(name).split("\n"), key, str(name))


def stdin_lines() -> Iterable[str]:
    """Lines of stdin as they come; of UTF-16, which Windows pipes, all at once.

    Raises ``UsageError`` for bytes that are no text.
    """
    begin = _first_bytes_of_stdin()
    if begin.startswith((b"\xff\xfe", b"\xfe\xff")):
        from ..storage import decode_text

        return decode_text(sys.stdin.buffer.read(), "stdin").split("\n")
    if b"\0" in begin:
        raise UsageError("stdin: expected lines of text, found other bytes")
    return sys.stdin


@dataclass(frozen=True)
class MotionInput:
    """A file of motions to read.

    path: where it is.
    record: the line of stdin that named it.
    found: whether a folder brought it.
    """

    path: Path
    record: dict[str, Any]
    found: bool = False

    @property
    def name(self) -> str:
        """As people know it; ``-`` for stdin itself."""
        return str(self.record.get("motion", self.path))

    def read(self, fps: float | None) -> Iterator[tuple[str, Motion]]:
        """Each motion with its entry within the file; ``fps`` for joints whose line gives none.

        Raises ``ValueError`` for what is no motion, ``OSError`` for a file that cannot be read.
        """
        from ..files.load import load_motions

        path = str(self.path)
        try:
            for motion in load_motions(self.path, rate_of(self.record, fps)):
                take = motion.source.removeprefix(path)
                yield take.removeprefix(":"), replace(motion, source=f"{self.name}{take}")
        except ValueError as error:
            raise ValueError(str(error).replace(path, self.name)) from None


def motion_inputs(names: Sequence[str], recursive: bool) -> list[MotionInput]:
    """The files of arguments, and of folders those within; ``-`` is left out.

    Raises ``UsageError`` for a folder without one.
    """
    return [item for name in names if name != "-" for item in _inputs_of(Path(name), recursive)]


def _inputs_of(path: Path, recursive: bool) -> list[MotionInput]:
    if not path.is_dir():
        return [MotionInput(path, {})]
    return [MotionInput(file, {}, found=True) for file in motion_files_of(path, recursive)]


def motion_files_of(folder: Path, recursive: bool) -> list[Path]:
    """Motion files of a folder, also those of formats that are not read; raises ``UsageError`` for none."""
    from ..files.load import MOTION_SUFFIXES
    from ..inference.index.library import motion_files

    found = [file for file in motion_files(folder) if recursive or file.parent == folder]
    if not found:
        hint = "" if recursive else "; --recursive looks into its folders too"
        raise UsageError(f"{folder}: holds no motion file ({', '.join(MOTION_SUFFIXES)}){hint}")
    return found


def stdin_inputs(stack: ExitStack, skipped: Skipped) -> Iterator[MotionInput]:
    """Motion files that lines of stdin name; or the one motion file whose bytes stdin is."""
    path = motion_file_on_stdin(stack)
    if path is not None:
        yield MotionInput(path, {"motion": "-"})
        return
    for record in read_records(stdin_lines(), "motion", "stdin", skipped):
        yield MotionInput(Path(record["motion"]), record)


def motion_file_on_stdin(stack: ExitStack) -> Path | None:
    """Where the bytes of the motion file that stdin is are kept until ``stack`` closes; None for lines."""
    begin = _first_bytes_of_stdin()
    suffix = next((suffix for magic, suffix in MAGIC.items() if begin.startswith(magic)), None)
    if suffix is None:
        return None
    path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lamp-"))) / f"stdin{suffix}"
    path.write_bytes(sys.stdin.buffer.read())
    return path


def _first_bytes_of_stdin() -> bytes:
    peek = getattr(getattr(sys.stdin, "buffer", None), "peek", None)
    return b"" if peek is None else peek(16)


def rate_of(record: dict[str, Any], otherwise: float | None) -> float | None:
    """The rate that a line gives; raises ``UsageError`` for one that is no rate."""
    fps = record.get("fps")
    if fps is None:
        return otherwise
    if isinstance(fps, bool) or not isinstance(fps, int | float) or not 0 < fps <= FASTEST:
        where = record.get("motion") or record.get("text")
        raise UsageError(f"{where}: 'fps' is {fps!r}; expected frames per second above 0, up to {FASTEST}")
    return fps


def check_fps(fps: float | None, option: str = "--fps") -> None:
    """Raise ``UsageError`` for an option that is no rate."""
    if fps is not None and not 0 < fps <= FASTEST:
        raise UsageError(f"{option} {fps:g}: expected frames per second above 0, up to {FASTEST}")


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
        note(f"{title}: {done}/{total}, {duration(left)} left {detail}".rstrip())

    yield advance_plainly


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

    try:
        return torch_device(name)
    except ValueError as error:
        raise UsageError(f"--{error}") from None
