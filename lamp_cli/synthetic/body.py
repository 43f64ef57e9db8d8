"""The body: a set of tracks over time, and the joints of the 22-joint skeleton that follow from them.

Feet and hands are goals in space that two-bone inverse kinematics reaches; pelvis, spine and head are
driven by angles. Bone lengths are those of the reference skeleton. Knows no action and no text.

Angles are radians. Yaw is positive to the left (counterclockwise from above), pitch and bend are
positive forward, lean is positive to the left. Index 0 is the left side, 1 the right.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from ..motion.inverse_kinematics import two_bones
from ..motion.skeleton import HUMANML3D
from .time_curves import falling_below

LENGTHS = np.array(HUMANML3D.bone_lengths)
SIDES = (1.0, -1.0)
THIGH, SHIN = LENGTHS[[1 + 3, 2 + 3]], LENGTHS[[7, 8]]
UPPER_ARM, FOREARM = LENGTHS[[18, 19]], LENGTHS[[20, 21]]
LEG, ARM = THIGH + SHIN, UPPER_ARM + FOREARM
FOOT_DROP = 0.06
FOOT = np.stack([np.array([0.0, -FOOT_DROP, np.sqrt(LENGTHS[j] ** 2 - FOOT_DROP**2)]) for j in (10, 11)])
TOE_HEIGHT = 0.012
ANKLE_HEIGHT = TOE_HEIGHT + FOOT_DROP
# Share of its length to which a bearing leg stretches: its knee stays bent by 9 degrees.
STRAIGHTEST = 0.997
# The joints of spine and head from below, and how spine and head angles are spread over them.
SPINE = (3, 6, 9, 12, 15)
SPINE_SHARES, HEAD_SHARES = (0.4, 0.35, 0.25), (0.35, 0.65)

# A value in every frame (T,), or one for all.
Curve = np.ndarray | float

# Directions of the bones that only turn with the trunk, of skeletons that motion comes on: fitted to markers
# (CMU), the SMPL body, optical (Berkeley MHAD), animators' (ACCAD), and with hips level with the pelvis
# (ReActIdle). Clips lie between two of them. Heads lean forward enough for their turns to be seen.
_Trunk = dict[int, tuple[float, float, float]]
_MARKERS: _Trunk = {
    1: (0.068, -0.075, 0.022),
    3: (0, 1, 0),
    6: (0, 1, 0.02),
    9: (0, 1, 0.05),
    12: (0, 0.218, 0.01),
    13: (0.072, 0.117, 0.0),
    16: (0.123, 0.037, -0.01),
    15: (0, 0.1, 0.025),
}
_SMPL: _Trunk = {
    1: (0.062, -0.082, 0.0),
    3: (0, 0.124, -0.03),
    6: (0, 0.138, 0.026),
    9: (0, 0.056, 0.003),
    12: (0, 0.212, -0.03),
    13: (0.08, 0.112, -0.018),
    16: (0.122, 0.045, -0.02),
    15: (0, 0.09, 0.05),
}
_OPTICAL: _Trunk = {
    1: (0.97, -0.2, -0.13),
    3: (0, 1, -0.04),
    6: (0, 0.99, -0.11),
    9: (0, 1, -0.07),
    12: (0, 1, 0.05),
    13: (0.4, 0.91, -0.04),
    16: (0.8, 0.5, -0.1),
    15: (0, 0.95, 0.25),
}
_ANIMATED: _Trunk = {
    1: (0.87, -0.5, -0.03),
    3: (0, 0.3, -0.9),
    6: (0, 0.97, 0.21),
    9: (0, 0.95, 0.3),
    12: (0, 0.93, 0.35),
    13: (0.35, 0.9, 0.3),
    16: (0.88, -0.35, 0.06),
    15: (0, 0.8, 0.5),
}
_LEVEL: _Trunk = {
    1: (1, 0, 0),
    3: (0, 1, 0.07),
    6: (0, 1, -0.02),
    9: (0, 1, -0.02),
    12: (0, 1, -0.02),
    13: (0.05, 1, -0.02),
    16: (1, 0, -0.03),
    15: (0, 0.93, 0.36),
}
_TRUNKS = (_MARKERS, _SMPL, _OPTICAL, _ANIMATED, _LEVEL)


def trunk_offsets(shares: np.ndarray) -> np.ndarray:
    """Rest offsets (22, 3) of the trunk's bones in metres; ``shares`` (5,) are of each kind of skeleton."""
    offsets = np.zeros((22, 3))
    for joint in _MARKERS:
        kinds = np.array([trunk[joint] for trunk in _TRUNKS], dtype=np.float64)
        direction = shares @ (kinds / np.linalg.norm(kinds, axis=1, keepdims=True))
        offsets[joint] = direction / np.linalg.norm(direction) * LENGTHS[joint]
        if joint in (1, 13, 16):
            offsets[joint + 1] = offsets[joint] / LENGTHS[joint] * LENGTHS[joint + 1] * (-1, 1, 1)
    return offsets


@dataclass
class Tracks:
    """What a body does over T frames. All arrays have T first; see the module for signs and units.

    ``root`` (T, 3) pelvis; ``yaw`` (T,) heading; ``pelvis`` (T, 3) its extra yaw, pitch, lean;
    ``spine`` and ``head`` (T, 3) yaw, pitch, lean spread over their joints; ``ankle`` (T, 2, 3);
    ``foot`` (T, 2, 2) yaw in the world and pitch (toe down); ``knee`` (T, 2) how far knees point out;
    ``planted`` (T, 2) whether the foot bears the body; ``arm`` (T, 2, 4) elevation from hanging,
    azimuth (0 forward, pi/2 outward), reach as a share of the arm's length, swivel of the elbow
    (outward and up); ``shrug`` (T, 2); ``grip`` (T, 2, 3) world goal of the wrist and ``hold`` (T, 2) how
    far it overrides ``arm``; ``kneel`` (T, 2, 3) world point that the knee bends to and ``kneeling`` (T, 2)
    how far it overrides ``knee``.
    """

    root: np.ndarray
    yaw: np.ndarray
    pelvis: np.ndarray
    spine: np.ndarray
    head: np.ndarray
    ankle: np.ndarray
    foot: np.ndarray
    knee: np.ndarray
    planted: np.ndarray
    arm: np.ndarray
    shrug: np.ndarray
    grip: np.ndarray
    hold: np.ndarray
    kneel: np.ndarray
    kneeling: np.ndarray

    def __len__(self) -> int:
        return len(self.yaw)

    def hips(self) -> np.ndarray:
        """Frames (T, 3, 3) of the pelvis."""
        return euler(self.yaw + self.pelvis[:, 0], self.pelvis[:, 1], self.pelvis[:, 2])

    def bend(
        self,
        share: np.ndarray,
        low: float = 0.0,
        back: float = 0.0,
        hips: float = 0.0,
        spine: float = 0.0,
        head: float = 0.0,
        knees: float = 0.0,
    ) -> None:
        """Bend forward by ``share`` (T,): hips, spine and head by radians, knees turning out by radians too.

        The pelvis goes ``low`` metres down and ``back`` metres back.
        """
        self.root[:, 1] -= low * share
        self.root[:, 2] -= back * share
        self.pelvis[:, 1] += hips * share
        self.spine[:, 1] += spine * share
        self.head[:, 1] += head * share
        self.knee += knees * share[:, None]

    def cut(self, start: int, end: int) -> Tracks:
        """Frames ``start`` to ``end`` (exclusive)."""
        return Tracks(*(getattr(self, f.name)[start:end].copy() for f in fields(self)))

    def placed(self, x: float, z: float, yaw: float) -> Tracks:
        """The same tracks turned about the origin by ``yaw``, then moved by x, z."""
        turn = euler(np.array([yaw]), np.zeros(1), np.zeros(1))[0]
        move = np.array([x, 0.0, z])
        return replace(
            self,
            root=self.root @ turn.T + move,
            ankle=self.ankle @ turn.T + move,
            grip=self.grip @ turn.T + move,
            kneel=self.kneel @ turn.T + move,
            yaw=self.yaw + yaw,
            foot=self.foot + np.array([yaw, 0.0]),
        )


def concatenated(pieces: list[Tracks]) -> Tracks:
    """The tracks of all pieces, one after the other."""
    return Tracks(*(np.concatenate([getattr(p, f.name) for p in pieces]) for f in fields(Tracks)))


def euler(yaw: np.ndarray, pitch: np.ndarray, lean: np.ndarray) -> np.ndarray:
    """Rotation matrices (T, 3, 3): lean to the left, then pitch forward, then yaw to the left."""
    cy, sy, cx, sx = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    cz, sz = np.cos(lean), -np.sin(lean)
    result = np.empty((*np.shape(yaw), 3, 3))
    result[..., 0, 0] = cy * cz + sy * sx * sz
    result[..., 0, 1] = sy * sx * cz - cy * sz
    result[..., 0, 2] = sy * cx
    result[..., 1, 0] = cx * sz
    result[..., 1, 1] = cx * cz
    result[..., 1, 2] = -sx
    result[..., 2, 0] = cy * sx * sz - sy * cz
    result[..., 2, 1] = sy * sz + cy * sx * cz
    result[..., 2, 2] = cy * cx
    return result


def turned(rotation: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Rotation (T, 3, 3) applied to one vector (3,) or to one per frame (T, 3)."""
    if vector.ndim == 1:
        return rotation @ vector
    return (rotation @ vector[..., None])[..., 0]


def place_foot(
    tracks: Tracks, side: int, x: Curve, z: Curve, yaw: Curve, lift: Curve = 0.0, pitch: Curve = 0.0
) -> None:
    """Place the foot whose flat position is x, z, lifted by metres; yaw and pitch in radians.

    A foot with its toe down rolls over the toe, one with its toe up stands on the heel, so that the
    point in contact stays where it is.
    """
    tracks.foot[:, side, 0], tracks.foot[:, side, 1] = yaw, pitch
    heading, tipped = tracks.foot[:, side].T
    level = np.zeros_like(heading)
    flat, rolled = euler(heading, level, level), euler(heading, np.maximum(tipped, 0.0), level)
    ankle = np.stack(np.broadcast_arrays(x, ANKLE_HEIGHT + lift, z, heading)[:3], axis=-1)
    tracks.ankle[:, side] = ankle + turned(flat, FOOT[side]) - turned(rolled, FOOT[side])


def solve(tracks: Tracks, offsets: np.ndarray) -> np.ndarray:
    """Joints (T, 22, 3) float64 in metres of the tracks on a body with these trunk offsets (22, 3)."""
    joints = np.empty((len(tracks), 22, 3))
    hips = tracks.hips()
    joints[:, 0] = _within_reach(tracks, turned(hips, offsets[1]), turned(hips, offsets[2]))
    for side in (0, 1):
        _solve_leg(joints, tracks, hips, offsets, side)
    joints[:, SPINE], chest, _ = spine_and_head(tracks, joints[:, 0], offsets)
    for side in (0, 1):
        _solve_arm(joints, tracks, chest, offsets, side)
    return joints


def spine_and_head(
    tracks: Tracks, root: np.ndarray, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joints (T, 5, 3) of ``SPINE`` over a pelvis at ``root`` (T, 3), frames (T, 3, 3) of chest and skull."""
    frame, places = tracks.hips(), [root]
    for joint, share in zip(SPINE, SPINE_SHARES, strict=False):
        places.append(places[-1] + turned(frame, offsets[joint]))
        frame = frame @ euler(*(tracks.spine.T * share))
    chest = frame
    for joint, share in zip(SPINE[3:], HEAD_SHARES, strict=True):
        frame = frame @ euler(*(tracks.head.T * share))
        places.append(places[-1] + turned(frame, offsets[joint]))
    return np.stack(places[1:], axis=1), chest, frame


def _within_reach(tracks: Tracks, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The pelvis (T, 3), lowered where a planted foot would otherwise be out of the leg's reach."""
    root = tracks.root.copy()
    spare = np.zeros(len(root))
    for side, hip in enumerate((left, right)):
        away = tracks.ankle[:, side] - root - hip
        flat = away[:, 0] ** 2 + away[:, 2] ** 2
        height = np.sqrt(np.maximum((STRAIGHTEST * LEG[side]) ** 2 - flat, 0.02))
        limit = np.where(tracks.planted[:, side], away[:, 1] + height, 0.0)
        spare = np.minimum(spare, limit)
    if spare.min() < -1e-4:
        root[:, 1] += falling_below(spare)
    return root


def _solve_leg(joints: np.ndarray, tracks: Tracks, hips: np.ndarray, offsets: np.ndarray, side: int) -> None:
    hip = joints[:, 0] + turned(hips, offsets[1 + side])
    leg = tracks.ankle[:, side] - hip
    leg /= np.maximum(np.linalg.norm(leg, axis=-1, keepdims=True), 1e-6)
    across, up = hips[..., 0], hips[..., 1]
    # The hinge of the knee is the body's left-right axis; it rises with a leg that is spread sideways.
    hinge = across + np.sum(leg * across, -1, keepdims=True) * up
    pole = np.cross(leg, hinge)
    turn_out = 0.7 * (tracks.foot[:, side, 0] - tracks.yaw) + SIDES[side] * tracks.knee[:, side]
    pole += np.tan(np.clip(turn_out, -1.1, 1.1))[:, None] * across
    if tracks.kneeling[:, side].any():
        pole += tracks.kneeling[:, side, None] * (tracks.kneel[:, side] - hip - pole)
    knee, ankle = two_bones(hip, tracks.ankle[:, side], pole, THIGH[side], SHIN[side], 0.32)
    ball = euler(tracks.foot[:, side, 0], tracks.foot[:, side, 1], np.zeros(len(hip)))
    joints[:, 1 + side], joints[:, 4 + side], joints[:, 7 + side] = hip, knee, ankle
    joints[:, 10 + side] = ankle + turned(ball, FOOT[side])


def arm_directions(arm: np.ndarray, side: int) -> np.ndarray:
    """Unit directions (T, 3) from shoulder to wrist of arm angles (T, 4), y up and z forward."""
    out = SIDES[side] * np.sin(arm[:, 0]) * np.sin(arm[:, 1])
    return np.stack([out, -np.cos(arm[:, 0]), np.sin(arm[:, 0]) * np.cos(arm[:, 1])], axis=-1)


def shoulder_girdle(arm: np.ndarray, shrug: np.ndarray, side: int) -> np.ndarray:
    """Frames (T, 3, 3) of the shoulder in the chest's frame: it gives way to an arm that is raised."""
    raised = np.clip(arm[:, 0] - 0.7, 0.0, 2.0) * 0.22 + shrug
    forward = np.clip(np.sin(arm[:, 0]) * np.cos(arm[:, 1]), -0.5, 1.0) * 0.22
    return euler(-SIDES[side] * forward, np.zeros(len(arm)), -SIDES[side] * raised)


def with_goal(arm: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Arm tracks (T, 4) whose wrist lies at ``goal`` (T, 3): outward, up, forward in arm lengths."""
    reach = np.linalg.norm(goal, axis=-1)
    result = arm.copy()
    result[:, 0] = np.arccos(np.clip(-goal[:, 1] / np.maximum(reach, 1e-6), -1, 1))
    result[:, 1] = np.arctan2(goal[:, 0], goal[:, 2])
    result[:, 2] = np.clip(reach, 0.2, 0.995)
    return result


def reach(
    tracks: Tracks,
    side: int,
    share: np.ndarray,
    goal: np.ndarray | tuple[float, float, float],
    swivel: float | None = None,
) -> None:
    """Turn an arm by ``share`` (T,) to ``goal`` (T, 3) or (3,): outward, up, forward of it in arm lengths."""
    wanted = with_goal(tracks.arm[:, side], np.broadcast_to(goal, (len(tracks), 3)))
    if swivel is not None:
        wanted[:, 3] = swivel
    tracks.arm[:, side] += share[:, None] * (wanted - tracks.arm[:, side])


def reach_both(tracks: Tracks, share: np.ndarray, goal: np.ndarray | tuple[float, float, float]) -> None:
    """Turn both arms, as :func:`reach` turns one."""
    for side in (0, 1):
        reach(tracks, side, share, goal)


def _solve_arm(joints: np.ndarray, tracks: Tracks, chest: np.ndarray, offsets: np.ndarray, side: int) -> None:
    arm, sign = tracks.arm[:, side], SIDES[side]
    collar = joints[:, 9] + turned(chest, offsets[13 + side])
    girdle = chest @ shoulder_girdle(arm, tracks.shrug[:, side], side)
    shoulder = collar + turned(girdle, offsets[16 + side])
    frame = _arm_frame(chest, arm)
    goal = arm_directions(arm, side) * (np.clip(arm[:, 2], 0.25, 0.995) * ARM[side])[:, None]
    wrist = shoulder + turned(frame, goal)
    hold = tracks.hold[:, side, None]
    wrist = _outside_trunk(wrist + hold * (tracks.grip[:, side] - wrist), joints[:, 9], chest)
    axis = wrist - shoulder
    axis /= np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-6)
    height = np.clip(np.sum(axis * chest[..., 1], -1), 0.0, 1.0)
    pole = np.stack([np.full(len(arm), 0.42 * sign), np.full(len(arm), -0.5), -0.6 + 1.0 * height], axis=-1)
    pole = turned(chest, pole)
    pole -= np.sum(pole * axis, -1, keepdims=True) * axis
    angle = (sign * arm[:, 3])[:, None]
    pole = pole * np.cos(angle) + np.cross(axis, pole) * np.sin(angle)
    elbow, wrist = two_bones(shoulder, wrist, pole, UPPER_ARM[side], FOREARM[side], 0.12)
    joints[:, 13 + side], joints[:, 16 + side] = collar, shoulder
    joints[:, 18 + side], joints[:, 20 + side] = elbow, wrist


def _arm_frame(chest: np.ndarray, arm: np.ndarray) -> np.ndarray:
    """Frame (T, 3, 3) of the arm's angles: the chest, but a hanging arm hangs from a bent trunk."""
    forward = chest[..., 2] * (1.0, 0.0, 1.0)
    length = np.linalg.norm(forward, axis=-1)
    hangs = np.clip(1.6 - arm[:, 0] / 0.45, 0.0, 1.0) * np.clip(length * 2 - 0.4, 0, 1) * (chest[:, 1, 1] > 0)
    up = np.broadcast_to((0.0, 1.0, 0.0), forward.shape)
    ahead = forward / np.maximum(length, 1e-6)[:, None]
    upright = np.stack([np.cross(up, ahead), up, ahead], axis=-1)
    mixed = chest + hangs[:, None, None] * (upright - chest)
    # Gram-Schmidt turns the mixture back into a rotation.
    y = mixed[..., 1] / np.linalg.norm(mixed[..., 1], axis=-1, keepdims=True)
    z = mixed[..., 2] - np.sum(mixed[..., 2] * y, -1, keepdims=True) * y
    z /= np.linalg.norm(z, axis=-1, keepdims=True)
    return np.stack([np.cross(y, z), y, z], axis=-1)


def _outside_trunk(wrist: np.ndarray, centre: np.ndarray, chest: np.ndarray) -> np.ndarray:
    """Wrists (T, 3) moved out of an elliptic trunk around ``centre`` (spine3)."""
    local = turned(np.swapaxes(chest, -1, -2), wrist - centre)
    inside = np.sqrt((local[:, 0] / 0.19) ** 2 + ((local[:, 2] - 0.01) / 0.15) ** 2)
    level = np.clip((0.16 - local[:, 1]) / 0.08, 0, 1) * np.clip((local[:, 1] + 0.55) / 0.1, 0, 1)
    factor = 1 + level * (np.maximum(1.0, 1.0 / np.maximum(inside, 0.15)) - 1)
    local[:, 0] *= factor
    local[:, 2] = 0.01 + (local[:, 2] - 0.01) * factor
    return centre + turned(chest, local)
