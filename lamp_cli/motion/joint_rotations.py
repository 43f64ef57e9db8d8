"""Local rotations of a skeleton from its joints: inverse kinematics with the limbs' true twist.

Two places say where a bone points, not how it is turned about itself. Here knees and elbows say it: they are
hinges, so the plane in which a limb bends turns with its upper bone. A straight limb bends in no plane; its
twist changes as little over time as its bent neighbours allow. Pelvis and chest are turned as rigid bodies.
Knows joints and skeletons, no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import rotation
from .skeleton import Skeleton, ancestors

# Joints of a neutral adult in the T-pose, centimetres from the pelvis; the right side mirrors the left.
_T_POSE = {
    "pelvis": (0, 0, 0),
    "spine1": (0, 11, -3),
    "spine2": (0, 24, -3),
    "spine3": (0, 30, 0),
    "neck": (0, 51, -4),
    "head": (0, 58, 1),
    "left_hip": (7, -9, -1),
    "left_knee": (11, -47, -1),
    "left_ankle": (9, -87, -6),
    "left_foot": (12, -92, 6),
    "left_heel": (9, -92, -9),
    "left_toe": (12, -92, 6),
    "left_collar": (8, 42, -4),
    "left_shoulder": (17, 45, -5),
    "left_elbow": (43, 44, -7),
    "left_wrist": (68, 44, -7),
}
# Hip, knee and ankle, or shoulder, elbow and wrist; and the axis about which they bend, in the T-pose.
_LIMBS = (
    (("left_hip", "left_knee", "left_ankle"), (1.0, 0.0, 0.0)),
    (("right_hip", "right_knee", "right_ankle"), (1.0, 0.0, 0.0)),
    (("left_shoulder", "left_elbow", "left_wrist"), (0.0, -1.0, 0.0)),
    (("right_shoulder", "right_elbow", "right_wrist"), (0.0, 1.0, 0.0)),
)
_LEFTWARD = np.array([1.0, 0.0, 0.0])
# A bent limb tells its twist with weight sin(angle) squared; the foot and the shortest way with these.
FOOT_WEIGHT = 0.05
SHORTEST_WAY_WEIGHT = 0.01
# A limb's twist follows the plane in which it bends within this / sin(angle) seconds.
TWIST_SECONDS = 0.02
# A limb that follows its plane faster than this, in radians a second, is held back by its neighbours in time.
MOST_TWIST = 10.0
TWIST_FITS = 8
# Where neck and collars lie in one place the line of the shoulders tells how the chest is turned; where the
# spine's first bone has no length, the line to the chest how the pelvis is.
LINE_WEIGHT = 0.003
# A joint that pelvis or chest could not place leads its bone back, by a turn of at most this in radians.
MOST_CORRECTION = 0.3
SHORTEST_BONE = 1e-4
RIGID_FITS = 3


@dataclass(frozen=True)
class JointRotations:
    """A motion as rotations of a skeleton whose bones keep their lengths.

    Attributes:
        skeleton: which joints these are.
        offsets: each joint from its parent in the T-pose (J, 3), metres; 0 for the root.
        root: places of the root (T, 3), metres, y up.
        rotations: unit quaternions (T, J, 4), w first, each joint against its parent.

    """

    skeleton: Skeleton
    offsets: np.ndarray
    root: np.ndarray
    rotations: np.ndarray

    def joints(self) -> np.ndarray:
        """Joints (T, J, 3) in metres, by forward kinematics."""
        return forward(self.rotations, self.root, self.offsets, self.skeleton)

    def world(self) -> np.ndarray:
        """How far each joint is turned against its T-pose (T, J, 4), unit quaternions."""
        return world_turns(self.rotations, self.skeleton.parents)


def t_pose(skeleton: Skeleton) -> np.ndarray:
    """Offsets (J, 3) of each joint from its parent in the T-pose of a neutral adult, metres; facing +z."""
    places = np.array([_place(name) for name in skeleton.joint_names]) / 100.0
    offsets = places - places[list(skeleton.parents)]
    offsets[0] = 0.0
    return offsets


def forward(rotations: np.ndarray, root: np.ndarray, offsets: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Joints (T, J, 3) of local rotations (T, J, 4), root places (T, 3) and rest offsets (J, 3)."""
    joints = np.zeros((*rotations.shape[:2], 3))
    joints[:, 0] = root
    world = rotations.copy()
    for joint in skeleton.order:
        parent = skeleton.parents[joint]
        joints[:, joint] = joints[:, parent] + rotation.rotate(world[:, parent], offsets[joint])
        world[:, joint] = rotation.multiply(world[:, parent], rotations[:, joint])
    return joints


def world_turns(local: np.ndarray, parents: Sequence[int]) -> np.ndarray:
    """Turns of joints against the world (T, N, 4) from those against their parents, which stand before."""
    world = local.copy()
    for joint, parent in enumerate(parents):
        if parent >= 0:
            world[:, joint] = rotation.multiply(world[:, parent], local[:, joint])
    return world


def joint_rotations(
    joints: np.ndarray, skeleton: Skeleton, fps: float, offsets: np.ndarray | None = None
) -> JointRotations:
    """The rotations that give joints (T, J, 3), metres, y up, at ``fps`` frames per second.

    offsets: the rest pose (J, 3) to turn; without one, the T-pose with the motion's own bone lengths, and
        its own places of hips, neck and collars in pelvis and chest.

    Joints at the tips of limbs have no bone to turn and keep their parent's turn; so do bones of no length.
    """
    bones = np.zeros(joints.shape)
    bones[:, 1:] = joints[:, 1:] - joints[:, list(skeleton.parents[1:])]
    if offsets is None:
        rest = _own_rest(bones, skeleton)
    else:
        rest = np.asarray(offsets, dtype=np.float64)
        bones = rotation.unit(bones) * _length(rest)
    world = _world_rotations(bones, rest, skeleton, fps)
    local = world.copy()
    for joint in skeleton.order:
        parent = rotation.inverse(world[:, skeleton.parents[joint]])
        local[:, joint] = rotation.multiply(parent, world[:, joint])
    return JointRotations(skeleton, rest, np.array(joints[:, 0], dtype=np.float64), continuous(local))


def _place(name: str) -> tuple[float, float, float]:
    x, y, z = _T_POSE[name.replace("right_", "left_")]
    return (-x if name.startswith("right_") else x), y, z


def _own_rest(bones: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """The T-pose (J, 3) with the lengths of bones (T, J, 3), and their angles at pelvis and chest."""
    rest = t_pose(skeleton)
    lengths = np.median(np.linalg.norm(bones, axis=-1), axis=0)
    rest = rotation.unit(rest) * lengths[:, None]
    for joint in (0, _chest(skeleton)):
        children = _children(joint, skeleton)
        for _ in range(RIGID_FITS):
            back = rotation.inverse(_rigid_turn(joint, bones, rest, skeleton))
            rest[children] = np.median(rotation.rotate(back[:, None], bones[:, children]), axis=0)
    return rest


def _world_rotations(bones: np.ndarray, rest: np.ndarray, skeleton: Skeleton, fps: float) -> np.ndarray:
    """World rotations (T, J, 4) of all joints, from the root to the tips."""
    rigid = {joint: _rigid_turn(joint, bones, rest, skeleton) for joint in (0, _chest(skeleton))}
    sides = _spine_sides(rigid, skeleton) | _limb_sides(bones, rest, rigid, skeleton, fps)
    world = np.zeros((*bones.shape[:2], 4))
    # How far each joint lies from where it was.
    error = np.zeros(bones.shape)
    for joint in (0, *skeleton.order):
        children = _children(joint, skeleton)
        if joint in rigid:
            world[:, joint] = rigid[joint]
        elif not children or np.linalg.norm(rest[children[0]]) < SHORTEST_BONE:
            world[:, joint] = world[:, skeleton.parents[joint]]
        else:
            above = world[:, skeleton.parents[joint]]
            kept = rotation.rotate(above, rest[children[0]])
            direction = rotation.unit(_corrected(bones[:, children[0]], error[:, joint], kept))
            side = sides[joint] if joint in sides else _carried_side(above, rest[children[0]], direction, fps)
            world[:, joint] = _twisted(_swung(above, rest[children[0]], direction), direction, *side)
        for child in children:
            placed = rotation.rotate(world[:, joint], rest[child])
            error[:, child] = error[:, joint] + placed - bones[:, child]
    return world


def _corrected(bone: np.ndarray, error: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """A bone (T, 3) that leads back from where its joint strays to, as far as its length allows.

    Where it has no length it is ``kept``, as it was in the parent.
    """
    bone = np.where(_length(bone) > SHORTEST_BONE, bone, kept)
    most = MOST_CORRECTION * _length(bone)
    return np.asarray(bone - error * np.minimum(1.0, most / np.maximum(_length(error), 1e-9)))


def _spine_sides(
    rigid: dict[int, np.ndarray], skeleton: Skeleton
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Of each joint between pelvis and chest, its left in the T-pose (3,) and over time (T, 3)."""
    pelvis, chest = (rotation.rotate(turn, _LEFTWARD) for turn in rigid.values())
    path = _path(_chest(skeleton), skeleton)
    shares = {joint: number / (len(path) - 1) for number, joint in enumerate(path)}
    return {joint: (_LEFTWARD, (1 - share) * pelvis + share * chest) for joint, share in shares.items()}


def _carried_side(
    above: np.ndarray, rest: np.ndarray, direction: np.ndarray, fps: float
) -> tuple[np.ndarray, np.ndarray]:
    """A bone's side in the T-pose (3,) and over time (T, 3): as the shortest turn from the parent has it.

    A bone that points away from its rest has many shortest turns, and near there they change at once: it
    keeps the twist that it had in its parent.
    """
    resting, kept = rotation.unit(rest), rotation.rotate(rotation.inverse(above), direction)
    side = rotation.unit(np.cross(resting, np.eye(3)[np.abs(resting).argmin()]))
    shortest = rotation.between(np.broadcast_to(resting, kept.shape), kept)
    towards = (1 + kept @ resting[:, None]) / 2
    found = _least_twist(kept, [towards**2 * rotation.rotate(shortest, side)], fps)
    return side, rotation.rotate(above, found)


def _limb_sides(
    bones: np.ndarray, rest: np.ndarray, rigid: dict[int, np.ndarray], skeleton: Skeleton, fps: float
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Of each joint where a limb's bone begins, its hinge's axis in the T-pose (3,) and over time (T, 3)."""
    sides = {}
    for names, axis in _LIMBS:
        start, middle, end = (skeleton.joint_names.index(name) for name in names)
        hinge, upper = np.array(axis), rotation.unit(bones[:, middle])
        resting = rotation.unit(rest[middle])
        trunk = rigid[max(joint for joint in _path(start, skeleton) if joint in rigid)]
        shortest = rotation.rotate(_swung(trunk, resting, upper), hinge)
        # Of opposite directions no way is the shortest.
        cosine = np.sum(rotation.rotate(trunk, resting) * upper, axis=-1, keepdims=True)
        evidence = [
            _axis_of_bend(upper, rotation.unit(bones[:, end]), resting, rotation.unit(rest[end]), hinge),
            SHORTEST_WAY_WEIGHT * (1 + cosine) / 2 * rotation.unit(_across(shortest, upper)),
        ]
        for foot in (skeleton.left_foot, skeleton.right_foot):
            if end in _path(foot[1], skeleton):
                toes = rotation.unit(_from_to(end, foot[1], bones, skeleton))
                rest_toes = rotation.unit(_from_to(end, foot[1], rest[None], skeleton)[0])
                evidence.append(FOOT_WEIGHT * _axis_beside(upper, toes, resting, rest_toes, hinge))
        along = hinge @ resting
        back = rotation.inverse(trunk)
        across = _least_twist(
            rotation.rotate(back, upper), [rotation.rotate(back, each) for each in evidence], fps
        )
        found = along * upper + np.sqrt(1 - along**2) * rotation.rotate(trunk, across)
        sides[start] = sides[middle] = hinge, found
    return sides


def _axis_of_bend(
    upper: np.ndarray,
    lower: np.ndarray,
    rest_upper: np.ndarray,
    rest_lower: np.ndarray,
    hinge: np.ndarray,
) -> np.ndarray:
    """Where the hinge of two bones (T, 3) points (T, 3), as long as it is to be believed.

    Bones bend about the hinge alone: their angles with it stay what they are in the T-pose.
    """
    normal = np.cross(upper, lower)
    sine = _length(normal)[:, 0]
    along = hinge @ rest_upper
    aside = hinge @ rest_lower - along * np.sum(upper * lower, axis=-1)
    aside = np.clip(aside / np.sqrt(1 - along**2), -sine, sine)
    lean = np.arcsin(aside / np.maximum(sine, 1e-9))
    turned = rotation.rotate(_about(upper, -lean), rotation.unit(normal))
    return np.asarray(turned * (sine**2 - aside**2)[:, None])


def _axis_beside(
    upper: np.ndarray,
    toes: np.ndarray,
    rest_upper: np.ndarray,
    rest_toes: np.ndarray,
    hinge: np.ndarray,
) -> np.ndarray:
    """Where a knee's hinge points (T, 3) by the foot, which stands to it as in the T-pose."""
    normal, rest_normal = np.cross(toes, upper), np.cross(rest_toes, rest_upper)
    lean = _angle_about(rest_upper, _across(hinge, rest_upper), rest_normal)
    turned = rotation.rotate(_about(upper, np.full(len(upper), -lean)), normal)
    return turned * _length(normal)


def _rigid_turn(joint: int, bones: np.ndarray, rest: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """The rotation (T, 4) that takes all bones at a joint nearest to their places (Horn 1987).

    The line of the shoulders counts a little at the chest, the line to the chest at the pelvis.
    """
    pairs = [(rest[child], bones[:, child], 1.0) for child in _children(joint, skeleton)]
    if joint:
        left, right = (_from_to(joint, shoulder, bones, skeleton) for shoulder in skeleton.shoulders)
        line, resting = left - right, _LEFTWARD
    else:
        line, resting = _from_to(joint, _chest(skeleton), bones, skeleton), np.array([0.0, 1.0, 0.0])
    pairs.append((resting * np.median(np.linalg.norm(line, axis=-1)), line, LINE_WEIGHT))
    correlation = sum(weight * resting[:, None] * places[:, None, :] for resting, places, weight in pairs)
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = np.moveaxis(np.asarray(correlation), 0, -1)
    rows = [
        [xx + yy + zz, yz - zy, zx - xz, xy - yx],
        [yz - zy, xx - yy - zz, xy + yx, zx + xz],
        [zx - xz, xy + yx, yy - xx - zz, yz + zy],
        [xy - yx, zx + xz, yz + zy, zz - xx - yy],
    ]
    return np.linalg.eigh(np.moveaxis(np.array(rows), -1, 0))[1][..., -1]


def _from_to(above: int, joint: int, bones: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """The way (T, 3) from a joint to one further out."""
    path = _path(joint, skeleton)
    return bones[:, path[path.index(above) + 1 :]].sum(1)


def _least_twist(direction: np.ndarray, evidence: list[np.ndarray], fps: float) -> np.ndarray:
    """Unit axes (T, 3) across ``direction`` that follow the evidence and else twist as little as may be.

    The twist is an angle in a frame that is carried along the bone without twist (Bishop 1975); evidence and
    reluctance to twist are least squares, once on the circle and then on its unrolled angle.
    """
    any_way = np.where(np.abs(direction[:, :1]) < 0.7, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    base = rotation.unit(_across(any_way, direction))
    other = np.cross(direction, base)
    moved = rotation.rotate(rotation.between(direction[:-1], direction[1:]), base[:-1])
    carried = np.zeros(len(direction))
    carried[1:] = np.cumsum(np.angle(_number(moved, base[1:], other[1:])))
    pull = sum(_number(axis, base, other) for axis in evidence) * np.exp(-1j * carried)
    weights = np.abs(pull) + 1e-9
    reluctance = np.full(max(len(direction) - 1, 0), (TWIST_SECONDS * fps) ** 2)
    guess = np.unwrap(np.angle(_smoothed(pull, weights, reluctance)))
    for _ in range(TWIST_FITS):
        target = guess + np.angle(pull * np.exp(-1j * guess))
        guess = _smoothed(weights * target, weights, reluctance)
        speed = fps * np.abs(np.diff(guess))
        if not np.any(speed > MOST_TWIST):
            break
        reluctance *= np.maximum(speed / MOST_TWIST, 1.0) ** 2
    twist = guess + carried
    return np.cos(twist)[:, None] * base + np.sin(twist)[:, None] * other


def _number(v: np.ndarray, real: np.ndarray, imaginary: np.ndarray) -> np.ndarray:
    """Vectors (T, 3) as complex numbers (T,) in the plane of two axes."""
    return np.sum(v * real, axis=-1) + 1j * np.sum(v * imaginary, axis=-1)


def _smoothed(pull: np.ndarray, weights: np.ndarray, reluctance: np.ndarray) -> np.ndarray:
    """The x (T,) with the least sum of weights |x - pull / weights|^2 and reluctance |step of x|^2."""
    steps = reluctance.tolist()
    diagonal = (weights + np.append(reluctance, 0.0) + np.append(0.0, reluctance)).tolist()
    values = pull.tolist()
    for frame, step in enumerate(steps, 1):
        share = step / diagonal[frame - 1]
        diagonal[frame] -= share * step
        values[frame] += share * values[frame - 1]
    values[-1] /= diagonal[-1]
    for frame in range(len(steps) - 1, -1, -1):
        values[frame] = (values[frame] + steps[frame] * values[frame + 1]) / diagonal[frame]
    return np.array(values)


def _swung(above: np.ndarray, rest: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """``above`` (T, 4), the parent's turn, and from there the shortest turn of a bone to ``direction``."""
    return rotation.multiply(rotation.between(rotation.rotate(above, rotation.unit(rest)), direction), above)


def _twisted(turn: np.ndarray, direction: np.ndarray, resting: np.ndarray, side: np.ndarray) -> np.ndarray:
    """``turn`` (T, 4) twisted about ``direction``, so that it takes ``resting`` (3,) towards ``side``."""
    now = _across(rotation.rotate(turn, resting), direction)
    return rotation.multiply(_about(direction, _angle_about(direction, now, _across(side, direction))), turn)


def _about(axis: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Rotations (T, 4) about unit axes (T, 3) by angles (T,) in radians."""
    half = angle[..., None] / 2
    return np.concatenate([np.cos(half), np.sin(half) * axis], axis=-1)


def _angle_about(axis: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The angle in radians that turns ``start`` to ``end``, both across ``axis`` (..., 3)."""
    return np.arctan2(np.sum(np.cross(start, end) * axis, axis=-1), np.sum(start * end, axis=-1))


def _chest(skeleton: Skeleton) -> int:
    """The joint at which the arms branch off."""
    left, right = (_path(shoulder, skeleton) for shoulder in skeleton.shoulders)
    return max((joint for joint in left if joint in right), key=left.index)


def _path(joint: int, skeleton: Skeleton) -> list[int]:
    """The joints from the root to a joint, both included."""
    return ancestors(joint, skeleton.parents)[::-1]


def _children(joint: int, skeleton: Skeleton) -> list[int]:
    return [child for child in skeleton.order if skeleton.parents[child] == joint]


def continuous(quaternions: np.ndarray) -> np.ndarray:
    """Quaternions (T, J, 4) of the same turns, without changes of sign from frame to frame."""
    flips = np.sum(quaternions[1:] * quaternions[:-1], axis=-1) < 0
    quaternions[1:] *= np.where(np.cumsum(flips, axis=0) % 2, -1.0, 1.0)[..., None]
    return quaternions


def _across(v: np.ndarray, direction: np.ndarray) -> np.ndarray:
    return v - np.sum(v * direction, axis=-1, keepdims=True) * direction


def _length(v: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(v, axis=-1, keepdims=True))
