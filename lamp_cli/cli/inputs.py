"""What commands read: lines of files and of stdin, motion files named, in folders and on stdin."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .common import NO_PLACE, UsageError, error_sentence, note

if TYPE_CHECKING:
    from ..files.reading import Reading
    from ..inference.direct import Direction
    from ..motion.motion import Motion


# The first bytes of a motion file on stdin -> its suffix.
MAGIC = {b"\x93NUMPY": ".npy", b"PK\x03\x04": ".npz", b"HIERARCHY": ".bvh", b"glTF": ".glb"}
# How files of other programs begin that are text and yet no lines of a list.
OTHER_TEXT = {b"#!OML": "an AMC motion", b":FULLY-SPECIFIED": "an AMC motion", b":version": "an ASF skeleton"}
# Numbers at the beginning of a line that make it one of a table; bytes that are looked at for it.
LEAST_NUMBERS, FIRST = 3, 4096
# The record of the motion file that stdin itself is.
WHOLE_OF_STDIN = {"motion": "-"}
FASTEST = 1000

# Arguments and options of every command that reads motions.
MotionNames = Annotated[
    list[str] | None, typer.Argument(help="Motion files or folders of them; - or none reads stdin.")
]
Recursive = Annotated[bool, typer.Option("--recursive", help="Folders within folders too.")]
LineFps = Annotated[
    float | None,
    typer.Option("--fps", help="Frames per second of joint files whose line gives none; else 20."),
]
BodyModels = Annotated[
    Path | None,
    typer.Option(
        "--body-models", help="Folder of SMPL body models (.npz) for SMPL poses; else a neutral body."
    ),
]
JointMap = Annotated[
    Path | None,
    typer.Option("--map", help="File that names a skeleton's joints, a line each: left_hip = LeftThigh."),
]

# Options of the commands that write motions.
PathOption = Annotated[
    Path | None,
    typer.Option(
        "--path",
        help="File of a path that walks, runs ... go along: lines x z in metres, or a drawn SVG line.",
    ),
]
LoopOption = Annotated[
    bool, typer.Option("--loop", help="The part that repeats best, closed: its end is its beginning.")
]
InPlaceOption = Annotated[bool, typer.Option("--in-place", help="Take the way out that the root goes.")]


def set_encodings() -> None:
    """Text is UTF-8 in every pipe and file, whatever the machine's own encoding.

    Bytes of a line on stdin that are no UTF-8 survive as surrogates, for :func:`read_records` to decode. Of
    streams that the caller has closed, stdin is empty and what is written to the others is lost.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):
            continue
        if stream is sys.stdin:
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
        elif stream.isatty():
            stream.reconfigure(errors="backslashreplace")
        else:
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


class Skipped:
    """Inputs that cannot be read: each is named and left out; of those on stdin the exit code tells, 1."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, error: Exception, counts: bool = True) -> None:
        """Name one; what a folder brings may be no motion and does not count.

        Raises an ``error`` that is none of an input: a full disk, or a reader of the results that has gone.
        """
        if isinstance(error, OSError) and error.errno in NO_PLACE:
            raise error
        self.count += counts
        note(f"left out: {error_sentence(error)}")

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
        line = readable(line.removeprefix("\ufeff")).strip()
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
    # Also of numbers and lists within lists that are longer than Python reads.
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where}: not a JSON object ({error})") from None
    if not any(isinstance(record.get(key), str) for key in keys):
        raise UsageError(f"{where}: the object has no {' or '.join(map(repr, keys))}")
    return {name: readable(value) if isinstance(value, str) else value for name, value in record.items()}


def readable(text: str) -> str:
    """A text whose bytes are no UTF-8 as Windows writes it (Latin-1); the name of a file stays as it is."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        if os.path.lexists(text):
            return text
        # Of a JSON line it may be half of a character that no byte stands for.
        content = re.sub("[\ud800-\udc7f\udd00-\udfff]", "?", text).encode("utf-8", "surrogateescape")
        return content.decode("cp1252", "replace")
    return text


def read_option(name: Path, key: str) -> Iterator[dict[str, Any]]:
    """Records of the file of an option (``--prompts``, ``--pairs``); ``-`` is stdin."""
    if str(name) == "-":
        return read_records(stdin_lines(), key, "stdin")
    from ..storage import read_text_file

    content = read_text_file(name)
    _require_lines(content[:FIRST].encode("utf-8", "replace"), str(name))
    return read_records(content.split("\n"), key, str(name))


def stdin_lines() -> Iterable[str]:
    """Lines of stdin as they come; of UTF-16, which Windows pipes, all at once.

    Raises ``UsageError`` for bytes that are no text, and for a motion, which is no list of lines.
    """
    begin = _first_bytes_of_stdin()
    if begin.startswith((b"\xff\xfe", b"\xfe\xff")):
        from ..storage import decode_text

        return decode_text(sys.stdin.buffer.read(), "stdin").split("\n")
    _require_lines(begin, "stdin")
    return sys.stdin


def _require_lines(begin: bytes, where: str) -> None:
    """Raise ``UsageError`` for what begins as a motion does, or another file that is no list of lines."""
    begin = begin.removeprefix(b"\xef\xbb\xbf")
    suffix = motion_suffix(begin)
    lines = begin.split(b"\n")
    found = "" if suffix is None else f"a motion file ({suffix})"
    found = found or next((name for start, name in OTHER_TEXT.items() if begin.startswith(start)), "")
    if not found and b"\0" in begin:
        found = "other bytes"
    if not found and lines[0].strip() in (b"{", b"[", b"[["):
        found = "one JSON value over several lines"
    # The first line of a table may be its head.
    if not found and any(map(_is_numbers, lines[:2])):
        found = "rows of numbers"
    if found:
        raise UsageError(f"{where}: expected lines of text, found {found}")


def _is_numbers(line: bytes) -> bool:
    """Whether a line begins with several numbers, as arrays in CSV and JSON do."""
    words = re.sub(rb"[][(){},;|]", b" ", line).split()[:LEAST_NUMBERS]
    try:
        return len([float(word) for word in words]) == LEAST_NUMBERS
    except ValueError:
        return False


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

    def read(self, reading: Reading) -> Iterator[tuple[str, Motion]]:
        """Each motion with its entry within the file; a line may name the rate.

        Raises ``ValueError`` for what is no motion, ``OSError`` for a file that cannot be read.
        """
        from ..files.load import load_motions

        path = str(self.path)
        try:
            for motion in load_motions(self.path, reading.at(rate_of(self.record))):
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
        yield MotionInput(path, dict(WHOLE_OF_STDIN))
        return
    for record in read_records(stdin_lines(), "motion", "stdin", skipped):
        yield MotionInput(Path(record["motion"]), record)


def motion_file_on_stdin(stack: ExitStack) -> Path | None:
    """Where the bytes of the motion file that stdin is are kept until ``stack`` closes; None for lines."""
    suffix = motion_suffix(_first_bytes_of_stdin())
    if suffix is None:
        return None
    path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lamp-"))) / f"stdin{suffix}"
    path.write_bytes(sys.stdin.buffer.read())
    return path


def motion_suffix(begin: bytes) -> str | None:
    """The suffix of the motion file whose first bytes these are; None for other content."""
    return next((suffix for magic, suffix in MAGIC.items() if begin.startswith(magic)), None)


def _first_bytes_of_stdin() -> bytes:
    peek = getattr(getattr(sys.stdin, "buffer", None), "peek", None)
    return b"" if peek is None else peek(FIRST)


def rate_of(record: dict[str, Any]) -> float | None:
    """The rate that a line gives, None when it gives none; raises ``UsageError`` for one that is no rate."""
    fps = record.get("fps")
    if fps is None:
        return None
    if isinstance(fps, bool) or not isinstance(fps, int | float) or not 0 < fps <= FASTEST:
        where = record.get("motion") or record.get("text")
        raise UsageError(f"{where}: 'fps' is {fps!r}; expected frames per second above 0, up to {FASTEST}")
    return fps


def with_parts(motion: Motion, record: dict[str, Any]) -> Motion:
    """The motion with the parts that its line gives, as ``lamp generate --then`` writes them.

    Raises ``UsageError`` for parts without their sentence or their times.
    """
    parts = record.get("parts")
    if not parts:
        return motion
    from ..motion.motion import MotionPart

    def number(part: Any, key: str) -> int:
        value = part.get(key) if isinstance(part, dict) else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            raise UsageError(f"{record['motion']}: expected {key!r} in seconds in every part, found {part!r}")
        return min(round(value * motion.fps), len(motion))

    if not isinstance(parts, list) or not all(
        isinstance(p, dict) and isinstance(p.get("text"), str) for p in parts
    ):
        raise UsageError(f"{record['motion']}: expected 'parts' with a 'text' each, found {parts!r}")
    spans = tuple(MotionPart(part["text"], number(part, "start"), number(part, "end")) for part in parts)
    return replace(motion, parts=spans)


def reading_option(fps: float | None, body_models: Path | None, joint_map: Path | None) -> Reading:
    """How motion files are read, as the options say; raises ``UsageError`` for one that says nothing."""
    from ..files.joint_names import read_joint_map
    from ..files.reading import Reading

    check_fps(fps)
    if body_models is not None and not body_models.is_dir():
        raise UsageError(f"--body-models {body_models}: no such folder; expected one with SMPL body models")
    return Reading(fps, body_models, () if joint_map is None else read_joint_map(joint_map))


def direction_option(path: Path | None, is_loop: bool, in_place: bool) -> Direction:
    """What is asked of motions; raises ``UsageError`` for a path that is none, or beside another option."""
    from ..files.path_file import read_path
    from ..inference.direct import Direction

    if path is not None and (is_loop or in_place):
        raise UsageError(f"--path and {'--loop' if is_loop else '--in-place'}: expected one of them")
    return Direction(None if path is None else read_path(path), is_loop, in_place)


def check_fps(fps: float | None, option: str = "--fps") -> None:
    """Raise ``UsageError`` for an option that is no rate."""
    if fps is not None and not 0 < fps <= FASTEST:
        raise UsageError(f"{option} {fps:g}: expected frames per second above 0, up to {FASTEST}")
