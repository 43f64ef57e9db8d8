"""Where a body stands on the floor and which way it faces; motions moved and turned there. Knows no file."""

from __future__ import annotations

import numpy as np

from . import rotation
from .representation import facing_direction
from .skeleton import Skeleton

ON_FLOOR = np.array([1.0, 0.0, 1.0])


def headings(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Angle (T,) about y in radians from +z, towards +x, in which each frame of (T, J, 3) faces."""
    forward = facing_direction(joints, skeleton)
    return np.asarray(np.arctan2(forward[:, 0], forward[:, 2]))


def turned_about_y(joints: np.ndarray, angle: float | np.ndarray) -> np.ndarray:
    """Joints (T, J, 3) turned about the vertical axis through the origin, by an angle or one a frame (T,)."""
    about = rotation.about_y(np.broadcast_to(angle, len(joints)))
    return rotation.rotate(about[:, None], joints)


def wrapped(angle: np.ndarray | float) -> np.ndarray:
    """Angles in radians as the nearest turn to nought, from -pi to pi."""
    return np.asarray((np.asarray(angle) + np.pi) % (2 * np.pi) - np.pi)


def placed(joints: np.ndarray, own: np.ndarray, goal: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """A motion (T, J, 3) moved and turned on the floor so that the pose ``own`` (J, 3) comes upon ``goal``.

    The roots come upon each other, and both face one way.
    """
    angle = headings(goal[None], skeleton)[0] - headings(own[None], skeleton)[0]
    return np.asarray(turned_about_y(joints - own[0] * ON_FLOOR, angle) + goal[0] * ON_FLOOR)


def body_frames(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Every pose of (T, J, 3) above the origin, facing +z: what is left of it without place and heading."""
    return turned_about_y(joints - joints[:, :1] * ON_FLOOR, -headings(joints, skeleton))
