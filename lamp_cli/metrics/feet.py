"""Feet on the floor as the field's benchmarks define them, each figure with the rate it holds for.

Source: GMD (Karunratanakul et al., ICCV 2023) and its released skating ratio; Kimodo (NVIDIA, 2026), its
released foot metrics; MBench (Lin et al., "The Quest for Generalizable Motion Generation", 2025), its
released motion quality; PFC of EDGE (Tseng et al., CVPR 2023). Thresholds of speed hold at any rate; what the
sources count per frame is given for frames of the rate they have. Joints (T, J, 3) are metres, y up. Knows no
model.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

GMD_SKATING = "skating ratio by GMD (window of 0.25 s)"
KIMODO_SKATING = "skating ratio by Kimodo"
MBENCH_SLIDING = "sliding by MBench (cm/frame at 20 fps)"
MBENCH_PENETRATION = "toe penetration by MBench (cm)"
CONTACT_CONSISTENCY = "contact consistency by Kimodo"
PFC = "PFC (at 30 fps)"
FOOT_FIGURES = (GMD_SKATING, KIMODO_SKATING, MBENCH_SLIDING, MBENCH_PENETRATION, CONTACT_CONSISTENCY, PFC)

# The rates of the sources whose figures are per frame.
MBENCH_RATE = 20.0
PFC_RATE = 30.0
# Of a toe in contact, by GMD and Kimodo.
CONTACT_HEIGHT = 0.05
GMD_SPEED, KIMODO_SPEED = 0.5, 0.2
CONSISTENCY_HEIGHT, CONSISTENCY_SPEED = 0.10, 0.15
# Metres per squared frame.
_ROUNDING = 1e-9
MBENCH_HEIGHT, MBENCH_STEP, MBENCH_TOLERANCE = 0.02, 0.01, 0.005


@dataclass(frozen=True)
class FootTracks:
    """Feet of a clip: heel and toe of the left foot, then of the right. Speeds are computed once.

    heights: above the floor (T, 4), metres.
    steps: displacement from frame to frame (T - 1, 4, 3), metres.
    fps: frames per second.
    """

    heights: np.ndarray
    steps: np.ndarray
    fps: float

    @cached_property
    def speeds(self) -> np.ndarray:
        """Metres per second (T - 1, 4), heights included."""
        return np.linalg.norm(self.steps, axis=-1) * self.fps

    @cached_property
    def ground_speeds(self) -> np.ndarray:
        """Metres per second along the floor (T - 1, 4)."""
        return np.linalg.norm(self.steps[..., [0, 2]], axis=-1) * self.fps

    @cached_property
    def toes_down(self) -> np.ndarray:
        """Where a toe is within 5 cm of the floor before and after a step, (T - 1, 2)."""
        low = self.heights[:, TOES] < CONTACT_HEIGHT
        return low[1:] & low[:-1]


TOES = [1, 3]


def gmd_skating_ratio(feet: FootTracks) -> float:
    """Share of all steps in which a toe within 5 cm of the floor, before and after, slides above 0.5 m/s.

    The speed along the floor counts, both of the step and its mean over 5 frames of 20 per second around it
    (as many of another rate, an odd number), zero beyond the clip.
    """
    speeds = feet.ground_speeds[:, TOES]
    half = round(2 * feet.fps / 20.0)
    padded = np.zeros((len(speeds) + 2 * half, len(TOES)))
    padded[half : half + len(speeds)] = speeds
    means = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1, axis=0).mean(-1)
    skates = feet.toes_down & (speeds > GMD_SPEED) & (means > GMD_SPEED)
    return float(skates.any(1).mean())


def kimodo_skating_ratio(feet: FootTracks) -> float | None:
    """Share of the contacts of toes, within 5 cm of the floor before and after a step, faster than 0.2 m/s.

    None when no toe is ever in contact; Kimodo's code has 0 there, as if all were well.
    """
    if not feet.toes_down.any():
        return None
    return float((feet.speeds[:, TOES] > KIMODO_SPEED)[feet.toes_down].mean())


def mbench_sliding(feet: FootTracks) -> float:
    """Mean slip along the floor of toes in contact, cm per frame of 20 per second, mean of both feet.

    In contact is a toe that moves less than 1 cm in such a frame or is within 2 cm of the floor; a foot that
    never is counts as 0. The last step counts twice, as the source repeats it.
    """
    last = np.arange(len(feet.steps) + 1).clip(max=len(feet.steps) - 1)
    slips = feet.ground_speeds[last][:, TOES] / MBENCH_RATE
    still = feet.speeds[last][:, TOES] / MBENCH_RATE < MBENCH_STEP
    contact = still | (feet.heights[:, TOES] < MBENCH_HEIGHT)
    return float(100.0 * ((slips * contact).sum(0) / np.maximum(contact.sum(0), 1)).mean())


def mbench_penetration(feet: FootTracks) -> float:
    """Mean depth of toes that are more than 5 mm below the floor, cm; 0 where none ever is."""
    depths = -feet.heights[:, TOES]
    deep = depths > MBENCH_TOLERANCE
    return float(100.0 * depths[deep].mean()) if deep.any() else 0.0


def contact_consistency(feet: FootTracks, contacts: np.ndarray) -> float:
    """Share of a model's own contacts (T - 1, 4) that agree with the joints: below 10 cm and 0.15 m/s.

    ``contacts`` are true where a heel or toe is said to stand, from each frame to the next. Raises
    ``ValueError`` for another shape.
    """
    seen = (feet.speeds < CONSISTENCY_SPEED) & (feet.heights[:-1] < CONSISTENCY_HEIGHT)
    told = np.asarray(contacts).astype(bool)
    if told.shape != seen.shape:
        raise ValueError(f"expected contacts {seen.shape}, found {told.shape}")
    return float((told == seen).mean())


def physical_foot_contact(feet: FootTracks, accelerations: np.ndarray) -> float | None:
    """PFC: how much the root accelerates while neither foot stands still; 10⁴ as printed by EDGE.

    ``accelerations`` (T - 2, 3) are the root's, by second differences.

    Of each foot the slower of heel and toe counts, metres along the floor per frame of 30 per second, after
    the step that accelerates; accelerations downward count as none, all as a share of the clip's largest. 0
    for a root that never accelerates, None for fewer than 3 frames.
    """
    if not len(accelerations):
        return None
    upward = np.maximum(accelerations, [-np.inf, 0.0, -np.inf])
    strengths = np.linalg.norm(upward, axis=-1)
    # What is left of a root at rest or at one speed is rounding.
    if strengths.max() < _ROUNDING:
        return 0.0
    slips = feet.ground_speeds[1:] / PFC_RATE
    slower = slips.reshape(-1, 2, 2).min(-1)
    return float(1e4 * (slower.prod(1) * strengths / strengths.max()).mean())


def foot_figures(
    feet: FootTracks, accelerations: np.ndarray, contacts: np.ndarray | None = None
) -> dict[str, float]:
    """All of them that there are, by printed name, with the root's accelerations (T - 2, 3).

    ``contacts`` where a model gives its own.
    """
    found = {
        GMD_SKATING: gmd_skating_ratio(feet),
        KIMODO_SKATING: kimodo_skating_ratio(feet),
        MBENCH_SLIDING: mbench_sliding(feet),
        MBENCH_PENETRATION: mbench_penetration(feet),
        CONTACT_CONSISTENCY: None if contacts is None else contact_consistency(feet, contacts),
        PFC: physical_foot_contact(feet, accelerations),
    }
    return {name: value for name, value in found.items() if value is not None}
