"""Feet of a clip: which foot joints are planted, how far they slip, when the body flies.

Works on joints (T, 22, 3) in metres, 20 frames per second, with the reference bone lengths and the floor at
y = 0. Knows no clip's source and no text.
"""

from __future__ import annotations

import numpy as np

from ...motion.skeleton import HUMANML3D
from ..time_curves import FPS

FEET = np.array(HUMANML3D.feet)
# Heights below which an ankle and a toe can bear the body (HuMoR, Rempe et al., ICCV 2021), metres.
CONTACT_HEIGHTS = np.array([0.08, 0.04, 0.08, 0.04])
# The floor of real clips is known to a few centimetres only.
PLANTED_HEIGHTS = CONTACT_HEIGHTS + 0.04
PLANTED_STEP = 0.015
FLIGHT_HEIGHT = 0.06


def planted(joints: np.ndarray) -> np.ndarray:
    """(T, 4) True where a foot joint (left ankle, left toe, right ankle, right toe) is low and at rest.

    Gaps of up to two frames are closed: a foot does not lift for a twentieth of a second.
    """
    feet = joints[:, FEET]
    steps = np.linalg.norm(np.diff(feet[..., [0, 2]], axis=0), axis=-1)
    slow = np.ones(feet.shape[:2], dtype=bool)
    slow[1:] &= steps < PLANTED_STEP
    slow[:-1] &= steps < PLANTED_STEP
    flags = slow & (feet[..., 1] < PLANTED_HEIGHTS)
    for gap in (1, 2):
        between = flags[: -gap - 1] & flags[gap + 1 :]
        for k in range(1, gap + 1):
            flags[k : len(flags) - gap - 1 + k] |= between
    return flags


def slips(joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Horizontal step (T-1, 4) of each foot joint in metres, and whether it is in contact in that step."""
    feet = joints[:, FEET]
    low = feet[..., 1] <= CONTACT_HEIGHTS
    return np.linalg.norm(np.diff(feet[..., [0, 2]], axis=0), axis=-1), low[1:] & low[:-1]


def accelerations(joints: np.ndarray) -> np.ndarray:
    """Magnitude of acceleration (T-2, 22) in m/s^2, by second differences."""
    return np.linalg.norm(np.diff(joints.astype(np.float64), 2, axis=0), axis=-1) * FPS**2


def has_flights(joints: np.ndarray) -> bool:
    """True when both feet are off the floor for two frames or more (also high on stairs)."""
    aloft = joints[:, FEET, 1].min(axis=1) > FLIGHT_HEIGHT
    return bool((aloft[1:] & aloft[:-1]).any())
