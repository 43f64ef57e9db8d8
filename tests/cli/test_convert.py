"""``lamp convert`` through the real command line."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest

from lamp_cli.files.load import load_motion
from lamp_cli.metrics.physics import bone_drift
from lamp_cli.motion.joint_rotations import joint_rotations
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from lamp_cli.synthetic.corpus import synthetic_clip_of
from tests.command_line import lamp, lamp_process
from tests.conftest import wandering


@pytest.fixture
def joints(tmp_path: Path) -> np.ndarray:
    """A motion whose bones keep their lengths; it lies in ``a.npy``."""
    found = joint_rotations(wandering(HUMANML3D, 30), HUMANML3D, 20.0).joints().astype(np.float32)
    np.save(tmp_path / "a.npy", found)
    return found


def test_a_motion_goes_through_every_format_and_comes_back(joints: np.ndarray, tmp_path: Path) -> None:
    for source, place in (("a.npy", "a.bvh"), ("a.bvh", "b.npz"), ("b.npz", "c.bvh"), ("c.bvh", "c.npy")):
        done = lamp("convert", source, place, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"source": source, "motion": place, "frames": 30, "fps": 20.0}
    assert np.abs(load_motion(tmp_path / "a.bvh").joints - joints).max() < 0.03
    assert load_motion(tmp_path / "c.npy").joints.shape == joints.shape
    assert "neutral body" in lamp("convert", "a.bvh", "d.npz", cwd=tmp_path).stderr


def test_a_process_of_its_own_prints_one_line_per_file(joints: np.ndarray, tmp_path: Path) -> None:
    done = lamp_process("convert", "a.npy", "--format", "bvh", "--output", "out", cwd=tmp_path)
    assert [row["motion"] for row in done.rows] == [str(Path("out") / "a.bvh")]
    assert load_motion(tmp_path / "out" / "a.bvh").joints.shape == joints.shape


def test_folders_archives_and_lines_of_stdin_are_converted(joints: np.ndarray, tmp_path: Path) -> None:
    np.savez(tmp_path / "many.npz", first=joints, second=joints[:20])
    lines = json.dumps({"motion": str(tmp_path / "a.npy"), "text": "a person walks"}) + "\nmissing.npy\n"
    words = ("--format", "bvh", "--output", "out")
    done = lamp("convert", "many.npz", "-", *words, cwd=tmp_path, stdin=lines)
    assert (done.returncode, "missing.npy" in done.stderr) == (1, True)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["motion"] for record in records] == [
        str(Path("out") / name) for name in ("many_first.bvh", "many_second.bvh", "a.bvh")
    ]
    assert [record["frames"] for record in records] == [30, 20, 30]
    assert (records[0]["take"], records[2]["text"]) == ("first", "a person walks")
    again = lamp("convert", "out", *words, cwd=tmp_path)
    assert [Path(json.loads(line)["motion"]).name for line in again.stdout.splitlines()] == [
        "a_2.bvh",
        "many_first_2.bvh",
        "many_second_2.bvh",
    ]


def test_several_processes_write_what_one_does(joints: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(5):
        np.save(tmp_path / "in" / f"take{number}.npy", joints[: 20 + number])
    (tmp_path / "in" / "take2.npy").write_bytes(b"no array")
    one, two = (
        lamp("convert", "in", "--format", "bvh", "--output", out, "--workers", workers, cwd=tmp_path)
        for out, workers in (("one", "1"), ("two", "2"))
    )
    assert one.stdout.replace("one/", "two/") == two.stdout and len(two.stdout.splitlines()) == 4
    assert one.stderr == two.stderr and "take2.npy" in two.stderr
    for path in sorted((tmp_path / "one").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_a_closed_pipe_ends_the_command(joints: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(3):
        np.save(tmp_path / "in" / f"take{number}.npy", joints)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lamp_cli.cli.convert.emit", _gone)
        done = lamp("convert", "in", "--format", "npy", "--output", "out", "--force", cwd=tmp_path)
    assert (done.returncode, "left out" in done.stderr) == (0, False)
    assert len(list((tmp_path / "out").iterdir())) == 1


def _gone(*given: object) -> None:
    raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def test_rates_and_units_are_kept_or_said(joints: np.ndarray, tmp_path: Path) -> None:
    lamp("convert", "a.npy", "a.bvh", "--fps", "60", "--scale", "m", cwd=tmp_path)
    motion = load_motion(tmp_path / "a.bvh")
    assert (motion.fps, motion.notes) == (60.0, ())
    done = lamp("convert", "a.bvh", "b.npy", cwd=tmp_path)
    assert "20 frames per second" in done.stderr
    assert json.loads(done.stdout)["frames"] == 10
    done = lamp("convert", "a.bvh", "c.bvh", "--output-fps", "30", cwd=tmp_path)
    assert (json.loads(done.stdout)["frames"], load_motion(tmp_path / "c.bvh").fps) == (15, 30.0)


def test_clean_holds_feet_and_keeps_the_body(joints: np.ndarray, tmp_path: Path) -> None:
    shaken = joints + np.random.default_rng(0).normal(0, 0.004, joints.shape) - [0, 0.03, 0]
    np.save(tmp_path / "b.npy", shaken.astype(np.float32))
    done = lamp("convert", "b.npy", "c.npy", "--clean", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    clean = np.load(tmp_path / "c.npy")
    assert clean[..., 1].min() > -1e-4 and bone_drift(clean) < 0.1 < bone_drift(shaken)
    assert np.linalg.norm(clean - joints, axis=-1).mean() < 0.05
    np.save(tmp_path / "kit.npy", wandering(KIT, 20).astype(np.float32))
    assert "cannot be cleaned up" in lamp("convert", "kit.npy", "k.npy", "--clean", cwd=tmp_path).stderr


def made_up(action: str, path: Path) -> np.ndarray:
    """A synthetic clip, which then lies in ``path``."""
    joints = synthetic_clip_of(action, np.random.default_rng(3)).joints
    np.save(path, joints)
    return joints


def test_a_walk_becomes_a_loop_in_place_or_along_a_path(tmp_path: Path) -> None:
    made_up("walk", tmp_path / "walk.npy")
    (tmp_path / "way.txt").write_text("0 0\n0 0.9\n0.9 0.9\n")
    (tmp_path / "way.svg").write_text('<svg><path d="M0 0 V90 H90"/></svg>')
    [row] = lamp("convert", "walk.npy", "loop.npy", "--loop", "--in-place", cwd=tmp_path).rows
    loop = np.load(tmp_path / "loop.npy")
    assert row["in_place"] and row["loop"]["end"] - row["loop"]["start"] == pytest.approx(
        (len(loop) - 1) / 20
    )
    np.testing.assert_allclose(loop[0], loop[-1], atol=1e-5)
    [written] = lamp("convert", "walk.npy", "written.npy", "--path", "way.txt", cwd=tmp_path).rows
    [drawn] = lamp("convert", "walk.npy", "drawn.npy", "--path", "way.svg", cwd=tmp_path).rows
    assert written["path"] == drawn["path"] and written["path"]["error"] < 0.1
    assert written["path"]["covered"] == pytest.approx(written["path"]["length"], abs=0.02)


def test_another_rate_comes_back(tmp_path: Path) -> None:
    made_up("walk", tmp_path / "walk.npy")
    lamp("convert", "walk.npy", "fast.bvh", "--output-fps", "60", cwd=tmp_path)
    [row] = lamp("convert", "fast.bvh", "loop.bvh", "--loop", cwd=tmp_path).rows
    loop = load_motion(tmp_path / "loop.bvh")
    assert row["fps"] == loop.fps == 60.0
    poses = loop.joints - loop.joints[:, :1] * np.float32([1, 0, 1])
    assert np.linalg.norm(poses[0] - poses[-1], axis=-1).max() < 0.01


def test_of_a_folder_what_cannot_loop_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for action in ("walk", "sit down"):
        made_up(action, tmp_path / "in" / f"{action}.npy")
    words = ("--format", "bvh", "--output", "out", "--loop", "--workers", "2")
    done = lamp("convert", "in", *words, cwd=tmp_path)
    assert [Path(row["motion"]).name for row in done.rows] == ["walk.bvh"]
    assert f"left out: {Path('in') / 'sit down.npy'}: the motion cannot loop" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sit.npy", "--loop"), "sit.npy: the motion cannot loop: it never comes back"),
        (("short.npy", "--loop"), "short.npy: the motion cannot loop: it lasts 0.05 s"),
        (("sit.npy", "--path", "way.txt"), "sit.npy: the motion travels 0."),
        (("short.npy", "--path", "way.txt"), "short.npy: the motion travels 0.00 m"),
        (("sit.npy", "--path", "point.txt"), "point.txt: a path of 0 m (1 point)"),
        (("sit.npy", "--path", "nan.txt"), "nan.txt: line 2: expected finite numbers"),
        (("sit.npy", "--path", "broken.svg"), "broken.svg: no SVG picture"),
        (("sit.npy", "--path", "missing.txt"), "missing.txt: no such file"),
        (("sit.npy", "--path", "way.txt", "--loop"), "--path and --loop: expected one of them"),
        (("sit.npy", "--path", "way.txt", "--in-place"), "--path and --in-place: expected one of them"),
    ],
)
def test_what_cannot_be_directed_is_said(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    sitting = made_up("sit down", tmp_path / "sit.npy")
    np.save(tmp_path / "short.npy", sitting[:1])
    files = {"way.txt": "0 0\n0 2\n", "point.txt": "1 1\n", "nan.txt": "0 0\n0 nan\n", "broken.svg": "<svg"}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    done = lamp("convert", words[0], "out.npy", *words[1:], cwd=tmp_path)
    assert done.returncode == 2 and said in done.stderr.splitlines()[-1], done.stderr
    assert not (tmp_path / "out.npy").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("a.npy",), "expected IN and OUT, or --format"),
        (("a.npy", "b.npy", "c.bvh"), "expected IN and OUT, or --format"),
        (("a.npy", "a.fbx"), "expected a name ending in .npy, .bvh, .npz"),
        (("a.npy", "--format", "fbx"), "expected one of npy, bvh, npz"),
        (("kit.npy", "kit.npz"), "kit.npy: an SMPL body needs HumanML3D's joints"),
        (("many.npz", "a.bvh"), "holds 2 motions"),
        (("missing.npy", "a.bvh"), "missing.npy"),
        (("a.npy", "a.bvh", "--output-fps", "0"), "--output-fps 0"),
    ],
)
def test_what_cannot_be_converted_is_said_and_nothing_is_written(
    words: tuple[str, ...], said: str, joints: np.ndarray, tmp_path: Path
) -> None:
    np.save(tmp_path / "kit.npy", wandering(KIT, 10).astype(np.float32))
    np.savez(tmp_path / "many.npz", a=joints, b=joints)
    before = sorted(tmp_path.iterdir())
    done = lamp("convert", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "") and said in done.stderr
    assert len(done.stderr.splitlines()) == 1 or "frames per second" in done.stderr
    assert sorted(tmp_path.iterdir()) == before
