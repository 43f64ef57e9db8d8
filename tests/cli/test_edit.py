"""``lamp edit`` within this process: files and lines of a span drawn anew, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lamp_cli as api
from lamp_cli.bundle.bundle import save_bundle
from lamp_cli.files.bvh import save_bvh
from lamp_cli.files.load import load_motion
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.motion.transform import resample
from tests.command_line import Done, calling, imported_by, lamp
from tests.conftest import wandering
from tests.inference.test_retrieve import tiny_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a few weights."""
    folder = tmp_path_factory.mktemp("edit") / "tiny"
    save_bundle(folder, tiny_bundle())
    return folder


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A walk as joints at 20 frames per second, and as BVH at 60."""
    walk = wandering(HUMANML3D, 81, 1).astype(np.float32)
    np.save(tmp_path / "walk.npy", walk)
    save_bvh(tmp_path / "fast.bvh", Motion(resample(walk, 20.0, 60.0), HUMANML3D, 60.0))
    return tmp_path


def edit(bundle: Path, clips: Path, *words: str | Path, **how: Any) -> Done:
    rest = ["--model", bundle, "--seed", "5", "--candidates", "2", "--steps", "2"]
    chosen = [] if "--format" in words else ["--format", "npy"]
    return lamp("edit", *words, *rest, *chosen, "--output", clips / "out", cwd=clips, **how)


def test_a_line_says_what_was_drawn_and_of_which_file(bundle: Path, clips: Path) -> None:
    [line] = edit(bundle, clips, "walk.npy", "a person waves", "--between", "1", "2").rows
    assert line["source"] == "walk.npy" and line["text"] == "a person waves"
    assert line["span"] == {"start": 1.0, "end": 2.0, "first_frame": 20, "frames": 20}
    assert (line["frames"], line["fps"], line["seed"], line["candidates"]) == (81, 20.0, 5, 2)
    seams = line["seams"]
    assert seams["count"] == 2 and 0 < seams["acceleration_bound"] < 100
    held = seams["jump"] < 0.02 and seams["acceleration"] < seams["acceleration_bound"]
    assert held == (seams["within"] == 2)
    made, walk = np.load(line["motion"]), np.load(clips / "walk.npy")
    changed = np.flatnonzero(np.abs(made - walk).max((1, 2)))
    assert changed.min() == 20 and changed.max() == 39
    model = api.load(bundle, device="cpu")
    options = {"seed": 5, "candidates": 2, "steps": 2}
    with pytest.warns(UserWarning, match="no frame rate given"):
        same = model.edit(clips / "walk.npy", "a person waves", between=(1, 2), **options)
    assert np.array_equal(same.joints, made)
    many = model.edit(same, after=1, samples=2, **options)
    assert [len(one) for one in many] == [101, 101] and many[0].source.endswith("seed 5, sample 0")


def test_a_gap_that_is_too_short_says_how_far_its_seams_jump(bundle: Path, clips: Path) -> None:
    walk = np.load(clips / "walk.npy")
    walk[40:] += np.array([0.6, 0.0, 0.0], dtype=np.float32)
    np.save(clips / "leap.npy", walk)
    done = edit(bundle, clips, "leap.npy", "--between", "1.95", "2.05")
    [line] = done.rows
    assert line["seams"]["within"] < line["seams"]["count"] == 2 and line["seams"]["jump"] > 0.02
    assert "seams cannot be met smoothly" in done.stderr and "a longer span has more room" in done.stderr


def test_every_format_is_written_at_the_motions_own_rate(bundle: Path, clips: Path) -> None:
    [line] = edit(bundle, clips, "fast.bvh", "--after", "0.5", "--format", "npy,bvh,glb,npz,html").rows
    assert line["fps"] == pytest.approx(60, abs=0.01) and line["span"]["frames"] == 30
    read, made = load_motion(clips / "fast.bvh"), np.load(line["motion"])
    assert made[: len(read)].tobytes() == read.joints.tobytes() and len(made) == len(read) + 30
    for kind in ("bvh", "glb", "npz"):
        assert len(load_motion(line[kind])) == len(made)
    assert "</html>" in Path(line["html"]).read_text(encoding="utf-8")
    # A BVH file's own skeleton and frames, number by number.
    source, written = ((clips / "fast.bvh").read_text(), Path(line["bvh"]).read_text())
    assert source.partition("Frames:")[0] == written.partition("Frames:")[0]
    assert source.splitlines()[-len(read) :] == written.splitlines()[-len(made) : -30]


def test_a_bvh_file_that_cannot_follow_is_written_on_our_skeleton(bundle: Path, clips: Path) -> None:
    rooted = (
        (clips / "fast.bvh").read_text().replace("CHANNELS 6 Xposition Yposition Zposition", "CHANNELS 3")
    )
    head, times, rows = re.split(r"(Frame Time: \S+\n)", rooted)
    (clips / "fast.bvh").write_text(head + times + re.sub(r"(?m)^(\S+ ){3}", "", rows))
    done = edit(bundle, clips, "fast.bvh", "--between", "1", "2", "--format", "bvh")
    assert "hips cannot be moved and turned; written on the skeleton" in done.stderr
    assert len(load_motion(done.rows[0]["motion"])) == len(load_motion(clips / "fast.bvh"))


def test_motions_named_on_stdin_are_edited_and_lines_pass_through(bundle: Path, clips: Path) -> None:
    lines = [{"motion": "walk.npy", "tag": 1}, {"motion": "none.npy"}, {"motion": "fast.bvh"}]
    done = edit(bundle, clips, "-", "--keep", "0,1.5", stdin="\n".join(map(json.dumps, lines)))
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert done.returncode == 1 and "none.npy" in done.stderr
    assert first["tag"] == 1 and first["span"]["kept"] == [0, 30] and second["span"]["kept"] == [0, 90]
    assert Path(first["motion"]).name == "walk_edited.npy"
    piped = edit(bundle, clips, "-", "--after", "1", stdin=(clips / "walk.npy").read_bytes())
    assert piped.rows[0]["source"] == "-"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--between", "2", "9"],
            "walk.npy: 2 to 9 s: the motion has 4.05 s; expected two times of it in order",
        ),
        (["--after", "30"], "walk.npy: 30 s to be drawn: this model draws up to"),
        (["--keep", "0,x"], "--keep 0,x: expected times in seconds"),
        ([], "no span; expected two times to draw between"),
        (["--between", "1", "2", "--format", "fbx"], "--format fbx: expected some of npy"),
        (["--after", "1", "--length", "1"], "length is that of what is drawn between"),
    ],
)
def test_mistakes_are_named_in_a_sentence(bundle: Path, clips: Path, words: list[str], message: str) -> None:
    done = edit(bundle, clips, "walk.npy", *words)
    assert done.returncode == 2 and message in done.stderr.splitlines()[-1]
    assert not (clips / "out").exists()


def test_a_file_that_holds_no_motion_is_refused(bundle: Path, clips: Path) -> None:
    broken = np.load(clips / "walk.npy")
    broken[7] = np.nan
    np.save(clips / "broken.npy", broken)
    done = edit(bundle, clips, "broken.npy", "--after", "1")
    assert done.returncode == 2 and "broken.npy: " in done.stderr and "NaN" in done.stderr


def test_the_help_imports_nothing_heavy() -> None:
    found, done = imported_by(calling("edit", "--help"), "torch", "scipy", "av")
    assert found == [] and "--between" in done.stdout and "--keep" in done.stdout
