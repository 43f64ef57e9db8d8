"""How far legs reach, and where their knees point, when feet are moved. Knows vectors, no skeleton.

Near to straight a leg is at its limit: a millimetre more between hip and ankle turns the knee by degrees. A
foot that is put exactly where it belongs, frame by frame, makes knees snap; here the foot gives way instead.
"""

from __future__ import annotations

import numpy as np

# What a radian per frame squared that the knee gains costs, against a metre that the ankle falls short, and
# what a radian costs where the leg is straight, so that the knee's angle hardly moves the ankle.
SMOOTHNESS, STIFFNESS = 0.015, 0.015
# Radians by which a knee stays bent at the least, if it was.
LEAST_FLEXION = 0.03
# A knee this far (metres) from the line of hip and ankle points ahead; from the other on, its own way.
STRAIGHT, BENT = 0.03, 0.1


def smooth_reach(before: np.ndarray, wanted: np.ndarray, thigh: float, shank: float) -> np.ndarray:
    """Distances (T,) from hip to ankle near the ``wanted`` ones (T,), metres, without a snap of the knee.

    The knee's angle follows the wanted one as far as it can without accelerating otherwise than it did
    ``before``: least squares over the whole motion, each frame weighted by how far the angle moves the ankle.
    """
    longest = 0.9999 * (thigh + shank)
    wanted = np.clip(wanted, abs(thigh - shank) + 1e-4, longest)
    had, goal = (_flexion(reach, thigh, shank) for reach in (np.minimum(before, longest), wanted))
    moves_ankle = thigh * shank * np.sin(goal) / wanted
    change = _smooth_change(moves_ankle**2 + STIFFNESS**2, goal - had, SMOOTHNESS)
    flexion = np.maximum(goal + change, np.minimum(had, LEAST_FLEXION))
    return np.asarray(np.sqrt(thigh**2 + shank**2 + 2 * thigh * shank * np.cos(flexion)))


def knee_direction(
    leg: np.ndarray, across: np.ndarray, reach: np.ndarray, thigh: float, shank: float
) -> np.ndarray:
    """Where the knee of a leg (T, 4, 3: hip, knee, ankle, toe) points (T, 3) once it reaches ``reach`` (T,).

    As it did; what a straight leg bends goes ahead, as its toe and the hips face, whose line from left to
    right is ``across`` (T, 3). A nearly straight knee's own direction is chance.
    """
    hip, knee, ankle, toe = np.moveaxis(leg, 1, 0)
    axis = _unit(ankle - hip)
    away = _across_axis(knee - hip, axis)
    ahead = _unit(_unit(np.cross(across, axis)) + _across_axis(_unit(toe - ankle), axis))
    bent = np.linalg.norm(away, axis=-1, keepdims=True)
    share = np.clip((bent - STRAIGHT) / (BENT - STRAIGHT), 0.0, 1.0)
    way = _unit(share * _unit(away) + (1.0 - share) * ahead)
    more = np.maximum(_off_axis(reach, thigh, shank)[:, None] - bent, 0.0)
    return np.asarray(away + more * way + 1e-6 * ahead)


def _smooth_change(weights: np.ndarray, turned: np.ndarray, smoothness: float) -> np.ndarray:
    """The x (T,) of least sum(weights x²) + smoothness |second differences of (turned + x)|²."""
    frames = len(weights)
    if frames < 3:
        return np.zeros(frames)
    bend = smoothness * np.diff(turned, n=2)
    right = -(np.pad(bend, (0, 2)) - 2 * np.pad(bend, (1, 1)) + np.pad(bend, (2, 0)))
    # The matrix of second differences times itself: its diagonal and the two beside that.
    ones = np.ones(frames - 2)
    middle = np.pad(ones, (0, 2)) + 4 * np.pad(ones, (1, 1)) + np.pad(ones, (2, 0))
    beside = -2 * (np.pad(ones, (0, 1)) + np.pad(ones, (1, 0)))
    return _solve_five_diagonals(weights + smoothness * middle, smoothness * beside, smoothness * ones, right)


def _solve_five_diagonals(
    middle: np.ndarray, beside: np.ndarray, outer: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """The solution (T,) of a symmetric positive definite system of five diagonals, by L D Lᵀ.

    ``middle`` (T,) is the diagonal, ``beside`` (T - 1,) and ``outer`` (T - 2,) those next to it.
    """
    rows = [(1.0, 0.0, 0.0, 0.0)] * 2
    sides, outers = [*beside.tolist(), 0.0], [*outer.tolist(), 0.0, 0.0]
    for own, side, beyond, value in zip(middle.tolist(), sides, outers, right.tolist(), strict=True):
        (pivot2, _, far2, value2), (pivot1, near1, far1, value1) = rows[-2:]
        pivot = own - pivot2 * far2**2 - pivot1 * near1**2
        near = (side - pivot1 * near1 * far1) / pivot
        rows.append((pivot, near, beyond / pivot, value - far2 * value2 - near1 * value1))
    after, second = 0.0, 0.0
    result = []
    for pivot, near, far, value in reversed(rows[2:]):
        after, second = value / pivot - near * after - far * second, after
        result.append(after)
    return np.array(result[::-1])


def _flexion(reach: np.ndarray, thigh: float, shank: float) -> np.ndarray:
    """The knee's angle (T,), radians, 0 when straight, from the distance of hip and ankle (T,)."""
    cosine = (reach**2 - thigh**2 - shank**2) / (2 * thigh * shank)
    return np.asarray(np.arccos(np.clip(cosine, -1.0, 1.0)))


def _off_axis(reach: np.ndarray, thigh: float, shank: float) -> np.ndarray:
    """How far (T,) a knee is from the line of hip and ankle, from their distance (T,), metres."""
    along = (thigh**2 + reach**2 - shank**2) / (2 * np.maximum(reach, 1e-9))
    return np.asarray(np.sqrt(np.maximum(thigh**2 - along**2, 0.0)))


def _across_axis(vectors: np.ndarray, axis: np.ndarray) -> np.ndarray:
    return np.asarray(vectors - np.sum(vectors * axis, -1, keepdims=True) * axis)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))
