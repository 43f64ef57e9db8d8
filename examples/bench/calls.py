"""Calls of ``lamp`` in processes of their own: what they said and how they ended, whatever they did.

A call has no network and so many of the processor's seconds. It is forked from this process, which has
imported what takes seconds, or begins anew as the shell's do. Knows nothing of what is called.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from lamp_cli.cli.app import main as lamp

from .offline.sitecustomize import forbid_network

HERE = Path(__file__).parent
# Exit codes of calls that did what none may.
OUT_OF_TIME, RAISED = 124, 126
# Of the processor; of the clock thirty times as many, for a machine with other work.
MOST_SECONDS = 20.0
SECONDS_BETWEEN_LOOKS = 0.005


@dataclass(frozen=True)
class Ended:
    """How a call ended.

    code: exit code; negative for the signal that ended the process.
    out, err: what was said; bytes that are no UTF-8 are replaced.
    """

    code: int
    out: str
    err: str


class Caller:
    """Calls, one at a time, in the working folder ``here``; streams are kept in ``folder``."""

    def __init__(self, folder: Path, here: Path):
        self._streams = [folder / name for name in ("stdin", "stdout", "stderr")]
        self._here = here

    def forked(
        self, words: Sequence[str], stdin: bytes = b"", begin: Callable[[], None] | None = None
    ) -> Ended:
        """A call in a process that is forked from this one, where ``begin`` is called first."""
        self._give(stdin)
        if (process := os.fork()) == 0:
            _be(words, self._streams, self._here, begin)
        return self._ended(process, words)

    def whole(self, words: Sequence[str], stdin: bytes = b"") -> Ended:
        """A call in a process that begins anew."""
        self._give(stdin)
        path = os.pathsep.join(map(str, (HERE / "offline", HERE.parent.parent)))
        given, out, err = (
            path.open(mode) for path, mode in zip(self._streams, ("rb", "wb", "wb"), strict=True)
        )
        with given, out, err:
            process = subprocess.Popen(
                [sys.executable, "-m", "lamp_cli", *words],
                stdin=given,
                stdout=out,
                stderr=err,
                cwd=self._here,
                env={**os.environ, "PYTHONPATH": path},
            )
        return self._ended(process.pid, words)

    def _give(self, stdin: bytes) -> None:
        """Nothing of the call before is in the streams of the next one."""
        for path, content in zip(self._streams, (stdin, b"", b""), strict=True):
            path.write_bytes(content)

    def _ended(self, process: int, words: Sequence[str]) -> Ended:
        """Wait for a process; one that serves is told to end."""
        begun, told = time.monotonic(), False
        while not (found := os.waitpid(process, os.WNOHANG))[0]:
            if not told and "serve" in words and b'"url"' in self._streams[1].read_bytes():
                told = True
                os.kill(process, signal.SIGTERM)
            if time.monotonic() - begun > 30 * MOST_SECONDS:
                os.kill(process, signal.SIGKILL)
            time.sleep(SECONDS_BETWEEN_LOOKS)
        code = os.waitstatus_to_exitcode(found[1])
        out, err = (path.read_bytes().decode("utf-8", "replace") for path in self._streams[1:])
        # 130 is what an interrupted call promises.
        return Ended(0 if told and code == 130 else code, out, err)


def _be(
    words: Sequence[str], streams: Sequence[Path], here: Path, begin: Callable[[], None] | None
) -> NoReturn:
    """Call in this process, and end it."""
    code = RAISED
    try:
        for number, (path, mode) in enumerate(zip(streams, ("rb", "wb", "wb"), strict=True)):
            with path.open(mode) as file:
                os.dup2(file.fileno(), number)
        names = ("stdin", "stdout", "stderr")
        for number, (name, mode) in enumerate(zip(names, "rww", strict=True)):
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
        os.chdir(here)
        forbid_network("serve" in words)
        signal.signal(signal.SIGPROF, _out_of_time)
        signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
        if begin is not None:
            begin()
        lamp(words)
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def _out_of_time(number: int, frame: FrameType | None) -> None:
    traceback.print_stack(frame, limit=12)
    sys.stderr.flush()
    os._exit(OUT_OF_TIME)
