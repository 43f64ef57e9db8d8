"""Where the motions of ``lamp score`` come from: files, lines with sentences, stdin, or a data set.

Knows names and lines; measures nothing and reads no motion.
"""

from __future__ import annotations

import stat
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ..scoring.figures import OF_MOTIONS
from ..scoring.lines import Line, fps_of_record, line_of_record, require_captions_of_all_or_none
from .common import UsageError, note
from .inputs import WHOLE_OF_STDIN, Skipped, motion_files_of, read_option, stdin_inputs


@dataclass(frozen=True)
class ScoredFile:
    """A motion file, the rate that its line gives, and where it came from: named, ``folder`` or ``stdin``."""

    path: Path
    fps: float | None = None
    origin: str = "named"


@dataclass(frozen=True)
class ScoreSource:
    """Where motions come from: ``files``, ``lines`` with sentences, or neither, a data set."""

    files: tuple[ScoredFile, ...] = ()
    lines: tuple[Line, ...] = ()


def score_source(
    names: Sequence[str],
    recursive: bool,
    pairs: Path | None,
    data: Path | None,
    metrics: Sequence[str],
    stack: ExitStack,
    skipped: Skipped,
) -> ScoreSource:
    """What the arguments, a manifest or stdin name."""
    files, dash = [name for name in names if name != "-"], "-" in names or str(pairs) == "-"
    manifest = pairs is not None and not dash
    named = [name for name, given in (("motion files", files), ("--pairs", manifest), ("-", dash)) if given]
    if files and data is not None:
        named.append("--data")
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named[:2])}: expected one of them")
    if files:
        every = [file for name in files for file in _files(Path(name), recursive)]
        once = {file.path.resolve(): file for file in every}
        if len(once) < len(every):
            note(f"files that are named again count once: {len(every) - len(once)}")
        return ScoreSource(tuple(once.values()))
    if pairs is not None and not dash:
        lines = [line_of_record(r, str(pairs), pairs.parent) for r in read_option(pairs, "motion")]
        return _lines(lines, str(pairs))
    if dash or (data is None and _is_piped()):
        return _from_stdin(metrics, stack, skipped)
    return ScoreSource()


def _files(path: Path, recursive: bool) -> list[ScoredFile]:
    if not path.is_dir():
        return [ScoredFile(path)]
    return [ScoredFile(file, origin="folder") for file in motion_files_of(path, recursive)]


def _from_stdin(metrics: Sequence[str], stack: ExitStack, skipped: Skipped) -> ScoreSource:
    """Lines with sentences; or motion files, where no line has a sentence and no figure needs one."""
    records = [(item.path, item.record) for item in stdin_inputs(stack, skipped)]
    if records and not any("text" in record for _, record in records) and set(metrics) <= set(OF_MOTIONS):
        return ScoreSource(
            tuple(ScoredFile(path, fps_of_record(record, str(path)), "stdin") for path, record in records)
        )
    if [record for _, record in records] == [WHOLE_OF_STDIN]:
        raise UsageError("stdin: a motion file without a text; expected lines with text and motion")
    lines = []
    for _, record in records:
        try:
            lines.append(line_of_record(record, "stdin"))
        except ValueError as error:
            skipped.add(error)
    return _lines(lines, "stdin")


def _lines(lines: Sequence[Line], where: str) -> ScoreSource:
    if not lines:
        raise UsageError(f"{where}: no pair of text and motion; the input is empty")
    require_captions_of_all_or_none(lines)
    return ScoreSource(lines=tuple(lines))


def _is_piped() -> bool:
    """True when something writes to stdin; a terminal and /dev/null (in CI) do not."""
    if sys.stdin.isatty():
        return False
    try:
        return not stat.S_ISCHR(Path(f"/dev/fd/{sys.stdin.fileno()}").stat().st_mode)
    except (OSError, ValueError):
        return True


def stdin_is_waiting() -> bool:
    """True when a pipe holds lines that nobody has read; nothing is read for it."""
    try:
        import fcntl
        import termios

        waiting = fcntl.ioctl(sys.stdin.fileno(), termios.FIONREAD, bytes(4))
    except (ImportError, OSError, ValueError):
        return False
    return int.from_bytes(waiting, sys.byteorder) > 0 and not sys.stdin.isatty()
