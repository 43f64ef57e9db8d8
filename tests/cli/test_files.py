"""Names of output files: free, taken together, by many processes at once, and what --force may replace."""

from __future__ import annotations

import errno
import multiprocessing
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from lamp_cli.cli import files
from lamp_cli.cli.common import UsageError
from lamp_cli.cli.files import COMPANIONS, OutputFiles, require_writable
from lamp_cli.storage import write_array


def text(content: str):
    return lambda path: path.write_text(content)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_next_free_name_is_taken_and_nothing_is_replaced(tmp_path):
    (tmp_path / "a.npy").write_text("old")
    (tmp_path / "a_2.npy").write_text("old")
    paths = OutputFiles().write(tmp_path, "a", {".npy": text("new")})
    assert paths == {".npy": tmp_path / "a_3.npy"}
    assert [(tmp_path / name).read_text() for name in names(tmp_path)] == ["old", "old", "new"]


def test_files_of_one_stem_get_one_number(tmp_path):
    (tmp_path / "a_features.npy").touch()
    (tmp_path / "a_2.mp4").touch()
    writers = {".npy": text("n"), "_features.npy": text("f"), ".mp4": text("v")}
    paths = OutputFiles().write(tmp_path, "a", writers)
    assert [path.name for path in paths.values()] == ["a_3.npy", "a_3_features.npy", "a_3.mp4"]
    assert names(tmp_path) == ["a_2.mp4", "a_3.mp4", "a_3.npy", "a_3_features.npy", "a_features.npy"]


def test_a_companion_that_is_not_written_takes_the_stem_too(tmp_path):
    (tmp_path / "a.gif").touch()
    assert OutputFiles().write(tmp_path, "a", {".npy": text("")}, COMPANIONS)[".npy"].name == "a_2.npy"
    assert OutputFiles().write(tmp_path, "a", {".npy": text("")})[".npy"].name == "a.npy"


def test_force_replaces_what_was_there_and_never_what_this_call_wrote(tmp_path):
    (tmp_path / "a.npy").write_text("old")
    (tmp_path / "a_2.npy").write_text("old")
    outputs = OutputFiles(force=True)
    paths = [outputs.write(tmp_path, "a", {".npy": text(f"new {n}")})[".npy"] for n in range(3)]
    assert [path.name for path in paths] == ["a.npy", "a_2.npy", "a_3.npy"]
    assert [path.read_text() for path in paths] == ["new 0", "new 1", "new 2"]
    (tmp_path / "linked").symlink_to(tmp_path, target_is_directory=True)
    assert outputs.write(tmp_path / "linked", "a", {".npy": text("new 3")})[".npy"].name == "a_4.npy"
    assert paths[0].read_text() == "new 0"


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_of_the_name_is_left_alone(tmp_path, force):
    (tmp_path / "a.npy").mkdir()
    assert OutputFiles(force).write(tmp_path, "a", {".npy": text("")})[".npy"].name == "a_2.npy"


def test_a_whole_name_that_is_taken_is_noted(tmp_path, capsys):
    outputs = OutputFiles()
    assert outputs.write_one(tmp_path / "new" / "m.mp4", text("1")) == tmp_path / "new" / "m.mp4"
    assert capsys.readouterr().err == ""
    assert outputs.write_one(tmp_path / "new" / "m.mp4", text("2")) == tmp_path / "new" / "m_2.mp4"
    assert "m.mp4: exists; written to" in capsys.readouterr().err


@pytest.mark.parametrize("force", [False, True])
def test_a_writer_that_fails_leaves_nothing_and_no_name_taken(tmp_path, force):
    outputs = OutputFiles(force)

    def fail(path: Path) -> None:
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outputs.write(tmp_path, "a", {".npy": text("whole"), ".mp4": fail})
    assert names(tmp_path) == []
    assert outputs.write(tmp_path, "a", {".npy": text("")})[".npy"].name == "a.npy"


def _write_many(folder: Path, count: int, process: int) -> None:
    outputs = OutputFiles()
    for number in range(count):
        content = f"{process} {number}"
        outputs.write(folder, "walk", {".npy": text(content), ".mp4": text(content)})


@pytest.mark.parametrize("parts", ["all", "without links", "without locks"])
def test_ten_processes_of_one_name_lose_nothing(tmp_path, monkeypatch, parts):
    if parts == "without links":

        def refused(source: Path, target: Path) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(files.os, "link", refused)
    if parts == "without locks":
        monkeypatch.setattr(files, "fcntl", None)
    with multiprocessing.get_context("fork").Pool(10) as pool:
        pool.map(partial(_write_many, tmp_path, 20), range(10), chunksize=1)
    expected = sorted(f"{process} {number}" for process in range(10) for number in range(20))
    for suffix in (".npy", ".mp4"):
        assert sorted(path.read_text() for path in tmp_path.glob(f"*{suffix}")) == expected
    if parts != "without locks":
        assert all(
            path.read_text() == path.with_suffix(".mp4").read_text() for path in tmp_path.glob("*.npy")
        )
    assert len(names(tmp_path)) == 400


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"--output .*file: is a file; expected a folder"):
        require_writable(tmp_path / "file", "--output")
    with pytest.raises(UsageError, match="file is a file; expected a folder"):
        require_writable(tmp_path / "file" / "inner", "--output")
    require_writable(tmp_path / "new" / "inner", "--output")
    assert not (tmp_path / "new").exists() and list(tmp_path.iterdir()) == [tmp_path / "file"]

    def refuse(**_: object) -> str:
        raise PermissionError

    # An administrator may write anywhere: asking for permission tells nothing, trying does.
    monkeypatch.setattr(files.tempfile, "mkdtemp", refuse)
    with pytest.raises(UsageError, match="cannot be written to"):
        require_writable(tmp_path / "new", "--output")


@pytest.mark.parametrize(
    "error", [OSError("3894 requested and 3040 written"), OSError(errno.ENOSPC, "No space left on device")]
)
def test_a_full_disk_names_the_file_that_people_know(tmp_path, monkeypatch, error):
    def refuse(*given, **named):
        raise error

    monkeypatch.setattr("numpy.save", refuse)
    with pytest.raises(OSError, match="No space left on device") as found:
        OutputFiles().write(tmp_path / "out", "a", {".npy": lambda path: write_array(path, np.zeros(3))})
    assert (found.value.errno, found.value.filename) == (errno.ENOSPC, str(tmp_path / "out" / "a"))
    assert names(tmp_path / "out") == []
