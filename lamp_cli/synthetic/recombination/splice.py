"""Splice: the end of one clip goes over into the beginning of another where their poses match.

The second clip is placed on the first one's ground position and heading by the closed form of Kovar et
al., "Motion Graphs", SIGGRAPH 2002, section 3: windows of frames are compared, so speeds count as well as
poses. Over the overlap the clips are blended; planted feet are then held where they stand, and set free
while they swing. Works on joints (T, 22, 3) with the reference bone lengths, at 20 fps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...motion.clean_up import with_feet_moved, with_reference_bones
from ...motion.skeleton import HUMANML3D
from ..time_curves import ease
from .foot_slips import FEET, planted

# Half the overlap, frames: clips are blended over half a second.
HALF = 5
SWING_FRAMES = (4, 10)
_WEIGHTS = np.ones(22)
# Feet must meet; hands may differ.
_WEIGHTS[FEET] = 3.0
_WEIGHTS[[18, 19, 20, 21]] = 0.5
_PLANTED_WEIGHT = 20.0


@dataclass(frozen=True)
class Match:
    """Frame ``first`` of one clip and frame ``second`` of another, with their ``distance`` (RMS, m)."""

    first: int
    second: int
    distance: float


def best_match(a: np.ndarray, b: np.ndarray, ends: tuple[int, int], begins: tuple[int, int]) -> Match | None:
    """The best frames to pass from ``a`` (T, 22, 3) to ``b``, within ``ends`` of a and ``begins`` of b.

    Both ranges include their last frame and are cut to where an overlap fits; None when nothing is left.
    """
    firsts = np.arange(max(ends[0], HALF), min(ends[1], len(a) - 1 - HALF) + 1)
    seconds = np.arange(max(begins[0], HALF), min(begins[1], len(b) - 1 - HALF) + 1)
    if not len(firsts) or not len(seconds):
        return None
    (p, height_p), (q, height_q) = _windows(a, firsts), _windows(b, seconds)
    weights = np.tile(_WEIGHTS, 2 * HALF + 1)
    weights /= weights.sum()
    p -= (p @ weights)[:, None]
    q -= (q @ weights)[:, None]
    overlap = np.abs((p * weights) @ q.conj().T)
    square = (np.abs(p) ** 2 @ weights)[:, None] + np.abs(q) ** 2 @ weights - 2 * overlap
    square += (height_p**2 @ weights)[:, None] + height_q**2 @ weights - 2 * (height_p * weights) @ height_q.T
    i, j = np.unravel_index(int(np.argmin(square)), square.shape)
    return Match(int(firsts[i]), int(seconds[j]), float(np.sqrt(max(square[i, j], 0.0))))


def splice(a: np.ndarray, b: np.ndarray, match: Match) -> np.ndarray:
    """Joints (first + len(b) - second, 22, 3) float64: ``a`` up to the match, then ``b`` from it on.

    Raises ``ValueError`` when less than half an overlap of frames lies beside the match.
    """
    first, second = match.first, match.second
    if not (HALF <= first < len(a) - HALF and HALF <= second < len(b) - HALF):
        raise ValueError(
            f"splice: expected {HALF} frames on both sides of the match, found frame {first} of {len(a)} "
            f"and frame {second} of {len(b)}"
        )
    flags_a, flags_b = planted(a), planted(b)
    b = _placed(a, b, match, flags_a & flags_b[_counterparts(len(a), len(b), match)])
    share = ease(np.arange(2 * HALF + 1) / (2 * HALF))[:, None, None]
    there, here = a[first - HALF : first + HALF + 1], b[second - HALF : second + HALF + 1]
    mixed = with_reference_bones((1 - share) * there + share * here, HUMANML3D)
    blended = np.concatenate([a[: first - HALF], mixed, b[second + HALF + 1 :]])
    flags = np.concatenate([flags_a[: first + 1], flags_b[second + 1 :]])
    steps = np.zeros((len(blended), 4, 3))
    steps[1 : first + 1] = np.diff(a[: first + 1, FEET], axis=0)
    steps[first + 1 :] = np.diff(b[second:, FEET], axis=0)
    steps[..., 1] = 0.0
    return with_feet_moved(blended, _held(blended[:, FEET], steps, flags, first - HALF), HUMANML3D)


def _windows(joints: np.ndarray, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ground positions z + ix (N, K) and heights (N, K) of the frames around each of ``frames``."""
    around = joints[frames[:, None] + np.arange(-HALF, HALF + 1)].reshape(len(frames), -1, 3)
    return around[..., 2] + 1j * around[..., 0], around[..., 1]


def _counterparts(count: int, other: int, match: Match) -> np.ndarray:
    """For each frame of the first clip the frame of the second that it is blended with."""
    return np.clip(np.arange(count) - match.first + match.second, 0, other - 1)


def _placed(a: np.ndarray, b: np.ndarray, match: Match, both: np.ndarray) -> np.ndarray:
    """``b`` turned about the vertical and moved onto ``a``; feet that are planted in both weigh most."""
    (p, _), (q, _) = _windows(a, np.array([match.first])), _windows(b, np.array([match.second]))
    weights = np.tile(_WEIGHTS, (2 * HALF + 1, 1))
    near = both[match.first - HALF : match.first + HALF + 1]
    turning = weights.reshape(-1) / weights.sum()
    weights[:, FEET] += _PLANTED_WEIGHT * near
    moving = weights.reshape(-1) / weights.sum()
    turn = complex(np.sum(turning * (p[0] - turning @ p[0]) * (q[0] - turning @ q[0]).conj()))
    turn = turn / abs(turn) if abs(turn) > 1e-12 else 1.0 + 0.0j
    ground = turn * (b[..., 2] + 1j * b[..., 0]) + moving @ p[0] - turn * (moving @ q[0])
    return np.stack([ground.imag, b[..., 1], ground.real], axis=-1)


def _held(feet: np.ndarray, steps: np.ndarray, flags: np.ndarray, start: int) -> np.ndarray:
    """How far to move foot joints (T, 4, 3) so that planted ones only make the ``steps`` of their sources.

    What a foot is off its clip when it lifts goes away while it swings.
    """
    offsets = np.zeros_like(feet)
    for joint in range(feet.shape[1]):
        down = flags[:, joint]
        lifted, left, swing = start, np.zeros(3), 1
        for frame in range(start + 1, len(feet)):
            before = offsets[frame - 1, joint]
            if down[frame] and down[frame - 1]:
                moved = feet[frame - 1, joint] + before + steps[frame, joint] - feet[frame, joint]
                offsets[frame, joint, [0, 2]] = moved[[0, 2]]
                continue
            if down[frame - 1]:
                lifted, left = frame - 1, before
                again = np.flatnonzero(down[frame:])
                swing = int(np.clip(again[0] + 1 if len(again) else SWING_FRAMES[1], *SWING_FRAMES))
            offsets[frame, joint] = left * (1 - ease(np.array((frame - lifted) / swing)))
    return offsets
