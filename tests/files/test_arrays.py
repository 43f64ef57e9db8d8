"""Motion files are recognised by content, refused with one sentence, and survive a round trip."""

from __future__ import annotations

import os

import numpy as np
import pytest

from lamp_cli.files.arrays import MotionFileError, load_motion, load_motions, save_joints
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.representation import joints_to_features
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.motion.transform import mirror, resample
from lamp_cli.storage import free_path, replacing, safe_stem


def test_joints_survive_a_round_trip(tmp_path, walk):
    save_joints(tmp_path / "walk.npy", walk)
    motion = load_motion(tmp_path / "walk.npy")
    assert isinstance(motion, Motion) and motion.fps == 20 and motion.seconds == 6.0
    np.testing.assert_allclose(motion.joints, walk, atol=1e-6)


def test_integer_joints_are_millimetres(tmp_path, walk):
    np.save(tmp_path / "walk.npy", np.round(walk * 1000).astype(np.int16))
    np.testing.assert_allclose(load_motion(tmp_path / "walk.npy").joints, walk, atol=0.0006)


def test_float_millimetres_are_recognised(tmp_path, walk):
    np.save(tmp_path / "walk.npy", (walk * 1000).astype(np.float32))
    np.testing.assert_allclose(load_motion(tmp_path / "walk.npy").joints, walk, atol=1e-5)


def test_features_are_kept_as_they_are(tmp_path, walk):
    features = joints_to_features(walk, HUMANML3D).astype(np.float32)
    np.save(tmp_path / "walk.npy", features)
    assert np.array_equal(load_motion(tmp_path / "walk.npy").to_features(), features)


def test_an_archive_yields_every_entry(tmp_path, walk):
    np.savez(tmp_path / "all.npz", a=walk, b=walk[:50])
    motions = list(load_motions(tmp_path / "all.npz"))
    assert [len(m.joints) for m in motions] == [120, 50]
    assert motions[1].source.endswith("all.npz:b")
    with pytest.raises(MotionFileError, match="several motions"):
        load_motion(tmp_path / "all.npz")


BROKEN = {
    "empty": (b"", "empty"),
    "text": (b"a person walks", "not a .npy"),
    "truncated": (b"\x93NUMPY\x01\x00", "cannot be read"),
    "zip": (b"PK\x03\x04broken", "cannot be read"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused_in_one_sentence(tmp_path, name):
    content, reason = BROKEN[name]
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(MotionFileError, match=reason) as refusal:
        load_motion(tmp_path / "x.npy")
    assert "x.npy" in str(refusal.value) and "\n" not in str(refusal.value)


ARRAYS = {
    "shape": (np.zeros((10, 5, 3)), "found shape"),
    "no frames": (np.zeros((0, 22, 3)), "no frames"),
    "nan": (np.full((4, 22, 3), np.nan), "first in frame 0"),
    "text": (np.array(["a"]), "expected joints"),
    "unit": (np.ones((4, 22, 3)) * np.arange(22)[None, :, None] * 1e6, "neither m nor mm"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_are_no_motion_are_refused(tmp_path, name):
    array, reason = ARRAYS[name]
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(MotionFileError, match=reason):
        load_motion(tmp_path / "x.npy")


def test_pickles_and_folders_are_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(MotionFileError, match="cannot be read"):
        load_motion(tmp_path / "x.npy")
    with pytest.raises(MotionFileError, match="a folder"):
        load_motion(tmp_path)


def test_mirroring_twice_is_the_same_clip(walk):
    mirrored = mirror(walk, HUMANML3D)
    assert not np.allclose(mirrored, walk)
    np.testing.assert_array_equal(mirror(mirrored, HUMANML3D), walk)
    left, right = HUMANML3D.joint_names.index("left_wrist"), HUMANML3D.joint_names.index("right_wrist")
    np.testing.assert_array_equal(mirrored[:, left] * [-1, 1, 1], walk[:, right])


def test_resampling_takes_every_nth_frame_for_whole_ratios(walk):
    np.testing.assert_array_equal(resample(walk, 120, 20), walk[::6])


def test_resampling_follows_smooth_curves():
    def curve(fps: float, frames: int) -> np.ndarray:
        time = np.arange(frames) / fps
        return np.sin(2.0 * time)[:, None, None] * np.ones((1, 22, 3))

    found = resample(curve(30, 91), 30, 20)
    assert len(found) == 61
    np.testing.assert_allclose(found, curve(20, 61), atol=2e-4)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_frame_rates_are_refused(walk, rate):
    with pytest.raises(ValueError, match="frame rates"):
        resample(walk, rate, 20)


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    target = tmp_path / "x.txt"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(target) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert target.read_text() == "old" and os.listdir(tmp_path) == ["x.txt"]


@pytest.mark.parametrize("text", ["../../etc/passwd", "/", "a\x00b", "", "a" * 500, "ä person: jumps!"])
def test_file_names_from_text_stay_in_their_folder(tmp_path, text):
    stem = safe_stem(text)
    assert stem and len(stem) <= 60 and (tmp_path / stem).parent == tmp_path
    (tmp_path / f"{stem}.npy").touch()


def test_free_path_counts_up(tmp_path):
    (tmp_path / "a.npy").touch()
    (tmp_path / "a_2.npy").touch()
    assert free_path(tmp_path / "a.npy").name == "a_3.npy"
    assert free_path(tmp_path / "a.npy", force=True).name == "a.npy"
