"""Clean-up of generated joints: bones keep their lengths, planted feet stay, nothing is under the floor.

A network's frames are right to a few centimetres each, which the eye forgives everywhere but at the feet.
Source: Kovar, Schreiner and Gleicher, "Footskate Cleanup for Motion Capture Editing", SCA 2002, with
contacts as the frame features say them. Knows joints, no network.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from .inverse_kinematics import two_bones
from .plausibility import bone_lengths
from .representation import joints_to_features
from .skeleton import Skeleton

# A foot joint above this bears nothing, whatever its contact says, metres.
CONTACT_HEIGHT = 0.12
LEAST_CONTACT_FRAMES = 3
# A contact that drifts further (metres) is several contacts, or a foot that is meant to slide.
MOST_DRIFT = 0.10
BLEND_FRAMES = 4
SLIDE_FRAMES = 2
SWEEPS = 30
# Straight to this share of its length a leg still shows which way its knee bends.
LEAST_REACH = 0.3


def clean_up(joints: np.ndarray, contacts: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Joints (T, J, 3) in metres with reference bone lengths, feet that stay while in contact, and a floor.

    ``contacts`` (T, 4) are those of the frame features, above 0.5 where a foot joint rests. Skeletons
    whose reference bones or ankles are not known (KIT-ML) are returned as they are.
    """
    if not skeleton.bone_lengths or not _has_ankles(skeleton):
        return joints
    result = with_reference_bones(joints, skeleton)
    feet = list(skeleton.feet)
    resting = (contacts > 0.5) & (_above_floor(result)[:, feet] < CONTACT_HEIGHT)
    result[..., 1] -= _floor(result, resting, feet)
    offsets = np.zeros((len(result), 4, 3))
    for side in (0, 2):
        offsets[:, side : side + 2, ::2] = _foot_offsets(
            result[:, feet[side : side + 2], ::2], resting[:, side : side + 2]
        )
    return above_floor(with_feet_moved(result, offsets, skeleton), skeleton).astype(joints.dtype)


def clean_up_recording(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Joints (T, J, 3) in metres at the skeleton's own rate, cleaned up as generated ones; the body stays.

    Bones get their usual lengths, and a foot joint rests where the frame features would say so. Raises
    ``ValueError`` for fewer than two frames, and for skeletons whose ankles are not known (KIT-ML).
    """
    if not _has_ankles(skeleton):
        raise ValueError(f"{skeleton.name}'s joints cannot be cleaned up; expected those of humanml3d")
    contacts = joints_to_features(joints, skeleton)[:, -4:]
    lengths = (0.0, *np.median(bone_lengths(joints, skeleton), axis=0).tolist())
    body = replace(skeleton, bone_lengths=lengths)
    return clean_up(joints, np.concatenate([contacts, contacts[-1:]]), body)


def above_floor(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Joints (T, J, 3) none of which is below 0: feet are lifted from the hips, then whole frames.

    Those are the frames in which a knee, a hand or a lying body reaches below the floor.
    """
    feet = list(skeleton.feet)
    offsets = np.zeros((len(joints), 4, 3))
    offsets[..., 1] = np.maximum(-joints[:, feet, 1], 0.0)
    result = with_feet_moved(joints, offsets, skeleton)
    result[..., 1] += _smoothly_above(np.maximum(-result[..., 1].min(1), 0.0))[:, None]
    return result


def with_reference_bones(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Joints (T, J, 3) float64 with the reference bone lengths, each as near as may be to where it was.

    Too long or too short bones move both their ends alike, over and over (position-based dynamics, Mueller
    et al., J. Visual Communication 2007): errors stay where they are, instead of adding up from the root
    to the hands. What is left after that, fractions of a millimetre, is put right from the root outwards.
    """
    result = np.array(joints, dtype=np.float64)
    lengths, parents = np.array(skeleton.bone_lengths), skeleton.parents
    for _ in range(SWEEPS):
        for joint in skeleton.order:
            bone = result[:, joint] - result[:, parents[joint]]
            length = np.maximum(np.linalg.norm(bone, axis=-1, keepdims=True), 1e-9)
            move = bone * (0.5 * (lengths[joint] / length - 1))
            result[:, joint] += move
            result[:, parents[joint]] -= move
    for joint in skeleton.order:
        bone = result[:, joint] - result[:, parents[joint]]
        length = np.maximum(np.linalg.norm(bone, axis=-1, keepdims=True), 1e-9)
        result[:, joint] = result[:, parents[joint]] + bone * (lengths[joint] / length)
    return result


def with_feet_moved(joints: np.ndarray, offsets: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Joints with the foot joints moved by ``offsets`` (T, 4, 3): knees bend, hips and bone lengths stay.

    Where the offsets of a foot's two joints differ, the toe reaches its place and the ankle gives way.
    """
    result = joints.copy()
    moved = np.abs(offsets).max(axis=(1, 2)) > 1e-6
    if not moved.any():
        return result
    part, lengths = joints[moved], skeleton.bone_lengths
    for first, (ankle, toe) in ((0, skeleton.left_foot), (2, skeleton.right_foot)):
        knee = skeleton.parents[ankle]
        hip = skeleton.parents[knee]
        toe_goal = part[:, toe] + offsets[moved, first + 1]
        foot = toe_goal - (part[:, ankle] + offsets[moved, first])
        foot *= (lengths[toe] / np.maximum(np.linalg.norm(foot, axis=-1), 1e-9))[:, None]
        pole = _knee_direction(part[:, [hip, knee, ankle, toe]])
        least = LEAST_REACH * (lengths[knee] + lengths[ankle])
        part[:, knee], part[:, ankle] = two_bones(
            part[:, hip], toe_goal - foot, pole, lengths[knee], lengths[ankle], least
        )
        part[:, toe] = part[:, ankle] + foot
    result[moved] = part
    return result


def _has_ankles(skeleton: Skeleton) -> bool:
    return all("ankle" in skeleton.joint_names[foot[0]] for foot in (skeleton.left_foot, skeleton.right_foot))


def _above_floor(joints: np.ndarray) -> np.ndarray:
    """Heights (T, J) above the clip's own lowest joint, a few strays apart."""
    return np.asarray(joints[..., 1] - np.percentile(joints[..., 1].min(1), 10))


def _floor(joints: np.ndarray, resting: np.ndarray, feet: list[int]) -> float:
    """The height on which the feet rest: that of the lowest resting foot joint, a few strays apart."""
    heights = np.where(resting, joints[:, feet, 1], np.inf).min(1)
    heights = heights[np.isfinite(heights)]
    return float(np.percentile(heights, 5)) if len(heights) else float(joints[..., 1].min())


def _foot_offsets(tracks: np.ndarray, resting: np.ndarray) -> np.ndarray:
    """Offsets (T, 2, 2) that hold a foot's two joints (T, 2, 2) where they rest (T, 2).

    Where one joint of the foot rests, the other moves with it: a raised heel goes with its toe.
    """
    offsets = np.stack([_held(tracks[:, k], resting[:, k]) for k in (0, 1)], axis=1)
    for own, other in ((0, 1), (1, 0)):
        led = resting[:, other] & ~resting[:, own]
        offsets[led, own] = offsets[led, other]
    return offsets


def _held(track: np.ndarray, resting: np.ndarray) -> np.ndarray:
    """Offsets (T, 2) that hold a point (T, 2) still in every contact and let go of it in between."""
    contacts = list(_contacts(track, resting))
    frames: list[int] = []
    values: list[np.ndarray] = []
    for number, (begin, end) in enumerate(contacts):
        last = contacts[number - 1][1] if number else -len(track)
        following = contacts[number + 1][0] if number + 1 < len(contacts) else 2 * len(track)
        # Between contacts that are near each other the point goes from one to the other.
        if begin - last > 2 * BLEND_FRAMES:
            frames.append(begin - BLEND_FRAMES)
            values.append(np.zeros(2))
        frames += range(begin, end)
        values += list(np.median(track[begin:end], axis=0) - track[begin:end])
        if following - end > 2 * BLEND_FRAMES:
            frames.append(end - 1 + BLEND_FRAMES)
            values.append(np.zeros(2))
    if not contacts:
        return np.zeros_like(track)
    times, table = np.arange(len(track)), np.array(values)
    return np.stack([np.interp(times, frames, table[:, k]) for k in (0, 1)], axis=1)


def _contacts(track: np.ndarray, resting: np.ndarray) -> Iterator[tuple[int, int]]:
    """First and last frame (exclusive) of each contact of a point; one that drifts is cut."""
    for rests, group in itertools.groupby(range(len(track)), key=lambda frame: bool(resting[frame])):
        if not rests:
            continue
        frames = list(group)
        begin = frames[0]
        for frame in frames:
            if frame > begin and np.linalg.norm(track[frame] - track[begin]) > MOST_DRIFT:
                yield from _long_enough(begin, frame - SLIDE_FRAMES)
                begin = frame + SLIDE_FRAMES
        yield from _long_enough(begin, frames[-1] + 1)


def _long_enough(begin: int, end: int) -> Iterator[tuple[int, int]]:
    if end - begin >= LEAST_CONTACT_FRAMES:
        yield begin, end


def _knee_direction(leg: np.ndarray) -> np.ndarray:
    """Where the knee of a leg (T, 4, 3) points (T, 3): as it did; a straight leg's ahead."""
    hip, knee, ankle, toe = np.moveaxis(leg, 1, 0)
    axis = ankle - hip
    axis = axis / np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-9)
    away = knee - hip
    away = away - np.sum(away * axis, -1, keepdims=True) * axis
    forward = toe - ankle
    forward = forward - np.sum(forward * axis, -1, keepdims=True) * axis
    bent = np.linalg.norm(away, axis=-1, keepdims=True)
    return np.asarray(away + np.maximum(0.02 - bent, 0.0) * forward / 0.15)


def _smoothly_above(least: np.ndarray) -> np.ndarray:
    """A smooth curve (T,) nowhere below ``least``."""
    reach = 2 * BLEND_FRAMES + 1
    highest = np.max(
        np.lib.stride_tricks.sliding_window_view(np.pad(least, BLEND_FRAMES, "edge"), reach), axis=1
    )
    window = np.hanning(reach + 2)[1:-1]
    return np.convolve(np.pad(highest, BLEND_FRAMES, "edge"), window / window.sum(), "valid")
