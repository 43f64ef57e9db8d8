"""Constraints over a socket: what is asked for at a frame is there in the answer, on any skeleton."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from motionmcp import client

from lamp_cli.bundle.bundle import load_bundle
from lamp_cli.motion import rotation
from lamp_cli.motion.placement import headings, wrapped
from lamp_cli.motion.skeleton import HUMANML3D
from tests.server.server_thread import serving
from tests.server.test_protocol import QUICK, answered, joints_of, mixamo, notes, text

RATE = {"fps": 24.0}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(load_bundle("lamp-mini", "cpu")) as address:
        yield address


def skeletons(url: str) -> dict[str, dict[str, Any]]:
    return {"own": client.pick_model(client.get_capabilities(url))["canonical_skeleton"], "mixamo": mixamo()}


def pose_of(document: dict[str, Any], number: int, **known: Any) -> dict[str, Any]:
    """A frame of an answer as a keyframe."""
    found = client.parse_gltf_samples(document)[0]
    vectors = rotation.axis_angle_of_matrices(found["local_rot_mats"][number])
    turns = np.roll(rotation.of_axis_angle(vectors), -1, axis=-1)
    names = [node["name"] for node in document["nodes"]]
    place = found["posed_joints"][number, 0].tolist()
    rotations = {name: turn.tolist() for name, turn in zip(names, turns, strict=True)}
    return {"type": "pose_keyframe", "joint_rotations": rotations, "root_position": place, **known}


@pytest.mark.parametrize("name", ["own", "mixamo"])
def test_a_motion_goes_through_poses_of_any_skeleton(url: str, name: str) -> None:
    skeleton = skeletons(url)[name]
    sitting = answered(url, text("a person sits down", 72), skeleton=skeleton, timing=RATE)
    pose = pose_of(sitting, 60, frame=40, fill_mode="rest")
    pose["root_position"] = np.add(pose["root_position"], [0.4, 0.0, 0.8]).tolist()
    start = {"type": "root_path", "frames": [0], "positions_xz": [[0.0, 0.0]], "heading_radians": [0.0]}
    document = answered(
        url, text("a person walks forward", 72), skeleton=skeleton, timing=RATE, constraints=[pose, start]
    )
    found = joints_of(document)
    assert np.abs(found[40] - joints_of(sitting)[60] - [0.4, 0.0, 0.8]).max() < 1e-4
    assert np.abs(found[0, 0, ::2]).max() < 1e-4
    assert np.linalg.norm(np.diff(found, axis=0), axis=-1).max() * 24 < 9.0


def test_a_pose_of_some_joints_leaves_the_others_to_the_model_or_at_rest(url: str) -> None:
    raised = {"RightArm": [0.0, 0.0, -np.sqrt(0.5), np.sqrt(0.5)]}
    keyframe = {"type": "pose_keyframe", "frame": 20, "joint_rotations": raised}
    without = answered(url, text("a person jumps", 40))
    names = [node["name"] for node in without["nodes"]]
    turned = {
        mode: client.parse_gltf_samples(
            answered(url, text("a person jumps", 40), constraints=[{**keyframe, "fill_mode": mode}])
        )[0]
        for mode in ("rest", "generate")
    }
    arm, knee = names.index("RightArm"), names.index("LeftLeg")
    for found in turned.values():
        assert np.allclose(found["local_rot_mats"][20, arm], [[0, 1, 0], [-1, 0, 0], [0, 0, 1]], atol=1e-4)
    own = client.parse_gltf_samples(without)[0]["local_rot_mats"][20, knee]
    assert np.allclose(turned["generate"]["local_rot_mats"][20, knee], own, atol=1e-3)
    assert np.allclose(turned["rest"]["local_rot_mats"][20, knee], np.eye(3), atol=1e-4)


@pytest.mark.parametrize("name", ["own", "mixamo"])
def test_the_root_follows_a_path(url: str, name: str) -> None:
    frames = [*range(0, 96, 10), 95]
    angle = 1.2 * np.array(frames) / 95
    places = 3.0 * np.stack([1 - np.cos(angle), np.sin(angle)], axis=1) + [1.0, -2.0]
    path = {"type": "root_path", "frames": frames, "positions_xz": places.tolist()}
    document = answered(
        url,
        text("a person walks forward", 96),
        skeleton=skeletons(url)[name],
        timing=RATE,
        constraints=[{**path, "heading_radians": angle.tolist()}],
    )
    joints = joints_of(document)
    apart = np.linalg.norm(joints[frames, 0][:, ::2] - places, axis=1)
    assert apart.mean() < 0.02 and apart.max() < 0.06
    [said] = [note for note in notes(document) if note["code"] == "root_path_error"]
    assert (said["mean_metres"], said["most_metres"]) == pytest.approx((apart.mean(), apart.max()), abs=2e-4)
    if name == "own":
        assert np.abs(wrapped(headings(joints, HUMANML3D)[frames] - angle)).max() < 0.35


def test_blenders_add_on_is_served_as_it_asks(url: str) -> None:
    """Proscenium always sends where the armature stands, weights for text and constraints, and steps."""
    options = {
        **QUICK,
        "guidance": {"type": "separated", "weight": [2.0, 2.0]},
        "diffusion_steps": 50,
        "transition_frames": 5,
    }
    start = {"type": "root_path", "frames": [0], "positions_xz": [[2.0, -1.0]]}
    document = answered(
        url, text("a person jumps", 40), options=options, constraints=[start], protocol_version="1.0"
    )
    assert np.allclose(joints_of(document)[0, 0, ::2], [2.0, -1.0], atol=1e-4)
    unused = {note["option"] for note in notes(document) if note["code"] == "option_not_used"}
    assert unused == {"diffusion_steps", "transition_frames", "guidance"}


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_every_frame_may_be_given(url: str, frames: int, caplog: pytest.LogCaptureFixture) -> None:
    turns = [[0.0, np.sin(0.1 * k), 0.0, np.cos(0.1 * k)] for k in range(frames)]
    keys = [
        {"type": "pose_keyframe", "frame": k, "joint_rotations": {"Hips": turn}, "root_position": [k, 1, 0]}
        for k, turn in enumerate(turns)
    ]
    document = answered(url, text("a person jumps", frames), constraints=keys)
    assert np.allclose(joints_of(document)[:, 0], [[k, 1, 0] for k in range(frames)], atol=1e-4)
    assert not caplog.records


def test_constraints_alone_are_enough(url: str) -> None:
    standing = answered(url, text("a person waves with the right hand", 40))
    keys = [pose_of(standing, 0, frame=0), pose_of(standing, 20, frame=39)]
    document = answered(url, segments=[], duration_frames=60, constraints=keys)
    assert np.abs(joints_of(document)[[0, 39]] - joints_of(standing)[[0, 20]]).max() < 1e-4


@pytest.mark.parametrize(
    "wrong, code, said",
    [
        ({"type": "pose_keyframe", "frame": 99}, "frame_out_of_range", "99"),
        ({"joint_rotations": {"Tail": [0, 0, 0, 1]}}, "unknown_joint", "Tail"),
        ({"joint_rotations": {"Hips": [0, 0, 0, 0]}}, "invalid_request", "the rotation of Hips is none"),
        ({"root_position": [0, 1, 1e6]}, "invalid_request", "within 1000 m"),
        ({"frame": 3}, "invalid_request", "another pose at frame 3"),
    ],
)
def test_constraints_that_are_none_are_refused(url: str, wrong: dict[str, Any], code: str, said: str) -> None:
    pose = {"type": "pose_keyframe", "frame": 3, "joint_rotations": {"Hips": [0, 0, 0, 1]}}
    with pytest.raises(client.MmcpError) as error:
        answered(url, text("a person jumps", 20), constraints=[pose, {**pose, "frame": 5, **wrong}])
    assert error.value.code == code and said in str(error.value)


def test_a_path_of_two_places_at_one_frame_or_of_no_number_is_refused(url: str) -> None:
    path = {"type": "root_path", "frames": [0, 5], "positions_xz": [[0, 0], [0, 1]]}
    for wrong in (path, {**path, "frames": [1, 2], "heading_radians": [0.0, float("inf")]}):
        with pytest.raises(client.MmcpError) as error:
            answered(url, text("a person jumps", 20), constraints=[path, wrong])
        assert error.value.code == "invalid_request"
