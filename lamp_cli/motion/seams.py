"""Two motions that meet: the offset between them dies away on both sides, bones keep their lengths.

Poses are directions of bones and the place of the root; their differences, rotation vectors and a shift, fade
by a polynomial that takes over position and velocity and ends without either.
Source: Bollo, "Inertialization: High-Performance Animation Transitions in Gears of War", GDC 2018; here half
of the offset goes to each side. Knows joints, no file.
"""

from __future__ import annotations

import numpy as np

from .limbs import Limbs, PoseChange
from .placement import body_frames, headings, turned_about_y
from .skeleton import Skeleton

# Velocities count in the distance of two poses as what they would move in this time, seconds.
VELOCITY_SECONDS = 0.1


def brought_together(
    before: np.ndarray, after: np.ndarray, skeleton: Skeleton, reach: int
) -> tuple[np.ndarray, np.ndarray]:
    """Both motions (T, J, 3), changed so that ``after`` begins in the pose in which ``before`` ends.

    Their last and first poses, at most ``reach`` frames beside them, give way by half of the difference each;
    the velocities become those between the two. One that is a single frame stands still.
    """
    first, second = Limbs.of(before, skeleton), Limbs.of(after, skeleton)
    gap = first[-1:].way_to(second[:1])
    rate = _velocity(second[:2]) + _velocity(first[-2:]).times(-1.0)
    first = _given_way(first, gap.times(0.5), rate.times(-0.5), min(reach, len(before) - 1), at_end=True)
    second = _given_way(second, gap.times(-0.5), rate.times(-0.5), min(reach, len(after) - 1), at_end=False)
    return first.joints(skeleton), second.joints(skeleton)


def in_between(before: np.ndarray, after: np.ndarray, skeleton: Skeleton, frames: int) -> np.ndarray:
    """So many frames (frames, J, 3) that lead from the last pose of one motion to the first of the other.

    Position and velocity run through at both ends; the motions stand where they are.
    """
    first, second = Limbs.of(before, skeleton), Limbs.of(after, skeleton)
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


def _velocity(limbs: Limbs) -> PoseChange:
    """From frame to frame of two poses (1, ...); of a single one none. Bones do not grow."""
    way = limbs[:1].way_to(limbs[-1:])
    return PoseChange(way.shift, way.turn, 0.0 * way.growth)


def _given_way(limbs: Limbs, gap: PoseChange, rate: PoseChange, reach: int, at_end: bool) -> Limbs:
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
