"""Every command of the README runs, in order, as pasted; CI runs its two set-up lines."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SET_UP = ("## Install and run", "## Test")
# A test has no hours: the same stages, a step of four clips each.
FEW_STEPS = "".join(
    f" --steps {stage}=1 --batch-size {stage}=4"
    for stage in ("tokenizer", "lamp", "generator", "language", "captioner")
)


@dataclass
class Block:
    """Commands of the README that are pasted together, and the lines shown below them."""

    commands: list[str]
    shown: list[str]


def command_blocks(text: str) -> list[Block]:
    """The indented blocks outside fences and set-up sections, ``$`` signs removed."""
    blocks: list[Block] = []
    heading, fence, before = "", "", ""
    for line in text.splitlines():
        if line.startswith("```"):
            fence = "" if fence else line
        elif fence == "```json":
            blocks[-1].shown.append(line)
        elif line.startswith("#") and not fence:
            heading = line
        elif not fence and line.startswith("    ") and heading not in SET_UP:
            if not before.startswith("    "):
                blocks.append(Block([], []))
            blocks[-1].commands.append(line.strip().removeprefix("$ "))
        before = line
    return blocks


def told(line: str) -> dict[str, object]:
    """What a JSON line says, without the numbers, whose last digits are a processor's own."""
    return {key: None if isinstance(value, float) else value for key, value in json.loads(line).items()}


def set_up_line(heading: str) -> str:
    section = README.split(f"{heading}\n", 1)[1]
    return next(line.strip() for line in section.splitlines() if line.startswith("    "))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a newcomer's clone: the examples, and ``lamp`` on the path."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "examples", folder / "examples")
    programs = folder / ".bin"
    programs.mkdir()
    lamp = programs / "lamp"
    lamp.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lamp_cli "$@"\n')
    lamp.chmod(lamp.stat().st_mode | stat.S_IXUSR)
    return folder


def run(command: str, folder: Path, timeout: float = 400) -> str:
    environment = {
        **os.environ,
        "PATH": f"{folder / '.bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(folder / ".cache"),
    }
    done = subprocess.run(
        ["bash", "-eu", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout


def test_the_commands_run_in_order_and_print_what_is_shown(folder: Path) -> None:
    blocks = command_blocks(README)
    assert len(blocks) > 10 and sum(bool(block.shown) for block in blocks) > 3
    for block in blocks:
        short = [c + FEW_STEPS if c.startswith("lamp pretrain") else c for c in block.commands]
        printed = run("\n".join(short), folder).splitlines()
        assert [told(line) for line in printed[: len(block.shown)]] == [told(line) for line in block.shown]
    for name in ("a_person_jumps.npy", "a_person_jumps.mp4", "pairs.jsonl", "motions.html", "together.mp4"):
        assert (folder / name).stat().st_size > 0, name
    snippet = re.search(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert snippet is not None
    run(f"python - <<'END'\n{snippet[1]}\nEND".replace("python -", f"'{sys.executable}' -", 1), folder)
    assert (folder / "jump.mp4").stat().st_size > 0


def test_links_and_pictures_are_there() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_ci_runs_the_two_lines_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for heading in SET_UP:
        assert f'line_below "{heading}"' in script
        assert set_up_line(heading).startswith("python3 -m venv .venv && . .venv/bin/activate && pip install")


def test_the_package_accepts_a_newer_build_of_torch(tmp_path: Path) -> None:
    """A CPU build that is installed stays: pip is asked beside a stub of a later version."""
    stub = tmp_path / "torch-99.0.0+cpu.dist-info"
    stub.mkdir()
    (stub / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 99.0.0+cpu\n")
    (stub / "INSTALLER").write_text("pip\n")
    (stub / "RECORD").write_text("")
    requirement = next(
        line.split('"')[1]
        for line in (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
        if line.strip().startswith('"torch')
    )
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--no-deps", requirement],
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("PIP_")},
            "PYTHONPATH": str(tmp_path),
            "PIP_CONFIG_FILE": os.devnull,
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "already satisfied" in done.stdout and "99.0.0+cpu" in done.stdout
