"""Changes of whole clips that keep them motions: mirroring and resampling."""

from __future__ import annotations

import numpy as np

from .skeleton import Skeleton


def mirror(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Joints (T, J, 3) seen in a mirror: x negated, left and right joints swapped."""
    mirrored = joints[:, skeleton.mirror_permutation].copy()
    mirrored[..., 0] *= -1.0
    return mirrored


def resample(joints: np.ndarray, fps: float, target_fps: float) -> np.ndarray:
    """Joints (T, J, 3) at another frame rate; the first frame stays, the duration is kept.

    Whole ratios take every n-th frame, as the field does (120 to 20 fps); others interpolate with
    Catmull-Rom splines, whose velocities are continuous. Raises ``ValueError`` for rates that are
    not positive and finite.
    """
    if not (0 < fps < np.inf and 0 < target_fps < np.inf):
        raise ValueError(f"frame rates must be positive numbers, found {fps} and {target_fps}")
    ratio = fps / target_fps
    if abs(ratio - round(ratio)) < 1e-6 and ratio > 0.5:
        return joints[:: round(ratio)].copy()
    times = np.arange(int(np.floor((len(joints) - 1) / ratio + 1e-9)) + 1) * ratio
    return _catmull_rom(np.asarray(joints, dtype=np.float64), times).astype(joints.dtype)


def at_times(joints: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Joints (N, J, 3) float64 at fractional frame ``times`` (N,) of (T, J, 3), as :func:`resample`.

    Before the first frame and after the last they go on as they begin and end.
    """
    values = np.asarray(joints, dtype=np.float64)
    within = np.clip(times, 0, len(values) - 1)
    result = _catmull_rom(values, within)
    if len(values) > 1:
        beyond = (times - within)[:, None, None]
        result += np.minimum(beyond, 0) * (values[1] - values[0])
        result += np.maximum(beyond, 0) * (values[-1] - values[-2])
    return result


def _catmull_rom(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Values (T, ...) at fractional frame ``times`` (N,); the ends continue linearly."""
    if len(values) == 1:
        return np.repeat(values, len(times), axis=0)
    before = 2 * values[:1] - values[1:2]
    after = 2 * values[-1:] - values[-2:-1]
    padded = np.concatenate([before, values, after])
    left = np.minimum(times.astype(int), len(values) - 2)
    u = (times - left).reshape(-1, *([1] * (values.ndim - 1)))
    p0, p1, p2, p3 = (padded[left + k] for k in range(4))
    return p1 + 0.5 * u * (p2 - p0 + u * (2 * p0 - 5 * p1 + 4 * p2 - p3 + u * (3 * (p1 - p2) + p3 - p0)))
