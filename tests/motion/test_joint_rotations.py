"""Rotations from joints: known turns come back, limbs are hinges, no flip where a limb is straight."""

from __future__ import annotations

import numpy as np
import pytest

from lamp_cli.motion import rotation
from lamp_cli.motion.joint_rotations import JointRotations, forward, joint_rotations, t_pose
from lamp_cli.motion.skeleton import HUMANML3D, KIT, Skeleton
from tests.conftest import wandering

FPS = 20.0


def turn(axis: tuple[float, float, float], degrees: np.ndarray | float) -> np.ndarray:
    half = np.radians(np.asarray(degrees, dtype=float)) / 2
    return np.concatenate([np.cos(half)[..., None], np.sin(half)[..., None] * np.array(axis)], axis=-1)


def resting(frames: int, skeleton: Skeleton = HUMANML3D) -> np.ndarray:
    rotations = np.zeros((frames, skeleton.joints, 4))
    rotations[..., 0] = 1.0
    return rotations


def of(rotations: np.ndarray, root: np.ndarray | None = None) -> JointRotations:
    """What is found from the joints that rotations give in the T-pose."""
    place = np.zeros((len(rotations), 3)) if root is None else root
    joints = forward(rotations, place, t_pose(HUMANML3D), HUMANML3D)
    return joint_rotations(joints, HUMANML3D, FPS)


def degrees_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(2 * np.arccos(np.clip(np.abs(np.sum(a * b, axis=-1)), 0, 1)))


def joint(name: str) -> int:
    return HUMANML3D.joint_names.index(name)


def test_the_t_pose_is_no_turn_and_the_rest_is_the_t_pose() -> None:
    found = of(resting(10))
    assert degrees_between(found.rotations, resting(10)).max() < 0.1
    assert np.abs(found.offsets - t_pose(HUMANML3D)).max() < 1e-3


@pytest.mark.parametrize("skeleton", [HUMANML3D, KIT])
def test_forward_kinematics_gives_the_joints_back(skeleton: Skeleton) -> None:
    joints = wandering(skeleton, 80)
    found = joint_rotations(joints, skeleton, skeleton.fps)
    # The made-up bones change their lengths by centimetres.
    assert np.linalg.norm(found.joints() - joints, axis=-1).mean() < 0.06
    again = joint_rotations(found.joints(), skeleton, skeleton.fps)
    assert np.linalg.norm(again.joints() - found.joints(), axis=-1).mean() < 0.01
    lengths = np.linalg.norm(found.joints()[:, 1:] - found.joints()[:, list(skeleton.parents[1:])], axis=-1)
    assert np.ptp(lengths, axis=0).max() < 1e-9


@pytest.mark.parametrize("heading", [0.0, 90.0, 180.0, 270.0])
def test_the_twist_of_bent_limbs_is_found(heading: float) -> None:
    frames = 40
    rotations = resting(frames)
    rotations[:, 0] = turn((0, 1, 0), heading)
    bones = {"left_hip": (0, -1, 0), "left_shoulder": (1, 0, 0), "right_shoulder": (-1, 0, 0)}
    twists = np.linspace(-50, 60, frames)
    for name, along in bones.items():
        rotations[:, joint(name)] = turn(along, twists)
    for name, hinge in {"left_knee": (1, 0, 0), "left_elbow": (0, -1, 0), "right_elbow": (0, 1, 0)}.items():
        rotations[:, joint(name)] = turn(hinge, 80.0)
    found = of(rotations)
    for name in (*bones, "left_knee", "left_elbow", "right_elbow"):
        assert degrees_between(found.rotations[:, joint(name)], rotations[:, joint(name)]).max() < 1.5, name


def test_a_straight_arm_between_two_bends_twists_evenly() -> None:
    frames = 40
    rotations = resting(frames)
    rotations[:20, joint("left_elbow")] = turn((0, -1, 0), np.maximum(60 - 6.0 * np.arange(20), 0.0))
    rotations[20:, joint("left_shoulder")] = turn((1, 0, 0), 120.0)
    rotations[20:, joint("left_elbow")] = turn((0, -1, 0), np.maximum(6.0 * np.arange(20) - 60, 0.0))
    noise = np.random.default_rng(0).normal(0, 0.001, (frames, 22, 3))
    joints = forward(rotations, np.zeros((frames, 3)), t_pose(HUMANML3D), HUMANML3D) + noise
    found = joint_rotations(joints, HUMANML3D, FPS).rotations
    steps = degrees_between(found[1:], found[:-1])
    assert steps[:, joint("left_shoulder")].max() < 25
    assert degrees_between(found[-1, joint("left_shoulder")], turn((1, 0, 0), 120.0)) < 5


def test_an_arm_that_straightens_twists_no_faster_than_arms_do() -> None:
    frames = 12
    rotations = resting(frames)
    rotations[6:, joint("left_shoulder")] = turn((1, 0, 0), 120.0)
    bends = np.array([90, 90, 90, 90, 90, 70, 30, 25, 25, 25, 25, 25])
    rotations[:, joint("left_elbow")] = turn((0, -1, 0), bends)
    found = of(rotations).rotations
    assert degrees_between(found[1:], found[:-1])[:, joint("left_shoulder")].max() < 45


def test_a_foot_that_points_away_from_its_rest_does_not_flip() -> None:
    # Past the opposite of its rest at 10 degrees, from one side to the other.
    frames = 30
    sides = np.radians(np.clip(40.0 * (np.arange(frames) - 12), 0, 200))
    rest = t_pose(HUMANML3D)[joint("left_foot")]
    first = rotation.unit(np.cross(rest, [1.0, 0.0, 0.0]))
    second = rotation.unit(np.cross(rest, first))
    axes = np.cos(sides)[:, None] * first + np.sin(sides)[:, None] * second
    half = np.full((frames, 1), np.radians(170) / 2)
    rotations = resting(frames)
    rotations[:, joint("left_knee")] = turn((1, 0, 0), 90.0)
    rotations[:, joint("left_ankle")] = np.concatenate([np.cos(half), np.sin(half) * axes], axis=-1)
    joints = forward(rotations, np.zeros((frames, 3)), t_pose(HUMANML3D), HUMANML3D)
    found = joint_rotations(joints, HUMANML3D, FPS)
    assert degrees_between(found.rotations[1:], found.rotations[:-1])[:, joint("left_ankle")].max() < 20
    assert np.linalg.norm(found.joints() - joints, axis=-1).max() < 0.005


def test_a_straight_leg_keeps_its_foot_ahead() -> None:
    rotations = resting(30)
    rotations[:, joint("right_hip")] = turn((1, 0, 0), np.linspace(0, -120, 30))
    noise = np.random.default_rng(1).normal(0, 0.001, (30, 22, 3))
    joints = forward(rotations, np.zeros((30, 3)), t_pose(HUMANML3D), HUMANML3D) + noise
    found = joint_rotations(joints, HUMANML3D, FPS).rotations
    assert degrees_between(found[:, joint("right_ankle")], resting(30)[:, 0]).max() < 10


def test_a_chest_whose_neck_and_collars_lie_in_one_place_turns_with_the_shoulders() -> None:
    frames, offsets = 30, t_pose(HUMANML3D)
    for name in ("left_collar", "right_collar"):
        offsets[joint(name)] = offsets[joint("neck")]
        offsets[joint(name.replace("collar", "shoulder"))] *= 2
    rotations = resting(frames)
    rotations[:, joint("spine3")] = turn((0, 1, 0), np.linspace(-60, 60, frames))
    noise = np.random.default_rng(2).normal(0, 0.001, (frames, 22, 3))
    joints = forward(rotations, np.zeros((frames, 3)), offsets, HUMANML3D) + noise
    found = joint_rotations(joints, HUMANML3D, FPS)
    steps = degrees_between(found.rotations[1:], found.rotations[:-1])
    trunk = [joint(name) for name in ("spine1", "spine2", "spine3", "left_collar", "right_collar")]
    assert steps[:, trunk].max() < 10


def test_bones_of_no_length_turn_with_their_parents() -> None:
    frames, offsets = 30, t_pose(HUMANML3D)
    offsets[[joint("spine1"), joint("spine3")]] = 0.0
    offsets[[joint("left_hip"), joint("right_hip")], 1:] = 0.0
    rotations = resting(frames)
    rotations[:, 0] = turn((0, 1, 0), np.linspace(0, 350, frames))
    joints = forward(rotations, np.zeros((frames, 3)), offsets, HUMANML3D)
    found = joint_rotations(joints, HUMANML3D, FPS)
    assert np.linalg.norm(found.joints() - joints, axis=-1).max() < 1e-3
    assert degrees_between(found.rotations[1:], found.rotations[:-1]).max() < 20


def test_one_frame_is_a_pose() -> None:
    found = joint_rotations(wandering(HUMANML3D, 1), HUMANML3D, FPS)
    assert found.rotations.shape == (1, 22, 4)
    assert np.allclose(np.linalg.norm(found.rotations, axis=-1), 1)
    assert np.isfinite(rotation.rotate(found.rotations, np.ones(3))).all()


def test_angles_about_z_y_and_x_give_the_turn_back() -> None:
    rng = np.random.default_rng(3)
    turns = rng.normal(size=(200, 4))
    turns /= np.linalg.norm(turns, axis=-1, keepdims=True)
    # And turns whose y is a quarter turn.
    turns[:3] = rotation.multiply(turn((0, 0, 1), np.array([30.0, 0.0, -70.0])), turn((0, 1, 0), 90.0))
    z, y, x = np.degrees(rotation.to_zyx_angles(turns)).T
    again = rotation.multiply(rotation.multiply(turn((0, 0, 1), z), turn((0, 1, 0), y)), turn((1, 0, 0), x))
    assert degrees_between(again, turns).max() < 1e-4
    assert np.abs(y).max() <= 90


def test_axis_angles_are_those_of_scipy() -> None:
    from scipy.spatial.transform import Rotation

    rng = np.random.default_rng(4)
    turns = rng.normal(size=(100, 4))
    turns /= np.linalg.norm(turns, axis=-1, keepdims=True)
    turns[0] = [1, 0, 0, 0]
    expected = Rotation.from_quat(turns[:, [1, 2, 3, 0]]).as_rotvec()
    assert np.allclose(rotation.to_axis_angle(turns), expected, atol=1e-9)


def test_bones_of_another_body_keep_their_directions() -> None:
    joints = wandering(HUMANML3D, 40)
    grown = joint_rotations(joints * 1.5, HUMANML3D, FPS, t_pose(HUMANML3D))
    own = joint_rotations(joints, HUMANML3D, FPS, t_pose(HUMANML3D))
    assert degrees_between(grown.rotations, own.rotations).max() < 1e-3
    assert np.array_equal(grown.offsets, t_pose(HUMANML3D))
