"""Transitions between the parts of one motion: peak jerk and the area under the jerk.

Source: FlowMDM (Barquero et al., CVPR 2024, section 4 and its released evaluation): jerk is the third
difference of a joint's path, L1 over the axes, the largest over the joints; what is averaged over transitions
is a curve over the frames of a window around them. Given in km/s³, so that clips of any rate compare. Knows
no model.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

PEAK_JERK = "peak jerk (km/s³)"
AREA_UNDER_JERK = "area under jerk (km/s²)"
# A window around a transition, seconds: FlowMDM's 60 frames of 20 per second.
TRANSITION_SECONDS = 3.0


def jerk_curve(joints: np.ndarray, fps: float) -> np.ndarray:
    """Jerk (T - 3,) of the joint that jerks most, by frame, km/s³, of joints (T, J, 3) in metres.

    Raises ``ValueError`` for fewer than 4 frames or another shape.
    """
    array = np.asarray(joints, dtype=np.float64)
    if array.ndim != 3 or array.shape[2] != 3 or len(array) < 4:
        raise ValueError(f"expected joints (T, J, 3) of at least 4 frames, found shape {array.shape}")
    return np.abs(np.diff(array, n=3, axis=0)).sum(-1).max(-1) * fps**3 / 1000.0


def peak_jerk(curves: Sequence[np.ndarray]) -> float:
    """The largest value of the mean curve of transitions, each (F,), km/s³."""
    return float(_mean_curve(curves).max())


def area_under_jerk(curves: Sequence[np.ndarray], level: float, fps: float) -> float:
    """Area between the mean curve of transitions, each (F,), and the ``level`` of true motions, km/s².

    A transition that is too smooth counts as one that jerks.
    """
    return float(np.abs(_mean_curve(curves) - level).sum() / fps)


def _mean_curve(curves: Sequence[np.ndarray]) -> np.ndarray:
    if len({len(curve) for curve in curves}) != 1 or not len(curves[0]):
        found = sorted({len(curve) for curve in curves})
        raise ValueError(f"expected curves of one length above 0, found {found}")
    return np.mean(curves, axis=0)
