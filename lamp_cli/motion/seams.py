"""Two motions that meet: the offset between them dies away on both sides, bones keep their lengths.

Poses are directions of bones and the place of the root; their differences, rotation vectors and a shift, fade
by a polynomial that takes over position and velocity and ends without either.
Source: Bollo, "Inertialization: High-Performance Animation Transitions in Gears of War", GDC 2018; here half
of the offset goes to each side. Knows joints, no file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import rotation
from .placement import body_frames, headings, turned_about_y
from .skeleton import Skeleton

# Velocities count in the distance of two poses as what they would move in this time, seconds.
VELOCITY_SECONDS = 0.1


@dataclass(frozen=True)
class _Limbs:
    """Root (T, 3), the directions of the bones (T, J-1, 3), and their lengths (T, J-1, 1)."""

    root: np.ndarray
    directions: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(cls, joints: np.ndarray, skeleton: Skeleton) -> _Limbs:
        joints = np.asarray(joints, dtype=np.float64)
        bones = joints[:, 1:] - joints[:, list(skeleton.parents[1:])]
        lengths = np.linalg.norm(bones, axis=-1, keepdims=True)
        rest = np.array(skeleton.rest_directions[1:], dtype=np.float64)
        return cls(joints[:, 0], np.where(lengths > 1e-8, rotation.unit(bones), rest), lengths)

    def joints(self, skeleton: Skeleton) -> np.ndarray:
        result = np.empty((len(self.root), skeleton.joints, 3))
        result[:, 0] = self.root
        bones = self.directions * self.lengths
        for joint in skeleton.order:
            result[:, joint] = result[:, skeleton.parents[joint]] + bones[:, joint - 1]
        return result

    def way_to(self, other: _Limbs) -> _Way:
        """From each of these poses to the same-numbered one of another motion."""
        turn = rotation.to_axis_angle(rotation.between(self.directions, other.directions))
        return _Way(other.root - self.root, turn, other.lengths - self.lengths)

    def moved(self, way: _Way) -> _Limbs:
        turn = rotation.of_axis_angle(way.turn)
        directions = rotation.rotate(turn, self.directions)
        return _Limbs(self.root + way.shift, directions, self.lengths + way.growth)

    def __getitem__(self, frames: slice) -> _Limbs:
        return _Limbs(self.root[frames], self.directions[frames], self.lengths[frames])


@dataclass(frozen=True)
class _Way:
    """From pose to pose: shift of the root (T, 3), turns (T, J-1, 3) of bones, their growth (T, J-1, 1)."""

    shift: np.ndarray
    turn: np.ndarray
    growth: np.ndarray

    def times(self, factor: np.ndarray | float) -> _Way:
        """Every frame (or the one there is) times ``factor`` (T,)."""
        factor = np.atleast_1d(factor)
        return _Way(
            factor[:, None] * self.shift, *(factor[:, None, None] * x for x in (self.turn, self.growth))
        )

    def __add__(self, other: _Way) -> _Way:
        return _Way(self.shift + other.shift, self.turn + other.turn, self.growth + other.growth)


def brought_together(
    before: np.ndarray, after: np.ndarray, skeleton: Skeleton, reach: int
) -> tuple[np.ndarray, np.ndarray]:
    """Both motions (T, J, 3), changed so that ``after`` begins in the pose in which ``before`` ends.

    Their last and first poses, at most ``reach`` frames beside them, give way by half of the difference each;
    the velocities become those between the two. One that is a single frame stands still.
    """
    first, second = _Limbs.of(before, skeleton), _Limbs.of(after, skeleton)
    gap = first[-1:].way_to(second[:1])
    rate = _velocity(second[:2]) + _velocity(first[-2:]).times(-1.0)
    first = _given_way(first, gap.times(0.5), rate.times(-0.5), min(reach, len(before) - 1), at_end=True)
    second = _given_way(second, gap.times(-0.5), rate.times(-0.5), min(reach, len(after) - 1), at_end=False)
    return first.joints(skeleton), second.joints(skeleton)


def in_between(before: np.ndarray, after: np.ndarray, skeleton: Skeleton, frames: int) -> np.ndarray:
    """So many frames (frames, J, 3) that lead from the last pose of one motion to the first of the other.

    Position and velocity run through at both ends; the motions stand where they are.
    """
    first, second = _Limbs.of(before, skeleton), _Limbs.of(after, skeleton)
    time = np.arange(1, frames + 1) / (frames + 1)
    leave, arrive = (_velocity(limbs).times(frames + 1.0) for limbs in (first[-2:], second[:2]))
    gap = first[-1:].way_to(second[:1])
    at_rest, moving = _fading(time)
    way = gap.times(1.0 - at_rest) + leave.times(moving) + arrive.times(-_fading(1.0 - time)[1])
    return first[-1:].moved(way).joints(skeleton)


def pose_vectors(joints: np.ndarray, skeleton: Skeleton, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Two rows of numbers (T, 6J) a frame: as the last before a seam, and as the first behind one.

    The root of the mean squared difference of a frame's first row and another's second is how far they lie
    apart in metres: the joints of both poses, above one place and facing one way, and by ``VELOCITY_SECONDS``
    the velocity that leads to the one and that which leaves the other.
    """
    poses = body_frames(joints, skeleton)
    steps = np.diff(joints, axis=0) * fps * VELOCITY_SECONDS
    angle = -headings(joints, skeleton)
    come = turned_about_y(np.concatenate([steps[:1], steps]) if len(steps) else 0 * joints, angle)
    leave = turned_about_y(np.concatenate([steps, steps[-1:]]) if len(steps) else 0 * joints, angle)
    scale = 1.0 / np.sqrt(skeleton.joints)
    first, second = (
        scale * np.concatenate([poses, moving], axis=1).reshape(len(joints), -1) for moving in (come, leave)
    )
    return first, second


def _velocity(limbs: _Limbs) -> _Way:
    """From frame to frame of two poses (1, ...); of a single one none. Bones do not grow."""
    way = limbs[:1].way_to(limbs[-1:])
    return _Way(way.shift, way.turn, 0.0 * way.growth)


def _given_way(limbs: _Limbs, gap: _Way, rate: _Way, reach: int, at_end: bool) -> _Limbs:
    """Limbs whose last pose, or first, is moved by ``gap`` and leaves that offset by ``rate`` a frame."""
    frames = np.arange(len(limbs.root))
    away = frames[::-1] if at_end else frames
    at_rest, moving = _fading(np.minimum(away / max(reach, 1), 1.0))
    # Within the first frame the polynomial goes a little less than its slope says.
    first = _fading(np.array(1.0 / max(reach, 2)))[1]
    return limbs.moved(gap.times(at_rest) + rate.times(moving / first if reach > 1 else 0.0 * moving))


def _fading(time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Polynomials of degree 5 on [0, 1] that end without value, slope and curvature.

    The first begins at 1 with slope 0, the second at 0 with slope 1, both without curvature.
    """
    at_rest = 1.0 - time**3 * (10.0 - 15.0 * time + 6.0 * time**2)
    moving = time - time**3 * (6.0 - 8.0 * time + 3.0 * time**2)
    return at_rest, moving
