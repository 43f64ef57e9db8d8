"""Whether positions are those of a human body on a floor: one check for every reader of joint positions.

Files say nothing of their unit, axes or floor, and the same shape holds rotations as well as positions. What
is certain is repaired and reported; what is no body is refused with the likely reason. The limits are well
outside what real motion capture holds, that of children, crawling, lying, acrobatics and climbing included,
which passes unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from .skeleton import HUMANML3D, Skeleton

# Metres of one unit, and the lengths of a body (leg and trunk) in that unit. Real ones: 0.85 to 1.7 m.
UNITS = (
    ("metres", 1.0, 0.6, 2.2),
    ("feet", 0.3048, 2.2, 7.2),
    ("inches", 0.0254, 32.0, 80.0),
    ("centimetres", 0.01, 80.0, 220.0),
    ("millimetres", 0.001, 600.0, 2200.0),
)
# Leg and trunk of HumanML3D's reference clip, metres.
USUAL_BODY = 1.47
# Legs over trunk.
LEG_TO_TRUNK = (0.3, 4.0)
# Left over right of the long bones, or right over left.
LEFT_TO_RIGHT = 1.8
# Share of the body's length by which a bone differs from its usual length a quarter of the time: rotations
# and normalised numbers differ more, real takes much less. Features from networks differ more than takes.
BONE_CHANGE = 0.06
BONE_CHANGE_OF_FEATURES = 0.1
# A bone this much (of the body) longer or shorter than usual is a lost marker, not a bone.
BONE_JUMP = 0.2
# Feet of real takes come down to -0.11 to 0.17 m.
FLOOR_TOLERANCE = 0.25
# From lying on the back to a handstand, the lowest joint of real takes is near the floor.
RESTS_ON_FLOOR = 0.12
UPRIGHT = 0.7
# Seconds that a foot moves from rest to rest, the median of a take: 0.4 in most real takes, above 1.0 in
# one of a hundred. Shorter paths (metres) are no steps; joints move at rest by a share of their top speed.
STEP_SECONDS, LONGEST_STEP_SECONDS = 0.4, 1.0
LEAST_STEP_PATH = 0.12
SPEED_AT_REST = 0.3
# Rates of motion capture above the corpus's.
CAPTURE_RATES = (60, 120, 240)


class ImplausibleMotionError(ValueError):
    """Numbers that are no moving body; the message gives the likely reason, not the file."""


@dataclass(frozen=True)
class Body:
    """Joints (T, J, 3) in metres, y up, on the floor y = 0, and what was repaired to get there."""

    joints: np.ndarray
    notes: tuple[str, ...] = ()


def plausible_body(
    positions: np.ndarray, skeleton: Skeleton, resting: np.ndarray | None = None, any_unit: bool = False
) -> Body:
    """The body that positions (T, J, 3) of any unit and axes show, as float32.

    ``resting`` (J, 3) is the skeleton's rest pose in the same axes, where a file has one: of a body that
    lies along its own upright axis throughout, it tells that it stands. ``any_unit`` is for joints whose
    names say that they are a person's: a body of no known unit is scaled to a usual one. Repairs the unit,
    the up axis, the floor and mirrored handedness, each with a note. Raises
    :class:`ImplausibleMotionError` for what is no body.
    """
    joints = np.asarray(positions, dtype=np.float64)
    _require_no_gap(joints.reshape(len(joints), -1))
    lengths = bone_lengths(joints, skeleton)
    _require_a_body(lengths, skeleton)
    joints, notes = joints.copy(), []
    with_y_up = partial(_with_y_up, resting=resting)
    for repair in (partial(_in_metres, any_unit=any_unit), with_y_up, _on_the_floor, _right_handed):
        joints, note = repair(joints, skeleton)
        notes += [note] if note else []
    return Body(joints.astype(np.float32), tuple(notes))


def require_plausible_features(features: np.ndarray, joints: np.ndarray, skeleton: Skeleton) -> None:
    """Refuse features (T, 12J-1) whose ``joints`` (T, J, 3) are no body in metres, such as normalised ones.

    Raises :class:`ImplausibleMotionError`.
    """
    _require_no_gap(features)
    lengths = bone_lengths(joints, skeleton)
    size = _body_length(lengths, skeleton)
    change = _bone_change(lengths, max(size, 1e-9))
    if not 0.5 < size < 3.0 or change > BONE_CHANGE_OF_FEATURES:
        raise ImplausibleMotionError(
            f"features of a body {size:.2f} m long whose bones change their length by {change:.0%} of it: "
            "are they normalised? Multiply by Std.npy and add Mean.npy"
        )


def rate_doubt(joints: np.ndarray, skeleton: Skeleton, fps: float) -> str:
    """Why joints (T, J, 3) in metres look faster than ``fps``: the feet step too slowly; else empty."""
    steps = [
        frames
        for side in ("left", "right")
        for frames in _steps(joints[:, _joint(f"{side}_ankle", skeleton)])
    ]
    seconds = float(np.median(steps)) / fps if len(steps) > 1 else 0.0
    if seconds <= LONGEST_STEP_SECONDS:
        return ""
    rate = min(CAPTURE_RATES, key=lambda rate: abs(np.log(rate / fps / (seconds / STEP_SECONDS))))
    return f"steps last longer than people's: is the true rate about {rate} frames per second (--fps)?"


def _steps(places: np.ndarray) -> list[int]:
    """The frames of each movement of a joint (T, 3) that begins and ends at rest."""
    speed = np.linalg.norm(np.diff(places.astype(np.float64), axis=0), axis=1)
    moves = speed > SPEED_AT_REST * np.percentile(speed, 98) if len(speed) else np.zeros(0, bool)
    changes = np.flatnonzero(np.diff(moves)) + 1
    if len(changes) and moves[0]:
        changes = changes[1:]
    pairs = zip(changes[::2].tolist(), changes[1::2].tolist(), strict=False)
    return [end - start for start, end in pairs if speed[start:end].sum() > LEAST_STEP_PATH]


def bone_lengths(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Lengths (T, J-1) of the bones from each joint but the root to its parent, in the unit of ``joints``."""
    children = np.arange(1, skeleton.joints)
    parents = np.array(skeleton.parents)[children]
    return np.linalg.norm(joints[:, children].astype(np.float64) - joints[:, parents], axis=-1)


def _require_no_gap(rows: np.ndarray) -> None:
    """Refuse frames (T, C) of which some hold only zeros, as where markers were lost."""
    empty = np.flatnonzero(~rows.any(axis=1))
    if 0 < len(empty) < len(rows):
        raise ImplausibleMotionError(f"frame {empty[0]} holds only zeros: is it a gap in the recording?")


def _bone_change(lengths: np.ndarray, size: float) -> float:
    """How far the least steady bone is from its usual length a quarter of the time, over ``size``."""
    deviation = np.abs(lengths - np.median(lengths, axis=0))
    return float(np.percentile(deviation, 75, axis=0).max()) / size


def _require_a_body(lengths: np.ndarray, skeleton: Skeleton) -> None:
    usual = np.median(lengths, axis=0)
    size = _body_length(lengths, skeleton)
    if size <= 1e-6 or np.median(lengths.max(axis=1)) <= 1e-6:
        raise ImplausibleMotionError("all joints lie in one point; expected the positions of a body")
    change = _bone_change(lengths, size)
    if change > BONE_CHANGE:
        raise ImplausibleMotionError(
            f"bones change their length by {change:.0%} of the body: are these rotations or normalised "
            "numbers instead of positions?"
        )
    deviation = np.abs(lengths - usual)
    frame, bone = np.unravel_index(int(deviation.argmax()), deviation.shape)
    if deviation[frame, bone] > BONE_JUMP * size:
        name = skeleton.joint_names[bone + 1]
        raise ImplausibleMotionError(
            f"frame {frame}: the bone to {name} is {lengths[frame, bone] / usual[bone]:.1f} times as long as "
            "usual: is it a gap or a spike in the recording?"
        )
    _require_proportions(usual, skeleton)


def _require_proportions(usual: np.ndarray, skeleton: Skeleton) -> None:
    leg, trunk = _leg_length(usual, skeleton), _trunk_length(usual, skeleton)
    sides = [
        usual[_joint(f"left_{name}", skeleton) - 1] / max(usual[_joint(f"right_{name}", skeleton) - 1], 1e-9)
        for name in ("knee", "ankle", "elbow", "wrist")
    ]
    uneven = max(max(side, 1 / max(side, 1e-9)) for side in sides)
    if uneven > LEFT_TO_RIGHT or not LEG_TO_TRUNK[0] < leg / max(trunk, 1e-9) < LEG_TO_TRUNK[1]:
        raise ImplausibleMotionError(
            f"no human proportions (legs {leg / max(trunk, 1e-9):.2g} times the trunk, sides differ "
            f"{uneven:.2g}-fold): are these rotations, normalised numbers or joints in another order?"
        )


def _in_metres(joints: np.ndarray, skeleton: Skeleton, any_unit: bool) -> tuple[np.ndarray, str]:
    size = _body_length(bone_lengths(joints, skeleton), skeleton)
    for unit, metres, least, most in UNITS:
        if least <= size < most:
            return joints * metres, "" if unit == "metres" else f"taken for {unit}, converted to metres"
    if any_unit:
        return joints * USUAL_BODY / size, f"a body {size:.3g} long in no known unit, scaled to a usual one"
    raise ImplausibleMotionError(
        f"a body {size:.3g} long from head to foot is in no known unit; expected "
        + ", ".join(unit for unit, *_ in UNITS)
    )


def _with_y_up(
    joints: np.ndarray, skeleton: Skeleton, resting: np.ndarray | None = None
) -> tuple[np.ndarray, str]:
    """Turn a body that stands along another axis, unless it rests on the floor as it is (lies, crawls)."""
    shares = _upright_shares(joints, skeleton)
    axis, sign = max(shares, key=lambda key: shares[key])
    if (axis, sign) == (1, 1) or shares[1, 1] > 0.1 or shares[axis, sign] < 0.3:
        return joints, ""
    stands = resting is not None and _upright_shares(resting[None], skeleton)[axis, sign] == 1.0
    if not stands and _rests_on_floor(joints, skeleton):
        return joints, ""
    turned = _axis_to_y(joints, axis, sign)
    return turned, f"{'-' if sign < 0 else ''}{'xyz'[axis]} taken for up, turned to y up"


def _upright_shares(joints: np.ndarray, skeleton: Skeleton) -> dict[tuple[int, int], float]:
    """The share of frames (T, J, 3) in which a body stands along each axis, up or down it."""
    ankles = (joints[:, _joint("left_ankle", skeleton)] + joints[:, _joint("right_ankle", skeleton)]) / 2
    upward = joints[:, _joint("neck", skeleton)] - ankles
    upward = upward / (np.linalg.norm(upward, axis=-1, keepdims=True) + 1e-9)
    return {
        (axis, sign): float((sign * upward[:, axis] > UPRIGHT).mean())
        for axis in range(3)
        for sign in (1, -1)
    }


def _rests_on_floor(joints: np.ndarray, skeleton: Skeleton) -> bool:
    lowest = joints[..., 1].min(axis=1)
    low, high = np.percentile(lowest, (5, 95))
    head = _joint("head", skeleton)
    on_its_head = float((joints[..., 1].argmin(axis=1) == head).mean()) > 0.8
    return bool(abs(low) < RESTS_ON_FLOOR and high - low < 0.4 and not on_its_head)


def _axis_to_y(joints: np.ndarray, axis: int, sign: int) -> np.ndarray:
    """Rotate so that ``sign`` times ``axis`` becomes y; a rotation, so that left stays left."""
    x, y, z = np.moveaxis(joints, -1, 0)
    turned = {
        (0, 1): (-y, x, z),
        (0, -1): (y, -x, z),
        (1, -1): (x, -y, -z),
        (2, 1): (x, z, -y),
        (2, -1): (x, -z, y),
    }[axis, sign]
    return np.stack(turned, axis=-1)


def _on_the_floor(joints: np.ndarray, _: Skeleton) -> tuple[np.ndarray, str]:
    """Put the floor under the feet when it is off by more than any real take."""
    floor = float(np.percentile(joints[..., 1].min(axis=1), 5))
    if abs(floor) <= FLOOR_TOLERANCE:
        return joints, ""
    where = "above" if floor > 0 else "below"
    return joints - np.array([0.0, floor, 0.0]), f"{abs(floor):.2f} m {where} the floor, moved onto it"


def _right_handed(joints: np.ndarray, skeleton: Skeleton) -> tuple[np.ndarray, str]:
    """Undo a mirror (a left-handed coordinate system): toes and bent knees then point backward.

    Only for HumanML3D's joints, whose order of left and right is known for certain.
    """
    if skeleton is not HUMANML3D:
        return joints, ""
    left_hip, right_hip = skeleton.hips
    up = joints[:, _joint("neck", skeleton)] - joints[:, 0]
    forward = np.cross(joints[:, left_hip] - joints[:, right_hip], up)
    forward /= np.linalg.norm(forward, axis=-1, keepdims=True) + 1e-9
    toes, knees = np.zeros(len(joints)), np.zeros(len(joints))
    for side in ("left", "right"):
        hip, knee, ankle, toe = (
            joints[:, _joint(f"{side}_{n}", skeleton)] for n in ("hip", "knee", "ankle", "foot")
        )
        toes += ((toe - ankle) * forward).sum(axis=-1)
        knees += ((knee - (hip + ankle) / 2) * forward).sum(axis=-1)
    bent = np.abs(knees) > 0.06
    toes_backward = float((toes < -0.04).mean()) > 0.8
    knees_forward = bent.any() and float((knees[bent] > 0).mean()) > 0.5
    if not toes_backward or knees_forward:
        return joints, ""
    return joints * np.array([-1.0, 1.0, 1.0]), "left and right mirrored (toes point backward), x negated"


def _body_length(lengths: np.ndarray, skeleton: Skeleton) -> float:
    """Usual length of a leg (hip to ankle) and the trunk (root to head) of bones (T, J-1)."""
    usual = np.median(lengths, axis=0)
    return _leg_length(usual, skeleton) + _trunk_length(usual, skeleton)


def _leg_length(usual: np.ndarray, skeleton: Skeleton) -> float:
    names = ("left_knee", "left_ankle", "right_knee", "right_ankle")
    return float(sum(usual[_joint(name, skeleton) - 1] for name in names)) / 2


def _trunk_length(usual: np.ndarray, skeleton: Skeleton) -> float:
    joint, length = _joint("head", skeleton), 0.0
    while joint:
        length += float(usual[joint - 1])
        joint = skeleton.parents[joint]
    return length


def _joint(name: str, skeleton: Skeleton) -> int:
    return skeleton.joint_names.index(name)
