"""Motion files are recognised by content, refused with one sentence, and survive a round trip."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest

from lamp_cli.files.arrays import MotionFileError, save_joints
from lamp_cli.files.load import load_motion, load_motions
from lamp_cli.files.reading import Reading
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.representation import joints_to_features
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.motion.transform import mirror, resample
from lamp_cli.storage import replacing, safe_stem
from tests.conftest import stepping, wandering
from tests.files.test_bvh import called

# The joints of Kimodo's files, as its documentation lists them.
_FINGERS = (
    "Thumb1 Thumb2 Thumb3 ThumbEnd Index1 Index2 Index3 Index4 IndexEnd Middle1 Middle2 Middle3 Middle4 "
    "MiddleEnd Ring1 Ring2 Ring3 Ring4 RingEnd Pinky1 Pinky2 Pinky3 Pinky4 PinkyEnd"
)
SOMA77 = "Hips Spine1 Spine2 Chest Neck1 Neck2 Head HeadEnd Jaw LeftEye RightEye".split()
for _side in ("Left", "Right"):
    SOMA77 += [f"{_side}{part}" for part in ("Shoulder", "Arm", "ForeArm", "Hand")]
    SOMA77 += [f"{_side}Hand{finger}" for finger in _FINGERS.split()]
SOMA77 += [f"{s}{p}" for s in ("Left", "Right") for p in ("Leg", "Shin", "Foot", "ToeBase", "ToeEnd")]
SOMA30 = {
    name for name in SOMA77 if "Hand" not in name and name not in ("HeadEnd", "LeftToeEnd", "RightToeEnd")
}
SOMA30 |= {f"{s}{p}" for s in ("Left", "Right") for p in ("Hand", "HandThumbEnd", "HandMiddleEnd")}


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
    "unit": (np.ones((4, 22, 3)) * np.arange(22)[None, :, None] * 1e6, "no known unit"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_are_no_motion_are_refused(tmp_path, name):
    array, reason = ARRAYS[name]
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(MotionFileError, match=reason):
        load_motion(tmp_path / "x.npy")


def shapes_of_the_field(walk):
    """Arrays that hold the walk in the shapes that programs of the field write."""
    more = np.concatenate([walk, np.repeat(walk[:, :1], 30, axis=1)], axis=1)
    return {
        "SMPL": (more[:, :24], 1),
        "SMPL-H": (more, 1),
        "flat": (walk.reshape(len(walk), 66), 1),
        "batch of one": (walk[None], 1),
        "batch": (np.stack([walk, walk]), 2),
        "MDM": (np.stack([walk.transpose(1, 2, 0)] * 3), 3),
        "one of MDM": (walk.transpose(1, 2, 0), 1),
        "transposed": (walk.transpose(0, 2, 1), 1),
    }


@pytest.mark.parametrize(
    "name", ["SMPL", "SMPL-H", "flat", "batch of one", "batch", "MDM", "one of MDM", "transposed"]
)
def test_shapes_that_the_field_writes_are_read(tmp_path, walk, name):
    array, count = shapes_of_the_field(walk)[name]
    np.save(tmp_path / "x.npy", array)
    motions = list(load_motions(tmp_path / "x.npy", Reading(20.0)))
    assert len(motions) == count and len({m.source for m in motions}) == count
    for motion in motions:
        assert not motion.notes
        np.testing.assert_allclose(motion.joints, walk, atol=1e-6)


def test_a_batch_of_features_is_read(tmp_path, walk):
    features = joints_to_features(walk, HUMANML3D)
    np.save(tmp_path / "x.npy", np.stack([features, features]))
    assert [np.array_equal(m.features, features) for m in load_motions(tmp_path / "x.npy")] == [True, True]


def test_an_archive_of_one_motion_gives_its_joints_and_rate(tmp_path, walk):
    np.savez(tmp_path / "x.npz", foot_contacts=np.zeros((120, 4)), posed_joints=walk, fps=30.0)
    motion = load_motion(tmp_path / "x.npz")
    assert motion.fps == 30.0 and not motion.notes
    np.testing.assert_allclose(motion.joints, walk, atol=1e-6)
    assert load_motion(tmp_path / "x.npz", 60.0).fps == 60.0


def test_pickled_results_say_what_to_do(tmp_path):
    np.save(tmp_path / "results.npy", np.array({"motion": np.zeros((1, 22, 3, 60))}), allow_pickle=True)
    with pytest.raises(MotionFileError, match=r"pickled .* save the joints alone"):
        load_motion(tmp_path / "results.npy")


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("x.fbx", b"Kaydara FBX Binary", "an FBX file"),
        ("x.c3d", b"\x02P\x00\x00\x00\x00", "a C3D file"),
        ("x.csv", b"0.1,0.2,0.3", "a CSV table"),
        ("x.json", b'{"fps": 20}', "a JSON file"),
        ("x.pkl", b"\x80\x04\x95", "a pickle"),
    ],
)
def test_other_formats_are_named(tmp_path, name, content, found):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MotionFileError, match=f"{name}: {found}, expected joints"):
        load_motion(tmp_path / name)


def test_an_fbx_file_is_refused_with_a_way_out(tmp_path):
    (tmp_path / "x.fbx").write_bytes(b"Kaydara FBX Binary")
    with pytest.raises(MotionFileError, match=r"blender -b --python-expr .*export_anim"):
        load_motion(tmp_path / "x.fbx")


def test_what_is_assumed_or_repaired_is_noted(tmp_path, walk):
    np.save(tmp_path / "x.npy", walk * 100)
    motion = load_motion(tmp_path / "x.npy")
    assert motion.notes == (
        "taken for centimetres, converted to metres",
        "no frame rate given, 20 frames per second assumed (--fps)",
    )
    np.testing.assert_allclose(motion.joints, walk, atol=1e-5)
    with pytest.raises(ValueError, match="a frame rate must be a positive number"):
        load_motion(tmp_path / "x.npy", float("nan"))


def test_an_assumed_rate_is_doubted_when_steps_take_too_long(tmp_path):
    np.save(tmp_path / "x.npy", stepping(0.5, 120))
    assert "about 120 frames per second" in load_motion(tmp_path / "x.npy").notes[-1]
    assert load_motion(tmp_path / "x.npy", 120).notes == ()


def test_normalised_features_are_refused(tmp_path, walk):
    features = joints_to_features(walk, HUMANML3D)
    np.save(tmp_path / "x.npy", (features - features.mean(axis=0)) / (features.std(axis=0) + 0.01))
    with pytest.raises(MotionFileError, match=r"x\.npy: .*are they normalised"):
        load_motion(tmp_path / "x.npy")
    features[10] = 0.0
    np.save(tmp_path / "x.npy", features)
    with pytest.raises(MotionFileError, match="frame 10 holds only zeros"):
        load_motion(tmp_path / "x.npy")


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_a_damaged_archive_is_named(tmp_path, walk, write):
    write(tmp_path / "x.npz", take=walk)
    content = (tmp_path / "x.npz").read_bytes()
    middle = len(content) // 2
    for damaged in (
        content[:middle] + content[middle + 50 :],
        content[:middle] + bytes(50) + content[middle + 50 :],
    ):
        (tmp_path / "x.npz").write_bytes(damaged)
        with pytest.raises(MotionFileError, match=r"x\.npz: cannot be read"):
            load_motion(tmp_path / "x.npz")


def test_a_rate_in_an_archive_that_is_no_number_is_none(tmp_path, walk):
    np.savez(tmp_path / "x.npz", joints=walk, fps=np.array(3j))
    assert load_motion(tmp_path / "x.npz").fps == 20


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


@pytest.mark.parametrize(
    "text", ["../../etc/passwd", "/", "a\x00b", "", "a" * 500, "ä person: jumps!", "CON", "C:\\x"]
)
def test_file_names_from_text_stay_in_their_folder(tmp_path, text):
    stem = safe_stem(text)
    assert stem and len(stem) <= 60 and (tmp_path / stem).parent == tmp_path
    assert not re.search(r"[\\/:]", stem) and stem != "con"
    (tmp_path / f"{stem}.npy").touch()


@pytest.mark.parametrize("whole", [True, False])
def test_kimodos_joints_are_those_of_its_skeleton(whole: bool, tmp_path: Path) -> None:
    joints = wandering(HUMANML3D, 30).astype(np.float32)
    names = SOMA77 if whole else [name for name in SOMA77 if name in SOMA30]
    ours = {called(name, "SOMA"): number for number, name in enumerate(HUMANML3D.joint_names)}
    # Eyes, jaw and fingers lie at the head, where they are no joint of the 22.
    positions = joints[:, [ours.get(name, ours["Head"]) for name in names]]
    rotations = np.zeros((30, len(names), 3, 3), dtype=np.float32)
    np.savez(tmp_path / "motion.npz", posed_joints=positions, local_rot_mats=rotations)
    motion = load_motion(tmp_path / "motion.npz")
    assert (motion.fps, motion.notes) == (30.0, ())
    np.testing.assert_array_equal(motion.joints, joints)
