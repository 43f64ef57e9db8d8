"""Closed streams, terminals that obey what they are shown, locales and bytes that are not UTF-8."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lamp_cli.cli.inputs import MotionInput, Skipped
from lamp_cli.data.vocabulary import DECODER_TOKEN, Vocabulary, ascii_pieces
from lamp_cli.motion.skeleton import HUMANML3D
from tests.command_line import lamp
from tests.conftest import wandering

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
ODD_NAME = "-tänzer 走\n\x1b[31m.npy"


@pytest.fixture
def take(tmp_path: Path) -> Path:
    """A motion file of an odd name."""
    np.save(tmp_path / ODD_NAME, wandering(HUMANML3D, 40).astype(np.float32))
    return tmp_path / ODD_NAME


def shell(line: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    here = str(Path(__file__).parents[2])
    command = ["sh", "-c", line.replace("lamp", f"{sys.executable} -m lamp_cli")]
    environment = {**os.environ, "PYTHONPATH": here, "OMP_NUM_THREADS": "1", **variables}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=120)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell that closes streams")
@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", "| true", "2>&1 | true"])
def test_what_nobody_reads_is_written_all_the_same(closed: str, take: Path, tmp_path: Path) -> None:
    done = shell(f"lamp convert --format bvh --output out -- ./-* {closed}", tmp_path)
    assert (done.returncode, done.stdout, b"Traceback" in done.stderr) == (0, b"", False)
    assert [path.suffix for path in (tmp_path / "out").iterdir()] == [".bvh"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a locale of POSIX")
def test_a_locale_of_ascii_changes_nothing(take: Path, tmp_path: Path) -> None:
    done = shell("lamp check 'a man walks, läuft' ./-*", tmp_path, **ASCII)
    record = json.loads(done.stdout)
    assert (record["motion"], record["text"]) == (f"{ODD_NAME}", "a man walks, läuft")


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC, errno.EROFS])
def test_what_no_input_is_to_blame_for_ends_the_command(number: int) -> None:
    with pytest.raises(OSError, match=os.strerror(number)):
        Skipped().add_input(MotionInput(Path("a.npy"), {}, found=True), OSError(number, os.strerror(number)))


def test_no_name_speaks_to_the_terminal(take: Path, tmp_path: Path) -> None:
    done = lamp("check", "a man walks", ".", cwd=tmp_path, terminal=True)
    assert done.returncode == 0 and "\x1b" not in done.stdout + done.stderr
    assert done.stderr.startswith(r"-tänzer 走\n\x1b[31m.npy: no frame rate given")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"HIERARCHY\nROOT Hips\n{\n", "a motion file (.bvh)"),
        (b"\x93NUMPY\x01\x00v\x00{", "a motion file (.npy)"),
        (b"#!OML:ASF F:\n:FULLY-SPECIFIED\n", "an AMC motion"),
        (b"\x00\x01\x02", "other bytes"),
        (b"frame,hips_x,hips_y\n0,1.5,-2e-3\n", "rows of numbers"),
        (b"0.1 0.2 0.3\n", "rows of numbers"),
        (b"[[[0.1, 0.2, 0.3], [0.1,", "rows of numbers"),
        (b'{\n  "joints": [\n', "one JSON value over several lines"),
    ],
)
def test_a_motion_in_place_of_lines_is_named(content: bytes, found: str, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_bytes(content)
    calls = [(["generate"], "stdin"), (["check", "-"], "stdin")]
    if b"\0" not in content:
        calls.append((["generate", "--prompts", "prompts.txt"], "prompts.txt"))
    for words, where in calls:
        done = lamp(*words, cwd=tmp_path, stdin=content)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"lamp: {where}: expected lines of text, found {found}\n"


def test_a_motion_on_stdin_without_its_text_is_not_scored_by_it(take: Path, tmp_path: Path) -> None:
    done = lamp("score", "--bertscore", cwd=tmp_path, stdin=take.read_bytes())
    assert (done.returncode, done.stdout) == (2, "")
    assert "stdin: a motion file without a text; expected lines with text and motion" in done.stderr


def test_bytes_that_are_not_utf8_are_read_as_windows_writes_them(take: Path, tmp_path: Path) -> None:
    named, piped = "a man l\udce4uft", json.dumps({"motion": ODD_NAME, "text": "a man l\udce4uft"})
    for words, stdin in (((named, "."), ""), (("-",), piped)):
        (record,) = lamp("check", *words, cwd=tmp_path, stdin=stdin).rows
        assert record["text"] == "a man läuft"


def test_half_a_character_is_a_word_that_nobody_knows() -> None:
    vocabulary = Vocabulary([*ascii_pieces(), DECODER_TOKEN])
    ids, mask = vocabulary.encode(["a \ud800 b"], 8)
    assert mask.all() and vocabulary.decode(ids[0]) == "a ? b"
    assert vocabulary.truncated("a \ud800 b", 4) == "a \ud800"
