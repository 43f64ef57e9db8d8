"""The frame representation of HumanML3D and KIT-ML (263 and 251 numbers), and back to joints.

Joints go in and come out in metres; KIT-ML's features are millimetres inside, as the field has them.
Knows nothing of files, frame rates or text.

Source: Guo et al., "Generating Diverse and Natural 3D Human Motions from Text", CVPR 2022, section 5;
the order of operations is that of the released data set.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from . import rotation
from .skeleton import Skeleton

UP = np.array([0.0, 1.0, 0.0])
FORWARD = np.array([0.0, 0.0, 1.0])


def joints_to_features(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Features (T-1, 12J-1) float32 of a clip of joints (T, J, 3) in metres.

    Column groups for J = 22: 0 root rotation, 1-2 root displacement, 3 root height, 4-66 positions,
    67-192 rotations, 193-258 displacements, 259-262 contacts. Raises ``ValueError`` for fewer than
    two frames, another number of joints, or numbers that are not finite.
    """
    require_joints(joints, skeleton)
    if len(joints) < 2:
        raise ValueError("features need at least 2 frames: each describes the step to the next")
    positions = canonical_joints(joints, skeleton) * skeleton.feature_units_per_metre
    rotations = _inverse_kinematics(positions, skeleton)
    facing = rotations[:, 0]
    steps = positions[1:] - positions[:-1]

    turn = rotation.multiply(facing[1:], rotation.inverse(facing[:-1]))
    root_rotation = np.arcsin(np.clip(turn[:, 2:3], -1.0, 1.0))
    root_step = rotation.rotate(facing[1:], steps[:, 0])[:, [0, 2]]
    root_height = positions[:-1, 0, 1:2]
    local = positions - positions[:, :1] * np.array([1.0, 0.0, 1.0])
    local = rotation.rotate(facing[:, None], local)[:-1, 1:]
    six_numbers = rotation.to_six_numbers(rotations[:-1, 1:])
    local_steps = rotation.rotate(facing[:-1, None], steps)
    contacts = _contacts(steps, skeleton)
    frames = len(steps)
    groups = [root_rotation, root_step, root_height, local, six_numbers, local_steps, contacts]
    return np.concatenate([g.reshape(frames, -1) for g in groups], axis=1).astype(np.float32)


def features_to_joints(features: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Joints (..., T, J, 3) float32 in metres of features (..., T, 12J-1).

    Uses the root columns and the joint positions, as the field does ("recover from ric").
    Sums run in float64, so that long clips do not drift.
    """
    data = np.asarray(features, dtype=np.float64)
    angle = np.zeros(data.shape[:-1])
    angle[..., 1:] = np.cumsum(_true_turns(data, skeleton)[..., :-1], axis=-1)
    to_world = rotation.inverse(rotation.about_y(2.0 * angle))

    step = np.zeros((*data.shape[:-1], 3))
    step[..., 1:, 0] = data[..., :-1, 1]
    step[..., 1:, 2] = data[..., :-1, 2]
    root = np.cumsum(rotation.rotate(to_world, step), axis=-2)

    size = 3 * (skeleton.joints - 1)
    local = data[..., 4 : 4 + size].reshape(*data.shape[:-1], skeleton.joints - 1, 3)
    others = rotation.rotate(to_world[..., None, :], local) + root[..., None, :]
    root[..., 1] = data[..., 3]
    joints = np.concatenate([root[..., None, :], others], axis=-2)
    return (joints / skeleton.feature_units_per_metre).astype(np.float32)


def canonical_joints(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Joints (T, J, 3) on the reference skeleton, on the floor, starting at the origin facing +z.

    Order as in the field: retarget, lowest joint of the clip to y = 0, root of frame 0 to
    x = z = 0, frame 0 turned to +z.
    """
    positions = retarget(np.asarray(joints, dtype=np.float64), skeleton)
    positions[..., 1] -= positions[..., 1].min()
    positions -= positions[0, 0] * np.array([1.0, 0.0, 1.0])
    heading = rotation.between(facing_direction(positions[:1], skeleton), FORWARD)
    return rotation.rotate(heading[:, None], positions)


def retarget(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Joints (T, J, 3) with the reference bone lengths and every bone's direction kept.

    The root path is scaled by the ratio of the leg lengths (thigh plus shin, of frame 0).
    Turning a rest direction onto a bone and then the reference bone by the same rotation keeps the
    bone's direction, so no rotation needs to be computed.
    """
    if not skeleton.bone_lengths:
        return np.array(joints, dtype=np.float64)
    parents = np.array(skeleton.parents)
    bones = joints[:, 1:] - joints[:, parents[1:]]
    lengths = np.linalg.norm(bones, axis=-1, keepdims=True)
    target = np.array(skeleton.bone_lengths)
    rest = np.array(skeleton.rest_directions[1:], dtype=np.float64)
    directions = np.where(lengths > 1e-8, bones / np.maximum(lengths, 1e-8), rest)
    leg = [j - 1 for j in skeleton.leg]
    scale = target[list(skeleton.leg)].sum() / max(float(lengths[0, leg].sum()), 1e-8)
    result = np.empty(joints.shape, dtype=np.float64)
    result[:, 0] = joints[:, 0] * scale
    for joint in skeleton.order:
        bone = directions[:, joint - 1] * target[joint]
        result[:, joint] = result[:, parents[joint]] + bone
    return result


def facing_direction(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Unit horizontal direction (T, 3) in which hips and shoulders of (T, J, 3) face."""
    return rotation.unit(np.cross(UP, _across(joints, skeleton, hips_swapped=False)))


def require_joints(joints: np.ndarray, skeleton: Skeleton) -> None:
    """Raise ``ValueError`` unless ``joints`` is a finite array (T, J, 3) of that skeleton."""
    if joints.ndim != 3 or joints.shape[1:] != (skeleton.joints, 3):
        raise ValueError(f"expected joints (T, {skeleton.joints}, 3), found shape {joints.shape}")
    if not np.isfinite(joints).all():
        raise ValueError("joints hold NaN or infinite numbers")


def _facing_as_released(positions: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Rotation (T, 4) that turns each frame's facing to +z, as the released data has it.

    It is not the true facing: the field's code swaps the hips (but not the shoulders), smooths the
    forward vector over time, and sets frame 0 to the identity. Published features, statistics and
    checkpoints all contain this.
    """
    forward = np.cross(UP, rotation.unit(_across(positions, skeleton, hips_swapped=True)))
    facing = rotation.between(rotation.unit(gaussian_smooth(forward, sigma=20.0)), FORWARD)
    facing[0] = [1.0, 0.0, 0.0, 0.0]
    return facing


def _true_turns(features: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Column 0 (..., T) with the right sign in the frames where a body turns past its own back.

    There the facing quaternion jumps to its negative and the released features hold the turn with
    the wrong sign, an error of twice the turn in the heading. Positions and displacements of the same
    frame give the true turn: positions(t) + displacements(t) are positions(t+1) turned back. A sign is
    changed only where it is clearly wrong, and a small turn's only near the back, so that noisy features
    stay as they are.
    """
    turns = features[..., 0].copy()
    if features.shape[-2] < 2:
        return turns
    shape = (*features.shape[:-1], skeleton.joints - 1, 3)
    size = 3 * (skeleton.joints - 1)
    start = 4 + 3 * size
    here = features[..., 4 : 4 + size].reshape(shape)
    root_step = features[..., start : start + 3]
    steps = features[..., start + 3 : start + 3 + size].reshape(shape)
    moved = (here + steps - root_step[..., None, :])[..., :-1, :, :]
    following = here[..., 1:, :, :]
    sine = np.sum(moved[..., 2] * following[..., 0] - moved[..., 0] * following[..., 2], axis=-1)
    cosine = np.sum(moved[..., 0] * following[..., 0] + moved[..., 2] * following[..., 2], axis=-1)
    measured = np.arctan2(sine, cosine) / 2.0
    stored = turns[..., :-1]
    opposite = np.abs(measured + stored) < 0.3 * np.abs(stored)
    clear = np.where(opposite & (np.abs(stored) > 0.01), -stored, stored)
    heading = 2.0 * (np.cumsum(clear, axis=-1) - clear)
    at_the_back = np.cos(heading) < -np.cos(0.1)
    turns[..., :-1] = np.where(opposite & at_the_back, -stored, clear)
    return turns


def _inverse_kinematics(positions: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Local rotations (T, J, 4): the facing for the root, then each bone against its parent's.

    Every chain starts from the facing, also the arms, which branch off the spine: the field's choice.
    """
    result = np.empty((*positions.shape[:2], 4))
    facing = _facing_as_released(positions, skeleton)
    result[:, 0] = facing
    rest = np.array(skeleton.rest_directions, dtype=np.float64)
    for chain in skeleton.chains:
        world = facing
        for parent, child in pairwise(chain):
            bone = rotation.between(rest[child], rotation.unit(positions[:, child] - positions[:, parent]))
            result[:, child] = rotation.multiply(rotation.inverse(world), bone)
            world = rotation.multiply(world, result[:, child])
    return result


def _contacts(steps: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """1 where a foot joint's squared displacement (T-1, J, 3) is strictly below the threshold."""
    squared = np.sum(steps[:, list(skeleton.feet)] ** 2, axis=-1)
    return (squared < skeleton.contact_threshold).astype(np.float64)


def _across(joints: np.ndarray, skeleton: Skeleton, hips_swapped: bool) -> np.ndarray:
    left_hip, right_hip = skeleton.hips[::-1] if hips_swapped else skeleton.hips
    left_shoulder, right_shoulder = skeleton.shoulders
    hips = joints[:, right_hip] - joints[:, left_hip]
    return hips + joints[:, right_shoulder] - joints[:, left_shoulder]


def gaussian_smooth(signal: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian filter over the first axis of (T, D), edges repeated, kernel cut at 4 sigma.

    The same numbers as ``scipy.ndimage.gaussian_filter1d(..., mode="nearest")``.
    """
    radius = int(4.0 * sigma + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(signal, ((radius, radius), (0, 0)), mode="edge")
    columns = [np.convolve(padded[:, d], kernel, mode="valid") for d in range(signal.shape[1])]
    return np.stack(columns, axis=1)
