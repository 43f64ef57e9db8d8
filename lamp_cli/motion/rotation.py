"""Unit quaternions (w, x, y, z) on NumPy arrays; every function works on any leading axes."""

from __future__ import annotations

import numpy as np


def multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Hamilton product of (..., 4) and (..., 4): first ``b`` turns, then ``a``."""
    aw, ax, ay, az = np.moveaxis(a, -1, 0)
    bw, bx, by, bz = np.moveaxis(b, -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def inverse(q: np.ndarray) -> np.ndarray:
    """Inverse of unit quaternions (..., 4)."""
    return q * np.array([1.0, -1.0, -1.0, -1.0], dtype=q.dtype)


def rotate(q: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) turned by unit quaternions (..., 4); the leading axes broadcast."""
    axis = q[..., 1:]
    uv = np.cross(axis, v)
    return v + 2.0 * (q[..., :1] * uv + np.cross(axis, uv))


def between(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Shortest rotation (..., 4) that takes direction ``u`` (..., 3) to ``v`` (..., 3).

    Opposite directions have no shortest rotation; a half turn about an axis perpendicular to ``u``
    is taken, where the field's code divides zero by zero.
    """
    u, v = np.broadcast_arrays(u, v)
    w = np.linalg.norm(u, axis=-1) * np.linalg.norm(v, axis=-1) + np.sum(u * v, axis=-1)
    q = np.concatenate([w[..., None], np.cross(u, v)], axis=-1)
    norm = np.linalg.norm(q, axis=-1, keepdims=True)
    other = np.where(np.abs(u[..., :1]) < 0.9, [1.0, 0.0, 0.0], [0.0, 0.0, 1.0])
    half_turn = np.concatenate([np.zeros_like(w)[..., None], unit(np.cross(u, other))], axis=-1)
    return np.where(norm > 1e-12, q / np.maximum(norm, 1e-12), half_turn)


def unit(v: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) at length 1; a vector of length 0 stays as it is."""
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-12)


def about_y(angle: np.ndarray) -> np.ndarray:
    """Rotation by ``angle`` (...) radians about the vertical axis, as (..., 4)."""
    half = np.asarray(angle) / 2.0
    zero = np.zeros_like(half)
    return np.stack([np.cos(half), zero, np.sin(half), zero], axis=-1)


def matrices_about(axis: str, angle: np.ndarray) -> np.ndarray:
    """Rotation matrices (T, 3, 3) by angles (T,) in radians about the axis ``x``, ``y`` or ``z``."""
    first = "xyz".index(axis)
    second, third = (first + 1) % 3, (first + 2) % 3
    turn = np.zeros((len(angle), 3, 3))
    turn[:, first, first] = 1.0
    turn[:, second, second] = turn[:, third, third] = np.cos(angle)
    turn[:, third, second] = np.sin(angle)
    turn[:, second, third] = -np.sin(angle)
    return turn


def axis_angle_of_matrices(turn: np.ndarray) -> np.ndarray:
    """Axis-angle vectors (..., 3) in radians of rotation matrices (..., 3, 3)."""
    # The largest of a quaternion's numbers (w, x, y, z) is told surely, the others from it (Shepperd 1978).
    trace = np.trace(turn, axis1=-2, axis2=-1)
    squares = np.stack([trace, *(2 * turn[..., k, k] - trace for k in range(3))], axis=-1) + 1.0
    skew = [turn[..., k, j] - turn[..., j, k] for j, k in ((1, 2), (2, 0), (0, 1))]
    sums = [turn[..., j, k] + turn[..., k, j] for j, k in ((0, 1), (0, 2), (1, 2))]
    rows = np.stack(
        [
            np.stack([squares[..., 0], *skew], axis=-1),
            np.stack([skew[0], squares[..., 1], sums[0], sums[1]], axis=-1),
            np.stack([skew[1], sums[0], squares[..., 2], sums[2]], axis=-1),
            np.stack([skew[2], sums[1], sums[2], squares[..., 3]], axis=-1),
        ],
        axis=-2,
    )
    surest = squares.argmax(-1)[..., None, None]
    return to_axis_angle(unit(np.take_along_axis(rows, surest, axis=-2)[..., 0, :]))


def blend(start: np.ndarray, end: np.ndarray, share: np.ndarray | float) -> np.ndarray:
    """Turns (..., 4) between two, at a share (..., 1) of the shorter way, as quaternions are mixed."""
    end = np.where(np.sum(start * end, axis=-1, keepdims=True) < 0, -end, end)
    return unit((1 - share) * start + share * end)


def of_matrices(turn: np.ndarray) -> np.ndarray:
    """Unit quaternions (..., 4) of rotation matrices (..., 3, 3)."""
    return of_axis_angle(axis_angle_of_matrices(turn))


def to_angles(turn: np.ndarray, order: str) -> np.ndarray:
    """Angles (..., 3) in radians about three different axes, as ``zyx``, of matrices (..., 3, 3).

    The turn is the product of those about the axes, in this order; the middle angle is within a quarter turn.
    Where that is one, the first and the last turn about one axis: the last is 0 there.
    """
    i, j, k = ("xyz".index(axis) for axis in order)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    sine = np.clip(sign * turn[..., i, k], -1.0, 1.0)
    free = np.abs(sine) < 1 - 1e-12
    first = np.arctan2(-sign * turn[..., j, k], turn[..., k, k])
    last = np.arctan2(-sign * turn[..., i, j], turn[..., i, i])
    locked = np.arctan2(sign * turn[..., k, j], turn[..., j, j])
    return np.stack([np.where(free, first, locked), np.arcsin(sine), np.where(free, last, 0.0)], axis=-1)


def to_six_numbers(q: np.ndarray) -> np.ndarray:
    """The first two columns of the rotation matrix, (..., 6) (Zhou et al., CVPR 2019)."""
    w, x, y, z = np.moveaxis(q, -1, 0)
    first = [1 - 2 * (y * y + z * z), 2 * (x * y + z * w), 2 * (x * z - y * w)]
    second = [2 * (x * y - z * w), 1 - 2 * (x * x + z * z), 2 * (y * z + x * w)]
    return np.stack(first + second, axis=-1)


def to_matrix(q: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3)."""
    columns = to_six_numbers(q)
    first, second = columns[..., :3], columns[..., 3:]
    return np.stack([first, second, np.cross(first, second)], axis=-1)


def to_zyx_angles(q: np.ndarray) -> np.ndarray:
    """Angles (..., 3) in radians about z, y and x, of which the turn is Rz Ry Rx; y within a quarter turn.

    Where y is a quarter turn z and x turn about one axis: x is 0 there.
    """
    w, x, y, z = np.moveaxis(q, -1, 0)
    sine = np.clip(2 * (w * y - x * z), -1.0, 1.0)
    free = np.abs(sine) < 1 - 1e-12
    about_z = np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    about_x = np.arctan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    locked = np.arctan2(2 * (w * z - x * y), 1 - 2 * (x * x + z * z))
    return np.stack([np.where(free, about_z, locked), np.arcsin(sine), np.where(free, about_x, 0.0)], axis=-1)


def to_axis_angle(q: np.ndarray) -> np.ndarray:
    """Axes times angles in radians, up to half a turn (..., 3)."""
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, np.abs(q[..., :1]))
    return q[..., 1:] * np.where(q[..., :1] < 0, -1.0, 1.0) * angle / np.maximum(sine, 1e-12)


def of_axis_angle(vectors: np.ndarray) -> np.ndarray:
    """Unit quaternions (..., 4) of axes times angles in radians (..., 3)."""
    half = np.linalg.norm(vectors, axis=-1, keepdims=True) / 2.0
    # sin(x) / x, which is 1 for no turn.
    return np.concatenate([np.cos(half), vectors * (0.5 * np.sinc(half / np.pi))], axis=-1)
