"""The shape around the joints: it faces, reaches and stands as the joints do."""

from __future__ import annotations

import numpy as np
import pytest

from lamp_cli.motion import rotation
from lamp_cli.motion.body_shape import PosedBody, body_parts, places_of, posed_body, with_level_head
from lamp_cli.motion.joint_rotations import forward, joint_rotations, t_pose
from lamp_cli.motion.skeleton import HUMANML3D, KIT, Skeleton
from tests.conftest import standing, wandering


def _centre(body: PosedBody, joint: str, tone: str | None = None) -> np.ndarray:
    """Mean place (T, 3) of the ends of parts that a joint carries."""
    found = [
        body.ends[:, number, end]
        for number, part in enumerate(body.parts)
        for end, place in enumerate(places_of(part))
        if place.joint == joint and any(place.offset) and tone in (None, part.tone)
    ]
    return np.mean(found, axis=0)


@pytest.mark.parametrize("skeleton", [HUMANML3D, KIT])
def test_there_are_a_head_with_a_face_hands_and_feet_with_soles(skeleton: Skeleton) -> None:
    body = posed_body(standing(skeleton)[None], skeleton, 20.0)
    tones = [part.tone for part in body.parts]
    assert (tones.count("visor"), tones.count("sole")) == (1, 2)
    assert tones.count("left") == tones.count("right")
    toe = "left_foot" if skeleton is HUMANML3D else "left_toe"
    assert {"head", "left_wrist", "right_wrist", toe} <= {
        p.joint for part in body.parts for p in places_of(part)
    }


def _in_the_t_pose(turns: np.ndarray) -> np.ndarray:
    """Joints (T, 22, 3) of a body in the T-pose whose root is turned (T, 4)."""
    rotations = np.tile([1.0, 0.0, 0.0, 0.0], (len(turns), HUMANML3D.joints, 1))
    rotations[:, 0] = turns
    return forward(rotations, np.tile([0.0, 0.92, 0.0], (len(turns), 1)), t_pose(HUMANML3D), HUMANML3D)


def test_the_face_looks_where_the_body_is_turned() -> None:
    yaw = np.linspace(0, 5, 40)
    joints = _in_the_t_pose(rotation.about_y(yaw))
    body = posed_body(joints, HUMANML3D, 20.0)
    head = HUMANML3D.joint_names.index("head")
    face = (_centre(body, "head", "visor") - joints[:, head]) * [1, 0, 1]
    forward_way = np.stack([np.sin(yaw), np.zeros(40), np.cos(yaw)], axis=-1)
    assert np.allclose(rotation.unit(face), forward_way, atol=1e-6)


def test_a_face_is_level_whatever_the_neck_bone_of_the_skeleton_and_nods_with_the_neck() -> None:
    offsets = t_pose(HUMANML3D)
    neck, head = (HUMANML3D.joint_names.index(name) for name in ("neck", "head"))
    offsets[head] = [0.0, 0.1, -0.02]
    turns = np.tile([1.0, 0.0, 0.0, 0.0], (30, 22, 1))
    turns[20:, neck] = [np.cos(0.25), np.sin(0.25), 0.0, 0.0]
    joints = forward(turns, np.tile([0.0, 0.95, 0.0], (30, 1)), offsets, HUMANML3D)
    found = with_level_head(joint_rotations(joints, HUMANML3D, 20.0))
    face = rotation.rotate(found.world()[:, head], np.array([0.0, 0.0, 1.0]))
    pitch = np.arcsin(face[:, 1])
    assert np.abs(pitch[:20]).max() < 0.02 and np.allclose(pitch[20:], -0.5, atol=0.03)
    assert np.allclose(found.joints(), joint_rotations(joints, HUMANML3D, 20.0).joints())


def test_nobody_upright_keeps_the_head_as_it_is() -> None:
    lying = standing(HUMANML3D)[None][..., [0, 2, 1]] * [1, 1, -1]
    found = joint_rotations(lying, HUMANML3D, 20.0)
    assert np.array_equal(with_level_head(found).rotations, found.rotations)


def test_hands_go_on_where_forearms_end_and_soles_lie_on_the_ground() -> None:
    joints = _in_the_t_pose(np.array([[1.0, 0.0, 0.0, 0.0]]))
    body = posed_body(joints, HUMANML3D, 20.0)
    for side, elbow, wrist in (("left", 18, 20), ("right", 19, 21)):
        hand = _centre(body, f"{side}_wrist") - joints[:, wrist]
        forearm = rotation.unit(joints[:, wrist] - joints[:, elbow])
        assert np.sum(hand * forearm) > 0.04
    soles = [number for number, part in enumerate(body.parts) if part.tone == "sole"]
    for number in soles:
        lowest = body.ends[0, number, 0, 1] - np.linalg.norm(body.axes[0, number, 1])
        assert -0.015 < lowest <= 0.0


@pytest.mark.parametrize("skeleton", [HUMANML3D, KIT])
def test_a_mirrored_motion_has_the_mirrored_body(skeleton: Skeleton) -> None:
    # In a T-pose that is its own mirror image, as that of a neutral adult is.
    joints = wandering(skeleton, 20)
    mirrored = joints[:, skeleton.mirror_permutation] * [-1, 1, 1]
    own, other = (posed_body(m, skeleton, 20.0) for m in (joints, mirrored))
    swap = {"left": "right", "right": "left"}
    for number, part in enumerate(own.parts):
        start = places_of(part)[0]
        side, _, name = start.joint.rpartition("_")
        partner = f"{swap[side]}_{name}" if side in swap else start.joint
        match = [
            k
            for k, candidate in enumerate(other.parts)
            if type(candidate) is type(part)
            and candidate.radii == part.radii
            and places_of(candidate)[0].joint == partner
            and np.allclose(places_of(candidate)[0].offset, np.multiply(start.offset, [-1, 1, 1]))
        ]
        ends = np.array([other.ends[:, k] for k in match]) * [-1, 1, 1]
        assert min(np.abs(ends - own.ends[:, number]).max(axis=(1, 2, 3))) < 1e-6


def test_parts_have_joints_of_the_skeleton_alone() -> None:
    for skeleton in (HUMANML3D, KIT):
        names = {place.joint for part in body_parts(skeleton) for place in places_of(part)}
        assert names <= set(skeleton.joint_names)
