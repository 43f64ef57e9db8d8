"""SMPL poses become joints: closed forms for the neutral body, smplx's own body for a model of our making."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lamp_cli.files.arrays import MotionFileError
from lamp_cli.files.body_model import BodyModelError
from lamp_cli.files.load import load_motion
from lamp_cli.files.smpl import (
    BODY_JOINTS,
    holds_poses,
    model_joints,
    neutral_joints,
    read_poses,
)
from lamp_cli.motion.body_poses import BodyPoses
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from tests.conftest import wandering

STANDING = np.array([np.pi / 2, 0.0, 0.0])  # AMASS is z up: a standing body's root is turned about x.


def poses(frames: int = 3, joints: int = 52, **known) -> BodyPoses:
    rotations = np.zeros((frames, joints, 3))
    rotations[:, 0] = STANDING
    defaults = {"translation": np.zeros((frames, 3)), "betas": np.zeros(0), "gender": "neutral", "fps": 120.0}
    return BodyPoses(**{"rotations": rotations, **defaults, **known})


def body_model(path: Path, joints: int = 24, seed: int = 0) -> dict[str, np.ndarray]:
    """A body of our own making in the file format of SMPL: five vertices around every joint."""
    rng = np.random.default_rng(seed)
    rest = np.zeros((joints, 3))
    rest[:BODY_JOINTS] = neutral_joints(poses(1))[0]
    rest[BODY_JOINTS:] = rest[20]
    template = np.repeat(rest, 5, axis=0) + rng.normal(0, 0.03, (5 * joints, 3))
    parents = np.concatenate([HUMANML3D.parents, [20] * (joints - BODY_JOINTS)])
    model = {
        "v_template": template,
        "shapedirs": rng.normal(0, 0.01, (5 * joints, 3, 10)),
        "posedirs": np.zeros((5 * joints, 3, 9 * (joints - 1))),
        "J_regressor": np.repeat(np.eye(joints), 5, axis=1) / 5,
        "weights": np.repeat(np.eye(joints), 5, axis=0),
        "kintree_table": np.stack([parents, np.arange(joints)]).astype(np.int64),
        "f": np.array([[0, 1, 2]]),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **model)
    return model


def test_a_neutral_body_stands_upright_in_the_t_pose_with_the_corpus_bones() -> None:
    joints = neutral_joints(poses())
    lengths = np.linalg.norm(joints[:, 1:] - joints[:, list(HUMANML3D.parents[1:])], axis=-1)
    assert np.allclose(lengths, HUMANML3D.bone_lengths[1:], atol=1e-5)
    assert joints[0, 15, 1] > joints[0, 0, 1] + 0.5 > joints[0, 10, 1] + 1.2
    # Arms reach out to the sides at the shoulders' height, the left one to +x; the feet point to +z.
    assert joints[0, 20, 0] > 0.6 and abs(joints[0, 20, 1] - joints[0, 16, 1]) < 0.03
    assert joints[0, 10, 2] > joints[0, 7, 2] + 0.05


def test_rotations_turn_what_hangs_on_them_and_nothing_else() -> None:
    bent = poses(1)
    bent.rotations[0, 4] = [
        np.pi / 2,
        0.0,
        0.0,
    ]  # The left knee: the shin points backwards.
    straight, joints = neutral_joints(poses(1))[0], neutral_joints(bent)[0]
    moved = np.linalg.norm(joints - straight, axis=-1) > 1e-6
    assert set(np.flatnonzero(moved)) == {7, 10}
    shin, was = joints[7] - joints[4], straight[7] - straight[4]
    assert np.allclose(shin, [was[0], -was[2], was[1]], atol=1e-6) and shin[2] < -0.3


def test_the_translation_moves_up_along_z() -> None:
    lifted = poses(1, translation=np.array([[1.0, 2.0, 3.0]]))
    moved = neutral_joints(lifted) - neutral_joints(poses(1))
    assert np.allclose(moved, [1.0, 3.0, -2.0], atol=1e-6)


def test_a_body_model_gives_the_joints_of_smplx(tmp_path: Path) -> None:
    import torch
    from smplx import SMPL
    from smplx.utils import Struct

    model = body_model(tmp_path / "smpl" / "SMPL_FEMALE.npz")
    rng = np.random.default_rng(1)
    frames = 4
    given = BodyPoses(
        rng.normal(0, 0.5, (frames, 24, 3)),
        rng.normal(0, 1, (frames, 3)),
        rng.normal(0, 1, 10),
        "female",
        60.0,
    )
    body = SMPL(
        "",
        data_struct=Struct(**model),
        batch_size=frames,
        dtype=torch.float64,
        vertex_ids={name: 0 for name in _extra_vertices()},
    )
    result = body(
        betas=torch.from_numpy(given.betas)[None].expand(frames, -1),
        global_orient=torch.from_numpy(given.rotations[:, :1].reshape(frames, -1)),
        body_pose=torch.from_numpy(given.rotations[:, 1:].reshape(frames, -1)),
        transl=torch.from_numpy(given.translation),
    )
    expected = result.joints[:, :BODY_JOINTS].detach().numpy() @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    assert np.allclose(model_joints(given, tmp_path), expected, atol=1e-5)


def _extra_vertices() -> list[str]:
    from smplx.vertex_ids import vertex_ids

    return list(vertex_ids["smplh"])


def test_the_shape_changes_the_bones_and_the_neutral_body_stands_in(tmp_path: Path) -> None:
    body_model(tmp_path / "neutral" / "model.npz", joints=52)
    plain = model_joints(poses(1, gender="male"), tmp_path)
    shaped = model_joints(poses(1, gender="male", betas=np.full(16, 2.0)), tmp_path)
    assert np.abs(plain - shaped).max() > 0.005


def test_a_body_model_that_does_not_fit_is_said(tmp_path: Path) -> None:
    with pytest.raises(BodyModelError, match="no such folder"):
        model_joints(poses(), tmp_path / "none")
    body_model(tmp_path / "SMPL_NEUTRAL.npz", joints=24)
    with pytest.raises(BodyModelError, match="no SMPL-H body model"):
        model_joints(poses(joints=52), tmp_path)
    (tmp_path / "broken.npz").write_bytes(b"PK broken")
    with pytest.raises(BodyModelError, match="broken"):
        model_joints(poses(joints=52), tmp_path)


def test_both_generations_of_amass_are_read() -> None:
    old = {"poses": np.zeros((5, 156)), "trans": np.zeros((5, 3)), "mocap_framerate": np.array(120.0)}
    new = {"root_orient": np.zeros((5, 3)), "pose_body": np.zeros((5, 63)), "trans": np.zeros((5, 3))}
    assert holds_poses(old) and holds_poses(new) and not holds_poses({"poses": 1})
    first = read_poses({**old, "gender": np.array("female"), "betas": np.zeros(16)}, "a.npz")
    assert (first.fps, first.gender, first.rotations.shape) == (120.0, "female", (5, 52, 3))
    second = read_poses({**new, "gender": np.array(b"male"), "mocap_frame_rate": np.array(60)}, "b.npz")
    assert (second.fps, second.gender, second.rotations.shape) == (60.0, "male", (5, 22, 3))


@pytest.mark.parametrize(
    "wrong",
    [
        {"poses": np.zeros((0, 156)), "trans": np.zeros((0, 3))},
        {"poses": np.zeros((5, 20)), "trans": np.zeros((5, 3))},
        {"poses": np.zeros((5, 156)), "trans": np.zeros((4, 3))},
        {"poses": np.full((5, 156), np.nan), "trans": np.zeros((5, 3))},
        {"poses": np.zeros((5, 156)), "trans": np.zeros((5, 3)), "mocap_framerate": np.array(0.0)},
    ],
)
def test_what_is_no_pose_is_refused_with_the_file(wrong: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match=r"c\.npz"):
        read_poses(wrong, "c.npz")


def test_an_amass_file_is_a_motion_on_the_floor_at_its_own_rate(tmp_path: Path) -> None:
    standing = np.zeros((240, 52, 3))
    standing[:, 0] = STANDING
    arrays = {
        "poses": standing.reshape(240, -1),
        "trans": np.zeros((240, 3)),
        "mocap_framerate": np.array(120.0),
    }
    np.savez(tmp_path / "take.npz", gender=np.array("female"), betas=np.zeros(16), **arrays)
    motion = load_motion(tmp_path / "take.npz")
    assert (motion.fps, motion.joints.shape) == (120.0, (240, 22, 3))
    assert abs(float(motion.joints[..., 1].min())) < 0.05 and "neutral body" in motion.notes[0]
    body_model(tmp_path / "models" / "female" / "model.npz", joints=52)
    known = load_motion(tmp_path / "take.npz", body_models=tmp_path / "models")
    assert not any("neutral body" in note for note in known.notes)
    np.savez(tmp_path / "no_rate.npz", poses=arrays["poses"], trans=arrays["trans"])
    assert "20 frames per second assumed" in " ".join(load_motion(tmp_path / "no_rate.npz").notes)
    np.savez(tmp_path / "broken.npz", poses=np.zeros((60, 10)), trans=np.zeros((60, 3)))
    with pytest.raises(MotionFileError, match="broken"):
        load_motion(tmp_path / "broken.npz")


def test_a_written_motion_is_read_back_on_the_neutral_body(tmp_path: Path) -> None:
    rotations = np.zeros((60, 22, 3))
    rotations[:, 0] = STANDING
    rotations[:, 18, 1] = np.linspace(0.0, -1.5, 60)
    rotations[:, 16, 2] = np.linspace(0.0, -1.2, 60)
    given = BodyPoses(rotations, np.linspace([0, 0, 0.93], [1, 1, 0.93], 60), np.zeros(0), "neutral", 30.0)
    motion = Motion(neutral_joints(given), HUMANML3D, 30.0)
    motion.save(tmp_path / "a.npz")
    again = load_motion(with_poses_alone(tmp_path / "a.npz"))
    assert (again.fps, again.joints.shape) == (30.0, motion.joints.shape)
    assert np.linalg.norm(again.joints - motion.joints, axis=-1).mean() < 1e-3
    with np.load(tmp_path / "a.npz") as archive:
        names = {"trans", "poses", "root_orient", "pose_body", "betas", "gender", "mocap_frame_rate"}
        assert set(archive.files) == {*names, "surface_model_type", "lamp_joints", "lamp_joints_of"}
        assert (archive["mocap_frame_rate"], str(archive["gender"])) == (30.0, "neutral")
        assert np.abs(archive["trans"] - given.translation).max() < 1e-5
        found = archive["poses"].reshape(60, -1, 3)
    assert found.shape == (60, 55, 3) and not found[:, BODY_JOINTS:].any()
    assert np.abs(found[:, 18] - rotations[:, 18]).max() < 0.05


def with_poses_alone(path: Path, **changed: np.ndarray) -> Path:
    """A copy of a written file as another program has it: without what is ours alone."""
    with np.load(path) as archive:
        kept = {name: archive[name] for name in archive.files if not name.startswith("lamp_")}
    copy = path.with_name(f"alone_{path.name}")
    np.savez(copy, **{**kept, **changed})
    return copy


def test_a_written_motion_comes_back_with_its_own_bones(tmp_path: Path) -> None:
    motion = Motion(wandering(HUMANML3D, 40) * np.linspace(0.7, 0.9, 22)[:, None], HUMANML3D, 25.0)
    motion.save(tmp_path / "a.npz")
    # Bones that grow from frame to frame are no body's, as far as poses go.
    again = load_motion(tmp_path / "a.npz")
    lower = again.joints - motion.joints
    assert np.ptp(lower, axis=(0, 1)).max() < 1e-5, "the floor apart"
    assert not [note for note in again.notes if "neutral body" in note]
    again.save(tmp_path / "b.npz")
    assert np.abs(load_motion(tmp_path / "b.npz").joints - again.joints).max() < 1e-5


@pytest.mark.parametrize("entry", ["poses", "trans"])
def test_poses_that_were_changed_since_are_what_counts(entry: str, tmp_path: Path) -> None:
    Motion(wandering(HUMANML3D, 40), HUMANML3D, 20.0).save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    np.savez(tmp_path / "b.npz", **{**arrays, entry: arrays[entry] + np.float32(0.01)})
    changed = load_motion(tmp_path / "b.npz")
    alone = load_motion(with_poses_alone(tmp_path / "b.npz"))
    np.testing.assert_array_equal(changed.joints, alone.joints)
    assert [note for note in changed.notes if "neutral body" in note]
    np.savez(tmp_path / "c.npz", **{**arrays, "lamp_joints": arrays["lamp_joints"][:5]})
    with pytest.raises(MotionFileError, match=r"c\.npz: lamp_joints: expected joints \(40, 22, 3\)"):
        load_motion(tmp_path / "c.npz")


def test_bodies_of_another_size_keep_their_pose_and_their_feet_on_the_floor(tmp_path: Path) -> None:
    adult = neutral_joints(poses(20))
    adult -= adult[..., 1].min() * np.array([0, 1, 0], dtype=np.float32)
    Motion(adult * 0.7, HUMANML3D, 20.0).save(tmp_path / "child.npz")
    assert np.abs(load_motion(with_poses_alone(tmp_path / "child.npz")).joints - adult).max() < 2e-3


def test_smpl_poses_of_kits_joints_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="found kit's"):
        Motion(wandering(KIT, 10), KIT, 12.5).save(tmp_path / "a.npz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("as_matrices", [False, True])
def test_poses_estimated_from_video_are_read(as_matrices: bool, tmp_path: Path) -> None:
    rotation = pytest.importorskip("scipy.spatial.transform").Rotation
    vectors = np.random.default_rng(3).normal(0, 0.2, (30, 24, 3))
    vectors[0, 5] = [np.pi, 0.0, 0.0]
    place = np.linspace([0, 1.15, 0], [1, 1.15, 1], 30)
    turns = rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(30, 24, 3, 3)
    given = turns if as_matrices else vectors
    arrays = {"global_orient": given[:, :1], "body_pose": given[:, 1:], "betas": np.zeros((30, 10))}
    np.savez(tmp_path / "a.npz", **arrays, transl=place)
    motion = load_motion(tmp_path / "a.npz")
    expected = neutral_joints(BodyPoses(vectors, place, np.zeros(10), "neutral", None, up="y"))
    assert np.abs(motion.joints - expected).max() < 1e-5
    assert "20 frames per second assumed" in " ".join(motion.notes)
    np.savez(tmp_path / "b.npz", **arrays, fps=30.0)
    assert load_motion(tmp_path / "b.npz").fps == 30.0
    np.savez(tmp_path / "c.npz", global_orient=given[:5, 0], body_pose=given[:, 1:])
    with pytest.raises(MotionFileError, match=r"c\.npz: expected one of each per frame"):
        load_motion(tmp_path / "c.npz")
