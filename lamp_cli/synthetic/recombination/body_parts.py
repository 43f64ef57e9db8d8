"""Body parts: the legs, trunk and path of one clip with the arms of another.

Upper arms and forearms are carried over in the frame of the chest. Collars and shoulders stay, because
skeletons fitted to markers differ most there. Works on joints (T, 22, 3) with the reference bone lengths.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ...motion.rotation import unit
from ..time_curves import ease

# Shoulder, elbow, wrist of the left and the right arm.
ARMS = ((16, 18, 20), (17, 19, 21))
BLEND_FRAMES = 8


def chest_frame(joints: np.ndarray) -> np.ndarray:
    """Frames (T, 3, 3) of the chest, columns left, up and forward: the shoulders' line, pelvis to neck.

    The whole trunk tells up: single bones of the spine stand differently on different bodies.
    """
    up = unit(joints[:, 12] - joints[:, 0])
    left = joints[:, 16] - joints[:, 17]
    left = unit(left - np.sum(left * up, -1, keepdims=True) * up)
    return np.stack([left, up, np.cross(left, up)], axis=-1)


def with_arms(legs: np.ndarray, arms: np.ndarray, sides: tuple[int, ...], whole: bool) -> np.ndarray:
    """``legs`` (T, 22, 3) with the arms (0 left, 1 right) of the first frames of ``arms`` (N, 22, 3).

    Where ``arms`` is the shorter, or unless they are wanted ``whole`` (from the first frame to the last),
    the body's own arms go over into the others and back. Raises ``ValueError`` for a side other than 0, 1.
    """
    if not sides or any(side not in (0, 1) for side in sides):
        raise ValueError(f"arms: expected sides 0 (left) or 1 (right), found {sides}")
    result = np.array(legs, dtype=np.float64)
    count = min(len(legs), len(arms))
    share = _share(len(legs), count, whole)[:count, None]
    carry = chest_frame(result[:count]) @ np.swapaxes(chest_frame(arms[:count].astype(np.float64)), -1, -2)
    for side in sides:
        chain = ARMS[side]
        own = [result[:, joint] - result[:, parent] for parent, joint in pairwise(chain)]
        for (parent, joint), bone in zip(pairwise(chain), own, strict=True):
            other = arms[:count, joint].astype(np.float64) - arms[:count, parent]
            other = (carry @ other[..., None])[..., 0]
            length = np.linalg.norm(bone, axis=-1, keepdims=True)
            mixed = unit(bone[:count] + share * (other - bone[:count])) * length[:count]
            result[:count, joint] = result[:count, parent] + mixed
            result[count:, joint] = result[count:, parent] + bone[count:]
    return result


def _share(frames: int, count: int, whole: bool) -> np.ndarray:
    """How much of the other arms there is in each frame (T,)."""
    at = np.arange(frames, dtype=np.float64)
    begins = np.ones(frames) if whole else ease(at / BLEND_FRAMES)
    ends = np.ones(frames) if whole and count == frames else 1 - ease((at - count + 1) / BLEND_FRAMES + 1)
    return begins * ends
