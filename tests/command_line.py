"""``lamp`` as tests call it: as a process of its own, or, much sooner, within this one."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lamp_cli.cli.app import main


@dataclass(frozen=True)
class Done:
    """What a call left behind."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The JSON lines on stdout of a call that succeeded."""
        assert self.returncode == 0, self.stderr
        return [json.loads(line) for line in self.stdout.splitlines()]


def lamp(
    *words: str | Path, stdin: str | bytes = "", cwd: Path | None = None, terminal: bool = False
) -> Done:
    """Call ``lamp`` within this process: a new one would import torch for every call."""
    given = io.BufferedReader(io.BytesIO(stdin.encode() if isinstance(stdin, str) else stdin))
    out, err = _Stream(terminal), _Stream(False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(given, encoding="utf-8"))
        if cwd is not None:
            patch.chdir(cwd)
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end:
            main(list(map(str, words)))
    return Done(int(end.value.code or 0), out.getvalue(), err.getvalue())


def lamp_process(*words: str | Path, stdin: str = "", cwd: Path | None = None) -> Done:
    """Call ``lamp`` as the shell does."""
    command = [sys.executable, "-m", "lamp_cli", *map(str, words)]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, cwd=cwd, timeout=300)
    return Done(done.returncode, done.stdout, done.stderr)


def imported_by(code: str, *modules: str) -> tuple[list[str], Done]:
    """Those of ``modules`` that a process has imported after ``code``, and what else the code left behind."""
    code += f"\nimport sys\nprint(*(name for name in {modules!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    *lines, found = done.stdout.splitlines()
    return found.split(), Done(0, "\n".join(lines), done.stderr)


def calling(*words: str | Path) -> str:
    """Code that calls ``lamp`` and goes on where it succeeds."""
    code = f"from lamp_cli.cli.app import main\ntry:\n    main({[*map(str, words)]!r})\n"
    return code + "except SystemExit as end:\n    assert not end.code"


class _Stream(io.StringIO):
    """Text that is kept; it says of itself whether it is a terminal."""

    def __init__(self, terminal: bool):
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal
