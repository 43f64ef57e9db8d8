"""Constraints of MMCP in our own terms, and motions that meet them: poses at frames, and a path of the root.

Source: MMCP 1.4 (package ``motionmcp-sdk``). A pose's rotations are against the parents, as those of an
answer are; the root's places are of the posted skeleton's root, in metres, frames at the request's rate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from motionmcp.errors import ProtocolError
from motionmcp.schemas import GenerateRequest, PoseKeyframeConstraint, RootPathConstraint

from ..motion import rotation
from ..motion.clean_up import resting_feet
from ..motion.gap import DrawnFrames, Gap, fill_gap, spread_from_knots
from ..motion.motion import Motion
from ..motion.retarget import Rig, pose_of_rig, rest_places, retargeted, root_to_pelvis
from ..motion.skeleton import HUMANML3D
from ..motion.timed_path import TimedPath, at_places
from ..motion.transform import resample

SUPPORTED = ("pose_keyframe", "root_path")
# Metres from the origin; no stage is larger.
FURTHEST = 1000.0
# Within so many seconds on each side what our 22 joints do not tell of a pose comes and goes: fingers, twist.
EASE_SECONDS = 0.3


@dataclass(frozen=True)
class Keyframe:
    """A pose of the posted skeleton.

    frame: of the answer.
    turns: of some joints against their parents, by number, w first.
    place: of the root (3,); None: where the motion has it, as high over the floor as its own pose is.
    at_rest: whether other joints are at rest; else they are as the motion has them.
    """

    frame: int
    turns: dict[int, np.ndarray]
    place: np.ndarray | None
    at_rest: bool


@dataclass(frozen=True)
class Constraints:
    """Poses in the order of their frames, and where the root is when; ``path`` is of our own body."""

    keyframes: tuple[Keyframe, ...] = ()
    path: TimedPath | None = None

    def __bool__(self) -> bool:
        return bool(self.keyframes) or self.path is not None


@dataclass(frozen=True)
class RigMotion:
    """An answer: turns (T, N, 4), w first, places of the root (T, 3), and which of our feet rest (T, 4)."""

    turns: np.ndarray
    places: np.ndarray
    resting: np.ndarray


def constraints_of(request: GenerateRequest, rig: Rig, fps: float) -> Constraints:
    """A request's constraints; raises ``ProtocolError`` for numbers that are none, or two at one frame."""
    numbers = {joint.name: number for number, joint in enumerate(request.skeleton.joints)}
    keyframes: dict[int, Keyframe] = {}
    points: dict[int, tuple[np.ndarray, float]] = {}
    for number, constraint in enumerate(request.constraints):
        where = f"constraints[{number}]"
        if isinstance(constraint, PoseKeyframeConstraint):
            found = _keyframe(constraint, numbers, where)
            _set_once(keyframes, found.frame, found, f"{where}: another pose at frame {found.frame}")
        elif isinstance(constraint, RootPathConstraint):
            for frame, place, heading in _points(constraint, where):
                _set_once(points, frame, (place, heading), f"{where}: another place at frame {frame}")
    path = None
    if points:
        frames = sorted(points)
        places = np.stack([points[frame][0] for frame in frames])
        at_rest = root_to_pelvis(rig.world_turns[None], rig)[0, ::2]
        facing = np.array([points[frame][1] for frame in frames])
        path = TimedPath(np.array(frames) / fps, (places + at_rest) / rig.scale, facing)
    return Constraints(tuple(keyframes[frame] for frame in sorted(keyframes)), path)


def constrained(motion: Motion, constraints: Constraints, rig: Rig, frames: int, fps: float) -> RigMotion:
    """A motion of our joints, at their own rate, on a rig for so many ``frames`` as the constraints have it.

    Raises ``ValueError`` for a path of no end.
    """
    joints, kept = motion.joints, list[int]()
    if constraints.path is not None:
        parts = [(part.start, part.end) for part in motion.parts]
        joints = at_places(joints, constraints.path, HUMANML3D, parts)
        kept = [round(time * fps) for time in constraints.path.times[[0, -1]]]
    whole = resample(joints, motion.fps, fps)
    own = replace(motion, joints=whole[np.minimum(np.arange(frames), len(whole) - 1)], fps=fps, features=None)
    if not constraints.keyframes:
        return _on_rig(own, rig)
    poses = list(_whole_poses(constraints.keyframes, own, rig))
    posed = own.joints.copy()
    for key, (turns, place) in zip(constraints.keyframes, poses, strict=True):
        posed[key.frame] = pose_of_rig(turns, place, rig)
    kept = sorted({*kept, *(key.frame for key in constraints.keyframes)})
    if len(kept) < frames:
        drawn = DrawnFrames(joints, 0, frames * motion.fps / fps)
        posed = fill_gap(posed, drawn, Gap(0, frames, frames, tuple(kept)), HUMANML3D, fps)
    return _through(_on_rig(replace(own, joints=posed), rig), constraints.keyframes, poses, fps)


def path_error(found: RigMotion, path: TimedPath, rig: Rig, fps: float) -> np.ndarray:
    """Metres (K,) from the root to each place of the path at its frame."""
    asked = rig.scale * path.places - root_to_pelvis(rig.world_turns[None], rig)[0, ::2]
    return np.asarray(
        np.linalg.norm(found.places[np.rint(path.times * fps).astype(int), ::2] - asked, axis=1)
    )


def _set_once(found: dict[int, Any], frame: int, value: Any, otherwise: str) -> None:
    if frame in found:
        raise ProtocolError("invalid_request", f"{otherwise}; expected one")
    found[frame] = value


def _keyframe(constraint: PoseKeyframeConstraint, numbers: dict[str, int], where: str) -> Keyframe:
    turns = {}
    for name, numbers_of_turn in constraint.joint_rotations.items():
        # The protocol puts w last.
        turn = np.roll(np.array(numbers_of_turn, dtype=np.float64), 1)
        length = np.linalg.norm(turn)
        if not 1e-6 < length < np.inf:
            raise ProtocolError("invalid_request", f"{where}: the rotation of {name} is none")
        turns[numbers[name]] = turn / length
    place = None if constraint.root_position is None else _place(constraint.root_position, where)
    return Keyframe(constraint.frame, turns, place, constraint.fill_mode == "rest")


def _points(constraint: RootPathConstraint, where: str) -> Iterator[tuple[int, np.ndarray, float]]:
    """Frame, place (2,) and heading of each point; not a number where there is none."""
    facing = constraint.heading_radians
    for number, (frame, place) in enumerate(zip(constraint.frames, constraint.positions_xz, strict=True)):
        if facing is not None and not np.isfinite(facing[number]):
            raise ProtocolError("invalid_request", f"{where}: the heading at frame {frame} is no number")
        yield frame, _place(place, where), np.nan if facing is None else facing[number]


def _place(numbers: Sequence[float], where: str) -> np.ndarray:
    place = np.array(numbers, dtype=np.float64)
    if not (np.abs(place) < FURTHEST).all():
        raise ProtocolError("invalid_request", f"{where}: expected places within {FURTHEST:g} m")
    return place


def _on_rig(motion: Motion, rig: Rig) -> RigMotion:
    resting = resting_feet(motion.joints, replace(HUMANML3D, fps=motion.fps))
    turns, places = retargeted(motion, resting.astype(np.float64), rig, motion.fps)
    return RigMotion(turns, places, resting)


def _whole_poses(
    keyframes: Sequence[Keyframe], motion: Motion, rig: Rig
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Turns (N, 4) of all joints and the place (3,) of the root at each keyframe."""
    own = _on_rig(motion, rig) if any(not key.at_rest or key.place is None for key in keyframes) else None
    for key in keyframes:
        turns = rig.turns.copy()
        if own is not None and not key.at_rest:
            turns = own.turns[key.frame].copy()
        for joint, turn in key.turns.items():
            turns[joint] = turn
        place = key.place
        if place is None:
            assert own is not None
            place = own.places[key.frame].copy()
            place[1] += _lowest(own.turns[key.frame], rig) - _lowest(turns, rig)
        yield turns, place


def _lowest(turns: np.ndarray, rig: Rig) -> float:
    """The height of the lowest joint over the root."""
    places = rest_places(rig.parents, rig.offsets, turns)
    return float((places[:, 1] - places[0, 1]).min())


def _through(
    found: RigMotion,
    keyframes: Sequence[Keyframe],
    poses: Sequence[tuple[np.ndarray, np.ndarray]],
    fps: float,
) -> RigMotion:
    """The answer with what is left of its difference to the poses spread over the frames beside them."""
    at = np.array([key.frame for key in keyframes])
    turns = np.stack([turns for turns, _ in poses])
    missing = rotation.to_axis_angle(rotation.multiply(turns, rotation.inverse(found.turns[at])))
    places = np.stack([place for _, place in poses]) - found.places[at]
    values = np.concatenate([missing.reshape(len(at), -1), places], axis=1)
    spread = spread_from_knots(at, values, len(found.turns), max(1, round(EASE_SECONDS * fps)))
    turned = rotation.of_axis_angle(spread[:, :-3].reshape(len(found.turns), -1, 3))
    moved = rotation.unit(rotation.multiply(turned, found.turns))
    return RigMotion(moved, found.places + spread[:, -3:], found.resting)
