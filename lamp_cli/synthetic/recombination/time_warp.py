"""Time warp: the same motion a little slower or faster, its rhythm slowly varied.

Speeds stay within what people vary of themselves; a body in the air falls as fast as ever, so clips with
flights are hardly changed. Works on joints (T, 22, 3) with the reference bone lengths, at 20 fps.
"""

from __future__ import annotations

import numpy as np

from ...motion.clean_up import with_reference_bones
from ...motion.skeleton import HUMANML3D
from ..time_curves import FPS

# Speeds relative to the recorded one: usual, and where gravity sets the pace.
SPEEDS = (0.8, 1.25)
FLIGHT_SPEEDS = (0.88, 1.12)
VARIATION = 0.08
VARIATION_SECONDS = (2.0, 6.0)


def warp_times(
    frames: int, speed: float, bounds: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    """Ascending times (N,) in frames from 0 to ``frames - 1``: where each new frame lies in the old clip.

    The steps vary slowly about ``speed`` and stay within ``bounds``. Raises ``ValueError`` for a speed
    outside of them or fewer than two frames.
    """
    if frames < 2 or not bounds[0] <= speed <= bounds[1]:
        raise ValueError(
            f"time warp: expected 2 frames or more and a speed from {bounds[0]:g} to {bounds[1]:g}, "
            f"found {frames} frames and {speed:g}"
        )
    count = max(1, round((frames - 1) / speed))
    mean = (frames - 1) / count
    period, phase = rng.uniform(*VARIATION_SECONDS) * FPS, rng.uniform(0, 2 * np.pi)
    depth = min(VARIATION * mean, max(min(bounds[1] - mean, mean - bounds[0]), 0.0) * 0.9)
    wave = np.sin(2 * np.pi * np.arange(count) / period + phase)
    # Without its mean the wave leaves the clip's length as it is.
    wave -= wave.mean()
    steps = mean + depth * wave / max(1.0, float(np.abs(wave).max()))
    return np.concatenate([[0.0], np.cumsum(steps)])


def time_warp(joints: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Joints (N, 22, 3) float64 of a clip (T, 22, 3) at ``times`` (N,) in frames, bone lengths kept."""
    values = np.asarray(joints, dtype=np.float64)
    slopes = np.gradient(values, axis=0)
    low = np.clip(np.floor(times + 1e-9).astype(int), 0, len(values) - 2)
    u = np.clip(times - low, 0.0, 1.0)[:, None, None]
    # Cubic Hermite: velocities are continuous.
    begin, end, out, into = values[low], values[low + 1], slopes[low], slopes[low + 1]
    rise = u * u * (3.0 - 2.0 * u)
    mixed = begin + rise * (end - begin) + u * (1.0 - u) * ((1.0 - u) * out - u * into)
    return with_reference_bones(mixed, HUMANML3D)
