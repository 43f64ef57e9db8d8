"""``lamp render`` through the real command line, and the page with the viewer."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lamp_cli.motion.skeleton import HUMANML3D, KIT
from lamp_cli.render.fonts import missing_signs
from lamp_cli.render.viewer import write_viewer
from tests.command_line import lamp, lamp_process
from tests.conftest import wandering


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    np.save(tmp_path / "one.npy", wandering(HUMANML3D, 6, seed=1).astype(np.float32))
    np.save(tmp_path / "kit.npy", wandering(KIT, 9, seed=2).astype(np.float32))
    np.savez(tmp_path / "many.npz", a=wandering(HUMANML3D, 4), b=wandering(HUMANML3D, 5))
    return tmp_path


class Scripts(HTMLParser):
    """The scripts of a page as a browser would cut them."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "script"
        if self._inside:
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._inside = False


def page_of(path: Path) -> dict:
    parser = Scripts()
    parser.feed(path.read_text(encoding="utf-8"))
    assert len(parser.scripts) == 2
    return json.loads(parser.scripts[0])


def test_each_motion_becomes_a_video_and_other_keys_pass_through(clips: Path) -> None:
    lines = '{"motion": "one.npy", "text": "a walk", "mine": 7}\nmany.npz\n'
    done = lamp_process("render", "-", "--size", "64", "--output", "out", cwd=clips, stdin=lines)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(r["video"]).name for r in records] == ["one.mp4", "many_a.mp4", "many_b.mp4"]
    assert records[0]["mine"] == 7 and records[0]["text"] == "a walk" and records[0]["frames"] == 6
    assert [r.get("take") for r in records] == [None, "a", "b"]
    assert all((clips / r["video"]).stat().st_size > 500 for r in records)


def test_formats_styles_and_free_names(clips: Path) -> None:
    words = ("render", "kit.npy", "--size", "64", "--format", "png,gif,webp")
    first = json.loads(lamp(*words, cwd=clips).stdout)
    thin = json.loads(lamp(*words, "--style", "skeleton", cwd=clips).stdout)
    assert (first["png"], thin["png"]) == ("kit.png", "kit_2.png")
    assert first["fps"] == 12.5
    with Image.open(clips / "kit.gif") as animation:
        assert (animation.n_frames, animation.size) == (9, (64, 64))
    solid, lines = (
        np.asarray(Image.open(clips / name).convert("RGB"), int) for name in ("kit.png", "kit_2.png")
    )
    assert (np.ptp(lines, axis=-1) > 60).sum() < 0.6 * (np.ptp(solid, axis=-1) > 60).sum()


def test_all_motions_in_one_video_and_on_one_page(clips: Path) -> None:
    done = lamp(
        "render",
        "one.npy",
        "many.npz",
        "--together",
        "all.png",
        "--html",
        "all.html",
        "--size",
        "64",
        cwd=clips,
    )
    assert done.returncode == 0, done.stderr
    assert [json.loads(line).keys() - {"motion"} for line in done.stdout.splitlines()] == [
        {"video"},
        {"html"},
    ]
    assert Image.open(clips / "all.png").size[0] % (3 * 64) == 0
    assert [m["title"] for m in page_of(clips / "all.html")["motions"]] == ["one", "a", "b"]


def test_the_page_holds_the_joints_and_needs_no_network(tmp_path: Path) -> None:
    motion = wandering(HUMANML3D, 12, seed=4) + np.array([30.0, 0.0, -12.0])
    title = 'kicks </script><script>alert("x")</script> <!-- & "so" on'
    path = write_viewer([motion], 20.0, [title], tmp_path / "page.html")
    shown = page_of(path)["motions"][0]
    assert shown["title"] == title
    numbers = np.frombuffer(base64.b64decode(shown["joints"]), "<i2").reshape(12, 22, 3)
    np.testing.assert_allclose(
        numbers * shown["unit"], motion - motion[0, 0] * [1, 0, 1], atol=0.5 * shown["unit"] + 1e-9
    )
    assert shown["unit"] == 0.001
    assert not re.search(r"https?:|src=|@import|url\(", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing.npy"], "nothing.npy"),
        (["empty"], "holds no motion file"),
        (["one.npy", "--html", "page.mp4"], "--html page.mp4: expected a name ending in .html"),
        (["one.npy", "--output", "one.npy"], "--output one.npy: is a file"),
        (["broken.npy"], "broken.npy"),
        (["nan.npy"], "NaN"),
        (["one.npy", "--format", "avi"], "avi"),
        (["one.npy", "--fps", "nan"], "--fps"),
        (["one.npy", "--together", "all.avi"], "all.avi"),
    ],
)
def test_mistakes_get_one_sentence_and_leave_nothing(clips: Path, words: list[str], said: str) -> None:
    (clips / "empty").mkdir()
    (clips / "broken.npy").write_bytes(b"no array")
    np.save(clips / "nan.npy", np.full((5, 22, 3), np.nan, np.float32))
    before = {p.name for p in clips.iterdir()}
    done = lamp("render", *words, cwd=clips)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert said in done.stderr and done.stderr.count("\n") == 1
    assert {p.name for p in clips.iterdir()} == before


def test_renders_of_one_stem_are_all_kept_under_force(clips: Path) -> None:
    (clips / "other").mkdir()
    np.save(clips / "other" / "one.npy", wandering(HUMANML3D, 9, seed=5).astype(np.float32))
    (clips / "one.png").write_text("of yesterday")
    words = ("render", "one.npy", "other/one.npy", "--size", "64", "--format", "png", "--force")
    done = lamp(*words, cwd=clips)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["png"] for line in done.stdout.splitlines()] == ["one.png", "one_2.png"]
    assert Image.open(clips / "one.png").size == (6 * 64, 64)


def test_a_grid_whose_name_is_taken_gets_the_next_one(clips: Path) -> None:
    (clips / "all.html").write_text("mine")
    done = lamp("render", "one.npy", "--html", "all.html", cwd=clips)
    assert json.loads(done.stdout)["html"] == "all_2.html"
    assert "all.html: exists; written to all_2.html" in done.stderr
    assert (clips / "all.html").read_text() == "mine"


def test_folders_are_drawn_and_unreadable_files_are_named(clips: Path) -> None:
    (clips / "broken.npy").write_bytes(b"no array")
    done = lamp("render", ".", "--size", "64", "--format", "png", "--output", "out", cwd=clips)
    assert done.returncode == 0, done.stderr
    assert "left out: broken.npy: not a .npy" in done.stderr
    assert sorted(p.name for p in (clips / "out").iterdir()) == [
        "kit.png",
        "many_a.png",
        "many_b.png",
        "one.png",
    ]


def test_a_bad_line_on_stdin_is_named_and_the_others_are_drawn(clips: Path) -> None:
    lines = "nothing.npy\n{broken\none.npy\n"
    done = lamp("render", "-", "--size", "64", "--format", "png", cwd=clips, stdin=lines)
    assert done.returncode == 1
    assert [json.loads(line)["motion"] for line in done.stdout.splitlines()] == ["one.npy"]
    assert "left out: nothing.npy" in done.stderr and "left out: stdin, line 2" in done.stderr


@pytest.mark.parametrize("name", ["one.npy", "many.npz"])
def test_a_motion_file_itself_on_stdin_is_drawn(clips: Path, name: str) -> None:
    command = [sys.executable, "-m", "lamp_cli", "render", "-", "--size", "64", "--format", "png"]
    with (clips / name).open("rb") as file:
        done = subprocess.run(command, cwd=clips, stdin=file, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["motion"] for record in records] == ["-"] * len(records)
    assert records[0]["png"] == ("stdin.png" if name == "one.npy" else "stdin_a.png")


def test_the_rate_of_a_line_is_used(clips: Path) -> None:
    lines = '{"motion": "one.npy", "fps": 30}\n'
    done = lamp("render", "-", "--size", "64", "--format", "png", cwd=clips, stdin=lines)
    assert json.loads(done.stdout)["fps"] == 30


def test_signs_that_no_font_has_are_named(clips: Path) -> None:
    words = ("--size", "64", "--format", "png", "--title", "walk \U00013000")
    done = lamp("render", "one.npy", *words, cwd=clips)
    assert done.returncode == 0
    # A machine may have a font for hieroglyphs; this is about those that have none.
    if missing_signs("\U00013000"):
        assert "no font on this machine has the signs \U00013000" in done.stderr
