"""The shape of a person around the joints: round cones and ellipsoids that turn with the bones.

A neutral adult, sized as the skeleton is. What turns limbs is ``joint_rotations``: the face looks where chest
and neck turn it, hands lie as the elbow's hinge turns the forearm, soles as the foot's bone lies. Joints tell
no more: a head that shakes or a hand that turns in the wrist is not seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from . import rotation
from .joint_rotations import JointRotations, joint_rotations, t_pose
from .skeleton import Skeleton

# What a part is coloured by, red, green and blue (sRGB, up to 1): sides differ, so that legs are told apart.
TONES = {
    "trunk": (0.36, 0.39, 0.45),
    "left": (0.16, 0.47, 0.82),
    "right": (0.90, 0.38, 0.22),
    "visor": (0.15, 0.16, 0.20),
    "sole": (0.15, 0.16, 0.20),
}
# From pelvis to neck, the cosine with the vertical of a body that is upright.
UPRIGHT = 0.85
# A face is levelled by at most this, radians.
MOST_PITCH = 0.9


@dataclass(frozen=True)
class Place:
    """A point that a joint carries.

    joint: its name.
    offset: from the joint in the T-pose of a neutral adult, metres; x to the left, y up, z forward.
    """

    joint: str
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class RoundCone:
    """Two spheres and what lies between them.

    start: centre of the one.
    end: centre of the other.
    radii: of both, metres.
    tone: a key of ``TONES``.
    """

    start: Place
    end: Place
    radii: tuple[float, float]
    tone: str


@dataclass(frozen=True)
class Ellipsoid:
    """A sphere stretched along the axes of the T-pose.

    centre: its centre; its joint turns it.
    radii: along x, y and z, metres.
    tone: a key of ``TONES``.
    yaw: turned about y in the T-pose, degrees to the left.
    """

    centre: Place
    radii: tuple[float, float, float]
    tone: str
    yaw: float = 0.0


_TRUNK: tuple[RoundCone | Ellipsoid, ...] = (
    Ellipsoid(Place("pelvis", (0.0, -0.03, -0.015)), (0.145, 0.12, 0.105), "trunk"),
    Ellipsoid(Place("spine1", (0.0, 0.07, 0.015)), (0.125, 0.20, 0.095), "trunk"),
    Ellipsoid(Place("spine3", (0.0, 0.05, -0.01)), (0.152, 0.18, 0.112), "trunk"),
    RoundCone(Place("neck"), Place("head", (0.0, 0.04, 0.0)), (0.06, 0.052), "trunk"),
    Ellipsoid(Place("head", (0.0, 0.075, 0.015)), (0.078, 0.118, 0.098), "trunk"),
    Ellipsoid(Place("head", (0.0, 0.085, 0.072)), (0.066, 0.025, 0.045), "visor"),
    RoundCone(
        Place("head", (0.0, 0.063, 0.107)), Place("head", (0.0, 0.043, 0.117)), (0.011, 0.015), "trunk"
    ),
)
_LEFT: tuple[RoundCone | Ellipsoid, ...] = (
    RoundCone(Place("neck", (0.0, -0.035, 0.0)), Place("left_shoulder"), (0.078, 0.050), "trunk"),
    # Chest and shoulder blade reach to the arm.
    RoundCone(Place("spine3", (0.07, 0.06, -0.01)), Place("left_shoulder"), (0.09, 0.045), "trunk"),
    RoundCone(Place("left_shoulder"), Place("left_elbow"), (0.066, 0.043), "left"),
    RoundCone(Place("left_elbow"), Place("left_wrist"), (0.043, 0.030), "left"),
    Ellipsoid(Place("left_wrist", (0.085, -0.003, 0.005)), (0.095, 0.020, 0.042), "left"),
    RoundCone(
        Place("left_wrist", (0.035, -0.003, 0.025)),
        Place("left_wrist", (0.085, -0.008, 0.062)),
        (0.016, 0.012),
        "left",
    ),
    RoundCone(Place("left_hip"), Place("left_knee"), (0.088, 0.058), "left"),
    RoundCone(Place("left_knee"), Place("left_ankle"), (0.058, 0.040), "left"),
    RoundCone(Place("left_ankle"), Place("left_toe", (-0.03, 0.03, -0.165)), (0.040, 0.033), "left"),
    RoundCone(Place("left_ankle"), Place("left_toe", (0.0, 0.025, 0.0)), (0.041, 0.030), "left"),
    Ellipsoid(Place("left_toe", (0.004, 0.018, 0.02)), (0.045, 0.027, 0.06), "left", 12.0),
    Ellipsoid(Place("left_toe", (-0.012, 0.001, -0.05)), (0.046, 0.014, 0.135), "sole", 12.0),
)


@dataclass(frozen=True)
class PosedBody:
    """The shape over time: parts, and where they are.

    Attributes:
        parts: round cones and ellipsoids.
        ends: of every part two points (T, N, 2, 3), metres: both centres of a cone; of an ellipsoid twice
            its centre.
        axes: of every part the axes (T, N, 3, 3) of an ellipsoid in the columns, as long as its radii;
            of a cone its joint's axes.
        turns: of every joint against the T-pose (T, J, 4), unit quaternions.
        size: how large the body is against a neutral adult.

    """

    parts: tuple[RoundCone | Ellipsoid, ...]
    ends: np.ndarray
    axes: np.ndarray
    turns: np.ndarray
    size: float


def body_parts(skeleton: Skeleton) -> tuple[RoundCone | Ellipsoid, ...]:
    """The parts that a skeleton has joints for."""
    every = (*_TRUNK, *_LEFT, *map(_mirrored, _LEFT))
    own = (_on_joints_of(part, skeleton) for part in every)
    names = set(skeleton.joint_names)
    return tuple(part for part in own if {place.joint for place in places_of(part)} <= names)


def places_of(part: RoundCone | Ellipsoid) -> tuple[Place, Place]:
    """Start and end of a cone; of an ellipsoid twice its centre."""
    return (part.start, part.end) if isinstance(part, RoundCone) else (part.centre, part.centre)


def body_size(bone_lengths: np.ndarray, skeleton: Skeleton) -> float:
    """How large a body of bones (J,), metres, is against a neutral adult; a thousandth at least."""
    return max(0.001, float(np.sum(bone_lengths) / np.linalg.norm(t_pose(skeleton), axis=-1).sum()))


def posed_body(joints: np.ndarray, skeleton: Skeleton, fps: float) -> PosedBody:
    """The shape around joints (T, J, 3), metres, y up, at ``fps`` frames per second."""
    found = with_level_head(joint_rotations(joints, skeleton, fps))
    turns, size = found.world(), body_size(np.linalg.norm(found.offsets, axis=-1), skeleton)
    parts = body_parts(skeleton)
    ends = np.stack(
        [_placed(place, joints, turns, skeleton, size) for part in parts for place in places_of(part)], axis=1
    )
    joints_of_parts = [skeleton.joint_names.index(places_of(part)[0].joint) for part in parts]
    axes = rotation.to_matrix(turns[:, joints_of_parts]) @ np.stack([rest_axes(part, size) for part in parts])
    return PosedBody(parts, ends.reshape(len(joints), len(parts), 2, 3), axes, turns, size)


def with_level_head(found: JointRotations) -> JointRotations:
    """The same motion with a face that looks level in the median of the upright frames.

    How face and neck bone stand to each other differs from skeleton to skeleton, and no joint tells it. Where
    nobody stands or sits upright, as in crawling, nothing is changed.
    """
    skeleton, turns = found.skeleton, found.world()
    neck, head = (skeleton.joint_names.index(name) for name in ("neck", "head"))
    joints = found.joints()
    upright = rotation.unit(joints[:, neck] - joints[:, 0])[:, 1] > UPRIGHT
    if not upright.any():
        return found
    faces = rotation.rotate(turns[upright, head], np.array([0.0, 0.0, 1.0]))
    pitch = np.clip(np.median(np.arcsin(np.clip(faces[:, 1], -1, 1))), -MOST_PITCH, MOST_PITCH)
    nod = np.array([np.cos(pitch / 2), np.sin(pitch / 2), 0.0, 0.0])
    rotations = found.rotations.copy()
    rotations[:, head] = rotation.multiply(rotations[:, head], nod)
    return replace(found, rotations=rotations)


def posed_lines(joints: np.ndarray, skeleton: Skeleton, radius: float) -> PosedBody:
    """The bones of joints (T, J, 3) alone, as cones of one radius in metres."""
    parts = tuple(
        RoundCone(
            Place(skeleton.joint_names[skeleton.parents[joint]]), Place(name), (radius, radius), _tone(name)
        )
        for joint, name in enumerate(skeleton.joint_names)
        if skeleton.parents[joint] >= 0
    )
    children = [skeleton.joint_names.index(part.end.joint) for part in parts]
    parents = [skeleton.parents[child] for child in children]
    ends = np.stack([joints[:, parents], joints[:, children]], axis=2)
    axes = np.broadcast_to(np.eye(3), (*ends.shape[:2], 3, 3))
    turns = np.broadcast_to([1.0, 0.0, 0.0, 0.0], (*joints.shape[:2], 4))
    return PosedBody(parts, ends, axes, turns, 1.0)


def _tone(name: str) -> str:
    side = name.partition("_")[0]
    return side if side in ("left", "right") else "trunk"


def _placed(
    place: Place, joints: np.ndarray, turns: np.ndarray, skeleton: Skeleton, size: float
) -> np.ndarray:
    joint = skeleton.joint_names.index(place.joint)
    return np.asarray(joints[:, joint] + rotation.rotate(turns[:, joint], size * np.array(place.offset)))


def rest_axes(part: RoundCone | Ellipsoid, size: float) -> np.ndarray:
    """Axes (3, 3) of an ellipsoid in the T-pose, in the columns."""
    if isinstance(part, RoundCone):
        return np.eye(3)
    return rotation.to_matrix(rotation.about_y(np.radians(part.yaw))) * (size * np.array(part.radii))


def _mirrored(part: RoundCone | Ellipsoid) -> RoundCone | Ellipsoid:
    tone = {"left": "right"}.get(part.tone, part.tone)
    mirrored = replace(_with_places(part, _mirrored_place), tone=tone)
    return mirrored if isinstance(mirrored, RoundCone) else replace(mirrored, yaw=-mirrored.yaw)


def _with_places(part: RoundCone | Ellipsoid, changed: Callable[[Place], Place]) -> RoundCone | Ellipsoid:
    if isinstance(part, RoundCone):
        return replace(part, start=changed(part.start), end=changed(part.end))
    return replace(part, centre=changed(part.centre))


def _mirrored_place(place: Place) -> Place:
    x, y, z = place.offset
    return Place(place.joint.replace("left_", "right_"), (-x, y, z))


def _on_joints_of(part: RoundCone | Ellipsoid, skeleton: Skeleton) -> RoundCone | Ellipsoid:
    """A part on the joints of a skeleton, which calls the tips of feet toes or feet."""

    def renamed(place: Place) -> Place:
        known = place.joint in skeleton.joint_names
        return place if known else replace(place, joint=place.joint.replace("_toe", "_foot"))

    return _with_places(part, renamed)
